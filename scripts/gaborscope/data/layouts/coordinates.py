"""
Whether the fixations of a data set can be px of its images.

One fixation cannot tell: (0.4, 0.6) is a place in the first pixel. So the fixations of many stimuli
decide together. Standard library alone; Pillow, where there is one, reads the sizes of images.
"""

import collections
import functools
import importlib.util
import itertools
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from gaborscope.errors import InputError

log = logging.getLogger("gaborscope")

Points = Mapping[str, Any]  # by stimulus a sequence of (x, y), or an array (n, 2)
Size = tuple[int, int]  # height, width

N_STIMULI = 300  # whose fixations decide
N_FIXATIONS = 50  # of each of them
N_OF_OBSERVER = 300  # fixations that decide on one observer, at least
INSIST = "or insist by `coordinates: px` in the data set's entry"


class Observer:
    """Fixations (x, y, stimulus) of one observer, thinned evenly to 300 to 600."""

    def __init__(self) -> None:
        self.fixations: list[tuple[float, float, str]] = []
        self._n, self._step = 0, 1

    def add(self, x: float, y: float, stimulus: str) -> None:
        """Take a fixation, or leave it out so that those kept are spread over all."""
        if self._n % self._step == 0:
            self.fixations.append((x, y, stimulus))
            if len(self.fixations) == 2 * N_OF_OBSERVER:
                del self.fixations[1::2]
                self._step *= 2
        self._n += 1


def checks(settings: Mapping[str, Any]) -> list[str]:
    """Return the settings that decide what is accepted, for the key of an index."""
    keys = ("coordinates", "outside", "px_per_degree")
    return [f"{key}: {settings[key]}" for key in keys if settings.get(key) is not None]


def image_size(path: Path, settings: Mapping[str, Any]) -> Size | None:
    """Return (height, width) by the header of an image, None if that cannot be read here."""
    try:
        from PIL import Image

        with Image.open(path) as file:
            turned = settings.get("exif") == "apply" and file.getexif().get(0x0112, 1) > 4
            return file.size if turned else (file.height, file.width)
    except Exception:  # of many kinds; the stage that decodes the image says what is wrong
        return None


def require_px(
    where: str | Path,
    points: Points,
    size_of: Callable[[str], Size | None],
    settings: Mapping[str, Any],
    observers: Mapping[str, Observer] | None = None,
) -> None:
    """
    Raise an InputError if the fixations of a data set cannot be px of its images.

    Where that is doubtful, but cannot be decided, the log says so; also where nothing is checked,
    because there is no Pillow to read the sizes of images, as beside Snakemake alone.

    Parameters
    ----------
    where : str or Path
        File of the fixations, for the message.
    points : mapping of str to sequence of (x, y)
        Fixations by stimulus, 0-based, as they would be taken; nan is left out. The first 50
        fixations of each of the first 300 stimuli decide.
    size_of : callable
        Takes the name of a stimulus and returns its (height, width) in px, or None if unknown.
    settings : dict
        The data set's entry of the config: `coordinates: px` insists, so that nothing is checked;
        `px_per_degree` tells degrees.
    observers : mapping of str to Observer, optional
        Fixations by the id of the observer. Where they are given, each observer is checked too, and
        that no place but the centre of the image is that of improbably many fixations.

    Raises
    ------
    InputError
        If they cannot be px; the sentence says what they look like.
    """
    if settings.get("coordinates") == "px":
        return
    size_of = functools.cache(size_of)
    with_size = ((name, size_of(name)) for name in points if len(points[name]))
    known = ((name, size) for name, size in with_size if size is not None)
    sizes = dict(itertools.islice(known, N_STIMULI))
    if not sizes and importlib.util.find_spec("PIL") is None:
        log.warning(
            "%s: whether the fixations are px of the images is not checked, since Pillow is not "
            "installed where Snakemake runs; install it there, or say `coordinates: px`",
            where,
        )
        return
    places = [
        (x, y, *sizes[name], name)
        for name in sizes
        for x, y in points[name][:N_FIXATIONS]
        if math.isfinite(x) and math.isfinite(y)
    ]
    if found := _fault(places, len(sizes), settings.get("px_per_degree")):
        raise InputError(f"{where}: {found}, {INSIST}")
    if observers is not None:
        if found := _repeated(places, 0.05):
            raise InputError(f"{where}: {found}, {INSIST}")
        _check_observers(where, observers, size_of, settings)
    if found := _doubt(places, len(sizes)):
        log.warning("%s: %s, or say by `coordinates: px` that they are", where, found)


def _check_observers(where, observers, size_of, settings):
    """Raise if an observer has other units than px, or a place for blinks; say what may be."""
    for observer, own in observers.items():
        places = [
            (x, y, *size, name)
            for x, y, name in own.fixations
            if math.isfinite(x) and math.isfinite(y) and (size := size_of(name))
        ]
        if len(places) < 10:
            continue
        if found := _repeated(places, 0.25) or _shares(places) or _some_shares(places):
            raise InputError(f"{where}: of the observer {observer!r}, {found}, {INSIST}")
        n_stimuli = len({place[4] for place in places})
        if found := _fault(places, n_stimuli, settings.get("px_per_degree")):
            log.warning(
                "%s: of the observer %r, %s, or say by `coordinates: px` that they are px",
                where, observer, found,
            )  # fmt: skip


def _repeated(places, least):
    """
    Return that a share of the fixations lies at exactly one place, if it is improbably large.

    The centre of the image is such a place by a fixation cross. Coordinates on a coarse grid repeat
    at several places.
    """
    counts = collections.Counter(
        (x, y)
        for x, y, height, width, _ in places
        if 0 <= x < width and 0 <= y < height
        and not (_central(x, width) and _central(y, height))
    )  # fmt: skip
    ((x, y), n), (_, second) = [*counts.most_common(2), ((0, 0), 0), ((0, 0), 0)][:2]
    if len(places) < 20 or n < max(10, least * len(places)) or n <= 3 * second:
        return None
    return (
        f"{n} of {len(places)} fixations lie at exactly x = {x:g}, y = {y:g}, where an eye tracker "
        f"may put blinks; remove these rows{'' if x or y else ', or set `outside: drop`'}"
    )


def _central(value, extent):
    return abs(value + 0.5 - extent / 2) <= max(1, 0.025 * extent)


def _shares(places):
    """Return that coordinates are shares of the image in one axis or both, if they are."""
    x, y, height, width, _ = (list(column) for column in zip(*places, strict=True))
    if min(*height, *width) <= 10 or not any(_are_shares(values) for values in (x, y)):
        return None
    if min(*x, *y) < -0.55:
        return (
            f"the coordinates run from -1 to 1 around the centre of the image ({_span(x, y)}); "
            "write px, which are (x + 1) / 2 times the width, and so for y"
        )
    return (
        f"the coordinates look like shares of the image ({_span(x, y)}), not px; multiply them by "
        "width and height"
    )


def _some_shares(places):
    """Return that some of the fixations are shares of the image, if they are, as of a session."""
    some = [place for place in places if max(abs(place[0]), abs(place[1])) <= 1.05]
    if len(some) < max(10, 0.1 * len(places)) or (found := _shares(some)) is None:
        return None
    return f"{len(some)} of {len(places)} fixations are in another unit than px: {found}"


def _span(x, y):
    return f"x from {min(x):g} to {max(x):g}, y from {min(y):g} to {max(y):g}"


def _fault(places, n_stimuli, px_per_degree):
    lost = sum((x, y) == (0, 0) for x, y, *_ in places)
    near = sum(max(abs(x), abs(y)) <= 3 for x, y, *_ in places) - lost
    if lost >= max(3, 0.02 * len(places)) and lost > 2 * near:
        return (
            f"{lost} of {len(places)} fixations lie at exactly x = 0, y = 0, where many eye "
            "trackers put blinks; remove these rows, or set `outside: drop`"
        )
    places = _seen(places)
    if len(places) < 5:
        return None
    x, y, height, width, _ = (list(column) for column in zip(*places, strict=True))
    u, v = _ratios(x, width), _ratios(y, height)
    span, small = _span(x, y), min(min(height), min(width))
    if found := _shares(places):
        return found
    if len(places) < 20:
        return None
    if _share(a < -0.5 or b < -0.5 for a, b in zip(x, y, strict=True)) > 0.3:
        return (
            f"many coordinates are negative ({span}), but px count from the upper left pixel, x "
            "right and y down; add half of the width and height to what counts from the centre "
            "(degrees times px per degree first)"
        )
    outside = _share(a >= 1 or b >= 1 for a, b in zip(u, v, strict=True))
    turned = zip(_ratios(y, width), _ratios(x, height), strict=True)
    if outside > 0.02 and _share(a >= 1 or b >= 1 for a, b in turned) < outside / 5:
        return (
            f"{outside:.0%} of the fixations lie outside of their images ({span}), but would not "
            "if x and y were exchanged; exchange the columns"
        )
    if outside > 0.25:
        return (
            f"{outside:.0%} of the fixations lie outside of their images ({span}); if they are px "
            "of the screen or of larger copies, subtract the image's place or divide"
        )
    if min(_fixed(places, axis) for axis in (0, 1)) > 4:
        return (
            "the fixations do not follow the sizes of their images: they centre on "
            f"x = {_quantile(x, 0.5):g}, y = {_quantile(y, 0.5):g} in small and in large ones; if "
            "they are px of the screen or of copies of one size, subtract the image's place or "
            "multiply"
        )
    for column, values, extents in (("x", x, width), ("y", y, height)):
        if n_stimuli >= 5 and _quantile(extents, 0.1) >= 200 and _are_percent(values):
            side = "width" if column == "x" else "height"
            other = x if column == "y" else y
            if not _are_percent(other):
                return (
                    f"{column} looks like percent of the {side} ({span}), not px; multiply it by "
                    f"the {side} over 100"
                )
    high = [_quantile(values, 0.99) for values in (x, y, u, v)]
    middle = [_quantile(values, 0.5) for values in (x, y, u, v)]
    if max(high[2:]) > 0.8 or max(middle[2:]) > 0.42 or min(*high, *middle) <= 0:
        return None  # fixations reach, or centre on, what they would as px
    filled = all(0.3 < m / h < 0.85 for m, h in zip(middle[2:], high[2:], strict=True))
    square, even = _alike(high[:2], middle[:2]), _alike(high[2:], middle[2:])
    few = n_stimuli < 5 or not filled or small <= 10
    if not few and square and small >= 120 and 40 < min(middle[:2]) and 60 < max(high[:2]) <= 101:
        return (
            f"the coordinates look like percent of the image ({span}), not px; multiply them by "
            "width and height over 100"
        )
    tiny = max(high[2:]) < 0.12
    degrees = px_per_degree and all(0.4 < m * px_per_degree < 0.6 for m in middle[2:])
    written = tiny and even and len(places) >= 50 and height != width and not _whole([*x, *y])
    if not few and (degrees or written):
        return (
            f"the coordinates look like degrees of visual angle or centimetres ({span}), not px; "
            "multiply them by the px per degree or per centimetre"
        )
    enough = filled and n_stimuli >= 10 and len(places) >= 100
    if enough and not tiny and (even or (square and max(high[:2]) > 60)):
        return (
            f"all fixations lie in the upper left of their images, up to {high[2]:.0%} of the "
            f"width and {high[3]:.0%} of the height ({span}); multiply them if they are px of "
            "smaller copies"
        )
    return None


def _doubt(places, n_stimuli):
    """Return why fixations that can be px may be something else, if they may."""
    places = _seen(places)
    if len(places) < 5:
        return None
    x, y, height, width, _ = (list(column) for column in zip(*places, strict=True))
    u, v = (_quantile(_ratios(*pair), 0.5) for pair in ((x, width), (y, height)))
    if max(abs(u - 0.5), abs(v - 0.5)) > 0.1 + 0.2 / math.sqrt(n_stimuli):
        where = f"centre on {u:.0%} of the width and {v:.0%} of the height of their images"
    elif max(_fixed(places, axis) for axis in (0, 1)) > 4:
        where = (
            f"centre on x = {_quantile(x, 0.5):g}, y = {_quantile(y, 0.5):g} whatever the sizes of "
            "their images"
        )
    else:
        return None
    return (
        f"the fixations {where} (x from {min(x):g} to {max(x):g}, y from {min(y):g} to "
        f"{max(y):g}); write px of these images, counted from the upper left pixel"
    )


def _seen(places):
    """Return the places but those of blinks."""
    return [place for place in places if place[:2] not in ((0, 0), (-1, -1))]


def _fixed(places, axis):
    """
    Return how much likelier places are px of one frame than px of images of several sizes.

    The logarithm of the ratio of two likelihoods: that the mean place per stimulus is log-normal in
    px, or in shares of the image. About 0 for images of one size, negative for px of the images.
    """
    px, extent = {}, {}
    for place in places:
        px.setdefault(place[4], []).append(place[axis])
        extent[place[4]] = place[3 - axis]
    means = {name: math.fsum(values) / len(values) for name, values in px.items()}
    if len(means) < 5 or len(set(extent.values())) == 1 or min(means.values()) <= 0:
        return 0.0
    in_px = _variance([math.log(mean) for mean in means.values()])
    shares = _variance([math.log(mean / extent[name]) for name, mean in means.items()])
    return len(means) / 2 * math.log(shares / in_px)


def _variance(values):
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / len(values) + 1e-6


def _alike(*pairs):
    """Whether the two values of each pair differ by less than a fifth."""
    return all(abs(math.log(a / b)) < 0.2 for a, b in pairs)


def _ratios(values, extents):
    return [value / extent for value, extent in zip(values, extents, strict=True)]


def _share(conditions: Iterable[bool]) -> float:
    conditions = list(conditions)
    return sum(conditions) / len(conditions)


def _quantile(values, q):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def _are_shares(values):
    """Whether nine of ten values are at most 1 (and a little beyond it), and not all whole."""
    return _share(abs(value) <= 1.05 for value in values) >= 0.9 and not _whole(values)


def _are_percent(values):
    """Whether values gather at 50 and reach from 0 to 100."""
    low, middle, high = (_quantile(values, q) for q in (0.01, 0.5, 0.99))
    return (
        -0.5 <= min(values) and low < 25 and 40 < middle < 60 and 75 < high and max(values) <= 101
    )


def _whole(values):
    return all(value == int(value) for value in values)
