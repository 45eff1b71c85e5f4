"""Reading ahead and writing behind keep items, order and errors."""

import threading

import pytest

from gaborscope.store import overlap


@pytest.mark.parametrize("length", [0, 1, 2, 7])
def test_items_come_in_order_whatever_is_read_ahead(length):
    assert list(overlap.ahead(range(length))) == list(range(length))


def test_items_are_made_in_another_thread_while_the_caller_works():
    second = threading.Event()

    def items():
        yield threading.get_ident()
        second.set()
        yield 0

    made = overlap.ahead(items())
    assert next(made) != threading.get_ident()
    assert second.wait(5)  # the second is made before it is asked for


def test_an_error_of_the_items_is_raised_in_its_place():
    def items():
        yield 1
        raise KeyError("two")

    made = overlap.ahead(items())
    assert next(made) == 1
    with pytest.raises(KeyError, match="two"):
        next(made)


def test_calls_run_in_order_and_are_done_when_the_context_is_left():
    done = []
    with overlap.Behind(1) as behind:
        for number in range(20):
            behind.call(done.append, number)
    assert done == list(range(20))


def test_no_more_calls_wait_than_may():
    waiting, most = [], []
    gate = threading.Semaphore(0)

    def slow(number):
        gate.acquire()
        waiting.remove(number)

    with overlap.Behind(2) as behind:
        for number in range(6):
            waiting.append(number)
            if len(waiting) > 2:
                gate.release()
            behind.call(slow, number)
            most.append(len(waiting))
        gate.release(6)
    assert max(most) <= 3
    assert waiting == []


def test_an_error_of_a_call_ends_the_context():
    with pytest.raises(ZeroDivisionError), overlap.Behind() as behind:
        behind.call(lambda: 1 / 0)


def test_after_an_error_of_the_caller_nothing_more_is_written():
    done, held = [], threading.Event()
    with pytest.raises(KeyError), overlap.Behind(5) as behind:
        behind.call(held.wait, 0.2)
        behind.call(done.append, 1)
        raise KeyError
    assert done == []
