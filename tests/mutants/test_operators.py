"""The driver of mutants: what it changes, and what it leaves alone."""

import ast

import pytest
from mutants import run
from mutants.modules import MODULES, TESTS
from mutants.operators import changed_source, mutants

SOURCE = '''
def clip(x, low=0, high=10):
    """Keep a number between bounds."""
    if x < low and not x > high:
        raise ValueError(f"{x} is below {low}")
    log.info("clipping %s", x)
    return [max(x, low), "word"]


def other(y):
    return zip(y, "name", strict=True)
'''


def afters(kind):
    return {m.after for m in mutants(SOURCE) if m.kind == kind}


@pytest.mark.parametrize(
    "kind, changes",
    [
        ("comparison", {"x <= low", "x > low", "x >= high", "x < high"}),
        ("and / or", {"x < low or not x > high"}),
        ("arguments swapped", {"max(low, x)", "zip('name', y, strict=True)"}),
        ("sign or not dropped", {"x > high"}),
        ("order reversed", {"['word', max(x, low)]"}),
        ("return value", {"return None"}),
    ],
)
def test_changes_of_each_kind(kind, changes):
    assert afters(kind) == changes


def test_texts_and_guards_are_left_alone():
    for mutant in mutants(SOURCE):
        changed = changed_source(SOURCE, mutant.number)
        for kept in ("Keep a number", "is below", "clipping %s", "strict=True"):
            assert kept in changed or kept in mutant.before, mutant


def test_every_mutant_is_another_program_and_is_found_again_by_its_number():
    plain = ast.unparse(ast.parse(SOURCE))
    for mutant in mutants(SOURCE):
        changed = changed_source(SOURCE, mutant.number)
        assert changed != plain and compile(changed, "mutant", "exec")


def test_a_sample_is_the_same_for_the_same_seed_and_has_kinds_in_turn():
    text = run.source_of(run.ROOT, "fitting/nonlinearity").read_text("utf-8")
    first, again = (run.drawn(mutants(text), 12, "1") for _ in range(2))
    assert first == again != run.drawn(mutants(text), 12, "2")
    assert len({mutant.kind for mutant in first}) == 12


def test_modules_and_their_tests_exist():
    assert all(run.source_of(run.ROOT, module).is_file() for module in MODULES)
    for module in MODULES:
        for name in TESTS[module.split("/")[0]]:
            assert (run.ROOT / "tests" / name).exists()
