"""
What planning a large run costs: CPU seconds of dry runs, beside bare Snakefiles of the same jobs.

    python benchmarks/planning.py [--blocks 100 1000] [--stimuli 15000] [--rounds 1]

The run is of 3 models and 3 explanations on a made data set of empty images. A bare Snakefile has
the jobs, files, wildcards and edges of the plan, read from it; its rules have no params, resources,
logs or scripts, and its input functions look up a table. Both are planned in turn.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml
from snakemake.api import SnakemakeApi
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    OutputSettings,
    ResourceSettings,
)
from timing import ROOT, circumstances

HEAD = """import json
from pathlib import Path

INPUTS = json.loads(Path({table!r}).read_text())


def of(rule):
    table = INPUTS[rule]
    return lambda wildcards: table["/".join(v for _, v in sorted(wildcards.items()))]


rule all:
    input:
        INPUTS["all"][""],
"""


def make_data(folder, n_stimuli):
    """Write a data set of type folder; planning opens no image."""
    (folder / "stimuli").mkdir(parents=True)
    names = [f"{number:07d}.png" for number in range(n_stimuli)]
    for name in names:
        (folder / "stimuli" / name).touch()
    rows = [f"{name},{subject},{subject}.5,7" for name in names for subject in range(9)]
    (folder / "fixations.csv").write_text("\n".join(["stimulus,subject,x,y", *rows]) + "\n")


def make_config(path, data, n_blocks):
    """Write the config of the run."""
    config = {
        "models": ["cmrnet", "unisal", "msinet"],
        "explanations": {"direct": {}, "grey": {"kinds": ["amplitude"]}, "few": {"colour": "lab"}},
        "datasets": {"made": {"type": "folder", "path": str(data), "sigma_px": 30}},
        "fit_on": "made",
        "evaluate_on": ["made"],
        "n_blocks": n_blocks,
    }
    path.write_text(yaml.safe_dump(config), encoding="utf-8")


def write_bare(config, folder):
    """Plan the run of a config and write a bare Snakefile of the same jobs; return their number."""
    folder.mkdir()
    inputs, rules = {}, {}
    with SnakemakeApi(OutputSettings(dryrun=True)) as api:
        opened = api.workflow(
            resource_settings=ResourceSettings(cores=2),
            config_settings=ConfigSettings(configfiles=[config]),
            snakefile=ROOT / "Snakefile",
            workdir=folder,
        )
        opened.dag(DAGSettings())
        # as tests/planning.py: there is no public name for what a dry run does before it prints
        workflow = opened._workflow
        workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True)
        workflow._build_dag()
        for job in workflow.dag.jobs:
            rules[job.rule.name] = job.rule
            key = "/".join(value for _, value in sorted(job.wildcards_dict.items()))
            inputs.setdefault(job.rule.name, {})[key] = [str(file) for file in job.input]
        n_jobs, n_edges = len(workflow.dag), sum(len(job.input) for job in workflow.dag.jobs)
        n_files = sum(len(job.output) for job in workflow.dag.jobs)
    text = HEAD.format(table=str(folder / "inputs.json"))
    for name, rule in rules.items():
        if name != "all":
            outputs = ", ".join(
                f"temp({str(file)!r})" if "temp" in file.flags else repr(str(file))
                for file in rule.output
            )
            text += f"\n\nrule {name}:\n    input:\n        of({name!r}),\n"
            text += f"    output:\n        {outputs},\n    shell:\n        'touch {{output}}'\n"
    (folder / "Snakefile").write_text(text, encoding="utf-8")
    (folder / "inputs.json").write_text(json.dumps(inputs), encoding="utf-8")
    return n_jobs, n_files, n_edges


def dry_run(snakefile, folder, *options):
    """Return CPU seconds and MB of `snakemake --dry-run` in a process of its own."""
    folder.mkdir(exist_ok=True)
    code = (
        "import resource, subprocess, sys; "
        "subprocess.run(sys.argv[1:], check=True, capture_output=True); "
        "u = resource.getrusage(resource.RUSAGE_CHILDREN); "
        "print(u.ru_utime + u.ru_stime, u.ru_maxrss)"
    )
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "--cores", "2"]
    command += ["--snakefile", str(snakefile), "--directory", str(folder), *options]
    done = subprocess.run(
        [sys.executable, "-c", code, *command], check=True, capture_output=True, text=True
    )
    seconds, kilobytes = map(float, done.stdout.split())
    return seconds, kilobytes / 1024


def main(arguments):
    """Plan every size in turn and print a table."""
    print(circumstances())
    print("| blocks | jobs, files, inputs | this plan, CPU s, MB | bare, CPU s, MB | ratio |")
    print("|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_data(folder / "data", arguments.stimuli)
        for n_blocks in arguments.blocks:
            config, bare = folder / f"{n_blocks}.yaml", folder / f"bare{n_blocks}"
            make_config(config, folder / "data", n_blocks)
            counts = write_bare(config, bare)
            ours, theirs = [], []
            for _ in range(arguments.rounds):
                options = ("--configfile", str(config))
                ours.append(dry_run(ROOT / "Snakefile", folder / f"run{n_blocks}", *options))
                theirs.append(dry_run(bare / "Snakefile", folder / f"in{n_blocks}"))
            (seconds, memory), (bare_s, bare_mb) = (
                np.median(ours, axis=0),
                np.median(theirs, axis=0),
            )
            ratio = np.median([one[0] / other[0] for one, other in zip(ours, theirs, strict=True)])
            print(
                f"| {n_blocks} | {counts[0]:,}, {counts[1]:,}, {counts[2]:,} | {seconds:.1f}, "
                f"{memory:.0f} | {bare_s:.1f}, {bare_mb:.0f} | {ratio:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--blocks", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--stimuli", type=int, default=15_000)
    parser.add_argument("--rounds", type=int, default=1)
    main(parser.parse_args())
