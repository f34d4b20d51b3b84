"What moves in JupyterLab; needs anywidget and ipywidgets."
from .latent_walk import LatentWalk, static_walk
from .saliency_explorer import SaliencyExplorer
from .training_bench import TrainingBench

__all__ = ["LatentWalk", "SaliencyExplorer", "TrainingBench", "static_walk"]
