"""Blocks of stimuli with their fixations: what one stage hands to the next."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self

import numpy as np

from gaborscope.errors import InputError
from gaborscope.stimuli import concepts
from gaborscope.stimuli.images import read_image

AFTER_MEMBER = "/"  # in the name of a stimulus of a pool


class Predicts(Protocol):
    """Whatever predicts an image's saliency: an explained model, a network, a fitted bank."""

    def predict(self, image: np.ndarray, /) -> np.ndarray:
        """Return the saliency of an RGB image, uint8 (height, width, 3), at its size."""
        ...


@dataclasses.dataclass
class StimulusBlock:
    """
    Stimuli of one block with their fixations.

    Attributes
    ----------
    names : list of str (S,)
    paths : list of str (S,)
        Absolute paths of the image files; "" where the image is embedded.
    sha256 : list of str (S,)
        SHA-256 of the image file's bytes, or of the pixels of an embedded image.
    sizes : int32 array (S, 2)
        Height and width in px.
    x, y : float32 array (F,)
        Fixations in px, 0-based, x to the right and y down.
    stimulus : int32 array (F,)
        Index into `names`.
    subject : int32 array (F,)
        Number of the observer.
    facts : dict
        `task`, `duration_s`, `px_per_degree` or `sigma_px`, `source`, `licence` where known;
        `exif` as `images.open_image` takes it; `member` of a block of a pool, see `in_pool`.
    images : list of uint8 array (height, width, 3), or None
        Embedded images of generated data.
    concepts : callable or None
        Returns the maps of concepts of the stimulus with an index: see `store.blocks.read_data`.
    """

    names: list[str]
    paths: list[str]
    sha256: list[str]
    sizes: np.ndarray
    x: np.ndarray
    y: np.ndarray
    stimulus: np.ndarray
    subject: np.ndarray
    facts: dict[str, Any]
    images: list[np.ndarray] | None = None
    concepts: Callable[[int], Sequence[np.ndarray]] | None = None

    @property
    def member(self) -> str | None:
        """Data set that a block of a pool of several data sets is from; None outside a pool."""
        return self.facts.get("member")

    @property
    def px_per_degree(self) -> float | None:
        """Px per degree of visual angle of all blocks alike; None where it is not known."""
        return None if self.member else self.facts.get("px_per_degree")

    def in_pool(self, member: str) -> Self:
        """
        Return the block as one of a pool of several data sets.

        Parameters
        ----------
        member : str
            Name of the block's data set in the config.

        Returns
        -------
        block : StimulusBlock
            Its stimuli have the data set before their names, `osie/1001.jpg`.
        """
        names = [f"{member}{AFTER_MEMBER}{name}" for name in self.names]
        return dataclasses.replace(self, names=names, facts={**self.facts, "member": member})

    def size(self, index: int) -> tuple[int, int]:
        """Return height and width of one stimulus in px."""
        height, width = self.sizes[index]
        return int(height), int(width)

    def image(self, index: int) -> np.ndarray:
        """
        RGB image of one stimulus.

        Parameters
        ----------
        index : int

        Returns
        -------
        image : uint8 array (height, width, 3)

        Raises
        ------
        InputError
            If the file cannot be read, or the image no longer has the size in `sizes`.
        """
        if self.images is not None:
            return self.images[index]
        image = read_image(self.paths[index], self.facts.get("exif"))
        if image.shape[:2] != tuple(self.sizes[index]):
            raise InputError(
                f"{self.paths[index]} is {image.shape[1]}x{image.shape[0]} px and was "
                f"{self.sizes[index][1]}x{self.sizes[index][0]} px when the data set was prepared; "
                "restore the old file, or touch the new one so that it is prepared again"
            )
        return image

    def view(self, index: int) -> np.ndarray:
        """
        Return one stimulus as regressors see it: its image, behind it the maps of its concepts.

        Parameters
        ----------
        index : int

        Returns
        -------
        view : uint8 array (height, width, 3), or float32 array (height, width, 3 + maps)
        """
        image = self.image(index)
        return image if self.concepts is None else concepts.behind(image, self.concepts(index))

    def points(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """
        Fixations of one stimulus.

        Parameters
        ----------
        index : int

        Returns
        -------
        points : float64 array (n, 2)
            x, y in px.
        subjects : int32 array (n,)
        """
        rows = self.stimulus == index
        return np.column_stack([self.x[rows], self.y[rows]]).astype(float), self.subject[rows]
