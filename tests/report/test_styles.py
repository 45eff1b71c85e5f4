"""Nothing is told apart by colour alone, and colours are apart for every reader."""

import itertools

import matplotlib as mpl
import numpy as np
import pytest

from gaborscope.report import styles

# Linear light as a reader without medium-wavelength cones sees it (Machado et al. 2009).
DEUTERANOPIA = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)
TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
) / np.array([[0.9505], [1.0], [1.0888]])


def lab(colour, seen_as=None):
    """CIE L*a*b* of a colour, for a reader who may lack a kind of cone."""
    value = np.array(mpl.colors.to_rgb(colour))
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    linear = linear if seen_as is None else np.clip(seen_as @ linear, 0, 1)
    xyz = TO_XYZ @ linear
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


PALETTES = {"roles": styles.ROLES, "substitutes": styles.SUBSTITUTES}


@pytest.mark.parametrize("name", PALETTES)
def test_no_two_share_a_marker_or_a_line(name):
    for key in ("marker", "line"):
        used = [getattr(style, key) for style in PALETTES[name].values()]
        assert len(set(used)) == len(used)


@pytest.mark.parametrize("name", PALETTES)
def test_colours_are_apart_without_green_cones_and_in_grey(name):
    colours = [style.colour for style in PALETTES[name].values()]
    for one, other in itertools.combinations(colours, 2):
        # 10 is a difference that is seen at a glance; 2.3 one that is just seen
        assert np.linalg.norm(lab(one, DEUTERANOPIA) - lab(other, DEUTERANOPIA)) > 10
        assert abs(lab(one)[0] - lab(other)[0]) > 5


def test_red_and_green_of_equal_lightness_would_be_found():
    one, other = "#b05a3c", "#6b8032"
    assert np.linalg.norm(lab(one) - lab(other)) > 40
    assert np.linalg.norm(lab(one, DEUTERANOPIA) - lab(other, DEUTERANOPIA)) < 15
    assert abs(lab(one)[0] - lab(other)[0]) < 5


@pytest.mark.parametrize("n", [1, 2, 9, 23])
def test_layers_go_from_dark_to_light_and_neighbours_differ_in_marker_and_line(n):
    made = list(styles.ordered([f"layer{i}" for i in range(n)]).values())
    light = [lab(style.colour)[0] for style in made]
    assert len(made) == n and (np.diff(light) > 0).all() and max(light) < 80
    for one, other in itertools.pairwise(made):
        assert one.marker != other.marker and one.line != other.line


def test_predictors_share_no_style():
    made = list(styles.unordered([str(i) for i in range(84)]).values())
    assert len({(s.colour, s.marker, str(s.line)) for s in made}) == 84


def test_hatches_differ():
    assert len(set(styles.HATCHES)) == len(styles.HATCHES)
