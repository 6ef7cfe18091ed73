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
    ({"lifecycle": "tomorrow"}, "lifecycle='tomorrow' must be a day such as 2026-12-01"),
    ({"lifecycle": 20261201}, "lifecycle=20261201"),
    ({"lifecycle": "20261201"}, "lifecycle='20261201'"),
    ({"keys": ["a"]}, "keys"),
    ({"keys": {"": "one"}}, "keys"),
]


@pytest.mark.parametrize(("values", "words"), WRONG, ids=[str(case[0]) for case in WRONG])
def test_wrong_settings_name_themselves(values, words):
    """The error names the setting and the value it got, or suggests the setting that was meant."""
    with pytest.raises(UsageFault) as refused:
        Settings().with_values(values)
    assert words in str(refused.value)
