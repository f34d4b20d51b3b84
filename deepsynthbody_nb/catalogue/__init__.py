"Cards: what each generator makes, takes, weighs and was trained on; and the door that works for any card."
from .shelf import add, body, cards, find

__all__ = ["add", "body", "cards", "find"]
