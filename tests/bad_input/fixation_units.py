"""Coordinates in other units than px of the image."""

import numpy as np
from bad_input.case import Case
from bad_input.fixation_tables import HEADER, lay

from gaborscope.data import catalogue

FAMILY = "Coordinates"


def index(change, size=(1024, 768), per_image=16, n=40, **settings):
    """Return a use that plans a folder whose px (n, 2) are changed; it counts the stimuli taken."""

    def use(folder):
        rng = np.random.default_rng(7)
        centre = np.array(size) / 2
        points = rng.normal(centre, centre / 2.5, (n * per_image, 2))
        points = change(np.clip(points, 0, np.array(size) - 1), np.array(size))
        names = [f"{i}.png" for i in range(n)]
        rows = [
            f"{names[i % n]},s{i % 3},{x:.4f},{y:.4f}\n" for i, (x, y) in enumerate(points.tolist())
        ]
        lay(folder, HEADER + "".join(rows), names, size)
        entry = {"type": "folder", "path": str(folder), **settings}
        return f"{len(catalogue.index('mine', entry, folder))} stimuli"

    return use


def some(place, share):
    """Return a change that puts a share of the fixations at one place."""

    def change(points, size):
        points[: int(share * len(points))] = place
        return points

    return change


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
        index(lambda p, s: p / s[0]),
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
        index(lambda p, s: p / [s[0], 1]),
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
        says="{folder}/fixations.csv: the coordinates look like degrees of visual angle (x "
        "from 0 to 34.1, y from 0 to 25.5667), not px; multiply them by the px per "
        "degree, or insist by `coordinates: px` in the data set's entry",
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
    Case("px that all lie in a corner", index(corner), gives="40 stimuli"),
    Case(
        "px that all lie in a corner of small photographs",
        index(corner, size=(192, 144)),
        gives="40 stimuli",
    ),
    Case(
        "a data set of two fixations in the first pixel",
        index(lambda p, s: p / s, per_image=1, n=2),
        gives="2 stimuli",
    ),
    Case(
        "px of photographs of 8 x 6 px", index(lambda p, s: p / 8, size=(8, 6)), gives="40 stimuli"
    ),
]
