"""Pages of docs: results are rendered from tables of record, and links lead somewhere."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gaborscope.report import pages

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
TEMPLATES = sorted((DOCS / "pages").rglob("*.md"))
MADE = [page for page in TEMPLATES if not pages.missing(page, DOCS / "results")]
DRAWN = sorted((DOCS / "results").glob("*/fidelity.csv"))
WRITTEN = [
    *ROOT.glob("*.md"), *DOCS.glob("*.md"), *DOCS.glob("guide/*.md"), *DOCS.glob("reference/*.md"),
    *DOCS.glob("results/*.md"), *ROOT.glob("benchmarks/*.md"), *ROOT.glob("pretrained/*.md"),
]  # fmt: skip
PLAIN = [page for page in WRITTEN if page.name != "CHANGELOG.md"]
LINK = re.compile(r"\]\(([^()\s]+)\)")


def by_name(path):
    return str(path.relative_to(ROOT))


def looks_pasted(template):
    """Numbers of a template that look like results; those of a page come from its tables."""
    text = re.sub(r"\]\([^)]*\)|%\+?\.\d[fg]", "", template)  # where links lead, formats
    found = re.findall(r"\d*\.\d+|\d+ ?%(?!})", text)  # in code and tags too
    text = re.sub(r"```.*?```|`[^`]*`|{{.*?}}|{%.*?%}|{#.*?#}", "", text, flags=re.DOTALL)
    return found + re.findall(r"\d+", re.sub(r"\bet al\. \d{4}\b", "", text))


def page_of(template):
    return DOCS / template.relative_to(DOCS / "pages")


@pytest.mark.parametrize("template", MADE, ids=by_name)
def test_a_page_holds_what_its_template_takes_from_the_tables(template):
    page = page_of(template).read_text(encoding="utf-8")
    assert page == pages.render(template, DOCS / "results"), "run `make pages`"


@pytest.mark.parametrize("template", MADE, ids=by_name)
def test_a_page_of_results_is_short(template):
    words = re.findall(r"[^\s|]+", page_of(template).read_text(encoding="utf-8"))
    assert len(words) <= 1500


@pytest.mark.parametrize("template", TEMPLATES, ids=by_name)
def test_no_result_is_written_into_a_template(template):
    assert looks_pasted(template.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "template, found",
    [
        ("NSS rises by {{ t.number('summary', digits=2) }} (Xu et al. 2014, `cascade8`)", []),
        ("[a](results/v1.5/a.csv)\n```\nsnakemake --cores 2\n```", []),
        ("NSS rises by .05", [".05", "05"]),
        (
            "| `net` | 1.25 [1.15, 1.35] |",
            ["1.25", "1.15", "1.35", "1", "25", "1", "15", "1", "35"],
        ),
        ("it beats 17 of them", ["17"]),
        ("{{ '0.5' }} and `0.7`, {% set share = '40 %' %}", ["0.5", "0.7", "40 %"]),
    ],
)
def test_a_number_in_a_template_is_found(template, found):
    assert looks_pasted(template) == found


@pytest.mark.parametrize("table", DRAWN, ids=by_name)
def test_a_figure_is_drawn_from_its_table(table, tmp_path):
    drawn = pages.Tables(table.parent).draw(tmp_path)
    assert drawn
    for figure in drawn:
        new, kept = (
            np.array(Image.open(folder / figure.name).convert("RGB"), dtype=float)
            for folder in (tmp_path, table.parent)
        )
        assert new.shape == kept.shape
        assert np.abs(new - kept).mean() < 0.5  # other fonts would move edges, other values more


def anchors(path):
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", WRITTEN, ids=by_name)
def test_links_lead_to_files_and_headings(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        if re.match(r"\w+:", link):  # of the web
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def sentences(text):
    """Sentences of a page, without code, tables and headings; a name in code is one word."""
    text = re.sub(r"```.*?```|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"`[^`]*`", "X", re.sub(r"\]\([^)]*\)", "]", text))
    parts = re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.)\s)|\n(?=[#|])", text)
    for part in (" ".join(part.split()) for part in parts):
        if part and not part.startswith(("#", "|")):
            yield from re.split(r"(?<=[.!?])\s+(?=[A-Z*\[(])", re.sub(r"\bet al\.", "et al", part))


@pytest.mark.parametrize("page", PLAIN, ids=by_name)
def test_no_sentence_of_a_page_is_long(page):
    found = list(sentences(page.read_text(encoding="utf-8")))
    assert [words for words in found if len(words.split()) > 35] == []
    assert np.median([len(words.split()) for words in found or ["none"]]) < 18


def test_a_long_sentence_is_found():
    text = "# Title\n\n- `a b c` is " + "long " * 33 + "enough. So is\nthis.\n\n| no |\n"
    assert [len(words.split()) for words in sentences(text)] == [37, 3]


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "tutorial.md"], ids=by_name)
def test_the_ways_in_are_short(page):
    assert len(page.read_text(encoding="utf-8").split()) <= 900


def test_the_readme_leads_to_every_page():
    linked = set(LINK.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    pages = {str(page.relative_to(ROOT)) for page in WRITTEN if page.is_relative_to(DOCS)}
    assert pages - linked == set()


def test_examples_in_python_run():
    page = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    found, rng = {}, np.random.default_rng(0)
    for code in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        code = code.replace("pretrained/", f"{ROOT}/pretrained/")
        found |= {"fixations": np.array([[30, 20], [40, 25]]), "channel": rng.random((48, 64))}
        picture = Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Image, "open", lambda _, picture=picture: picture)
            exec(compile(code, "python.md", "exec"), found)
    assert found["density"].shape == (60, 80) and abs(found["density"].sum() - 1) < 1e-6
    assert np.isfinite(found["scores"]["nss"]) and np.isnan(found["scores"]["ig"])
    assert found["responses"].shape == (32, 48, 64) and "stem" in found["maps"]
