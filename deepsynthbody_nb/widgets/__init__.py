"What moves in JupyterLab; needs anywidget and ipywidgets."
from .latent_walk import LatentWalk, static_walk
from .saliency_explorer import SaliencyExplorer

__all__ = ["LatentWalk", "SaliencyExplorer", "static_walk"]
