"""Spectra: a planted log-density has the scale, colour and orientation that it was made of."""

import numpy as np
import pytest
from helpers import ORIGIN, make_image
from scipy import stats

from gaborscope.analysis import spectra
from gaborscope.explanation import layers
from gaborscope.fitting.statistics import combine
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.store.saliency import read_density, write_saliency

SETTINGS = {
    "input": {"height": 48, "width": 64}, "stride": 4, "colour": "yuv", "boundary": "symmetric",
    "bank": {
        "n_scales": 3, "n_orientations": 4, "min_wavelength_px": 3.0, "scale_factor": 2.0,
        "bandwidth_ratio": 0.65, "angular_sigma": None,
    },
    "kinds": ["amplitude"], "residual": True, "normalisation": False, "position": True,
    "pool": {"kind": "gaussian", "width": 2.0},
}  # fmt: skip
TABLE = layers.make_regressors(SETTINGS).table()
WAVELENGTHS = np.array([3.0, 6.0, 12.0])


def block_of(seed, n=4):
    """Return a block of noise stimuli that hold all scales."""
    images = [make_image((48, 64), 100 * seed + k) for k in range(n)]
    fine = [np.random.default_rng(1000 * seed + k) for k in range(n)]
    images = [
        np.clip(im * 0.6 + rng.uniform(0, 100, im.shape), 0, 255).astype(np.uint8)
        for im, rng in zip(images, fine, strict=True)
    ]
    return StimulusBlock(
        [f"{seed}{k}" for k in range(n)], [""] * n, [""] * n, np.array([(48, 64)] * n),
        np.zeros(0, np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32),
        np.zeros(0, np.int32), {}, images,
    )  # fmt: skip


def planted(block, chosen, gain=3.0):
    """Yield, stimulus by stimulus, a density whose logarithm is a sum of the chosen regressors."""
    for index in range(len(block.names)):
        phi, (rows, columns) = spectra.regressors(block.image(index), SETTINGS)
        log = phi[chosen].sum(axis=0).reshape(rows, columns)
        yield np.exp(gain * np.kron(log / log.std(), np.ones((4, 4))))


def statistics_of(choices, seeds):
    by_block = []
    for seed in seeds:
        block = block_of(seed)
        densities = zip(*(planted(block, chosen) for chosen in choices), strict=True)
        by_block.append(
            spectra.accumulate(block, (list(row) for row in densities), SETTINGS, TABLE)
        )
    return by_block


@pytest.fixture(scope="module")
def figures():
    """Return the spectra of four planted predictors, with intervals."""
    choices = [
        np.flatnonzero((TABLE["scale"] == 1) & (TABLE["colour"] == 0)),
        np.flatnonzero((TABLE["scale"] == 2) & (TABLE["colour"] == 1)),
        np.flatnonzero((TABLE["orientation"] == 2) & (TABLE["scale"] == 0)),
        np.flatnonzero(TABLE["name"] == "position centre"),
    ]
    fit = statistics_of(choices, range(5))
    (test,) = statistics_of(choices, [9])
    return spectra.with_intervals(fit, {"validation": test, "test": test}, 1e-4, TABLE, WAVELENGTHS)


def test_a_planted_log_density_is_explained_on_stimuli_not_seen(figures):
    assert (figures["explained_variance", "test"][0] > 0.98).all()


@pytest.mark.parametrize(
    "predictor, grouping, group",
    [
        (0, "scale", "1"), (0, "colour", "0"), (1, "scale", "2"), (1, "colour", "1"),
        (2, "orientation", "2"), (2, "scale", "0"), (3, "kind", "position"), (3, "scale", "none"),
    ],
)  # fmt: skip
def test_the_largest_share_is_that_of_the_planted_regressors(figures, predictor, grouping, group):
    shares = {k[1]: v[0, predictor] for k, v in figures.items()
           if k[0] == grouping and k[1] != "mean_wavelength"}  # fmt: skip
    assert max(shares, key=shares.get) == group
    assert shares[group] > 0.5


def test_the_mean_wavelength_follows_the_planted_scale(figures):
    mean = figures["scale", "mean_wavelength"][0]
    assert mean[2] < mean[0] < mean[1]
    assert 4.5 < mean[0] < 8


def test_shares_of_each_grouping_add_up_to_the_same_explained_variance(figures):
    sums = {}
    for (grouping, group), values in figures.items():
        if grouping != "explained_variance" and group != "mean_wavelength":
            sums[grouping] = sums.get(grouping, 0) + values[0]
    for total in sums.values():
        np.testing.assert_allclose(total, sums["scale"], atol=1e-8)


def test_intervals_hold_the_figure_and_are_those_of_the_jackknife(figures):
    for value, low, high in figures.values():
        # a log-density of position alone has no mean wavelength
        assert (((low <= value) & (value <= high)) | np.isnan(value)).all()
    choice = [np.flatnonzero(TABLE["scale"] == 1)]
    parts = statistics_of(choice, range(3))
    of_three_blocks = spectra.with_intervals(
        parts, {"validation": parts[0]}, 1e-4, TABLE, WAVELENGTHS
    )
    named = spectra.named_by(combine(parts), parts[0])
    pairs = [(1, 2), (0, 2), (0, 1)]
    without_one = [
        spectra.spectrum(parts[a] + parts[b], {}, 1e-4, TABLE, WAVELENGTHS, named)["scale", "1"][0]
        for a, b in pairs
    ]
    error = np.sqrt(2 / 3 * ((np.array(without_one) - np.mean(without_one)) ** 2).sum())
    value, low, high = of_three_blocks["scale", "1"][:, 0]
    np.testing.assert_allclose(high - value, stats.t.ppf(0.975, 2) * error)
    np.testing.assert_allclose(value - low, high - value)


def test_a_factor_of_the_density_changes_nothing(rng):
    density = rng.uniform(0.5, 1, (48, 64))
    np.testing.assert_allclose(
        spectra.cell_logarithm(density, (12, 16)),
        spectra.cell_logarithm(7 * density, (12, 16)),
        atol=1e-6,
    )


def test_a_uniform_density_has_no_spectrum():
    block = block_of(3)
    flat = ([np.full((48, 64), 1 / 3072)] for _ in block.names)
    statistics = spectra.accumulate(block, flat, SETTINGS, TABLE)
    named = spectra.named_by(statistics, statistics)
    figures = spectra.spectrum(statistics, {"test": statistics}, 1e-4, TABLE, WAVELENGTHS, named)
    assert np.isnan(figures["explained_variance", "test"]).all()
    assert np.isnan(figures["scale", "0"]).all()


def test_the_penalty_is_the_one_that_explains_most_on_the_validation_split():
    choice = [np.flatnonzero(TABLE["scale"] == 1)]
    fit, validation = statistics_of(choice, [0, 1])
    assert spectra.choose_penalty(fit, validation, [1e3, 1e-4, 1e2]) == 1e-4


def test_rows_name_wavelengths_in_px_and_cycles_per_degree(figures):
    names = {"wavelengths": WAVELENGTHS * 2, "orientations": np.pi * np.arange(4) / 4,
             "channels": "YUV"}  # fmt: skip
    rows = spectra.rows(figures, list("abcd"), "made", names, 24.0)
    scale = next(
        r for r in rows if (r["predictor"], r["grouping"], r["group"]) == ("b", "scale", "1")
    )
    assert (scale["wavelength_px"], scale["cycles_per_degree"]) == (12.0, 2.0)
    groups = {r["group"] for r in rows if r["grouping"] == "orientation"}
    assert groups == {"0", "45", "90", "135", "none"}
    assert {r["group"] for r in rows if r["grouping"] == "colour"} == {"Y", "U", "V", "none"}


def test_predictions_are_read_where_there_is_a_file_and_computed_elsewhere(tmp_path):
    block, rng = block_of(3, n=2), np.random.default_rng(0)
    logs = [np.log(rng.dirichlet(np.ones(48 * 64)).reshape(48, 64)) for _ in range(2)]
    path = tmp_path / "07.h5"
    write_saliency(path, block.names, logs, ORIGIN)
    flat = np.full((48, 64), 2.0)
    computed = {"flat": lambda block, index: (flat * (index + 1), "density")}
    found = list(spectra.predictions(block, {"net": str(path)}, computed, ["flat", "net"], 1e-3))
    assert len(found) == 2
    for index, (made, read) in enumerate(found):
        np.testing.assert_allclose(made, 1 / flat.size)
        np.testing.assert_array_equal(read, read_density(path, index))


def test_scales_are_told_in_px_of_stimuli_of_the_median_size():
    names = spectra.names_of(SETTINGS, np.array([[96, 128], [96, 128], [480, 640]]))
    np.testing.assert_allclose(names["wavelengths"], 2 * WAVELENGTHS)
    np.testing.assert_allclose(names["orientations"], np.arange(4) * np.pi / 4)
    assert list(names["channels"]) == ["Y", "U", "V"]
