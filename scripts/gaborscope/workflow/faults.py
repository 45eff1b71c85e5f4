"""
Words for what a config does not keep of the schema: one sentence with key, value and remedy.

Imported whenever the workflow is parsed: standard library alone.
"""

import datetime
import difflib
import math
import os
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gaborscope.errors import InputError
from gaborscope.workflow import configuration

# Whole numbers fit into 32 bits (a seed without sign), others well into single precision.
LARGEST_WHOLE = 2**32 - 1
LARGEST = 1e30
# Settings that hold paths of files, the last key of each.
PATHS = frozenset(("path", "weights", "start", "factory", "paths"))
LONG = 70  # most characters of a value in a sentence
SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxlong = LONG
# Halves of characters, which JSON may hold and no file can.
SURROGATES = re.compile("[\ud800-\udfff]")
# Text that YAML does not take as a number, since its exponent follows no point.
WITHOUT_POINT = re.compile(r"([-+]?\d+)([eE])([-+]?\d+)")


def shown(value: Any) -> str:
    """
    Return a value as a sentence shows it: as YAML writes it, short and on one line.

    Parameters
    ----------
    value : object

    Returns
    -------
    text : str
    """
    if isinstance(value, str):
        return SHORT.repr(value)
    if isinstance(value, datetime.date):
        return f"the date {value}"
    if isinstance(value, int) and abs(value) > 10**60:  # str() of it may be refused
        return SHORT.repr(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, list | tuple):
        text = f"[{', '.join(shown(one) for one in value[:LONG])}]"
    elif isinstance(value, dict):
        pairs = [f"{shown(key)}: {shown(one)}" for key, one in list(value.items())[:LONG]]
        text = f"{{{', '.join(pairs)}}}"
    else:
        text = " ".join(configuration.flow(value).split())
    return text if len(text) <= LONG else f"{text[: LONG - 3]}..."


def nearest(name: Any, known: Iterable[Any], otherwise: str = "known are") -> str:
    """
    Return the remedy for a name that is not known.

    Parameters
    ----------
    name : object
    known : iterable of str
    otherwise : str
        What comes before all names where none is close.

    Returns
    -------
    remedy : str
        "did you mean 'x'?", or the list of all names.
    """
    known = [str(one) for one in known]
    listed = f"{otherwise} {', '.join(known)}" if known else "there is none"
    return meant(name, known).removeprefix("; ") or listed


def meant(name: Any, known: Iterable[Any]) -> str:
    """
    Return "; did you mean 'x'?" where a known name is close to another, else "".

    Parameters
    ----------
    name : object
    known : iterable of str

    Returns
    -------
    remedy : str
    """
    close = difflib.get_close_matches(str(name), [str(one) for one in known], 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def sentence(error: Any) -> str:
    """
    Return a fault that jsonschema found as one sentence.

    Parameters
    ----------
    error : jsonschema.ValidationError

    Returns
    -------
    sentence : str
        Names the key with its path, the value, what is allowed and what the key means.
    """
    where = ".".join(str(part) for part in error.absolute_path) or "the top level"
    value, node, rule = error.instance, error.schema, error.validator
    described = node.get("description", "").rstrip(".")
    meaning = f" ({described})" if described else ""
    if rule == "additionalProperties" and "properties" in node:
        known = [key for key, child in node["properties"].items() if not child.get("deprecated")]
        unknown = next(key for key in value if key not in node["properties"])
        if where.startswith("explanations.") and "mode" in value:
            where += f" (mode {value['mode']})"
        return f"unknown key {shown(unknown)} at {where}; {nearest(unknown, known)}"
    if rule == "required":
        missing = next(key for key in error.validator_value if key not in value)
        child = node.get("properties", {}).get(missing, {})
        described = child.get("description", "").rstrip(".")
        meaning = f" ({described})" if described else ""
        return f"{where} lacks {missing}{meaning}; write {missing}: and its value below {where}"
    if rule == "uniqueItems":
        twice = next(one for i, one in enumerate(value) if one in value[:i])
        return f"{where} has {shown(twice)} twice; leave one of them"
    if rule == "minProperties" or (rule == "minItems" and not value):
        return f"{where} is empty{meaning}; write at least one entry, or leave the key out"
    if rule in ("minItems", "maxItems"):
        least = error.validator_value
        return f"{where} has {len(value)} values; it must have {least}{meaning}"
    if rule == "pattern" and "propertyNames" in error.absolute_schema_path:
        return f"{where}: the name {shown(value)} must consist of a-z, 0-9 and _ alone"
    if rule == "const":
        return f"{where} is {shown(value)}; it can be {error.validator_value} alone{meaning}"
    allowed = _allowed(node)
    if rule in ("enum", "pattern") and isinstance(value, str):
        known = [one for one in node.get("enum", ()) if isinstance(one, str)]
        return f"{where} is {shown(value)}; it must be {allowed}{meant(value.lower(), known)}"
    return f"{where} is {shown(value)}{_hint(value, node, rule)}; it must be {allowed}{meaning}"


def _allowed(node):
    """Say what a value may be, with an article."""
    if "pattern" in node:  # some words, or a value of another type
        other = "a whole number" if "integer" in node["type"] else "a list"
        return f"{other}, or {node['pattern'].strip('^$()').replace('|', ' or ')}"
    allowed = configuration.words(node).replace("`", "")
    if "enum" in node:
        return f"one of {allowed}" if len(node["enum"]) > 1 else f"{allowed} alone"
    return f"a {allowed}" if allowed.startswith(("whole", "number", "list", "mapping")) else allowed


def _hint(value, node, rule):
    """Say what may be meant where a value has another type than its key."""
    if rule not in ("type", "enum"):
        return ""
    kinds = node.get("type", "object")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if value is None:
        empty = "write {} for the defaults" if "object" in kinds else "leave the key out"
        return f" (nothing stands behind it: {empty})"
    if isinstance(value, str) and {"number", "integer"} & set(kinds):
        match = WITHOUT_POINT.fullmatch(value)
        if match:
            return f" (a text for YAML: write {match[1]}.0{match[2]}{match[3]}, with a point)"
        return " (a text)"
    if isinstance(value, float) and value.is_integer() and "integer" in kinds:
        return f" (with a point: write {int(value)})"
    if isinstance(value, bool) and "string" in kinds:
        return " (YAML reads yes, no, on and off so: put a name in quotes)"
    if isinstance(value, int | float | datetime.date) and "string" in kinds:
        return " (no text: put it in quotes)"
    return ""


def check_values(config: Mapping[Any, Any]) -> None:
    """
    Check what a schema cannot say: numbers are finite, texts can be written, paths can exist.

    Parameters
    ----------
    config : dict

    Raises
    ------
    InputError
        If a number is infinite, NaN or too large for any use, a text holds characters that no file
        can have, or a path begins with a user that this machine has not.
    """
    for path, value in _leaves(config, ()):
        if isinstance(value, str):
            if "\0" in value or not value.isascii() and SURROGATES.search(value):
                _refuse(path, value, "it has a character that no file can hold")
            if PATHS.intersection(path[-2:]):
                _check_path(path, value)
        elif isinstance(value, float):
            if not math.isfinite(value):
                _refuse(path, value, "it must be a finite number")
            if abs(value) > LARGEST:
                _refuse(path, value, f"numbers are at most {LARGEST}")
        elif isinstance(value, int) and abs(value) > LARGEST_WHOLE:
            _refuse(path, value, f"whole numbers are at most {LARGEST_WHOLE}")


def _refuse(path, value, reason):
    where = ".".join(map(str, path))
    raise InputError(f"config: {where} is {shown(value)}; {reason}")


def _leaves(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every value of nested mappings and lists with its keys."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _leaves(below, (*path, key))
    elif isinstance(value, list | tuple):
        for index, below in enumerate(value):
            yield from _leaves(below, (*path, index))
    else:
        yield path, value


def _check_path(path, text):
    if os.path.expanduser(text).startswith("~"):
        user = text.partition("/")[0]
        _refuse(path, text, f"this machine has no user {user}, so write the whole path")
    if max(len(part.encode()) for part in text.split("/")) > 255 or len(text.encode()) > 4095:
        _refuse(path, text, "no file can have so long a name")
