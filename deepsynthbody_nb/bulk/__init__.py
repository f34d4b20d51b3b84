"Sets of many records: formats at scale, resumed where they stopped, on one machine or several."
from .dataset import ECGSet
from .sets import make_set, verify

__all__ = ["ECGSet", "make_set", "verify"]
