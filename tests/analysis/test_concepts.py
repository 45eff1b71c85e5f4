"""A network, and people, that are contrast and faces: bits name both, and nothing else."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from helpers import BOX, SETTINGS, make_layer

from gaborscope.analysis import bits, coalitions, refits
from gaborscope.explanation import accumulation, layers
from gaborscope.explanation.model import ExplainedModel
from gaborscope.stimuli import densities, geometry
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.centre_bias import GRID, CentreBias, relative_points
from gaborscope.store.saliency import write_saliency

N = {"00": 16, "01": 16, "07": 10, "08": 32}  # stimuli of two blocks to fit, of validation and test
REGRESSORS = {
    **SETTINGS, "kinds": ["amplitude"], "residual": False, "concepts": ["faces"],
    "bank": {**SETTINGS["bank"], "n_orientations": 1},
}  # fmt: skip
PLACEMENT = geometry.place(BOX, BOX)
LAYER = dataclasses.replace(make_layer(4, 2), name="it")
UNIFORM = 1e-3


def texture(rng):
    """Return a grey texture with one patch of high contrast, of any colour beside it."""
    y, x = np.mgrid[: BOX[0], : BOX[1]]
    centre = rng.uniform(4, (BOX[0] - 4, BOX[1] - 4))
    strength = 12 + 90 * np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / 40)
    grey = 128 + strength * rng.uniform(-1, 1, BOX)
    colour = rng.uniform(-12, 12, (*BOX, 3))
    return np.clip(grey[..., None] + colour, 0, 255).astype(np.uint8)


def face(rng):
    """Return the map of one face somewhere, and of none in every fifth stimulus."""
    y, x = np.mgrid[: BOX[0], : BOX[1]]
    centre = rng.uniform(4, (BOX[0] - 4, BOX[1] - 4))
    there = rng.uniform() > 0.2
    near = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < 25
    return (there * near).astype(np.float32)


class World:
    """Stimuli, and the two maps of a network that its density is made of."""

    def __init__(self, folder, weight_of_faces):
        rng = np.random.default_rng(3)
        plain = layers.make_regressors({**REGRESSORS, "concepts": ()})
        where = layers.target(LAYER, PLACEMENT, REGRESSORS)
        self.blocks, self.maps, self.files = {}, {}, {"deep": {}, "centre_bias": {}}
        for name, n in N.items():
            images, faces = [texture(rng) for _ in range(n)], [face(rng) for _ in range(n)]
            maps, logs, points = [], [], []
            for image, there in zip(images, faces, strict=True):
                (phi,) = plain.compute(image, PLACEMENT, [where])
                along = geometry.layer_sampling(where.grid, PLACEMENT, where.pool, where.width)
                both = np.stack([phi[0] + phi[1], along[0] @ there @ along[1].T])
                maps.append(both.astype(np.float32))
                score = 30 * both[0] + weight_of_faces * both[1]
                logits = densities.resize_bilinear(score.astype(float), BOX)
                logs.append(densities.to_log_density(logits, "logits", UNIFORM))
                drawn = rng.choice(logits.size, 30, p=np.exp(logs[-1]).ravel())
                points += [(drawn % BOX[1], drawn // BOX[1])]
            x, y = np.concatenate(points, axis=1).astype(np.float32)
            self.blocks[name] = StimulusBlock(
                [f"{name}{i}" for i in range(n)], [""] * n, [""] * n, np.array([BOX] * n), x, y,
                np.repeat(np.arange(n), 30), np.tile(np.arange(30) % 5, n),
                {"px_per_degree": 3.0}, images,
                lambda i, faces=faces: [faces[i], faces[(i + 1) % len(faces)]],
            )  # fmt: skip
            self.maps[name] = maps
            flat = [np.full(BOX, -np.log(BOX[0] * BOX[1]))] * n
            for key, written in (("deep", logs), ("centre_bias", flat)):
                self.files[key][name] = folder / f"{key}{name}.h5"
                write_saliency(self.files[key][name], self.blocks[name].names, written, {})

    def statistics(self, name):
        """Return the statistics of a block, swapped maps among the regressors."""
        recorded = (
            (index, (PLACEMENT.top, PLACEMENT.left, *BOX), BOX, {"it": maps})
            for index, maps in enumerate(self.maps[name])
        )
        settings = {**REGRESSORS, "swapped": True}
        found = accumulation.accumulate(self.blocks[name], recorded, {"it": LAYER}, settings)
        return found["it"][0]

    def of_network(self):
        """Split the network's bits as rules score_coalitions and split_bits do."""
        filters = {
            "layer": LAYER, "regressors": REGRESSORS, "weight": np.zeros((2, 1), np.float32),
            "intercept": np.zeros(2, np.float32), "residual_sd": np.ones(2, np.float32),
        }  # fmt: skip
        filters = coalitions.with_swapped(filters)
        solver = {"penalties": [1e-4, 1e-2], "folds": 2}
        every = coalitions.Coalitions(coalitions.names(filters["table"]), solver)
        fit = {name: self.statistics(name) for name in ("00", "01")}
        every.add_layer(filters, fit, {"07": self.statistics("07")})
        bias = CentreBias(relative_points([self.blocks["00"]]), (0.5, 0.5), UNIFORM)
        settings = {"target": "model", "stride": 4, "smoothing": 0.0, "penalties": [0.003, 0.03]}
        many = refits.Alternatives(every.members(), BOX, settings, bias, UNIFORM)
        fit_blocks = {name: self.blocks[name] for name in ("00", "01")}
        bits.collect(many, fit_blocks, {"07": self.blocks["07"]}, self.files["deep"], 100)
        whole = ExplainedModel(
            BOX, [], {"stride": 4, "smoothing": 0.0}, np.zeros(3), bias.density(GRID), UNIFORM
        )
        models = bits.fuse(many, whole, lambda _: None)
        rows = bits.gains(models, {"08": self.blocks["08"]}, self.files)
        return summarised(rows)

    def of_people(self):
        """Split people's bits as rules score_people and split_bits do."""
        entry = {**REGRESSORS, "input": {"height": BOX[0], "width": BOX[1]}, "stride": 4}
        entry = {key: value for key, value in entry.items() if key != "pools"}
        blocks = {
            split: {name: self.blocks[name] for name in names}
            for split, names in (("fit", ("00", "01")), ("validation", ("07",)), ("test", ("08",)))
        }
        rows = bits.of_people(
            blocks, {**entry, "penalties": [0.003, 0.03]}, [0.5], UNIFORM,
            self.files["centre_bias"], lambda _: None,
        )  # fmt: skip
        return summarised(rows)


def summarised(rows):
    return bits.summarise(pd.DataFrame(rows).set_index("stimulus"), 500, 1).set_index("part")


def excludes_zero(row):
    return row["ci_low"] > 0 or row["ci_high"] < 0


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("faces"), 5.0)


@pytest.mark.slow
@pytest.mark.parametrize("whose", ["of_network", "of_people"])
def test_bits_name_faces_and_contrast_and_nothing_else(world, whose):
    found = getattr(world, whose)()
    assert found.loc["concept:faces", "ci_low"] > 0.2
    assert found.loc["added:faces", "ci_low"] > 0.2 and found.loc["contrast", "ci_low"] > 0.1
    assert not excludes_zero(found.loc["swapped:faces"])
    assert found.loc[["colour", "scale"], "bits"].abs().max() < 0.05
    if whose == "of_network":
        assert abs(found.loc["unexplained", "share"]) < 0.1
    sentence = bits.sentence("it", found)
    assert "which is more than nothing" in sentence and "maps of other stimuli" in sentence


@pytest.mark.slow
def test_a_network_without_faces_has_no_bits_of_them(tmp_path):
    found = World(tmp_path, 0.0).of_network()
    for part in ("concept:faces", "added:faces", "swapped:faces"):
        assert abs(found.loc[part, "bits"]) < 0.01, part
    assert "which is no more than nothing" in bits.sentence("it", found)
