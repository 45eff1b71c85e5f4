"""Stimuli at the network's resolution, with the network's activations and densities."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch.nn import functional

from gaborscope.backbones import recording
from gaborscope.backbones.backbone import Backbone
from gaborscope.explanation import cascade
from gaborscope.explanation.model import grid_shape
from gaborscope.stimuli import geometry
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.layer import Layer
from gaborscope.store import paths as grammar
from gaborscope.store.blocks import read_data
from gaborscope.store.scratch import Scratch


@dataclasses.dataclass
class Example:
    """
    One stimulus at the network's resolution.

    Attributes
    ----------
    name : str
    content : uint8 array (height, width, 3)
        The stimulus as the regressors see it.
    seen : uint8 or float32 array (height, width, 3)
        The stimulus as the network sees it, resized as the network's authors do.
    placement : geometry.Placement
    block_name : str
    index : int
        Place of the stimulus in the block.
    member : str or None
        Of several data sets, the one that it is from.
    """

    name: str
    content: np.ndarray
    seen: np.ndarray
    placement: geometry.Placement
    block_name: str
    index: int
    member: str | None = None


def make_examples(
    block_name: str,
    block: StimulusBlock,
    box: geometry.Box | tuple[int, int],
    backbone: Backbone,
) -> Iterator[Example]:
    """
    Yield an example of every stimulus of a block.

    Parameters
    ----------
    block_name : str
    block : StimulusBlock
    box : geometry.Box
    backbone : Backbone

    Yields
    ------
    example : Example
    """
    for index, name in enumerate(block.names):
        place = geometry.place(block.sizes[index], box)
        image = block.image(index)
        content, seen = geometry.content(image, place), backbone.content(image, place)
        yield Example(name, content, seen, place, block_name, index, block.member)


def gather(
    paths: Sequence[str], box: geometry.Box | tuple[int, int], backbone: Backbone
) -> tuple[Scratch, dict[str, StimulusBlock]]:
    """
    Gather the examples of a split on disk and its blocks, without images, in memory.

    Parameters
    ----------
    paths : sequence of str
        `results/data/{dataset}/{block}.h5` of one data set, read one at a time.
    box : geometry.Box
    backbone : Backbone

    Returns
    -------
    examples : Scratch of Example
    blocks : dict of str to StimulusBlock
        By name.
    """
    examples, blocks = Scratch(), {}
    for name, path in grammar.index("data", paths, "block").items():
        block = read_data(path)
        for example in make_examples(name, block, box, backbone):
            examples.append(example)
        blocks[name] = dataclasses.replace(block, images=None)
    return examples, blocks


def placements(examples: Iterable[Example]) -> list[geometry.Placement]:
    """Return the placement of each example; equal ones are one object."""
    known: dict[geometry.Placement, geometry.Placement] = {}
    return [known.setdefault(place, place) for place in (e.placement for e in examples)]


def batches(placements: Sequence[geometry.Placement], batch_size: int) -> list[list[int]]:
    """
    Divide examples into batches; the examples of a batch share their placement.

    Parameters
    ----------
    placements : sequence of geometry.Placement
        Of the examples.
    batch_size : int

    Returns
    -------
    batches : list of list of int
        Indices of examples.
    """
    groups = {}
    for index, placement in enumerate(placements):
        groups.setdefault(placement, []).append(index)
    return [
        group[first : first + batch_size]
        for group in groups.values()
        for first in range(0, len(group), batch_size)
    ]


def read_batches(examples: Sequence[Example], batch_size: int) -> Iterator[list[Example]]:
    """Yield the examples of each batch, see `batches`."""
    for batch in batches(placements(examples), batch_size):
        yield [examples[i] for i in batch]


class Observed:
    """
    A network whose activations and densities are recorded for stimuli.

    Parameters
    ----------
    backbone : Backbone
        On its device, in eval mode.
    layers : dict of str to Layer
    fusion_stride : int
        Side of a cell of the fusion grid in px.
    teacher : Backbone or None
        Network that gives the density; None: the watched network itself. The teacher of a random
        copy is the trained network. Both look at the same pixels, so both must have the same
        preprocessing.
    """

    def __init__(
        self,
        backbone: Backbone,
        layers: Mapping[str, Layer],
        fusion_stride: int,
        teacher: Backbone | None = None,
    ) -> None:
        self.backbone, self.layers, self.stride = backbone, layers, fusion_stride
        self.teacher = teacher
        self.device = next(backbone.network.parameters()).device

    @torch.no_grad()
    def look(
        self, contents: Sequence[np.ndarray], placement: geometry.Placement
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """
        Return the activations and the densities of stimuli that share their placement.

        Parameters
        ----------
        contents : sequence of array (height, width, 3)
            The stimuli as the network sees them.
        placement : geometry.Placement

        Returns
        -------
        activations : dict of str to tensor (n, C, row, column)
            Input of each layer's nonlinearity, on the valid cells.
        density : tensor (n, row, column)
            Density on the fusion grid, sum 1: the teacher's, or else the network's.
        """
        x = self.backbone.batch(contents, [placement] * len(contents)).to(self.device)
        with recording.recorder(self.backbone.network, self.layers) as record:
            output = self.backbone.maps(x)
        activations = {}
        for name, maps in record.items():
            pooled = recording.pool_maps(maps, self.layers[name].pool)
            _, cells = cascade.grid_of(self.layers[name], placement)
            activations[name] = pooled[(slice(None), slice(None), *cells)].float()
        deep = self.backbone if self.teacher is None else self.teacher
        if self.teacher is not None:
            output = self.teacher.maps(x)
        return activations, self._density(output, deep.output, placement)

    def _density(self, output, kind, placement):
        rows = slice(placement.top, placement.top + placement.height)
        inside = output[:, rows, placement.left : placement.left + placement.width].float()
        if kind in ("log_density", "logits"):
            inside = torch.softmax(inside.flatten(1), dim=1).view_as(inside)
        shape = grid_shape(placement.height, placement.width, self.stride)
        pooled = functional.adaptive_avg_pool2d(inside.clamp(min=0)[:, None], shape)[:, 0]
        return pooled / pooled.sum(dim=(1, 2), keepdim=True).clamp(min=1e-12)


def image_tensors(
    model: cascade.Cascade,
    contents: Sequence[np.ndarray],
    placement: geometry.Placement,
    device: torch.device,
) -> dict[str, torch.Tensor]:
    """
    Compute the regressors of images, for the layers of a cascade that read the image.

    Parameters
    ----------
    model : cascade.Cascade
    contents : sequence of uint8 array (height, width, 3)
    placement : geometry.Placement
    device : torch.device

    Returns
    -------
    phi : dict of str to float32 tensor (n, K, row, column)
        By name of the layer.
    """
    rows = [model.content_regressors(content, placement) for content in contents]
    return {
        name: torch.from_numpy(np.stack([row[name] for row in rows])).to(device) for name in rows[0]
    }
