"What moves in JupyterLab; needs anywidget and ipywidgets."
from .latent_walk import LatentWalk, static_walk

__all__ = ["LatentWalk", "static_walk"]
