import json

import numpy as np
import pandas as pd
import pytest

from gaborscope.store import checksums, tables


def test_floats_have_ten_digits_and_the_rest_is_as_it_is(tmp_path):
    path = tmp_path / "table.csv"
    tables.write_csv(path, [{"name": "a", "n": 3, "value": np.pi}, {"name": "b", "n": 4}])
    assert path.read_text() == "name,n,value\na,3,3.141592654\nb,4,\n"


def test_columns_order_the_table_and_head_an_empty_one(tmp_path):
    path = tmp_path / "table.csv"
    tables.write_csv(path, [{"b": 1, "a": 2}], ("a", "b"))
    assert path.read_text() == "a,b\n2,1\n"
    tables.write_csv(path, iter(()), ("a", "b"))
    assert path.read_text() == "a,b\n"
    tables.write_csv(path, pd.DataFrame({"b": [1], "c": [0], "a": [2]}), ("a", "b"))
    assert path.read_text() == "a,b\n2,1\n"


def test_a_data_frame_without_a_column_asked_for_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(KeyError, match="missing"):
        tables.write_csv(tmp_path / "table.csv", pd.DataFrame({"a": [1]}), ("a", "missing"))
    assert not list(tmp_path.iterdir())


def test_a_table_that_cannot_be_written_leaves_the_earlier_one(tmp_path):
    path = tmp_path / "table.json"
    tables.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        tables.write_json(path, {"a": object()})
    assert tables.read_json(path) == {"a": 1}
    assert set(tmp_path.iterdir()) == {path, checksums.note_of(path)}


def test_keys_of_json_keep_their_order_unless_they_are_to_be_sorted(tmp_path):
    path, content = tmp_path / "table.json", {"b": 1, "a": {"d": [1, 2], "c": 3}}
    tables.write_json(path, content)
    assert list(json.loads(path.read_text())) == ["b", "a"]
    tables.write_json(path, content, sort_keys=True)
    assert path.read_text() == json.dumps(content, indent=1, sort_keys=True) + "\n"
