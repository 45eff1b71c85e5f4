"""
Clear the way for the next run in a folder, if and only if the one before it is dead.

Ends what a killed run has left at work there (processes on this machine, jobs on a cluster), then
takes Snakemake's lock away. Waits for a run that has been asked to end.
"""

import sys
import time
from pathlib import Path

from gaborscope.workflow import ownership, slurm


def main(folder):
    """Clear the folder, or leave all as it is and say who is at work there."""
    folder = Path(folder).resolve()
    if ownership.ending(folder):
        holder = ownership.holder(folder)
        print(f"waiting for {holder}, which was asked to end, in {folder}", flush=True)
        while ownership.ending(folder):
            time.sleep(0.5)
    locks, holder = ownership.locks(folder), ownership.holder(folder)
    if locks and holder is not None:
        sys.exit(
            f"{folder} is in use by {holder}; wait for it or stop it there, and if you know that "
            "it is dead, run snakemake --unlock with the same --directory"
        )
    if holder is None:
        jobs = slurm.cancel(folder)
        if jobs:
            print(f"cancelled {len(jobs)} jobs of that run: {', '.join(jobs)}")
    end_leftovers(folder)
    for lock in locks:
        lock.unlink(missing_ok=True)
    if locks:
        print(f"removed the lock of a run that was killed in {folder}")


def end_leftovers(folder):
    """End the processes of dead runs, and those that they start meanwhile."""
    while left := ownership.leftovers(folder):
        print(f"ending {len(left)} processes that a killed run has left in {folder}", flush=True)
        alive = ownership.end(left)
        if alive:
            sys.exit(f"{', '.join(alive)} cannot be ended, and works in {folder}; end it first")


if __name__ == "__main__":
    main(sys.argv[1])
