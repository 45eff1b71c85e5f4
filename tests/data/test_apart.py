"""What reads the files of others in a child process."""

import logging
import os
import time

import pytest

from gaborscope.data import apart


def test_values_come_in_order_from_one_other_process():
    found = list(apart.each(lambda item: (item, os.getpid()), [3, 1, 2]))
    assert [item for item, _ in found] == [3, 1, 2]
    assert len({process for _, process in found} - {os.getpid()}) == 1


def test_an_error_is_raised_at_its_item():
    values = apart.each(lambda item: 1 // item, [1, 0])
    assert next(values) == 1
    with pytest.raises(ZeroDivisionError):
        next(values)


def test_what_the_child_logs_is_logged_here(caplog):
    assert list(apart.each(lambda item: logging.warning("at %d", item), [7])) == [None]
    assert caplog.messages == ["at 7"]


def test_a_crash_is_an_error_of_its_item(capfd):
    values = apart.each(lambda item: os.abort() if item else item, [0, 1])
    assert next(values) == 0
    with pytest.raises(ValueError, match="the library that reads it crashes"):
        next(values)
    assert capfd.readouterr() == ("", "")


def test_a_child_has_the_memory_it_may_have():
    made = lambda size: len(bytes(size))  # noqa: E731
    assert list(apart.each(made, [1 << 20], memory=1 << 26)) == [1 << 20]
    with pytest.raises(MemoryError):
        list(apart.each(made, [1 << 30], memory=1 << 26))


@pytest.mark.slow
def test_a_hang_is_an_error(monkeypatch):
    monkeypatch.setattr(apart, "SECONDS", 0)

    def busy(_):
        while True:
            pass

    with pytest.raises(ValueError, match="the library that reads it needs more than 0 s"):
        next(apart.each(busy, [0]))


def test_a_child_that_is_not_asked_further_is_ended():
    values = apart.each(lambda item: (os.getpid(), time.sleep(item)), [0, 600])
    process, _ = next(values)
    values.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
