"""Axes of recorded tensors: recognised, brought to maps (n, channel, y, x), and back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from gaborscope.errors import InputError
from gaborscope.stimuli.layer import Layer

# One letter per axis of a recorded tensor.
LETTERS = {"n": "n", "c": "channel", "t": "time", "y": "y", "x": "x", "p": "patch"}
# Readings by number of axes, in the order in which they are tried. Frames may be merged with the
# batch: then "nt" is the first axis.
READINGS = {
    3: ("npc", "nyx", "pnc", "ncp", "ntyx", "ntpc"),
    4: ("ncyx", "nyxc", "ntyx", "ntcyx", "ntyxc", "ntpc", "ncxy", "nxyc"),
    5: ("nctyx", "ntcyx", "ntyxc"),
}
# Tokens before the patches that belong to no patch (class and register tokens), at most.
EXTRA = 8


class Seen(NamedTuple):
    """What the network sees: number of images, frames per image, height and width in px."""

    n: int
    frames: int
    size: tuple[int, int]

    @classmethod
    def of(cls, x: torch.Tensor) -> Seen:
        """
        Read it from a network's input.

        Parameters
        ----------
        x : tensor (n, 3, y, x) or (n, 3, time, y, x)

        Returns
        -------
        seen : Seen
        """
        frames = x.shape[2] if x.dim() == 5 else 1
        return cls(x.shape[0], frames, (x.shape[-2], x.shape[-1]))


@dataclasses.dataclass(frozen=True)
class Tap:
    """
    Where a layer is recorded, and how its tensor lies.

    Attributes
    ----------
    module : str
        Path of the module in the network.
    axes : str, optional
        One letter per axis: n (batch), c (channel), t (time), y, x, p (patch: the tokens of a
        transformer). None: recognised by the shape.
    time : {"mean", "last"} or int, optional
        What is taken of a time axis: the mean, or a frame (the first is 0).
    call : int, optional
        Which call of the module within one forward pass is recorded (the first is 0). None: the
        last.
    order : str, optional
        How tokens follow one another, see `token_order`. None: row by row.
    """

    module: str
    axes: str | None = None
    time: str | int | None = None
    call: int | None = None
    order: str | None = None

    @classmethod
    def of(cls, entry: str | Mapping[str, Any] | Layer | Tap) -> Tap:
        """
        Make a tap of an entry of a layer table, or of a measured layer.

        Parameters
        ----------
        entry : str, mapping, Layer or Tap
            The module path alone, or `module` with `axes`, `time` and `call`.

        Returns
        -------
        tap : Tap
        """
        if isinstance(entry, str):
            return cls(entry)
        if isinstance(entry, Mapping):
            return cls(**entry)
        tap = cls(**{field.name: getattr(entry, field.name) for field in dataclasses.fields(cls)})
        if isinstance(entry, Layer) and entry.axes is None:  # measured: no other reading, ever
            return dataclasses.replace(tap, axes="ncyx")
        return tap


def named(axes: str) -> str:
    """
    Return axes in words.

    Parameters
    ----------
    axes : str

    Returns
    -------
    words : str
        Such as "(n, y, x, channel)".
    """
    return f"({', '.join(LETTERS[letter] for letter in axes)})"


def grid_of_tokens(tokens: int, size: Sequence[int]) -> tuple[int, int] | None:
    """
    Return the grid of square patches that so many tokens make.

    Parameters
    ----------
    tokens : int
        Up to 8 of them may belong to no patch.
    size : (int, int)
        Height and width of the network's input in px.

    Returns
    -------
    grid : (int, int) or None
        Rows and columns. Of the patches that tile the input, the largest; else of those that leave
        a rest at its edge, which is cut off or padded (then one token, at most, has no patch).
    """

    def whole(extent, patch):
        return extent // patch if extent % patch == 0 else 0

    def begun(extent, patch):
        return -(-extent // patch)

    for count, extra in ((whole, EXTRA), (int.__floordiv__, 1), (begun, 1)):
        for over in range(extra + 1):
            for patch in range(min(size), 0, -1):
                grid = (count(size[0], patch), count(size[1], patch))
                if grid[0] * grid[1] == tokens - over > over:
                    return grid
    return None


def token_order(order: str | None, grid: tuple[int, int]) -> np.ndarray:
    """
    Return the number of the token of each cell.

    Parameters
    ----------
    order : str or None
        "rows" (or None), "columns"; "windows W": windows of W x W cells, row by row in each;
        "nested K": K levels of windows of 2 x 2 cells within one another; "unrolled K": the cells
        of equal place in their windows of 2 x 2 follow one another, K times (Hiera).
    grid : (int, int)
        Rows and columns.

    Returns
    -------
    index : int array (rows * columns,)
        By cell, row by row.

    Raises
    ------
    ValueError
        If the windows do not divide the grid.
    """
    kind, _, number = (order or "rows").partition(" ")
    if kind == "columns":
        return np.arange(math.prod(grid)).reshape(grid[::-1]).T.ravel()
    if kind == "rows":
        inner = []
    else:
        inner = [int(number)] if kind == "windows" else [2] * int(number)
    whole = math.prod(inner)
    if any(extent % whole for extent in grid):
        raise ValueError(f"windows of {whole} cells do not divide {grid[0]} x {grid[1]}")
    levels = [(grid[0] // whole, grid[1] // whole), *((side, side) for side in inner)]
    coarse_to_fine = range(len(levels))
    if kind == "unrolled":
        levels, coarse_to_fine = levels[::-1], coarse_to_fine[::-1]
    index = np.arange(math.prod(grid)).reshape([side for level in levels for side in level])
    axes = [2 * level + axis for axis in (0, 1) for level in coarse_to_fine]
    return index.transpose(axes).ravel()


def orders(grid: tuple[int, int]) -> list[str]:
    """
    Return the orders of tokens that a grid can have.

    Parameters
    ----------
    grid : (int, int)

    Returns
    -------
    names : list of str
        See `token_order`.
    """
    common = math.gcd(*grid)
    windows = [f"windows {side}" for side in range(2, common + 1) if common % side == 0]
    levels = [level for level in range(1, 8) if common % 2**level == 0]
    nested = [f"nested {level}" for level in levels if level > 1]
    return ["rows", "columns", *windows, *nested, *(f"unrolled {level}" for level in levels)]


def _fits(cells, size):
    """Whether rows and columns have about the aspect of the input."""
    strides = [extent / n for extent, n in zip(size, cells, strict=True)]
    if min(strides) < 0.45 or min(cells) < 2:
        return False
    near = [abs(n - extent / stride) <= 1 for n, extent, stride in
            zip(cells, size, strides[::-1], strict=True)]  # fmt: skip
    return max(strides) <= 1.15 * min(strides) or any(near)


def _extents(axes, shape, seen):
    """Extent by letter, of a tensor that is read in this way; None where it cannot be."""
    if len(axes) == len(shape) + 1 and axes[:2] == "nt":
        if seen.frames == 1 or shape[0] % seen.n:
            return None
        shape = (seen.n, shape[0] // seen.n, *shape[1:])
    if len(axes) != len(shape):
        return None
    extents = dict(zip(axes, shape, strict=True))
    return extents if extents["n"] == seen.n else None


def readings(shape: Sequence[int], seen: Seen) -> Iterator[str]:
    """
    Yield the axes that a tensor of this shape may have, the likeliest first.

    A grid has about the aspect of the input. Only (n, channel, y, x) may have another, as strides
    along y and x may differ; it comes before those whose grid is turned.

    Parameters
    ----------
    shape : sequence of int
    seen : Seen

    Yields
    ------
    axes : str
    """
    for axes in READINGS.get(len(shape), ()):
        extents = _extents(axes, shape, seen)
        if extents is None:
            continue
        if axes == "ncxy" and min(shape[2:]) > 1 and not _fits(shape[2:], seen.size):
            yield "ncyx"
        if extents.get("t", 1) > seen.frames:
            continue
        if "p" in axes:
            grid = grid_of_tokens(extents["p"], seen.size)
            # a class token comes with tokens (n, patch, channel) alone
            fits = grid is not None and (axes != "ncp" or math.prod(grid) == extents["p"])
        else:
            fits = _fits((extents["y"], extents["x"]), seen.size)
        if fits:
            yield axes


def recognised(tap: Tap, shape: Sequence[int], seen: Seen) -> Tap:
    """
    Return the tap with its axes.

    Parameters
    ----------
    tap : Tap
    shape : sequence of int
        Of the recorded tensor.
    seen : Seen

    Returns
    -------
    tap : Tap
        With the axes of the config, else those that the shape speaks for.

    Raises
    ------
    InputError
        If the tensor has not the axes of the config, or none that can be read.
    """
    where, shape = f"{tap.module or 'the output'}", tuple(shape)
    if tap.axes is not None:
        if _extents(tap.axes, shape, seen) is None:
            raise InputError(
                f"{where} gives the shape {shape} for {seen.n} images, which is not axes: "
                f"{tap.axes}, {named(tap.axes)}"
            )
        return tap
    axes = next(readings(shape, seen), None)
    if axes is None and len(shape) == 4 and shape[0] == seen.n:
        axes = "ncyx"
    if axes is None:
        raise InputError(
            f"{where} gives the shape {shape} for {seen.n} images; choose a module that gives "
            "(n, channel, y, x), or tokens (n, token, channel) that tile the input, or say its "
            "axes, such as {module: ..., axes: nyxc}"
        )
    return dataclasses.replace(tap, axes=axes)


def _view(tensor, tap, seen):
    """View of a tensor as (n, c, t, y, x), or as (n, c, t, token) of the tokens with a patch."""
    axes = tap.axes
    if len(axes) == tensor.dim() + 1:
        tensor = tensor.unflatten(0, (seen.n, -1))
    for axis, letter in enumerate("nct"):
        if letter not in axes:
            tensor, axes = tensor.unsqueeze(axis), axes[:axis] + letter + axes[axis:]
    order = "nctp" if "p" in axes else "nctyx"
    return tensor.permute([axes.index(letter) for letter in order])


def _patches(view, tap, seen):
    """Grid of tokens, how many of them belong to no patch, and the token of each cell."""
    grid = grid_of_tokens(view.shape[3], seen.size)
    if grid is None:
        raise InputError(
            f"{tap.module} gives {view.shape[3]} tokens, which are no grid of square patches of "
            f"an input of {seen.size[0]} x {seen.size[1]} px; choose another module"
        )
    index = torch.from_numpy(token_order(tap.order, grid)).to(view.device)
    return grid, index + view.shape[3] - grid[0] * grid[1]


def _frame(tap, frames):
    """Return the number of the frame that is taken; None: their mean."""
    if frames == 1:
        return 0
    if tap.time is None:
        raise InputError(
            f"{tap.module or 'the output'} has {frames} frames; say which is explained at its "
            f"layer: {{module: {tap.module}, time: mean}}, or time: last, or a number from 0 to "
            f"{frames - 1}"
        )
    if tap.time == "mean":
        return None
    number = frames - 1 if tap.time == "last" else int(tap.time)
    if not 0 <= number < frames:
        raise InputError(
            f"{tap.module or 'the output'} has {frames} frames, so time: {number} does not exist; "
            f"set mean, last or a number from 0 to {frames - 1}"
        )
    return number


def as_maps(tensor: torch.Tensor, tap: Tap, seen: Seen) -> torch.Tensor:
    """
    Bring a recorded tensor to maps.

    Parameters
    ----------
    tensor : tensor
    tap : Tap
        With axes.
    seen : Seen

    Returns
    -------
    maps : tensor (n, channel, y, x)

    Raises
    ------
    InputError
        If there are several frames and none is chosen, or tokens make no grid.
    """
    if tap.axes == "ncyx":
        return tensor
    view = _view(tensor, tap, seen)
    frame = _frame(tap, view.shape[2])
    maps = view.mean(2) if frame is None else view[:, :, frame]
    if maps.dim() == 4:
        return maps
    grid, index = _patches(view, tap, seen)
    return maps[..., index].unflatten(2, grid)


def put_back(tensor: torch.Tensor, maps: torch.Tensor, tap: Tap, seen: Seen) -> torch.Tensor:
    """
    Put maps in the place of those that `as_maps` takes of a tensor.

    Parameters
    ----------
    tensor : tensor
        Output of a module.
    maps : tensor (n, channel, y, x)
    tap : Tap
        With axes.
    seen : Seen

    Returns
    -------
    replaced : tensor
        A copy. Other frames, and tokens without a patch, stay. Where maps are means over time,
        each frame is shifted by the change of the mean.
    """
    maps = maps.to(tensor.dtype)
    if tap.axes == "ncyx":
        return maps
    replaced = tensor.clone(memory_format=torch.contiguous_format)
    view = _view(replaced, tap, seen)
    frame = _frame(tap, view.shape[2])
    if frame is None:
        maps = (maps - as_maps(tensor, tap, seen))[:, :, None]
        frame = slice(None)
    if view.dim() == 5:
        view[:, :, frame] = view[:, :, frame] + maps if isinstance(frame, slice) else maps
        return replaced
    _, index = _patches(view, tap, seen)
    maps = maps.flatten(-2)
    if isinstance(frame, slice):
        maps = maps + view[..., index]
    view[:, :, frame, index] = maps
    return replaced
