"Is a synthetic set any good? The report, and the figures behind it."
from .reporting import Report, report

__all__ = ["Report", "report"]
