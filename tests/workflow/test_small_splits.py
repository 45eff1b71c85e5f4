"""Test splits that are too small are named."""

import pytest

from gaborscope.workflow import small_splits


@pytest.mark.parametrize("n, said", [(20, False), (500, False), (19, True), (1, True)])
def test_a_split_is_named_only_if_it_is_too_small(n, said):
    sentence = small_splits.said_of("made", n)
    assert bool(sentence) == said
    assert not said or f"data set 'made' has {n} test stimul{'us' if n == 1 else 'i'}," in sentence
