"""Stimuli with their fixations, as a network is trained on them: read, kept on disk, augmented."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch

from gaborscope.stimuli import fixations, geometry
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.centre_bias import relative_points
from gaborscope.store.scratch import Scratch

MIN_POINTS = 5  # a crop with fewer fixations is not used; the whole stimulus is kept


@dataclasses.dataclass
class Example:
    """
    One stimulus with its fixations, at the resolution of the network's input.

    Attributes
    ----------
    content : uint8 array (height, width, 3)
    placement : geometry.Placement
    points : float64 array (n, 2)
        Fixations x, y in px of the content.
    sigma_px : float
        Standard deviation of the fixation density in px of the content.
    """

    content: np.ndarray
    placement: geometry.Placement
    points: np.ndarray
    sigma_px: float


def make_examples(
    block: StimulusBlock,
    box: geometry.Box | tuple[int, int],
    resize: Callable[..., Any] = geometry.content,
) -> Iterator[Example]:
    """
    Yield an example of every stimulus of a block that has fixations.

    Parameters
    ----------
    block : StimulusBlock
    box : geometry.Box or (int, int)
        The network's input for landscape stimuli.
    resize : callable
        Takes an image and its placement and returns the content, such as `Backbone.content`. The
        content is rounded to uint8 to save memory.

    Yields
    ------
    example : Example
    """
    for index in range(len(block.names)):
        points, _ = block.points(index)
        if not len(points):
            continue
        height, width = (int(extent) for extent in block.sizes[index])
        place = geometry.place((height, width), box)
        scale = np.array([place.width / width, place.height / height])
        sigma, _ = fixations.sigma_px(height, width, block.facts)
        yield Example(
            content=np.rint(resize(block.image(index), place)).astype(np.uint8),
            placement=place,
            points=(points + 0.5) * scale - 0.5,
            sigma_px=sigma * float(scale.mean()),
        )


def gather(
    blocks: Iterable[StimulusBlock], box: geometry.Box, resize: Callable[..., Any]
) -> tuple[Scratch, dict[str, np.ndarray]]:
    """
    Gather the examples of a split on disk and its relative fixations in memory.

    Parameters
    ----------
    blocks : iterable of StimulusBlock
        Taken one at a time.
    box : geometry.Box
    resize : callable
        See `make_examples`.

    Returns
    -------
    examples : Scratch of Example
    points : dict of str to float64 array (n, 2)
        See `centre_bias.relative_points`.
    """
    examples, points = Scratch(), {}
    for block in blocks:
        points.update(relative_points([block]))
        for example in make_examples(block, box, resize):
            examples.append(example)
    return examples, points


def augment(example: Example, settings: Mapping[str, Any], rng: np.random.Generator) -> Example:
    """
    Flip, crop and change brightness, contrast and saturation of an example at random.

    Parameters
    ----------
    example : Example
    settings : dict
        `flip` (probability), `min_crop` (smallest side of a crop as a share of the whole side),
        `photometric` (largest relative change).
    rng : numpy.random.Generator

    Returns
    -------
    example : Example
        New example with the same placement.
    """
    content, points, sigma = example.content, example.points, example.sigma_px
    height, width = content.shape[:2]
    share = rng.uniform(settings["min_crop"], 1)
    size = (max(2, round(height * share)), max(2, round(width * share)))
    top, left = int(rng.integers(height - size[0] + 1)), int(rng.integers(width - size[1] + 1))
    cut = points - [left, top]
    inside = ((cut >= -0.5) & (cut < [size[1] - 0.5, size[0] - 0.5])).all(axis=1)
    if inside.sum() >= MIN_POINTS:
        zoom = np.array([width / size[1], height / size[0]])
        points, sigma = (cut[inside] + 0.5) * zoom - 0.5, sigma * float(zoom.mean())
        content = content[top : top + size[0], left : left + size[1]]
        content = cv2.resize(content, (width, height), interpolation=cv2.INTER_LINEAR)
    if rng.random() < settings["flip"]:
        content = content[:, ::-1]
        points = np.column_stack([width - 1 - points[:, 0], points[:, 1]])
    change = 1 + settings["photometric"] * rng.uniform(-1, 1, 3)
    content = content.astype(np.float32)
    grey = content.mean(axis=2, keepdims=True)
    content = grey + (content - grey) * change[0]
    content = (content - content.mean()) * change[1] + content.mean() * change[2]
    content = np.clip(content, 0, 255).astype(np.uint8)
    return Example(content, example.placement, points, sigma)


def inside(place: geometry.Placement) -> tuple[slice, slice]:
    """Return the rows and the columns of the content in the padded input."""
    rows = slice(place.top, place.top + place.height)
    return rows, slice(place.left, place.left + place.width)


def targets_of(examples: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """
    Return what a batch is trained on, on its padded inputs.

    Parameters
    ----------
    examples : sequence of Example
        Of equal input size.

    Returns
    -------
    density, counts : float32 tensor (n, y, x)
        Density of the fixations, sum 1, and fixations per pixel.
    mask : bool tensor (n, y, x)
        True on the content, False on the padding.
    """
    height, width = examples[0].placement.input_size
    density = np.zeros((len(examples), height, width), np.float32)
    counts, mask = np.zeros_like(density), np.zeros(density.shape, bool)
    for row, example in enumerate(examples):
        place = example.placement
        size = (place.height, place.width)
        rows, columns = inside(place)
        pixels = fixations.to_pixels(np.clip(example.points, 0, [size[1] - 1, size[0] - 1]), size)
        density[row, rows, columns] = fixations.density(pixels, size, example.sigma_px)
        counts[row, rows, columns] = fixations.fixation_map(pixels, size)
        mask[row, rows, columns] = True
    return torch.from_numpy(density), torch.from_numpy(counts), torch.from_numpy(mask)
