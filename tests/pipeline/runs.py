"""Runs of the workflow on a small made data set: what the tests of this folder share."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from gaborscope.data import catalogue

ROOT = Path(__file__).resolve().parents[2]

# Stimuli per split: enough for every step, few enough for a laptop.
WANTED = {"fit": 14, "validation": 3, "test": 4}
# Blocks that they lie in, two to fit, for their halves; each block takes jobs.
BLOCKS = {0, 1, 7, 8}
# Where the data set is: in the home folder of a run, which is the folder of the run. So a run and
# its copy have one config, and to change the data of a copy leaves those of the run alone.
DATA = "~/data"
# What a report says of the time and place of its making.
NOW = re.compile(b"<!--now-->.*?<!--/now-->", re.DOTALL)
# What belongs to a checkout but not to its copy.
NOT_COPIED = (".git", ".venv", ".snak*", ".pytest*", ".ruff*")


def made_names(blocks=BLOCKS):
    """Names dealt to splits as WANTED says, and one spare for each split."""
    found = {split: [] for split in WANTED}
    number = 0
    while any(len(found[split]) < WANTED[split] + 1 for split in WANTED):
        name = f"made_{number:03d}.png"
        block = catalogue.block_of(name, 10)
        split = catalogue.split_of_block(block, 10)
        if block in blocks and len(found[split]) < WANTED[split] + 1:
            found[split].append(name)
        number += 1
    return found


# A stimulus to fit to, and the file of its block.
FIRST = made_names()["fit"][0]
FIRST_BLOCK = f"results/data/made/{catalogue.block_name(catalogue.block_of(FIRST, 10), 10)}.h5"


def write_stimulus(folder, name, number):
    """Write a made photograph, colour or grey, landscape, portrait or odd, and its fixations."""
    rng = np.random.default_rng(number)
    size = [(60, 80), (80, 60), (47, 71), (64, 64)][number % 4]
    image = rng.integers(90, 150, (*size, 3)).astype(np.uint8)
    y, x = rng.integers(8, size[0] - 8), rng.integers(8, size[1] - 8)
    image[y - 5 : y + 5, x - 5 : x + 5] = [230, 40, 40]
    picture = Image.fromarray(image)
    (picture.convert("L") if number % 5 == 0 else picture).save(folder / "stimuli" / name)
    rows = []
    for subject in range(4):
        for _ in range(4):
            point = np.clip(rng.normal([x, y], 4), 0, [size[1] - 1, size[0] - 1])
            rows.append(f"{name},s{subject},{point[0]:.2f},{point[1]:.2f}")
    with open(folder / "fixations.csv", "a", encoding="utf-8") as handle:
        handle.write("\n".join(rows) + "\n")


def remove_stimulus(folder, name):
    (folder / "stimuli" / name).unlink()
    table = folder / "fixations.csv"
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    table.write_text("".join(line for line in lines if not line.startswith(name)), encoding="utf-8")


def make_dataset(folder, blocks=BLOCKS):
    """Write the data set; return the spare name of each split, which is not in it."""
    names = made_names(blocks)
    (folder / "stimuli").mkdir(parents=True)
    (folder / "fixations.csv").write_text("stimulus,subject,x,y\n", encoding="utf-8")
    used = [name for split in WANTED for name in names[split][: WANTED[split]]]
    for number, name in enumerate(used):
        write_stimulus(folder, name, number)
    return {split: names[split][WANTED[split]] for split in WANTED}


def tiny_config(data=DATA):
    config = yaml.safe_load((ROOT / "tests" / "config.tiny.yaml").read_text(encoding="utf-8"))
    config["datasets"]["made"]["path"] = str(data)
    return config


def write_config(folder, config):
    (folder / "settings.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


def environment(folder, **variables):
    """Environment of a run: the home folder is that of the run, caches stay where they are."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    own = {"HOME": str(folder), "XDG_CACHE_HOME": cache, "PYTHONDONTWRITEBYTECODE": "1"}
    return {**os.environ, **own, **variables}


def snakemake(
    folder, config, *arguments, root=ROOT, check=True, prefix=(), python=sys.executable, **variables
):
    """Run the workflow; return its output and the number of jobs by rule."""
    write_config(folder, config)
    command = [*prefix, str(python), "-m", "snakemake", "--cores", "2", *arguments]
    command += ["--directory", str(folder), "--snakefile", str(root / "Snakefile")]
    command += ["--configfile", str(folder / "settings.yaml")]
    done = subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=False,
        env=environment(folder, **variables),
    )  # fmt: skip
    output = done.stdout + done.stderr
    if check and done.returncode:
        pytest.fail(output[-6000:])
    # the terminal has the table of jobs in a dry run alone; the log has it always
    logs = sorted((folder / ".snakemake" / "log").glob("*.snakemake.log"))
    said = logs[-1].read_text(encoding="utf-8") if logs and "--dry-run" not in arguments else output
    table = re.search(r"^job +count\n-+ +-+\n((?:\S+ +\d+\n)+)", said, re.M)
    jobs = dict(line.split() for line in table[1].splitlines()) if table else {}
    jobs.pop("total", None)
    jobs.pop("all", None)
    return output, {rule.removesuffix("_cmrnet"): int(count) for rule, count in jobs.items()}


def plan(folder, config, *arguments, **more):
    """Number of jobs by rule that the workflow would run."""
    return snakemake(folder, config, *arguments, "--dry-run", **more)[1]


def contents(folder):
    """
    Bytes of every result, of the report without its date, commit, software and times.

    Not of data sets, which hold the places of their photographs.
    """
    found = {path.relative_to(folder / "results"): path for path in (folder / "results").rglob("*")}
    without = ("logs", "benchmarks", "data")
    of_page = "report/.index.html.sha256"
    return {
        str(name): NOW.sub(b"", path.read_bytes())
        for name, path in found.items()
        if path.is_file() and name.parts[0] not in without and str(name) != of_page
    }


def copy_run(folder, to):
    """Copy a run with its data, times of files included."""
    shutil.copytree(folder, to, copy_function=shutil.copy2, symlinks=True)
    return to


def copy_checkout(to):
    def left(folder, names):
        own = ("results",) if Path(folder) == ROOT else ()  # not docs/results, which are its own
        return shutil.ignore_patterns(*NOT_COPIED, *own)(folder, names)

    shutil.copytree(ROOT, to, ignore=left)
    return to
