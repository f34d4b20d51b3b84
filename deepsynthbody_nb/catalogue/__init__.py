"Cards: what each generator makes, takes, weighs and was trained on; and the door that works for any card."
from .door import Door
from .shelf import add, body, cards, find, remove

__all__ = ["Door", "add", "body", "cards", "find", "remove"]
