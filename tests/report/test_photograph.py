"""The page and the figure of one photograph."""

import base64
import dataclasses
import io
import json
import re
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers import make_block, make_explained, make_image
from PIL import Image

from gaborscope.explanation import attribution
from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation.differentiable import DifferentiableModel
from gaborscope.report import (
    drawing,
    photograph,
    photograph_figure,
    photograph_origin,
    photograph_page,
)
from gaborscope.stimuli import geometry
from gaborscope.store.blocks import write_data

IMAGE = make_image((64, 96), seed=5)


def make_content(**changes):
    model = make_explained(seed=2)
    bank, channels = layer_tools.bank_and_channels(model.fitted[0].settings)
    rng = np.random.default_rng(1)
    deep = rng.uniform(0.5, 1.5, IMAGE.shape[:2])
    made = photograph.Content(
        name="a <b> & c.jpg",
        image=IMAGE,
        size=(128, 192),
        explanation="direct",
        network="cmrnet",
        deep=deep / deep.sum(),
        explained=model.predict(IMAGE).astype(float),
        centre_bias=np.full(IMAGE.shape[:2], 1 / IMAGE[..., 0].size),
        attribution=attribution.attribute(DifferentiableModel(model), IMAGE),
        missing="",
        box=geometry.Box(*model.box),
        bank=bank,
        channels=channels,
        space="yuv",
        layers=[fitted.name for fitted in model.layers],
    )
    return dataclasses.replace(made, **changes)


@pytest.fixture(scope="module")
def content():
    return make_content()


@pytest.fixture(scope="module")
def page(content):
    return photograph_page.render(content, ["A fact & more."], "gaborscope 0")


def test_wavelengths_are_px_of_the_photographs_file(content):
    # 192 px of the file are 48 of the network's input; the bank's are 4 and 8 px there
    assert content.members("band") == {0: "16 px", 1: "32 px", -1: "low-pass"}


def test_orientations_are_those_of_the_wave_vector(content):
    assert list(content.members("orientation").values()) == ["0°", "60°", "120°", "low-pass"]
    vertical = content.patch(0, 0).astype(float)  # stripes that stand
    assert np.ptp(vertical.mean(axis=0)) > 5 * np.ptp(vertical.mean(axis=1))


def test_parts_of_all_orientations_together_are_not_called_low_pass(content):
    own = content.attribution
    table = {key: values.copy() for key, values in own.table.items()}
    first = int(np.flatnonzero(table["kind"] == "amplitude")[0])
    table["kind"][first], table["orientation"][first] = "log_energy", -1
    filters = np.zeros_like(own.filters)
    filters[:, first] = 2.0
    made = make_content(attribution=dataclasses.replace(own, table=table, filters=filters))
    assert list(made.members("orientation").values()) == ["0°", "60°", "120°", "any"]
    assert made.members("band")[-1] == "low-pass"  # every band is still named
    strongest = made.strongest(0)[0]
    assert strongest["name"] == "luminance, 16 px, all orientations" and strongest["bits"] == 2
    ring = made.patch(strongest["orientation"], 0)[..., 0].astype(int)
    turned = np.abs(ring[1:, 1:] - ring[1:, 1:].T)  # the same from the left and from above
    assert turned.max() < 0.2 * np.ptp(ring) and np.ptp(ring) > 50


def test_filters_of_other_colours_are_drawn_in_them(content):
    luminance, blue, red = (content.patch(0, channel).astype(int) for channel in range(3))
    assert (luminance == luminance[..., :1]).all()
    middle = photograph.PATCH // 2
    assert blue[middle, middle, 2] > blue[middle, middle, 0]
    assert red[middle, middle, 0] > red[middle, middle, 2]


def test_filters_are_the_sums_of_their_parts_strongest_first(content):
    table, bits = content.attribution.table, content.attribution.filters[0]
    found = content.strongest(0)
    assert len(found) == photograph.N_FILTERS
    sizes = [abs(one["bits"]) for one in found]
    assert sizes == sorted(sizes, reverse=True)
    of_it = (table["orientation"] == found[0]["orientation"]) & (
        table["colour"] == found[0]["channel"]
    )
    sums = [bits[of_it & (table["scale"] == scale)].sum() for scale in (0, 1)]
    assert min(abs(found[0]["bits"] - value) for value in sums) < 1e-9


def test_fidelity_is_one_for_the_networks_own_map_and_zero_for_the_centre_bias():
    content = make_content()
    same = dataclasses.replace(content, explained=content.deep)
    assert same.measures()["fidelity"] == pytest.approx(1)
    bias = dataclasses.replace(content, explained=content.centre_bias)
    assert bias.measures()["fidelity"] == pytest.approx(0)


def test_peaks_lie_where_the_explained_density_is_high(content):
    for peak in content.peaks():
        height, width = content.attribution.explained.shape
        row, column = int(peak["at_y"] * height), int(peak["at_x"] * width)
        assert peak["times"] == pytest.approx(2 ** content.attribution.explained[row, column])
        assert peak["added"] == pytest.approx(np.log2(peak["times"] / peak["start"]))
        assert 0 <= peak["x"] < content.size[1] and 0 <= peak["y"] < content.size[0]


class Collector(HTMLParser):
    """All addresses, and pictures without words."""

    def __init__(self):
        super().__init__()
        self.addresses, self.silent, self.open = [], 0, []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.addresses += [given[key] for key in ("src", "href") if key in given]
        self.silent += tag == "img" and not given.get("alt")
        if tag not in ("img", "meta", "link", "br", "hr"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_loads_nothing_and_every_picture_has_words(page):
    read = Collector()
    read.feed(page)
    assert not read.open and not read.silent
    assert read.addresses and all(each.startswith("data:image/") for each in read.addresses)
    assert "url(" not in page and "<script" not in page


def test_the_page_is_for_light_dark_and_narrow_screens(page):
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport" content="width=device-width' in page


def test_names_of_files_are_text(page):
    assert "a &lt;b&gt; &amp; c.jpg" in page and "<b> & c" not in page


def test_the_page_says_how_far_the_parts_miss_the_whole(content, page):
    assert f"{100 * content.attribution.error:.2f} %" in page


def test_every_part_stands_on_the_page_with_its_bits(content, page):
    for chart in content.charts():
        for name, values in zip(chart["names"], chart["values"], strict=True):
            cells = "".join(f"<td>{value:+.2f}</td>" for value in values)
            assert f"<tr><td>{name}</td>{cells}</tr>" in page.replace("\n", "")


def test_marks_lie_on_one_scale(content, page):
    largest = content.largest()
    charts = re.findall(r'<svg class="chart".*?</svg>', page, re.S)
    assert len(charts) == 4
    for chart, drawn in zip(content.charts(), charts, strict=True):
        ends = [
            float(x2) - float(x1)
            for x1, x2 in re.findall(r'<line class="stem[^>]*x1="([\d.]+)" x2="([\d.]+)"', drawn)
        ]
        values = [value for own in chart["values"] for value in own]
        span = (photograph_page.WIDTH - photograph_page.NAMES - 12) / 2
        expected = [span * value / (1.08 * largest) for value in values]
        np.testing.assert_allclose(ends, expected, atol=0.11)


def test_maps_of_one_kind_share_a_scale(content):
    ends = photograph.limits(content)
    both = max(content.deep.max(), content.explained.max()) * content.deep.size
    assert ends["density"] == pytest.approx(both)


def test_without_a_network_there_is_no_map_of_it():
    content = make_content(deep=None)
    page = photograph_page.render(content, [], "")
    assert "weights were not given" in page and "Explained minus network" not in page
    plt.close(photograph_figure.draw(content))


def test_without_parts_the_page_says_why():
    content = make_content(attribution=None, missing="an explanation that is a cascade has none")
    page = photograph_page.render(content, [], "")
    assert "cannot be split here: an explanation that is a cascade has none." in page
    plt.close(photograph_figure.draw(content))


def test_an_overlay_is_grey_where_a_map_is_nothing_and_coloured_at_its_end():
    values = np.zeros((4, 6))
    values[:, 3:] = 2.0
    image = np.full((40, 60, 3), 128, np.uint8)
    picture = photograph.overlay(image, values, 2.0).astype(int)
    assert np.ptp(picture[20, 2]) <= 1 and np.ptp(picture[20, -2]) > 50


def test_the_figure_is_a_slide_and_its_svg_keeps_text(content, tmp_path):
    plt.close("all")  # what other tests have left open
    png, svg = tmp_path / "a.png", tmp_path / "a.svg"
    photograph_figure.save(photograph_figure.draw(content), png, svg, "gaborscope 0")
    with Image.open(png) as image:
        assert image.size == (1920, 1080) and image.info["Source"] == "gaborscope 0"
    text = svg.read_text(encoding="utf-8")
    assert "low-pass" in text and "gaborscope 0" in text and not plt.get_fignums()


def test_embedded_pictures_are_the_pictures():
    url = photograph.embedded(IMAGE, "PNG")
    data = base64.b64decode(url.partition(",")[2])
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(data))), IMAGE)


@pytest.mark.parametrize(("largest", "most", "step"), [(3.6, 3, 1), (0.7, 2, 0.5), (12, 2, 5)])
def test_ticks_are_few_and_round(largest, most, step):
    assert photograph.tick_step(largest, most) == pytest.approx(step)


@pytest.mark.parametrize("name", ["日本.jpg", "a\u0627.png"])
def test_a_name_that_the_font_lacks_is_left_out_of_the_figure(name, recwarn, tmp_path):
    content = make_content(name=name)
    png, svg = tmp_path / "a.png", tmp_path / "a.svg"
    photograph_figure.save(photograph_figure.draw(content), png, svg, "")
    assert not [str(each.message) for each in recwarn if "Glyph" in str(each.message)]
    assert (drawing.title_of(name) == "") == (name == "日本.jpg")
    assert name in photograph_page.render(content, [], "")


def test_the_figure_keeps_other_names():
    assert drawing.title_of("Käse $1_2.jpg") == "Käse $1_2.jpg"
    assert drawing.title_of("a" * 80) == "a" * 57 + "..."


def run_of(folder):
    """Write a block of one stimulus for each split; return the path of the run's explanation."""
    origin = {"params": json.dumps({"dataset": {"type": "folder"}, "n_blocks": 10})}
    for number in (0, 7, 8):
        block = make_block([(20, 30)], seed=number)
        block.names, block.sha256 = [f"s{number}.png"], [f"digest {number}"]
        write_data(folder / "data" / "mine" / f"0{number}.h5", block, origin)
    return folder / "explained" / "net" / "mine" / "direct.h5"


def test_a_photograph_of_the_fit_split_is_said_to_be_one(tmp_path):
    mine = {"type": "folder", "dataset": "mine", "prefix": "s0"}
    said = photograph_origin.sentences(run_of(tmp_path), {"trained_on": [mine]})
    assert list(said) == ["digest 0", "digest 7", "digest 8"]
    assert "fit split of mine, on which the explanation was fitted" in said["digest 0"]
    assert "The network was trained on it." in said["digest 0"]
    assert "validation split" in said["digest 7"] and "trained" not in said["digest 7"]
    assert "test split" in said["digest 8"] and "no measure" not in said["digest 8"]
    page = photograph_page.render(make_content(origin=said["digest 0"]), [], "")
    assert said["digest 0"] in page.replace("\n", " ") and "nobody was measured" not in page


def test_a_network_of_unknown_training_is_no_proof_of_new_photographs(tmp_path):
    path = run_of(tmp_path)
    silent = {"trained_on": [], "training_unknown": True}
    unknown = photograph_origin.sentences(path, silent)["digest 8"]
    assert unknown.endswith("What the network was trained on is not known.")
    for known in (None, {"trained_on": []}):  # none of these data sets, as the user says
        assert "network" not in photograph_origin.sentences(path, known)["digest 8"]
    mine = {"trained_on": [{"type": "folder", "dataset": "mine"}]}
    everything = photograph_origin.sentences(path, mine)
    assert everything["digest 8"].endswith("no measure of new photographs.")


def test_of_an_explanation_elsewhere_nothing_is_said(tmp_path):
    run_of(tmp_path)
    assert photograph_origin.sentences(tmp_path / "a.h5", None) == {}
    page = photograph_page.render(make_content(), [], "")
    assert "Both maps are predictions; no fixations are shown here." in page
