"""
Say what every stage of a run has cost, with the bound of a finished one beside it.

    python benchmarks/stages.py OUT [--cores N]

OUT is the --directory of the run. Seconds and memory are Snakemake's own (results/benchmarks), CPU
seconds and those of starting Python are the last lines of the logs, which count short jobs too. The
bound holds what cannot be left out: starting the jobs; transforms, pooling windows, statistics and
reconstructions of the log-Gabor stages at the rates measured here; the bytes written at the
rate of a copy. Networks, fusion and metrics have no bound of their own here (benchmarks/metrics.py
has one). Prints Markdown for benchmarks/README.md.
"""

import argparse
import csv
import json
import math
import re
import sys
from pathlib import Path

from threadpoolctl import threadpool_limits
from timing import ROOT, circumstances, copy_rate, fft_rate, gemm_rate

sys.path.insert(0, str(ROOT / "scripts"))

import h5py  # noqa: E402
from amounts import amounts  # noqa: E402

from gaborscope.explanation import layers as layer_tools  # noqa: E402
from gaborscope.filters import plan as pooled_plan  # noqa: E402
from gaborscope.filters import sampling  # noqa: E402
from gaborscope.filters.loggabor import LogGaborBank  # noqa: E402
from gaborscope.stimuli import geometry  # noqa: E402
from gaborscope.store.layers import read_layer_table  # noqa: E402

USED = re.compile(r"used ([\d.]+) s of CPU, ([\d.]+) s of them to start, and at most (\d+) MB")
WRITTEN = {"dump_activations": "activations", "accumulate": "statistics", "prepare_dataset": "data"}


def read_benchmarks(results):
    """Return {stage: (jobs, seconds, largest MB)} of Snakemake's benchmark files."""
    root, found = results / "benchmarks", {}
    for path in sorted(root.rglob("*.tsv")):
        stage = path.relative_to(root).parts[0].removesuffix(".tsv")
        with path.open(encoding="utf-8") as file:
            row = list(csv.DictReader(file, delimiter="\t"))[-1]
        jobs, seconds, memory = found.get(stage, (0, 0.0, 0.0))
        largest = 0 if row["max_rss"] in ("NA", "-") else float(row["max_rss"])
        found[stage] = (jobs + 1, seconds + float(row["s"]), max(memory, largest))
    if not found:
        raise SystemExit(f"{root} holds no benchmark; is the run finished?")
    return found


def read_logs(results):
    """Return {stage: (CPU seconds, seconds of them to start)} of the last lines of the logs."""
    root, found = results / "logs", {}
    for path in sorted(root.rglob("*.log")):
        stage = path.relative_to(root).parts[0].removesuffix(".log")
        rows = USED.findall(path.read_text(encoding="utf-8"))
        if rows:
            total, start = found.get(stage, (0.0, 0.0))
            found[stage] = (total + float(rows[-1][0]), start + float(rows[-1][1]))
    return found


def arithmetic(results, folder):
    """
    Operations of accumulate and of reconstruct for one stimulus: (transforms, products) of each.

    Sizes come from the layers, the filters and the first stimuli of the run.
    """
    files = sorted(folder.glob("*.h5"))
    model = folder.parent.parent.name
    layers = read_layer_table(results / "layers" / f"{model}.json")
    with h5py.File(files[0]) as file:
        settings = json.loads(file.attrs["params"])["regressors"]
    (name,) = list(next(iter(layers.values())).shape)[:1]
    size = tuple(int(extent) for extent in name.split("x"))
    placement = geometry.Placement(size, 0, 0, *size)
    k = len(layer_tools.make_regressors(settings).table()["kind"])
    statistics, reconstruction, targets = 0.0, 0.0, []
    for layer in layers.values():
        for pool in settings["pools"]:
            target = layer_tools.target(layer, placement, {"pool": pool})
            cells = math.prod(len(along) for along in sampling.centres(target.grid, placement))
            if target not in targets:
                targets.append(target)
                statistics += k * (k + 1) * cells
            statistics += 2 * k * layer.channels * cells
        statistics += layer.channels * (layer.channels + 1) * cells
        reconstruction += 2 * k * layer.channels * cells
    handled = tuple(target for target in targets if sampling.handles(target, placement))
    parts = frozenset(settings["kinds"]) | {"amplitude", "residual"}
    plan = pooled_plan.Plan(
        LogGaborBank(**settings["bank"]), size, settings["boundary"], placement, handled, 3, parts
    )
    transforms, pooling, _ = amounts(plan, handled, placement)
    # a reconstruction takes points and pools for the pool that was chosen, one of several
    share = 1 / len(settings["pools"])
    reconstruction += share * pooling
    return (transforms, pooling + statistics), (share * transforms, reconstruction)


def bounds(results, starts):
    """Return {stage: seconds} that the run cannot have done without, of one core."""
    fft, gemm, copy = fft_rate(), gemm_rate(), copy_rate()
    found = dict(starts)
    stimuli = {}
    for path in (results / "data").rglob("*.h5"):
        with h5py.File(path) as file:
            own = len(file["stimulus/size"])
        stimuli[path.parent.name] = stimuli.get(path.parent.name, 0) + own
    for folder in sorted((results / "filters").glob("*/*/*")):
        accumulated, reconstructed = arithmetic(results, folder)
        fitted_on = folder.parent.name
        for stage, n, (transforms, products) in (
            ("accumulate", stimuli[fitted_on], accumulated),
            ("reconstruct", sum(stimuli.values()), reconstructed),
        ):
            found[stage] = found.get(stage, 0) + n * (transforms / fft + products / gemm)
    for stage, folder in WRITTEN.items():
        size = sum(p.stat().st_size for p in (results / folder).rglob("*.h5"))
        found[stage] = found.get(stage, 0) + size / copy
    return found, sum(stimuli.values()), (fft, gemm, copy)


def main():
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out", metavar="OUT", type=Path)
    parser.add_argument("--cores", type=int, default=2)
    options = parser.parse_args()
    results = options.out / "results"
    stages, logs = read_benchmarks(results), read_logs(results)
    with threadpool_limits(1):
        least, stimuli, (fft, gemm, copy) = bounds(
            results, {stage: start for stage, (_, start) in logs.items()}
        )
    print("| stage | jobs | s | CPU s | of them to start | bound, CPU s | at most, MB |")
    print("|---|---|---|---|---|---|---|")
    order = sorted(stages, key=lambda stage: -stages[stage][1])
    for stage in order:
        jobs, seconds, memory = stages[stage]
        used, start = logs.get(stage, (float("nan"), float("nan")))
        print(
            f"| {stage} | {jobs} | {seconds:.0f} | {used:.0f} | {start:.0f} | "
            f"{least.get(stage, float('nan')):.0f} | {memory:.0f} |"
        )
    rest = [stage for stage in order if stage != "train_backbone"]
    seconds = sum(stages[stage][1] for stage in rest)
    used = sum(logs[stage][0] for stage in rest if stage in logs)
    print(
        f"| all but training | {sum(stages[s][0] for s in rest)} | {seconds:.0f} | {used:.0f} | "
        f"{sum(logs[s][1] for s in rest if s in logs):.0f} | "
        f"{sum(least.get(s, 0) for s in rest):.0f} | |"
    )
    print(
        f"\n{stimuli} stimuli; without training {seconds / options.cores / 60:.1f} min of wall "
        f"time if {options.cores} jobs\nalways ran, {used / options.cores / 60:.1f} min of CPU "
        f"time on each of {options.cores} cores. Rates: FFT {fft / 1e9:.0f} GFLOP/s, "
        f"sgemm {gemm / 1e9:.0f} GFLOP/s, copy {copy / 1e9:.0f} GB/s.\n"
    )
    print("Bounds measured on: " + circumstances())


if __name__ == "__main__":
    main()
