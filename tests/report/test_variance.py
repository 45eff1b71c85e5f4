"""Explained variance beside nulls: which word a layer gets, and against what."""

import numpy as np
import pandas as pd
import pytest

from gaborscope.report import variance
from gaborscope.report.drawing import plt

NAN = float("nan")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def table(**layers):
    """Table of a test split, by layer explained variance with and without position."""
    rows = [
        {"layer": layer, "split": split, "explained_variance": both[0] + shift,
         "without_position": both[1] + shift}
        for layer, both in layers.items()
        for split, shift in (("validation", 0.3), ("test", 0.0))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def beside(own, **nulls):
    return variance.layers_beside(own, nulls)


OWN = table(stem=(0.9, 0.8), middle=(0.7, 0.6), late=(0.6, 0.4))
NOISE = table(stem=(0.7, 0.5), middle=(0.65, 0.61), late=(0.1, 0.1))
LESS = table(stem=(0.5, 0.4), middle=(0.1, 0.1), late=(0.1, 0.1))
RANDOM = table(stem=(0.9, 0.85), middle=(0.2, 0.1), late=(0.1, 0.0))


def test_a_layer_below_the_floor_without_position_is_only_predictable():
    words = variance.words(beside(OWN), is_null=False)
    assert words == {"stem": "explained", "middle": "explained",
                     "late": "linearly predictable from"}  # fmt: skip


def test_a_layer_that_one_wrong_bank_predicts_as_well_is_only_predictable():
    layers = beside(OWN, noise_banks=[LESS, NOISE], random_networks=[RANDOM])
    assert variance.words(layers, is_null=False)["middle"] == "linearly predictable from"
    # a random network's layer that is as predictable does not take the word away
    assert variance.words(layers, is_null=False)["stem"] == "explained"


def test_sentences_say_which_word_and_against_what():
    layers = beside(OWN, random_networks=[RANDOM], noise_banks=[LESS, NOISE])
    assert variance.sentences(layers, is_null=False) == [
        "Explained by the bank (at least 0.50 of the variance of test stimuli without position, "
        "more than by any wrong bank): stem (0.80).",
        "Only linearly predictable from the bank, less than 0.50: late (0.40).",
        "Only linearly predictable from the bank, since a wrong bank predicts as much: "
        "middle (0.60; wrong bank 0.61).",
        "The same bank predicts as much of the random networks' layers in stem (0.85): there the "
        "figure says nothing about what was learned.",
    ]


def test_nulls_that_the_run_has_not_are_said():
    said = variance.sentences(beside(OWN), is_null=False)
    assert "the run has no wrong bank beside it): stem (0.80), middle (0.60)." in said[0]
    assert said[-1] == "No random network is in this run to compare with."


def test_of_a_null_nothing_is_called_explained():
    (said,) = variance.sentences(beside(OWN), is_null=True)
    assert "none is called explained" in said
    assert set(variance.words(beside(OWN), is_null=True).values()) == {variance.PREDICTABLE}


def test_a_cascade_needs_a_wrong_bank_and_is_judged_with_position():
    own, noise = (
        table(first=(value, NAN)).drop(columns="without_position") for value in (0.7, 0.6)
    )
    (said, _) = variance.sentences(beside(own), is_null=False)
    assert said == (
        "Only linearly predictable from the bank, since a cascade can span any small kernel and "
        "the run has no wrong bank beside it: first (0.70)."
    )
    layers = beside(own, noise_banks=[noise])
    assert variance.words(layers, is_null=False) == {"first": "explained"}
    assert variance.sentences(layers, is_null=False)[0] == (
        "Explained by the bank (at least 0.50 of the variance of test stimuli, more than by any "
        "wrong bank): first (0.70)."
    )
    assert variance.table(layers, is_null=False)["rows"] == [
        ("first", ["0.700", "–", "explained", "0.600 / –"])
    ]


def test_a_layer_whose_figure_is_undefined_is_not_explained():
    layers = beside(table(dead=(NAN, NAN)))
    assert variance.words(layers, is_null=False) == {"dead": variance.PREDICTABLE}
    assert variance.sentences(layers, is_null=False)[0].endswith("0.50: dead (undefined).")


def test_the_table_has_with_and_without_position_beside_the_mean_of_each_family():
    layers = beside(OWN, noise_banks=[LESS, NOISE], random_networks=[RANDOM], pixel_bank=[])
    made = variance.table(layers, is_null=False)
    assert made["columns"] == [
        "with position", "without position", "the layer is", "noise banks (mean of 2)",
        "random networks",
    ]  # fmt: skip
    assert made["rows"][0] == (
        "stem", ["0.900", "0.800", "explained", "0.600 / 0.450", "0.900 / 0.850"]
    )  # fmt: skip


def test_the_figure_draws_every_draw_and_the_floor():
    layers = beside(OWN, noise_banks=[LESS, NOISE], random_networks=[RANDOM])
    (axis,) = variance.bars(layers).axes
    np.testing.assert_allclose([bar.get_height() for bar in axis.patches],
                               [0.9, 0.7, 0.6, 0.8, 0.6, 0.4])  # fmt: skip
    drawn = {line.get_label(): list(line.get_ydata()) for line in axis.lines}
    assert drawn["wrong bank"] == [0.4, 0.5, 0.1, 0.61, 0.1, 0.1]
    assert drawn["random network"] == [0.85, 0.1, 0.0]
    assert drawn["floor"] == [0.5, 0.5]
