"""A layer: what its files hold, byte for byte, and where its cells lie."""

import json

import pytest
from helpers import BOX

from gaborscope.stimuli import geometry
from gaborscope.stimuli.layer import Layer
from gaborscope.store.layers import read_layer_table, write_layer_table

# A table of layers as the workflow wrote it before layers had a class.
TABLE = """{
 "stem": {
  "module": "stem.5",
  "nonlinearity": "relu",
  "channels": 8,
  "shape": {
   "32x48": [
    8,
    12
   ],
   "48x32": [
    12,
    8
   ]
  },
  "pool": 1,
  "stride": [
   4.0,
   4.0
  ],
  "centre": "measured",
  "offset_px": [
   1.47,
   1.74
  ],
  "offset_measured_px": [
   1.47,
   1.74
  ],
  "offset_spread_px": [
   0.25,
   0.125
  ],
  "receptive_field_px": [
   9.5,
   9.75
  ]
 }
}
"""

# Attribute of the file of a fitted layer.
FITTED = (
    '{"box": {"fit": "pad", "height": 32, "mean": [0.5, 0.5, 0.5], "width": 48}, "channels": 3, '
    '"module": "out", "name": "logits", "nonlinearity": "none", "offset_px": [1.5, 1.5], '
    '"offset_spread_px": [0.0, 0.0], "passed": "relu6", "pool": 2, '
    '"receptive_field_px": [8.0, 8.0], "shape": {"32x48": [8, 12]}, "stride": [4.0, 4.0]}'
)


def test_a_table_of_layers_is_written_as_it_was_read(tmp_path):
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(TABLE, encoding="utf-8")
    write_layer_table(after, read_layer_table(before))
    assert after.read_bytes() == before.read_bytes()


def test_a_fitted_layer_is_written_as_it_was_read():
    layer = Layer.from_json(json.loads(FITTED))
    assert json.dumps(layer.to_json(), sort_keys=True) == FITTED
    assert layer.input_box == geometry.Box(32, 48, "pad")


@pytest.mark.parametrize("size", [BOX, BOX[::-1]])
def test_a_grid_is_that_of_the_input_size_its_offset_rounded_to_half_a_pixel(size):
    layer = Layer.from_json(json.loads(TABLE)["stem"])
    grid = layer.grid(geometry.Placement(size, 0, 0, *size))
    assert grid == geometry.Grid((size[0] // 4, size[1] // 4), (4.0, 4.0), (1.5, 1.5))


def test_a_layer_of_a_table_does_not_say_the_input_of_its_network():
    with pytest.raises(ValueError, match="layer stem.5 does not hold its network's input"):
        Layer.from_json(json.loads(TABLE)["stem"]).input_box  # noqa: B018
