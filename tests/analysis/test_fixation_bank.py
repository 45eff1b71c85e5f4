"""The bank fitted to fixations alone."""

import functools

import numpy as np
import pytest
from helpers import SETTINGS as REGRESSOR_SETTINGS
from helpers import make_block

from gaborscope.analysis import fixation_bank
from gaborscope.errors import InputError
from gaborscope.explanation.fusion_data import Examples
from gaborscope.explanation.model import smoothing_matrix
from gaborscope.scoring import baselines
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.centre_bias import CentreBias, centre_bias

SETTINGS = {
    **{key: value for key, value in REGRESSOR_SETTINGS.items() if key not in ("pool", "pools")},
    "kinds": ["amplitude"],
    "input": {"height": 48, "width": 64},
    "stride": 8,
    "pool": {"kind": "gaussian", "width": 2.0},
}
SIZE = (60, 80)


def patches(seed, n):
    """Return grey stimuli with one patch of high contrast, at which all subjects look."""
    rng = np.random.default_rng(seed)
    images, centres = [], []
    for _ in range(n):
        image = rng.integers(118, 138, (*SIZE, 3)).astype(np.uint8)
        y, x = rng.integers(10, 50), rng.integers(10, 70)
        image[y - 8 : y + 8, x - 8 : x + 8] = rng.integers(0, 256, (16, 16, 1))
        images.append(image)
        centres.append((x, y))
    points = np.repeat(centres, 10, axis=0) + rng.normal(0, 2, (10 * n, 2))
    block = StimulusBlock(
        names=[f"{seed}_{i}.png" for i in range(n)],
        paths=[""] * n,
        sha256=[""] * n,
        sizes=np.tile(np.array(SIZE, np.int32), (n, 1)),
        x=points[:, 0].astype(np.float32),
        y=points[:, 1].astype(np.float32),
        stimulus=np.repeat(np.arange(n, dtype=np.int32), 10),
        subject=np.tile(np.arange(10, dtype=np.int32), n),
        facts={"px_per_degree": 4.0},
        images=images,
    )
    return block, np.array(centres)


@pytest.fixture(scope="module")
def bank():
    fit, validation = patches(1, 8)[0], patches(2, 3)[0]
    bias = centre_bias([fit], [validation], [0.1, 0.2], 0.01)
    return fixation_bank.fit([fit], [validation], SETTINGS, [0.01, 1.0], bias)


def test_it_finds_what_draws_the_gaze_in_stimuli_it_never_saw(bank):
    block, centres = patches(3, 6)
    for index, (x, y) in enumerate(centres):
        logits = bank.predict(block.images[index])
        assert logits.shape == SIZE
        peak = np.unravel_index(logits.argmax(), SIZE)
        assert np.hypot(peak[0] - y, peak[1] - x) < 12


def test_a_saved_bank_predicts_the_same(bank, tmp_path):
    bank.save(tmp_path / "bank.h5", {"code": "x"})
    again = fixation_bank.FixationBank.load(tmp_path / "bank.h5")
    image = patches(4, 1)[0].images[0]
    np.testing.assert_array_equal(again.predict(image), bank.predict(image))
    assert again.penalty == bank.penalty


def test_cells_tile_the_image_whatever_its_size():
    for size in ((60, 80), (80, 60), (31, 97)):
        image = np.zeros((*size, 3), np.uint8)
        regressors, shape = fixation_bank.features(image, SETTINGS)
        assert len(regressors) == shape[0] * shape[1]


def test_it_is_a_baseline_by_name(bank):
    block = patches(5, 1)[0]
    predict = baselines.make("loggabor_fixations", [], [], {}, 1, bank)
    values, kind = predict(block, 0)
    assert kind == "logits"
    np.testing.assert_array_equal(values, bank.predict(block.images[0]))


def test_stimuli_without_fixations_are_left_out_and_none_at_all_is_an_error(bank):
    block = make_block([SIZE, SIZE])
    keep = block.stimulus == 1
    for key in ("x", "y", "stimulus", "subject"):
        setattr(block, key, getattr(block, key)[keep])
    bias = CentreBias({"a": [[0.5, 0.5]]}, (0.1, 0.1), 0.01)
    examples = Examples()
    target = functools.partial(fixation_bank._of_people, block)
    fixation_bank.collect(examples, block, SETTINGS, bias, target)
    assert len(examples) == 1
    for key in ("x", "y", "stimulus", "subject"):
        setattr(block, key, getattr(block, key)[:0])
    with pytest.raises(InputError, match="fit split has a fixation"):
        fixation_bank.fit([block], [block], SETTINGS, [1.0], bias)


def test_every_pool_has_all_regressors_of_its_own():
    image = patches(3, 1)[0].image(0)
    pools = [{"kind": "point", "width": 1.0}, SETTINGS["pool"]]
    several, shape = fixation_bank.features(image, {**SETTINGS, "pools": pools})
    alone, _ = fixation_bank.features(image, SETTINGS)
    assert several.shape == (shape[0] * shape[1], 2 * alone.shape[1])
    np.testing.assert_allclose(several[:, alone.shape[1] :], alone, rtol=1e-4, atol=1e-5)


def test_smoothing_is_that_of_a_fusion_and_keeps_the_mean():
    image = patches(3, 1)[0].image(0)
    plain, shape = fixation_bank.features(image, SETTINGS)
    smooth, again = fixation_bank.features(image, {**SETTINGS, "smoothing": 16.0})
    assert again == shape == (6, 8)
    along = [smoothing_matrix(n, 16.0 / 8) for n in shape]
    expected = np.einsum("ya,xb,abk->yxk", *along, plain.reshape(*shape, -1))
    np.testing.assert_allclose(smooth.reshape(*shape, -1), expected, rtol=1e-4, atol=1e-5)
    assert smooth.std(axis=0).mean() < 0.7 * plain.std(axis=0).mean()


def test_a_regressor_beyond_float16_is_named():
    block = patches(3, 1)[0]
    huge = lambda image, settings: (np.full((48, 3), 1e5), (6, 8))  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fixation_bank, "features", huge)
        bias = CentreBias({"a": [[0.5, 0.5]]}, (0.1, 0.1), 0.01)
        with pytest.raises(InputError, match="3_0.png: a regressor exceeds"):
            uniform = np.ones(SIZE)
            fixation_bank.collect(Examples(), block, SETTINGS, bias, lambda index: uniform)
