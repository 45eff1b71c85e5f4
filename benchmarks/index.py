"""
What the index of a data set costs at the start of the main process and of a job, in CPU seconds.

    python benchmarks/index.py [--stimuli 15000 150000 1000000]

The data sets are of type folder: an empty file and nine fixations per stimulus, some 300 stimuli a
block. `new` reads fixations.csv, `kept` lists the files alone (the main process of a second run),
`job` is what a job of a run does: sizes and digests of all blocks, names of its own.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from planning import make_data
from timing import ROOT, circumstances

CODE = """
import resource, sys, time
sys.path.insert(0, sys.argv[1])
from gaborscope.data.catalogue import BlockIndex
before = resource.getrusage(resource.RUSAGE_SELF)
settings = {"type": "folder", "path": sys.argv[2]}
trust = sys.argv[4] == "job"
index = BlockIndex("made", settings, "/", int(sys.argv[3]), sys.argv[2] + "/cache", trust=trust)
if trust:
    assert index.stimuli(next(iter(index.sizes)))
after = resource.getrusage(resource.RUSAGE_SELF)
print(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
"""


def main(arguments):
    """Make each data set and print a row of the table."""
    print(circumstances())
    print("| stimuli | blocks | new, CPU s | kept, CPU s | job, CPU s |")
    print("|---|---|---|---|---|", flush=True)
    for n_stimuli in arguments.stimuli:
        n_blocks = 10 * max(1, n_stimuli // 3000)
        with tempfile.TemporaryDirectory() as folder:
            make_data(Path(folder) / "data", n_stimuli)
            cells = []
            for what in ("new", "kept", "job"):
                command = [sys.executable, "-c", CODE, str(ROOT / "scripts"), f"{folder}/data"]
                done = subprocess.run(
                    [*command, str(n_blocks), what], check=True, capture_output=True, text=True
                )
                cells.append(f"{float(done.stdout):.3g}")
        print(f"| {n_stimuli:,} | {n_blocks} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--stimuli", type=int, nargs="+", default=[15_000, 150_000, 1_000_000])
    main(parser.parse_args())
