"""How close to the network, in the report."""

import pandas as pd
import pytest

from gaborscope.report import drawing, fidelity, styles

NAN = float("nan")
ROLES = {
    "net-direct": "explanation",
    "net-noise": "wrong bank",
    "net-loggabor_deep": "no layer between",
    "net_s2": "another training",
    "centre_bias": "no network",
    **{f"net_random{i}-direct": "random network" for i in range(6)},
}


def table(gain=(0.1, 0.05, 0.15), without=()):
    rows = []
    for place, predictor in enumerate(ROLES):
        for measure in fidelity.MEASURES:
            values = (0.05 * place, 0.05 * place - 0.02, 0.05 * place + 0.02)
            if measure == "gain_by_layers":
                values = gain if predictor == "net-direct" else (NAN,) * 3
            if predictor not in without:
                rows.append((predictor, "made", measure, *values, 20))
    columns = ["predictor", "dataset", "measure", "mean", "ci_low", "ci_high", "n"]
    return pd.DataFrame(rows, columns=columns)


def compared(without=()):
    return [("net", name, "made", name) for name in ROLES if name not in without]


def made(tmp_path, without=(), **changes):
    values = table(without=without, **changes)
    (part,) = fidelity.content(values, compared(without), ROLES, tmp_path, 40)
    return part


def test_the_explanation_comes_first_with_its_interval_and_the_nulls_beside_it(tmp_path):
    said = made(tmp_path)["sentences"]
    assert said[0] == (
        "net-direct has fidelity 0.00 [-0.02, 0.02] to net. net-loggabor_deep, with no layer "
        "between, has 0.10 [0.08, 0.12]: the layers of the network bring the explanation closer. "
        "The gain by layers is 0.10 [0.05, 0.15] over net-loggabor_deep."
    )
    assert "The ceiling, another training of the same network, reaches 0.15 (net_s2)." in said
    assert any("no layer between, reach 0.10 (net-loggabor_deep)" in words for words in said)
    assert any("0.25 to 0.50 (6 of them)" in words for words in said)  # of a family the range
    assert any("never saw the network reach 0.20 (centre_bias)" in words for words in said)


def test_in_short_the_nulls_stand_beside_an_explanation():
    (said,) = fidelity.in_short(table(), "net", "direct")
    assert said == (
        "Over 20 test stimuli of made the fidelity of this explanation is 0.00 [-0.02, 0.02]; it "
        "is 0.25 to 0.50 where 6 random networks are explained so, and 0.10 by the best bank that "
        "has no layer between."
    )
    (said,) = fidelity.in_short(table(without=[*ROLES][2:]), "net", "direct")
    assert said.endswith("; no null was made to compare with.")
    assert fidelity.in_short(table(), "net", "cascade8") == []
    assert fidelity.in_short(table(), "ne.", "direct") == []


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        ((0.01, -0.1, 0.1), "the layers of the network are not shown to help"),
        ((-0.2, -0.3, -0.1), "the layers of the network take the explanation farther away"),
    ],
)
def test_what_layers_do_follows_from_the_interval(tmp_path, gain, words):
    assert words in made(tmp_path, gain=gain)["sentences"][0]


def test_an_undefined_gain_is_not_spoken_of_and_a_missing_ceiling_is(tmp_path):
    part = made(tmp_path, without=("net_s2", "net-loggabor_deep"), gain=(NAN, NAN, NAN))
    assert part["sentences"][0] == "net-direct has fidelity 0.00 [-0.02, 0.02] to net."
    assert part["sentences"][-1].startswith("There is no ceiling")


def test_every_predictor_has_a_row_that_says_what_it_is(tmp_path):
    part = made(tmp_path)
    assert [name for name, _ in part["table"]["rows"]] == [
        "net-direct", "net_s2", "net-loggabor_deep", "net-noise",
        *(f"net_random{i}-direct" for i in range(6)), "centre_bias",
    ]  # fmt: skip
    assert {name: cells[0] for name, cells in part["table"]["rows"]} == ROLES
    assert part["table"]["rows"][-1][1][-1] == "undefined" and part["n"] == 20
    assert part["figure"].is_file()


def test_a_large_family_shares_a_row_of_the_figure():
    part = table().set_index(["predictor", "measure"])
    by_role = {role: [n for n in ROLES if ROLES[n] == role] for role in styles.ROLES}
    axis = fidelity.fidelity_dots(part, by_role).axes[0]
    labels = [text.get_text() for text in axis.get_yticklabels()]
    assert [label.partition("\n")[0] for label in labels[::-1]] == [
        "net-direct", "net_s2", "net-loggabor_deep", "net-noise", "6 of: random network",
        "centre_bias",
    ]  # fmt: skip
    rows = [line.get_ydata()[0] for line in axis.get_lines() if line.get_marker() != "None"]
    assert sorted(rows.count(row) for row in set(rows)) == [1, 1, 1, 1, 1, 6]
    assert axis.get_xlim()[0] < -0.05 and axis.get_xlim()[1] > 1


def test_what_lies_far_below_is_drawn_at_the_edge_with_a_marker_of_its_own():
    values = table()
    far = (values["predictor"] == "net_s2") & (values["measure"] == "fidelity")
    values.loc[far, ["mean", "ci_low", "ci_high"]] = (-30, -40, -20)
    by_role = {role: [n for n in ROLES if ROLES[n] == role] for role in styles.ROLES}
    part = values.set_index(["predictor", "measure"])
    axis = fidelity.fidelity_dots(part, by_role).axes[0]
    (edge,) = [line for line in axis.get_lines() if line.get_marker() == "<"]
    assert edge.get_xdata() == [drawing.LEFT] and axis.get_xlim()[0] < drawing.LEFT


def test_a_figure_lies_beside_its_vector_form_and_its_data(tmp_path):
    part = made(tmp_path)
    drawn = pd.read_csv(part["figure"].with_suffix(".csv"))
    assert list(drawn["predictor"]) == [name for name, _ in part["table"]["rows"]]
    assert dict(zip(drawn["predictor"], drawn["role"], strict=True)) == ROLES
    first = part["figure"].with_suffix(".svg").read_bytes()
    assert first.rstrip().endswith(b"</svg>")
    made(tmp_path)  # equal inputs give equal bytes
    assert part["figure"].with_suffix(".svg").read_bytes() == first


@pytest.mark.parametrize(
    "gains, found",
    [
        ({"gain_by_layers": (0.1, 0.2)}, "closer"),
        ({"gain_by_layers": (0.1, 0.2), "gain_by_layers_same": (-0.1, 0.1)}, "not shown"),
        ({"gain_by_layers": (0.1, 0.2), "gain_by_layers_same": (-0.2, -0.1)}, "farther"),
        ({"gain_by_layers": (-0.1, 0.2), "gain_by_layers_same": (0.1, 0.2)}, "closer"),
        ({"gain_by_layers": (NAN, NAN)}, ""),
        ({"fidelity": (0.1, 0.2)}, ""),
    ],
)
def test_layers_help_only_against_a_bank_with_the_same_regressors(gains, found):
    index = pd.MultiIndex.from_product([["x"], gains])
    part = pd.DataFrame(list(gains.values()), index, ["ci_low", "ci_high"])
    assert fidelity.by_layers(part, "x") == found


def test_an_explanation_with_other_regressors_is_held_against_the_bank_that_never_changes(tmp_path):
    values = table()
    same = values[values["measure"] == "gain_by_layers"].assign(measure="gain_by_layers_same")
    bank = values[values["predictor"] == "net-loggabor_deep"]
    values = pd.concat(
        [
            values,
            same[same["predictor"] != "net-direct"],
            bank.assign(predictor="net-loggabor_deep_same"),
        ]
    )
    roles = {**ROLES, "net-loggabor_deep_same": "no layer between"}
    cells = [("net", name, "made", name) for name in roles]
    (part,) = fidelity.content(values, cells, roles, tmp_path, 40)
    assert ". net-loggabor_deep, with no layer between, has 0.10" in part["sentences"][0]
    rows = dict(part["table"]["rows"])
    assert rows["net-direct"][-1] == "" and rows["net-noise"][-1] != ""
