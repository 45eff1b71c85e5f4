"""Whatever stands at a key of the config, what comes is a plan or one plain sentence."""

import copy
import functools
import math
import re
import zlib
from pathlib import Path

import pytest

from gaborscope.errors import InputError
from gaborscope.workflow import completion, faults, settings
from gaborscope.workflow.completion import overlay, read_yaml

ROOT = Path(__file__).resolve().parents[2]
# Entries of every mapping with names of the user's choice, so that every key of the schema is met.
ENTRIES = {
    "models": {
        "mine": {"factory": "examples/own_model.py:vit", "layers": {"early": "blocks.0"}},
        "cmrnet": None,
    },
    "datasets": {"photos": {"type": "folder", "path": "/photos"}},
    "explanations": {"c": {"mode": "cascade"}, "r": {"mode": "refined", "start": "c"}},
    "maps": {"theirs": {"paths": {"demo": "/maps"}}},
    "ablation": {"options": {"lab": {"colour": "lab"}}},
    "training": {"parts": {"stem": {"rate": 0.1}}},
}
NAMES = {
    "models": ["mine"],
    "datasets": ["photos"],
    "maps": ["theirs"],
    "backbones": ["cmrnet"],
    "options": ["lab"],
    "parts": ["stem"],
    "paths": ["demo"],
    "explanations": ["direct", "c", "r"],
}
WRONG = {
    "null": None,
    "NaN": math.nan,
    "infinity": [math.inf],
    "negative": -3,
    "huge": 10**30,
    "text": "maany",
    "number as text": "1e-3",
    "empty text": "",
    "empty list": [],
    "empty mapping": {},
    "mapping": {"a": {"b": [1]}},
    "list of lists": [[None]],
    "true": True,
    "point": 8.0,
    "long": ["x" * 5000] * 50,
    "key": {7: 1},
}
# Words of the schema's machinery and of Python, which mean nothing to a user.
JARGON = re.compile(
    r"required property|not of type|Additional propert|does not match|not valid under|Traceback|"
    r"not one of|is a dependency|NoneType|OrderedDict|non-unique|too short|too long|\bdict\b|"
    r"\bNone\b|\bTrue\b|\bFalse\b|datetime|multiple of \d+\.\d{5}"
)


@pytest.fixture(scope="module")
def base():
    return overlay(read_yaml(ROOT / "config.yaml"), ENTRIES)


def keys(node, path=()):
    """Paths of all keys that the schema describes, in `ENTRIES` where names are free."""
    for key, child in node.get("properties", {}).items():
        yield (*path, key)
        yield from keys(child, (*path, key))
    entries = node.get("additionalProperties")
    if isinstance(entries, dict) and path and path[-1] in NAMES:
        choices = [choice["then"] for choice in entries.get("allOf", ())] or [entries]
        for name, choice in zip(NAMES[path[-1]], choices, strict=True):
            yield (*path, name)
            yield from keys(choice, (*path, name))


def outcome(config, path, value):
    """Sentence that a config with a value at a path gets; None where it is taken."""
    config = copy.deepcopy(config)
    part = config
    for key in path[:-1]:
        part[key] = part.get(key) or {}
        part = part[key]
    part[path[-1]] = value
    try:
        settings.settle(config, ROOT, [])
    except InputError as error:
        return str(error)
    return None


def faulty(sentence, path, value):
    """What is wrong with a sentence, if anything."""
    key = path[-1] if path[-1] not in ("image", "input") else path[-2]
    if "\n" in sentence or len(sentence) > 900:
        return "not one line"
    if JARGON.search(sentence):
        return "jargon"
    if not sentence.startswith("config: ") or str(key) not in sentence:
        return "does not name the key"
    if isinstance(value, str | int | float) and faults.shown(value) not in sentence:
        return "does not show the value"
    return None


def found(config, cases):
    """Cases that get no plain sentence."""
    bad = []
    for path, kind in cases:
        sentence = outcome(config, path, WRONG[kind])
        fault = sentence and faulty(sentence, path, WRONG[kind])
        if fault:
            bad.append(f"{'.'.join(path)} as {kind}: {fault}: {sentence}")
    return bad


def every_case():
    schema = read_yaml(settings.SCHEMA)
    return [(path, kind) for path in keys(schema) for kind in WRONG]


def drawn(case):
    """One case of fifty, the same in every run."""
    return zlib.crc32(repr(case).encode()) % 50 == 0


@pytest.fixture
def read_once(monkeypatch):
    """The schema and the tables of layers are read once, not for each case."""
    read = functools.cache(read_yaml)
    monkeypatch.setattr(completion, "read_yaml", lambda path: copy.deepcopy(read(path)))
    monkeypatch.setattr(settings, "read_yaml", read)


@pytest.mark.slow
def test_a_wrong_value_at_any_key_gets_one_plain_sentence(base, read_once):
    cases = [case for case in every_case() if drawn(case)]
    assert len(cases) > 100
    assert not found(base, cases)
