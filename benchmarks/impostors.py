"""
Send predictors that explain nothing through the verdicts as if they were explanations.

    python benchmarks/impostors.py OUT [--explanation direct]

OUT is the --directory of a finished run whose tables of record were gathered (rule record), with
random networks among its nulls. A
random network, banks that are no log-Gabors, the bank fitted to people, and the bank fitted to the
deep map with no layer between take the place of each explanation of a trained network, against the
same rivals but themselves. Halves, trainings, layers replaced and images changed are not theirs, so
those tests are not run. Each impostor has to fail a test that was run: one that fails none would be
told from an explanation by nothing. The first row is the explanation itself, by the same tests.
Prints Markdown, and exits with an error if an impostor fails none.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from gaborscope.refutation import evidence, verdicts  # noqa: E402
from gaborscope.store import tables  # noqa: E402
from gaborscope.workflow.plan import Plan  # noqa: E402


def of_run(out):
    """Return the plan of a finished run, and its tables as verdicts read them."""
    results = Path(out) / "results"
    config = tables.read_json(results / "record" / "run.json")["config"]
    names = [config["fit_on"], *config["evaluate_on"]]
    blocks = {name: {split: ["0"] for split in ("fit", "validation", "test")} for name in names}
    plan = Plan.of(config, blocks)
    scores = [str(results / "scores" / cell[0] / cell[1] / f"{cell[2]}.csv")
              for cell in plan.judged_cells]  # fmt: skip
    distances = [str(results / "fidelity" / m / p / f"{d}.csv") for m, p, d, _ in plan.compared]
    return plan, evidence.read(plan.judged_cells, scores, [], [], [], distances, [])


def impostors(contest):
    """Yield a name and a contest for each predictor that takes the explanation's place."""
    for test, rivals, _ in contest["rivals"]:
        if not rivals or test == "above_centre_bias":
            continue
        kept = [
            [other, [r for r in family if r != rivals[0]], why or "it is the explanation itself"]
            for other, family, why in contest["rivals"]
        ]
        yield test, {**contest, "predictor": rivals[0], "rivals": kept}


def main():
    """Print the outcome of every test for every impostor."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("out")
    parser.add_argument("--explanation", default="direct")
    arguments = parser.parse_args()
    plan, gathered = of_run(arguments.out)
    config = plan.config
    drawn = evidence.Resampling(config["scores"]["n_resamples"], 1, config["seed"])
    settings = config["fit_on"], config["evaluate_on"], drawn, plan.direct, []
    passed = 0
    print("| taken for an explanation | passes | fails or in part | not run | verdict |")
    print("|---|---|---|---|---|")
    for contest in plan.contests:
        has_nulls = any(t == "above_random_networks" and r for t, r, _ in contest["rivals"])
        if contest["explanation"] != arguments.explanation or not has_nulls:
            continue
        for test, changed in (("", contest), *impostors(contest)):
            rows = evidence.rows(changed, gathered, *settings)
            by_test = {}
            for row in rows:
                by_test.setdefault(row["test"], []).append(row["passed"])
            words = {test: set(results) for test, results in by_test.items()}
            kinds = [[t for t in words if words[t] == {"true"} and t != verdicts.OVERALL],
                     [t for t in words if "false" in words[t] and t != verdicts.OVERALL],
                     [t for t in words if words[t] == {"not run"}]]  # fmt: skip
            needed = set(kinds[1]) & set(verdicts.NEEDED)
            passed += bool(test) and not needed
            cells = [", ".join(kind).replace("_", " ") for kind in kinds]
            verdict = "fails" if needed else "fails none"
            print(f"| `{changed['predictor']}` | {' | '.join(cells)} | {verdict} |")
    if passed:
        sys.exit(f"{passed} impostors fail no test that was run")


if __name__ == "__main__":
    main()
