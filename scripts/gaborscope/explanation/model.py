"""The explained model: bank, weights and fusion in one file. It predicts without torch."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaborscope.errors import InputError
from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation.cascade import Cascade, CascadeLayer
from gaborscope.explanation.files import read_cascade, write_cascade
from gaborscope.explanation.layers import FittedLayer
from gaborscope.stimuli import concepts as concept_maps
from gaborscope.stimuli import densities, geometry
from gaborscope.stimuli.layer import Layer
from gaborscope.store.files import create, open_file, put


def grid_shape(height: int, width: int, stride: int) -> tuple[int, int]:
    """
    Return the shape of the fusion grid, which tiles the content exactly.

    Parameters
    ----------
    height, width : int
        Size of the content in px.
    stride : int
        Approximate side of a cell in px.

    Returns
    -------
    shape : (int, int)
        Rows and columns, at least 2 each.
    """
    return max(2, round(height / stride)), max(2, round(width / stride))


def fusion_features(
    maps: Mapping[str, np.ndarray],
    layers: Sequence[FittedLayer | CascadeLayer],
    placement: geometry.Placement,
    stride: int,
    smoothing: float,
) -> tuple[np.ndarray, tuple[int, int]]:
    """
    Resample the maps of all layers to the fusion grid and smooth them.

    Parameters
    ----------
    maps : dict of str to float32 array (C, row, column)
        On the valid cells of each layer.
    layers : sequence of layers.FittedLayer
    placement : geometry.Placement
    stride : int
        Side of a cell of the fusion grid in px of the content.
    smoothing : float
        Standard deviation of the Gaussian in px of the content; 0 for none.

    Returns
    -------
    features : float32 array (cell, feature)
        Cells are in row order, features in the order of the layers.
    shape : (int, int)
        Rows and columns of the fusion grid.
    """
    shape = grid_shape(placement.height, placement.width, stride)
    columns = []
    for fitted in layers:
        grid = fitted.layer.grid(placement)
        along = [
            fusion_resampling(grid, placement, axis, shape[axis], smoothing) for axis in (0, 1)
        ]
        resampled = along[0] @ maps[fitted.name] @ along[1].T
        columns.append(resampled.reshape(len(resampled), -1).T)
    return np.ascontiguousarray(np.concatenate(columns, axis=1), dtype=np.float32), shape


@functools.lru_cache(maxsize=128)
def fusion_resampling(
    grid: geometry.Grid, placement: geometry.Placement, axis: int, n_cells: int, smoothing: float
) -> np.ndarray:
    """
    Return the matrix that resamples a layer's valid cells to the fusion grid along one axis.

    The matrix includes the smoothing.

    Parameters
    ----------
    grid : geometry.Grid
    placement : geometry.Placement
    axis : {0, 1}
        y or x.
    n_cells : int
        Number of cells of the fusion grid along the axis.
    smoothing : float
        Standard deviation of the Gaussian in px of the content.

    Returns
    -------
    matrix : float32 array (fusion cell, layer cell)
    """
    cells = grid.cells(placement)[axis]
    extent = (placement.height, placement.width)[axis]
    first = (placement.top, placement.left)[axis]
    side = extent / n_cells
    centres = (np.arange(n_cells) + 0.5) * side - 0.5
    position = (centres + first - grid.offset[axis]) / grid.stride[axis] - cells.start
    width = side / grid.stride[axis]
    pool = "box" if width > 1 else "point"
    n = cells.stop - cells.start
    matrix = geometry.sampling_matrix(n, tuple(position.tolist()), pool, float(width))
    if smoothing > 0:
        matrix = smoothing_matrix(n_cells, smoothing / side) @ matrix
    return matrix


def smoothing_matrix(n_cells: int, sd: float) -> np.ndarray:
    """
    Return the matrix that smooths along one axis of the fusion grid by a Gaussian.

    Parameters
    ----------
    n_cells : int
    sd : float
        Standard deviation in cells, positive.

    Returns
    -------
    matrix : float32 array (cell, cell)
    """
    return geometry.sampling_matrix(n_cells, tuple(range(n_cells)), "gaussian", float(sd * 12**0.5))


def log_centre_bias(density: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """
    Return the logarithm of the centre bias on a fusion grid.

    Parameters
    ----------
    density : float array (row, column)
        Centre bias on a grid in relative coordinates.
    shape : (int, int)
        Rows and columns of the fusion grid.

    Returns
    -------
    logarithm : float64 array (cell,)
        Its exponential sums to 1.
    """
    resized = densities.resize_bilinear(np.asarray(density, dtype=float), shape)
    return np.log(resized / resized.sum()).ravel()


@dataclasses.dataclass
class ExplainedModel:
    """
    A saliency model that consists of log-Gabor responses, weights and fusion.

    Attributes
    ----------
    box : geometry.Box or (int, int)
        Input of the explained network for landscape stimuli.
    layers : list of layers.FittedLayer
        Layers that are fused.
    settings : dict
        Settings of the fusion: `stride`, `smoothing`.
    weight : float64 array (feature,)
        Weights of the maps of all layers; the last one belongs to the log centre bias.
    centre_bias : float64 array (row, column)
        On a grid in relative coordinates, sum 1. Fitted on several data sets, the mean of theirs.
    uniform_weight : float
        Share of the uniform density that is mixed into a prediction.
    cascade : cascade.Cascade, optional
        Cascade that reconstructs the layers, if they are reconstructed from other layers.
    centre_biases : dict of str to float64 array (row, column)
        Fitted on several data sets, that of each; else empty. See `on`.
    """

    box: geometry.Box | tuple[int, int]
    layers: Sequence[FittedLayer | CascadeLayer]
    settings: dict[str, Any]
    weight: np.ndarray
    centre_bias: np.ndarray
    uniform_weight: float
    cascade: Cascade | None = None
    centre_biases: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def on(self, dataset: str | None) -> ExplainedModel:
        """
        Return the model as it predicts stimuli of a data set.

        Parameters
        ----------
        dataset : str or None
            Name in the config.

        Returns
        -------
        model : ExplainedModel
            With the centre bias of the data set, if it was fitted on several and this is one of
            them; else the model itself.
        """
        bias = self.centre_biases.get(dataset or "")
        return self if bias is None else dataclasses.replace(self, centre_bias=bias)

    @property
    def fitted(self) -> list[FittedLayer]:
        """Layers that are fitted to the image alone; empty for a cascade."""
        return [layer for layer in self.layers if isinstance(layer, FittedLayer)]

    @property
    def concepts(self) -> tuple[str, ...]:
        """Concepts whose maps the model needs beside an image."""
        return tuple(self.fitted[0].settings.get("concepts", ())) if self.fitted else ()

    def view(
        self, image: np.ndarray, concepts: Mapping[str, np.ndarray] | None = None
    ) -> np.ndarray:
        """
        Return an image with the maps of the concepts that the model needs behind it.

        Parameters
        ----------
        image : uint8 array (height, width, 3)
            RGB.
        concepts : dict of str to real array (rows, columns), optional
            By concept, its map on the image, see `stimuli.concepts.scaled`.

        Returns
        -------
        view : uint8 array (height, width, 3), or float32 array (height, width, 3 + maps)

        Raises
        ------
        InputError
            If the map of a concept is missing or no map, or there is one of another concept.
        """
        given = dict(concepts or {})
        if set(given) != set(self.concepts):
            needs = f"needs maps of {', '.join(self.concepts)} with the image"
            raise InputError(
                f"this explanation {needs if self.concepts else 'has no concepts'}, and got "
                f"{', '.join(given) or 'none'}; give one map of each concept that it has"
            )
        if not given:
            return image
        size = image.shape[:2]
        maps = [
            concept_maps.scaled(
                concept_maps.checked(np.asarray(given[name]), f"the map of {name}", size)
            )
            for name in self.concepts
        ]
        return concept_maps.behind(image, maps)

    @property
    def whole_cascade(self) -> Cascade:
        """
        Cascade of the model.

        Raises
        ------
        InputError
            If its layers are fitted to the image alone.
        """
        if self.cascade is None:
            raise InputError("the explained model holds no cascade; its layers see the image alone")
        return self.cascade

    @classmethod
    def load(cls, path: str | Path) -> ExplainedModel:
        """
        Read an explained model.

        Parameters
        ----------
        path : str or Path
            A file `results/explained/{model}/{dataset}/{explanation}.h5`.

        Returns
        -------
        model : ExplainedModel

        Raises
        ------
        InputError
            If the file is of another kind.
        """
        with open_file(path, "explained") as file:
            cascade = read_cascade(file["cascade"]) if "cascade" in file else None
            names = json.loads(file.attrs["layers"])
            known = {} if cascade is None else {each.name: each for each in cascade.layers}
            fitted = [
                FittedLayer(
                    name=name,
                    layer=Layer.from_json(json.loads(group.attrs["layer"])),
                    settings=json.loads(group.attrs["settings"]),
                    weight=group["weight"][()],
                    intercept=group["intercept"][()],
                    residual_sd=group["residual_sd"][()],
                )
                for name, group in (
                    (name, file["layer"][name]) for name in names if cascade is None
                )
            ]
            height, width = (int(extent) for extent in file.attrs["box"][:2])
            return cls(
                box=geometry.Box(
                    height,
                    width,
                    file.attrs.get("fit", "pad"),
                    int(file.attrs.get("multiple", 1)),
                    file.attrs.get("orientation", "follow"),
                ),
                layers=fitted if cascade is None else [known[name] for name in names],
                settings=json.loads(file.attrs["fusion"]),
                weight=file["fusion/weight"][()],
                centre_bias=file["fusion/centre_bias"][()],
                uniform_weight=float(file.attrs["uniform_weight"]),
                cascade=cascade,
                centre_biases={
                    name: array[()] for name, array in file.get("fusion/centre_biases", {}).items()
                },
            )

    def save(self, path: str | Path, origin: Mapping[str, Any]) -> None:
        """
        Write the model to a file. If writing fails, no partial file is left.

        Parameters
        ----------
        path : str or Path
        origin : dict
            From `store.files.provenance`.
        """
        with create(path, "explained", origin) as file:
            file.attrs["layers"] = json.dumps([fitted.name for fitted in self.layers])
            box = geometry.Box(*self.box)
            file.attrs["box"] = np.array(box[:2], dtype=np.int32)
            file.attrs["fit"], file.attrs["multiple"] = box.fit, box.multiple
            file.attrs["orientation"] = box.orientation
            file.attrs["fusion"] = json.dumps(self.settings, sort_keys=True)
            file.attrs["uniform_weight"] = self.uniform_weight
            if self.cascade is not None:
                write_cascade(file.create_group("cascade"), self.cascade)
            for fitted in self.layers if self.cascade is None else []:
                group = file.create_group(f"layer/{fitted.name}")
                group.attrs["layer"] = json.dumps(fitted.layer.to_json(), sort_keys=True)
                group.attrs["settings"] = json.dumps(fitted.settings, sort_keys=True)
                put(group, "weight", fitted.weight, "channel, regressor", "activation")
                put(group, "intercept", fitted.intercept, "channel", "activation")
                put(group, "residual_sd", fitted.residual_sd, "channel", "activation")
            group = file.create_group("fusion")
            put(group, "weight", self.weight, "feature", "nats per unit of the map")
            put(group, "centre_bias", self.centre_bias, "y, x", "relative, sum 1")
            for name, bias in self.centre_biases.items():
                put(group, f"centre_biases/{name}", bias, "y, x", "relative, sum 1")

    def reconstruct(self, image: np.ndarray) -> tuple[dict[str, np.ndarray], geometry.Placement]:
        """
        Reconstruct every layer of the network from an image.

        Parameters
        ----------
        image : uint8 array (height, width, 3), or what `view` returns
            RGB.

        Returns
        -------
        maps : dict of str to float32 array (channel, row, column)
        placement : geometry.Placement
        """
        if self.cascade is not None:
            return self.cascade.reconstruct(image)
        return layer_tools.reconstruct(image, self.box, self.fitted)

    def fuse(
        self, maps: Mapping[str, np.ndarray], placement: geometry.Placement, size: tuple[int, int]
    ) -> np.ndarray:
        """
        Return the log-density of a stimulus from its reconstructed layers.

        Parameters
        ----------
        maps : dict of str to float array (channel, row, column)
        placement : geometry.Placement
        size : (int, int)
            Height and width of the stimulus in px.

        Returns
        -------
        log_density : float64 array (size)
            Natural logarithm; exp sums to 1.
        """
        score = self._score(self._summed(maps), placement, size)
        return densities.to_log_density(score, "logits", self.uniform_weight)

    def fuse_regressors(
        self, phi: Sequence[np.ndarray], placement: geometry.Placement, size: tuple[int, int]
    ) -> np.ndarray:
        """
        Return the log-density of a stimulus from the regressors of its layers.

        Not for cascades.

        Parameters
        ----------
        phi : sequence of float32 array (regressor, row, column)
            One per layer, see `layers.shared_regressors`.
        placement : geometry.Placement
        size : (int, int)
            Height and width of the stimulus in px.

        Returns
        -------
        log_density : float64 array (size)
        """
        weights = self._by_layer([len(fitted.weight) for fitted in self.layers])
        summed = {
            fitted.name: fitted.weighted_sum(regressors, weight)
            for fitted, regressors, weight in zip(self.fitted, phi, weights, strict=True)
        }
        score = self._score(summed, placement, size)
        return densities.to_log_density(score, "logits", self.uniform_weight)

    def _summed(self, maps):
        """Return the weighted sum of each layer's maps."""
        weights = self._by_layer([len(maps[fitted.name]) for fitted in self.layers])
        return {
            fitted.name: np.tensordot(weight, maps[fitted.name], 1)
            for fitted, weight in zip(self.layers, weights, strict=True)
        }

    def _by_layer(self, lengths):
        """Return the weights split by layer, for layers with these numbers of maps."""
        return np.split(self.weight[:-1], np.cumsum(lengths)[:-1])

    def _score(self, summed, placement, size):
        """Return the log-density up to a constant from the weighted sums of the layers' maps."""
        shape = grid_shape(placement.height, placement.width, self.settings["stride"])
        score = self.weight[-1] * log_centre_bias(self.centre_bias, shape).reshape(shape)
        for fitted in self.layers:
            grid = fitted.layer.grid(placement)
            along = [
                fusion_resampling(grid, placement, axis, shape[axis], self.settings["smoothing"])
                for axis in (0, 1)
            ]
            # resampling is linear, so it is enough to resample the sum of a layer's maps
            score += along[0] @ summed[fitted.name] @ along[1].T
        return densities.resize_bilinear(score, size)

    def predict(
        self, image: np.ndarray, concepts: Mapping[str, np.ndarray] | None = None
    ) -> np.ndarray:
        """
        Predict the saliency of an image from its log-Gabor responses.

        Parameters
        ----------
        image : uint8 array (height, width, 3)
            RGB.
        concepts : dict of str to real array (rows, columns), optional
            Maps of the explanation's concepts on the image, see `view`.

        Returns
        -------
        density : float32 array (height, width)
            Positive, sum 1.

        Raises
        ------
        ValueError
            If the image is not a uint8 array (height, width, 3).
        InputError
            If the maps are not those of the explanation's concepts.
        """
        image = np.asarray(image)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
            raise ValueError(
                "image must be a uint8 array (height, width, 3), RGB, "
                f"got {image.dtype} {image.shape}"
            )
        view = self.view(image, concepts)
        if self.cascade is not None:
            maps, placement = self.reconstruct(view)
            summed = self._summed(maps)
        else:
            weights = self._by_layer([len(fitted.weight) for fitted in self.layers])
            summed, placement = layer_tools.weighted_sums(view, self.box, self.fitted, weights)
        score = self._score(summed, placement, image.shape[:2])
        density = np.exp(score - score.max())
        density *= (1 - self.uniform_weight) / density.sum()
        density += self.uniform_weight / density.size
        return density.astype(np.float32)

    def contributions(
        self, image: np.ndarray, concepts: Mapping[str, np.ndarray] | None = None
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """
        Return the prediction and what each layer adds to its log-density.

        Parameters
        ----------
        image : uint8 array (height, width, 3)
            RGB.
        concepts : dict of str to real array (rows, columns), optional
            Maps of the explanation's concepts on the image, see `view`.

        Returns
        -------
        density : float64 array (height, width)
            Prediction of the model, sum 1.
        parts : dict of str to float64 array (row, column)
            By layer, and for `centre bias`, on the fusion grid, each with mean 0. Their sum is the
            predicted log-density without the uniform density, up to a constant.
        """
        maps, placement = self.reconstruct(self.view(image, concepts))
        features, shape = fusion_features(maps, self.layers, placement, **self.settings)
        parts, first = {}, 0
        for fitted in self.layers:
            n = len(fitted.weight)
            parts[fitted.name] = features[:, first : first + n] @ self.weight[first : first + n]
            first += n
        bias = log_centre_bias(self.centre_bias, shape)
        parts["centre bias"] = self.weight[-1] * bias
        centred = {name: (part - part.mean()).reshape(shape) for name, part in parts.items()}
        return np.exp(self.fuse(maps, placement, image.shape[:2])), centred
