"""Maps of concepts, such as faces: their values, and their place behind an image."""

from collections.abc import Sequence

import numpy as np

from gaborscope.errors import InputError
from gaborscope.stimuli import geometry

LARGEST = 1e4  # regressors are kept in half precision, which ends at 65504


def checked(stored: np.ndarray, where: str, size: tuple[int, int]) -> np.ndarray:
    """
    Return the map of a concept on a stimulus, if it is one.

    Parameters
    ----------
    stored : real array (rows, columns)
    where : str
        Names the map in messages.
    size : (int, int)
        Height and width of its stimulus in px.

    Returns
    -------
    values : uint8, uint16 or float32 array (rows, columns)

    Raises
    ------
    InputError
        If it is no real array of two axes, a value is below 0, above `LARGEST` or not finite, or
        the map has another aspect than its stimulus: along one side a px or more is missing, or too
        much.
    """
    if stored.ndim != 2 or 0 in stored.shape or stored.dtype.kind not in "buif":
        raise InputError(
            f"{where} is a {stored.dtype} array of shape {stored.shape}; it must be real, of shape "
            "(height, width)"
        )
    rows, columns = stored.shape
    height, width = size
    if abs(rows - columns * height / width) >= 1 and abs(columns - rows * width / height) >= 1:
        raise InputError(
            f"{where} is {columns}x{rows} px and the stimulus {width}x{height}, which is another "
            "aspect; write the map at the size of its stimulus, or both sides smaller alike"
        )
    least, largest = float(stored.min()), float(stored.max())
    if not (least >= 0 and largest <= LARGEST):  # nan is neither
        worst = largest if least >= 0 else least
        raise InputError(
            f"{where} holds {worst:g}; values go from 0 (the concept is not there) to at most "
            f"{LARGEST:g}"
        )
    whole = stored.dtype.kind == "u" and stored.dtype.itemsize <= 2
    return stored.astype(stored.dtype.newbyteorder("=") if whole else np.float32)


def scaled(values: np.ndarray) -> np.ndarray:
    """
    Scale the values of a map: images of 8 or 16 bits from 0 to 1, all others as they are.

    A fit divides every regressor by its spread, so only the ratios of the values matter.

    Parameters
    ----------
    values : uint8, uint16 or float32 array (rows, columns)
        From `checked`.

    Returns
    -------
    values : float32 array (rows, columns)
    """
    if values.dtype.kind == "u":
        return values.astype(np.float32) / np.iinfo(values.dtype).max
    return values


def behind(image: np.ndarray, maps: Sequence[np.ndarray]) -> np.ndarray:
    """
    Put maps behind an image, each stretched to its size.

    Parameters
    ----------
    image : uint8 array (height, width, 3)
    maps : sequence of float32 array (rows, columns)

    Returns
    -------
    view : float32 array (height, width, 3 + maps)
        RGB from 0 to 255, then the maps.
    """
    view = np.empty((*image.shape[:2], 3 + len(maps)), np.float32)
    view[..., :3] = image
    for k, values in enumerate(maps):
        view[..., 3 + k] = geometry.resize(values, image.shape[:2])
    return view
