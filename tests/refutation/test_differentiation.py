"""Changes that part network and explanation: what is planted is found, and what is not is not."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import BOX, SETTINGS, make_explained, make_image, make_layer
from torch import nn

from gaborscope.backbones.backbone import Backbone
from gaborscope.backbones.predictor import Predictor
from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation.differentiable import DifferentiableModel
from gaborscope.explanation.layers import FittedLayer
from gaborscope.refutation import differentiation
from gaborscope.report import partings
from gaborscope.store import changed_images, paths
from gaborscope.store.tables import read_csv, write_csv

SIZE = (32, 48)
WAYS = {"levels": [4.0], "steps": 12, "draws": 2}


def make_explanation(image):
    """Explained model of one layer of luminance energies, its spread on an image about 1."""
    settings = {**SETTINGS, "kinds": ["amplitude"], "residual": False}
    fitted = FittedLayer(
        "energies", make_layer(4, 1), settings, np.zeros((1, 18), "f"), np.zeros(1, "f"),
        np.ones(1, "f"),
    )  # fmt: skip
    (phi,), _ = layer_tools.shared_regressors(image, BOX, [fitted])
    luminance = np.arange(18) < 6
    fitted.weight[0] = luminance / phi.std(axis=(1, 2))
    fitted.weight /= (fitted.weight @ phi.reshape(18, -1)).std()
    return dataclasses.replace(
        make_explained(), layers=[fitted], weight=np.array([1.0, 0.0]), uniform_weight=1e-3
    )


class Planted(nn.Module):
    """A network that is its explanation, and a part that the explanation lacks: local redness."""

    def __init__(self, model, share):
        super().__init__()
        self.explained, self.share = DifferentiableModel(model), share
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        log_density = self.explained.density(x[0].movedim(0, -1))[None, None]
        red = (x[:, :1] - x[:, 1:2]) / 255
        red = nn.functional.avg_pool2d(red, 9, stride=1, padding=4)
        return log_density + self.share * red


def predictor_of(model, share=0.0):
    backbone = Backbone(
        "planted", Planted(model, share).eval(), mean=[0, 0, 0], std=[1, 1, 1], multiple=1,
        output="logits", range=255,
    )  # fmt: skip
    return Predictor(backbone, BOX, 0.0, {})


def members(model, image, share, other=None):
    deep = predictor_of(model, share)
    found = {"deep": (deep.predict, differentiation.of_network(deep, image))}
    if other is not None:
        rival = predictor_of(model, other)
        found["other"] = (rival.predict, differentiation.of_network(rival, image))
    return found | {"explained": (model.predict, DifferentiableModel(model).density)}


@pytest.fixture(scope="module")
def parted():
    """By share of the part that is lacking, rows and images of one stimulus."""
    image = make_image(SIZE)
    model, found = make_explanation(image), {}
    for share in (0.0, 6.0):
        found[share] = differentiation.part("a.png", image, members(model, image, share), WAYS, 1)
    return image, found


def moved(found):
    return pd.DataFrame(found[0]).set_index("kind")[["kl_deep", "kl_explained"]]


def test_a_network_that_is_its_explanation_moves_with_it(parted):
    _, found = parted
    measured = moved(found[0.0])
    np.testing.assert_allclose(measured["kl_deep"], measured["kl_explained"], rtol=1e-3)
    for kind in ("network", "explanation"):  # the changes do move them
        assert measured["kl_deep"][kind] > 3 * measured["kl_deep"]["noise"].max()


def test_the_part_that_an_explanation_lacks_is_found(parted):
    _, found = parted
    measured = moved(found[6.0])
    network = measured.loc["network"]
    assert network["kl_deep"] > 20 * network["kl_explained"]
    assert network["kl_explained"] < 2 * measured["kl_explained"]["noise"].max()
    noise = measured.loc["noise"].mean()
    assert network["kl_deep"] > 20 * noise["kl_deep"]
    # the network holds all that the explanation has: what moves the one moves the other as well
    reverse = measured.loc["explanation"]
    assert (
        reverse["kl_explained"] / reverse["kl_deep"] < network["kl_deep"] / network["kl_explained"]
    )


def test_changes_have_their_energy_and_keep_to_the_range(parted):
    image, found = parted
    for rows, shown in found.values():
        for row in rows:
            assert row["rms"] == pytest.approx(4, abs=0.05)
        for label, (changed, *maps) in shown.items():
            assert changed.dtype == np.uint8 and changed.shape == image.shape
            assert label == "original" or differentiation.rms(changed, image) > 3.9
            for log_density in maps:
                assert np.exp(log_density).sum() == pytest.approx(1, abs=1e-4)
        assert list(shown) == ["original", "4 noise", "4 network", "4 explanation"]


@pytest.mark.parametrize("level", [0.5, 1.0, 7.0, 64.0])
def test_a_change_has_its_energy_after_rounding_and_clipping(level, rng):
    content = make_image(SIZE)
    content[:, 10:] = 255  # half of all changes are clipped here
    image = differentiation.rounded(content, rng.normal(size=content.shape), level)
    assert differentiation.rms(image, content) == pytest.approx(level, rel=0.01)


def test_the_same_seed_makes_the_same_changes(parted):
    image, found = parted
    model = make_explanation(image)
    ways = WAYS | {"steps": 1}
    args = ("a.png", image, members(model, image, 6.0, other=6.0), ways)
    first, again, other = (pd.DataFrame(differentiation.part(*args, seed)[0]) for seed in (1, 1, 2))
    assert first.equals(again) and not first.equals(other)
    # the other training is the same network: nothing moves the one alone
    trainings = first.set_index("kind").loc["training"]
    assert trainings["kl_deep"] == pytest.approx(trainings["kl_other"])


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
@pytest.mark.parametrize("output", ["log_density", "logits", "density", "unit"])
def test_a_network_is_differentiated_as_it_predicts(colour, output):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 1))
    network.append(nn.LogSoftmax(dim=2) if "log" in output else nn.Sigmoid())
    backbone = Backbone(
        "net", network.eval(), [0.5, 0.4, 0.3], [0.2, 0.3, 0.25], 1, output, colour=colour
    )
    image = make_image((24, 40))  # with padding above and below
    deep = Predictor(backbone, (32, 40), 1e-3, {})
    density = differentiation.of_network(deep, image)
    other = make_image((24, 40), 1)
    for changed in (image, other):
        log_density = density(torch.tensor(changed, dtype=torch.float32)).detach().numpy()
        np.testing.assert_allclose(log_density, np.log(deep.predict(changed)), atol=1e-4)


def test_stimuli_of_median_disagreement_are_chosen():
    measures = pd.DataFrame({"stimulus": list("abcdefg"), "kl_deep": [3, 1, np.nan, 9, 2, 5, 4]})
    assert differentiation.chosen(measures, 2) == ["a", "g"]
    assert differentiation.chosen(measures, 3) == ["e", "a", "g"]
    assert differentiation.chosen(measures, 99) == ["b", "e", "a", "g", "f", "d"]
    assert differentiation.chosen(measures.iloc[2:3], 2) == []


def made_rows(ratio):
    rows = []
    for stimulus in "abc":
        for kind, factor in (("network", ratio), ("explanation", 1 / ratio), ("noise", 1.0)):
            for draw in range(2 if kind == "noise" else 1):
                rows.append({"stimulus": stimulus, "level": 2.0, "kind": kind, "draw": draw,
                             "rms": 2.0, "kl_deep": 0.1 * factor, "kl_explained": 0.1,
                             "kl_other": np.nan})  # fmt: skip
    return pd.DataFrame(rows)


def test_ratios_are_compared_with_those_of_noise():
    cells = differentiation.summarise(made_rows(8), 50, 1).set_index(["kind", "measure"])
    assert cells.loc[("network", "log2_ratio"), "mean"] == pytest.approx(3)
    assert cells.loc[("explanation - noise", "log2_ratio"), "mean"] == pytest.approx(-3)
    assert cells.loc[("network", "kl_deep"), "mean"] == pytest.approx(0.8)
    assert (cells["n"].drop("kl_other", level="measure") == 3).all()
    rows = made_rows(8)
    others = rows[rows["kind"] == "network"].assign(kind="training", kl_other=0.2)
    summary = differentiation.summarise(pd.concat([rows, others]), 50, 1)
    cells = summary.set_index(["kind", "measure"])
    assert cells.loc[("training", "log2_ratio"), "mean"] == pytest.approx(2)
    assert (
        "moves it by 0.8 [0.8, 0.8] bits, and that of the other by 0.2"
        in (partings.sentences(summary)[2])
    )
    assert partings.table(summary)["rows"][-1][1][1] == "0.2 [0.2, 0.2]"


@pytest.mark.parametrize(
    ("ratio", "said"),
    [(8, "Both are shown: each rests"), (1, "Neither is shown: no change parts the maps")],
)
def test_the_page_says_whether_they_part(ratio, said):
    few, sentence = partings.sentences(differentiation.summarise(made_rows(ratio), 50, 1))
    assert few.startswith("This is of 3 stimuli.")
    assert said in sentence and "At 2 grey levels the change" in sentence


@pytest.mark.parametrize(
    ("other", "said"), [(0.01, "this training's own"), (0.4, "common to both")]
)
def test_the_page_says_whether_another_training_is_moved_too(other, said):
    rows = made_rows(8)
    rows.loc[rows["kind"] == "network", "kl_other"] = other
    *_, last = partings.sentences(differentiation.summarise(rows, 50, 1))
    assert said in last and f"by {other:g} [{other:g}, {other:g}] bits" in last


def test_without_stimuli_the_tables_are_empty():
    rows = pd.DataFrame([], columns=list(differentiation.COLUMNS))
    summary = differentiation.summarise(rows, 50, 1)
    assert list(summary) == list(differentiation.SUMMARY_COLUMNS) and summary.empty
    assert partings.sentences(summary) == [] and partings.table(summary)["rows"] == []


def test_the_page_reads_what_the_stage_wrote(parted, tmp_path):
    image, found = parted
    rows, shown = found[6.0]
    named = {"model": "cmrnet", "dataset": "demo", "explanation": "direct"}
    kinds = ("differentiation_summary", "differentiation_images")
    files = [tmp_path / paths.make(kind, **named) for kind in kinds]
    files[0].parent.mkdir(parents=True)
    write_csv(files[0], differentiation.summarise(pd.DataFrame(rows), 50, 1))
    changed_images.write(files[1], [("a.png", shown)], {"code": "0", "seed": "1"})
    ((name, images),) = changed_images.read(files[1])
    assert name == "a.png"
    np.testing.assert_array_equal(images["4 network"][0], shown["4 network"][0])
    (part,) = partings.differentiation(
        [str(files[0])], [str(files[1])], {"colour_map": "viridis", "dpi": 40}, tmp_path
    )
    assert (part["model"], part["n"]) == ("cmrnet", 1)
    assert part["figures"][0]["path"].stat().st_size > 0
    assert [name for name, _ in part["table"]["rows"]][0] == "4, moves the network"
    assert read_csv(files[0])["level"].unique() == [4]


def test_stimuli_are_ranked_by_disagreement_and_shown_by_rule():
    measures = pd.DataFrame({"stimulus": list("abcdefg"), "kl_deep": [3, 1, np.nan, 9, 2, 5, 4],
                             "cc_deep": 0.5})  # fmt: skip
    gains = pd.DataFrame(
        {"stimulus": list("abcdefg"), "deep": 1.0, "none": 0.2, "scale": 0.5, "fused": 0.5}
    )
    table = partings.ranked(measures, [gains])
    assert "".join(table["stimulus"]) == "dfgaeb"  # without c, which the network has seen
    assert list(table["shown"]) == ["most", "most", "median", "median", "least", "least"]
    assert table[["contrast", "scale", "unexplained"]].sum(axis=1).to_numpy() == pytest.approx(1)
    few = partings.ranked(measures[:5])
    assert list(few["shown"]) == ["most", "median", "", "least"]
    assert partings.ranked(measures[2:3]).empty
