"""
Predict wall time, core hours and disk of large runs from a finished one.

    python benchmarks/scaling_plan.py OUT                  # a table for docs/scaling.md
    python benchmarks/scaling_plan.py OUT --check OTHER    # a prediction beside what OTHER cost

OUT is the --directory of a finished run. What a stage costs per job, stimulus, layer and channel is
read from the last lines of its logs (CPU seconds, memory) and from the sizes of its files.
"""

import argparse
import dataclasses
import json
import math
import re
from pathlib import Path

import h5py
import numpy as np

USED = re.compile(r"used ([\d.]+) s of CPU, ([\d.]+) s of them to start, and at most (\d+) MB")
SUBMISSION_S = 6.0  # of a SLURM job, on top of its own work (measured by tests/cluster)
GPU_STAGES = ("train_backbone", "measure_layers", "dump_activations", "predict_backbone")
EPOCH = re.compile(r"epoch (\d+)/\d+:")
# what a stage's CPU time grows with: stimuli; px, of the stimuli; area, of the network's input;
# epochs; blocks; models; predictors. Parts of a stage that do not grow are counted as if they did.
# Cascades are fitted to 400 stimuli at most, faithfulness to as many as the config says.
STAGES = {
    "prepare_dataset": ("stimuli", "px"),
    "import_maps": ("stimuli", "px"),
    "train_backbone": ("stimuli", "area", "epochs", "models"),
    "measure_layers": ("area", "models"),
    "dump_activations": ("stimuli", "area", "models"),
    "predict_backbone": ("stimuli", "px", "models"),
    "accumulate": ("stimuli", "area", "models"),
    "fit_filters": ("blocks", "models"),
    "evaluate_filters": ("blocks", "models"),
    "identify": ("models",),
    "describe_tuning": ("models",),
    "dissect": ("models",),
    "compare_halves": ("models",),
    "compare_seeds": ("stimuli", "area", "models"),
    "reconstruct": ("stimuli", "area", "models"),
    "fit_fusion": ("stimuli", "area", "models"),
    "fuse": ("stimuli", "px", "models"),
    "score_coalitions": ("stimuli", "area", "models"),
    "fit_cascade": ("area", "models"),
    "refine_cascade": ("stimuli", "area", "models"),
    "evaluate_cascade": ("stimuli", "area", "models"),
    "predict_explained": ("stimuli", "px", "models"),
    "predict_baseline": ("stimuli", "px"),
    "fit_centre_bias": ("stimuli",),
    "fit_fixation_bank": ("stimuli",),
    "fit_equal_bank": ("stimuli", "area"),
    "fit_deep_bank": ("stimuli", "area", "models"),
    "predict_deep_bank": ("stimuli", "px", "models"),
    "compare_with_deep": ("stimuli", "px", "predictors"),
    "summarise_fidelity": ("stimuli", "predictors"),
    "accumulate_spectra": ("stimuli", "predictors"),
    "fit_spectra": ("predictors",),
    "measure_means": ("area", "models"),
    "substitute": ("area", "models"),
    "rank_notches": ("area", "models"),
    "intervene": ("area", "models"),
    "score": ("stimuli", "px", "predictors"),
    "summarise": ("stimuli", "predictors"),
    "compare": ("stimuli", "predictors", "predictors"),
    "judge": ("stimuli", "predictors"),
    "report": ("models",),
}
# what the number of its jobs grows with
JOBS = {
    "prepare_dataset": ("blocks",),
    "import_maps": ("blocks",),
    "dump_activations": ("blocks", "models"),
    "predict_backbone": ("blocks", "models"),
    "accumulate": ("blocks", "models"),
    "reconstruct": ("blocks", "models"),
    "fuse": ("blocks", "models"),
    "score_coalitions": ("blocks", "models"),
    "predict_explained": ("blocks", "models"),
    "predict_baseline": ("blocks",),
    "fit_centre_bias": (),
    "fit_fixation_bank": (),
    "fit_equal_bank": (),
    "predict_deep_bank": ("blocks", "models"),
    "compare_with_deep": ("predictors",),
    "summarise_fidelity": (),
    "accumulate_spectra": (),
    "fit_spectra": (),
    "score": ("predictors",),
    "summarise": (),
    "compare": (),
    "judge": (),
    "report": (),
}
BY_LAYER = ("dump_activations", "accumulate", "reconstruct", "fit_fusion", "train_backbone")
FOLDERS = {  # what the size of results/{folder} grows with; saliency/ apart by whose it is
    "data": ("stimuli",),
    "activations": ("stimuli", "area", "models"),
    "statistics": ("blocks", "models"),
    "filters": ("models",),
    "saliency/models": ("stimuli", "px", "models"),
    "saliency/baselines": ("stimuli", "px"),
}
PLANS = {  # name: stimuli, their pixels, models; the network's input and epochs as in the run read
    "OSIE": (700, 800 * 600, 1),
    "MIT1003": (1003, 1024 * 768, 1),
    "CAT2000": (2000, 1920 * 1080, 1),
    "SALICON": (15_000, 640 * 480, 1),
    "1,000,000 images, 3 models": (1_000_000, 640 * 480, 3),
}
MACHINES = {"1 core": (1, 1), "a node of 32 cores": (32, 1), "50 such nodes": (32, 50)}


@dataclasses.dataclass
class Run:
    """What a finished run has cost, and how large it was."""

    size: dict  # of what STAGES names: number
    layers: int
    channels: int
    stages: dict  # name: (jobs, CPU seconds, seconds to start, MB)
    bytes: dict  # folder: bytes


def read_run(folder):
    """
    Read the cost of a finished run.

    Parameters
    ----------
    folder : str or Path
        Its --directory.

    Returns
    -------
    run : Run
    """
    results = Path(folder) / "results"
    sizes = []
    for path in sorted((results / "data").rglob("*.h5")):
        with h5py.File(path) as file:
            sizes.append(file["stimulus/size"][()])
    if not sizes:
        raise SystemExit(f"{results / 'data'} holds no block; is the run finished?")
    stages, epochs = {}, 1
    for stage in STAGES:
        logs = [results / "logs" / f"{stage}.log", *(results / "logs" / stage).rglob("*.log")]
        texts = [path.read_text(encoding="utf-8") for path in logs if path.exists()]
        rows = [found[-1] for found in map(USED.findall, texts) if found]
        if rows:
            rows = np.array(rows, dtype=float)
            stages[stage] = (len(rows), rows[:, 0].sum(), rows[:, 1].sum(), rows[:, 2].max())
        if stage == "train_backbone":
            epochs = sum(int(EPOCH.findall(text)[-1]) for text in texts) / max(1, len(texts)) or 1
    tables = [json.loads(path.read_text()) for path in (results / "layers").glob("*.json")]
    layers = [layer for table in tables for layer in table.values() if "channels" in layer]
    inputs = {name for layer in layers for name in layer["shape"]}
    models = {path.stem for path in (results / "layers").glob("*.json")}
    size = {
        "stimuli": sum(len(rows) for rows in sizes),
        "px": float(np.concatenate(sizes).astype(float).prod(axis=1).mean()),
        "area": max((math.prod(map(int, name.split("x"))) for name in inputs), default=1),
        "epochs": epochs,
        "blocks": len(sizes),
        "models": len(tables) or 1,
        "predictors": max(1, len(list((results / "scores").glob("*/*/")))),
    }
    channels = sum(layer["channels"] for layer in layers)
    return Run(size, len(layers), channels, stages, kept_bytes(results, models))


def kept_bytes(results, models):
    """Return {folder of FOLDERS: bytes} of a results folder."""
    kept = dict.fromkeys(FOLDERS, 0)
    for path in results.rglob("*.h5"):
        folder, *inner = path.relative_to(results).parts
        if folder == "saliency":
            folder += "/models" if inner[0].partition("-")[0] in models else "/baselines"
        if folder in kept:
            kept[folder] += path.stat().st_size
    return kept


def predict(run, **planned):
    """
    Predict {stage: (jobs, CPU seconds without starts, seconds to start one)} and {folder: bytes}.

    Parameters
    ----------
    run : Run
        The one measured.
    **planned
        What differs in the one planned, of what STAGES names. Predictors, where they are not
        said, grow by two with each model.
    """
    size = run.size | planned
    if "predictors" not in planned:
        size["predictors"] += 2 * (size["models"] - run.size["models"])

    def growth(names):
        return math.prod(size[name] / run.size[name] for name in names)

    stages = {
        stage: (
            jobs * growth(JOBS.get(stage, ("models",))),
            (total - start) * growth(STAGES[stage]),
            start / jobs,
        )
        for stage, (jobs, total, start, _) in run.stages.items()
    }
    return stages, {name: run.bytes[name] * growth(FOLDERS[name]) for name in FOLDERS}


def wall_s(stages, cores, nodes):
    """
    Wall time in seconds of stages one after another.

    A stage is as fast as its jobs allow: no faster than its CPU time over all cores, nor than one
    of its jobs. Training and fusion are one job; training uses eight cores. On more than one node
    each job costs its submission too.
    """
    total = 0.0
    for stage, (jobs, seconds, start) in stages.items():
        submission = SUBMISSION_S if nodes > 1 else 0.0
        threads = min(cores, 8) if stage == "train_backbone" else 1
        # eight threads of small networks are worth about half of themselves (not measured here)
        worth = max(1, threads / 2) if threads > 1 else 1
        whole = (seconds + jobs * start) / (cores * nodes)
        one = seconds / jobs / worth + start + submission
        total += max(whole, one * math.ceil(jobs / (cores * nodes)))
    return total


def n_blocks(stimuli, cores, nodes):
    """Return a multiple of ten: some 300 stimuli a block, and no fewer blocks than cores."""
    wanted = max(stimuli / 300, min(cores * nodes, stimuli / 20))
    return max(10, 10 * math.ceil(wanted / 10))


def table(run, gpu_speedup):
    """Return the Markdown table of all plans."""
    lines = [
        "| run | machine | n_blocks | wall | core hours | of them GPU stages | GPU hours "
        f"(at {gpu_speedup:g} x a core) | disk |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, (stimuli, pixels, models) in PLANS.items():
        for machine, (cores, nodes) in MACHINES.items():
            blocks = n_blocks(stimuli, cores, nodes)
            stages, kept = predict(run, stimuli=stimuli, px=pixels, models=models, blocks=blocks)
            total = sum(seconds + jobs * start for jobs, seconds, start in stages.values())
            gpu = sum(stages[stage][1] for stage in GPU_STAGES if stage in stages)
            lines.append(
                f"| {name} | {machine} | {blocks} | {hours(wall_s(stages, cores, nodes))} | "
                f"{total / 3600:,.1f} | {gpu / 3600:,.1f} | {gpu / 3600 / gpu_speedup:,.2f} | "
                f"{sum(kept.values()) / 1e9:,.1f} GB |"
            )
    return "\n".join(lines)


def costs(run):
    """Return the Markdown table of what was measured."""
    lines = [
        "| stage | jobs | CPU s per stimulus | CPU ms per stimulus and layer, and channel | "
        "CPU s to start a job | memory |",
        "|---|---|---|---|---|---|",
    ]
    for stage, (jobs, total, start, memory) in run.stages.items():
        each = (total - start) / run.size["stimuli"]
        parts = ""
        if stage in BY_LAYER and run.layers:
            parts = f"{1e3 * each / run.layers:.2f}, {1e3 * each / run.channels:.3f}"
        lines.append(
            f"| {stage} | {jobs} | {each:.3f} | {parts} | {start / jobs:.1f} | {memory:.0f} MB |"
        )
    for name, size in run.bytes.items():
        each, parts = size / run.size["stimuli"] / 1e6, ""
        if name in ("activations", "statistics") and run.layers:
            parts = f"{1e3 * each / run.layers:.1f}, {1e3 * each / run.channels:.2f} kB"
        lines.append(f"| {name}/ | | {each:.2f} MB on disk | {parts} | | |")
    return "\n".join(lines)


def compare(run, other):
    """Return the prediction for another finished run beside what it has cost."""
    stages, kept = predict(run, **other.size)
    lines = ["| stage | predicted CPU s | measured | ratio |", "|---|---|---|---|"]
    sums = np.zeros(2)
    for stage, (jobs, seconds, start) in stages.items():
        pair = np.array([seconds + jobs * start, other.stages.get(stage, (0, math.nan))[1]])
        sums += pair
        lines.append(f"| {stage} | {pair[0]:.1f} | {pair[1]:.1f} | {pair[0] / pair[1]:.2f} |")
    lines.append(f"| all | {sums[0]:.1f} | {sums[1]:.1f} | {sums[0] / sums[1]:.2f} |")
    disk = sum(kept.values()), sum(other.bytes.values())
    lines.append(
        f"| disk, MB | {disk[0] / 1e6:.1f} | {disk[1] / 1e6:.1f} | {disk[0] / disk[1]:.2f} |"
    )
    return "\n".join(lines)


def hours(seconds):
    """Return a duration such as '12 min', '3.4 h' or '5.6 days'."""
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out", help="--directory of a finished run")
    parser.add_argument("--check", metavar="OTHER", help="another finished run, to be predicted")
    parser.add_argument(
        "--gpu-speedup", type=float, default=20, help="of a GPU over one core (an assumption)"
    )
    arguments = parser.parse_args()
    run = read_run(arguments.out)
    print(json.dumps(run.size))
    print(costs(run))
    print()
    if arguments.check:
        print(compare(run, read_run(arguments.check)))
    else:
        print(table(run, arguments.gpu_speedup))


if __name__ == "__main__":
    main()
