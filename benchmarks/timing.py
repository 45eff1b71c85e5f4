"""What the benchmarks share: contestants taken in turn, medians, ratios and the machine's name."""

import os
import platform
import subprocess
import time
from pathlib import Path

import numpy as np
import pyfftw

GEMM = 2048  # side of the square product that the rate of sgemm is taken from
ROOT = Path(__file__).resolve().parents[1]


def race(contestants, rounds=7, at_least_s=0.03):
    """
    CPU seconds per call of each contestant, taken in turn in every round.

    Parameters
    ----------
    contestants : dict of str to callable
        Without arguments; each is called once beforehand.
    rounds : int
    at_least_s : float
        A contestant is repeated within its turn until it has used so much.

    Returns
    -------
    seconds : dict of str to float64 array (round,)
    """
    repeats = {}
    for name, call in contestants.items():
        call()
        start = time.thread_time()
        call()
        repeats[name] = max(1, round(at_least_s / max(time.thread_time() - start, 1e-6)))
    seconds = {name: [] for name in contestants}
    for number in range(rounds):
        names = list(contestants)
        for name in names if number % 2 else reversed(names):
            start = time.thread_time()
            for _ in range(repeats[name]):
                contestants[name]()
            seconds[name].append((time.thread_time() - start) / repeats[name])
    return {name: np.array(spent) for name, spent in seconds.items()}


def ratio(seconds, name, own):
    """Median over rounds of the ratio of two contestants, and its range, as text."""
    rounds = seconds[name] / seconds[own]
    return f"{np.median(rounds):.2f} ({rounds.min():.2f} .. {rounds.max():.2f})"


def gemm_rate():
    """Operations per second of a large float32 product, a multiply-add counted as two."""
    a = np.random.default_rng(0).random((GEMM, GEMM), np.float32)
    b, out = a.copy(), np.empty_like(a)
    spent = race({"sgemm": lambda: np.matmul(a, b, out=out)}, 5)["sgemm"]
    return 2 * GEMM**3 / np.median(spent)


def fft_rate():
    """Nominal operations (5 n log2 n) per second of an FFT that stays in the first cache."""
    a = pyfftw.empty_aligned((16, 240), "complex64")
    b = pyfftw.empty_aligned((16, 240), "complex64")
    a[...] = 1
    plan = pyfftw.FFTW(a, b, axes=(1,), flags=("FFTW_MEASURE",), threads=1)
    many = range(200)
    spent = race({"fft": lambda: [plan.execute() for _ in many]}, 5)["fft"]
    return 200 * 16 * 5 * 240 * np.log2(240) / np.median(spent)


def copy_rate():
    """Bytes read and written per second by a copy that leaves the caches."""
    a = np.ones(1 << 25, np.float32)
    b = np.empty_like(a)
    return 2 * a.nbytes / np.median(race({"copy": lambda: np.copyto(b, a)}, 5)["copy"])


def circumstances(*more):
    """Say on what and when: commit, processor, versions, load."""
    parts = [
        f"Commit `{commit()}`",
        processor(),
        f"Python {platform.python_version()}",
        f"numpy {np.__version__}",
        *more,
        f"load average {os.getloadavg()[0]:.1f}",
    ]
    return ", ".join(parts) + "."


def commit():
    """Short name of the commit, with "-dirty" where files were changed."""
    return subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"],
        capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip


def processor():
    """Name of the processor, where the system says it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":")[1].strip() for line in text.splitlines() if "model name" in line]
    return f"{names[0]} ({len(names)} cores)" if names else platform.machine()
