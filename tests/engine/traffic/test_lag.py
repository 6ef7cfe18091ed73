"""A search waits for what is shown late, but not again and again for what is never shown."""

from __future__ import annotations

from harness.engine.traffic.patience import LAG_FACTOR, LEAST, MOST_IN_VAIN, Lag


def test_looks_in_vain_make_it_impatient() -> None:
    """After a few looks in vain, a look is repeated only for some times the longest lag ever seen."""
    lag = Lag()
    lag.note(0.5, found=True)
    for _ in range(MOST_IN_VAIN):
        assert lag.shorten(5.0) == 5.0
        lag.note(5.0, found=False)
    assert lag.shorten(5.0) == LAG_FACTOR * 0.5


def test_a_target_without_lag_is_hardly_waited_for() -> None:
    """Where nothing ever lagged behind, little is waited; before a failure is reported, all of it again."""
    lag = Lag(in_vain=MOST_IN_VAIN)
    assert lag.shorten(5.0) == LEAST
    lag.confirming = True
    assert lag.shorten(5.0) == 5.0


def test_a_look_that_was_not_repeated_teaches_nothing() -> None:
    """A look that needed no waiting, and one that could not wait, leave the lag as it is."""
    lag = Lag()
    lag.note(0.0, found=True)
    lag.note(0.0, found=False)
    assert lag == Lag()
