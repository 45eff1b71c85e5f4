"""Factories that fail, networks with other outputs than are asked for, settings of both."""

from bad_input.case import Case
from bad_input.names import settled

from gaborscope.backbones import checking
from gaborscope.backbones.backbone import configured
from gaborscope.workflow.settings import load

FAMILY = "Your own networks"

HEAD = "import torch\nfrom torch import nn\n\n"
NET = """class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Conv2d(3, 1, 1)

    def forward(self, x{more}):
        y = self.out(x)
        return {returned}


def build():
    return Net()
"""


def own(text, **entry):
    """Return a use that builds and checks the network of a factory; it gives the maps' shape."""

    def use(folder):
        (folder / "mine.py").write_text(HEAD + text)
        given = {**load()["own_input"], "height": 32, "width": 64, "output": "logits"}
        made = {"layers": {"a": "out"}, "options": {}, "input": given, **entry}
        made["factory"] = f"{folder / 'mine.py'}:build"
        backbone = configured("mine", made)
        checking.check_backbone(backbone, made["layers"], (32, 64))
        return tuple(backbone.maps(checking._noise(backbone, (32, 64))).shape)

    return use


def net(returned, more="", **entry):
    return own(NET.format(returned=returned, more=more), **entry)


def setting(text):
    """Return a use that settles a config with an own model that sets this."""
    return settled(
        f"models: {{mine: {{factory: examples/own_model.py:vit, layers: {{early: a}}, {text}}}}}"
    )


CASES = [
    Case("a network with one map", net("y"), gives="(2, 32, 64)"),
    Case("one of two outputs", net("(x, y)", output={"index": 1}), gives="(2, 32, 64)"),
    Case(
        "a map in a dictionary in a list",
        net('[x, {"map": y}]', output={"index": 1, "key": "map"}),
        gives="(2, 32, 64)",
    ),
    Case(
        "a network that adds the centre bias",
        net("y[:, 0] + centre_bias", ", centre_bias", inputs={"centre_bias": "fit"}),
        gives="(2, 32, 64)",
    ),
    Case(
        "two outputs and no choice",
        net("(x, y)"),
        says="models.mine returns tuple of (2, 3, 32, 64), (2, 1, 32, 64); choose by output:"
        " {index: N}, the first is 0, or set input.output: none to explain layers alone",
    ),
    Case(
        "an output that is not there",
        net("(x, y)", output={"index": 2}),
        says="models.mine.output is {index: 2}, but the network returns tuple of (2, 3, 32, "
        "64), (2, 1, 32, 64); choose by output: {index: N}, the first is 0",
    ),
    Case(
        "a key that is not there",
        net('{"map": y}', output={"key": "maps"}),
        says="models.mine.output is {key: maps}, but the network returns dict with map; "
        "choose by output: {key: NAME}",
    ),
    Case(
        "a key of a list",
        net("[x, y]", output={"key": "map"}),
        says="models.mine.output is {key: map}, but the network returns list of (2, 3, 32, "
        "64), (2, 1, 32, 64); choose by output: {index: N}, the first is 0",
    ),
    Case(
        "a factory that exits",
        own("raise SystemExit(2)\n"),
        says="models.mine.factory: {folder}/mine.py cannot be imported (SystemExit: 2, line "
        "4 of mine.py)",
    ),
    Case(
        "a factory that divides by zero",
        own("def build():\n    return 1 / 0\n"),
        says="models.mine: {folder}/mine.py:build fails (ZeroDivisionError: division by "
        "zero, line 5 of mine.py); mend it, or set options",
    ),
    Case(
        "a factory that lacks its weights",
        own("def build():\n    return torch.load('authors.pth')\n"),
        says="models.mine: {folder}/mine.py:build fails (FileNotFoundError: [Errno 2] "
        "No such file or directory: 'authors.pth', line 5 of mine.py); mend it, or set options",
    ),
    Case(
        "a factory that imports what is not there",
        own("import mmsaliency\n"),
        says="models.mine.factory: {folder}/mine.py cannot be imported (No module named "
        "'mmsaliency')",
    ),
    Case(
        "a factory that returns a class",
        own("def build():\n    return nn.ReLU\n"),
        says="models.mine: {folder}/mine.py:build returned type, not a torch.nn.Module",
    ),
    Case(
        "the centre bias of the test split",
        setting("inputs: {centre_bias: test}"),
        says="config: models.mine.inputs.centre_bias is 'test'; it must be fit alone",
    ),
    Case(
        "a second input that does not exist",
        setting("inputs: {scanpath: fit}"),
        says="config: unknown key 'scanpath' at models.mine.inputs; known are centre_bias",
    ),
    Case(
        "an index in words",
        setting("output: {index: first}"),
        says="config: models.mine.output.index is 'first' (a text); it must be a whole "
        "number or list (Place in a tuple or list; the first is 0, the last -1; two: "
        "nested)",
    ),
    Case(
        "a choice among outputs three deep",
        setting("output: {index: [0, 1, 0]}"),
        says="config: models.mine.output.index has 3 values; it must have 2 (Place in a "
        "tuple or list; the first is 0, the last -1; two: nested)",
    ),
    Case(
        "a prefix without a beginning to take",
        setting("prefix: model."),
        says="config: models.mine.prefix is 'model.'; it must be a mapping (How names of "
        "tensors in a file of weights begin, and how in the network, such as {model.: "
        '""}; others are left out; not set: recognised and said in the log)',
    ),
]
