"""What the report shows of the anatomy of explanations: explained bits, spectra, layers."""

from pathlib import Path

import pandas as pd

from gaborscope.report import anatomy_drawing, drawing
from gaborscope.report.anatomy_drawing import SHADES


def content(files, folder, dpi):
    """
    Draw the figures and return what the template needs.

    Parameters
    ----------
    files : object
        The job's inputs. `bits`: paths `results/bits/{model}/{dataset}/{explanation}.csv`;
        `spectra`: at most one, `results/spectra.csv`; `anatomy`: the tables of rule dissect.
    folder : Path
    dpi : int

    Returns
    -------
    content : dict
        `bits_figure`, `spectra_figure` (None without files), `bits_table` and `spectra_table`
        (`columns, rows`); `layer_figures`: by explained layers (name, path).
    """
    tables = {
        f"{Path(path).parents[1].name}-{Path(path).stem}": pd.read_csv(path).set_index("part")
        for path in files.bits
    }
    figure = None
    if tables:
        figure = folder / "bits.png"
        drawing.save(anatomy_drawing.bits_bars(tables), figure, dpi)
    columns = [
        name
        for name in (*SHADES, "explained", "deep")
        if any(name in table.index for table in tables.values())
    ]
    rows = [(name, [_cell(table, part) for part in columns]) for name, table in tables.items()]
    found = {"bits_figure": figure, "bits_table": {"columns": columns, "rows": rows}}
    layers = _layers(files.anatomy, folder, dpi)
    return {**found, **_spectra(files.spectra, folder, dpi), "layer_figures": layers}


def _layers(files, folder, dpi):
    """Figure of the layers of each explanation."""
    tables = {}
    for path in map(Path, files):
        name = f"{path.parents[2].name}-{path.parent.name}"
        tables.setdefault(name, {})[path.stem] = pd.read_csv(path)
    figures = []
    for name, own in tables.items():
        path = folder / f"{name}_anatomy.png"
        drawing.save(anatomy_drawing.layer_panels(own), path, dpi)
        figures.append((name, path))
    return figures


def _spectra(files, folder, dpi):
    """Figure and table of the spectra, layers."""
    if not files:
        return {"spectra_figure": None, "spectra_table": None}
    table = pd.read_csv(files[0])
    path = folder / "spectra.png"
    drawing.save(anatomy_drawing.spectra_lines(table), path, dpi)
    columns = {
        "explained variance, test": ("explained_variance", "test"),
        "position": ("kind", "position"),
        "amplitude": ("kind", "amplitude"),
        "normalised": ("kind", "normalised"),
        "mean wavelength, px": ("scale", "mean_wavelength"),
    }
    rows = []
    for predictor, own in table.groupby("predictor", sort=False):
        own = own.set_index(["grouping", "group"])
        cells = [_figure(own, key) for key in columns.values()]
        rows.append((predictor, cells))
    return {"spectra_figure": path, "spectra_table": {"columns": list(columns), "rows": rows}}


def _figure(table, key):
    if key not in table.index:
        return "not in the bank"
    row = table.loc[key]
    return f"{row['value']:.3g} [{row['ci_low']:.3g}, {row['ci_high']:.3g}]"


def _cell(table, part):
    if part not in table.index:
        return "not in the bank"
    row = table.loc[part]
    return f"{row['bits']:z.3f} [{row['ci_low']:z.3f}, {row['ci_high']:z.3f}], {row['share']:.0%}"
