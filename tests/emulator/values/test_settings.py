"""Settings are validated when they are set."""

from __future__ import annotations

import pytest

from harness.emulator import Settings
from harness.outcome import UsageFault

WRONG = [
    ({"event_ids": "few"}, "event_ids='few'"),
    ({"resume": True}, "resume=True"),
    ({"event_id": "all"}, "'event_ids'"),
    ({"chunking": 0}, "chunking=0"),
    ({"chunking": True}, "chunking=True"),
    ({"ticks": -1}, "ticks=-1"),
    ({"ticks": True}, "ticks=True"),
    ({"max_runs": 0}, "max_runs=0"),
    ({"require_key": "yes"}, "require_key='yes'"),
    ({"cors": True}, "no setting 'cors'"),
    ({"pace": 0}, "pace=0"),
    ({"processing": -1}, "processing=-1 must be a number of seconds"),
    ({"processing": True}, "processing=True"),
    ({"keys": ["a"]}, "keys"),
    ({"keys": {"": "one"}}, "keys"),
]


@pytest.mark.parametrize(("values", "words"), WRONG, ids=[str(case[0]) for case in WRONG])
def test_wrong_settings_name_themselves(values, words):
    """The error names the setting and the value it got, or suggests the setting that was meant."""
    with pytest.raises(UsageFault) as refused:
        Settings().with_values(values)
    assert words in str(refused.value)


def test_change_keeps_the_rest():
    """Changing one setting leaves the others unchanged."""
    settings = Settings(ticks=5).with_values({"resume": "inclusive", "chunking": 7})
    assert (settings.ticks, settings.resume, settings.chunking) == (5, "inclusive", 7)


def test_of_very_many_unknown_settings_the_first_are_told() -> None:
    """A refusal is no longer than one that somebody reads."""
    with pytest.raises(UsageFault, match="there is no setting 'x0'") as refused:
        Settings().with_values({f"x{number}": 1 for number in range(1000)})
    assert str(refused.value).count("there is no setting") == 5
