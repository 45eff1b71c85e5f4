"""Bends and products against their formulas."""

import json

import numpy as np

from gaborscope.filters.terms import Terms

TERMS = Terms({1: 2.0, 3: -1.0}, {1: 4.0, 3: 0.5}, ((1, -0.5), (3, 1.5)), ((1, 3),))


def test_terms_are_bends_and_products_of_energies_in_standard_deviations(rng):
    phi = rng.normal(size=(5, 3, 7)).astype(np.float32)
    expanded = TERMS.expand(phi)
    one, other = (phi[1] - 2) / 4, (phi[3] + 1) / 0.5
    expected = [*phi, np.maximum(one + 0.5, 0), np.maximum(other - 1.5, 0), one * other]
    np.testing.assert_allclose(expanded, expected, rtol=1e-6, atol=1e-6)


def test_the_table_names_terms_by_the_energies_that_they_are_made_of():
    regressors = {
        "kind": np.array(["amplitude"] * 4), "scale": np.arange(4, dtype=np.int32),
        "orientation": np.zeros(4, np.int32), "colour": np.zeros(4, np.int32),
        "name": np.array(["a", "b", "c", "d"]),
    }  # fmt: skip
    table = TERMS.table(regressors)
    assert table["name"][4:].tolist() == ["bend of b at -0.5 sd", "bend of d at +1.5 sd", "b x d"]
    assert table["kind"][4:].tolist() == ["bend", "bend", "product"]
    assert (table["scale"][4:] == -1).all() and len(table["colour"]) == 7


def test_terms_survive_json():
    assert Terms.from_json(json.loads(json.dumps(TERMS.to_json()))) == TERMS
