"""Names and settings of the generated data set, which has no files."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gaborscope.data.layouts.scan import sha256
from gaborscope.errors import InputError

# Kinds of stimuli, unless the settings state others as `kinds`.
KINDS = ("orientation", "colour", "size", "frequency", "leaves", "noise")
# Displays whose odd item has the same orientation, colour or scale throughout the set.
FIXED = ("fixed_orientation", "fixed_colour", "fixed_scale")

# Settings that the generator needs, with the smallest and the largest value allowed.
_RANGES = {
    "n_stimuli": (1, 10**7),
    "height": (48, 10**4),
    "width": (48, 10**4),
    "n_observers": (1, 10**4),
    "fixations_per_observer": (1, 10**4),
    "seed": (0, 10**9),
    "px_per_degree": (4, 10**4),
}


def demo_name(i: int, kinds: Sequence[str] = KINDS) -> str:
    """Return the name of the i-th stimulus, such as 'colour_0001'; kinds follow in turn."""
    return f"{kinds[i % len(kinds)]}_{i:04d}"


def check_settings(settings: Mapping[str, Any], name: str = "demo") -> None:
    """Raise an InputError unless `settings` hold every number that the generator needs."""
    for key, (least, most) in _RANGES.items():
        value = settings.get(key)
        integer = key not in ("fixations_per_observer", "px_per_degree")
        kinds = int if integer else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
            raise InputError(
                f"data set '{name}' of type demo needs {key}, "
                f"a {'whole ' if integer else ''}number from {least} to {most}, got {value!r}"
            )
    unknown = [kind for kind in settings.get("kinds", ()) if kind not in KINDS + FIXED]
    if unknown:
        raise InputError(
            f"data set '{name}' of type demo has no kind {unknown[0]!r}; its kinds are "
            + ", ".join(KINDS + FIXED)
        )
    if min(settings["height"], settings["width"]) < 5 * settings["px_per_degree"]:
        raise InputError(
            f"data set '{name}' of type demo: {settings['height']} x {settings['width']} px at "
            f"{settings['px_per_degree']} px per degree is less than 5 degrees; enlarge height and "
            "width, or lower px_per_degree"
        )


def index(name: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """Return {stimulus: digest}: the settings, without the number of stimuli, and the name."""
    check_settings(settings, name)
    shared = json.dumps({k: settings[k] for k in sorted(_RANGES) if k != "n_stimuli"})
    kinds = settings.get("kinds", KINDS)
    names = sorted(demo_name(i, kinds) for i in range(settings["n_stimuli"]))
    return {stimulus: sha256(shared, stimulus) for stimulus in names}
