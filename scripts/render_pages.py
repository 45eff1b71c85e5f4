"""
Render the pages of results in docs/ from the tables of record in docs/results/ (make pages).

    python scripts/render_pages.py [--record OUT CASE]

--record copies the tables of record of the run in OUT to docs/results/CASE first, and draws their
figures there: those of rule record, where it has not run those of rule record_ablation. A page
docs/NAME.md is made from docs/pages/NAME.md, once the tables of its cases are there.
"""

import argparse
import shutil
import sys
from pathlib import Path

from gaborscope.errors import InputError
from gaborscope.report import pages

DOCS = Path(__file__).resolve().parents[1] / "docs"


def record(out, case):
    """Take the tables of a run into docs/results, in the place of those of an earlier one."""
    source = Path(out) / "results" / "record"
    sources = [source] if source.is_dir() else sorted(source.parent.glob("record_*"))
    found = [path for folder in sources for path in sorted(folder.glob("[!.]*.*"))]
    files = [path for path in found if path.suffix in (".csv", ".json")]
    if not files:
        raise InputError(f"{source} holds no tables of record; run snakemake record first")
    target = DOCS / "results" / case
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for path in files:
        shutil.copyfile(path, target / path.name)
    pages.Tables(target).draw()


def main():
    """Copy the tables of a run if asked, then render every page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--record", nargs=2, metavar=("OUT", "CASE"))
    arguments = parser.parse_args()
    try:
        if arguments.record:
            record(*arguments.record)
        for template in sorted((DOCS / "pages").rglob("*.md")):
            if cases := pages.missing(template, DOCS / "results"):
                print(f"{template.name} waits for the tables of {', '.join(cases)}")
                continue
            text = pages.render(template, DOCS / "results")
            page = DOCS / template.relative_to(DOCS / "pages")
            page.write_text(text, encoding="utf-8")
    except InputError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
