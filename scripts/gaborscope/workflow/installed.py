"""
One sentence instead of a traceback where the packages are not installed.

Scripts that people start by hand import this module before all others. Standard library alone.
"""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
NEEDED = ("numpy", "scipy", "cv2", "PIL", "h5py", "pyfftw", "torch", "matplotlib", "jinja2")


def sentence(missing: list[str]) -> str:
    """
    Say what is missing, and how it is installed.

    Parameters
    ----------
    missing : list of str
        Names of modules.

    Returns
    -------
    sentence : str
    """
    script = Path(sys.argv[0]).name
    return (
        f"{sys.executable} has no {', '.join(missing)}; run make install in {ROOT}, then "
        f".venv/bin/python scripts/{script}"
    )


_missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
if _missing:
    sys.exit(sentence(_missing))
