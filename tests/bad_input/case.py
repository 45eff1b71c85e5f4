"""One input of the catalogue: what is given, and what must come of it."""

import contextlib
import dataclasses
import importlib
import logging
import pkgutil
from collections.abc import Callable
from logging.handlers import BufferingHandler
from pathlib import Path

import bad_input


@dataclasses.dataclass(frozen=True)
class Case:
    """
    An input that is easily misread, and its outcome: a sentence, or the right value.

    `given` names the input in the words of the docs. `use` takes an empty folder, makes the input
    in it, and uses it through the function that a stage would call. Where `says` is set, the input
    is refused with exactly this sentence, in which `{folder}` stands for the folder. Where `gives`
    is set, the input is taken, and `str` of what `use` returns equals it; the text is printed in
    the docs, so `use` returns what shows that the value is right.
    """

    given: str
    use: Callable[[Path], object]
    says: str | None = None
    gives: str | None = None

    def __post_init__(self):
        if (self.says is None) == (self.gives is None):
            raise TypeError(f"{self.given}: either says or gives")


@contextlib.contextmanager
def said(level=logging.WARNING):
    """Yield a list that holds, at the end, what the block logged of this level and above."""
    handler, logger, messages = BufferingHandler(999), logging.getLogger("gaborscope"), []
    before = logger.level
    handler.setLevel(level)
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        messages += [record.getMessage() for record in handler.buffer]


def families():
    """Return {heading: cases} of all modules of this folder that hold a FAMILY and CASES."""
    found = {}
    for module in sorted(item.name for item in pkgutil.iter_modules(bad_input.__path__)):
        if module in ("case", "laid", "table") or module.startswith("test_"):
            continue
        loaded = importlib.import_module(f"bad_input.{module}")
        found[loaded.FAMILY] = loaded.CASES
    return found
