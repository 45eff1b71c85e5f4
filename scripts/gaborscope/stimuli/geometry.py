"""Where things lie: the network's input box, the content in it, and the grids of the layers."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np


class Box(NamedTuple):
    """
    Input of a network; a plain (height, width) stands for one that pads.

    Attributes
    ----------
    height, width : int
        For landscape stimuli, px.
    fit : {"pad", "nearest"}
        `pad`: a stimulus keeps its aspect, what is left of the box is padded. `nearest`: it is
        stretched to the size of about the box's area whose aspect is nearest to its own, as
        UNISAL's authors do; nothing is padded.
    multiple : int
        Of which sides of `nearest` are multiples.
    """

    height: int
    width: int
    fit: str = "pad"
    multiple: int = 1

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Box:
        """
        Box of a config's `input`.

        Parameters
        ----------
        entry : dict

        Returns
        -------
        box : Box
        """
        return cls(**{key: entry[key] for key in cls._fields if key in entry})

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """All input sizes that stimuli may get, that of the box first."""
        if self.fit == "pad":
            return list(dict.fromkeys([(self.height, self.width), (self.width, self.height)]))
        # 9 x 12 cells of 32 px give the 15 sizes of 7..13 by 7..13 cells with 100..120 of them
        rows, columns = self.height // self.multiple, self.width // self.multiple
        area, low, high = rows * columns, min(rows, columns), max(rows, columns)
        sides = range(max(1, round(7 / 9 * low)), round(13 / 12 * high) + 1)
        found = [
            (a * self.multiple, b * self.multiple)
            for a in sides
            for b in sides
            if 100 * area <= 108 * a * b <= 120 * area
        ]
        return list(dict.fromkeys([(self.height, self.width), *found]))


@dataclasses.dataclass(frozen=True)
class Placement:
    """
    Where a stimulus lies in a network's input.

    Attributes
    ----------
    input_size : (int, int)
        Height and width of the input in px.
    top, left : int
        First row and column of the content.
    height, width : int
        Size of the content, the resized stimulus without padding, in px.
    """

    input_size: tuple[int, int]
    top: int
    left: int
    height: int
    width: int

    @property
    def valid(self) -> tuple[int, int, int, int]:
        """Box of the content, (top, left, height, width)."""
        return (self.top, self.left, self.height, self.width)


def place(size: Sequence[int] | np.ndarray, box: Box | tuple[int, int]) -> Placement:
    """
    Placement of a stimulus in an input box: as large as fits, aspect kept, centred.

    A portrait stimulus is put into the box turned upright, so that it loses no resolution. A box
    that fits `nearest` is filled instead.

    Parameters
    ----------
    size : (int, int)
        Height and width of the stimulus in px.
    box : Box or (int, int)
        Height and width of the input for landscape stimuli in px.

    Returns
    -------
    placement : Placement
    """
    height, width = (int(extent) for extent in size)
    box = Box(*box)
    if box.fit == "nearest":
        own = width / height
        aspects = {size: size[1] / size[0] for size in box.sizes}
        nearest = max(aspects, key=lambda s: min(aspects[s], own) / max(aspects[s], own))
        return Placement(nearest, 0, 0, *nearest)
    short, long = sorted(box[:2])
    landscape = (long, short) if height > width else (short, long)
    ratio = min(landscape[0] / height, landscape[1] / width)
    content = (
        min(max(1, round(height * ratio)), landscape[0]),
        min(max(1, round(width * ratio)), landscape[1]),
    )
    top, left = ((b - c) // 2 for b, c in zip(landscape, content, strict=True))
    return Placement(landscape, top, left, *content)


def enlargement(sizes: np.ndarray, box: Box) -> float:
    """
    Median px of the stimulus per px of the network's input.

    Parameters
    ----------
    sizes : int array (S, 2)
        Height and width of the stimuli.
    box : Box

    Returns
    -------
    ratio : float
    """
    return 1 / float(np.median([place(size, box).width / size[1] for size in sizes]))


def group_by_input(
    sizes: np.ndarray, box: Box | tuple[int, int]
) -> dict[tuple[int, int], list[tuple[int, Placement]]]:
    """
    Stimuli by the input size they need.

    Parameters
    ----------
    sizes : int array (S, 2)
        Height and width of each stimulus in px.
    box : Box or (int, int)

    Returns
    -------
    groups : dict of (int, int) to list of (int, Placement)
        Input size to the indices and placements of its stimuli.
    """
    groups = {}
    for index, size in enumerate(sizes):
        placement = place(size, box)
        groups.setdefault(placement.input_size, []).append((index, placement))
    return groups


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """
    Image at another size: area average where it shrinks, bilinear where it grows.

    Parameters
    ----------
    image : uint8 array (height, width, 3)
    size : (int, int)
        Target height and width in px.

    Returns
    -------
    resized : uint8 array (size, 3)
    """
    if tuple(image.shape[:2]) == tuple(size):
        return image
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (size[1], size[0]), interpolation=method)


def content(image: np.ndarray, placement: Placement) -> np.ndarray:
    """
    Stimulus at the size of its content.

    Parameters
    ----------
    image : uint8 array (height, width, 3)
    placement : Placement

    Returns
    -------
    content : uint8 array (placement.height, placement.width, 3)
    """
    return resize(image, (placement.height, placement.width))


@dataclasses.dataclass(frozen=True)
class Grid:
    """
    Lattice of a layer's cells in px of the network's input.

    The centre of cell (i, j) lies at pixel index `(offset_y + stride_y i, offset_x + stride_x j)`,
    pixel centres being integers.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of cells.
    stride : (float, float)
        Distance of neighbouring cells in px, y and x.
    offset : (float, float)
        Centre of cell (0, 0), y and x.
    """

    shape: tuple[int, int]
    stride: tuple[float, float]
    offset: tuple[float, float]

    def cells(self, placement: Placement) -> tuple[slice, slice]:
        """
        Cells whose centre lies in the content; the nearest one where there is none.

        Parameters
        ----------
        placement : Placement

        Returns
        -------
        rows, columns : slice
        """
        spans = zip(
            self.shape,
            self.stride,
            self.offset,
            (placement.top, placement.left),
            (placement.height, placement.width),
            strict=True,
        )
        found = []
        for n, stride, offset, first, extent in spans:
            centres = offset + stride * np.arange(n)
            inside = np.flatnonzero((centres >= first - 0.5) & (centres < first + extent - 0.5))
            if not inside.size:  # a strip thinner than a cell
                inside = np.array([np.abs(centres - (first + (extent - 1) / 2)).argmin()])
            found.append(slice(int(inside[0]), int(inside[-1]) + 1))
        rows, columns = found
        return rows, columns


def pooled_shape(shape: Sequence[int], factor: int) -> tuple[int, int]:
    """
    Rows and columns after averaging cells `factor` by `factor` (a last partial cell is kept).

    Parameters
    ----------
    shape : (int, int)
    factor : int

    Returns
    -------
    shape : (int, int)
    """
    rows, columns = (-(-extent // factor) for extent in shape)
    return rows, columns


@functools.lru_cache(maxsize=256)
def sampling_matrix(
    n_pixels: int, centres: tuple[float, ...], pool: str, width: float
) -> np.ndarray:
    """
    Weights that sample a line of pixels at given centres.

    Parameters
    ----------
    n_pixels : int
        Length of the line; pixel centres are 0 .. n_pixels - 1.
    centres : tuple of float
        Sampled positions in px.
    pool : {"point", "box", "gaussian"}
        Linear interpolation; mean over a window; Gaussian mean of the same standard deviation as
        the window, `width / sqrt(12)`. A window that leaves the line is cut and renormalised.
    width : float
        Width of the window in px; unused for `point`.

    Returns
    -------
    matrix : float32 array (centre, pixel)
        Rows sum to 1.

    Raises
    ------
    ValueError
        If `pool` is unknown.
    """
    pixels = np.arange(n_pixels)
    centre = np.clip(np.asarray(centres, dtype=float), 0, n_pixels - 1)[:, None]
    distance = np.abs(pixels[None, :] - centre)
    if pool == "point":
        matrix = np.maximum(1 - distance, 0.0)
    elif pool == "box":
        width = max(width, 1.0)
        matrix = np.clip((width + 1) / 2 - distance, 0, 1)
    elif pool == "gaussian":
        return gaussian_matrix(pixels, centre[:, 0], max(deviation(width), 1e-2))
    else:
        raise ValueError(f"pool must be point, box or gaussian, got {pool!r}")
    return (matrix / matrix.sum(axis=1, keepdims=True)).astype(np.float32)


def deviation(width: float) -> float:
    """
    Return the standard deviation of the Gaussian that pools over a window.

    Parameters
    ----------
    width : float
        Of the window in px.

    Returns
    -------
    deviation : float
        That of a box of this width, px.
    """
    return width / 12**0.5


def gaussian_matrix(positions: np.ndarray, centres: np.ndarray, deviation: float) -> np.ndarray:
    """
    Weights of Gaussian means over points.

    Parameters
    ----------
    positions : float array (point,)
        Where the points lie.
    centres : float array (centre,)
    deviation : float
        Standard deviation, positive.

    Returns
    -------
    matrix : float32 array (centre, point)
        Rows sum to 1; a window is cut where the points end.
    """
    distance = np.asarray(positions)[None, :] - np.asarray(centres)[:, None]
    # the nearest point weighs 1 before rows are scaled: of a narrow window all are small
    exponent = -(distance**2) / (2 * deviation**2)
    matrix = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    matrix[matrix < 1e-7] = 0  # denormal numbers slow a product down tenfold
    return (matrix / matrix.sum(axis=1, keepdims=True)).astype(np.float32)


def layer_sampling(
    grid: Grid, placement: Placement, pool: str, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the sampling matrices from the content's pixels to the valid cells of a layer.

    Parameters
    ----------
    grid : Grid
    placement : Placement
    pool, width
        See `sampling_matrix`.

    Returns
    -------
    along_y : float32 array (row, placement.height)
    along_x : float32 array (column, placement.width)
    """
    rows, columns = grid.cells(placement)
    matrices = []
    for cells, axis, first, extent in (
        (rows, 0, placement.top, placement.height),
        (columns, 1, placement.left, placement.width),
    ):
        centres = grid.offset[axis] + grid.stride[axis] * np.arange(cells.start, cells.stop) - first
        matrices.append(sampling_matrix(extent, tuple(centres.tolist()), pool, float(width)))
    along_y, along_x = matrices
    return along_y, along_x


def size_name(size: tuple[int, int]) -> str:
    """
    Name of an input size, as it names HDF5 groups.

    Parameters
    ----------
    size : (int, int)
        Height and width.

    Returns
    -------
    name : str
        Such as "240x320".
    """
    return f"{size[0]}x{size[1]}"
