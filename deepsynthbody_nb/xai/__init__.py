"Why a network says what it says, and whether that is true; needs captum."
from .pictures import attribute

__all__ = ["attribute"]
