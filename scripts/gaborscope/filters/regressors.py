"""Regressors of a layer: log-Gabor responses of a stimulus, pooled to the layer's grid."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gaborscope.errors import InputError
from gaborscope.filters import context, sampling
from gaborscope.filters import mechanisms as mechanism_tools
from gaborscope.filters import plan as pooled_plan
from gaborscope.filters import second_stage as second_stages
from gaborscope.filters.controls import ControlBank
from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.filters.pooling import Sampler
from gaborscope.stimuli import colour as colours
from gaborscope.stimuli import geometry

RESPONSE_KINDS = ("even", "odd", "amplitude")
# Beginning of the kinds of a concept's maps: on their stimulus, and of another one in their place.
CONCEPT, SWAPPED = "concept:", "swapped:"
POSITION_TERMS = ("x", "y", "xx", "yy", "xy", "centre")


@dataclasses.dataclass(frozen=True)
class Regressors:
    """
    Which regressors an explanation has.

    Attributes
    ----------
    bank : mapping
        Arguments of `LogGaborBank`; wavelengths in px of the network's input.
    colour : {"yuv", "lab", "dkl", "rgb"}
    kinds : sequence of {"even", "odd", "amplitude"}
        Parts of the response that are used.
    residual : bool
        Whether the low-pass residual of each channel is used.
    normalisation : bool
        Whether amplitudes divided by the energy of their scale and channel are also used. The pool
        is the whole image, and the cell itself; there is no surround.
    position : bool
        Whether low-order polynomials of position and a centre Gaussian are used.
    boundary : {"symmetric", "periodic"}
    control : str, optional
        Control bank that replaces the log-Gabors, one of `controls.CONTROLS`.
    draw : int
        Number of the control bank, where the control is drawn.
    second_stage : bool
        Whether amplitudes of the first colour channel, filtered again at coarser scales, are used,
        see `second_stage`.
    mechanisms : sequence of str
        Mechanisms beyond the bank that are used, of `mechanisms.NAMES`.
    concepts : sequence of str
        Concepts whose maps are used, in the order in which they lie behind the image.
    swapped : bool
        Whether the concepts' maps of another stimulus are regressors too, which lie behind them:
        what a concept brings by chance.
    """

    bank: Mapping[str, Any]
    colour: str
    kinds: Sequence[str]
    residual: bool
    normalisation: bool
    position: bool
    boundary: str
    control: str | None = None
    draw: int = 0
    second_stage: bool = False
    mechanisms: Sequence[str] = ()
    concepts: Sequence[str] = ()
    swapped: bool = False

    def table(self) -> dict[str, np.ndarray]:
        """
        Describe each regressor.

        Returns
        -------
        table : dict of str to array (K,)
            `kind` (even, odd, amplitude, normalised, residual, second_stage, those of
            `mechanisms.KINDS`, position, concept:{name}, swapped:{name}), `scale` and `orientation`
            (indices, -1 where there is none), `colour` (channel index, -1 for position and
            concepts), `name`.
        """
        rows = []
        channels = colours.CHANNELS[self.colour]
        kinds = self._response_kinds()
        kinds += ["normalised"] if self.normalisation else []
        for c, channel in enumerate(channels):
            for scale in range(self.bank["n_scales"]):
                for orientation in range(self.bank["n_orientations"]):
                    for kind in kinds:
                        name = f"{channel} {kind} s{scale} o{orientation}"
                        rows.append((kind, scale, orientation, c, name))
            if self.residual:
                rows.append(("residual", -1, -1, c, f"{channel} residual"))
        if self.second_stage:
            rows += second_stages.rows(self.bank, self._response_kinds(), channels[0])
        rows += mechanism_tools.rows(
            self.mechanisms, self.bank["n_scales"], self.bank["n_orientations"], channels
        )
        if self.position:
            rows += [("position", -1, -1, -1, f"position {term}") for term in POSITION_TERMS]
        rows += [
            (what + name, -1, -1, -1, f"{what[:-1]} {name}")
            for what in (CONCEPT, SWAPPED)[: 1 + self.swapped]
            for name in self.concepts
        ]
        kind, scale, orientation, channel, name = zip(*rows, strict=True)
        return {
            "kind": np.array(kind),
            "scale": np.array(scale, dtype=np.int32),
            "orientation": np.array(orientation, dtype=np.int32),
            "colour": np.array(channel, dtype=np.int32),
            "name": np.array(name),
        }

    def compute(
        self,
        content: np.ndarray,
        placement: geometry.Placement,
        targets: Sequence[tuple[geometry.Grid, str, float]],
    ) -> list[np.ndarray]:
        """
        Regressors of one stimulus on several grids, its responses computed once.

        Parameters
        ----------
        content : uint8 array (placement.height, placement.width, 3), or float32 array with maps
            The stimulus, resized, without padding; behind RGB the maps of the concepts.
        placement : geometry.Placement
        targets : sequence of (geometry.Grid, pool, width)
            Grids with the pooling of each, see `geometry.sampling_matrix`.

        Returns
        -------
        maps : list of float32 array (K, row, column)
            One per target, on the cells whose centre lies in the content.

        Raises
        ------
        InputError
            If there are other concepts than maps behind the image.
        """
        n_concepts = len(self.concepts) * (1 + self.swapped)
        if n_concepts and content.shape[2] != 3 + n_concepts:
            raise InputError(
                f"the explanation needs a map of each of its concepts ({', '.join(self.concepts)}) "
                "with the image; give them too"
            )
        rgb = content if content.shape[2] == 3 else content[..., :3].astype(np.uint8)
        plain = LogGaborBank(**self.bank)
        bank = plain if self.control is None else ControlBank(self.control, plain, self.draw)
        channels = colours.to_opponent(rgb, self.colour)
        n_channel = bank.n_filters * (len(self.kinds) + self.normalisation) + self.residual
        n_first = n_channel * len(channels)
        n_before = n_first + self._n_second()
        beyond, others = None, slice(n_before, n_before)
        if self.mechanisms:
            beyond = mechanism_tools.mechanisms(
                tuple(self.mechanisms), bank, channels.shape[1:], self.boundary, placement,
                tuple(targets), len(channels),
            )  # fmt: skip
            others = slice(n_before, n_before + beyond.n_regressors)
        places = slice(others.stop, others.stop + self.position * len(POSITION_TERMS))
        n = places.stop + n_concepts
        maps = []
        for grid, *_ in targets:
            shape = [len(along) for along in sampling.centres(grid, placement)]
            maps.append(np.empty((n, *shape), np.float32))
        slots = [self._slots(block[:n_first], bank.n_filters, len(channels)) for block in maps]
        wanted, amplitude = list(targets), np.empty(0, np.float32)
        if set(mechanism_tools.OF_ALL_SCALES) & set(self.mechanisms):
            around = context.target(float(plain.wavelengths_px[-1]), placement)
            shape = (len(channels), bank.n_filters, *around[0].shape)
            amplitude = np.empty(shape, np.float32)
            wanted.append(around)
            slots.append({"amplitude": amplitude})
        handled = [sampling.handles(target, placement) for target in wanted]
        for fill, from_lattices in ((self._sampled, True), (self._from_all_px, False)):
            members = [t for t, is_handled in enumerate(handled) if is_handled is from_lattices]
            if members:
                chosen = tuple(wanted[t] for t in members)
                fill(bank, channels, placement, chosen, [slots[t] for t in members])
        if self.second_stage:
            sampler = _sampler(placement, tuple(targets))
            self._second(channels[0], sampler, [block[n_first:n_before] for block in maps])
        if beyond is not None:
            beyond.run(channels, amplitude, [block[others] for block in maps])
        for (grid, *_), block, slot in zip(targets, maps, slots[: len(targets)], strict=True):
            if self.normalisation:
                for own, normalised in zip(slot["amplitude"], slot["normalised"], strict=True):
                    normalised[...] = _normalised(own, bank.n_scales)
            if self.position:
                block[places] = _position(grid, placement)
        for k in range(n_concepts):
            pooled = _sampler(placement, tuple(targets)).plain(content[..., 3 + k])
            for block, values in zip(maps, pooled, strict=True):
                block[places.stop + k] = values
        return maps

    def _response_kinds(self):
        return [kind for kind in RESPONSE_KINDS if kind in self.kinds]

    def _n_second(self):
        """Return the number of regressors of the second stage."""
        if not self.second_stage:
            return 0
        return len(second_stages.rows(self.bank, self._response_kinds(), ""))

    def _second(self, channel, sampler, blocks):
        """Fill in the pooled responses of the second stage, one array per target."""
        keep = [RESPONSE_KINDS.index(kind) for kind in self._response_kinds()]
        first = 0
        for responses in second_stages.responses(
            channel, self.bank, self.boundary, self.control, self.draw
        ):
            pooled = sampler.maps(len(responses))  # (orientation, row, 3, column) each
            sampler.responses(responses, pooled)
            last = first + len(responses) * len(keep)
            for maps, target in zip(pooled, blocks, strict=True):
                kept = maps[:, :, keep].swapaxes(1, 2)
                target[first:last] = kept.reshape(last - first, maps.shape[1], maps.shape[3])
            first = last

    def _slots(self, maps, n_filters, n_channels):
        """Return views of one target's maps by kind, as `plan.Plan.run` fills them in."""
        kinds = self._response_kinds()
        kinds += ["normalised"] if self.normalisation else []
        shape = maps.shape[1:]
        by_channel = maps.reshape(n_channels, -1, *shape)
        by_filter = by_channel[:, : n_filters * len(kinds)]
        by_filter = by_filter.reshape(n_channels, n_filters, len(kinds), *shape)
        slots = {kind: by_filter[:, :, column] for column, kind in enumerate(kinds)}
        if self.normalisation and "amplitude" not in slots:
            slots["amplitude"] = np.empty((n_channels, n_filters, *shape), np.float32)
        if self.residual:
            slots["residual"] = by_channel[:, -1]
        return slots

    def _sampled(self, bank, channels, placement, targets, slots):
        """Fill in responses from as few points as the targets need."""
        parts = frozenset(slots[0]) - {"normalised"}
        shape = channels.shape[1:]
        bare = slots[-1].keys() != slots[0].keys()  # the last is the target of `context`
        pooled_plan.plan(
            bank, shape, self.boundary, placement, targets, len(channels), parts, int(bare)
        ).run(channels, slots)

    def _from_all_px(self, bank, channels, placement, targets, slots):
        """Fill in responses pooled from all px."""
        prepared = bank.prepare(channels.shape[1:], self.boundary)
        sampler = _sampler(placement, targets)
        pooled = sampler.maps(bank.n_filters)
        for number, channel in enumerate(channels):
            prepared.analyse(channel)
            for filters, responses in prepared.responses():
                sampler.responses(responses, [maps[filters] for maps in pooled])
            for maps, slot in zip(pooled, slots, strict=True):  # (filter, row, 3, column)
                for column, kind in enumerate(RESPONSE_KINDS):
                    if kind in slot:
                        slot[kind][number] = maps[:, :, column]
            if self.residual:
                for residual, slot in zip(sampler.plain(prepared.residual()), slots, strict=True):
                    if "residual" in slot:
                        slot["residual"][number] = residual


@functools.lru_cache(maxsize=8)
def _sampler(placement, targets):
    samplers = [geometry.layer_sampling(grid, placement, *pooling) for grid, *pooling in targets]
    return Sampler(samplers, (placement.height, placement.width))


def _normalised(amplitude, n_scales):
    """Return amplitudes divided by their scale's root mean square, at the cell and over all."""
    by_scale = amplitude.reshape(n_scales, -1, *amplitude.shape[1:])
    local = (by_scale**2).mean(axis=1, keepdims=True)
    energy = np.sqrt(local.mean(axis=(1, 2, 3), keepdims=True))
    return (by_scale / (energy + np.sqrt(local) + 1e-4)).reshape(amplitude.shape)


@functools.lru_cache(maxsize=16)
def _position(grid, placement):
    """Return the position terms on the valid cells, in units of half the content's size."""
    axes = []
    for axis, cells, first, extent in zip(
        (0, 1),
        grid.cells(placement),
        (placement.top, placement.left),
        (placement.height, placement.width),
        strict=True,
    ):
        centres = grid.offset[axis] + grid.stride[axis] * np.arange(cells.start, cells.stop)
        axes.append((centres - first + 0.5) / extent * 2 - 1)
    y, x = np.meshgrid(*axes, indexing="ij")
    return np.stack(position_terms(x, y)).astype(np.float32)


def position_terms(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Return `POSITION_TERMS` at places in units of half the content's size from its centre."""
    return [x, y, x**2, y**2, x * y, np.exp(-(x**2 + y**2) / (2 * 0.5**2))]
