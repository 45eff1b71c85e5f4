"""Maps for other programs, tried in pysaliency itself where it is installed."""

import h5py
import numpy as np
import pytest
from PIL import Image

from gaborscope import metrics
from gaborscope.errors import InputError
from gaborscope.stimuli import fixations
from gaborscope.store import exports

NAMES = ["indoor/a.jpg", "indoor/b.png", "c.jpg"]
SIZES = [(30, 40), (41, 23), (30, 40)]
ORIGIN = {"seed": "1"}


def log_density(rng, size):
    values = 2 * rng.standard_normal(size).cumsum(0).cumsum(1) / size[0]
    return values - np.log(np.exp(values - values.max()).sum()) - values.max()


@pytest.fixture
def maps(rng):
    return [log_density(rng, size) for size in SIZES]


@pytest.fixture
def folder(tmp_path, maps):
    exports.write(tmp_path, exports.FORMATS, NAMES, maps, ORIGIN)
    return tmp_path


def test_hdf5_has_a_normalised_log_density_called_like_each_stimulus(folder, maps):
    with h5py.File(folder / "log_density.h5") as file:
        found = [file[name][()] for name in NAMES]
        members = []
        file.visititems(lambda name, m: members.append(name) if hasattr(m, "shape") else None)
    assert sorted(members) == sorted(NAMES)
    for values, own in zip(found, maps, strict=True):
        np.testing.assert_allclose(values, own, rtol=1e-6)
        # pysaliency asks for .01
        assert abs(np.log(np.exp(values.astype(float)).sum())) < 1e-6


def test_folders_have_a_file_called_like_each_stimulus(folder, maps):
    for name, own in zip(NAMES, maps, strict=True):
        stem = name.rpartition(".")[0]
        np.testing.assert_allclose(np.load(folder / "npy" / f"{stem}.npy"), own, rtol=1e-6)
        steps = np.asarray(Image.open(folder / "png" / f"{stem}.png"))
        assert steps.dtype == np.uint8 and steps.max() == 255
        np.testing.assert_allclose(steps / 255, np.exp(own - own.max()), atol=0.5 / 255 + 1e-6)
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 1 + 2 * len(NAMES)


def test_stimuli_that_differ_in_their_ending_alone_go_into_hdf5_but_not_into_a_folder(tmp_path):
    names, maps = ["a.jpg", "a.png"], [np.log(np.full((2, 2), 0.25))] * 2
    exports.write(tmp_path / "one", ["hdf5"], names, maps, ORIGIN)
    with pytest.raises(InputError, match="a.jpg and a.png differ in their ending alone"):
        exports.write(tmp_path / "two", ["hdf5", "png"], names, maps, ORIGIN)
    assert not (tmp_path / "two").exists()


def test_pysaliency_opens_what_is_exported_and_scores_it_as_we_do(folder, maps, rng, tmp_path):
    pysaliency = pytest.importorskip("pysaliency", reason="docs/guide/pysaliency.md installs it")
    paths = [tmp_path / "stimuli" / name for name in NAMES]
    for path, size in zip(paths, SIZES, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (*size, 3)).astype(np.uint8)).save(path)
    stimuli = pysaliency.FileStimuli([str(path) for path in paths])
    points = [np.column_stack([rng.integers(0, n, 9) for n in size[::-1]]) for size in SIZES]
    seen = pysaliency.Fixations.create_without_history(
        *np.concatenate(points).T, np.repeat(np.arange(len(NAMES)), 9)
    )
    model = pysaliency.HDF5Model(stimuli, str(folder / "log_density.h5"))
    same = pysaliency.ModelFromDirectory(stimuli, str(folder / "npy"))
    density = pysaliency.DensitySaliencyMapModel(model)
    drawn = pysaliency.SaliencyMapModelFromDirectory(stimuli, str(folder / "png"))
    blurred = pysaliency.FixationMap(stimuli, seen, kernel_size=4, convolution_mode="constant")
    theirs = {
        "auc": density.AUC_per_image(stimuli, seen),
        "auc_shuffled": density.AUC_per_image(stimuli, seen, nonfixations="shuffled"),
        "nss": density.NSSs(stimuli, seen).reshape(-1, 9).mean(1),
        "ig": model.information_gains(stimuli, seen).reshape(-1, 9).mean(1),
        "cc": density.CCs(stimuli, blurred),
        "sim": density.SIMs(stimuli, blurred),
        "kld": density.KLDivs(
            stimuli, blurred, minimum_value=0, log_regularization=2.2204e-16,
            quotient_regularization=2.2204e-16,
        ),
    }  # fmt: skip
    for index, (own, size) in enumerate(zip(maps, SIZES, strict=True)):
        np.testing.assert_array_equal(
            model.log_density(stimuli[index]), same.log_density(stimuli[index])
        )
        assert drawn.saliency_map(stimuli[index]).shape == size
        others = [
            (other * (np.array(size[::-1]) / SIZES[number][::-1])).astype(int)
            for number, other in enumerate(points)
            if number != index
        ]
        scores = metrics.score(
            np.exp(own), points[index], fixations.density(points[index], size, 4),
            np.concatenate(others), np.full(size, 1 / own.size), "pysaliency",
        )  # fmt: skip
        # scipy's Gaussian ends at 4 sigma, ours does not
        for metric, value in scores.items():
            blurs = metric in ("cc", "kld", "sim")
            assert theirs[metric][index] == pytest.approx(value, abs=2e-3 if blurs else 1e-5)
