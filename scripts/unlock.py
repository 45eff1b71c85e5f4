"""Take away Snakemake's lock in a folder, if and only if the run that held it is dead."""

import sys
from pathlib import Path

import psutil


def holders(folder):
    """Return the processes that run Snakemake in a folder."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
        command = process.info["cmdline"] or []
        if not any("snakemake" in Path(part).name for part in command[:4]):
            continue
        if process.info["cwd"] and Path(process.info["cwd"]).resolve() == folder:
            found.append(process.info["pid"])
    return found


def main(folder):
    """Remove the lock files of a dead run; leave those of a living one and say so."""
    folder = Path(folder).resolve()
    locks = list((folder / ".snakemake" / "locks").glob("*.lock"))
    if not locks:
        return
    alive = holders(folder)
    if alive:
        sys.exit(
            f"{folder} is in use by a running Snakemake (process {alive[0]}); "
            "wait for it or stop it"
        )
    for lock in locks:
        lock.unlink(missing_ok=True)
    print(f"removed the lock of a run that was killed in {folder}")


if __name__ == "__main__":
    main(sys.argv[1])
