"""The weights and the explanation that come with Gaborscope."""

import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import explain_image
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
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 12e6


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


def explain(folder, *arguments):
    command = [sys.executable, str(ROOT / "scripts" / "explain_image.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


@pytest.mark.slow
def test_photographs_of_a_folder_are_explained_and_bad_ones_named(tmp_path):
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    for number, name in enumerate(("a.png", "b.png")):
        Image.fromarray(make_image((300, 400), seed=number)).save(folder / name)
    (folder / "broken.jpg").write_bytes(b"no picture")
    Image.fromarray(make_image((20, 30), seed=3)).save(tmp_path / "a.jpg")
    started = time.monotonic()
    done = explain(tmp_path, folder, "a.jpg", "gone.jpg", "--out", out, "--npz")
    assert time.monotonic() - started < 200  # 10 s on an idle machine
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 4 and "Traceback" not in done.stderr
    assert "there is no image gone.jpg" in errors[0]
    assert "broken.jpg cannot be read as an image" in errors[1]
    assert "a.jpg would be written to" in errors[2] and "rename it" in errors[2]
    assert errors[3] == "error: 3 of 5 arguments or photographs were not explained"
    ends = ("figure.png", "figure.svg", "html", "npz")
    assert {path.name for path in out.iterdir()} == {f"{n}.{end}" for n in "ab" for end in ends}
    page = (out / "a.html").read_text(encoding="utf-8")
    assert (
        "the fidelity of this explanation is" in page and "random networks are explained so" in page
    )
    with np.load(out / "a.npz") as arrays:
        assert arrays["deep"].shape == arrays["explained"].shape == (300, 400)
        bands = [arrays[name] for name in arrays if name.startswith("band ")]
        change = arrays["log2_explained"] - arrays["log2_start"]
        assert np.abs(sum(bands) - change).max() < 0.01 * np.abs(change).max()
    Image.fromarray(make_image((300, 400), seed=2)).save(folder / "a.png")
    before = {path: path.read_bytes() for path in out.iterdir()}
    done = explain(tmp_path, folder / "a.png", "--out", out)
    assert done.returncode == 1 and "a.html is there already" in done.stderr
    assert before == {path: path.read_bytes() for path in out.iterdir()}


def test_a_photograph_whose_name_begins_with_a_dash_is_no_option(tmp_path, monkeypatch):
    (tmp_path / "-dash.png").write_bytes(b"there")
    monkeypatch.chdir(tmp_path)
    given = explain_image.read_arguments(["-dash.png", "--out", "pages", "b.png"])
    assert given.photographs == ["./-dash.png", "b.png"] and given.out == Path("pages")
    with pytest.raises(SystemExit):
        explain_image.read_arguments(["-gone.png"])


def test_photographs_that_are_not_there_are_named_before_others_are_explained(
    tmp_path, monkeypatch, caplog
):
    (tmp_path / "a.png").write_bytes(b"there")
    (tmp_path / "empty").mkdir()
    said = {}

    class Explainer:
        def __init__(self, arguments):
            said["at the start"] = caplog.text

        def explain(self, path):
            said["explained"] = path

    monkeypatch.setattr(explain_image, "Explainer", Explainer)
    given = [str(tmp_path / name) for name in ("a.png", "gone.jpg", "empty")]
    arguments = Namespace(photographs=given, out=tmp_path)
    assert explain_image.main(arguments) == (3, 2)
    assert f"there is no image {given[1]}; was it moved or deleted?" in said["at the start"]
    assert f"{given[2]} holds no photographs" in said["at the start"]
    assert said["explained"] == given[0]


@pytest.mark.slow
def test_a_large_photograph_is_bounded_and_the_page_says_so(tmp_path):
    Image.fromarray(make_image((2000, 3000), seed=1)).save(tmp_path / "large.jpg")
    done = explain(tmp_path, "large.jpg", "--npz")
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "large.npz") as arrays:
        assert arrays["explained"].shape == (1067, 1600)
    page = (tmp_path / "large.html").read_text(encoding="utf-8")
    assert "3000 × 2000 px" in page and "the bound is 1600 px" in page


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
