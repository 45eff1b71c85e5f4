"""Tables of layers as JSON, their maps (activations and reconstructions) as HDF5 files."""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from gaborscope.errors import InputError
from gaborscope.stimuli import geometry
from gaborscope.stimuli.layer import Layer
from gaborscope.store.files import create, open_file, put, read_row
from gaborscope.store.tables import read_json, write_json

log = logging.getLogger(__name__)


def write_layer_table(path: str | Path, layers: Mapping[str, Layer]) -> None:
    """
    Write the layers of a network, `results/layers/{model}.json`.

    Parameters
    ----------
    path : str or Path
    layers : dict of str to Layer
        By alias.
    """
    write_json(path, {name: layer.to_json() for name, layer in layers.items()})


def read_layer_table(path: str | Path) -> dict[str, Layer]:
    """
    Read the layers of a network.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    layers : dict of str to Layer
        By alias.
    """
    entries = read_json(path)
    return {name: Layer.from_json(entry) for name, entry in entries.items()}


class LayerWriter:
    """
    Writes maps of layers stimulus by stimulus, grouped by input size.

    Parameters
    ----------
    path : str or Path
    groups : dict of (int, int) to list of (int, geometry.Placement)
        From `geometry.group_by_input`.
    layers : dict of str to Layer
    origin : dict
    names : sequence of str, optional
        Stimuli of the block, for messages.
    """

    def __init__(
        self,
        path: str | Path,
        groups: Mapping[tuple[int, int], Sequence[tuple[int, geometry.Placement]]],
        layers: Mapping[str, Layer],
        origin: Mapping[str, Any],
        names: Sequence[str] = (),
    ) -> None:
        self._names = names
        self._stack = contextlib.ExitStack()
        self._arguments = (path, groups, layers, origin)
        self._rows = {
            index: (geometry.size_name(size), row)
            for size, group in groups.items()
            for row, (index, _) in enumerate(group)
        }

    def __enter__(self) -> Self:
        """Create the file and its datasets."""
        path, groups, layers, origin = self._arguments
        self._file = self._stack.enter_context(create(path, "activations", origin))
        for size, members in sorted(groups.items()):
            index, placements = zip(*members, strict=True)
            valid = [placement.valid for placement in placements]
            group = self._file.create_group(geometry.size_name(size))
            put(group, "stimulus", index, "stimulus", "index in the block", np.int32)
            put(group, "valid", valid, "stimulus, (top, left, height, width)", "px", np.int32)
            for name, layer in layers.items():
                _create_layer(group, name, layer, len(index))
        return self

    def __exit__(self, *error: Any) -> bool | None:
        """Finish the file, or remove it after an error."""
        return self._stack.__exit__(*error)

    def put(self, index: int, layer: str, maps: np.ndarray) -> None:
        """
        Write the maps of one stimulus.

        Parameters
        ----------
        index : int
            Number of the stimulus in the block.
        layer : str
        maps : float array (channel, y, x)

        Raises
        ------
        InputError
            If a value is not finite.
        """
        largest = np.abs(maps).max(initial=0)
        if not largest <= np.finfo(np.float32).max:
            whose = f" of {self._names[index]}" if self._names else ""
            raise InputError(
                f"layer {layer}: an activation{whose} is {largest:.3g}; check the weights and "
                "input.range"
            )
        size, row = self._rows[index]
        group = self._file[size]
        if largest > np.finfo(np.float16).max and group[layer].dtype == np.float16:
            log.info(
                "layer %s: an activation is %.3g, beyond float16 (65504); its maps of %s px are "
                "written as float32", layer, largest, size,
            )  # fmt: skip
            _widen(group, layer)
        group[layer][row] = maps.astype(group[layer].dtype)

    def put_batch(self, index: Sequence[int], layer: str, maps: np.ndarray) -> None:
        """
        Write the maps of several stimuli.

        Parameters
        ----------
        index : sequence of int
            Numbers of the stimuli in the block.
        layer : str
        maps : float array (n, channel, y, x)
        """
        for stimulus, values in zip(index, maps, strict=True):
            self.put(stimulus, layer, values)


def _widen(group, name):
    """Replace the maps of a layer by a float32 copy."""
    attributes, chunks, maps = dict(group[name].attrs), group[name].chunks, group[name][()]
    del group[name]
    dataset = group.create_dataset(name, data=maps.astype(np.float32), chunks=chunks)
    dataset.attrs.update(attributes)


def _create_layer(group, name, layer, n):
    shape = (layer.channels, *layer.shape[group.name.strip("/")])
    dataset = group.create_dataset(name, (n, *shape), np.float16, chunks=(1, *shape))
    dataset.attrs["axes"] = "stimulus, channel, y, x"
    dataset.attrs["unit"] = "activation"
    for key in ("module", "nonlinearity"):
        dataset.attrs[key] = getattr(layer, key)
    for key in ("stride", "offset_px", "receptive_field_px"):
        dataset.attrs[key] = np.asarray(getattr(layer, key), dtype=float)


def read_layers(
    path: str | Path, layers: Sequence[str]
) -> Iterator[tuple[int, tuple[int, int, int, int], tuple[int, int], dict[str, np.ndarray]]]:
    """
    Iterate over the stimuli of an activation or reconstruction file.

    Parameters
    ----------
    path : str or Path
    layers : sequence of str

    Yields
    ------
    index : int
        Number of the stimulus in its block.
    valid : (int, int, int, int)
        Top, left, height, width of the content in px.
    size : (int, int)
        Input size.
    maps : dict of str to float32 array (channel, y, x)
    """
    with open_file(path, "activations") as file:
        for name in sorted(file):
            group = file[name]
            height, width = (int(extent) for extent in name.split("x"))
            for row, index in enumerate(group["stimulus"][()]):
                top, left, rows, columns = (int(v) for v in group["valid"][row])
                maps = {
                    layer: read_row(file, f"{name}/{layer}", row).astype(np.float32)
                    for layer in layers
                }
                yield int(index), (top, left, rows, columns), (height, width), maps


def layer_names(path: str | Path) -> list[str]:
    """
    Layers of an activation or reconstruction file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    names : list of str
    """
    with open_file(path, "activations") as file:
        group = next(iter(file.values()), {})
        return [name for name in group if name not in ("stimulus", "valid")]
