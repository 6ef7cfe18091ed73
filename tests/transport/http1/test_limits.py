"""Limits are checked on construction and can be overridden for one exchange."""

from __future__ import annotations

import pytest

from harness.transport import Limits, ServerLimits


@pytest.mark.parametrize("bad", [0, -1])
@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in (Limits, ServerLimits) for name in kind.__struct_fields__]
)
def test_a_bound_is_positive(kind: type[Limits] | type[ServerLimits], name: str, bad: int) -> None:
    """A bound that is not positive is refused; the message names the field and its value."""
    with pytest.raises(ValueError, match=rf"{kind.__name__}\.{name}={bad}"):
        kind(**{name: bad})


def test_within_bounds_the_whole_exchange() -> None:
    """A timeout replaces every wait, even a shorter one, but only shortens connecting; None changes nothing."""
    limits = Limits(connect_seconds=2, idle_seconds=1)
    longer = limits.within(900)
    assert (longer.total_seconds, longer.idle_seconds, longer.head_seconds, longer.connect_seconds) == (
        900,
        900,
        900,
        2,
    )
    assert limits.within(1).connect_seconds == 1
    assert limits.within(None) is limits
    assert limits.within(3).name_wait("idle_seconds") == "3 s for the whole request"
    told = Limits(option="--timeout").within(3).name_wait("idle_seconds")
    assert told == "3 s for the whole request, --timeout gives more"
