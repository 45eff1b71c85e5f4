"""Pages of the documentation whose every figure comes from a table of record."""

import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from gaborscope.errors import InputError
from gaborscope.refutation import verdicts
from gaborscope.report import anatomy, fidelity, partings, several, variance
from gaborscope.report.several import markdown

DPI = 150  # of figures
ESTIMATE = ("mean", "ci_low", "ci_high")  # columns of a value with its interval


class Tables:
    """
    Tables of record of one case, as a template reads them.

    Parameters
    ----------
    folder : Path
        `docs/results/{case}`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str, where: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """
        Rows of a table.

        Parameters
        ----------
        name : str
            Name of the file, without `.csv`.
        where : dict of str to object, optional
            By column, the value that the rows must have, or a list of values.

        Returns
        -------
        rows : DataFrame
            A table by model and explanation also has a column `predictor`.

        Raises
        ------
        InputError
            If there is no such table or column, or no such row.
        """
        path = self.folder / f"{name}.csv"
        if not path.is_file():
            raise InputError(f"{path} is missing; take the tables of a run there (make record)")
        rows = pd.read_csv(io.BytesIO(path.read_bytes()), dtype={"passed": str})
        if "predictor" not in rows and {"model", "explanation"} <= set(rows):
            rows["predictor"] = rows["model"] + "-" + rows["explanation"]
        for column, wanted in (where or {}).items():
            if column not in rows:
                raise InputError(f"{path} has no column {column!r}; it has {', '.join(rows)}")
            values = wanted if isinstance(wanted, list) else [wanted]
            rows = rows[rows[column].isin(values)]
        if rows.empty:
            raise InputError(f"{path} has no row with {dict(where or {})}")
        return rows

    def has(self, name: str, **where: Any) -> bool:
        """
        Tell whether a table is there and has such rows.

        Parameters
        ----------
        name : str
        **where
            See `read`.

        Returns
        -------
        has : bool
        """
        try:
            return not self.read(name, where).empty
        except InputError:
            return False

    def value(self, name: str, column: str = "mean", **where: Any) -> Any:
        """
        Return one value, for a page to decide by.

        Parameters
        ----------
        name, column : str
        **where
            See `read`; exactly one row must be left.

        Returns
        -------
        value : float or str
        """
        return self._single(name, where)[column]

    def number(
        self, name: str, column: str = "mean", digits: int = 3, sign: bool = False, **where: Any
    ) -> str:
        """
        Return one value as text.

        Parameters
        ----------
        name : str
        column : str
        digits : int
            Behind the point.
        sign : bool
            Whether a positive value has its sign.
        **where
            See `read`; exactly one row must be left.

        Returns
        -------
        text : str

        Raises
        ------
        InputError
            If there are several such rows.
        """
        row = self._single(name, where)
        return _number(row[column], digits, "+" if sign else "")

    def estimate(
        self,
        name: str,
        digits: int = 3,
        sign: bool = False,
        columns: Sequence[str] = ESTIMATE,
        **where: Any,
    ) -> str:
        """
        Return a value with its interval as text, such as "0.52 [0.50, 0.54]".

        Parameters
        ----------
        name, digits, sign, **where
            As for `number`.
        columns : (str, str, str)
            Columns of the value and of the ends of its interval.

        Returns
        -------
        text : str
        """
        row = self._single(name, where)
        return _estimate([row[column] for column in columns], digits, "+" if sign else "")

    def values(
        self, name: str, predictors: Sequence[str], column: str = "mean", **where: Any
    ) -> list[float]:
        """
        Return one value of each of a family of predictors.

        Parameters
        ----------
        name : str
        predictors : sequence of str
            Each has one row.
        column, **where
            As for `value`.

        Returns
        -------
        values : list of float
        """
        return [self.value(name, column, predictor=one, **where) for one in predictors]

    def spread(
        self,
        name: str,
        predictors: Sequence[str],
        column: str = "mean",
        digits: int = 3,
        **where: Any,
    ) -> str:
        """
        Return the mean of a family of predictors with its range, such as "0.31 (0.28 to 0.33)".

        Parameters
        ----------
        name : str
        predictors : sequence of str
            Each has one row.
        column, digits, **where
            As for `number`.

        Returns
        -------
        text : str
            Of a single predictor its value alone.
        """
        return _ranged(self.values(name, predictors, column, **where), digits)

    def times(self, name: str, predictor: str, other: str, digits: int = 2, **where: Any) -> str:
        """
        Return how many times another predictor's mean a predictor's mean is, as text.

        Parameters
        ----------
        name, predictor, other : str
        digits, **where
            As for `number`.

        Returns
        -------
        text : str
            "undefined" where the other's mean is not above zero.
        """
        mean, of = self.values(name, [predictor, other], **where)
        return _number(mean / of if of > 0 else np.nan, digits, "")

    def table(
        self,
        name: str,
        index: str,
        across: str,
        columns: Sequence[str] | None = None,
        rows: Sequence[str] | None = None,
        digits: int = 3,
        values: Sequence[str] = ESTIMATE,
        **where: Any,
    ) -> str:
        """
        Lay out a table as Markdown: one value with its interval per row and column.

        Parameters
        ----------
        name : str
        index, across : str
            Columns whose values become rows and columns.
        columns, rows : sequence of str, optional
            Which of them, in this order; by default all, as the file has them.
        digits : int
        values : (str, str, str)
        **where
            See `read`.

        Returns
        -------
        text : str
            Cells that the file lacks are empty.
        """
        found = self.read(name, where)
        rows = list(dict.fromkeys(found[index])) if rows is None else list(rows)
        columns = list(dict.fromkeys(found[across])) if columns is None else list(columns)
        cells = found.set_index([index, across])[list(values)]
        if cells.index.has_duplicates:
            raise InputError(f"{name}: several rows have one {index} and {across}; say which")
        lines = [[index, *columns]]
        for row in rows:
            if row not in set(found[index]):
                raise InputError(f"{self.folder / name}.csv has no {index} {row!r}")
            texts = [
                _estimate(cells.loc[row, column], digits, "")
                if (row, column) in cells.index
                else ""
                for column in columns
            ]
            lines.append([f"`{row}`", *texts])
        return markdown(lines)

    def listing(self, name: str, columns: Mapping[str, str], digits: int = 3, **where: Any) -> str:
        """
        Lay out rows as they are as Markdown.

        Parameters
        ----------
        name : str
        columns : dict of str to str
            Columns of the file, by the head that they get.
        digits : int
        **where
            See `read`.

        Returns
        -------
        text : str
        """
        found = self.read(name, where)
        lines = [list(columns)]
        for _, row in found.iterrows():
            cells = [row[column] for column in columns.values()]
            lines.append([_number(c, digits, "") if _is_float(c) else str(c) for c in cells])
        return markdown(lines)

    def run(self) -> dict[str, Any]:
        """
        Return where the tables come from.

        Returns
        -------
        run : dict
            `commits`, `date`, `processor`, `config_files`, `config`, `versions`, and of the plan
            `compared`, `roles` and `families`; see `scripts/record.py`.
        """
        return json.loads((self.folder / "run.json").read_text(encoding="utf-8"))

    def verdicts(self, predictor: str) -> dict[str, Any]:
        """
        Return the verdicts on one explanation.

        Parameters
        ----------
        predictor : str
            `{model}-{explanation}`.

        Returns
        -------
        verdicts : dict
            See `refutation.verdicts.content`; `outcomes` is a dict.
        """
        (found,) = verdicts.content(self.read("verdicts", {"predictor": predictor}))
        return {**found, "outcomes": dict(found["outcomes"])}

    def standing(self, predictor: str, metric: str) -> dict[str, list[str]]:
        """
        Sort the rivals of an explanation by what its tests say of it.

        Parameters
        ----------
        predictor : str
            `{model}-{explanation}`.
        metric : {"ig", "kl_deep"}

        Returns
        -------
        standing : dict of str to list of str
            "better", "not shown" and "worse": rivals, as the tests name them; where a test has
            several, each by its name. Better and worse by p as Holm corrects it for all tests of
            the explanation.
        """
        sorted_in: dict[str, list[str]] = {"better": [], "not shown": [], "worse": []}
        rows = self.read("verdicts", {"predictor": predictor, "metric": metric})
        rows = rows[rows["test"].str.startswith("above_")]
        one_of_several = rows["test"].duplicated(keep=False)
        for own, (_, row) in zip(one_of_several, rows.iterrows(), strict=True):
            name = row["test"].removeprefix("above_").replace("_", " ")
            name = f"`{row['against']}`" if own or "-" not in row["against"] else name
            clear = "better" if row["value"] > 0 else "worse"
            sorted_in[clear if row["p_holm"] <= verdicts.LIMIT else "not shown"].append(name)
        return sorted_in

    def named(self, predictor: str) -> list[dict[str, Any]]:
        """
        Describe for each layer the filters that its maps are named by.

        Parameters
        ----------
        predictor : str
            `{model}-{explanation}`.

        Returns
        -------
        layers : list of dict
            `layer`; `per_map`, the median number of names of the maps that have any;
            `cycles_per_degree`, the median of the names that have a frequency; `kind` and `colour`,
            which has the largest part of all shares, and `kind_part` and `colour_part`.
        """
        layers = []
        names = self.read("identities", {"predictor": predictor})
        for layer, part in names.groupby("layer", sort=False):
            row = {
                "layer": layer,
                "per_map": part.groupby("map").size().median(),
                "cycles_per_degree": part["cycles_per_degree"].median(),
            }
            for key in ("kind", "colour"):
                parts = part.fillna({key: "none"}).groupby(key)["share"].sum() / part["share"].sum()
                row |= {key: parts.idxmax(), f"{key}_part": parts.max()}
            layers.append(row)
        return layers

    def layers(self, predictor: str) -> dict[str, Any]:
        """
        Describe how much of each layer is explained on the test split, beside nulls.

        Parameters
        ----------
        predictor : str
            `{model}-{explanation}`.

        Returns
        -------
        layers : dict
            `sentences`, see `report.variance.sentences`; `rows`, by layer a dict of text: `layer`,
            `with_position`, `without_position`; without position the largest of a `wrong_bank` and
            the mean of `random` networks, each with its range; and `word`.
        """
        model, _, explanation = predictor.partition("-")
        table = self.read("explained_variance")
        families = {
            family: [table[table["predictor"] == name] for name in names]
            for family, names in self.run()["families"][model][explanation].items()
            if not family.startswith("from_")  # random in part: no wrong bank
        }
        beside = variance.layers_beside(table[table["predictor"] == predictor], families)
        words, rows = variance.words(beside, is_null=False), []
        for layer in beside:
            nulls = {name: variance.decisive(draws) for name, draws in layer["nulls"].items()}
            random = nulls.pop(variance.RANDOM, np.empty(0))
            wrong = np.concatenate([np.empty(0), *nulls.values()])
            rows.append(
                {
                    "layer": layer["layer"],
                    "with_position": _number(layer["both"][0], 2, ""),
                    "without_position": _number(layer["both"][1], 2, ""),
                    "wrong_bank": _number(wrong.max(), 2, "") if len(wrong) else "",
                    "random": _ranged(random, 2) if len(random) else "",
                    "word": words[layer["layer"]],
                }
            )
        return {"sentences": variance.sentences(beside, is_null=False), "rows": rows}

    def closeness(self, folder: Path | None = None) -> list[dict[str, Any]]:
        """
        Draw the figures of fidelity.

        Parameters
        ----------
        folder : Path, optional
            By default that of the tables.

        Returns
        -------
        content : list of dict
            See `report.fidelity.content`; none where no deep model is explained.
        """
        if not self.has("fidelity"):
            return []
        run, table = self.run(), self.read("fidelity")
        return fidelity.content(table, self._compared(), run["roles"], folder or self.folder, DPI)

    def bits(self, folder: Path | None = None) -> dict[str, Any]:
        """
        Lay out explained bits, and draw their figure.

        Parameters
        ----------
        folder : Path, optional
            Where the figure goes, if not beside the tables.

        Returns
        -------
        bits : dict
            As `report.anatomy.bits_content` returns it, and `markdown`: its table, a row for each
            part.
        """
        rows = self.read("bits")
        whose = rows["predictor"].where(rows["model"] != "gold_standard", anatomy.PEOPLE)
        tables = {name: part.set_index("part") for name, part in rows.groupby(whose, sort=False)}
        keys = ["model", "dataset", "explanation", "predictor"]
        tables = {name: part.drop(columns=keys) for name, part in tables.items()}
        path = (folder or self.folder) / "explained_bits.png"
        content = anatomy.bits_content(tables, path, DPI)
        whose, cells = zip(*content["bits_table"]["rows"], strict=True)
        lines = [["part", *whose]]
        for part, *row in zip(content["bits_table"]["columns"], *cells, strict=True):
            lines.append([f"`{part}`", *row])
        return {**content, "markdown": markdown(lines)}

    def partings(self, predictor: str) -> dict[str, Any]:
        """
        Say how far changed images move both maps.

        Parameters
        ----------
        predictor : str
            `{model}-{explanation}`, of a run on one data set.

        Returns
        -------
        partings : dict
            `n` stimuli; `sentences` and `table` as in `report.partings`.
        """
        rows = self.read("differentiation", {"predictor": predictor})
        return {
            "n": int(rows["n"].max()),
            "sentences": partings.sentences(rows),
            "table": partings.table(rows),
        }

    def several(self) -> several.Several:
        """Return what the tables say of several networks and data sets."""
        tables = [self.read(name) for name in ("summary", "fidelity", "verdicts")]
        return several.Several(self.run(), *tables)

    def draw(self, folder: Path | None = None) -> list[Path]:
        """
        Draw the figures of the case.

        Parameters
        ----------
        folder : Path, optional
            By default that of the tables.

        Returns
        -------
        paths : list of Path
            Of one network on one data set that of its fidelity; of several two for all of them.
            Where there are explained bits, theirs comes last.
        """
        bits = [self.bits(folder)["bits_figure"]] if self.has("bits") else []
        if len({(model, dataset) for model, _, dataset, _ in self._compared()}) > 1:
            return self.several().draw(folder or self.folder, DPI) + bits
        return [part["figure"] for part in self.closeness(folder)] + bits

    def _compared(self):
        """Return what is compared with the networks that have nulls, which the pages are about."""
        run = self.run()
        subjects = run["config"].get("nulls", {}).get("models")
        return [cell for cell in run["compared"] if subjects is None or cell[0] in subjects]

    def _single(self, name, where):
        rows = self.read(name, where)
        if len(rows) > 1:
            raise InputError(f"{self.folder / name}.csv has {len(rows)} rows with {where}; say one")
        return rows.iloc[0]


def _is_float(cell):
    return isinstance(cell, (float, np.floating))


def _number(value, digits, sign):
    return "undefined" if np.isnan(value) else f"{value:{sign}z.{digits}f}"


def _ranged(values, digits):
    """Write a mean with the range behind it; of a single value that alone."""
    mean = _number(np.mean(values), digits, "")
    if len(values) == 1 or mean == "undefined":
        return mean
    return f"{mean} ({_number(min(values), digits, '')} to {_number(max(values), digits, '')})"


def _estimate(values, digits, sign):
    mean, low, high = (_number(value, digits, sign) for value in values)
    return mean if mean == "undefined" else f"{mean} [{low}, {high}]"


def missing(template: str | Path, results: str | Path) -> list[str]:
    """
    Return the cases that a template is made from and whose tables are not there yet.

    Parameters
    ----------
    template, results
        See `render`.

    Returns
    -------
    cases : list of str
    """
    named = re.findall(
        r"{%-? set \w+ = case\('(\w+)'\)", Path(template).read_text(encoding="utf-8")
    )
    return [name for name in named if not (Path(results) / name / "run.json").is_file()]


def render(template: str | Path, results: str | Path) -> str:
    """
    Render a page.

    Parameters
    ----------
    template : str or Path
        A Jinja2 template; `case("osie")` gives the `Tables` of docs/results/osie, `has("osie")`
        says whether there are any, `level` is that of the verdicts.
    results : str or Path
        Folder of all cases.

    Returns
    -------
    text : str

    Raises
    ------
    InputError
        If a figure that the template asks for is not in the tables.
    """
    path = Path(template)
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, trim_blocks=True,
        lstrip_blocks=True, extensions=["jinja2.ext.do"],
    )  # fmt: skip
    page = environment.from_string(path.read_text(encoding="utf-8"))
    text = page.render(
        case=lambda name: Tables(Path(results) / name),
        has=lambda name: (Path(results) / name / "run.json").is_file(),
        level=verdicts.LIMIT,
    )
    return re.sub(r"\n{3,}", "\n\n", text.strip()) + "\n"  # what tags leave
