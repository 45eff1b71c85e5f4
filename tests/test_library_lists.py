"""Each rule's library(...) covers exactly what its script imports."""

import re
from pathlib import Path

import pytest

from gaborscope import codebase

ROOT = Path(__file__).resolve().parents[1]
RULE_WITH_SCRIPT = re.compile(
    r"code=library\((?P<modules>[^)]*)\).*?script:\s*\"\.\./scripts/(?P<script>\w+)\.py\"", re.S
)


def lists():
    """Pairs of script and modules listed, over all rule files."""
    found = []
    for path in sorted((ROOT / "rules").glob("*.smk")):
        for match in RULE_WITH_SCRIPT.finditer(path.read_text(encoding="utf-8")):
            found.append((match["script"], tuple(re.findall(r'"([^"]+)"', match["modules"]))))
    return found


LISTS = lists()


def test_every_script_has_a_rule_with_a_list():
    stages = [
        path
        for path in (ROOT / "scripts").glob("*.py")
        if "run_stage" in path.read_text(encoding="utf-8")
    ]
    scripts = sorted(path.stem for path in stages)
    assert sorted(script for script, _ in LISTS) == scripts


@pytest.mark.parametrize("script, listed", LISTS, ids=[script for script, _ in LISTS])
def test_the_list_covers_what_the_script_imports_and_no_more(script, listed):
    wanted = codebase.imported(ROOT / "scripts" / f"{script}.py")
    assert set(codebase.closure(*listed)) == set(codebase.closure(*wanted))
