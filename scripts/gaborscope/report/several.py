"""Several networks on several data sets: the tables, findings and figures of one page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gaborscope.refutation import verdicts
from gaborscope.report import drawing, fidelity, styles

METRICS = {  # those of the preset are shown
    "auc_judd": "AUC", "auc": "AUC", "nss": "NSS", "cc": "CC", "kld": "KLD", "sim": "SIM",
    "ig": "IG",
}  # fmt: skip
CLASSICAL = ("itti_koch", "gbvs", "spectral_residual", "sun")
PEOPLE = ("loggabor_fixations", "loggabor_equal")  # banks fitted to fixations
WEAK = 2  # a network below so many times the NSS of the centre bias is weak
ENDS = ["ci_low", "ci_high"]
# Of figures, with a CSV beside each: not those of tables of record.
FIGURES = ("on_people", "beside_nulls")


class Several:
    """
    What a run says of all its networks and data sets.

    Parameters
    ----------
    run : dict
        As `run.json`: `config`, `compared`, `roles`, `families`.
    summary, fidelity, verdicts : DataFrame
        As the tables of results/.

    Attributes
    ----------
    models, datasets : list of str
    metrics : dict of str to str
        The columns of the scores, by the name of the metric.
    explained : dict of str to list of str
        By model, the predictors that explain it, in the order of the config.
    """

    def __init__(
        self,
        run: Mapping[str, Any],
        summary: pd.DataFrame,
        fidelity: pd.DataFrame,
        verdicts: pd.DataFrame,
    ) -> None:
        self.config, self.roles, self.families = run["config"], run["roles"], run["families"]
        self.preset = self.config["presets"][0]
        self.datasets = list(self.config["evaluate_on"])
        self.models = list(dict.fromkeys(model for model, *_ in run["compared"]))
        summary = summary[summary["preset"] == self.preset]
        self.summary = summary.set_index(["predictor", "dataset", "metric"]).sort_index()
        known = set(self.summary.index.get_level_values("metric"))
        self.metrics = {name: label for name, label in METRICS.items() if name in known}
        names = {(model, name): own for model, own, _, name in run["compared"]}
        self.closeness = {}
        for model in self.models:
            own = {name: predictor for (deep, name), predictor in names.items() if deep == model}
            rows = fidelity[fidelity["predictor"].isin(own)]
            rows = rows.assign(predictor=rows["predictor"].map(own))
            keys = ["predictor", "dataset", "measure"]
            self.closeness[model] = rows.set_index(keys).sort_index()
        self.judged = verdicts
        order = list(self.config["explanations"])
        self.explained = {
            model: sorted(
                self._with_role(model, "explanation", run), key=lambda p: order.index(_way(p))
            )
            for model in self.models
        }
        self.banks = {m: self._with_role(m, "no layer between", run) for m in self.models}

    def _with_role(self, model, role, run):
        own = dict.fromkeys(predictor for deep, predictor, *_ in run["compared"] if deep == model)
        return [predictor for predictor in own if self.roles[predictor] == role]

    @property
    def cases(self) -> list[tuple[str, str]]:
        """Each network with each data set."""
        return [(model, dataset) for model in self.models for dataset in self.datasets]

    def classical(self) -> list[str]:
        """Return the classical models that were scored."""
        return [name for name in CLASSICAL if (name, self.datasets[0], "ig") in self.summary.index]

    def random_networks(self, predictor: str) -> list[str]:
        """Return the same explanation of random networks."""
        model = predictor.partition("-")[0]
        return self.families.get(model, {}).get(_way(predictor), {}).get("random_networks", [])

    def score(self, predictor: str, dataset: str, metric: str) -> pd.Series:
        """Return `mean, ci_low, ci_high, n` of a predictor on people."""
        return self.summary.loc[(predictor, dataset, metric)]

    def close(self, model: str, predictor: str, dataset: str) -> pd.Series:
        """Return `mean, ci_low, ci_high, n` of a predictor's fidelity to a network."""
        return self.closeness[model].loc[(predictor, dataset, "fidelity")]

    def weak(self) -> list[tuple[str, str]]:
        """Return the cases whose network has not `WEAK` times the NSS of the centre bias."""
        return [
            (model, dataset)
            for model, dataset in self.cases
            if self.score(model, dataset, "nss")["mean"]
            < WEAK * self.score("centre_bias", dataset, "nss")["mean"]
        ]

    # Tables

    def scores(self, dataset: str) -> str:
        """
        Lay out the scores on people as Markdown.

        Parameters
        ----------
        dataset : str

        Returns
        -------
        text : str
            A row for each network, each of its explanations, and each predictor without a network.
        """
        lines = [["predictor", *self.metrics.values()]]
        rows = [name for model in self.models for name in (model, *self.explained[model])]
        rows += ["centre_bias", *self.classical()]
        rows += [name for name in PEOPLE if (name, dataset, "ig") in self.summary.index]
        for name in [*rows, "gold_standard"]:
            marked = f"`{name}`" + (" (weak)" if (name, dataset) in self.weak() else "")
            values = [self.score(name, dataset, metric)["mean"] for metric in self.metrics]
            lines.append([marked, *(_number(value, 3) for value in values)])
        return markdown(lines)

    def beside_nulls(self, model: str) -> str:
        """
        Lay out the fidelity of a network's explanations beside their nulls as Markdown.

        Parameters
        ----------
        model : str

        Returns
        -------
        text : str
            A column for each data set. A family of nulls has its mean and its range.
        """
        rows = []
        for name in self.explained[model]:
            rows.append((f"`{name}`", [name]))
            if family := self.random_networks(name):
                rows.append((f"`{_way(name)}` of {len(family)} random networks", family))
        rows += [(f"`{name}`", [name]) for name in self.banks[model]]
        rows += [(f"`{name}`", [name]) for name in (*PEOPLE, *self.classical())]
        lines = [["predictor", *self.datasets]]
        for label, names in rows:
            if (names[0], self.datasets[0], "fidelity") in self.closeness[model].index:
                cells = [self._cell(model, names, dataset) for dataset in self.datasets]
                lines.append([label, *cells])
        return markdown(lines)

    def _cell(self, model, names, dataset):
        found = [self.close(model, name, dataset) for name in names]
        if len(found) == 1:
            mean, low, high = (_number(found[0][key], 2) for key in ("mean", *ENDS))
            return f"{mean} [{low}, {high}]"
        means = [row["mean"] for row in found]
        mean, low, high = (_number(value, 2) for value in (np.mean(means), min(means), max(means)))
        return f"{mean} ({low} to {high})"

    def verdict_counts(self) -> str:
        """
        Lay out how many tests each explanation passes on each data set as Markdown.

        Returns
        -------
        text : str
            Cells such as "not shown: passes 7, fails 2, not run 1".
        """
        lines = [["explanation", *self.datasets]]
        for model in self.models:
            for name in self.explained[model]:
                own = self.judged[
                    (self.judged["model"] == model) & (self.judged["explanation"] == _way(name))
                ]
                cells = [_counted(own[own["dataset"] == dataset]) for dataset in self.datasets]
                lines.append([f"`{name}`", *cells])
        return markdown(lines)

    # Findings

    def main(self, model: str) -> str:
        """Return the explanation that a network's findings are about: its first."""
        return self.explained[model][0]

    def findings(self) -> list[str]:
        """Return three findings, as the tables have them."""
        return [self._on_people(), self._beside_nulls(), self._few_filters()]

    def _ways(self):
        ways = dict.fromkeys(_way(self.main(model)) for model in self.models)
        return " and ".join(f"`{way}`" for way in ways)

    def _on_people(self):
        rivals = self.classical()
        if not rivals:
            return "No classical model was run, so the explanations are not held against any."
        above, shares = 0, []
        for model, dataset in self.cases:
            own = self.score(self.main(model), dataset, "ig")
            best = max(self.score(rival, dataset, "ig")["ci_high"] for rival in rivals)
            above += bool(own["ci_low"] > best)
            deep = self.score(model, dataset, "ig")["mean"]
            shares += [own["mean"] / deep] if deep > 0 else []
        words = (
            f"{_claim(above, len(self.cases))} {self._ways()} predicts people better than every "
            f"classical model ({_of(above, len(self.cases))}, information gain, intervals apart)."
        )
        if shares:
            words += (
                f" It has {_percent(min(shares))} to {_percent(max(shares))} of the information "
                "gain of its network."
            )
        return words

    def _beside_nulls(self):
        tested = [case for case in self.cases if self.random_networks(self.main(case[0]))]
        above, layers = 0, {"closer": 0, "not shown": 0, "farther": 0, "": 0}
        for model, dataset in self.cases:
            name = self.main(model)
            if family := self.random_networks(name):
                most = max(self.close(model, null, dataset)["mean"] for null in family)
                above += bool(self.close(model, name, dataset)["ci_low"] > most)
            part = self.closeness[model].xs(dataset, level="dataset")
            layers[fidelity.by_layers(part, name)] += 1
        if not tested:
            first = f"No random network was explained, so {self._ways()} is not held against any."
        else:
            first = (
                f"{_claim(above, len(tested))} {self._ways()} is closer to the trained network "
                f"than that of any random network ({_of(above, len(tested))}, interval above all)."
            )
        n = len(self.cases)
        return (
            f"{first} The layers bring it closer than a bank fitted straight to the map in "
            f"{_of(layers['closer'], n)}, take it farther away in {_of(layers['farther'], n)}, and "
            f"are not shown to matter in {_of(layers['not shown'], n)}."
        )

    def _few_filters(self):
        """Compare the refined cascade with the smallest budget with its start and the first."""
        over = {"first": [0, 0], "start": [0, 0]}
        cases, budgets = 0, set[int]()
        for model, dataset in self.cases:
            small = self.smallest(model)
            if small is None:
                continue
            cases += 1
            budgets.add(self.budget(_way(small)) or 0)
            start = f"{model}-{self.config['explanations'][_way(small)]['start']}"
            for key, other in (("first", self.main(model)), ("start", start)):
                own, rival = (self.close(model, each, dataset) for each in (small, other))
                over[key][0] += bool(own["ci_low"] > rival["ci_high"])
                over[key][1] += bool(own["ci_high"] < rival["ci_low"])
        if not cases:
            return "No refined cascade with a budget was run, so few filters are not tried."
        most = " or ".join(str(budget) for budget in sorted(budgets))
        return (
            f"{_claim(over['first'][0], cases)} a refined cascade of at most {most} filters per "
            f"map is closer to the network than {self._ways()} "
            f"({_of(over['first'][0], cases)}, intervals apart; farther in "
            f"{_of(over['first'][1], cases)}). Refinement brings it closer in "
            f"{_of(over['start'][0], cases)}."
        )

    def budget(self, way: str) -> int | None:
        """Return the filters per map that an explanation may have; None: without a limit."""
        entry = self.config["explanations"][way]
        if entry.get("budget") is None and entry["mode"] == "refined":
            return self.budget(entry["start"])
        return entry.get("budget") if entry["mode"] != "direct" else None

    def smallest(self, model: str) -> str | None:
        """Return the refined explanation of a network with the smallest budget."""
        refined = [
            name
            for name in self.explained[model]
            if self.config["explanations"][_way(name)]["mode"] == "refined"
            and self.budget(_way(name)) is not None
        ]
        return min(refined, key=lambda name: self.budget(_way(name)) or 0, default=None)

    def weakness(self) -> str:
        """Say which networks are weak on which data sets."""
        names = [f"{model} on {dataset}" for model, dataset in self.weak()]
        if not names:
            return "No network is weak: each has more than twice the NSS of the centre bias."
        return (
            f"Weak, with less than twice the NSS of the centre bias: {', '.join(names)}. What "
            "explains a weak network says little of deep saliency models."
        )

    # Figures

    def draw(self, folder: Path, dpi: int) -> list[Path]:
        """
        Draw the figures of the page.

        Parameters
        ----------
        folder : Path
        dpi : int

        Returns
        -------
        paths : list of Path
            PNG, with an SVG and a CSV beside each: information gain on people, and fidelity.
        """
        drawn = []
        for name in FIGURES:
            data = self.drawn(name)
            label = {
                "on_people": "information gain on people, bits (0: the centre bias)",
                "beside_nulls": "fidelity (0: the centre bias, 1: the network)",
            }[name]
            path = Path(folder) / f"{name}.png"
            drawn.append(drawing.keep(dots(data, self.datasets, label), path, dpi, data))
        return drawn

    def drawn(self, name: str) -> pd.DataFrame:
        """
        Return the table behind a figure.

        Parameters
        ----------
        name : {"on_people", "beside_nulls"}

        Returns
        -------
        table : DataFrame
            `dataset, row, predictor, role, mean, ci_low, ci_high`.
        """
        rows = []
        for dataset in self.datasets:
            for model in self.models:
                members = [(own, own, "explanation") for own in self.explained[model]]
                for own in self.explained[model]:
                    label = f"{own}, random"
                    members += [(label, n, "random network") for n in self.random_networks(own)]
                if name == "beside_nulls":
                    members += [(own, own, "no layer between") for own in self.banks[model]]
                else:
                    members.insert(0, (model, model, "another training"))
                for row, predictor, role in members:
                    found = (
                        self.close(model, predictor, dataset)
                        if name == "beside_nulls"
                        else self.score(predictor, dataset, "ig")
                    )
                    rows.append((dataset, row, predictor, role, *found[["mean", *ENDS]]))
            for own in (*self.classical(), "gold_standard") if name == "on_people" else ():
                found = self.score(own, dataset, "ig")
                rows.append((dataset, own, own, "no network", *found[["mean", *ENDS]]))
        return pd.DataFrame(rows, columns=["dataset", "row", "predictor", "role", "mean", *ENDS])


def dots(data: pd.DataFrame, datasets: Sequence[str], label: str) -> Figure:
    """
    Draw values with their intervals, a panel for each data set; a family shares a row.

    Parameters
    ----------
    data : DataFrame
        From `Several.drawn`.
    datasets : sequence of str
    label : str
        Of the values.

    Returns
    -------
    figure : matplotlib.figure.Figure
    """
    rows = list(dict.fromkeys(data["row"]))
    figure, axes = plt.subplots(
        1, len(datasets), sharey=True, squeeze=False, layout="constrained",
        figsize=(2.2 + 2.3 * len(datasets), 0.9 + 0.19 * len(rows)),
    )  # fmt: skip
    for axis, dataset in zip(axes[0], datasets, strict=True):
        for _, value in data[data["dataset"] == dataset].iterrows():
            style, y = styles.ROLES[value["role"]], len(rows) - 1 - rows.index(value["row"])
            if value["row"] == value["predictor"]:
                axis.hlines(y, value["ci_low"], value["ci_high"], color=style.colour, linewidth=1.5)
            axis.plot(value["mean"], y, color=style.colour, marker=style.marker, markersize=4)
        axis.axvline(0, color="0.5", linestyle=":", linewidth=0.8)
        axis.set_title(dataset, fontsize=8)
        axis.tick_params(labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].set_yticks(range(len(rows)), rows[::-1], fontsize=7)
    figure.supxlabel(label, fontsize=8)
    return figure


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """Return rows of cells, the head first, as a table in Markdown."""
    head, *body = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([head, "|" + "---|" * len(lines[0]), *body])


def _counted(rows):
    """Say the overall verdict and how many tests have each outcome."""
    if rows.empty:
        return "not judged"
    overall = rows[rows["test"] == verdicts.OVERALL]["passed"]
    tests = rows[rows["test"] != verdicts.OVERALL].groupby("test", sort=False)
    counts = pd.Series([verdicts.outcome(part) for _, part in tests]).value_counts()
    said = [f"{word} {counts[word]}" for word in verdicts.OUTCOMES if word in counts]
    return f"{'shown' if list(overall) == ['true'] else 'not shown'}: {', '.join(said)}"


def _way(predictor):
    """Return the explanation of a predictor."""
    return predictor.partition("-")[2]


def _claim(k, n):
    """Begin a sentence that holds in k of n cases."""
    if k == n:
        return "Everywhere"
    return "Nowhere is it shown that" if not k else "In most cases" if 2 * k > n else "In few cases"


def _of(k, n):
    return f"{k} of {n}"


def _percent(share):
    return f"{100 * share:.0f} %"


def _number(value, digits):
    return "undefined" if np.isnan(value) else f"{value:z.{digits}f}"
