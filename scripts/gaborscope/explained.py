"""Public name of the explained model; the library itself imports `explanation.model`."""

from gaborscope.explanation.model import ExplainedModel

__all__ = ["ExplainedModel"]
