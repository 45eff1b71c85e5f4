"""
Kill runs of the workflow again and again; their results must equal those of undisturbed runs.

    python tests/torture.py [--rounds 100] [--seed 0] [--folder FOLDER]

A round starts `make run`, waits for a random time and kills: everything, Snakemake alone, or one
job; by SIGKILL, SIGTERM, SIGINT or SIGHUP, or by stopping a job (SIGSTOP) first. The next round
starts the same command at once, in half of the folders with the other of two configs. After a few
rounds a run is let go to its end, and every file below results/ but logs and benchmarks is compared
by its bytes with that of the undisturbed run of the last config. `make torture` runs it.
"""

import argparse
import collections
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from pipeline import runs  # noqa: E402

from gaborscope.workflow import ownership  # noqa: E402

KILLS = [
    (target, signals)
    for target in ("everything", "Snakemake alone", "one job")
    for signals in (("KILL",), ("TERM",), ("INT",), ("HUP",), ("STOP", "KILL"), ("TERM", "KILL"))
]
NOT_COMPARED = ("logs", "benchmarks")


def configs(data, models):
    """Two configs that differ in their training, or without a model in their baselines."""
    for number in (2, 4):
        config = runs.tiny_config(data)
        config |= {"analyses": [], "models": models, "seed": number}
        config["activations"] = {"layers": ["logits"]}
        config["training"] |= {"epochs": number, "patience": number}
        yield config


def make_run(folder, config, log):
    """Start the one command that starts a run and goes on with it, in a session of its own."""
    runs.write_config(folder, config)
    command = ["make", "--old-file", ".venv/run.stamp", "run", f"OUT={folder}", "CORES=2"]
    command += [f"BIN={Path(sys.executable).parent}", f"CONFIG={folder / 'settings.yaml'}"]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True,
        env=runs.environment(folder, OMP_NUM_THREADS="1"),
    )  # fmt: skip


def digests(folder):
    """Digest of every file by its path; a temporary file that was left counts too."""
    found = {}
    for path in sorted((folder / "results").rglob("*")):
        name = path.relative_to(folder / "results")
        if path.is_file() and name.parts[0] not in NOT_COMPARED:
            found[str(name)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def targets(process, which):
    """Processes of a running `make run` to send a signal to."""
    children = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    if which == "everything":
        return children
    command = {child: child.cmdline() for child in children}
    if which == "Snakemake alone":
        return [child for child in children if command[child][1:3] == ["-m", "snakemake"]]
    jobs = [child for child in children if ".snakemake/scripts/" in " ".join(command[child][1:2])]
    return [random.choice(jobs)] if jobs else []


def kill(process, which, signals):
    """Send the signals; return False where there is nothing to send them to."""
    try:
        chosen = targets(process, which)
    except psutil.Error:
        return False
    for name in signals:
        for target in chosen:
            try:
                target.send_signal(getattr(signal, f"SIG{name}"))
            except psutil.Error:
                continue
        if name != signals[-1]:
            time.sleep(random.uniform(0, 0.5))
    return bool(chosen)


def end(process, folder, limit=1800):
    """Wait for a run; stop with what it said where it does not come to its end."""
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        sys.exit(f"a run has not ended in {limit} s; see {folder / 'make.log'}")


def torture(folder, configs, right, rounds, counts):
    """Kill a run `rounds` times, then let it end; return the files that differ."""
    folder.mkdir()
    with open(folder / "make.log", "a", encoding="utf-8") as log:
        for _ in range(rounds):
            which = random.randrange(len(configs))
            process = make_run(folder, configs[which], log)
            target, signals = random.choice(KILLS)
            try:
                process.wait(random.uniform(1.5, 9))
            except subprocess.TimeoutExpired:
                # a run that waits for the one before it has no Snakemake and no job yet; left alone
                # it would be at work beside the next
                if not kill(process, target, signals):
                    target = "everything"
                    kill(process, target, signals)
                counts[target, "+".join(signals)] += 1
                log.write(f"--- {target}: {signals}\n")
                log.flush()
            if target == "one job":
                end(process, folder)  # it fails, and says so
        which = random.randrange(len(configs))
        status = end(make_run(folder, configs[which], log), folder)
    if status:
        return [f"ended with status {status}"]
    found = digests(folder)
    left = [str(process) for process in ownership.leftovers(folder)]
    left += [str(path) for path in (folder / ".snakemake" / "scripts").glob("tmp*")]
    return left + sorted(
        name for name in found.keys() | right[which].keys()
        if found.get(name) != right[which].get(name)
    )  # fmt: skip


def main(arguments):
    """Make the undisturbed runs, then disturb others until there were enough rounds."""
    random.seed(arguments.seed)
    # in the background of a shell, or below nohup, they would be ignored, and so by all runs
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    base = Path(arguments.folder or tempfile.mkdtemp(prefix="gaborscope-torture-"))
    runs.make_dataset(base / "data", blocks={0, 7, 8})
    pairs = []
    for models in ([], ["cmrnet"]):
        both, right = list(configs(base / "data", models)), []
        for config in both:
            folder = base / f"undisturbed-{len(models)}-{len(right)}"
            folder.mkdir()
            with open(folder / "make.log", "a", encoding="utf-8") as log:
                if end(make_run(folder, config, log), folder):
                    sys.exit(f"an undisturbed run has failed; see {folder / 'make.log'}")
            right.append(digests(folder))
        pairs.append((both, right))
        print(f"undisturbed, models {models}: {len(right[0])} files", flush=True)
    counts, ended, compared, faults = collections.Counter(), 0, 0, 0
    while sum(counts.values()) < arguments.rounds:
        folder = base / f"run-{ended}"
        both, right = pairs[ended % 3 == 2]  # networks take most of the time
        wrong = torture(folder, both[: 1 + ended % 2], right, 8, counts)
        ended += 1
        compared += len(right[0])
        print(f"run {ended}, {sum(counts.values())} rounds: {wrong or 'equal'}", flush=True)
        if wrong:
            faults += 1
        else:
            shutil.rmtree(folder)
    for (target, signals), number in sorted(counts.items()):
        print(f"{target:>16} {signals:>10} {number:>4}")
    print(f"{ended} runs ended, {compared} files compared, {faults} runs with differences")
    if faults:
        sys.exit(f"the folders of those runs are in {base}")
    shutil.rmtree(base)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder")
    os.chdir(ROOT)
    main(parser.parse_args())
