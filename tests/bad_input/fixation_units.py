"""Coordinates in other units than px of the image."""

import numpy as np
from bad_input.case import Case, said
from bad_input.fixation_tables import HEADER, lay
from PIL import Image

from gaborscope.data import catalogue

FAMILY = "Coordinates"


def index(change, size=(1024, 768), per_image=16, n=40, spread=0.2, mixed=False, m=3, **settings):
    """
    Return a use that plans a folder whose px (n, 2) are changed; it gives the stimuli and warnings.

    Fixations gather at the centre, with `spread` as standard deviation in shares of the image. With
    `mixed` the photographs have 0.4 to 1.6 times the size, and every third stands upright. `m`
    observers take turns.
    """

    def use(folder):
        rng = np.random.default_rng(7)
        sizes = np.array([size] * n)
        if mixed:
            sizes = (sizes * np.linspace(0.4, 1.6, n)[:, None]).astype(int)
            sizes[::3] = sizes[::3, ::-1]
        of = np.tile(sizes, (per_image, 1))
        points = np.clip(rng.normal(of / 2, of * spread), 0, of - 1)
        names = [f"{i}.png" for i in range(n)]
        rows = [
            f"{names[i % n]},s{i % m},{x:.4f},{y:.4f}\n"
            for i, (x, y) in enumerate(change(points, of).tolist())
        ]
        lay(folder, HEADER + "".join(rows), names, size)
        for name, shape in zip(names if mixed else [], sizes.tolist(), strict=False):
            Image.new("1", shape).save(folder / "stimuli" / name)
        entry = {"type": "folder", "path": str(folder), **settings}
        with said() as warnings:
            found = catalogue.index("mine", entry, folder)
        return "; ".join([f"{len(found)} stimuli", *warnings])

    return use


def some(place, share):
    """Return a change that puts a share of the fixations at one place."""

    def change(points, size):
        points[: int(share * len(points))] = place
        return points

    return change


def of_one(change, which=slice(1, None, 3)):
    """Return a change of the fixations of one observer of three, or of some of them."""

    def changed(points, size):
        points[which] = change(points[which], size[which])
        return points

    return changed


def corner(points, size):
    """Return px that all lie in the first tenth."""
    return np.random.default_rng(3).uniform(0, 30, points.shape)


CASES = [
    Case("px", index(lambda p, s: p), gives="40 stimuli"),
    Case(
        "shares of width and height, 0 to 1",
        index(lambda p, s: p / s),
        says="{folder}/fixations.csv: the coordinates look like shares of the image (x from "
        "0 to 0.999, y from 0 to 0.9987), not px; multiply them by width and height, or"
        " insist by `coordinates: px` in the data set's entry",
    ),
    Case(
        "shares of the width, 0 to 1",
        index(lambda p, s: p / s[0, 0]),
        says="{folder}/fixations.csv: the coordinates look like shares of the image (x from "
        "0 to 0.999, y from 0 to 0.749), not px; multiply them by width and height, or "
        "insist by `coordinates: px` in the data set's entry",
    ),
    Case(
        "shares, with `coordinates: px`",
        index(lambda p, s: p / s, coordinates="px"),
        gives="40 stimuli",
    ),
    Case(
        "shares from -1 to 1",
        index(lambda p, s: 2 * p / s - 1),
        says="{folder}/fixations.csv: the coordinates run from -1 to 1 around the centre of "
        "the image (x from -1 to 0.998, y from -1 to 0.9974); write px, which are (x + "
        "1) / 2 times the width, and so for y, or insist by `coordinates: px` in the "
        "data set's entry",
    ),
    Case(
        "shares from -0.5 to 0.5",
        index(lambda p, s: p / s - 0.5),
        says="{folder}/fixations.csv: the coordinates look like shares of the image (x from "
        "-0.5 to 0.499, y from -0.5 to 0.4987), not px; multiply them by width and "
        "height, or insist by `coordinates: px` in the data set's entry",
    ),
    Case(
        "shares of five fixations",
        index(lambda p, s: p / s, per_image=1, n=5),
        says="{folder}/fixations.csv: the coordinates look like shares of the image (x from "
        "0.4016 to 0.512, y from 0.3017 to 0.768), not px; multiply them by width and "
        "height, or insist by `coordinates: px` in the data set's entry",
    ),
    Case(
        "shares in x alone",
        index(lambda p, s: p / [s[0, 0], 1]),
        says="{folder}/fixations.csv: the coordinates look like shares of the image (x from "
        "0 to 0.999, y from 0 to 767), not px; multiply them by width and height, or "
        "insist by `coordinates: px` in the data set's entry",
    ),
    Case(
        "percent",
        index(lambda p, s: 100 * p / s),
        says="{folder}/fixations.csv: the coordinates look like percent of the image (x from"
        " 0 to 99.9023, y from 0 to 99.8698), not px; multiply them by width and height"
        " over 100, or insist by `coordinates: px` in the data set's entry",
    ),
    Case(
        "px from the centre",
        index(lambda p, s: p - s / 2),
        says="{folder}/fixations.csv: many coordinates are negative (x from -512 to 511, y "
        "from -384 to 383), but px count from the upper left pixel, x right and y down;"
        " add half of the width and height to what counts from the centre (degrees "
        "times px per degree first), or insist by `coordinates: px` in the data set's "
        "entry",
    ),
    Case(
        "degrees from the centre",
        index(lambda p, s: (p - s / 2) / 30),
        says="{folder}/fixations.csv: many coordinates are negative (x from -17.0667 to "
        "17.0333, y from -12.8 to 12.7667), but px count from the upper left pixel, x "
        "right and y down; add half of the width and height to what counts from the "
        "centre (degrees times px per degree first), or insist by `coordinates: px` in "
        "the data set's entry",
    ),
    Case(
        "degrees from the corner, with px_per_degree",
        index(lambda p, s: p / 30, px_per_degree=30),
        says="{folder}/fixations.csv: the coordinates look like degrees of visual angle or "
        "centimetres (x from 0 to 34.1, y from 0 to 25.5667), not px; multiply them by "
        "the px per degree or per centimetre, or insist by `coordinates: px` in the data "
        "set's entry",
    ),
    Case(
        "px of a screen of 1920 x 1080 around the photograph",
        index(lambda p, s: p + ([1920, 1080] - s) / 2),
        says="{folder}/fixations.csv: 38% of the fixations lie outside of their images (x "
        "from 448 to 1471, y from 156 to 923); if they are px of the screen or of "
        "larger copies, subtract the image's place or divide, or insist by "
        "`coordinates: px` in the data set's entry",
    ),
    Case(
        "px of a screen, with `outside: drop`",
        index(lambda p, s: p + ([1920, 1080] - s) / 2, outside="drop"),
        says="{folder}/fixations.csv: 38% of the fixations lie outside of their images (x "
        "from 448 to 1471, y from 156 to 923); if they are px of the screen or of "
        "larger copies, subtract the image's place or divide, or insist by "
        "`coordinates: px` in the data set's entry",
    ),
    Case(
        "px of a copy of half the size",
        index(lambda p, s: p / 2),
        says="{folder}/fixations.csv: all fixations lie in the upper left of their images, "
        "up to 47% of the width and 48% of the height (x from 0 to 511.5, y from 0 to "
        "383.5); multiply them if they are px of smaller copies, or insist by "
        "`coordinates: px` in the data set's entry",
    ),
    Case(
        "px of a copy of 224 x 224",
        index(lambda p, s: p / s * 224),
        says="{folder}/fixations.csv: all fixations lie in the upper left of their images, "
        "up to 21% of the width and 28% of the height (x from 0 to 223.781, y from 0 to"
        " 223.708); multiply them if they are px of smaller copies, or insist by "
        "`coordinates: px` in the data set's entry",
    ),
    Case(
        "px of a copy of double size",
        index(lambda p, s: p * 2),
        says="{folder}/fixations.csv: 69% of the fixations lie outside of their images (x "
        "from 0 to 2046, y from 0 to 1534); if they are px of the screen or of larger "
        "copies, subtract the image's place or divide, or insist by `coordinates: px` "
        "in the data set's entry",
    ),
    Case(
        "x and y exchanged",
        index(lambda p, s: p[:, ::-1], outside="drop"),
        says="{folder}/fixations.csv: 8% of the fixations lie outside of their images (x "
        "from 0 to 767, y from 0 to 1023), but would not if x and y were exchanged; "
        "exchange the columns, or insist by `coordinates: px` in the data set's entry",
    ),
    Case(
        "y upwards from the upper edge",
        index(lambda p, s: p * [1, -1]),
        says="{folder}/fixations.csv: many coordinates are negative (x from 0 to 1023, y "
        "from -767 to -0), but px count from the upper left pixel, x right and y down; "
        "add half of the width and height to what counts from the centre (degrees times"
        " px per degree first), or insist by `coordinates: px` in the data set's entry",
    ),
    Case(
        "blinks at 0/0",
        index(some((0, 0), 0.1)),
        says="{folder}/fixations.csv: 64 of 640 fixations lie at exactly x = 0, y = 0, where"
        " many eye trackers put blinks; remove these rows, or set `outside: drop`, or "
        "insist by `coordinates: px` in the data set's entry",
    ),
    Case(
        "blinks at 0/0, with `outside: drop`",
        index(some((0, 0), 0.1), outside="drop"),
        gives="40 stimuli",
    ),
    Case("two fixations at 0/0", index(some((0, 0), 2 / 640)), gives="40 stimuli"),
    Case(
        "px that all lie in a corner (said in the log)",
        index(corner),
        gives="40 stimuli; {folder}/fixations.csv: the fixations centre on 1% of the width and "
        "2% of the height of their images (x from 0.0345 to 29.9941, y from 0.0481 to "
        "29.8536); write px of these images, counted from the upper left pixel, or say by"
        " `coordinates: px` that they are",
    ),
    Case(
        "px that all lie in a corner of small photographs (said in the log)",
        index(corner, size=(192, 144)),
        gives="40 stimuli; {folder}/fixations.csv: the fixations centre on 8% of the width and "
        "11% of the height of their images (x from 0.0345 to 29.9941, y from 0.0481 to "
        "29.8536); write px of these images, counted from the upper left pixel, or say by"
        " `coordinates: px` that they are",
    ),
    Case(
        "a data set of two fixations in the first pixel",
        index(lambda p, s: p / s, per_image=1, n=2),
        gives="2 stimuli",
    ),
    Case(
        "px of the first pixel of photographs of 8 x 6 px (said in the log)",
        index(lambda p, s: p / 8, size=(8, 6)),
        gives="40 stimuli; {folder}/fixations.csv: the fixations centre on 6% of the width and "
        "6% of the height of their images (x from 0 to 0.875, y from 0 to 0.625); write "
        "px of these images, counted from the upper left pixel, or say by `coordinates: "
        "px` that they are",
    ),
    Case("px of photographs of many sizes", index(lambda p, s: p, mixed=True), gives="40 stimuli"),
    Case(
        "px of gaze that stays at the centre",
        index(lambda p, s: p, spread=0.05),
        gives="40 stimuli",
    ),
    Case(
        "px of copies of 640 x 480 of photographs of many sizes",
        index(lambda p, s: p / s * [640, 480], mixed=True),
        says="{folder}/fixations.csv: the fixations do not follow the sizes of their images: "
        "they centre on x = 316.581, y = 226.014 in small and in large ones; if they are "
        "px of the screen or of copies of one size, subtract the image's place or "
        "multiply, or insist by `coordinates: px` in the data set's entry",
    ),
    Case(
        "px of copies of half the size of photographs of many sizes",
        index(lambda p, s: p / 2, mixed=True),
        says="{folder}/fixations.csv: all fixations lie in the upper left of their images, up "
        "to 47% of the width and 48% of the height (x from 0 to 766.204, y from 0 to "
        "676.5); multiply them if they are px of smaller copies, or insist by "
        "`coordinates: px` in the data set's entry",
    ),
    Case(
        "px of a screen around photographs of many sizes, with `outside: drop`",
        index(lambda p, s: p + ([1280, 1024] - s) / 2, mixed=True, spread=0.08, outside="drop"),
        says="{folder}/fixations.csv: 28% of the fixations lie outside of their images (x from"
        " 394.783 to 931.764, y from 233.75 to 783.774); if they are px of the screen or "
        "of larger copies, subtract the image's place or divide, or insist by "
        "`coordinates: px` in the data set's entry",
    ),
    Case(
        "degrees from the corner of gaze that stays at the centre",
        index(lambda p, s: p / 30, spread=0.1),
        says="{folder}/fixations.csv: the coordinates look like degrees of visual angle or "
        "centimetres (x from 5.9684 to 25.8446, y from 5.5819 to 20.0306), not px; "
        "multiply them by the px per degree or per centimetre, or insist by `coordinates:"
        " px` in the data set's entry",
    ),
    Case(
        "degrees of photographs of many sizes",
        index(lambda p, s: p / 30, mixed=True),
        says="{folder}/fixations.csv: the coordinates look like degrees of visual angle or "
        "centimetres (x from 0 to 51.0803, y from 0 to 45.1), not px; multiply them by "
        "the px per degree or per centimetre, or insist by `coordinates: px` in the data "
        "set's entry",
    ),
    Case(
        "centimetres",
        index(lambda p, s: p * 0.0264),
        says="{folder}/fixations.csv: the coordinates look like degrees of visual angle or "
        "centimetres (x from 0 to 27.0072, y from 0 to 20.2488), not px; multiply them by"
        " the px per degree or per centimetre, or insist by `coordinates: px` in the data"
        " set's entry",
    ),
    Case(
        "degrees on three photographs (said in the log)",
        index(lambda p, s: p / 30, n=3),
        gives="3 stimuli; {folder}/fixations.csv: the fixations centre on 2% of the width and "
        "2% of the height of their images (x from 0 to 26.887, y from 2.5988 to 23.0421);"
        " write px of these images, counted from the upper left pixel, or say by "
        "`coordinates: px` that they are",
    ),
    Case(
        "px of copies of half the size of three photographs (said in the log)",
        index(lambda p, s: p / 2, n=3),
        gives="3 stimuli; {folder}/fixations.csv: the fixations centre on 25% of the width and "
        "24% of the height of their images (x from 0 to 403.305, y from 38.9822 to "
        "345.632); write px of these images, counted from the upper left pixel, or say by"
        " `coordinates: px` that they are",
    ),
    Case(
        "x and y exchanged of gaze that stays at the centre (said in the log)",
        index(lambda p, s: p[:, ::-1], spread=0.08),
        gives="40 stimuli; {folder}/fixations.csv: the fixations centre on 37% of the width and"
        " 66% of the height of their images (x from 210.766 to 557.533, y from 245.642 to"
        " 722.671); write px of these images, counted from the upper left pixel, or say "
        "by `coordinates: px` that they are",
    ),
    Case(
        "px of text in the upper left (said in the log)",
        index(lambda p, s: p * [0.7, 0.3]),
        gives="40 stimuli; {folder}/fixations.csv: the fixations centre on 35% of the width and"
        " 14% of the height of their images (x from 0 to 716.1, y from 0 to 230.1); write"
        " px of these images, counted from the upper left pixel, or say by `coordinates: "
        "px` that they are",
    ),
    Case(
        "px of the left half (said in the log)",
        index(lambda p, s: p * [0.5, 1]),
        gives="40 stimuli; {folder}/fixations.csv: the fixations centre on 25% of the width and"
        " 47% of the height of their images (x from 0 to 511.5, y from 0 to 767); write "
        "px of these images, counted from the upper left pixel, or say by `coordinates: "
        "px` that they are",
    ),
    Case(
        "px of the first 400 rows of pages of many heights (said in the log)",
        index(lambda p, s: p / s * np.column_stack([s[:, 0], np.full(len(s), 400)]), mixed=True),
        gives="40 stimuli; {folder}/fixations.csv: the fixations centre on 49% of the width and"
        " 22% of the height of their images (x from 0 to 1532.41, y from 0 to 399.705); "
        "write px of these images, counted from the upper left pixel, or say by "
        "`coordinates: px` that they are",
    ),
    Case(
        "shares of one observer of three",
        index(of_one(lambda p, s: p / s)),
        says="{folder}/fixations.csv: of the observer 's1', the coordinates look like shares "
        "of the image (x from 0 to 0.999, y from 0 to 0.9987), not px; multiply them by "
        "width and height, or insist by `coordinates: px` in the data set's entry",
    ),
    Case(
        "shares in y alone of one observer of three",
        index(of_one(lambda p, s: p / [1, s[0, 1]])),
        says="{folder}/fixations.csv: of the observer 's1', the coordinates look like shares "
        "of the image (x from 0 to 1023, y from 0 to 0.9987), not px; multiply them by "
        "width and height, or insist by `coordinates: px` in the data set's entry",
    ),
    Case(
        "shares from -1 to 1 of one observer of three, with `outside: drop`",
        index(of_one(lambda p, s: 2 * p / s - 1), outside="drop"),
        says="{folder}/fixations.csv: of the observer 's1', the coordinates run from -1 to 1 "
        "around the centre of the image (x from -1 to 0.998, y from -1 to 0.9974); "
        "write px, which are (x + 1) / 2 times the width, and so for y, or insist by "
        "`coordinates: px` in the data set's entry",
    ),
    Case(
        "shares of a quarter of the fixations of one observer",
        index(of_one(lambda p, s: p / s, slice(1, None, 12))),
        says="{folder}/fixations.csv: of the observer 's1', 54 of 213 fixations are in "
        "another unit than px: the coordinates look like shares of the image (x from 0 "
        "to 0.8512, y from 0.0929 to 0.9115), not px; multiply them by width and "
        "height, or insist by `coordinates: px` in the data set's entry",
    ),
    Case(
        "shares of the last tenth of the 1600 fixations of the only observer",
        index(of_one(lambda p, s: p / s, slice(1440, None)), m=1, per_image=40),
        says="{folder}/fixations.csv: of the observer 's0', 40 of 400 fixations are in "
        "another unit than px: the coordinates look like shares of the image (x from 0 "
        "to 0.999, y from 0 to 0.9086), not px; multiply them by width and height, or "
        "insist by `coordinates: px` in the data set's entry",
    ),
    Case(
        "shares of one observer of three, with `coordinates: px`",
        index(of_one(lambda p, s: p / s), coordinates="px"),
        gives="40 stimuli",
    ),
    Case(
        "px of a copy of half the size of one observer of three (said in the log)",
        index(of_one(lambda p, s: p / 2)),
        gives="40 stimuli; {folder}/fixations.csv: of the observer 's1', all fixations lie in "
        "the upper left of their images, up to 48% of the width and 48% of the height "
        "(x from 0 to 511.5, y from 0 to 383.5); multiply them if they are px of "
        "smaller copies, or say by `coordinates: px` that they are px",
    ),
    Case(
        "percent of one observer of three (said in the log)",
        index(of_one(lambda p, s: 100 * p / s)),
        gives="40 stimuli; {folder}/fixations.csv: of the observer 's1', the coordinates look "
        "like percent of the image (x from 0 to 99.9023, y from 0 to 99.8698), not px; "
        "multiply them by width and height over 100, or say by `coordinates: px` that "
        "they are px; {folder}/fixations.csv: the fixations centre on 39% of the width "
        "and 34% of the height of their images (x from 0 to 1023, y from 0 to 767); "
        "write px of these images, counted from the upper left pixel, or say by "
        "`coordinates: px` that they are",
    ),
    Case(
        "degrees of one observer of three (said in the log)",
        index(of_one(lambda p, s: p / 30)),
        gives="40 stimuli; {folder}/fixations.csv: of the observer 's1', the coordinates look "
        "like degrees of visual angle or centimetres (x from 0 to 34.1, y from 0 to "
        "25.5667), not px; multiply them by the px per degree or per centimetre, or say "
        "by `coordinates: px` that they are px; {folder}/fixations.csv: the fixations "
        "centre on 39% of the width and 34% of the height of their images (x from 0 to "
        "1023, y from 0 to 767); write px of these images, counted from the upper left "
        "pixel, or say by `coordinates: px` that they are",
    ),
    Case(
        "x and y exchanged of one observer of three, with `outside: drop` (said in the log)",
        index(of_one(lambda p, s: p[:, ::-1]), outside="drop"),
        gives="40 stimuli; {folder}/fixations.csv: of the observer 's1', 9% of the fixations "
        "lie outside of their images (x from 0 to 767, y from 0 to 1023), but would not "
        "if x and y were exchanged; exchange the columns, or say by `coordinates: px` "
        "that they are px",
    ),
    Case(
        "gaze of one observer of three that stays at the centre",
        index(of_one(lambda p, s: s / 2 + (p - s / 2) / 8)),
        gives="40 stimuli",
    ),
    Case(
        "percent in x alone",
        index(lambda p, s: p * [100 / s[0, 0], 1]),
        says="{folder}/fixations.csv: x looks like percent of the width (x from 0 to "
        "99.9023, y from 0 to 767), not px; multiply it by the width over 100, or "
        "insist by `coordinates: px` in the data set's entry",
    ),
    Case(
        "percent in y alone",
        index(lambda p, s: p * [1, 100 / s[0, 1]]),
        says="{folder}/fixations.csv: y looks like percent of the height (x from 0 to 1023, "
        "y from 0 to 99.8698), not px; multiply it by the height over 100, or insist by "
        "`coordinates: px` in the data set's entry",
    ),
    Case(
        "blinks at 1/1, MATLAB's first pixel",
        index(some((1, 1), 0.1)),
        says="{folder}/fixations.csv: 64 of 640 fixations lie at exactly x = 1, y = 1, where "
        "an eye tracker may put blinks; remove these rows, or insist by `coordinates: "
        "px` in the data set's entry",
    ),
    Case(
        "blinks at 0.5/0.5",
        index(some((0.5, 0.5), 0.1)),
        says="{folder}/fixations.csv: 64 of 640 fixations lie at exactly x = 0.5, y = 0.5, "
        "where an eye tracker may put blinks; remove these rows, or insist by "
        "`coordinates: px` in the data set's entry",
    ),
    Case(
        "blinks in the last pixel, with `outside: drop`",
        index(some((1023, 767), 0.1), outside="drop"),
        says="{folder}/fixations.csv: 64 of 640 fixations lie at exactly x = 1023, y = 767, "
        "where an eye tracker may put blinks; remove these rows, or insist by "
        "`coordinates: px` in the data set's entry",
    ),
    Case(
        "blinks at 1/1 of one observer of twelve",
        index(of_one(lambda p, s: p * 0 + 1, slice(1, 240, 12)), m=12),
        says="{folder}/fixations.csv: of the observer 's1', 20 of 54 fixations lie at "
        "exactly x = 1, y = 1, where an eye tracker may put blinks; remove these rows, "
        "or insist by `coordinates: px` in the data set's entry",
    ),
    Case(
        "blinks at 1/1, with `coordinates: px`",
        index(some((1, 1), 0.1), coordinates="px"),
        gives="40 stimuli",
    ),
    Case(
        "a tenth of the fixations at a fixation cross in the centre",
        index(some((511.5, 383.5), 0.1)),
        gives="40 stimuli",
    ),
    Case(
        "px on a grid of 64 px",
        index(lambda p, s: p // 64 * 64 + 32),
        gives="40 stimuli",
    ),
    Case(
        "px of the upper left quarter, with `coordinates: px`",
        index(lambda p, s: p / 2, coordinates="px"),
        gives="40 stimuli",
    ),
]
