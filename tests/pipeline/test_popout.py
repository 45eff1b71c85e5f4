"""Networks trained on displays of a known odd feature: the explanation has to name it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import shares_of

from gaborscope.backbones import examples, measuring, recording, training
from gaborscope.backbones.backbone import batches, configured
from gaborscope.data.layouts import demo as layout
from gaborscope.data.readers import demo
from gaborscope.explanation import accumulation, layers
from gaborscope.fitting.sparse import select
from gaborscope.fitting.statistics import standardised
from gaborscope.stimuli import geometry
from gaborscope.workflow import backbone_entries, settings

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow

N_STIMULI, EPOCHS, WIDTHS, PENALTY = 100, 12, [8, 8, 8], 1e-2
SHARED = {"pools": [{"kind": "gaussian", "width": 2.0}], "normalisation": False}


@pytest.fixture(scope="module")
def config():
    """Settings of examples/popout.yaml over the shipped ones, made small."""
    found = settings.load(ROOT / "examples" / "popout.yaml")
    backbone_entries.complete(found)
    found["training"] |= {"epochs": EPOCHS, "patience": EPOCHS}
    # the displays as they are: a flip would make 45 degrees 135, half of the time
    found["training"]["augmentation"] = {"flip": 0, "min_crop": 1, "photometric": 0}
    found["backbones"]["cmrnet"]["options"] = {"widths": WIDTHS}
    found["explanations"]["direct"] |= SHARED
    return found


def trained(config, block, folder):
    """A network trained on four fifths of the stimuli."""
    torch.manual_seed(1)
    entry = config["backbones"]["cmrnet"]
    backbone = configured("cmrnet", entry)
    made = list(examples.make_examples(block, geometry.Box.of(entry["input"]), backbone.content))
    recipe = {**backbone_entries.training(config, "cmrnet"), "seed": 1}
    cut = len(made) * 4 // 5
    trainer = training.Trainer(
        backbone, made[:cut], made[cut:], recipe, torch.device("cpu"), folder / "c.pt", ""
    )
    state_dict, _ = trainer.run()
    backbone.network.load_state_dict(state_dict)
    return backbone


@torch.no_grad()
def activations(backbone, block, box, modules):
    with recording.recorder(backbone.network.eval(), modules) as record:
        for index, placements, x in batches(backbone, block, box, 8):
            backbone.network(x)
            maps = {
                name: recording.pool_maps(own, 4).float().numpy() for name, own in record.items()
            }
            for row, (number, place) in enumerate(zip(index, placements, strict=True)):
                valid = place.top, place.left, place.height, place.width
                yield number, valid, place.input_size, {n: own[row] for n, own in maps.items()}


def profile(config, name, folder):
    """Shapley shares of what the network puts out, its first filters, table and bank."""
    data = config["datasets"][name] | {"n_stimuli": N_STIMULI}
    names = [layout.demo_name(i, data["kinds"]) for i in range(N_STIMULI)]
    block = demo.load(data, names)
    backbone = trained(config, block, folder)
    box, modules = config["backbones"]["cmrnet"]["input"], {"logits": "out"}
    measured = measuring.measure_layers(
        backbone.network.eval(), modules, geometry.Box.of(box).sizes, 4, 1
    )
    chosen = config["explanations"]["direct"]
    sums = accumulation.accumulate(
        block, activations(backbone, block, box, modules), measured, chosen
    )["logits"][0]
    table = layers.make_regressors(chosen).table()
    shares = shares_of(sums, table, chosen["colour"])
    correlation, cross, _ = standardised(sums)
    chosen_first = select(correlation, cross[:, 0], 8)
    return shares, chosen_first, table, layers.bank_and_channels(chosen)


def named(shares, grouping):
    """Group of the largest share, of those that have this property."""
    labels, values, _ = shares[grouping]
    found = [pair for pair in zip(values, labels, strict=True) if pair[1] != "none"]
    return int(max(found)[1])


def first(chosen, table, key):
    """Property of the first filter chosen that has it."""
    return next(int(table[key][index]) for index in chosen if table[key][index] >= 0)


def test_a_network_trained_on_an_orientation_is_identified_by_that_orientation(config, tmp_path):
    shares, chosen, table, (bank, _) = profile(config, "popout_orientation", tmp_path)
    assert named(shares, "orientation") == first(chosen, table, "orientation")
    assert bank.orientations[first(chosen, table, "orientation")] == pytest.approx(np.pi / 4)


@pytest.mark.long
def test_a_network_trained_on_a_colour_is_explained_by_that_colour(config, tmp_path):
    shares, chosen, table, (_, channels) = profile(config, "popout_colour", tmp_path)
    assert channels[named(shares, "colour")] == channels[first(chosen, table, "colour")] == "V"


@pytest.mark.long
def test_a_network_trained_on_a_scale_is_explained_by_that_scale(config, tmp_path):
    shares, chosen, table, (bank, _) = profile(config, "popout_scale", tmp_path)
    assert named(shares, "scale") == first(chosen, table, "scale") == 0
    assert bank.wavelengths_px[0] == 4
