"""The error for faults that the user can mend; only its message is shown."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_ROOM = "make room and run again"
_RIGHTS = "change the rights or choose another folder"
_FILE = "a file lies where a folder should be; remove that file"
# What to do about a file that cannot be written.
REMEDIES = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: "raise the limit of the size of a file",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: _RIGHTS,
    errno.ENAMETOOLONG: "choose a folder with a shorter path",
    errno.EISDIR: "a folder lies in its place; remove that folder",
    errno.ENOTDIR: _FILE,
    errno.EEXIST: _FILE,
}


class InputError(ValueError):
    """The input cannot be used; one sentence names the file, the value and the remedy."""

    def __str__(self) -> str:
        """Return the sentence, with a blank for what cannot be printed: names hold anything."""
        return _printable(super().__str__())


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


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
        reason = " ".join(_printable(words).split())
        raise InputError(f"{fault} ({reason[:300]}); {remedy}") from None


def require_file(
    path: str | Path, what: str = "file", remedy: str = "correct the path"
) -> os.stat_result:
    """
    Return the status of a file, or raise if it is none that can be read.

    Parameters
    ----------
    path : str or Path
    what, remedy : str
        What the file should be, and what to do if it is not there, for the sentence.

    Returns
    -------
    status : os.stat_result

    Raises
    ------
    InputError
        If nothing is there, or a folder, a pipe, a device, a link to nothing or a file that may
        not be read.
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        if os.path.islink(path):
            target = os.readlink(path)
            raise InputError(
                f"{path} is a link to {target}, which is not there; mend or remove the link"
            ) from None
        raise InputError(f"there is no {what} {str(path) or repr('')}; {remedy}") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read ({reason}); {remedy}") from None
    if stat.S_ISDIR(status.st_mode):
        raise InputError(
            f"{path} is a folder where a file should be; name the {what} in it, or remove it"
        )
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path} is a pipe or a device; name another {what}")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} cannot be read (Permission denied); change its rights")
    return status


def unwritable(path: str | Path, error: OSError) -> InputError:
    """
    Error of a file that cannot be written.

    Parameters
    ----------
    path : str or Path
    error : OSError

    Returns
    -------
    error : InputError
    """
    reason = os.strerror(error.errno) if error.errno else str(error)
    remedy = REMEDIES.get(error.errno or 0, "check the disk and run again")
    return InputError(f"{path} cannot be written ({reason}); {remedy}")
