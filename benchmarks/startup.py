"""
What starting the workflow costs: CPU seconds of a dry run, over those of an empty Snakefile.

    python benchmarks/startup.py [--config FILE] [--against CHECKOUT] [--rounds 5]

The config is an older tiny one of the tests (tests/fixtures/configs/tiny.yaml), which older
checkouts understand as well; `--config tests/config.tiny.yaml` takes the one of today. The data
set is made, of 21 stimuli. All contestants run in turn in every round. `--against` adds another
checkout, such as an older one. Beside dry runs, one job of the workflow is timed: `snakemake
--forcerun prepare_dataset` of one block, Snakemake's own start included.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml
from timing import ROOT, circumstances

sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from pipeline import runs  # noqa: E402


def spent(command, folder):
    """Return the CPU seconds, user and system, of a command and all that it starts."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(folder)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def contestants(folder, checkouts):
    """Return the commands to compare, by name."""
    (folder / "empty").mkdir()
    (folder / "empty" / "Snakefile").write_text("")
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "2"]
    empty = ["--snakefile", str(folder / "empty" / "Snakefile"), "--directory"]
    commands = {"empty Snakefile": [*snakemake, "--dry-run", *empty, str(folder / "empty")]}
    for name, checkout in checkouts.items():
        run = folder / name
        run.mkdir()
        workflow = ["--snakefile", str(checkout / "Snakefile"), "--directory", str(run)]
        workflow += ["--configfile", str(folder / "tiny.yaml")]
        commands[f"{name}: dry run"] = [*snakemake, "--dry-run", *workflow]
        forced = [runs.FIRST_BLOCK, "--forcerun", "prepare_dataset"]
        commands[f"{name}: one job"] = [*snakemake, *forced, *workflow]
    return commands


def main(arguments):
    """Time everything in turn; print medians, and ratios round by round."""
    checkouts = {"this checkout": ROOT}
    if arguments.against:
        checkouts["the other"] = arguments.against.resolve()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        runs.make_dataset(folder / "data")
        config = yaml.safe_load(arguments.config.read_text(encoding="utf-8"))
        config["datasets"]["made"]["path"] = str(folder / "data")
        (folder / "tiny.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        commands = contestants(folder, checkouts)
        for command in commands.values():
            spent(command, folder)
        seconds = {name: [] for name in commands}
        for _ in range(arguments.rounds):
            for name, command in commands.items():
                seconds[name].append(spent(command, folder))
    reference = np.array(seconds["empty Snakefile"])
    print(circumstances())
    print("| | CPU s, median (range) | over an empty Snakefile |\n|---|---|---|")
    for name, values in seconds.items():
        ratios = np.array(values) / reference
        print(
            f"| {name} | {np.median(values):.2f} ({min(values):.2f} .. {max(values):.2f}) "
            f"| {np.median(ratios):.2f} ({ratios.min():.2f} .. {ratios.max():.2f}) |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--against", type=Path, help="another checkout of Gaborscope")
    fixture = ROOT / "tests" / "fixtures" / "configs" / "tiny.yaml"
    parser.add_argument("--config", type=Path, default=fixture, help="with a data set called made")
    parser.add_argument("--rounds", type=int, default=5)
    main(parser.parse_args())
