"""Features and targets that the fusion is fitted to, kept on disk while it is fitted."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gaborscope.errors import InputError
from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation.cascade import CascadeLayer
from gaborscope.explanation.model import fusion_features, log_centre_bias
from gaborscope.stimuli import fixations, geometry
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.centre_bias import GRID, CentreBias, PooledCentreBias
from gaborscope.store.layers import read_layers
from gaborscope.store.saliency import read_density
from gaborscope.store.scratch import Scratch


class Examples:
    """
    Features and targets of many stimuli, that a log-linear density is fitted to.

    Features (float16) and targets are stored in a temporary file (`store.scratch.Scratch`) and read
    one stimulus at a time. The memory needed does not grow with the number of stimuli.

    Attributes
    ----------
    n_features : int
        Features of a stimulus, the log centre bias among them; 0 as long as there is no stimulus.
    """

    def __init__(self) -> None:
        self._stimuli = Scratch()
        self.n_features = 0

    def __len__(self) -> int:
        """Return the number of stimuli."""
        return len(self._stimuli)

    def append(
        self, features: np.ndarray, shape: tuple[int, int], bias: np.ndarray, target: np.ndarray
    ) -> None:
        """
        Append one stimulus.

        Parameters
        ----------
        features : float array (cell, feature)
            Without the log centre bias, which becomes the last feature.
        shape : (int, int)
            Rows and columns of cells.
        bias : float array (row, column)
            Density of the centre bias on a grid in relative coordinates.
        target : float array (height, width)
            Density to predict.

        Raises
        ------
        OverflowError
            If a feature exceeds float16.
        """
        columns = np.column_stack([features, log_centre_bias(bias, shape)])
        with np.errstate(over="ignore"):  # said below
            columns = columns.astype(np.float16)
        if not np.isfinite(columns).all():
            raise OverflowError("a feature exceeds float16 (65504)")
        target = cv2.resize(target, shape[::-1], interpolation=cv2.INTER_AREA)
        self._stimuli.append((columns, (target / target.sum()).ravel()))
        self.n_features = columns.shape[1]

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """
        Yield features and target of every stimulus, in the order they were added.

        Yields
        ------
        features : float32 array (cell, feature)
        target : float64 array (cell,)
            Sum 1.
        """
        for features, target in self._stimuli:
            yield features.astype(np.float32), target


class FusionData(Examples):
    """
    Features and targets of many stimuli from their reconstructed layers.

    Parameters
    ----------
    layers : sequence of layers.FittedLayer
    settings : dict
        Settings of the fusion: `stride`, `smoothing`, `target`.
    """

    def __init__(
        self, layers: Sequence[layer_tools.FittedLayer | CascadeLayer], settings: Mapping[str, Any]
    ) -> None:
        super().__init__()
        self.layers, self.settings = layers, settings
        self.n_features = sum(len(fitted.weight) for fitted in layers) + 1

    def add_block(
        self,
        reconstructions: str | Path,
        block: StimulusBlock,
        target_densities: str | Path,
        centre_bias: CentreBias | PooledCentreBias,
    ) -> None:
        """
        Add all stimuli of a block that have a target.

        Parameters
        ----------
        reconstructions : str or Path
            File of the reconstructed layers of the block.
        block : StimulusBlock
        target_densities : str or Path
            Saliency file of the deep model; only read for `target: model`.
        centre_bias : CentreBias or PooledCentreBias
            For a stimulus of the fit split, its fixations are left out.
        """
        names = [fitted.name for fitted in self.layers]
        for index, valid, input_size, maps in read_layers(reconstructions, names):
            target = self.target_of(block, index, target_densities)
            if target is None:
                continue
            placement = geometry.Placement(input_size, *valid)
            maps = layer_tools.valid_maps(maps, self.layers, placement)
            self.add_stimulus(maps, placement, target, centre_bias, block.names[index])

    def target_of(
        self, block: StimulusBlock, index: int, target_densities: str | Path
    ) -> np.ndarray | None:
        """
        Return the density that the fusion should predict for one stimulus.

        Parameters
        ----------
        block : StimulusBlock
        index : int
        target_densities : str or Path
            Saliency file of the deep model; only read for `target: model`.

        Returns
        -------
        target : float array (height, width) or None
            None if fixations are the target and the stimulus has none.
        """
        if self.settings["target"] == "model":
            return read_density(target_densities, index)
        points, _ = block.points(index)
        if not len(points):
            return None
        size = block.size(index)
        return fixations.density(points, size, fixations.sigma_px(*size, block.facts)[0])

    def add_stimulus(
        self,
        maps: Mapping[str, np.ndarray],
        placement: geometry.Placement,
        target: np.ndarray,
        centre_bias: CentreBias | PooledCentreBias,
        name: str,
    ) -> None:
        """
        Add the features and the target of one stimulus.

        Parameters
        ----------
        maps : dict of str to float32 array (C, row, column)
            On the valid cells of each layer.
        placement : geometry.Placement
        target : float array (height, width)
        centre_bias : CentreBias or PooledCentreBias
        name : str
            Name of the stimulus. Its fixations are left out of the centre bias.
        """
        features, shape = fusion_features(
            maps, self.layers, placement, self.settings["stride"], self.settings["smoothing"]
        )
        try:
            self.append(features, shape, centre_bias.density(GRID, exclude=name), target)
        except OverflowError:
            raise InputError(
                f"{name}: a reconstructed map exceeds float16 (65504); larger penalties in the "
                "solver make the maps smaller"
            ) from None
