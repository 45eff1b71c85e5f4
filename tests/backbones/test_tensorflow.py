"""Files of TensorFlow 2.21 (tests/tensorflow/README.md) are read bit by bit without TensorFlow."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from gaborscope.backbones import published, tensorflow
from gaborscope.errors import InputError

STORED = Path(__file__).parents[1] / "tensorflow"
FORMS = {
    "frozen graph": "model_salicon_cpu.pb",
    "checkpoint by its prefix": "model_salicon_cpu.ckpt",
    "checkpoint by its index": "model_salicon_cpu.ckpt.index",
    "checkpoint by its shard": "model_salicon_cpu.ckpt.data-00000-of-00001",
    "SavedModel": "inlined",
    "SavedModel's file": "inlined/saved_model.pb",
}


@pytest.fixture(scope="module")
def values():
    return dict(np.load(STORED / "values.npz"))


@pytest.mark.parametrize("form", FORMS)
def test_all_46_tensors_are_read_bit_by_bit(values, form):
    tensors = tensorflow.read_tensors(STORED / FORMS[form])
    for name, value in values.items():
        assert tensors[name].dtype == np.float32 and tensors[name].tobytes() == value.tobytes()
    assert len(values) == 46


def test_the_optimisers_slots_are_not_taken_for_weights():
    tensors = tensorflow.read_tensors(STORED / FORMS["checkpoint by its prefix"])
    names = [name for name in tensors if published.VARIABLE.search(name)]
    assert len(tensors) == 140 and len(names) == 46


@pytest.mark.parametrize("form", ["frozen graph", "SavedModel's file"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.99])
def test_a_graph_cut_short_is_refused(tmp_path, form, share):
    content = (STORED / FORMS[form]).read_bytes()
    (tmp_path / "cut.pb").write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"cut\.pb is no complete file of TensorFlow"):
        tensorflow.read_tensors(tmp_path / "cut.pb")


def test_a_checkpoint_cut_short_or_without_its_shard_is_refused(tmp_path):
    for path in STORED.glob("*.ckpt.*"):
        shutil.copy(path, tmp_path)
    shard = tmp_path / FORMS["checkpoint by its shard"]
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(InputError, match="ends within the tensor"):
        tensorflow.read_tensors(tmp_path)
    shard.unlink()
    with pytest.raises(InputError, match="data-00000-of-00001 is missing"):
        tensorflow.read_tensors(tmp_path)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "a.index").write_bytes(b"no table" * 20)
    with pytest.raises(InputError, match="does not end as an index"):
        tensorflow.read_tensors(tmp_path / "a.index")
    (tmp_path / "b.pb").write_bytes(b"")
    with pytest.raises(InputError, match="it is empty"):
        tensorflow.read_tensors(tmp_path / "b.pb")
    with pytest.raises(InputError, match="there is no file"):
        tensorflow.read_tensors(tmp_path / "c.pb")
    (tmp_path / "d").mkdir()
    with pytest.raises(InputError, match="holds no frozen graph"):
        tensorflow.read_tensors(tmp_path / "d")


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def message(*fields):
    """Protocol Buffers message of (number, bytes or int)."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def node(name, operation, *inputs, value=None):
    fields = [(1, name.encode()), (2, operation.encode()), *((3, i.encode()) for i in inputs)]
    if value is not None:
        shape = message(*((2, message((1, n))) for n in value.shape))
        tensor = message((1, 1), (2, shape), (4, value.tobytes()))
        fields.append((5, message((1, b"value"), (2, message((8, tensor))))))
    return (1, message(*fields))


def test_a_merged_constant_is_also_named_by_the_operations_that_take_it(tmp_path):
    bias = np.float32([1, -2, 3])
    graph = message(
        node("a/b/bias", "Const", value=bias),
        node("a/b/bias/read", "Identity", "a/b/bias"),
        node("aspp/conv1_2/BiasAdd", "BiasAdd", "x", "a/b/bias/read"),
        node("model/aspp/conv1_3/BiasAdd", "BiasAdd", "y:0", "a/b/bias/read:0"),
    )
    (tmp_path / "g.pb").write_bytes(graph)
    tensors = tensorflow.read_tensors(tmp_path / "g.pb")
    for name in ("a/b/bias", "aspp/conv1_2/bias", "model/aspp/conv1_3/bias"):
        np.testing.assert_array_equal(tensors[name], bias)


@pytest.mark.slow
def test_a_file_in_the_true_layout_becomes_a_state_dict_that_loads(tmp_path):
    rng = np.random.default_rng(0)
    values = {
        name: rng.standard_normal(shape, dtype=np.float32)
        for name, shape in published.msinet_variables().items()
    }
    nodes = [node(f"scope/{name}", "Const", value=value) for name, value in values.items()]
    (tmp_path / "g.pb").write_bytes(message(*nodes))
    state_dict = published.msinet_state_dict(tensorflow.read_tensors(tmp_path / "g.pb"))
    kernel = values["aspp/conv1_2/kernel"].transpose(3, 2, 0, 1)
    assert torch.equal(state_dict["aspp.conv1_2.weight"], torch.from_numpy(kernel.copy()))
