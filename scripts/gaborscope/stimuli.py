"""Stimuli and their fixations, as the stages pass them on."""

import dataclasses

import numpy as np
from PIL import Image

from gaborscope.errors import InputError


@dataclasses.dataclass
class StimulusBlock:
    """
    Stimuli of one block with their fixations.

    Attributes
    ----------
    names : list of str (S,)
    paths : list of str (S,)
        Absolute; "" where the image is embedded.
    sha256 : list of str (S,)
        Of the image file's bytes, or of the embedded pixels.
    sizes : int32 array (S, 2)
        Height and width in px.
    x, y : float32 array (F,)
        Fixations in px, 0-based, x to the right and y down.
    stimulus : int32 array (F,)
        Index into `names`.
    subject : int32 array (F,)
    facts : dict
        `task`, `duration_s`, `px_per_degree` or `sigma_px`, `source`, `licence` where known.
    images : list of uint8 array (height, width, 3), or None
        Embedded images of generated data.
    """

    names: list
    paths: list
    sha256: list
    sizes: np.ndarray
    x: np.ndarray
    y: np.ndarray
    stimulus: np.ndarray
    subject: np.ndarray
    facts: dict
    images: list | None = None

    def image(self, index):
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
            If the file cannot be read or is no longer of the size it had.
        """
        if self.images is not None:
            return self.images[index]
        image = read_image(self.paths[index])
        if image.shape[:2] != tuple(self.sizes[index]):
            raise InputError(
                f"{self.paths[index]} is {image.shape[1]}x{image.shape[0]} px and was "
                f"{self.sizes[index][1]}x{self.sizes[index][0]} when the data set was prepared; "
                "put the file back or touch it and run again"
            )
        return image

    def points(self, index):
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
        own = self.stimulus == index
        return np.column_stack([self.x[own], self.y[own]]).astype(float), self.subject[own]
