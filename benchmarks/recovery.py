"""
Plant maps as combinations of filters and see which filters are named.

    python benchmarks/recovery.py [--stimuli N] [--maps N] [--folder FOLDER]

Regressors of the shipped config on generated stimuli, or on the images of a folder; their Gram
matrix; maps made of k filters drawn at random, standardised weights 1 to 2 of either sign, no
noise. Whether the support meets the exact recovery condition is computed (largest l1 norm of the
coefficients of any other regressor on the support, below 1). Then omp and ols choose k regressors.
Filters missed are paired with those chosen in their place, nearest first, and differ by octaves
and by degrees. Prints a table in Markdown.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from scipy import optimize

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from gaborscope.data import generated  # noqa: E402
from gaborscope.explanation import layers  # noqa: E402
from gaborscope.fitting import sparse  # noqa: E402
from gaborscope.fitting.statistics import Statistics, standardised  # noqa: E402
from gaborscope.stimuli import geometry  # noqa: E402
from gaborscope.stimuli.block import read_image  # noqa: E402
from gaborscope.workflow.settings import load as load_config  # noqa: E402

BOX = geometry.Box(96, 128)
STRIDE = 4


def images_of(arguments, config):
    """Yield the stimuli."""
    if arguments.folder:
        for path in sorted(Path(arguments.folder).iterdir())[: arguments.stimuli]:
            yield read_image(path)
        return
    for index in range(arguments.stimuli):
        kind = generated.KINDS[index % len(generated.KINDS)]
        yield generated.generate(f"{kind}_{index:04d}", config["datasets"]["demo"]).image


def correlation_of(images, settings):
    """Correlation matrix of the regressors on a grid of stride 4, pooled by Gaussians."""
    regressors = layers.make_regressors(settings)
    n = len(regressors.table()["kind"])
    statistics = Statistics.empty(n, 1)
    for image in images:
        placement = geometry.place(image.shape[:2], BOX)
        shape = tuple(side // STRIDE for side in placement.input_size)
        grid = geometry.Grid(shape, (STRIDE, STRIDE), ((STRIDE - 1) / 2,) * 2)
        content = geometry.content(image, placement)
        (phi,) = regressors.compute(content, placement, [(grid, "gaussian", 2.0 * STRIDE)])
        flat = phi.reshape(n, -1)
        statistics.add(flat, flat[:1])
    return standardised(statistics)[0], regressors.table()


def meets_condition(correlation, support):
    """Tell whether a support meets Tropp's exact recovery condition."""
    alive = np.flatnonzero(np.diag(correlation) > 0)
    outside = np.setdiff1d(alive, support)
    inside = correlation[np.ix_(support, support)]
    return np.abs(np.linalg.solve(inside, correlation[np.ix_(support, outside)])).sum(0).max() < 1


def errors(missed, instead, table, n_orientations):
    """Octaves, degrees and changed kinds between filters missed and those chosen instead."""
    instead = [i for i in instead if table["scale"][i] >= 0]
    if not missed or not instead:
        return []
    octaves = np.abs(np.subtract.outer(table["scale"][missed], table["scale"][instead]))
    steps = np.abs(np.subtract.outer(table["orientation"][missed], table["orientation"][instead]))
    degrees = np.minimum(steps, n_orientations - steps) * 180 / n_orientations
    other = table["kind"][missed][:, None] != table["kind"][instead][None]
    colour = table["colour"][missed][:, None] != table["colour"][instead][None]
    pairs = optimize.linear_sum_assignment(octaves + degrees / 45 + other + 2 * colour)
    return list(zip(octaves[pairs], degrees[pairs], other[pairs], colour[pairs], strict=True))


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("--stimuli", type=int, default=24)
    parser.add_argument("--maps", type=int, default=200)
    parser.add_argument("--folder")
    arguments = parser.parse_args()
    config = load_config()
    settings = config["explanations"]["direct"]
    correlation, table = correlation_of(images_of(arguments, config), settings)
    pool = np.flatnonzero((table["scale"] >= 0) & (np.diag(correlation) > 0))
    print("| k | rule | condition met | exact where met | exact elsewhere | filters named | "
          "octaves off | degrees off | other kind | other colour |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|")
    for k in (1, 2, 4, 8):
        rng = np.random.default_rng(k)
        drawn = [rng.choice(pool, k, replace=False) for _ in range(arguments.maps)]
        weights = [rng.choice([-1, 1], k) * rng.uniform(1, 2, k) for _ in drawn]
        met = np.array([meets_condition(correlation, support) for support in drawn])
        for rule in ("omp", "ols"):
            exact, named, off = [], [], []
            for support, weight in zip(drawn, weights, strict=True):
                cross = correlation[:, support] @ weight
                found = set(sparse.select(correlation, cross, k, rule))
                exact.append(found == set(support.tolist()))
                named.append(len(found & set(support.tolist())) / k)
                missed, instead = (
                    sorted(set(support.tolist()) - found),
                    sorted(found - set(support)),
                )
                off += errors(missed, instead, table, settings["bank"]["n_orientations"])
            exact, off = np.array(exact), np.array(off or [[np.nan] * 4], dtype=float)
            share = [f"{exact[own].mean():.2f}" if own.any() else "none" for own in (met, ~met)]
            means = off.mean(axis=0)
            print(f"| {k} | {rule} | {met.mean():.2f} | {share[0]} | {share[1]} | "
                  f"{np.mean(named):.2f} | {means[0]:.2f} | {means[1]:.0f} | {means[2]:.2f} | "
                  f"{means[3]:.2f} |")  # fmt: skip


if __name__ == "__main__":
    main()
