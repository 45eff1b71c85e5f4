"""A recorded layer of a network: where its cells lie, what it is, how it is sampled."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from gaborscope.errors import InputError
from gaborscope.stimuli.geometry import Box, Grid, Placement, size_name


class Sampling(NamedTuple):
    """
    Where the regressors of a layer are taken, and how they are pooled to it.

    Attributes
    ----------
    grid : geometry.Grid
        Cells of the layer.
    pool : {"point", "box", "gaussian"}
        See `geometry.sampling_matrix`.
    width : float
        Width of the window in px of the network's input.
    """

    grid: Grid
    pool: str
    width: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layer:
    """
    One recorded layer of a network.

    In pairs of numbers, the first is along y, the second along x. Strides and offsets
    belong to the recorded cells, after averaging (`pool`).

    Attributes
    ----------
    module : str
        Path of the module in the network.
    nonlinearity : {"none", "relu", "relu6"}
        Nonlinearity behind the recorded maps: for a rectifier, its input is recorded.
    channels : int
    shape : mapping of str to (int, int)
        Rows and columns of recorded cells, by the name of the input size ("240x320").
    pool : int
        Cells of the network per side of a recorded one, which is their mean.
    stride : (float, float)
        Distance of neighbouring cells in px of the network's input.
    centre : {"measured", "tiled"}, optional
        Whether `offset_px` was measured, or cells are taken to tile the input. None in older files.
    offset_px : (float, float)
        Centre of cell (0, 0) in px of the input.
    offset_measured_px : (float, float), optional
        As measured, of the network's cells before averaging. None in older files.
    offset_spread_px : (float, float)
        Standard deviation of the measured offset over cells, px.
    receptive_field_px : (float, float)
        Width of a box of the same variance as the squared gradient, px.
    name : str, optional
        Name of the layer in the config. None if the name is the key of a table.
    box : mapping, optional
        `input` of the network's config; only in the files of a direct explanation.
    passed : str, optional
        Nonlinearity of the network's layer where its output is fitted (`nonlinearity` is "none").
    axes, time, call, order : optional
        How the recorded tensor lies in the network, see `backbones.layouts.Tap`. Axes are None for
        (n, channel, y, x).
    """

    module: str
    nonlinearity: str
    channels: int
    shape: Mapping[str, tuple[int, int]]
    pool: int
    stride: tuple[float, float]
    centre: str | None = None
    offset_px: tuple[float, float]
    offset_measured_px: tuple[float, float] | None = None
    offset_spread_px: tuple[float, float]
    receptive_field_px: tuple[float, float]
    name: str | None = None
    box: Mapping[str, Any] | None = None
    passed: str | None = None
    axes: str | None = None
    time: str | int | None = None
    call: int | None = None
    order: str | None = None

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """
        Make a layer from the mapping that a file holds.

        Parameters
        ----------
        entry : mapping
            Mapping from `to_json`, read back.

        Returns
        -------
        layer : Layer
        """
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()
        }
        values["shape"] = {size: tuple(extent) for size, extent in entry["shape"].items()}
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """
        Return the layer as the mapping that files hold.

        Returns
        -------
        entry : dict
            Fields in their order, without fields that are None.
        """
        fields = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self))
        return {name: value for name, value in fields if value is not None}

    @property
    def input_box(self) -> Box:
        """
        Input box of the layer's network.

        Raises
        ------
        ValueError
            If the layer does not hold it.
        """
        if self.box is None:
            raise ValueError(f"layer {self.name or self.module} does not hold its network's input")
        return Box.of(self.box)

    def grid(self, placement: Placement) -> Grid:
        """
        Lattice of the layer's cells.

        Measured offsets are rounded to half a px: in a network they are multiples of it, and layers
        of equal grids then share their regressors.

        Parameters
        ----------
        placement : geometry.Placement

        Returns
        -------
        grid : geometry.Grid

        Raises
        ------
        InputError
            If the network did not take an input of this size when its layers were measured.
        """
        first, second = self.offset_px
        size = size_name(placement.input_size)
        if size not in self.shape:
            raise InputError(
                f"layer {self.name or self.module} has no grid for an input of {size} px, which "
                "the network did not take; set input.orientation: landscape"
            )
        return Grid(
            shape=self.shape[size],
            stride=self.stride,
            offset=(round(2 * first) / 2, round(2 * second) / 2),
        )
