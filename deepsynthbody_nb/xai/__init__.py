"Why a network says what it says, and whether that is true; needs captum."
from .attribution import attribute

__all__ = ["attribute"]
