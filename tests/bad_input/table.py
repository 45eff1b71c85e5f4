"""Write docs/reference/bad_input.md from the catalogue (`make catalogue`)."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/reference/bad_input.md"

HEAD = """\
# What comes of bad input

Written by `make catalogue` from `tests/bad_input/`; every row is a test. *Refused*: the run stops
with the sentence and exit status 1, and writes nothing. *Taken*: the row shows the value that is
read.

What no reader can see:

- A JPEG holds no checksum. Damage within it is seen where a part of the picture is missing from its
  end, or from a file of several scans or with restart markers. It is also seen where zeros stand in
  its place that no picture has.
- Coordinates with y upwards from the lower edge can be px of the images. So can those of copies a
  little smaller, or percent of an axis of some 100 px.
"""


def cell(text):
    """Text of a cell of a Markdown table."""
    return " ".join(text.replace("{folder}/", "").split()).replace("|", "\\|").replace("<", "\\<")


def page(families):
    """Return the page of the docs."""
    parts = [HEAD]
    for heading, cases in families.items():
        parts.append(f"\n## {heading}\n\n| input | outcome | sentence or value |\n|---|---|---|\n")
        for case in cases:
            outcome = ("refused", case.says) if case.says else ("taken", case.gives)
            parts.append(f"| {cell(case.given)} | {outcome[0]} | {cell(outcome[1])} |\n")
    return "".join(parts)


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]
    from bad_input.case import families

    PAGE.write_text(page(families()), encoding="utf-8")
