"""A list on disk."""

import errno
import os
import tempfile

import numpy as np
import pytest

from gaborscope.errors import InputError
from gaborscope.store.scratch import Scratch


def test_items_come_back_in_any_order_between_appends(rng):
    arrays = [rng.random((n, 3)) for n in (4, 1, 7)]
    kept = Scratch(arrays[:2])
    np.testing.assert_array_equal(kept[1], arrays[1])
    kept.append(arrays[2])
    assert len(kept) == 3
    for index in (2, 0, 1):
        np.testing.assert_array_equal(kept[index], arrays[index])
    np.testing.assert_array_equal(np.concatenate(list(kept)), np.concatenate(arrays))
    kept[0][:] = 0  # a copy
    np.testing.assert_array_equal(kept[0], arrays[0])
    with pytest.raises(IndexError):
        kept[3]


def test_nothing_is_left_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept = Scratch(["something"])
    assert list(kept) == ["something"] and not list(tmp_path.iterdir())


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept = Scratch()

    def full(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(kept._file, "write", full, raising=False)
    with pytest.raises(InputError, match="cannot be written to .No space left on device.; make"):
        kept.append(0)
