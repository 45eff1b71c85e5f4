"""Print the summary table of a finished run and where its report lies."""

import sys
from pathlib import Path

from gaborscope.errors import InputError
from gaborscope.store.tables import read_csv


def main(folder):
    """Print one line per predictor of the first preset and data set."""
    results = Path(folder).resolve() / "results"
    table = read_csv(results / "summary.csv")
    for (preset, dataset), part in table.groupby(["preset", "dataset"], sort=False):
        wide = part.pivot(index="predictor", columns="metric", values="mean")
        wide = wide.loc[list(dict.fromkeys(part["predictor"])), list(dict.fromkeys(part["metric"]))]
        stimuli = int(part["n"].max())
        print(f"\npreset {preset}, data set {dataset}, test split, means over {stimuli} stimuli\n")
        print(wide.rename_axis(None).rename_axis(None, axis=1).to_string(float_format="%.3f"))
    path = results / "fidelity.csv"
    if path.is_file():
        table = read_csv(path)
        for dataset, part in table.groupby("dataset", sort=False):
            wide = part.pivot(index="predictor", columns="measure", values="mean")
            wide = wide.loc[part["predictor"].unique(), part["measure"].unique()]
            print(f"\ncloseness to the deep model, data set {dataset}, test split\n")
            print(wide.rename_axis(None).rename_axis(None, axis=1).to_string(float_format="%.3f"))
    print(f"\nsummary  {results / 'summary.csv'}")
    print(f"report   {results / 'report' / 'index.html'}")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except InputError as error:
        sys.exit(f"error: {error}")
