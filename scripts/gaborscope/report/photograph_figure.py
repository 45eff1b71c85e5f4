"""The figure of one explained photograph, for a slide: 16 by 9, PNG and SVG."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from gaborscope.report import drawing, photograph
from gaborscope.report.photograph import Content

SIZE, DPI = (12.8, 7.2), 150
MAP_SIDE = 640  # px of the pictures in it
SHADES, MARKS = ("#b35900", "#0a63c9", "#177a4b"), ("o", "s", "^")


def draw(content: Content) -> Figure:
    """
    Draw photograph, maps and what made the peaks.

    All is drawn on one sheet whose units are inches, y down: a photograph takes less than a second.

    Parameters
    ----------
    content : Content

    Returns
    -------
    figure : matplotlib.figure.Figure
    """
    figure = plt.figure(figsize=SIZE, facecolor="white")
    sheet = figure.add_axes((0, 0, 1, 1))
    sheet.set_axis_off()
    peaks = content.peaks()
    _maps(sheet, content, peaks)
    _charts(sheet, content)
    _filters(sheet, content, peaks)
    head = drawing.title_of(content.name)
    if measures := content.measures():
        head += ":  " if head else ""
        head += f"KL {measures['kl']:.2f} bits, fidelity {measures['fidelity']:.2f}, "
        head += f"CC {measures['cc']:.2f}"
    sheet.text(0.4, 0.36, head, fontsize=13, weight="bold", parse_math=False)
    if content.attribution is None:
        sheet.text(0.4, 4.6, f"No parts: {content.missing}.", fontsize=11, parse_math=False)
    sheet.set_xlim(0, SIZE[0])
    sheet.set_ylim(SIZE[1], 0)
    sheet.set_aspect("auto")
    return figure


def _maps(sheet, content, peaks):
    """Draw photograph and maps side by side, with their scales."""
    ends, image = photograph.limits(content), photograph.shrunk(content.image, MAP_SIDE)
    n = content.explained.size
    maps = [("photograph", None, "", False)]
    if content.deep is not None:
        maps.append((f"network ({content.network})", content.deep * n, "density", False))
    maps.append((f"explained ({content.explanation})", content.explained * n, "density", False))
    if content.deep is not None:
        difference = (content.explained - content.deep) * n
        maps.append(("explained minus network", difference, "difference", True))
    each, top, high = (SIZE[0] - 0.8) / len(maps), 0.85, 2.4
    share = min((each - 0.15) / image.shape[1], high / image.shape[0])
    width, height = share * image.shape[1], share * image.shape[0]
    for place, (title, values, scale, signed) in enumerate(maps):
        left = 0.4 + place * each + (each - 0.15 - width) / 2
        shown = image
        if values is not None:
            shown = photograph.overlay(image, values, ends[scale], signed)
        sheet.imshow(shown, extent=(left, left + width, top + height, top))
        middle = left + width / 2
        sheet.text(middle, top - 0.1, title, fontsize=11, ha="center", parse_math=False)
        for peak in () if signed else peaks:
            sheet.text(
                left + peak["at_x"] * width, top + peak["at_y"] * height, peak["number"],
                color="white", fontsize=8, ha="center", va="center",
                bbox={"boxstyle": "circle,pad=0.2", "fc": "black", "ec": "white", "lw": 0.8},
            )  # fmt: skip
        if scale:
            limit = ends[scale]
            first = -limit if signed else 0.0
            bar = (middle - 0.85, middle + 0.85)
            sheet.imshow(
                np.linspace(0, 1, 256)[None],
                cmap=photograph.SIGNED if signed else photograph.UNSIGNED,
                extent=(*bar, top + height + 0.24, top + height + 0.1),
            )
            words = "difference of densities" if signed else "times an even spread"
            sheet.text(middle, top + height + 0.42, words, fontsize=8, ha="center")
            for at, value in zip(bar, (first, limit), strict=True):
                text = f"{value:+.3g}" if signed else f"{value:.3g}"
                sheet.text(at, top + height + 0.42, text, fontsize=8, ha="center")


def _charts(sheet, content):
    """Draw what the members of each partition add at the peaks, on one scale."""
    limit, top, high, half = content.largest() * 1.1, 4.55, 2.3, 0.62
    step = photograph.tick_step(limit, 2)
    for place, chart in enumerate(content.charts()):
        zero = 1.65 + place * 2.15
        sheet.text(zero - 0.3, top - 0.15, chart["title"], fontsize=9.5, ha="center")
        row = high / max(len(chart["names"]), 1)
        sheet.plot([zero, zero], [top, top + high], color="0.3", linewidth=0.8)
        sheet.plot([zero - half, zero + half], [top + high] * 2, color="0.6", linewidth=0.6)
        for tick in range(-int(limit / step), int(limit / step) + 1):
            at = zero + half * tick * step / limit
            sheet.plot([at, at], [top + high, top + high + 0.04], color="0.6", linewidth=0.6)
            text = f"{tick * step:+.3g}" if tick else "0 bits"
            sheet.text(at, top + high + 0.18, text, fontsize=7, ha="center")
        middles = top + row * (np.arange(len(chart["names"])) + 0.5)
        for middle, name in zip(middles, chart["names"], strict=True):
            sheet.text(
                zero - half - 0.06, middle, name, fontsize=8, ha="right", va="center",
                parse_math=False,
            )  # fmt: skip
        values = np.array(chart["values"])
        for peak in range(values.shape[1] if values.size else 0):
            y = middles + min(0.085, row / 4) * (peak - (values.shape[1] - 1) / 2)
            x = zero + half * values[:, peak] / limit
            sheet.hlines(y, zero, x, color=SHADES[peak % 3], linewidth=1.2)
            sheet.plot(x, y, MARKS[peak % 3], color=SHADES[peak % 3], markersize=4)
            if place == 0:
                sheet.plot(0.5 + 0.8 * peak, 4.05, MARKS[peak % 3], color=SHADES[peak % 3])
                sheet.text(0.6 + 0.8 * peak, 4.05, f"peak {peak + 1}", fontsize=9, va="center")


def _filters(sheet, content, peaks):
    """Draw and name the strongest filters at the peaks."""
    for column, peak in enumerate(peaks):
        left = 9.72 + 1.0 * column
        sheet.text(left + 0.29, 4.4, f"peak {peak['number']}", fontsize=9.5, ha="center")
        for row, found in enumerate(peak["filters"][:3]):
            top = 4.5 + 0.92 * row
            patch = content.patch(found["orientation"], found["channel"])
            sheet.imshow(patch, extent=(left, left + 0.58, top + 0.5, top))
            colour, rest = found["name"].replace(photograph.ALL, photograph.ANY).split(", ", 1)
            sheet.text(
                left + 0.29, top + 0.52, f"{colour}\n{rest}\n{found['bits']:+.2f} bits",
                fontsize=6.5, ha="center", va="top", linespacing=1.05, parse_math=False,
            )  # fmt: skip


def save(figure: Figure, png: Path, svg: Path, source: str) -> None:
    """
    Write a figure as PNG and SVG, and close it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    png, svg : Path
    source : str
        Text that is kept in both files.
    """
    # no software version or date in the files: equal inputs give equal bytes
    figure.savefig(
        png, format="png", dpi=DPI, metadata={"Software": None, "Source": source},
        pil_kwargs={"compress_level": 3},
    )  # fmt: skip
    with matplotlib.rc_context({"svg.hashsalt": "gaborscope", "svg.fonttype": "none"}):
        figure.savefig(svg, format="svg", metadata={"Date": None, "Source": source})
    plt.close(figure)
