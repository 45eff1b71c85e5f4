"""The weights and the explanation that come with Gaborscope."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import make_image
from PIL import Image

from gaborscope.backbones import weights
from gaborscope.backbones.predictor import Predictor
from gaborscope.explanation.model import ExplainedModel
from gaborscope.scoring import exposure

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "pretrained"
WEIGHTS, EXPLANATION = FOLDER / "cmrnet_osie.safetensors", FOLDER / "cmrnet_osie_direct.h5"


@pytest.fixture(scope="module")
def predictor():
    return Predictor.load(WEIGHTS)


@pytest.fixture(scope="module")
def model():
    return ExplainedModel.load(EXPLANATION)


def test_the_files_stay_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 8e6


def test_the_card_says_what_a_user_has_to_know():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    for word in ("Data", "Split", "Recipe", "Seed", "Rounding", "Licence", "Not for", "nss"):
        assert word in text
    assert WEIGHTS.name in text and EXPLANATION.name in text


def test_kernels_are_rounded_and_statistics_are_not():
    state_dict, description = weights.read_weights(WEIGHTS)
    for key, value in state_dict.items():
        if value.is_floating_point():
            assert value.dtype == (torch.float16 if value.dim() > 1 else torch.float32), key
    assert exposure.trained_on(WEIGHTS) == description["trained_on"]
    assert description["trained_on"][0]["type"] == "osie"


def test_a_kernel_beyond_float16_is_refused():
    with pytest.raises(ValueError, match="w reaches 100000, beyond float16"):
        weights.half({"w": torch.full((2, 2), 1e5)})


@pytest.mark.parametrize("size", [(60, 80), (90, 50)])
def test_both_predict_a_density_at_the_images_own_size(predictor, model, size):
    image = make_image(size)
    for density in (predictor.predict(image), model.predict(image)):
        assert density.shape == size and density.min() > 0
        np.testing.assert_allclose(density.sum(), 1, rtol=1e-4)


def test_contributions_add_up_to_the_prediction(model):
    image = make_image((144, 192), seed=3)
    density, parts = model.contributions(image)
    total = sum(parts.values())
    p = np.exp(total - total.max())
    p = np.repeat(np.repeat(p, 4, 0), 4, 1)  # grid of 4 px: densities agree but for enlarging
    correlation = np.corrcoef(np.log(p / p.sum()).ravel(), np.log(density).ravel())[0, 1]
    assert correlation > 0.97
    assert all(abs(part.mean()) < 1e-6 for part in parts.values())


@pytest.mark.slow
def test_a_photograph_is_explained_in_seconds(tmp_path):
    Image.fromarray(make_image((300, 400), seed=1)).save(tmp_path / "photo.png")
    command = [sys.executable, str(ROOT / "scripts" / "explain_image.py")]
    started = time.monotonic()
    done = subprocess.run(
        [*command, str(tmp_path / "photo.png"), "--out", str(tmp_path / "out")],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started < 60  # 3 s on an idle machine
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"photo.deep.png", "photo.explained.png", "photo.npz", "photo.panels.png"}
    assert Image.open(tmp_path / "out" / "photo.deep.png").size == (400, 300)
    Image.fromarray(make_image((300, 400), seed=2)).save(tmp_path / "photo.png")
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    done = subprocess.run(
        [*command, str(tmp_path / "photo.png"), "--out", str(tmp_path / "out")],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1 and "photo.deep.png is there already" in done.stderr
    assert before == {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}


@pytest.mark.slow
def test_what_is_no_photograph_is_named(tmp_path):
    command = [sys.executable, str(ROOT / "scripts" / "explain_image.py"), "gone.jpg"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1 and "error: there is no image gone.jpg" in done.stderr


@pytest.mark.slow
def test_unseen_photographs_are_predicted_as_well_as_the_card_says(predictor, model, shared):
    from gaborscope.data import catalogue
    from gaborscope.data.readers import osie
    from gaborscope.scoring import metrics

    folder = shared / "data" / "osie"
    unseen = [
        path.name
        for path in sorted((folder / "stimuli").glob("*.jpg"))
        if catalogue.block_of(path.name, 10) >= 8
    ][:12]
    block = osie.load({"path": str(folder)}, unseen, ROOT)
    found = {"deep": [], "explained": []}
    for index in range(len(unseen)):
        pixels = np.rint(block.points(index)[0]).astype(int)
        for name, own in (("deep", predictor), ("explained", model)):
            found[name].append(metrics.nss(own.predict(block.image(index)), pixels))
    # 2.56 and 1.93 over all 154
    assert np.mean(found["deep"]) > 1.8 and np.mean(found["explained"]) > 1.4
