"""
Read a config file strictly: what YAML lets pass in silence is a fault, named with its line.

Imported whenever the workflow is parsed: standard library and PyYAML alone.
"""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from gaborscope.errors import InputError

# Kinds of values that a config may hold; every other tag is refused.
PLAIN = {
    f"tag:yaml.org,2002:{kind}"
    for kind in ("str", "int", "float", "bool", "null", "seq", "map", "merge", "timestamp")
}
INT, FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
OCTAL = re.compile("0+[1-7][0-7]+")  # 07 is 7 in either base
# Aliases may repeat what is written, up to so many values in all, and values may be so deep.
MOST_VALUES = 100_000
DEEPEST = 50
INDENTED = "YAML is indented by spaces, and a text with ': ' or a bracket in it stands in quotes"


def read(path: str | Path) -> dict[str, Any]:
    """
    Read a config file, JSON or YAML, and refuse what is no plain mapping.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    config : dict

    Raises
    ------
    InputError
        If there is no such file, it is not UTF-8, empty, no mapping, malformed, too deep or too
        large, has a key twice, or has a tag.
    """
    text = _text(path)
    try:
        content = json.loads(text, object_pairs_hook=lambda pairs: _without_twins(path, pairs))
    except RecursionError:
        raise InputError(f"{path} is nested too deeply to be read") from None
    except InputError:
        raise
    except ValueError:  # no JSON, as most configs
        content = _read_yaml(path, text)
    if content is None:
        raise InputError(f"{path} is empty; write at least one setting, or leave the file out")
    if not isinstance(content, dict):
        kind = "a list" if isinstance(content, list) else f"the single value {str(content)[:40]!r}"
        raise InputError(
            f"{path} holds {kind}, not settings; write key: value, such as models: [cmrnet]"
        )
    return content


def _text(path):
    """Text of a file in UTF-8."""
    try:
        raw = Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no config file {path}; correct its name") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder; name the config file in it") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    if b"\0" in raw:
        raise InputError(f"{path} is no text in UTF-8 (is it UTF-16?); save it as UTF-8")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path}, line {line}: the byte 0x{raw[error.start]:02x} is not UTF-8; save the file "
            "as UTF-8"
        ) from None


def _without_twins(path, pairs):
    """Turn the pairs of a mapping in JSON into a dict."""
    for index, (key, _) in enumerate(pairs):
        if key in (other for other, _ in pairs[:index]):
            raise InputError(f"{path} has the key {key!r} twice; leave one of them")
    return dict(pairs)


def _read_yaml(path, text):
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        if node is not None:
            _count(path, node, {}, 0)
            return loader.construct_document(node)
    except InputError:
        raise
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{path}, line {line}: {_problem(error, text, line)}") from None
    except (yaml.YAMLError, RecursionError) as error:  # such as a control character
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is no YAML ({reason}); remove what is meant there") from None
    except (ValueError, LookupError, AttributeError) as error:
        # a number of thousands of digits, a date that is none, !!int or !!bool before another value
        reason = str(error).partition(";")[0].partition(":")[0]
        raise InputError(
            f"{path} has a number or a date that cannot be read ({reason}); correct it, or put it "
            "in quotes"
        ) from None
    finally:
        loader.dispose()
    return None


def _problem(error, text, line):
    """Words for a fault of syntax."""
    if "single document" in str(error.context):
        return "a second document begins (---); a config is a single one"
    if "\t" in "".join(text.splitlines()[line - 1 : line]):
        return f"a tab; {INDENTED}"
    return f"{error.problem or error.context}; {INDENTED}"


def _count(path, node, counted, depth):
    """
    Count the values of a node, aliases as often as they stand; refuse what is not plain.

    `counted` holds the number of each node that is done, and None while a node is on the way.
    """
    line = node.start_mark.line + 1
    if depth > DEEPEST:
        raise InputError(f"{path}, line {line}: nested more than {DEEPEST} deep")
    if id(node) in counted:
        if counted[id(node)] is None:
            raise InputError(f"{path}, line {line}: an alias (*) refers to what it stands in")
        return counted[id(node)]
    if node.tag not in PLAIN:
        tag = node.tag.replace("tag:yaml.org,2002:", "!!")
        raise InputError(
            f"{path}, line {line}: the tag {tag} is not allowed; a config holds plain values alone"
        )
    _refuse_disguised(path, node)
    counted[id(node)] = None
    total = 1
    if isinstance(node, yaml.MappingNode):
        _refuse_twins(path, node)
        total += sum(_count(path, value, counted, depth + 1) for _, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        total += sum(_count(path, value, counted, depth + 1) for value in node.value)
    if total > MOST_VALUES:
        raise InputError(
            f"{path}, line {line}: with its aliases (*) it holds more than {MOST_VALUES:,} values; "
            "write out what is meant"
        )
    counted[id(node)] = total
    return total


def _refuse_disguised(path, node):
    """Refuse a number that YAML 1.1 reads in base 8 or 60, as few expect."""
    if node.tag not in (INT, FLOAT) or not isinstance(node.value, str):
        return
    digits = node.value.lstrip("+-").replace("_", "")
    octal = node.tag == INT and OCTAL.fullmatch(digits)
    if octal or ":" in digits:
        base = "8 (a zero comes first)" if octal else "60 (colons, as in a time)"
        raise InputError(
            f"{path}, line {node.start_mark.line + 1}: YAML reads {node.value} as a number in base "
            f"{base}; write a decimal number, or a text in quotes"
        )


def _refuse_twins(path, node):
    """Refuse a mapping in which a key stands twice, or is no text or number."""
    lines = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise InputError(f"{path}, line {line}: a list or mapping cannot be a key; name it")
        if key.tag not in PLAIN:
            raise InputError(f"{path}, line {line}: the tag {key.tag} is not allowed")
        _refuse_disguised(path, key)
        if key.value in lines:
            raise InputError(
                f"{path} has the key {key.value!r} in line {lines[key.value]} and again in line "
                f"{line}; leave one of them"
            )
        lines[key.value] = line
