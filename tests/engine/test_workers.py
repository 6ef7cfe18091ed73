"""What is taken from the workers of a run, and when nothing more is waited for."""

from __future__ import annotations

from queue import Queue

import pytest

from harness.engine.workers import take_until_done


def filled(*words: int | BaseException | None) -> Queue[int | BaseException | None]:
    """A queue into which workers have put these."""
    said: Queue[int | BaseException | None] = Queue()
    for word in words:
        said.put(word)
    return said


def test_each_worker_is_waited_for() -> None:
    """What one says after another was done is taken, too, and nothing after the last was done."""
    assert list(take_until_done(filled(1, None, 2, None, 3), 2, lambda: None)) == [1, 2]


def test_what_a_worker_raised_is_raised() -> None:
    """A worker's exception ends it, after what was said before."""
    taken = take_until_done(filled(1, ZeroDivisionError(), 2), 1, lambda: None)
    assert next(taken) == 1
    with pytest.raises(ZeroDivisionError):
        next(taken)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_who_has_no_patience_left_takes_nothing_more(seconds: float) -> None:
    """Time may have run out while the last word was handled."""
    assert list(take_until_done(filled(1, 2), 1, iter([None, seconds]).__next__)) == [1]


def test_silence_ends_it() -> None:
    """A worker that says nothing more is waited for only as long as there is patience."""
    assert list(take_until_done(filled(1), 1, lambda: 0.01)) == [1]
