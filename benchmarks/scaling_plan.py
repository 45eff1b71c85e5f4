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
# share of the stimuli that a stage works on; what one of them costs grows with the pixels of its
# stimulus ("px") or not at all (the network's input has one size)
STAGES = {
    "prepare_dataset": (1.0, "px"),
    "train_backbone": (0.7, ""),
    "measure_layers": (0.0, ""),
    "dump_activations": (1.0, ""),
    "predict_backbone": (1.0, "px"),
    "accumulate": (1.0, ""),
    "fit_filters": (0.0, ""),
    "evaluate_filters": (0.0, ""),
    "reconstruct": (1.0, ""),
    "fit_fusion": (0.8, ""),
    "fuse": (0.3, "px"),
    "predict_baseline": (0.6, "px"),
    "score": (0.3, "px"),
    "summarise": (0.0, ""),
    "report": (0.0, ""),
}
BY_LAYER = ("dump_activations", "accumulate", "reconstruct", "fit_fusion", "train_backbone")
FOLDERS = {  # files of a stage: grows with the stimuli and, where "px", with their pixels
    "data": "",
    "activations": "",
    "statistics": "block",
    "saliency": "px",
}
PLANS = {  # name: stimuli, their pixels, models
    "OSIE": (700, 800 * 600, 1),
    "MIT1003": (1003, 1024 * 768, 1),
    "CAT2000": (2000, 1920 * 1080, 1),
    "SALICON": (15_000, 640 * 480, 1),
    "1,000,000 images, 3 models": (1_000_000, 640 * 480, 3),
}
MACHINES = {"1 core": (1, 1), "a node of 32 cores": (32, 1), "50 such nodes": (32, 50)}


@dataclasses.dataclass
class Run:
    """What a finished run has cost."""

    stimuli: int
    pixels: float
    blocks: int
    models: int
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
    areas = np.concatenate(sizes).astype(float).prod(axis=1)
    stages = {}
    for stage in STAGES:
        logs = [results / "logs" / f"{stage}.log", *(results / "logs" / stage).rglob("*.log")]
        found = [USED.findall(p.read_text(encoding="utf-8")) for p in logs if p.exists()]
        rows = np.array([last[-1] for last in found if last], dtype=float).reshape(-1, 3)
        if len(rows):
            stages[stage] = (len(rows), rows[:, 0].sum(), rows[:, 1].sum(), rows[:, 2].max())
    kept = {
        name: sum(p.stat().st_size for p in (results / name).rglob("*") if p.is_file())
        for name in FOLDERS
    }
    tables = [json.loads(p.read_text()) for p in (results / "layers").glob("*.json")]
    layers = [layer for table in tables for layer in table.values() if "channels" in layer]
    return Run(
        stimuli=len(areas),
        pixels=float(areas.mean()),
        blocks=len(sizes),
        models=len(tables) or 1,
        layers=len(layers),
        channels=sum(layer["channels"] for layer in layers),
        stages=stages,
        bytes=kept,
    )


def predict(run, stimuli, pixels, models, blocks):
    """
    Predict {stage: (jobs, CPU seconds without starts, seconds to start)} and {folder: bytes}.

    Parameters
    ----------
    run : Run
        The one measured.
    stimuli, pixels, models, blocks
        Of the one planned: number, mean number of pixels, backbones, blocks.
    """
    grown, larger = stimuli / run.stimuli, pixels / run.pixels
    stages = {}
    for stage, (jobs, total, start, _) in run.stages.items():
        share, by = STAGES[stage]
        factor = (grown if share else 1) * (larger if by == "px" else 1)
        each = models / run.models if stage != "prepare_dataset" else 1
        more = blocks / run.blocks if jobs >= run.blocks else 1
        stages[stage] = (jobs * each * more, (total - start) * factor * each, start / jobs)
    kept = {}
    for name, by in FOLDERS.items():
        factor = blocks / run.blocks if by == "block" else grown * (larger if by == "px" else 1)
        kept[name] = run.bytes[name] * factor * (models / run.models if name != "data" else 1)
    return stages, kept


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
            stages, kept = predict(run, stimuli, pixels, models, blocks)
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
        each = (total - start) / run.stimuli
        parts = ""
        if stage in BY_LAYER and run.layers:
            parts = f"{1e3 * each / run.layers:.2f}, {1e3 * each / run.channels:.3f}"
        lines.append(
            f"| {stage} | {jobs} | {each:.3f} | {parts} | {start / jobs:.1f} | {memory:.0f} MB |"
        )
    for name, size in run.bytes.items():
        each, parts = size / run.stimuli / 1e6, ""
        if name in ("activations", "statistics") and run.layers:
            parts = f"{1e3 * each / run.layers:.1f}, {1e3 * each / run.channels:.2f} kB"
        lines.append(f"| {name}/ | | {each:.2f} MB on disk | {parts} | | |")
    return "\n".join(lines)


def compare(run, other):
    """Return the prediction for another finished run beside what it has cost."""
    stages, kept = predict(run, other.stimuli, other.pixels, other.models, other.blocks)
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
    print(json.dumps({"stimuli": run.stimuli, "mean pixels": run.pixels, "blocks": run.blocks}))
    print(costs(run))
    print()
    if arguments.check:
        print(compare(run, read_run(arguments.check)))
    else:
        print(table(run, arguments.gpu_speedup))


if __name__ == "__main__":
    main()
