"""
Render the pages of results in docs/ from the tables of record in docs/results/ (make pages).

    python scripts/render_pages.py [--record OUT CASE]

--record copies the tables of record of the run in OUT (rule record) to docs/results/CASE first, and
draws their figures there. A page docs/NAME.md is made from docs/pages/NAME.md.
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
    files = [path for path in sorted(source.glob("[!.]*.*")) if path.suffix in (".csv", ".json")]
    if not files:
        raise InputError(f"{source} holds no tables of record; run snakemake record first")
    target = DOCS / "results" / case
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for path in files:
        shutil.copyfile(path, target / path.name)
    pages.Tables(target).closeness()


def main():
    """Copy the tables of a run if asked, then render every page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--record", nargs=2, metavar=("OUT", "CASE"))
    arguments = parser.parse_args()
    try:
        if arguments.record:
            record(*arguments.record)
        for template in sorted((DOCS / "pages").glob("*.md")):
            text = pages.render(template, DOCS / "results")
            (DOCS / template.name).write_text(text, encoding="utf-8")
    except InputError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
