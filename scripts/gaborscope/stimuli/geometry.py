"""Positions in a network's input: the input box, the content in it, the grids of the layers."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np


class Box(NamedTuple):
    """
    Size of a network's input; a plain (height, width) is read as a box that pads.

    Attributes
    ----------
    height, width : int
        Size for landscape stimuli in px.
    fit : {"pad", "nearest"}
        `pad`: a stimulus keeps its aspect and the rest of the box is padded. `nearest`: a stimulus
        is stretched to one of several sizes with about the area of the box, the one whose aspect
        is nearest to the stimulus's. Nothing is padded then. UNISAL's authors do so.
    multiple : int
        With `nearest`, sides are multiples of this number of px.
    orientation : {"follow", "landscape"}
        `follow`: height and width are exchanged for portrait stimuli. `landscape`: the box stays as
        it is, for networks of one size; with `nearest`, no size is higher than wide.
    """

    height: int
    width: int
    fit: str = "pad"
    multiple: int = 1
    orientation: str = "follow"

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Box:
        """
        Box that a config's `input` describes.

        Parameters
        ----------
        entry : dict

        Returns
        -------
        box : Box
        """
        return cls(**{key: entry[key] for key in cls._fields if key in entry})

    @property
    def turns(self) -> bool:
        """Whether height and width are exchanged for portrait stimuli."""
        return self.orientation == "follow"

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """All input sizes that stimuli may get; the size of the box comes first."""
        if self.fit == "pad":
            sizes = [(self.height, self.width), (self.width, self.height)]
            return list(dict.fromkeys(sizes[: 1 + self.turns]))
        # a box of 9 x 12 cells gives 15 sizes: sides of 7..13 cells, 100..120 cells in all
        rows, columns = self.height // self.multiple, self.width // self.multiple
        area, low, high = rows * columns, min(rows, columns), max(rows, columns)
        sides = range(max(1, round(7 / 9 * low)), round(13 / 12 * high) + 1)
        stretched = [
            (a * self.multiple, b * self.multiple)
            for a in sides
            for b in sides
            if 100 * area <= 108 * a * b <= 120 * area and (self.turns or a <= b)
        ]
        return list(dict.fromkeys([(self.height, self.width), *stretched]))


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

    For a portrait stimulus height and width of the box are exchanged, so that it loses no
    resolution, unless the box has the orientation `landscape`. A box that fits `nearest` is filled,
    and the aspect may change.

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
        aspect = width / height
        aspects = {size: size[1] / size[0] for size in box.sizes}
        nearest = max(aspects, key=lambda s: min(aspects[s], aspect) / max(aspects[s], aspect))
        return Placement(nearest, 0, 0, *nearest)
    short, long = sorted(box[:2])
    whole = (long, short) if height > width else (short, long)
    if not box.turns:
        whole = (box.height, box.width)
    ratio = min(whole[0] / height, whole[1] / width)
    content = (
        min(max(1, round(height * ratio)), whole[0]),
        min(max(1, round(width * ratio)), whole[1]),
    )
    top, left = ((b - c) // 2 for b, c in zip(whole, content, strict=True))
    return Placement(whole, top, left, *content)


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
    Stimulus resized to the size of its content.

    Parameters
    ----------
    image : uint8 array (height, width, 3), or float32 array (height, width, 3 + maps)
        As `StimulusBlock.view` returns it: behind RGB there may be maps of concepts.
    placement : Placement

    Returns
    -------
    content : array of the same type (placement.height, placement.width, 3 or 3 + maps)
    """
    size = (placement.height, placement.width)
    if image.shape[2] == 3:
        return resize(image, size)
    rgb = resize(image[..., :3].astype(np.uint8), size)
    maps = [resize(np.ascontiguousarray(image[..., k]), size) for k in range(3, image.shape[2])]
    return np.dstack([rgb, *maps]).astype(np.float32, copy=False)


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
        Cells whose centre lies in the content, or the nearest cell if there is none.

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
        slices = []
        for n, stride, offset, first, extent in spans:
            centres = offset + stride * np.arange(n)
            inside = np.flatnonzero((centres >= first - 0.5) & (centres < first + extent - 0.5))
            if not inside.size:  # the content is thinner than a cell
                inside = np.array([np.abs(centres - (first + (extent - 1) / 2)).argmin()])
            slices.append(slice(int(inside[0]), int(inside[-1]) + 1))
        rows, columns = slices
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
        `point`: linear interpolation. `box`: mean over a window. `gaussian`: Gaussian mean with
        the standard deviation of that window, `width / sqrt(12)`. A window that leaves the line is
        cut and renormalised.
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
        Width of the window in px.

    Returns
    -------
    deviation : float
        Standard deviation of a box of this width in px.
    """
    return width / 12**0.5


def box_width(deviation: float) -> float:
    """Return the width in px of the box whose standard deviation this is, see `deviation`."""
    return deviation * 12**0.5


def gaussian_matrix(positions: np.ndarray, centres: np.ndarray, deviation: float) -> np.ndarray:
    """
    Weights of Gaussian means over points.

    Parameters
    ----------
    positions : float array (point,)
        Positions of the points.
    centres : float array (centre,)
    deviation : float
        Standard deviation, positive.

    Returns
    -------
    matrix : float32 array (centre, point)
        Rows sum to 1; a window is cut at the outermost points.
    """
    distance = np.asarray(positions)[None, :] - np.asarray(centres)[:, None]
    # scaled so that the nearest point weighs 1: else all weights of a narrow window underflow
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
    Name of an input size, used for HDF5 groups.

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
