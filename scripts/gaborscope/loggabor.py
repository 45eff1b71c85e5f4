"""Public name of the log-Gabor bank; the library itself imports `filters.loggabor`."""

from gaborscope.filters.loggabor import LogGaborBank

__all__ = ["LogGaborBank"]
