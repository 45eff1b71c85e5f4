"""Gather the content of the sections of the report, and draw their figures."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaborscope.analysis import identities as identity_tools
from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation.model import ExplainedModel
from gaborscope.fitting.files import read_filters
from gaborscope.report import (
    curves,
    drawing,
    page,
    partings,
    readouts,
    variance,
    words,
)
from gaborscope.stimuli import colour, fixations
from gaborscope.store import paths as grammar
from gaborscope.store.blocks import read_data
from gaborscope.store.files import open_file
from gaborscope.store.layers import layer_names, read_layers
from gaborscope.store.saliency import read_density
from gaborscope.store.tables import read_csv


@dataclasses.dataclass
class Inputs:
    """
    Input files of the report, as lists of paths.

    Attributes
    ----------
    explained, filters, readouts, explained_variance, identities, sparsity : list of str
    tuning, sparsity_scores : list of str
    scores, data, concepts, saliency, activations : list of str
    """

    explained: Sequence[str]
    filters: Sequence[str]
    readouts: Sequence[str]
    explained_variance: Sequence[str]
    identities: Sequence[str]
    sparsity: Sequence[str]
    tuning: Sequence[str]
    sparsity_scores: Sequence[str]
    scores: Sequence[str]
    data: Sequence[str]
    concepts: Sequence[str]
    saliency: Sequence[str]
    activations: Sequence[str]
    fidelity_stimuli: Sequence[str]
    bits_parts: Sequence[str]

    @classmethod
    def of(cls, files: Any) -> "Inputs":
        """
        Select the input files of the report from all files that its job reads.

        Parameters
        ----------
        files : object
            Has an attribute for each name above: a path or a list of paths.

        Returns
        -------
        inputs : Inputs
        """
        return cls(**{f.name: list(getattr(files, f.name)) for f in dataclasses.fields(cls)})


@dataclasses.dataclass
class Names:
    """
    Names of the models that a section of the report shows.

    Attributes
    ----------
    model, explanation : str
    deep : str
        Model whose density the explanation is fused to: `model`, or for a random copy the network
        that was copied.
    nulls : dict of str to list of str, optional
        By family, predictors `{model}-{explanation}` that are its other banks and random networks;
        None if it is a null itself.
    """

    model: str
    explanation: str
    deep: str
    nulls: Mapping[str, Sequence[str]] | None = None


def draw_normalised(
    table: pd.DataFrame, presets: Sequence[str], datasets: Sequence[str], folder: Path, dpi: int
) -> list[dict[str, Any]]:
    """
    Draw predictors between centre bias and gold standard, for every preset and data set.

    Parameters
    ----------
    table : DataFrame
        As `results/normalised.csv`.
    presets, datasets : sequence of str
    folder : Path
    dpi : int

    Returns
    -------
    figures : list of dict
        `preset, dataset, path`.
    """
    figures = []
    for preset in presets:
        for dataset in datasets:
            path = folder / f"normalised_{preset}_{dataset}.png"
            part = table[(table["preset"] == preset) & (table["dataset"] == dataset)]
            drawing.keep(drawing.normalised_dots(table, preset, dataset), path, dpi, part)
            figures.append({"preset": preset, "dataset": dataset, "path": path})
    return figures


class Section:
    """
    Section of the report on one explanation of one backbone.

    Parameters
    ----------
    inputs : Inputs
    names : Names
    preset : str
        The stimuli shown are chosen by the NSS of this preset.
    settings : dict
        `n_stimuli, colour_map, dpi`.
    """

    def __init__(
        self, inputs: Inputs, names: Names, preset: str, settings: Mapping[str, Any]
    ) -> None:
        self.inputs, self.settings = inputs, settings
        self.model, self.explanation, self.deep = names.model, names.explanation, names.deep
        self.predictor, self.preset = f"{names.model}-{names.explanation}", preset
        self.filters = {
            layer: read_filters(path)
            for layer, path in grammar.index(
                "filters", inputs.filters, "layer", model=self.model, explanation=self.explanation
            ).items()
        }
        self.readouts = {
            layer: read_filters(path)
            for layer, path in grammar.index(
                "filters", inputs.readouts, "layer", model=self.model, explanation=self.explanation
            ).items()
        }
        self.table = self._table_of("explained_variance")
        self.nulls = names.nulls
        self.explained: ExplainedModel | None = None
        self.unrefined = False  # whether a refinement has kept the weights of its start
        self.nss = pd.Series(dtype=float)
        self.scores = pd.DataFrame()
        for path in self._paths_of("explained"):  # empty if the network predicts no saliency
            shown_on = (grammar.parse("data", data)["dataset"] for data in inputs.data)
            self.explained = ExplainedModel.load(path).on(next(shown_on, None))
            with open_file(path, "explained") as file:
                self.unrefined = file.attrs.get("best_epoch") == 0
            (scores,) = grammar.select(
                "scores", inputs.scores, predictor=self.predictor, preset=preset
            )
            self.scores = read_csv(scores).set_index("stimulus")
            self.nss = self.scores["nss"]
        # a cascade has no files of filters
        self.wavelengths, self.unit = self._wavelengths() if self.filters else ([], "")

    def draw(self, folder: Path) -> dict[str, Any]:
        """
        Draw the figures of the section.

        Parameters
        ----------
        folder : Path

        Returns
        -------
        content : dict
            Values for the template.
        """
        stem = folder / self.predictor
        dpi = self.settings["dpi"]
        beside, is_null = self._beside(), self.nulls is None
        drawing.keep(
            variance.bars(beside), f"{stem}_variance.png", dpi, variance.bars_drawn(beside)
        )
        layer, channel = self._typical_map()
        return {
            "model": self.model,
            "explanation": self.explanation,
            "fused": self.explained is not None,
            "unrefined": self.unrefined,
            "sinks": self._sinks(),
            "cascade": not (self.filters or self.readouts),
            "preset": self.preset,
            "variance_figure": f"{stem}_variance.png",
            "variance_sentences": variance.sentences(beside, is_null),
            "variance_table": variance.table(beside, is_null),
            "variance_details": self._variance_details(),
            **self._draw_readout(stem),
            **self._draw_filters(stem, variance.words(beside, is_null)),
            "layer": layer,
            "channel": channel,
            "stimulus_figures": self._draw_stimuli(stem, layer, channel),
            **self._draw_disagreement(stem),
        }

    def _variance_details(self):
        """Lay out both held-out splits, with what was fitted."""
        cascade = not (self.filters or self.readouts)
        further = ["regressors", "largest_support", "parents"] if cascade else ["pool", "penalty"]
        keys = ["split", "explained_variance", "mean_per_map", "maps", "dead_maps", *further]
        rows = [
            (row["layer"], [f"{row[k]:z.3f}" if k in keys[1:3] else row[k] for k in keys])
            for row in self.table.to_dict("records")
        ]
        return {"columns": [key.replace("_", " ") for key in keys], "rows": rows}

    def _beside(self):
        """Return the explained variance of each layer beside that of the nulls of the run."""
        tables = {
            family: [self._table_of("explained_variance", *name.split("-")) for name in names]
            for family, names in (self.nulls or {}).items()
        }
        return variance.layers_beside(self.table, tables)

    def _model(self):
        """Return the explained model; raise if the network predicts no saliency."""
        if self.explained is None:
            raise ValueError(f"{self.predictor} has no explained model to draw")
        return self.explained

    def _sinks(self):
        """Name the layers that are fused, if they are those of a cascade that no other reads."""
        if self.explained is None or self.explained.cascade is None:
            return []
        fused = [layer.name for layer in self.explained.layers]
        return fused if len(fused) < len(self.explained.cascade.layers) else []

    def _draw_readout(self, stem):
        """Draw the curves of a readout, and list its products."""
        if not self.readouts:
            return {"curves_figure": None}
        drawing.keep(
            readouts.figure_of(self.readouts), f"{stem}_curves.png", self.settings["dpi"],
            readouts.curves_drawn(self.readouts),
        )  # fmt: skip
        rows = []
        for name, filters in self.readouts.items():
            number = readouts.busiest(filters)
            rows += [
                (name, [number, energies, f"{weight:.3g}"])
                for energies, weight in readouts.products(filters, number)[:3]
            ]
        return {"curves_figure": f"{stem}_curves.png", "product_rows": rows}

    def _draw_filters(self, stem, said_of):
        """Draw filters, shares, tuning and sparsity of a direct explanation, nothing else."""
        if not self.filters:
            return {"filters_figure": None}
        first = next(iter(self.filters.values()))
        bank = drawing.bank_of(first["regressors"]["bank"])
        rows = {name: identity_tools.dominant(filters, 6) for name, filters in self.filters.items()}
        space = first["regressors"]["colour"]
        figure = drawing.dominant_filters(rows, bank, space, self.wavelengths)
        dpi = self.settings["dpi"]
        dominant = [{"layer": name, **row} for name, listed in rows.items() for row in listed]
        drawing.keep(figure, f"{stem}_filters.png", dpi, pd.DataFrame(dominant))
        sparsity, tuning = self._table_of("sparsity"), self._table_of("tuning")
        drawing.keep(drawing.sparsity_curves(sparsity), f"{stem}_sparsity.png", dpi, sparsity)
        figure = curves.tuning_beside_people(tuning)
        drawing.keep(figure, f"{stem}_tuning.png", dpi, curves.shares_drawn(tuning))
        scored = None
        if self.explained is not None and self._paths_of("sparsity_scores"):
            table = self._table_of("sparsity_scores")
            scored = f"{stem}_sparsity_scores.png"
            drawing.keep(curves.sparsity_scores(table), scored, dpi, table)
        return {
            "tuning_figure": f"{stem}_tuning.png",
            "luminance": first["regressors"]["colour"] in colour.LUMINANCE_FIRST,
            "without_people": curves.why_without_people(tuning),
            "sparsity_scores_figure": scored,
            "sparsity_figure": f"{stem}_sparsity.png",
            "identity_table": identity_table(self._identity_rows(said_of)),
            "filters_figure": f"{stem}_filters.png",
            "share_figures": self._draw_shares(stem, bank),
            "wavelengths": self.unit,
        }

    def _paths_of(self, kind, model=None, explanation=None):
        """Select the files of a kind for a backbone and explanation, by default its own."""
        return grammar.select(
            kind,
            getattr(self.inputs, kind),
            model=model or self.model,
            explanation=explanation or self.explanation,
        )

    def _table_of(self, kind, model=None, explanation=None):
        """Read the only table of a kind for a backbone and explanation, by default its own."""
        (path,) = self._paths_of(kind, model, explanation)
        return read_csv(path)

    def _identity_rows(self, said_of):
        """Describe the best, median and worst explained map of each layer by its filters."""
        table = self._table_of("identities")
        rows = []
        for layer, identities in table.groupby("layer", sort=False):
            named = identities[identities["named"]]
            for place, number in page.best_median_worst(
                named.groupby("map")["explained_variance"].max()
            ):
                shown = named[named["map"] == number].sort_values("rank")
                reached = shown["explained_variance"].max()
                explained = reached >= variance.FLOOR and said_of[layer] == variance.EXPLAINED
                said = "identified as" if explained else variance.PREDICTABLE
                predicted = reached > 0  # else the mean of the map predicts it better
                rows.append(
                    {
                        "layer": layer,
                        "place": place,
                        "map": int(number),
                        "said": said if predicted else "not predicted",
                        "explained_variance": float(reached),
                        "words": words.identity(shown.iloc[0]) if predicted else "",
                        "filters": [_described(row) for _, row in shown.iterrows() if predicted],
                    }
                )
        return rows

    def _wavelengths(self):
        """Return a label of each scale (px of the stimulus, cycles/degree), and a note on px."""
        bank = drawing.bank_of(next(iter(self.filters.values()))["regressors"]["bank"])
        return scale_labels(self._table_of("tuning"), bank.wavelengths_px)

    def _typical_map(self):
        """Return the middle recorded layer, and its map of median explained variance."""
        if self.filters:
            variance = {name: fit["explained_variance"] for name, fit in self.filters.items()}
        elif self._model().cascade is None:  # a readout, whose filters have no figures
            variance = {fitted.name: -fitted.residual_sd for fitted in self._model().fitted}
        else:
            variance = {
                fitted.name: 1 - (fitted.residual_sd / np.maximum(fitted.map_sd, 1e-12)) ** 2
                for fitted in self._model().whole_cascade.layers
                if fitted.name in self._recorded()
            }
        if not variance:
            return None, 0
        layer = list(variance)[len(variance) // 2]
        alive = np.flatnonzero(~np.isnan(variance[layer]))
        ordered = alive[np.argsort(variance[layer][alive])]
        return layer, int(ordered[len(ordered) // 2]) if len(ordered) else 0

    def _recorded(self):
        """List the layers in the activation files of the backbone."""
        return layer_names(
            grammar.select("activations", self.inputs.activations, model=self.model)[0]
        )

    def _draw_shares(self, stem, bank):
        paths, table = [], self._table_of("identities")
        by_layer = [identity_tools.shares(filters, table) for filters in self.filters.values()]
        for grouping in identity_tools.GROUPINGS:
            found = [shares[grouping] for shares in by_layer]
            labels, values = found[0][0], np.array([of_layer for _, of_layer, _ in found])
            names = [self._label(grouping, label, bank) for label in labels]
            figure = drawing.share_bars(list(self.filters), values, names, grouping)
            path = f"{stem}_shares_{grouping}.png"
            shown = pd.DataFrame(values, index=list(self.filters), columns=names)
            table = shown.rename_axis("layer").reset_index()
            drawing.keep(figure, path, self.settings["dpi"], table)
            paths.append({"path": path, "grouping": grouping})
        return paths

    def _label(self, grouping, label, bank):
        if grouping == "scale":
            return "no scale" if label == "none" else self.wavelengths[int(label)]
        if grouping == "orientation":
            if label == "none":
                return "no orientation"
            return f"{np.degrees(bank.orientations[int(label)]):.0f}°"
        if grouping == "colour" and label != "none":
            space = next(iter(self.filters.values()))["regressors"]["colour"]
            return colour.CHANNELS[space][int(label)]
        return "position" if label == "none" else label

    def _draw_stimuli(self, stem, layer, channel):
        chosen = page.quantile_stimuli(self.nss, self.settings["n_stimuli"])
        figures = []
        for number, name in enumerate(chosen):
            figure = drawing.stimulus_panels(
                self._panels(name, layer, channel), self.settings["colour_map"]
            )
            path = f"{stem}_stimulus_{number}.png"
            scores = self.scores.loc[[name]].reset_index()
            drawing.keep(figure, path, self.settings["dpi"], scores)
            figures.append({"path": path, "name": name, "nss": float(self.nss[name])})
        return figures

    def _draw_disagreement(self, stem):
        """Draw where network and explanation part most, and least; write all stimuli as CSV."""
        paths = grammar.select(
            "fidelity_stimuli",
            self.inputs.fidelity_stimuli,
            model=self.deep,
            predictor=self.predictor,
        )
        if self.explained is None or not paths:
            return {"disagreement_figure": None}
        gains = [read_csv(path) for path in self._paths_of("bits_parts")]
        ranked = partings.ranked(read_csv(paths[0]), gains)
        shown = ranked[ranked["shown"] != ""]
        rows = []
        for place, name, kl in shown[["shown", "stimulus", "kl_deep"]].itertuples(index=False):
            block, index, number = self._find(name)
            points = fixations.to_pixels(block.points(index)[0], block.size(index))
            maps = [self._density(which, number, index) for which in (self.deep, self.predictor)]
            rows.append((f"{place}: {kl:.2f} bits", block.image(index), points, *maps))
        figure = partings.disagreement(rows, self.settings["colour_map"])
        drawing.keep(figure, f"{stem}_disagreement.png", self.settings["dpi"], ranked)
        columns = [column for column in shown if column not in ("shown", "stimulus")]
        return {
            "disagreement_figure": f"{stem}_disagreement.png",
            "disagreement_table": {
                "columns": columns,
                "rows": [
                    (f"{row['shown']}: {row['stimulus']}", [f"{row[c]:z.2f}" for c in columns])
                    for _, row in shown.iterrows()
                ],
            },
        }

    def _find(self, name, concepts=()):
        """Return the block of a stimulus, its index there, and the block's name."""
        for data in self.inputs.data:
            block = read_data(data, concepts=concepts)
            if name in block.names:
                return block, block.names.index(name), grammar.parse("data", data)["block"]
        raise KeyError(f"{name} is in no block of the test split")

    def _density(self, predictor, block, index):
        """Return the density that a predictor gives to a stimulus."""
        (path,) = grammar.select("saliency", self.inputs.saliency, predictor=predictor, block=block)
        return read_density(path, index)

    def _panels(self, name, layer, channel):
        """List image, fixations, maps, an activation and its reconstruction of one stimulus."""
        concepts = [
            path
            for concept in self._model().concepts
            for path in grammar.select("concepts", self.inputs.concepts, concept=concept)
        ]
        block, index, stem = self._find(name, concepts)
        size = block.size(index)
        image = block.image(index)
        points, _ = block.points(index)
        maps, placement = self._model().reconstruct(block.view(index))
        shown = image, fixations.to_pixels(points, size)
        head = "\n".join(filter(None, [drawing.title_of(name), f"{len(points)} fixations"]))
        panels = [(head, "fixations", shown)]
        maps_shown = [
            self._density(predictor, stem, index)
            for predictor in ("gold_standard", self.deep, self.predictor)
        ]
        titles = ("gold standard\n(all observers)", f"{self.deep}\n(deep)",
                  f"{self.explanation}\n(explained)")  # fmt: skip
        panels += [(t, "density", m) for t, m in zip(titles, maps_shown, strict=True)]
        _, deep, explained = maps_shown
        panels.append(("deep over\nexplained", "ratio", np.log2(deep / explained)))
        if layer is None:
            return panels
        activation = self._activation(stem, index, layer, placement)
        panels.append((f"activation\n{layer} {channel}", "activation", activation[channel]))
        panels.append((f"reconstruction\n{layer} {channel}", "activation", maps[layer][channel]))
        return panels

    def _activation(self, stem, index, layer, placement):
        (path,) = grammar.select(
            "activations", self.inputs.activations, model=self.model, block=stem
        )
        model = self._model()
        layers = model.layers if model.cascade is None else model.cascade.layers
        (fitted,) = (fitted for fitted in layers if fitted.name == layer)
        for stimulus, _, _, maps in read_layers(path, [layer]):
            if stimulus == index:
                valid = layer_tools.valid_maps(maps, [fitted], placement)[layer]
                passed = fitted.layer.passed or fitted.layer.nonlinearity
                return np.maximum(valid, 0) if passed != "none" else valid
        raise KeyError(f"stimulus {index} is not in {path}")


def identity_table(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """
    Lay out identities, one row per map.

    Parameters
    ----------
    rows : sequence of dict
        `layer, place, map, said, explained_variance, words, filters`.

    Returns
    -------
    table : dict
        `columns`, `rows`.
    """
    columns = ["map", "explained variance", "the map is", "first of all",
               "filters in the order of their choice"]  # fmt: skip
    cells = [
        (
            f"{row['layer']}, {row['place']}",
            [row["map"], f"{row['explained_variance']:z.3f}", row["said"], row["words"],
             "; ".join(row["filters"])],
        )
        for row in rows
    ]  # fmt: skip
    return {"columns": columns, "rows": cells}


def _described(row):
    """Return one filter of an identity in words, with its weight and what it explains."""
    return f"{words.identity(row)} ({row['weight']:+.2f}; {row['explained_variance']:.2f})"


def scale_labels(tuning: pd.DataFrame, input_px: np.ndarray) -> tuple[list[str], str]:
    """
    Label the scales of a bank in px of the stimulus, as all tables of an explanation have them.

    Parameters
    ----------
    tuning : DataFrame
        As `results/tuning/{model}/{dataset}/{explanation}.csv`, with a row of a scale at least.
    input_px : float array (scale,)
        Wavelengths in px of the network's input.

    Returns
    -------
    labels : list of str
        Of each scale, with cycles per degree where px per degree are known.
    note : str
        Sentences on the px.
    """
    row = tuning[tuning["property"] == "wavelength"].iloc[0]
    scale_px = row["wavelength_px"] / input_px[int(row["label"])]
    per_degree = row["wavelength_px"] * row["cycles_per_degree"]
    note = (
        "All wavelengths of the explanation are px of the stimulus, at the median enlargement of "
        f"the validation stimuli: a px of the network's input is {scale_px:.3g} of them."
    )
    if not np.isfinite(per_degree):
        return [f"{w:.3g} px" for w in scale_px * input_px], f"{note} px per degree are not known."
    labels = [f"{w:.3g} px, {per_degree / w:.2g} c/deg" for w in scale_px * input_px]
    return labels, note
