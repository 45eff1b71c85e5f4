"""
Time the metrics against the official definitions and pysaliency, interleaved in one run.

    python benchmarks/metrics.py [--pysaliency PYTHON] [--rounds N] [--stimuli N]

CPU time of one thread, synthetic stimuli of 800x600 px with 70 fixations and 10 x 70 others. Every
round runs each contestant once per stimulus, so that what else the machine does meets all alike.
PYTHON is the interpreter of an environment in which pysaliency is installed. Values are compared,
so that equal work is timed. Prints Markdown for benchmarks/README.md.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from gaborscope.scoring import metrics  # noqa: E402
from gaborscope.stimuli import densities, fixations  # noqa: E402

SIZE, N_FIXATIONS, N_OTHERS = (600, 800), 70, 10
EPS = np.finfo(float).eps


# --- the official definitions, computed the official way ------------------------------------------


def trapezoid(x, y):
    """Area under the points."""
    return np.sum(np.diff(x) * (y[1:] + y[:-1])) / 2


def official_auc_judd(saliency_map, fixation_map, rng=None):
    """Thresholds at the fixated values, ties broken by jitter where there is a generator."""
    s = saliency_map if rng is None else saliency_map + rng.random(saliency_map.shape) * 1e-7
    s = (s - s.min()) / (s.max() - s.min())
    values, fixated = s.ravel(), s[fixation_map > 0]
    thresholds = np.sort(fixated)[::-1]
    n, n_pixels = len(fixated), values.size
    tp, fp = np.zeros(n + 2), np.zeros(n + 2)
    tp[-1] = fp[-1] = 1
    for i, threshold in enumerate(thresholds, 1):
        above = np.sum(values >= threshold)
        tp[i] = i / n
        fp[i] = (above - i) / (n_pixels - n)
    return trapezoid(fp, tp)


def official_curve(fixated, negatives):
    """ROC on the thresholds 0, 0.1, .. of one split."""
    top = max(fixated.max(), negatives.max())
    thresholds = np.arange(0, top + 1e-12, 0.1)[::-1]
    tp, fp = np.zeros(len(thresholds) + 2), np.zeros(len(thresholds) + 2)
    tp[-1] = fp[-1] = 1
    for i, threshold in enumerate(thresholds, 1):
        tp[i] = np.sum(fixated >= threshold) / len(fixated)
        fp[i] = np.sum(negatives >= threshold) / len(negatives)
    return trapezoid(fp, tp)


def official_auc_borji(saliency_map, fixation_map, rng, n_splits=100):
    """Negatives drawn from all pixels with replacement, in each split anew."""
    s = (saliency_map - saliency_map.min()) / (saliency_map.max() - saliency_map.min())
    values, fixated = s.ravel(), s[fixation_map > 0]
    drawn = rng.integers(0, values.size, (len(fixated), n_splits))
    return np.mean([official_curve(fixated, values[drawn[:, k]]) for k in range(n_splits)])


def official_auc_shuffled(saliency_map, fixation_map, other_map, rng, n_splits=100):
    """Negatives drawn from the other fixations without replacement, in each split anew."""
    s = (saliency_map - saliency_map.min()) / (saliency_map.max() - saliency_map.min())
    values, fixated = s.ravel(), s[fixation_map > 0]
    others = np.flatnonzero(other_map.ravel() > 0)
    n = min(len(fixated), len(others))
    splits = [values[rng.permutation(others)[:n]] for _ in range(n_splits)]
    return np.mean([official_curve(fixated, negatives) for negatives in splits])


def official_nss(saliency_map, fixation_map):
    """Mean z-score at fixated pixels."""
    z = (saliency_map - saliency_map.mean()) / saliency_map.std(ddof=1)
    return z[fixation_map > 0].mean()


def official_cc(saliency_map, density):
    """Correlate the z-scored maps."""
    a = (saliency_map - saliency_map.mean()) / saliency_map.std(ddof=1)
    b = (density - density.mean()) / density.std(ddof=1)
    a, b = a - a.mean(), b - b.mean()
    return (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())


def official_kld(saliency_map, density):
    """KL(density || map)."""
    p, q = saliency_map / saliency_map.sum(), density / density.sum()
    return (q * np.log(EPS + q / (p + EPS))).sum()


def official_sim(saliency_map, density):
    """Mass shared by the min-max normalised maps."""
    p = (saliency_map - saliency_map.min()) / (saliency_map.max() - saliency_map.min())
    q = (density - density.min()) / (density.max() - density.min())
    return np.minimum(p / p.sum(), q / q.sum()).sum()


def official_ig(saliency_map, fixation_map, baseline):
    """Bits per fixated pixel above the baseline."""
    p = (saliency_map - saliency_map.min()) / (saliency_map.max() - saliency_map.min())
    b = (baseline - baseline.min()) / (baseline.max() - baseline.min())
    p, b, seen = p / p.sum(), b / b.sum(), fixation_map > 0
    return np.mean(np.log2(EPS + p[seen]) - np.log2(EPS + b[seen]))


def official(case, rng):
    """Score one stimulus by eight metrics; the ninth of the preset is `auc_judd_nojit`."""
    s, density, seen, others = (case[k] for k in ("map", "density", "seen", "others_seen"))
    return {
        "auc_judd": official_auc_judd(s, seen, rng),
        "auc_borji": official_auc_borji(s, seen, rng),
        "auc_shuffled": official_auc_shuffled(s, seen, others, rng),
        "nss": official_nss(s, seen),
        "cc": official_cc(s, density),
        "kld": official_kld(s, density),
        "sim": official_sim(s, density),
        "ig": official_ig(s, seen, case["baseline"]),
    }


# --- pysaliency, in its own interpreter -----------------------------------------------------------

WORKER = r"""
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np
from pysaliency.metrics import CC, MIT_KLDiv, NSS, SIM, convert_saliency_map_to_density
from pysaliency.roc import general_roc

cases = dict(np.load(sys.argv[1]))

def score(i, auc):
    s, d, b = cases[f"map{i}"], cases[f"density{i}"], cases[f"baseline{i}"]
    x, y = cases[f"fixations{i}"].T
    ox, oy = cases[f"others{i}"].T
    found = {}
    positives = s[y, x]
    if auc == "uniform":
        found["auc"] = float(general_roc(positives, s.flatten(), judd=0)[0])
    else:  # AUC_Judd: jitter, unfixated pixels, thresholds at the fixations
        jittered = s + np.random.RandomState(seed=42).randn(*s.shape) * 1e-7
        free = np.ones(s.shape, dtype=bool)
        free[y, x] = False
        found["auc_judd"] = float(general_roc(jittered[y, x], jittered[free], judd=1)[0])
    found["auc_shuffled"] = float(general_roc(positives, s[oy, ox], judd=0)[0])
    found["nss"] = float(NSS(s, x, y).mean())
    found["cc"] = float(CC(s, d))
    found["kld"] = float(MIT_KLDiv(s, d))
    found["sim"] = float(SIM(s, d))
    p, q = convert_saliency_map_to_density(s), convert_saliency_map_to_density(b)
    found["ig"] = float(np.mean(np.log2(p[y, x]) - np.log2(q[y, x])))
    return found

for auc in ("uniform", "judd"):
    score(0, auc)  # numba compiles
print("ready", flush=True)
for line in sys.stdin:
    i, auc = line.split()
    start = time.process_time()
    found = score(int(i), auc)
    print(json.dumps([time.process_time() - start, found]), flush=True)
"""


class Pysaliency:
    """
    A process of another interpreter that scores one stimulus after the other.

    Parameters
    ----------
    interpreter : str
    archive : str
        Of the stimuli, npz.
    """

    def __init__(self, interpreter, archive):
        self._process = subprocess.Popen(
            [interpreter, "-c", WORKER, archive],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        if self._process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{interpreter} cannot run pysaliency; see its message above")

    def score(self, index, auc):
        """Return CPU seconds and scores of one stimulus."""
        self._process.stdin.write(f"{index} {auc}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait()


# --- stimuli and the bound ------------------------------------------------------------------------


def make_case(rng):
    """One stimulus: a map as rough as those of networks, fixations, density, baseline."""
    height, width = SIZE

    def points(n):
        return np.clip(rng.normal((400, 300), (150, 110), (n, 2)), 0, (799, 599)).astype(int)

    seen, others = points(N_FIXATIONS), points(N_FIXATIONS * N_OTHERS)
    density = fixations.density(seen, SIZE, 24.0)
    rough = np.abs(np.fft.ifft2(np.fft.fft2(rng.standard_normal(SIZE)) * low_pass())) ** 2
    baseline = fixations.density(points(2000), SIZE, 40.0)
    case = {
        "map": densities.to_density(rough, "density", 0.001),
        "density": density,
        "fixations": seen,
        "others": others,
        "baseline": densities.to_density(baseline, "density", 0.001),
    }
    for name, own in (("seen", seen), ("others_seen", others)):
        case[name] = np.zeros(SIZE)
        case[name][own[:, 1], own[:, 0]] = 1
    return case


def low_pass():
    """Gain that leaves blobs of some 30 px."""
    fy, fx = np.fft.fftfreq(SIZE[0])[:, None], np.fft.fftfreq(SIZE[1])
    return np.exp(-((fy**2 + fx**2) / (2 * 0.01**2)))


def cpu(function, *arguments):
    """CPU seconds of a call, and what it returns."""
    start = time.process_time()
    result = function(*arguments)
    return time.process_time() - start, result


def bound(case):
    """
    CPU seconds that no implementation of the preset avoids: passes, and one logarithm per pixel.

    Map, density and baseline are read twice each (extremes first, what is scaled by them then): six
    passes, timed as sums; and KLD takes one logarithm per pixel.
    """
    passes = sum(cpu(case[name].sum)[0] for name in ("map", "density", "baseline")) * 2
    return passes, cpu(np.log, case["map"])[0]


def ours(case, preset):
    """Score one stimulus by a whole preset."""
    parts = (case[k] for k in ("map", "fixations", "density", "others", "baseline"))
    return metrics.score(*parts, preset)


def check(own, other, names, tolerance, what):
    """Stop if values differ: then other things were timed."""
    for name in names:
        if abs(own[name] - other[name]) > tolerance:
            raise SystemExit(f"{what}: {name} is {own[name]!r} here and {other[name]!r} there")


def main():
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--pysaliency", metavar="PYTHON", help="interpreter that has pysaliency")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stimuli", type=int, default=6)
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    cases = [make_case(rng) for _ in range(options.stimuli)]
    peer = None
    with tempfile.NamedTemporaryFile(suffix=".npz") as archive:
        names = ("map", "density", "fixations", "others", "baseline")
        np.savez(archive.name, **{f"{n}{i}": c[n] for i, c in enumerate(cases) for n in names})
        if options.pysaliency:
            peer = Pysaliency(options.pysaliency, archive.name)
        cv2.setNumThreads(1)
        with threadpool_limits(1):
            times = race(cases, rng, peer, options.rounds)
    if peer:
        peer.close()
    report(times, options)


def race(cases, rng, peer, rounds):
    """CPU seconds per contestant, one entry per round and stimulus."""
    times = {}
    for _ in range(rounds):
        for index, case in enumerate(cases):
            for preset in metrics.METRICS:
                spent, scores = cpu(ours, case, preset)
                times.setdefault(f"ours {preset}", []).append(spent)
                if preset == "mit":
                    mit = scores
                if preset == "pysaliency":
                    pysaliency = scores
            spent, theirs = cpu(official, case, rng)
            times.setdefault("official", []).append(spent)
            check(mit, theirs, ("nss", "cc", "kld", "sim", "ig"), 1e-9, "official")
            # random there: one call has a standard deviation of about 0.003
            check(mit, theirs, ("auc_judd", "auc_borji", "auc_shuffled"), 0.03, "official")
            ninth, value = cpu(official_auc_judd, case["map"], case["seen"])
            check(mit, {"auc_judd_nojit": value}, ("auc_judd_nojit",), 1e-9, "official")
            times.setdefault("official nine", []).append(spent + ninth)
            passes, logarithm = bound(case)
            times.setdefault("passes", []).append(passes)
            times.setdefault("logarithm", []).append(logarithm)
            if peer:
                spent, theirs = peer.score(index, "uniform")
                times.setdefault("pysaliency uniform", []).append(spent)
                check(pysaliency, theirs, metrics.METRICS["pysaliency"], 1e-9, "pysaliency")
                times.setdefault("pysaliency judd", []).append(peer.score(index, "judd")[0])
    return times


def report(times, options):
    """Print a Markdown table of medians and ratios."""
    median = {name: 1000 * float(np.median(spent)) for name, spent in times.items()}

    def ratio(name, own):
        rounds = np.array(times[name]) / np.array(times[own])
        return f"{np.median(rounds):.1f} ({rounds.min():.1f} .. {rounds.max():.1f})"

    commit = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"],
        capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    print(f"Commit `{commit}`, {processor()}, Python {platform.python_version()}, numpy")
    print(f"{np.__version__}, one thread, load average {os.getloadavg()[0]:.1f} at the end;")
    print(f"median CPU ms per stimulus of {options.stimuli} stimuli in {options.rounds} rounds;")
    print("ratios are medians (range) over pairs taken one after the other.\n")
    print("| contestant | CPU ms | against ours |\n|---|---|---|")
    for preset in metrics.METRICS:
        count = len(metrics.METRICS[preset])
        print(f"| ours, preset `{preset}`, {count} metrics | {median[f'ours {preset}']:.2f} | |")
    rows = [
        ("official nine", "mit", "official definitions, numpy, 100 splits, the same 9 metrics"),
        ("official", "mit", "the same without `auc_judd_nojit`, 8 metrics"),
        ("pysaliency judd", "mit", "pysaliency, AUC-Judd and 6 others"),
        ("pysaliency uniform", "pysaliency", "pysaliency, benchmark settings, 7 metrics"),
    ]
    for name, preset, text in rows:
        if name in times:
            factor = ratio(name, f"ours {preset}")
            print(f"| {text} | {median[name]:.1f} | {factor} x `{preset}` |")
    floor = median["passes"] + median["logarithm"]
    print(
        f"\nBound: six passes (map, density, baseline, twice each) {median['passes']:.2f} ms, one "
        f"logarithm per pixel\n{median['logarithm']:.2f} ms, together {floor:.2f} ms; preset `mit` "
        f"takes {median['ours mit'] / floor:.1f} times that."
    )


def processor():
    """Name of the processor, where the system says it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":")[1].strip() for line in text.splitlines() if "model name" in line]
    return f"{names[0]} ({len(names)} cores)" if names else platform.machine()


if __name__ == "__main__":
    main()
