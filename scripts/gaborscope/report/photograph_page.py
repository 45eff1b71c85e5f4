"""The page of one explained photograph: one file, which loads nothing."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

from gaborscope.report import photograph, templating
from gaborscope.report.photograph import Content

MAP_SIDE, PART_SIDE = 720, 260  # px of the embedded pictures
MARKS = ("circle", "square", "triangle")  # of the peaks, highest first
WIDTH, ROW, NAMES, TOP = 400, 32, 100, 24  # px of a chart


def render(content: Content, facts: Sequence[str], source: str) -> str:
    """
    Return the page.

    Parameters
    ----------
    content : Content
    facts : sequence of str
        Sentences on how it was made, for the end of the page.
    source : str
        Text by which the file tells what it was made of.

    Returns
    -------
    page : str
        HTML.
    """
    environment = templating.environment()
    ends = photograph.limits(content)
    image = photograph.shrunk(content.image, MAP_SIDE)
    return environment.get_template("photograph.html").render(
        content=content,
        facts=facts,
        source=source,
        measures=content.measures(),
        pictures=_pictures(content, image, ends),
        peaks=[
            {
                **peak,
                "mark": _mark(number),
                "filters": [_drawn(content, f) for f in peak["filters"]],
            }
            for number, peak in enumerate(content.peaks())
        ],
        charts=[{**chart, "svg": _chart(content, chart)} for chart in content.charts()],
        parts=_parts(content, photograph.shrunk(content.image, PART_SIDE), ends),
        bars={name: photograph.gradient(name) for name in (False, True)},
        ends={name: number(value) for name, value in ends.items()},
    )


def number(value: float) -> str:
    """Return a number with three digits at most, without an exponent."""
    digits = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 1
    return f"{value:.{min(digits, 3)}f}"


def _pictures(content, image, ends):
    """Return photograph, maps and difference, each with its words and its scale."""
    n = content.explained.size
    shown = [
        {"title": "Photograph", "alt": f"The photograph {content.name}",
         "url": photograph.embedded(image), "scale": None}
    ]  # fmt: skip
    maps = [("explained", f"Explained map ({content.explanation})", content.explained)]
    if content.deep is not None:
        maps.insert(0, ("deep", f"Map of the network ({content.network})", content.deep))
    for key, title, density in maps:
        picture = photograph.overlay(image, density * n, ends["density"])
        shown.append(
            {"title": title, "alt": f"{title} laid over the grey photograph; yellow is where most "
             "looks are expected", "url": photograph.embedded(picture), "scale": "density",
             "key": key}
        )  # fmt: skip
    if content.deep is not None:
        picture = photograph.overlay(
            image, (content.explained - content.deep) * n, ends["difference"], signed=True
        )
        shown.append(
            {"title": "Explained minus network", "alt": "Where the explained map has more (orange) "
             "and less (purple) than the network's", "url": photograph.embedded(picture),
             "scale": "difference"}
        )  # fmt: skip
    return shown


def _parts(content, image, ends):
    """Draw what each band and each layer adds, all on one scale."""
    if content.attribution is None:
        return []
    return [
        {
            "title": photograph.TITLES[partition],
            "maps": [
                {"name": name, "alt": f"What {name} adds (orange) and takes away (purple)",
                 "url": photograph.embedded(photograph.overlay(
                     image, content.attribution.maps[partition][member], ends["part"], True))}
                for member, name in content.members(partition).items()
            ],
        }
        for partition in ("band", "layer")
    ]  # fmt: skip


def _drawn(content, found):
    patch = content.patch(found["orientation"], found["channel"])
    return {**found, "url": photograph.embedded(patch, "PNG")}


def _mark(index):
    """Return the mark of a peak as SVG."""
    return f'<svg class="mark" viewBox="-8 -8 16 16" aria-hidden="true">{_shape(index)}</svg>'


def _shape(index, x=0.0, y=0.0):
    kind = MARKS[index % len(MARKS)]
    known = f'class="peak{index % len(MARKS)}"'
    if kind == "circle":
        return f'<circle {known} cx="{x:.1f}" cy="{y:.1f}" r="4.2"/>'
    if kind == "square":
        return f'<rect {known} x="{x - 3.8:.1f}" y="{y - 3.8:.1f}" width="7.6" height="7.6"/>'
    corners = f"{x:.1f},{y - 4.6:.1f} {x + 4.7:.1f},{y + 3.8:.1f} {x - 4.7:.1f},{y + 3.8:.1f}"
    return f'<polygon {known} points="{corners}"/>'


def _chart(content: Content, chart: dict[str, Any]) -> str:
    """Draw what the members of a partition add at each peak; one scale for all charts."""
    largest = content.largest() * 1.08
    span = (WIDTH - NAMES - 12) / 2
    zero, height = NAMES + span, TOP + ROW * len(chart["names"]) + 6
    step = photograph.tick_step(largest, 3)
    lines = []
    for tick in range(-int(largest / step), int(largest / step) + 1):
        x = zero + span * tick * step / largest
        lines.append(
            f'<line class="{"zero" if tick == 0 else "grid"}" x1="{x:.1f}" x2="{x:.1f}" '
            f'y1="{TOP - 4}" y2="{height}"/>'
            f'<text class="tick" x="{x:.1f}" y="12" text-anchor="middle">{tick * step:+.3g}</text>'
            if tick
            else f'<line class="zero" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 4}" y2="{height}"/>'
            f'<text class="tick" x="{x:.1f}" y="12" text-anchor="middle">0 bits</text>'
        )
    for row, (name, values) in enumerate(zip(chart["names"], chart["values"], strict=True)):
        y = TOP + ROW * (row + 0.5)
        lines.append(
            f'<text class="name" x="{NAMES - 8}" y="{y + 4:.1f}" text-anchor="end">'
            f"{html.escape(name)}</text>"
        )
        for peak, value in enumerate(values):
            at, line = zero + span * value / largest, y + 8.5 * (peak - (len(values) - 1) / 2)
            lines.append(
                f'<line class="stem peak{peak}" x1="{zero:.1f}" x2="{at:.1f}" y1="{line:.1f}" '
                f'y2="{line:.1f}"/>{_shape(peak, at, line)}'
            )
    label = f"{chart['title']}: bits that each adds at the peaks"
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{label}">'
        f"{''.join(lines)}</svg>"
    )
