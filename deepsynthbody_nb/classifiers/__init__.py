"Networks that read ECGs."
from .resnet import NETWORKS, load_classifier

__all__ = ["NETWORKS", "load_classifier"]
