"""Second stage: it sees borders between textures that no single filter sees."""

import numpy as np
import pytest
from helpers import SETTINGS, make_fitted, make_image, shares_of

from gaborscope.analysis import identities as identity_tools
from gaborscope.explanation import layers
from gaborscope.explanation.model import ExplainedModel
from gaborscope.filters import second_stage as second_stages
from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.fitting.statistics import Statistics, marginal_correlation
from gaborscope.stimuli import colour as colours
from gaborscope.stimuli.geometry import Grid, Placement

BANK = {
    "n_scales": 4, "n_orientations": 8, "min_wavelength_px": 3.0, "scale_factor": 2.0,
    "bandwidth_ratio": 0.65, "angular_sigma": None,
}  # fmt: skip
BOTH = {**SETTINGS, "bank": BANK, "normalisation": True, "position": True, "second_stage": True}
PIXELS = Grid((64, 96), (1.0, 1.0), (0.0, 0.0))
PLACEMENT = Placement((64, 96), 0, 0, 64, 96)


def test_the_second_scale_lies_two_or_three_above_the_first_within_the_bank():
    assert second_stages.pairs(5) == [(0, 2), (0, 3), (1, 3), (1, 4), (2, 4)]
    assert second_stages.pairs(2) == []


@pytest.mark.parametrize("n, expected", [(8, [0, 2, 4, 6]), (4, [0, 1, 2, 3]), (9, [*range(9)])])
def test_orientations_of_the_second_stage_are_among_those_of_the_bank(n, expected):
    assert second_stages.orientations(n) == expected


def test_responses_are_the_bank_on_the_amplitudes_of_the_bank():
    image = colours.to_opponent(make_image((64, 96)), "yuv")[0]
    bank = LogGaborBank(**BANK)
    amplitude = np.abs(bank.responses(image, "periodic")).reshape(4, 8, 64, 96).mean(axis=1)
    responses = list(second_stages.responses(image, BANK, "periodic"))
    assert len(responses) == len(second_stages.pairs(4))
    for (s, t), response in zip(second_stages.pairs(4), responses, strict=True):
        coarse = LogGaborBank(1, 4, bank.wavelengths_px[t], 2.0, 0.65)
        np.testing.assert_allclose(response, coarse.responses(amplitude[s], "periodic"), atol=1e-6)


def test_the_table_has_a_row_for_every_map():
    regressors = layers.make_regressors(BOTH)
    (maps,) = regressors.compute(make_image((64, 96)), PLACEMENT, [(PIXELS, "point", 1.0)])
    table = regressors.table()
    assert {len(column) for column in table.values()} == {len(maps)}
    assert len(set(table["name"])) == len(maps)
    second = table["kind"] == second_stages.KIND
    assert second.sum() == len(second_stages.pairs(4)) * 4 * 3
    assert (np.abs(maps[second]).max(axis=(1, 2)) > 0).all()


def test_rows_of_the_table_name_the_part_of_the_response():
    image = make_image((64, 96))
    regressors = layers.make_regressors(BOTH)
    (maps,) = regressors.compute(image, PLACEMENT, [(PIXELS, "point", 1.0)])
    names = list(regressors.table()["name"])
    luminance = colours.to_opponent(image, "yuv")[0]
    responses = second_stages.responses(luminance, BANK, "symmetric")
    responses = dict(zip(second_stages.pairs(4), responses, strict=True))
    for kind, part in (("even", np.real), ("odd", np.imag), ("amplitude", np.abs)):
        row = maps[names.index(f"Y second {kind} +2 s1 o4")]
        np.testing.assert_allclose(row, part(responses[1, 3][2]), atol=1e-6)


def test_switching_it_on_leaves_the_other_regressors_as_they_were():
    image = make_image((64, 96))
    with_it, without = layers.make_regressors(BOTH), layers.make_regressors(
        {**BOTH, "second_stage": False}
    )  # fmt: skip
    (many,), (few,) = (r.compute(image, PLACEMENT, [(PIXELS, "point", 1.0)])
                       for r in (with_it, without))  # fmt: skip
    kept = with_it.table()["kind"] != second_stages.KIND
    np.testing.assert_array_equal(many[kept], few)


def texture_border():
    """Noise of 3 px left of column 48 and of 12 px right of it, with equal mean and spread."""
    rng = np.random.default_rng(0)
    fine = LogGaborBank(1, 1, 3.0, 2.0, 0.65, 10.0).responses(rng.normal(size=(64, 96)))[0].real
    coarse = LogGaborBank(1, 1, 12.0, 2.0, 0.65, 10.0).responses(rng.normal(size=(64, 96)))[0].real
    fine, coarse = fine / fine.std(), coarse / coarse.std()
    left = np.arange(96) < 48
    return np.clip(128 + 40 * np.where(left, fine, coarse), 0, 255).astype(np.uint8)


def test_a_border_between_textures_drives_the_vertical_second_stage_most_at_the_border():
    image = np.repeat(texture_border()[..., None], 3, axis=2)
    regressors = layers.make_regressors(BOTH)
    (maps,) = regressors.compute(image, PLACEMENT, [(PIXELS, "point", 1.0)])
    names = list(regressors.table()["name"])
    across = np.abs(maps[names.index("Y second amplitude +3 s0 o0")]).mean(axis=0)
    along = np.abs(maps[names.index("Y second amplitude +3 s0 o4")]).mean(axis=0)
    assert abs(int(across[12:-12].argmax()) + 12 - 48) <= 6
    assert across[48] > 2 * along[48]


def test_shares_by_kind_report_it_and_dominant_filters_leave_it_out(rng_statistics):
    statistics, table = rng_statistics
    labels, values, _ = shares_of(statistics, table)["kind"]
    assert values[labels.index(second_stages.KIND)] == pytest.approx(1, abs=1e-3)
    filters = {"marginal": marginal_correlation(statistics), "table": table}
    assert {row["kind"] for row in identity_tools.dominant(filters, 5)} <= {
        "even", "odd", "amplitude", "normalised", "residual",
    }  # fmt: skip


@pytest.fixture
def rng_statistics():
    """Statistics of a map that is one regressor of the second stage."""
    table = layers.make_regressors(BOTH).table()
    rng = np.random.default_rng(1)
    phi = rng.normal(size=(len(table["name"]), 4000))
    statistics = Statistics.empty(len(phi), 1)
    statistics.add(phi, phi[[list(table["name"]).index("Y second even +2 s0 o2")]])
    return statistics, table


def test_an_explained_model_with_a_second_stage_predicts_from_its_file_alone(tmp_path):
    rng = np.random.default_rng(2)
    fitted = make_fitted("fine", 4, 3, "relu", rng)
    n = len(layers.make_regressors(BOTH).table()["kind"])
    fitted.settings, fitted.weight = BOTH, rng.standard_normal((3, n)).astype(np.float32)
    bias = np.ones((12, 16)) / 192
    model = ExplainedModel(
        (32, 48), [fitted], {"stride": 4, "smoothing": 3.0}, rng.normal(size=4), bias, 1e-3
    )
    image = make_image((40, 60))
    model.save(tmp_path / "direct.h5", {"code": "0", "seed": "1"})
    loaded = ExplainedModel.load(tmp_path / "direct.h5")
    np.testing.assert_array_equal(loaded.predict(image), model.predict(image))
    shuffled = ExplainedModel.load(tmp_path / "direct.h5")
    shuffled.layers[0].weight[:, -60:] = 0
    assert np.abs(shuffled.predict(image) - model.predict(image)).max() > 1e-6
