"""Pooling from few points differs from pooling from all px by the stated tolerance at most."""

import numpy as np
import pytest
from helpers import make_regressors

from gaborscope.filters import sampling
from gaborscope.filters.controls import CONTROLS
from gaborscope.filters.lattice import covering
from gaborscope.stimuli.geometry import Grid, Placement, gaussian_matrix

SHAPE = (96, 144)
PLACEMENT = Placement(SHAPE, 0, 0, *SHAPE)
BANK = {
    "n_scales": 4,
    "n_orientations": 3,
    "min_wavelength_px": 3.0,
    "scale_factor": 2.0,
    "bandwidth_ratio": 0.65,
}


def tiling(stride):
    """Grid whose cells tile the image."""
    return Grid(
        (SHAPE[0] // stride, SHAPE[1] // stride),
        (float(stride), float(stride)),
        ((stride - 1) / 2, (stride - 1) / 2),
    )


def photograph(seed=0):
    """Noise whose amplitude falls as 1/f, as that of photographs does, uint8."""
    rng = np.random.default_rng(seed)
    f = np.hypot(np.fft.fftfreq(SHAPE[0])[:, None], np.fft.fftfreq(SHAPE[1]))
    f[0, 0] = np.inf
    noise = np.fft.ifft2(np.fft.fft2(rng.normal(size=(3, *SHAPE))) / f).real
    noise *= 50 / noise.std(axis=(1, 2), keepdims=True)
    return np.clip(128 + np.moveaxis(noise, 0, -1), 0, 255).astype(np.uint8)


def from_all_px(monkeypatch, regressors, targets):
    """Regressors pooled from the responses at all px."""
    with monkeypatch.context() as patch:
        patch.setattr(sampling, "handles", lambda target, placement: False)
        return regressors.compute(photograph(), PLACEMENT, targets)


@pytest.mark.parametrize("stride, width", [(4, 8.0), (8, 16.0), (8, 48.0), (16, 32.0)])
@pytest.mark.parametrize("n_orientations, ratio", [(8, 0.65), (3, 0.65), (8, 0.55)])
def test_averaged_amplitudes_are_within_the_tolerance_of_those_of_all_px(
    monkeypatch, stride, width, n_orientations, ratio
):
    bank = {**BANK, "n_orientations": n_orientations, "bandwidth_ratio": ratio}
    regressors = make_regressors(bank=bank, kinds=["amplitude"], residual=False)
    targets = [(tiling(stride), "gaussian", width)]
    (maps,) = regressors.compute(photograph(), PLACEMENT, targets)
    (expected,) = from_all_px(monkeypatch, regressors, targets)
    error = np.sqrt(((maps - expected) ** 2).mean(axis=(1, 2))) / expected.mean(axis=(1, 2))
    assert error.max() < sampling.TOLERANCE


@pytest.mark.parametrize("stride, width", [(4, 8.0), (8, 16.0), (4, 24.0)])
def test_even_and_odd_responses_inside_the_image_are_those_of_all_px(monkeypatch, stride, width):
    regressors = make_regressors(bank=BANK, kinds=["even", "odd"])
    targets = [(tiling(stride), "gaussian", width)]
    (maps,) = regressors.compute(photograph(), PLACEMENT, targets)
    (expected,) = from_all_px(monkeypatch, regressors, targets)
    inside = int(
        np.ceil(5 * width / 12**0.5 / stride)
    )  # cells farther from the edges have uncut windows
    inner = (slice(None), slice(inside, -inside), slice(inside, -inside))
    # the tail beyond five deviations, cut where all px are pooled, is of the order of 1e-6
    np.testing.assert_allclose(maps[inner], expected[inner], atol=5e-6)


@pytest.mark.parametrize("n_grids", [1, 2, 3])
def test_points_are_those_of_all_px_where_they_lie_on_px(monkeypatch, n_grids):
    regressors = make_regressors(bank=BANK)
    grids = [
        Grid((23, 35), (4.0, 4.0), (1.0, 2.0)),
        Grid((12, 18), (8.0, 8.0), (3.0, 4.0)),
        Grid((13, 20), (7.0, 7.0), (3.0, 3.0)),
    ]
    targets = [(grid, "point", 1.0) for grid in grids[:n_grids]]
    expected = from_all_px(monkeypatch, regressors, targets)
    for maps, direct in zip(
        regressors.compute(photograph(), PLACEMENT, targets), expected, strict=True
    ):
        np.testing.assert_allclose(maps, direct, atol=3e-6)


def test_fine_filters_have_no_even_or_odd_response_under_a_wide_window():
    regressors = make_regressors(bank=BANK, kinds=["even", "odd", "amplitude"])
    targets = [(tiling(4), "gaussian", 8.0), (tiling(8), "gaussian", 48.0)]
    narrow, wide = regressors.compute(photograph(), PLACEMENT, targets)
    table = regressors.table()
    fine = (table["scale"] == 0) & np.isin(table["kind"], ["even", "odd"])
    assert (wide[fine] == 0).all() and (narrow[fine].std(axis=(1, 2)) > 1e-5).all()
    assert (wide[table["kind"] == "amplitude"].std(axis=(1, 2)) > 0).all()
    coarse = (table["scale"] == 3) & (table["kind"] != "residual")
    assert (wide[coarse].std(axis=(1, 2)) > 1e-5).all()


@pytest.mark.parametrize("control", sorted({*CONTROLS} - {"phase_scrambled"}))
def test_controls_are_pooled_from_all_points(monkeypatch, control):
    bank = {**BANK, "n_scales": 2}
    chosen = {"control": control, "kinds": ["amplitude"], "residual": False}
    regressors = make_regressors(bank=bank, boundary="periodic", **chosen)
    targets = [(tiling(4), "gaussian", 8.0)]
    (maps,) = regressors.compute(photograph(), PLACEMENT, targets)
    (expected,) = from_all_px(monkeypatch, regressors, targets)
    np.testing.assert_allclose(maps, expected, atol=2e-6)


@pytest.mark.parametrize("stride, width", [(4, 8.0), (8, 48.0)])
def test_amplitudes_with_scrambled_phases_are_within_the_tolerance(monkeypatch, stride, width):
    chosen = {"control": "phase_scrambled", "kinds": ["amplitude"], "residual": False}
    regressors = make_regressors(bank=BANK, **chosen)
    targets = [(tiling(stride), "gaussian", width)]
    (maps,) = regressors.compute(photograph(), PLACEMENT, targets)
    (expected,) = from_all_px(monkeypatch, regressors, targets)
    error = np.sqrt(((maps - expected) ** 2).mean(axis=(1, 2))) / expected.mean(axis=(1, 2))
    assert error.max() < sampling.TOLERANCE


def test_weights_of_a_window_add_up_to_those_of_the_px_it_covers():
    # a function as smooth as a coarse amplitude; windows at the border are cut
    def smooth(x):
        return 1 + np.cos(2 * np.pi * x / 60 + 0.4)

    lattice = covering(4, (1.5, 1.5), (96, 96), sampling.BEYOND)
    cell_centres = np.array([0.0, 3.5, 50.0, 95.0])
    along, _ = sampling.windows(lattice, (cell_centres, cell_centres), 7.0, (96, 96))
    expected = gaussian_matrix(np.arange(96), cell_centres, 7.0) @ smooth(np.arange(96))
    np.testing.assert_allclose(along @ smooth(lattice.positions(0)), expected, atol=3e-3)


def test_interpolation_is_exact_for_cubic_polynomials():
    points, pixels = np.arange(2.0, 40.0, 4.0), np.arange(36)
    polynomial = np.polynomial.Polynomial([1, -0.3, 0.02, 0.001])
    matrix = sampling.interpolation(points, pixels)
    np.testing.assert_allclose(matrix @ polynomial(points), polynomial(pixels))
    for n in (1, 2, 3):  # fewer than four points: a polynomial of lower degree
        few = sampling.interpolation(points[:n], pixels)
        np.testing.assert_allclose(few.sum(axis=1), 1)


@pytest.mark.parametrize(
    "target, handled",
    [
        ((tiling(4), "point", 1.0), True),
        ((tiling(4), "gaussian", 8.0), True),
        ((tiling(4), "box", 8.0), False),
        ((tiling(4), "gaussian", 2.0), False),  # narrower than the distance of the points
        ((Grid((13, 20), (7.0, 7.0), (3.0, 3.0)), "point", 1.0), True),
        ((Grid((12, 19), (7.5, 7.5), (3.25, 3.25)), "point", 1.0), False),
        ((Grid((13, 20), (7.0, 7.0), (3.0, 3.0)), "gaussian", 14.0), True),
        ((Grid((12, 20), (7.5, 7.0), (3.25, 3.0)), "point", 1.0), False),
        ((Grid((13, 19), (7.0, 7.5), (3.0, 3.25)), "point", 1.0), False),
        # a single cell, nearest to the content, before it or behind it along one axis
        ((Grid((1, 40), (4.0, 4.0), (-2.0, 1.5)), "point", 1.0), False),
        ((Grid((1, 40), (4.0, 4.0), (300.0, 1.5)), "point", 1.0), False),
        ((Grid((30, 1), (4.0, 4.0), (1.5, -2.0)), "gaussian", 8.0), False),
        ((Grid((30, 1), (4.0, 4.0), (1.5, 300.0)), "gaussian", 8.0), False),
    ],
)
def test_what_is_taken_from_lattices(target, handled):
    assert sampling.handles(target, PLACEMENT) is handled


def test_layers_of_one_phase_share_a_lattice():
    grids = [tiling(4), tiling(8), tiling(16)]
    centres = [sampling.centres(grid, PLACEMENT) for grid in grids]
    ((lattice, members),) = sampling.point_lattices(grids, centres, SHAPE, (144, 192))
    assert (lattice.step, members) == (2, [0, 1, 2])
    for cell_centres in centres:
        rows, columns = sampling.places(lattice, cell_centres)
        np.testing.assert_allclose(lattice.positions(0)[rows], cell_centres[0])
        np.testing.assert_allclose(lattice.positions(1)[columns], cell_centres[1])
