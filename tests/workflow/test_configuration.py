"""config.yaml and the page on configuration are made of the schema, and the schema is whole."""

import re
from pathlib import Path

import pytest
import yaml

from gaborscope.workflow import configuration
from gaborscope.workflow.completion import read_yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def schema():
    return read_yaml(ROOT / "rules" / "config.schema.yaml")


def keys(node, path=()):
    """All keys that a mapping of the schema describes, with their paths."""
    for name, child in node.get("properties", {}).items():
        yield (*path, name), child
        yield from keys(child, (*path, name))
    entries = node.get("additionalProperties")
    if isinstance(entries, dict):
        yield from keys(entries, (*path, "{name}"))
        for choice in entries.get("allOf", ()):
            yield from keys(choice["then"], (*path, "{name}"))


@pytest.mark.parametrize(
    "name, write",
    [
        ("config.yaml", configuration.config_text),
        ("docs/reference/configuration.md", configuration.reference_text),
    ],
)
def test_a_file_is_what_the_schema_makes_of_it(schema, name, write):
    assert (ROOT / name).read_text(encoding="utf-8") == write(schema), "run make config"


def test_every_key_has_a_type_and_a_description(schema):
    for path, node in keys(schema):
        name = ".".join(path)
        assert node.get("type"), f"{name} has no type"
        assert re.search(r"^[A-Za-z].*\.$", node.get("description", "")), f"{name}: no sentence"


def test_every_key_that_is_a_setting_has_a_default_or_may_be_left_out(schema):
    default = configuration.defaults(schema)
    for path, node in keys(schema):
        if "{name}" in path or node.get("deprecated") or "enum" in node and path[-1] == "like":
            continue
        below = default
        for key in path:
            below = below.get(key) if isinstance(below, dict) else None
        shared = path[-1] in schema["properties"]["regressors"]["properties"]
        known = below is not None or "null" in node["type"] or path[0] in ("own_input", "training")
        assert known or shared or "bank" in path or "image" in path, ".".join(path)


def test_the_text_of_the_config_holds_the_defaults(schema):
    assert yaml.safe_load(configuration.config_text(schema)) == configuration.defaults(schema)


def test_the_first_screen_has_the_ten_keys_that_users_touch(schema):
    lines = configuration.config_text(schema).splitlines()
    second = [i for i, line in enumerate(lines) if line.startswith("# ----")][1]
    head = [line.split(":")[0] for line in lines[:second] if re.match(r"[a-z_]+:", line)]
    assert head == schema["sections"][0]["keys"] and len(head) == 10
    assert second <= 40


def test_every_section_of_the_config_has_a_place(schema):
    placed = [key for section in schema["sections"] for key in section["keys"]]
    assert sorted(placed) == sorted(schema["properties"])


def test_no_line_of_the_config_is_longer_than_a_hundred_characters(schema):
    assert max(map(len, configuration.config_text(schema).splitlines())) <= 100


@pytest.mark.parametrize(
    "value", [1e-6, 0.0001, 1.0, 3, None, True, [1, 2.5], {"a": {"b": []}}, "yuv", {}]
)
def test_a_value_on_one_line_is_read_as_what_it_was(value):
    assert yaml.safe_load(configuration.flow(value)) == value
