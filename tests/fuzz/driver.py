"""
Damage files at random and read them: a value or an InputError may come of it, nothing else.

    python tests/fuzz/driver.py [CASES]            (CASES in all, 100,000 by default; `make fuzz`)
    python tests/fuzz/driver.py --reader NAME --first N --cases 1      (repeat a case)

A case is the name of a reader and a number; both give the same file for ever.
"""

import argparse
import faulthandler
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import warnings
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from fuzz.readers import READERS  # noqa: E402

from gaborscope.data import apart  # noqa: E402
from gaborscope.errors import InputError  # noqa: E402

SECONDS = 10  # of CPU that a case may take
APART = 2  # and a child process of it
MEMORY = 1 << 30  # bytes that a case may add to the most that a process has used
NUMBERS = (
    0,
    1,
    2,
    127,
    128,
    255,
    256,
    0x7FFF,
    0xFFFF,
    0x7FFFFFFF,
    0xFFFFFFFF,
    1 << 62,
    (1 << 64) - 1,
)
# What may be replaced in a text: a word, or a mark.
WORD = re.compile(rb"[^\s,:;\[\]{}#]+|[,:;\[\]{}#\n]")


class TooSlow(BaseException):
    """A case takes longer than it may; no `except Exception` catches it."""


def damaged(seeds, rng, words=()):
    """Return one of the files after some random changes; `words` may stand for a word of a text."""
    data = bytearray(rng.choice(seeds))
    if words and rng.random() < 0.7:
        for _ in range(rng.choice((1, 1, 2, 3))):
            places = list(WORD.finditer(data))
            place = rng.choice(places) if places else WORD.match(b"0")
            other = rng.choice(places)[0] if places and rng.random() < 0.2 else rng.choice(words)
            data[place.start() : place.end()] = other
        return bytes(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at, n = rng.randrange(len(data) + 1), rng.choice((1, 2, 4, 8, 64, 999))
        change = rng.randrange(8)
        if change < 2 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif change == 2:
            size = rng.choice((1, 2, 4, 8))
            number = rng.choice(NUMBERS) & ((1 << 8 * size) - 1)
            data[at : at + size] = number.to_bytes(size, rng.choice(("little", "big")))
        elif change == 3:
            del data[at : at + n]
        elif change == 4:
            data[at:at] = data[at : at + n] * rng.choice((1, 1, 2, 9))
        elif change == 5:
            data[at:at] = rng.randbytes(n)
        elif change == 6:
            other = rng.choice(seeds)
            data[at:] = other[rng.randrange(len(other) + 1) :]
        elif rng.random() < 0.3:
            del data[at:]
    if data[:4] == b"\x89PNG" and rng.random() < 0.7:
        mend_sums(data)
    return bytes(data)


def mend_sums(data):
    """Give the chunks of a PNG right sums, so that the decoder looks into them."""
    at = 8
    while at + 12 <= len(data):
        (n,) = struct.unpack_from(">I", data, at)
        if at + 12 + n > len(data):
            return
        struct.pack_into(">I", data, at + 8 + n, zlib.crc32(data[at + 4 : at + 8 + n]))
        at += 12 + n


def outcome(reader, seeds, case, folder):
    """Return None if a case ends as it may, else what happened; and whether a value was read."""
    rng = random.Random(f"{reader.name} {case}")
    path = Path(folder, reader.name)
    path.write_bytes(damaged(seeds, rng, reader.words))
    before = most_memory()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    value = False
    try:
        reader.read(path)
        value = True
    except InputError as error:
        if not str(error).isprintable() or len(str(error)) > 2000:
            return f"a message that is no sentence: {error}", value
    except TooSlow:
        return None if reader.program else f"more than {SECONDS} s", value
    except Exception as error:
        return f"{type(error).__name__}: {error}", value
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    used = most_memory() - before
    hungry = used > MEMORY and not reader.program
    return (f"{used / 1e9:.1f} GB of memory" if hungry else None), value


def most_memory():
    """Return the bytes that this process, or a child, has used at most."""
    both = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    return 1024 * max(resource.getrusage(who).ru_maxrss for who in both)


def run(name, first, cases, report=print):
    """Run cases of one reader in this process; return [(case, what happened)] and values read."""

    def too_slow(*_):
        raise TooSlow

    reader, failures, values = READERS[name], [], 0
    seeds = reader.seeds()
    old, apart.SECONDS = (signal.signal(signal.SIGPROF, too_slow), apart.SECONDS), APART
    folder = tempfile.mkdtemp(prefix="gaborscope-fuzz-")
    try:
        with warnings.catch_warnings(action="ignore"):
            for case in range(first, first + cases):
                report(f"at {case}")
                failure, value = outcome(reader, seeds, case, folder)
                values += value
                if value:
                    report("READ")
                if failure:
                    failures.append((case, failure))
                    report(f"FAILED {case} {' '.join(failure.split())[:300]}")
    finally:
        signal.signal(signal.SIGPROF, old[0])
        apart.SECONDS = old[1]
        shutil.rmtree(folder, ignore_errors=True)
    return failures, values


def worker(name, first, cases):
    """Run cases and print what the driver reads, at once: the process may end at any case."""
    faulthandler.enable()
    if READERS[name].program:  # what it asks for beyond is refused, and that is an InputError too
        resource.setrlimit(resource.RLIMIT_DATA, (4 * MEMORY, resource.RLIM_INFINITY))

    def report(text):
        # a library in C that hears no signal is ended with the process
        faulthandler.dump_traceback_later(12 * SECONDS, exit=True)
        print(text, flush=True)

    run(name, first, cases, report)
    faulthandler.cancel_dump_traceback_later()


def drive(name, first, cases):
    """Run cases in a process of their own, a new one behind each that ends the process."""
    failures, values, last = [], 0, first + cases
    while first < last:
        command = [sys.executable, __file__, "--worker", "--reader", name]
        command += ["--first", str(first), "--cases", str(last - first)]
        fixed = {**os.environ, "PYTHONHASHSEED": "0"}  # torch.jit.save follows the order of sets
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=fixed)
        lines = done.stdout.splitlines()
        failures += [line.split(" ", 2)[1:] for line in lines if line.startswith("FAILED ")]
        values += lines.count("READ")
        if done.returncode == 0:
            break
        at = [int(line.split()[1]) for line in lines if line.startswith("at ")]
        if not at:
            raise RuntimeError(done.stderr)
        failures.append([str(at[-1]), f"the process ended by {done.returncode}"])
        first = at[-1] + 1
    return failures, values


def main():
    """Run all readers and print a table; the exit status is 1 if a case failed."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("total", nargs="?", type=int, default=100_000)
    parser.add_argument("--reader", choices=READERS)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--cases", type=int)
    parser.add_argument("--worker", action="store_true")
    chosen = parser.parse_args()
    names = [chosen.reader] if chosen.reader else list(READERS)
    if chosen.worker:
        worker(chosen.reader, chosen.first, chosen.cases)
        return 0
    shares, n_failed = {name: 1 if READERS[name].slow else 4 for name in names}, 0
    for name, share in shares.items():
        cases = chosen.cases or -(-chosen.total * share // sum(shares.values()))
        failures, values = drive(name, chosen.first, cases)
        refused = cases - values - len(failures)
        n_failed += len(failures)
        counts = f"{values} read, {refused} refused, {len(failures)} failed"
        print(f"{name}: {cases} cases, {counts}", flush=True)
        for case, failure in failures[:20]:
            print(f"  --reader {name!r} --first {case} --cases 1: {failure}", flush=True)
    return int(n_failed > 0)


if __name__ == "__main__":
    sys.exit(main())
