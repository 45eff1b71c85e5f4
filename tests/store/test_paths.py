import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from gaborscope.errors import InputError
from gaborscope.store import paths

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = {"block": "07", "predictor": "cmrnet-direct", "split": "fit"}
# What can stand in the braces of a pattern in rules/, by what is between them; else a name.
CHOICES = {
    "block": ["07"],
    "split": ["fit"],
    "bank": ["fixation_bank"],
    "table": ["position", "substitution"],
}
UNNAMED = ("results/logs/", "results/benchmarks/")


def values_of(kind):
    return {name: SAMPLES.get(name, f"{name}_1") for name in paths.wildcards(kind)}


@pytest.mark.parametrize("kind", paths.PATTERNS)
def test_a_path_is_read_back_into_its_wildcards(kind):
    path = paths.make(kind, **values_of(kind))
    assert paths.parse(kind, path) == values_of(kind)
    assert paths.parse(kind, Path("/some/where") / path) == values_of(kind)


@pytest.mark.parametrize("kind", paths.PATTERNS)
def test_a_path_is_of_one_kind_alone(kind):
    path = paths.make(kind, **values_of(kind))
    assert paths.kind_of(path) == kind
    for other in set(paths.PATTERNS) - {kind}:
        with pytest.raises(InputError, match=re.escape(path)):
            paths.parse(other, path)


def test_the_end_of_a_path_counts_as_much_as_its_beginning():
    for path in ("results/data/osie/07.h5.tmp", "myresults/data/osie/07.h5", "data/osie/07.h5"):
        with pytest.raises(InputError, match="kind 'data'"):
            paths.parse("data", path)


@pytest.mark.parametrize("block", ["7a", "../07", "", "-7", "a-b"])
def test_a_value_that_its_wildcard_does_not_match_is_refused(block):
    with pytest.raises(ValueError, match="wildcard block"):
        paths.make("data", dataset="osie", block=block)


def test_an_explained_model_is_a_predictor_and_no_model():
    assert paths.make("saliency", predictor="cmrnet-direct", dataset="osie", block="07")
    with pytest.raises(ValueError, match="wildcard model"):
        paths.make("weights", model="cmrnet-direct")


def test_a_missing_and_a_needless_wildcard_are_named():
    with pytest.raises(ValueError, match="dataset, block, got dataset"):
        paths.make("data", dataset="osie")
    with pytest.raises(ValueError, match="none, got block"):
        paths.make("summary", block="07")
    with pytest.raises(ValueError, match="no wildcard 'layer'"):
        paths.select("data", [], layer="enc1")


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="no files of kind 'dta'"):
        paths.parse("dta", "results/data/osie/07.h5")
    with pytest.raises(InputError, match="no file of results/"):
        paths.kind_of("results/data/osie/07.txt")


def test_paths_are_indexed_and_selected_by_their_wildcards():
    files = [
        paths.make("activations", model=model, dataset="d", block=block)
        for model, block in product(("b", "a"), ("00", "01"))
    ]
    assert paths.select("activations", files, model="a") == files[2:]
    assert paths.select("activations", files, model="a", dataset="n") == []
    assert paths.index("activations", files, "block", model="b") == {"00": files[0], "01": files[1]}
    with pytest.raises(InputError, match="same block"):
        paths.index("activations", files, "block")


def test_every_path_in_the_rules_is_of_a_kind():
    for rules in sorted((ROOT / "rules").glob("*.smk")):
        text = rules.read_text(encoding="utf-8")
        for pattern in re.findall(r"\"(results/[^\"\n]+)\"", text):
            assert pattern.startswith(UNNAMED) or is_of_a_kind(pattern), (rules.name, pattern)


def test_every_path_in_the_header_of_the_snakefile_is_of_a_kind():
    header = (ROOT / "Snakefile").read_text(encoding="utf-8").split('"""')[1]
    listed = header.partition("All files lie below")[2].partition("{predictor}:")[0]
    named = re.findall(r"(?<!\S)[\w{][^\s<]*\.(?:h5|csv|json|html|pt|safetensors)(?!\S)", listed)
    assert len(named) > 30
    for pattern in named:
        for path in alternatives(f"results/{pattern}"):
            assert is_of_a_kind(path), (pattern, path)


def is_of_a_kind(pattern):
    """Whether a pattern in rules/ can stand for a path of a kind."""
    literals = re.split(r"{+[^{}]*}+", pattern)
    choices = [
        next((values for name, values in CHOICES.items() if name in inside.lower()), ["name"])
        for inside in re.findall(r"{+([^{}]*)}+", pattern)
    ]
    for chosen in product(*choices):
        path = "".join(map("".join, zip(literals, (*chosen, ""), strict=True)))
        try:
            paths.kind_of(path)
        except InputError:
            continue
        return True
    return False


def alternatives(pattern):
    """Patterns that one with {a,b} in it stands for."""
    choice = re.search(r"{([^{}]*(?:{\w+}[^{}]*)*,(?:[^{}]|{\w+})*)}", pattern)
    if choice is None:
        return [pattern]
    return [
        whole
        for part in choice[1].split(",")
        for whole in alternatives(pattern[: choice.start()] + part + pattern[choice.end() :])
    ]


def test_the_grammar_needs_the_standard_library_alone():
    code = (
        "import sys, gaborscope.store.paths; "
        "print(*sorted({name.partition('.')[0] for name in sys.modules}"
        " - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT / "scripts", capture_output=True, text=True
    )
    assert done.stdout.split() == ["__main__", "gaborscope"], done.stderr
