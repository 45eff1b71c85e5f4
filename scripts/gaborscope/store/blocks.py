"""Blocks of stimuli as HDF5 files: results/data/{dataset}/{block}.h5."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaborscope.stimuli.block import StimulusBlock
from gaborscope.store import paths as grammar
from gaborscope.store.concepts import reader
from gaborscope.store.files import create, open_file, put, put_text

FACTS = (
    "images", "observers", "task", "duration_s", "faults", "px_per_degree", "sigma_px", "source",
    "licence", "exif", "member",
)  # fmt: skip


def write_data(path: str | Path, block: StimulusBlock, origin: Mapping[str, Any]) -> None:
    """
    Write the stimuli and fixations of one block.

    Parameters
    ----------
    path : str or Path
    block : StimulusBlock
    origin : dict
    """
    with create(path, "data", origin) as file:
        for key in FACTS:
            if block.facts.get(key) is not None:
                file.attrs[key] = block.facts[key]
        stimulus = file.create_group("stimulus")
        put_text(stimulus, "name", block.names)
        put_text(stimulus, "path", block.paths)
        put_text(stimulus, "sha256", block.sha256)
        put(stimulus, "size", block.sizes, "stimulus, (height, width)", "px", np.int32)
        if block.images is not None:
            images = stimulus.create_group("image")
            for index, image in enumerate(block.images):
                put(images, str(index), image, "y, x, rgb", "0..255", np.uint8)
        fixation = file.create_group("fixation")
        for key in ("x", "y"):
            put(fixation, key, getattr(block, key), "fixation", "px", np.float32)
        for key in ("stimulus", "subject"):
            put(fixation, key, getattr(block, key), "fixation", "index", np.int32)


def read_data(
    path: str | Path,
    images: bool = True,
    concepts: Sequence[str] = (),
    swapped: bool = False,
) -> StimulusBlock:
    """
    Read the stimuli and fixations of one block.

    Parameters
    ----------
    path : str or Path
    images : bool
        Whether to read the images of generated data, which the file holds.
    concepts : sequence of str
        `results/concepts/{concept}/{dataset}/{block}.h5`, of which those of this block are the maps
        behind the images (see `StimulusBlock.view`), in the order given.
    swapped : bool
        Whether the maps of another stimulus follow, see `store.concepts.reader`.

    Returns
    -------
    block : StimulusBlock
    """
    maps = None
    if concepts:
        block = grammar.parse("data", path)["block"]
        maps = grammar.select("concepts", concepts, block=block)
    with open_file(path, "data") as file:
        embedded = None
        if images and "image" in file["stimulus"]:
            embedded = [
                file[f"stimulus/image/{index}"][()] for index in range(len(file["stimulus/name"]))
            ]
        return StimulusBlock(
            names=list(file["stimulus/name"].asstr()[()]),
            paths=list(file["stimulus/path"].asstr()[()]),
            sha256=list(file["stimulus/sha256"].asstr()[()]),
            sizes=file["stimulus/size"][()],
            x=file["fixation/x"][()],
            y=file["fixation/y"][()],
            stimulus=file["fixation/stimulus"][()],
            subject=file["fixation/subject"][()],
            facts={key: file.attrs[key] for key in FACTS if key in file.attrs},
            images=embedded,
            concepts=reader(maps, len(file["stimulus/name"]), swapped) if maps else None,
        )


def read_blocks(
    paths: Sequence[str],
    images: bool = True,
    concepts: Sequence[str] = (),
    swapped: bool = False,
) -> dict[str, StimulusBlock]:
    """
    Read the stimuli and fixations of several blocks.

    Parameters
    ----------
    paths : sequence of str
        `results/data/{dataset}/{block}.h5` of one data set.
    images, concepts, swapped
        See `read_data`.

    Returns
    -------
    blocks : dict of str to StimulusBlock
        By the block's name, in the order given.

    Raises
    ------
    InputError
        If a path is none of these, or two are of the same block.
    """
    by_block = grammar.index("data", paths, "block")
    return {name: read_data(path, images, concepts, swapped) for name, path in by_block.items()}


def by_split(
    blocks: dict[str, StimulusBlock],
    names: dict[str, Collection[str]],
    rest: str | None = None,
) -> dict[str, dict[str, StimulusBlock]]:
    """
    Stimulus blocks by split.

    Parameters
    ----------
    blocks : dict of str to StimulusBlock
        By the block's name.
    names : dict of str to collection of str
        By split the names of its blocks, all of them in `blocks`.
    rest : str, optional
        Split of all blocks that no split names.

    Returns
    -------
    blocks : dict of str to dict of str to StimulusBlock
        By split and name, in the order of `blocks`; first the splits of `names`, then `rest`.

    Raises
    ------
    KeyError
        If a block that a split names is missing.
    """
    named = {name for members in names.values() for name in members}
    if missing := sorted(named - set(blocks)):
        raise KeyError(f"no blocks {', '.join(missing)}, only {', '.join(blocks)}")
    members = {split: set(inside) for split, inside in names.items()}
    if rest is not None:
        members[rest] = set(blocks) - named
    return {
        split: {name: block for name, block in blocks.items() if name in inside}
        for split, inside in members.items()
    }
