"""The error for faults that the user can mend; only its message is shown."""

import contextlib
from collections.abc import Iterator


class InputError(ValueError):
    """The input cannot be used; one sentence names the file, the value and the remedy."""


@contextlib.contextmanager
def reading(fault: str, remedy: str) -> Iterator[None]:
    """
    Turn whatever a library raises for a file that others wrote into one sentence.

    Libraries document few of the errors that a damaged or hostile file brings about, so every
    exception counts. The block should hold the library's call and little else.

    Parameters
    ----------
    fault : str
        Begins with the path, such as "a.h5 cannot be read as HDF5".
    remedy : str
        Follows the library's own words.

    Raises
    ------
    InputError
        For every exception in the block; an InputError passes unchanged.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        reason = " ".join("".join(c if c.isprintable() else " " for c in words).split())
        raise InputError(f"{fault} ({reason[:300]}); {remedy}") from None
