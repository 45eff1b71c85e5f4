"""Files of weights that hold code, too little, or too much."""

import argparse

import numpy as np
import safetensors.torch
import torch
from bad_input.case import Case

from gaborscope.backbones import published, tensorflow, weights

FAMILY = "Weights"


class Code:
    """An object whose pickle runs code."""

    def __reduce__(self):
        import os

        return os.system, ("touch HARMED",)


def load(content, name="w.pth"):
    """Return a use that loads a file into a network of one layer of 4 inputs and 3 outputs."""

    def use(folder):
        path = folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path)
        state, _ = published.read("unisal", path)
        weights.fit_into(torch.nn.Linear(4, 3), state, path)
        return sorted(state)

    return use


def own(header):
    """Return a use that reads the file of --weights, whose header has these bytes."""

    def use(folder):
        path = folder / "mine.safetensors"
        path.write_bytes(len(header).to_bytes(8, "little") + header)
        return weights.read_weights(path)

    return use


def graph(*nodes):
    """Return a use that reads a frozen graph of TensorFlow."""

    def use(folder):
        (folder / "g.pb").write_bytes(message(*((1, message(*node)) for node in nodes)))
        return sorted(tensorflow.read_tensors(folder / "g.pb"))

    return use


def varint(number):
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def message(*fields):
    """Bytes of a message of Protocol Buffers; a value is a number, a text or bytes."""
    parts = []
    for number, value in fields:
        if isinstance(value, int):
            parts += [varint(number << 3), varint(value)]
        else:
            value = value.encode() if isinstance(value, str) else value
            parts += [varint(number << 3 | 2), varint(len(value)), value]
    return b"".join(parts)


def constant(name, shape, values):
    """Fields of a node that is a constant of float32."""
    sizes = message(*((2, message((1, size))) for size in shape))
    tensor = message((1, 1), (2, sizes), (5, np.asarray(values, "<f4").tobytes()))
    attribute = message((1, "value"), (2, message((8, tensor))))
    return [(1, name), (2, "Const"), (5, attribute)]


class Settings:
    """Settings of a training, as authors keep them beside the weights."""


MISFIT = "{{folder}}/w.pth does not fit the network: {} of its 2 tensors {}, {} in the file {}; "
RENAME = (
    "give the weights of this very network, or set prefix: {from: to}, how names begin in the file "
    "and in the network"
)
WHOLE = {"weight": torch.ones(3, 4), "bias": torch.zeros(3)}
OTHER = {**WHOLE, "bias": torch.ones(3)}
TRAINING = {
    "state_dict": {f"module.{key}": value for key, value in WHOLE.items()},
    "args": argparse.Namespace(lr=0.1),
    "best": np.float64(0.8),
    "epoch": 3,
}
NAN = {**WHOLE, "bias": torch.tensor([0, float("nan"), 0])}
ALONE = "{folder}/w.pth is no complete file of weights alone "
SAVE = "; fetch it again, or save model.state_dict() anew"
NO_GRAPH = "{folder}/g.pb is no complete file of TensorFlow "
RING = [[(1, name), (2, "Identity"), (3, other)] for name, other in ("ab", "ba")]

CASES = [
    Case(
        "a name of a tensor that would colour the terminal",
        load({"weight": torch.ones(3, 4), "bias\x1b[31m": torch.ones(3)}),
        says=MISFIT.format("1", "is missing (bias)", "1 of 2", "is unexpected (bias [31m)")
        + RENAME,
    ),
    Case("a state dict", load(WHOLE), gives="['bias', 'weight']"),
    Case(
        "a training's checkpoint: names with module., arguments, numbers of NumPy",
        load(TRAINING),
        gives="['args', 'best', 'epoch', 'state_dict']",
    ),
    Case(
        "weights of half of a network",
        load({"weight": torch.ones(3, 4)}),
        says=MISFIT.format("1", "is missing (bias)", "0 of 1", "are unexpected (none)") + RENAME,
    ),
    Case(
        "weights with a part that the network has not",
        load({**{f"model.{k}": v for k, v in WHOLE.items()}, "loss.weight": torch.ones(3)}),
        says=MISFIT.format(
            "2",
            "are missing (bias, weight)",
            "3 of 3",
            "are unexpected (loss.weight, model.bias, model.weight)",
        )
        + "to take a part of the file, set prefix: {model.: ''}",
    ),
    Case(
        "weights and their moving average, which differ",
        load({"model": WHOLE, "ema": OTHER}),
        says="{folder}/w.pth holds the network's tensors more than once, with different values, at "
        "model, ema; choose by the setting prefix, such as prefix: {ema.: ''}",
    ),
    Case(
        "a checkpoint with an object of the authors' own code",
        load({"model": WHOLE, "config": Settings()}),
        says="{folder}/w.pth holds more than tensors (it asks for bad_input.weight_files.Settings),"
        " and reading it could run code; save the tensors alone: torch.save(model.state_dict(), "
        "FILE)",
    ),
    Case(
        "a file without tensors",
        load({"epoch": 3}),
        says="{folder}/w.pth holds no tensors; save model.state_dict()",
    ),
    Case(
        "a pickle with code",
        load({"weight": Code()}),
        says="{folder}/w.pth holds more than tensors (it asks for posix.system), and reading it "
        "could run code; save the tensors alone: torch.save(model.state_dict(), FILE)",
    ),
    Case(
        "a whole model",
        load(torch.nn.Linear(4, 3)),
        says="{folder}/w.pth holds more than tensors (it asks for torch.nn.modules.linear.Linear), "
        "and reading it could run code; save the tensors alone: torch.save(model.state_dict(), "
        "FILE)",
    ),
    Case(
        "text",
        load(b"no weights"),
        says=f"{ALONE}(it is damaged, or not written by torch.save){SAVE}",
    ),
    Case("an empty file", load(b""), says=f"{ALONE}(EOFError){SAVE}"),
    Case(
        "a list of tensors",
        load([torch.ones(3)]),
        says="{folder}/w.pth holds a list, not a dictionary of tensors",
    ),
    Case(
        "a number in the place of a tensor",
        load({**WHOLE, "bias": 3}),
        says="{folder}/w.pth: bias is no tensor of values; save model.state_dict()",
    ),
    Case(
        "a sparse tensor",
        load({**WHOLE, "weight": torch.eye(3, 4).to_sparse()}),
        says="{folder}/w.pth: weight is no tensor of values; save model.state_dict()",
    ),
    Case(
        "complex numbers",
        load({**WHOLE, "bias": torch.zeros(3, dtype=torch.complex64)}),
        says="{folder}/w.pth: bias is of torch.complex64; save it as float32",
    ),
    Case(
        "NaN",
        load(NAN),
        says="{folder}/w.pth: bias holds NaN or infinity; train or fetch it again",
    ),
    Case(
        "another shape",
        load({**WHOLE, "bias": torch.zeros(4)}),
        says="{folder}/w.pth: bias has the shape (4,), but the network needs (3,)",
    ),
    Case(
        "safetensors cut in half",
        load(safetensors.torch.save(WHOLE)[:80], "w.safetensors"),
        says="{folder}/w.safetensors is not a complete safetensors file (Unterminated string "
        "starting at: line 1 column 69 (char 68)); get or make it anew",
    ),
    Case(
        "a graph of TensorFlow",
        graph(constant("w", (2, 3), np.ones(6))),
        gives="['w']",
    ),
    Case(
        "a graph whose last number is repeated",
        graph(constant("w", (2, 3), [7])),
        gives="['w']",
    ),
    Case(
        "a graph with a tensor of 8 TB",
        graph(constant("w", (1 << 20, 1 << 20), [7])),
        says=f"{NO_GRAPH}(a tensor has the shape (1048576, 1048576)); download it again",
    ),
    Case(
        "a graph with a negative shape",
        graph(constant("w", ((1 << 64) - 1, 3), [7])),
        says=f"{NO_GRAPH}(a tensor has the shape (18446744073709551615, 3)); download it again",
    ),
    Case(
        "a graph that goes round in a circle",
        graph(constant("w", (3,), [7]), *RING, [(1, "c/conv"), (2, "Conv2D"), (3, "x"), (3, "a")]),
        gives="['w']",
    ),
    Case(
        "a graph with a number in the place of a message",
        graph([(1, "w"), (2, "Const"), (5, 3)]),
        says=f"{NO_GRAPH}(object of type 'int' has no len()); download it again",
    ),
    Case(
        "a safetensors file with a header in UTF-32",
        own('{"__metadata__": {}}'.encode("utf-32-le")),
        says="{folder}/mine.safetensors is not a complete safetensors file (Expecting property"
        " name enclosed in double quotes: line 1 column 2 (char 1)); get or make it anew",
    ),
    Case(
        "a text in UTF-32 called safetensors",
        own("weights".encode("utf-32")),
        says="{folder}/mine.safetensors is not a complete safetensors file ('utf-8' codec "
        "can't decode byte 0xff in position 0: invalid start byte); get or make it anew",
    ),
]
