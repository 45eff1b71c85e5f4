"""Splits that are too small are named."""

import pytest

from gaborscope.workflow import small_splits


@pytest.mark.parametrize("split, least", [("test", 20), ("validation", 10)])
def test_a_split_is_named_only_if_it_is_too_small(split, least):
    assert small_splits.said_of("made", split, least) == ""
    assert small_splits.said_of("made", split, 500) == ""
    said = small_splits.said_of("made", split, least - 1)
    assert f"data set 'made' has {least - 1} {split} stimuli, and" in said
    assert f"fewer than {least} " in said
    assert f"data set 'made' has 1 {split} stimulus, and" in small_splits.said_of("made", split, 1)
