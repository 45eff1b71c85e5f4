"""The bank fitted straight to a deep model's densities."""

import numpy as np
import pytest
from helpers import SETTINGS as REGRESSOR_SETTINGS
from helpers import make_block

from gaborscope.analysis import deep_bank, fixation_bank
from gaborscope.errors import InputError
from gaborscope.stimuli import densities
from gaborscope.stimuli.centre_bias import CentreBias
from gaborscope.store.saliency import write_saliency

SETTINGS = {
    **{key: value for key, value in REGRESSOR_SETTINGS.items() if key not in ("pool", "pools")},
    "input": {"height": 48, "width": 64, "fit": "pad", "multiple": 16},
    "stride": 8,
    "smoothing": 8.0,
    "pools": [{"kind": "point", "width": 1.0}, {"kind": "gaussian", "width": 3.0}],
    "penalties": [1e-4, 1e-2],
}
SIZES = [(48, 64), (64, 48), (40, 80)]
BIAS = CentreBias({"other": [[0.5, 0.5], [0.3, 0.6]]}, (0.2, 0.2), 0.01)


def planted(block, weight):
    """Log-densities that are log-linear in the bank's own regressors."""
    bank = deep_bank.DeepBank(SETTINGS, weight, 0.0, BIAS.density((96, 128)))
    return [
        densities.to_log_density(bank.predict(block.image(i)), "logits", 0.0)
        for i in range(len(block.names))
    ]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deep")
    fit, validation = make_block(SIZES * 6, seed=1), make_block(SIZES, seed=2)
    n = fixation_bank.features(fit.image(0), SETTINGS)[0].shape[1]
    weight = np.zeros(n + 1)
    first = fixation_bank.features(fit.image(0), SETTINGS)[0]
    weight[[3, n // 2]] = 2 / first.std(axis=0)[[3, n // 2]]
    weight[-1] = 0.5
    blocks = []
    for name, block in (("fit", fit), ("validation", validation)):
        path = folder / f"{name}.h5"
        write_saliency(path, block.names, planted(block, weight), {})
        blocks.append([(block, BIAS, path)])
    bank, tried = deep_bank.fit(*blocks, SETTINGS)
    return bank, tried, weight, blocks


def test_it_finds_a_density_that_is_log_linear_in_its_regressors(fitted):
    bank, tried, weight, _ = fitted
    block = make_block(SIZES, seed=3)
    for index, log_deep in enumerate(planted(block, weight)):
        found = densities.to_log_density(bank.predict(block.image(index)), "logits", 0.0)
        bias = np.log(BIAS.density(block.size(index)))
        deep = np.exp(log_deep)
        assert (deep * (log_deep - found)).sum() < 0.1 * (deep * (log_deep - bias)).sum()
    assert [penalty for penalty, _, _ in tried] == [1e-2, 1e-4]
    assert bank.penalty == min(tried, key=lambda step: step[2])[0]


def test_a_saved_bank_predicts_the_same_and_is_no_bank_of_people(fitted, tmp_path):
    bank, image = fitted[0], make_block(SIZES, seed=3).image(1)
    bank.save(tmp_path / "bank.h5", {"code": "x"})
    again = deep_bank.DeepBank.load(tmp_path / "bank.h5")
    assert type(again) is deep_bank.DeepBank and "penalties" not in again.settings
    np.testing.assert_array_equal(again.predict(image), bank.predict(image))
    with pytest.raises(InputError, match="deep_bank/1 where fixation_bank"):
        fixation_bank.FixationBank.load(tmp_path / "bank.h5")


def test_fixations_are_not_looked_at(fitted):
    bank, _, _, ((fit, validation)) = fitted
    for block, _, _ in (*fit, *validation):
        for key in ("x", "y", "stimulus", "subject"):
            setattr(block, key, getattr(block, key)[:0])
    again, _ = deep_bank.fit(fit, validation, SETTINGS)
    np.testing.assert_array_equal(again.weight, bank.weight)


def test_a_stretched_input_has_the_cells_of_the_size_it_is_stretched_to():
    nearest = {**SETTINGS, "input": {"height": 96, "width": 128, "fit": "nearest", "multiple": 32}}
    image = make_block([(64, 128)], seed=4).image(0)
    _, stretched = fixation_bank.features(image, nearest)
    padded = {**nearest, "input": {"height": 96, "width": 128, "fit": "pad", "multiple": 32}}
    _, kept = fixation_bank.features(image, padded)
    assert kept == (8, 16) and stretched != kept
