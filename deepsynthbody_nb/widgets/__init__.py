"What moves in JupyterLab; needs anywidget and ipywidgets."
from .body_monitor import BodyMonitor, static_monitor
from .latent_walk import LatentWalk, static_walk
from .picture_walk import PictureWalk, static_pictures
from .saliency_explorer import SaliencyExplorer
from .standardise_explorer import StandardiseExplorer
from .training_bench import TrainingBench
from .turing_test import ClassBoard, TuringTest

__all__ = ["BodyMonitor", "ClassBoard", "LatentWalk", "PictureWalk", "SaliencyExplorer", "StandardiseExplorer", "TrainingBench", "TuringTest", "static_monitor", "static_pictures", "static_walk"]
