"""
Write config.yaml and docs/reference/configuration.md from the schema of the config.

The schema adds keywords to those of JSON schema: `unit`, `sections` (headings with their keys),
`notes` (remarks on entries of a mapping, by dotted path) and `as` (where the keys of a mapping are
documented). Standard library alone.
"""

import textwrap
from collections.abc import Mapping
from typing import Any

WIDTH = 100
COLUMN = 32  # first column in which a comment behind a value may begin
FLOW = 80  # most characters of a mapping that stands on one line
HEAD = """\
# Settings of Gaborscope with their defaults. A file given by --configfile is laid over this one key
# by key; an unknown key stops the run. Types, ranges and more: docs/reference/configuration.md.
# Written by `make config` from rules/config.schema.yaml: a change belongs there.
"""
PAGE = """\
# Configuration

Every key of a config. [`config.yaml`](../../config.yaml) holds the defaults; a file given by
`--configfile` is laid over it key by key, and an unknown key stops the run. The ten keys at the top
are enough for most runs. This page is written by `make config` from
[`rules/config.schema.yaml`](../../rules/config.schema.yaml).

`{name}` stands for a name of your choice (a-z, 0-9, _). A key without a default may be left out,
unless it says *required*. `like:` names where the keys come from that are not set:
`like: regressors` means the section `regressors`; the `like` of an explanation or a backbone names
another one.
"""


def defaults(schema: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the config that consists of a schema's defaults.

    Parameters
    ----------
    schema : dict
        JSON schema.

    Returns
    -------
    config : dict
        Keys in the order of `sections`, where there are any; without deprecated ones.
    """
    order = [key for section in schema.get("sections", ()) for key in section["keys"]]
    order = order or _ordered(schema["properties"])
    values = {}
    for key in order:
        node = schema["properties"][key]
        if "default" in node:
            values[key] = node["default"]
        elif "properties" in node and not node.get("deprecated"):
            below = defaults(node)
            if below:
                values[key] = below
    return values


def _ordered(properties):
    """Keys in their order; the keys that `like: regressors` fills in come directly after it."""
    if properties.get("like", {}).get("enum") != ["regressors"]:
        return list(properties)
    shared = (
        "colour", "boundary", "bank", "kinds", "residual", "normalisation", "position",
        "mechanisms",
    )  # fmt: skip
    first = [key for key in ("predictors", "input", "stride") if key in properties]
    rest = [key for key in properties if key not in (*first, "like", *shared)]
    return [*first, "like", *(key for key in shared if key in properties), *rest]


def config_text(schema: Mapping[str, Any]) -> str:
    """
    Text of config.yaml.

    Parameters
    ----------
    schema : dict

    Returns
    -------
    text : str
        YAML, a comment to every key, no line longer than 100 characters.
    """
    config, lines = defaults(schema), [HEAD.rstrip()]
    for number, section in enumerate(schema["sections"]):
        lines += ["", f"# ---- {section['title']} ".ljust(WIDTH, "-")]
        for key in section["keys"]:
            node = schema["properties"][key]
            block = _lines(key, config[key], node, 0)
            if number and len(block) > 1 or lines[-1].startswith("# ----"):
                lines.append("")
            lines += block
    return "\n".join(lines) + "\n"


def _lines(key, value, node, depth, notes=None, path=()):
    """Lines of a key with its comment, and of the keys below it."""
    notes = {**(notes or {}), **node.get("notes", {})}
    remark = _comment(node) if node else ""
    remark = " ".join(part for part in (remark, notes.get(".".join(path), "")) if part)
    indent = "  " * depth
    if not isinstance(value, dict) or not value or _flows(key, value, node, depth, notes, path):
        return _commented(f"{indent}{key}: {flow(value)}", remark, indent)
    lines = _commented(f"{indent}{key}:", remark, indent)
    entries = node.get("additionalProperties")
    named = entries if isinstance(entries, dict) and "properties" not in node else None
    for i, (name, below) in enumerate(value.items()):
        if named is not None:
            entry = named if i == 0 else {"properties": named.get("properties", {}), "silent": True}
            child = {k: v for k, v in entry.items() if k != "description"}
        else:
            child = node.get("properties", {}).get(name, {})
            if node.get("silent"):
                child = {**child, "description": "", "silent": True, "unit": "", "enum": ()}
        where = (*path, name) if named is not None or path else ()
        lines += _lines(name, below, child, depth + 1, notes, where)
    return lines


def _flows(key, value, node, depth, notes, path):
    """Whether a mapping stands on one line: a small one, whose keys are described elsewhere."""
    if depth == 0 and "properties" in node:
        return False
    if any(note.startswith(".".join([*path, ""])) for note in notes if path):
        return False
    if depth == 0 and node.get("additionalProperties"):
        return all(value == {} for value in value.values())
    described = "default" not in node and not path
    return not described and 2 * depth + len(f"{key}: {flow(value)}") <= FLOW


def _comment(node):
    """Values, description and unit of a key, as one remark."""
    remark, unit = node.get("description", ""), node.get("unit")
    if unit:
        first, dot, rest = remark.partition("; ") if "; " in remark else remark.partition(". ")
        remark = f"{first.rstrip('.')} ({unit}){dot.rstrip() or '.'} {rest}".rstrip()
    values = node.get("enum") or node.get("items", {}).get("enum", ())
    words = " | ".join(flow(value) for value in values)
    return f"{words}. {remark}" if len(values) > 1 else remark


def _commented(line, remark, indent):
    """Put a remark behind a line, or above it if the line would be too long."""
    if not remark:
        return [line]
    with_remark = f"{line.ljust(COLUMN - 2)}  # {remark}"
    if len(with_remark) <= WIDTH:
        return [with_remark]
    wrapped = textwrap.wrap(remark, WIDTH - len(indent) - 2, break_on_hyphens=False)
    return [*(f"{indent}# {part}" for part in wrapped), line]


def flow(value: Mapping[str, Any] | None) -> str:
    """
    Value as YAML on one line.

    Parameters
    ----------
    value : dict, list, str, number, bool or None

    Returns
    -------
    text : str
    """
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {flow(below)}' for key, below in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        mantissa, e, exponent = repr(value).partition("e")
        mantissa += "" if "." in mantissa else ".0"
        return f"{mantissa}e{int(exponent)}" if e else mantissa
    return str(value)


def reference_text(schema: Mapping[str, Any]) -> str:
    """
    Text of docs/reference/configuration.md.

    Parameters
    ----------
    schema : dict

    Returns
    -------
    text : str
        Markdown, a table of keys for every key of the top level.
    """
    config, lines = defaults(schema), [PAGE]
    for section in schema["sections"]:
        lines += [f"## {section['title']}", ""]
        nodes = {key: schema["properties"][key] for key in section["keys"]}
        plain = [key for key, node in nodes.items() if not _below(node)]
        if plain:
            lines += _table([_row(key, node, config, schema) for key, node in nodes.items()])
        for key, node in nodes.items():
            if key in plain:
                notes = node.get("notes", {})
                lines += [f"- `{key}: {name}`: {said}" for name, said in notes.items()]
                lines += [""] if notes else []
                continue
            lines += [f"### `{key}`", "", node["description"], ""]
            lines += _table(list(_rows((key,), node, config.get(key))))
    lines += [
        "## Deprecated keys",
        "",
        "They are understood, and the run says what to write instead. As switches of an analysis",
        "they count only while `analyses` has its default; any other list is final. `models` below",
        "has no effect.",
        "",
    ]
    lines += [f"- `{name}`" for name in _deprecated((), schema)]
    lines += [
        "- `explanations.{name}.sparsity_scores.budgets`, `ablation.options`, and an empty "
        "`bits.explanations`, `spectra.predictors` or `faithfulness.explanations` as switches: "
        "`analyses` says what runs",
        "- what `explanations.direct` sets as default of other explanations of mode direct: "
        "`like: direct`",
    ]
    return "\n".join(lines) + "\n"


def _below(node):
    """Whether a mapping has described keys below it."""
    entries = node.get("additionalProperties")
    return bool(node.get("properties")) or isinstance(entries, dict) and "properties" in entries


def _rows(path, node, default):
    """Rows of all keys below a mapping."""
    entries = node.get("additionalProperties")
    if isinstance(entries, dict) and "properties" in entries:
        path, node, default = (*path, "{name}"), entries, None
    if _elsewhere(path, node):
        yield f"| `{'.'.join(path)}.*` | | | the keys of `{node['as']}` |"
    inherits = node["properties"].get("like", {}).get("enum") == ["regressors"]
    inherited = []
    for key in _ordered(node["properties"]):
        child = node["properties"][key]
        value = default.get(key) if isinstance(default, dict) else None
        missing = not isinstance(default, dict) or key not in default
        if child.get("deprecated"):
            continue
        if inherits and missing:
            inherited.append(key)
        elif _below(child) and not _elsewhere((*path, key), child):
            yield _row(".".join([*path, key]), child, {}, node, key)
            yield from _rows((*path, key), child, value)
        else:
            yield _row(".".join([*path, key]), child, default or {}, node, key)
    if inherited:
        yield f"| `{'.'.join(path)}.{{{', '.join(inherited)}}}` | | | as in `regressors` |"


def _elsewhere(path, node):
    return node.get("as", ".".join(path)) != ".".join(path)


def _row(name, node, default, parent, key=None):
    """One row: key, type and range, default, description with its unit."""
    key = key or name
    value = default.get(key, node.get("default", ""))
    shown = "" if value == "" or _below(node) and len(flow(value)) > FLOW else f"`{flow(value)}`"
    if key in parent.get("required", ()) and not shown:
        shown = "*required*"
    remark = _comment({k: v for k, v in node.items() if k not in ("enum", "items")})
    remark += f" Keys: as in `{node['as']}`." if node.get("as") and "." in name else ""
    return (
        "| "
        + " | ".join(text.replace("|", r"\|") for text in (f"`{name}`", words(node), shown, remark))
        + " |"
    )


def words(node: Mapping[str, Any]) -> str:
    """
    Type and range of a value in words.

    Parameters
    ----------
    node : dict
        JSON schema of the value.

    Returns
    -------
    words : str
        Such as "whole number, at least 1"; values of an enum stand in backquotes.
    """
    kinds = node.get("type", "mapping")
    named = {"object": "mapping", "array": "list", "string": "text", "boolean": "true or false"}
    named |= {"integer": "whole number"}
    kinds = [kinds] if isinstance(kinds, str) else kinds
    text = " or ".join(named.get(kind, kind) for kind in kinds)
    values = node.get("enum") or node.get("items", {}).get("enum")
    if values:
        listed = ", ".join(f"`{flow(value)}`" for value in values)
        text = f"list of {listed}" if "array" in kinds else listed
    limits = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most"}
    limits |= {"exclusiveMaximum": "below", "multipleOf": "multiple of"}
    bounds = [f"{word} {flow(node[limit])}" for limit, word in limits.items() if limit in node]
    return ", ".join([text, *bounds])


def _table(rows):
    return ["| key | type | default | what |", "|---|---|---|---|", *rows, ""]


def _deprecated(path, node):
    """Name deprecated keys, by their dotted paths."""
    for key, child in node.get("properties", {}).items():
        if child.get("deprecated"):
            yield ".".join([*path, key])
        elif "properties" in child:
            yield from _deprecated((*path, key), child)
