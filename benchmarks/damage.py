"""
Damage one file of each kind of a finished run, and count what its reader refuses.

    python benchmarks/damage.py OUT

Works on copies. Per kind: 200 random bits flipped, one at a time; cut short at 20 random lengths;
deleted; replaced by another file of its kind. A reader that does not refuse must give equal values.
"""

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

import h5py

sys.path.append(str(Path(__file__).resolve().parents[1] / "scripts"))

from gaborscope.backbones import weights
from gaborscope.errors import InputError
from gaborscope.store import checksums, files, paths, tables


def read_hdf5(path, schema):
    """Every value and attribute, as bytes."""
    found = []
    with files.open_file(path, schema) as file:

        def visit(name, member):
            found.append((name, sorted((key, str(value)) for key, value in member.attrs.items())))
            if isinstance(member, h5py.Dataset):
                rows = range(len(member)) if member.chunks else ()
                parts = [files.read_row(file, name, row) for row in rows] or [member[()]]
                found.extend(getattr(part, "tobytes", lambda part=part: part)() for part in parts)

        visit("/", file)
        file.visititems(visit)
    return found


def reader(path):
    """Return what reads a file of this kind; its result can be compared."""
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            schema = file.attrs["schema"].split("/")[0]
        return lambda: read_hdf5(path, schema)
    if path.suffix == ".safetensors":
        return lambda: [(k, v.numpy().tobytes()) for k, v in weights.read_weights(path)[0].items()]
    if path.suffix == ".json":
        return lambda: tables.read_json(path)
    return lambda: tables.read_csv(path).to_csv()


def outcome(read, expected):
    """Return "refused", "equal" or "CHANGED"."""
    try:
        return "equal" if read() == expected else "CHANGED"
    except InputError:
        return "refused"


def copy(source, target):
    """Copy a file with its note."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    if checksums.note_of(source).exists():
        shutil.copyfile(checksums.note_of(source), checksums.note_of(target))


def damage(source, other, path):
    """Outcomes of each damage to a copy of a file at `path`."""
    copy(source, path)
    read, content, rng = reader(path), path.read_bytes(), random.Random(0)
    expected = read()
    found = {"bit flipped": [], "cut short": [], "deleted": [], "swapped": []}
    for _ in range(200):
        damaged, place = bytearray(content), rng.randrange(8 * len(content))
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        found["bit flipped"].append(outcome(read, expected))
    for _ in range(20):
        path.write_bytes(content[: rng.randrange(len(content))])
        found["cut short"].append(outcome(read, expected))
    path.unlink()
    found["deleted"].append(outcome(read, expected))
    if other is not None:
        copy(other, path)
        found["swapped"].append(outcome(read, expected))
    return found


def main(run):
    """Print one row per kind."""
    by_kind = {}
    for path in sorted((run / "results").rglob("*")):
        if path.is_file() and paths.canonical(path) and path.suffix not in (".html", ".pt"):
            by_kind.setdefault(paths.kind_of(path), []).append(path)
    columns = ["bit flipped", "cut short", "deleted", "swapped"]
    print(f"| kind | {' | '.join(columns)} |\n|{'---|' * (1 + len(columns))}")
    for kind, found in by_kind.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / paths.canonical(found[0])
            results = damage(found[0], found[1] if len(found) > 1 else None, path)
        cells = []
        for column in columns:
            counts = {word: results[column].count(word) for word in sorted(set(results[column]))}
            cells.append(", ".join(f"{n} {word}" for word, n in counts.items()) or "only one file")
        print(f"| {kind} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("run", type=Path)
    main(parser.parse_args().run)
