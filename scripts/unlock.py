"""Take away Snakemake's lock in a folder, if and only if the run that held it is dead."""

import sys
from pathlib import Path

from gaborscope.workflow import ownership


def main(folder):
    """Remove the lock files of a dead run; leave those of a living one and say so."""
    folder = Path(folder).resolve()
    locks = list((folder / ".snakemake" / "locks").glob("*.lock"))
    if not locks:
        return
    holder = ownership.holder(folder)
    if holder is not None:
        sys.exit(
            f"{folder} is in use by {holder}; wait for it or stop it there, and if you know that "
            "it is dead, run snakemake --unlock with the same --directory"
        )
    jobs = ownership.cancel_jobs(folder)
    if jobs:
        print(f"cancelled {len(jobs)} jobs of that run: {', '.join(jobs)}")
    for lock in locks:
        lock.unlink(missing_ok=True)
    print(f"removed the lock of a run that was killed in {folder}")


if __name__ == "__main__":
    main(sys.argv[1])
