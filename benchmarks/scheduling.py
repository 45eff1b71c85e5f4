"""
What Snakemake's scheduler costs while many jobs are ready: its limit of jobs a second, and none.

    python benchmarks/scheduling.py [--jobs 400] [--inputs 20] [--cores 4] [--seconds 0.5]

Runs a workflow of independent jobs that sleep, with Snakemake's defaults and with the line of
`Snakefile` that takes the limit away, side by side. Prints Markdown for benchmarks/README.md: CPU
and wall seconds of the whole run and CPU milliseconds a job.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import processor

ROOT = Path(__file__).resolve().parents[1]
RULES = """
rule all:
    input: expand("out/{{n}}", n=range({jobs}))

rule wait:
    output: "out/{{n}}"
    input: lambda wildcards: expand("in/{{n}}_{{i}}", n=wildcards.n, i=range({inputs}))
    shell: "sleep {seconds}; touch {{output}}"
"""


def lines_of_snakefile():
    """Return the lines of the product's Snakefile that take the limit away."""
    text = (ROOT / "Snakefile").read_text(encoding="utf-8")
    start = text.index("    limiter = getattr(")
    return "onstart:\n" + text[start : text.index("    os.environ", start)]


def run(folder, rules, options):
    """Return the CPU and wall seconds of a run; its jobs sleep."""
    (folder / "in").mkdir(parents=True)
    for job in range(options.jobs):
        for number in range(options.inputs):
            (folder / "in" / f"{job}_{number}").touch()
    (folder / "Snakefile").write_text(rules, encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--cores", str(options.cores),
               "--quiet", "all"]  # fmt: skip
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=folder)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"snakemake failed in {folder}")
    return used.ru_utime + used.ru_stime, time.monotonic() - start


def main():
    """Run both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0].strip())
    parser.add_argument("--jobs", type=int, default=400)
    parser.add_argument("--inputs", type=int, default=20, help="files that a job reads")
    parser.add_argument("--cores", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=0.5)
    options = parser.parse_args()
    plain = RULES.format(**vars(options))
    jobs = f"{options.jobs} jobs of {options.inputs} files"
    print(f"{jobs}, {options.cores} at a time, {processor()}\n")
    print("| | CPU s | CPU ms a job | wall s |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, rules in (("limit of 100 jobs a second", plain),
                            ("no limit", lines_of_snakefile() + "\n" + plain)):  # fmt: skip
            cpu, wall = run(Path(folder) / name.replace(" ", "_"), rules, options)
            print(f"| {name} | {cpu:.0f} | {1000 * cpu / options.jobs:.0f} | {wall:.0f} |")


if __name__ == "__main__":
    main()
