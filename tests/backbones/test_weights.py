"""Weights as safetensors: every tensor by name and shape."""

import pytest
import safetensors.torch
import torch
from torch import nn

from gaborscope.backbones import published, weights
from gaborscope.backbones.backbone import build
from gaborscope.errors import InputError

DESCRIPTION = {
    "trained_on": {"dataset": "demo", "blocks": ["0", "1"]},
    "history": [{"epoch": 1, "loss": 0.5}],
    "seed": "1",
    "code": "abc",
    "commit": "def",
    "versions": "{}",
}


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def test_others_may_read_weights_as_they_may_other_files(tmp_path):
    weights.write_weights(tmp_path / "w.safetensors", network().state_dict(), DESCRIPTION)
    (tmp_path / "other").write_text("")
    modes = [(tmp_path / name).stat().st_mode for name in ("w.safetensors", "other")]
    assert modes[0] == modes[1]


def test_weights_come_back_with_their_description(tmp_path):
    first, second = network(), network()
    weights.write_weights(tmp_path / "w.safetensors", first.state_dict(), DESCRIPTION)
    nn.init.zeros_(second[0].weight)
    assert weights.load_into(second, tmp_path / "w.safetensors") == DESCRIPTION
    for key, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[key], value)


def test_weights_in_another_memory_format_come_back(tmp_path):
    first = network().to(memory_format=torch.channels_last)
    weights.write_weights(tmp_path / "w.safetensors", first.state_dict(), {})
    state_dict, _ = weights.read_weights(tmp_path / "w.safetensors")
    assert torch.equal(state_dict["0.weight"], first[0].weight)


def test_equal_weights_give_equal_bytes(tmp_path):
    contents = set()
    for i in range(8):
        weights.write_weights(tmp_path / f"{i}", network().state_dict(), DESCRIPTION)
        contents.add((tmp_path / f"{i}").read_bytes())
    assert len(contents) == 1


def test_weights_that_others_saved_are_read_with_their_metadata(tmp_path):
    metadata = {"format": "pt"}  # plain text, as other programs write
    safetensors.torch.save_file(network().state_dict(), tmp_path / "w", metadata=metadata)
    assert weights.load_into(network(), tmp_path / "w") == metadata


def test_the_first_missing_and_the_first_unexpected_tensor_are_named(tmp_path):
    state_dict = network().state_dict()
    state_dict["7.weight"] = state_dict.pop("0.weight")
    weights.write_weights(tmp_path / "w", state_dict, {})
    with pytest.raises(InputError, match=r"missing \(0.weight\), 1 of 7 .* \(7.weight\)"):
        weights.load_into(network(), tmp_path / "w")


def test_a_tensor_of_another_shape_is_named(tmp_path):
    state_dict = network().state_dict()
    state_dict["0.bias"] = torch.zeros(5)
    weights.write_weights(tmp_path / "w", state_dict, {})
    with pytest.raises(
        InputError, match=r"0\.bias has the shape \(5,\), but the network needs \(4,\)"
    ):
        weights.load_into(network(), tmp_path / "w")


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", None])
def test_what_is_no_safetensors_file_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "w").write_bytes(content)
    with pytest.raises(InputError, match="is not a complete safetensors file|there is no file"):
        weights.read_weights(tmp_path / "w")


@pytest.mark.parametrize("wrapper", [None, "model_state_dict", "state_dict"])
def test_weights_that_torch_saved_are_read_bare_or_wrapped(tmp_path, wrapper):
    state_dict = network().state_dict()
    saved = state_dict if wrapper is None else {wrapper: state_dict, "epoch": 3}
    torch.save(saved, tmp_path / "w.pth")
    read, _ = published.read("unisal", tmp_path / "w.pth")
    other = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    assert weights.fit_into(other, read, "w") == len(state_dict)
    assert torch.equal(other[0].weight, state_dict["0.weight"])


def test_weights_in_torchs_first_format_are_read(tmp_path):
    torch.save(network().state_dict(), tmp_path / "w", _use_new_zipfile_serialization=False)
    read, _ = published.read("unisal", tmp_path / "w")
    assert torch.equal(read["0.weight"], network().state_dict()["0.weight"])


class Code:
    """An object that runs code when it is unpickled."""

    def __reduce__(self):
        return print, ("unpickled",)


def test_code_in_a_file_of_weights_is_not_run(tmp_path, capsys):
    torch.save({"a": Code()}, tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"asks for print.*torch\.save.model\.state_dict"):
        published.read("unisal", tmp_path / "w.pth")
    assert "unpickled" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"nothing", b"PK\x03\x04cut"])
def test_a_damaged_file_of_weights_is_named(tmp_path, content):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(InputError, match=r"w\.pth is no complete file of weights"):
        published.read("unisal", tmp_path / "w.pth")


def test_weights_of_another_model_name_the_tensors_and_the_file(tmp_path):
    torch.save(network().state_dict(), tmp_path / "other.pth")
    state_dict, _ = published.read("unisal", tmp_path / "other.pth")
    with pytest.raises(InputError) as caught:
        weights.fit_into(build("unisal"), state_dict, tmp_path / "other.pth")
    text = str(caught.value)
    assert "other.pth" in text and "7 of 7 in the file are unexpected (0.bias, " in text
    assert "of its 835 tensors are missing (adaptation_dhf1k.0.bias, " in text and "\n" not in text


def test_weights_of_salicon_alone_load_into_that_network(tmp_path):
    alone = build("unisal", sources=["SALICON"])
    torch.save({"model_state_dict": alone.state_dict()}, tmp_path / "chkpnt_epoch0012.pth")
    state_dict, _ = published.read("unisal", tmp_path / "chkpnt_epoch0012.pth")
    assert weights.fit_into(build("unisal", sources=["SALICON"]), state_dict, "w") == 390
    with pytest.raises(InputError, match=r"363 of its 835 tensors .* 0 of 390 in the file"):
        weights.fit_into(build("unisal"), state_dict, "w")


def test_weights_that_are_not_there_are_named(tmp_path):
    with pytest.raises(InputError, match="there are no weights at .*gone.pth"):
        published.read("unisal", tmp_path / "gone.pth")
    with pytest.raises(InputError, match="no published weights of cmrnet, only of unisal, msinet"):
        published.fetch("cmrnet")


def test_weights_of_a_path_say_what_they_were_trained_on_unless_the_config_does(tmp_path):
    path = tmp_path / "w.safetensors"
    seen = [{"type": "toronto"}]
    weights.write_weights(path, network().state_dict(), {"trained_on": seen})
    other = network()
    origin = published.load_into(other, "mine", str(path), None)
    assert origin["trained_on"] == seen and len(origin["sha256"]) == 64
    assert published.load_into(other, "mine", str(path), [])["trained_on"] == []
    wanted = weights.read_weights(path)[0]
    assert all(torch.equal(value, wanted[key]) for key, value in other.state_dict().items())


def test_published_weights_name_their_source_and_what_their_authors_trained_on(
    tmp_path, monkeypatch
):
    path = tmp_path / "w.safetensors"
    weights.write_weights(path, network().state_dict(), {"trained_on": []})
    monkeypatch.setattr(published, "fetch", lambda name: path)
    origin = published.load_into(network(), "unisal", "published", None)
    assert origin["source"] == published.SOURCES["unisal"].url
    assert published.SALICON in origin["trained_on"]
