"""Resize stimuli to the input of a network, as the authors of the network do."""

import functools

import numpy as np
from PIL import Image

from gaborscope.stimuli import geometry

KINDS = ("area", "lanczos", "tensorflow")
BICUBIC = -0.75  # coefficient of the cubic kernel of TensorFlow 1
STEPS = 1024  # TensorFlow 1 rounds positions between two pixels to 1 / STEPS


def resize(image: np.ndarray, size: tuple[int, int], kind: str) -> np.ndarray:
    """
    Resize an image.

    Parameters
    ----------
    image : uint8 array (height, width, 3)
    size : (int, int)
        Target height and width in px.
    kind : {"area", "lanczos", "tensorflow"}
        `area`: `geometry.resize`, which averages to shrink and interpolates bilinearly to enlarge.
        `lanczos`: the filter of Pillow, as in the training of UNISAL.
        `tensorflow`: as in the training of MSI-Net. If a side shrinks, it is the area average of
        TensorFlow 1 with aligned corners, otherwise its bicubic interpolation. Values are clipped
        to 0..255 and not rounded. It differs from OpenCV's area average by up to 77 levels.

    Returns
    -------
    resized : uint8 array (size, 3), or float32 for kind `tensorflow`

    Raises
    ------
    ValueError
        If the kind is unknown.
    """
    size = int(size[0]), int(size[1])
    if kind == "area":
        return geometry.resize(image, size)
    if kind == "lanczos":
        resized = Image.fromarray(image).resize(size[::-1], Image.Resampling.LANCZOS)
        return np.asarray(resized)
    if kind != "tensorflow":
        raise ValueError(f"resize must be one of {', '.join(KINDS)}, got {kind!r}")
    shrinks = image.shape[0] > size[0] or image.shape[1] > size[1]
    matrix = _area if shrinks else _bicubic
    weights = [matrix(n, wanted) for n, wanted in zip(image.shape[:2], size, strict=True)]
    resized = np.einsum("yi,ijc->yjc", weights[0], image.astype(np.float32), optimize=True)
    resized = np.einsum("xj,yjc->yxc", weights[1], resized, optimize=True)
    return np.clip(resized, 0, 255, dtype=np.float32)


def _scale(n, wanted):
    """Pixels per target pixel; the centres of the first and of the last pixels are aligned."""
    return (n - 1) / (wanted - 1) if wanted > 1 else n / wanted


@functools.lru_cache(maxsize=256)
def _area(n, wanted):
    """Weights (wanted, n) of TensorFlow 1's area average; the last pixel is repeated."""
    scale = np.float32(_scale(n, wanted))
    first = (np.arange(wanted, dtype=np.float32) * scale)[:, None]
    last = ((np.arange(wanted, dtype=np.float32) + 1) * scale)[:, None]
    pixels = np.arange(n + int(np.ceil(scale)) + 1)
    overlap = np.clip(np.minimum(pixels + 1, last) - np.maximum(pixels, first), 0, None)
    matrix = overlap[:, :n].copy()
    matrix[:, -1] += overlap[:, n:].sum(axis=1)
    return (matrix / scale).astype(np.float32)


@functools.lru_cache(maxsize=256)
def _bicubic(n, wanted):
    """Weights (wanted, n) of TensorFlow 1's cubic interpolation; border pixels are repeated."""
    place = np.arange(wanted, dtype=np.float32) * np.float32(_scale(n, wanted))
    base = np.floor(place).astype(int)
    between = np.rint((place - base) * STEPS) / STEPS
    matrix = np.zeros((wanted, n))
    for tap in range(-1, 3):
        distance = np.abs(between - tap)
        near = ((BICUBIC + 2) * distance - (BICUBIC + 3)) * distance**2 + 1
        far = BICUBIC * (((distance - 5) * distance + 8) * distance - 4)
        weight = np.where(distance <= 1, near, np.where(distance < 2, far, 0))
        np.add.at(matrix, (np.arange(wanted), np.clip(base + tap, 0, n - 1)), weight)
    return matrix.astype(np.float32)
