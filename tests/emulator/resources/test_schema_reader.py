"""Reading bodies by their schemas: every refusal names the place, and what to send instead."""

from typing import Any

import pytest

from harness.contract import load
from harness.emulator import Settings
from harness.emulator.resources.schema_reader import SchemaReader, select_by_mask
from harness.emulator.values.call import Refusal

HOOK = {"uri": "https://hooks.example", "subscribed_events": ["video.generated"]}


def read(value: Any, **settings: Any) -> dict[str, Any]:
    """Read the body of a new webhook."""
    return SchemaReader(load(), lambda: Settings(**settings)).read("requests/create-webhook", value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "must be a JSON object, but its type is null"),
        ([], "must be a JSON object, but its type is array"),
        (
            {**HOOK, "subscribedEvents": []},
            "Unknown parameter 'subscribedEvents'. Did you mean 'subscribed_events'?",
        ),
        ({**HOOK, "a b.c": 1}, "Unknown parameter 'a b.c'."),
        ({"uri": "x"}, '"subscribed_events" is required'),
        ({**HOOK, "uri": None}, "Invalid value at 'uri': should be string, not null."),
        ({**HOOK, "uri": ""}, "Invalid value at 'uri': it is required and must not be empty."),
        ({**HOOK, "subscribed_events": []}, "Invalid value at 'subscribed_events': it is required"),
        ({**HOOK, "name": 5}, "Invalid value at 'name': should be string, not number."),
        ({**HOOK, "subscribed_events": ["x"]}, "'subscribed_events[0]': \"x\" is not allowed"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(value: Any, told: str) -> None:
    """A body that does not fit gets 400 invalid_request: the place, what is wrong there, and what would fit."""
    with pytest.raises(Refusal) as refused:
        read(value)
    assert (refused.value.status, refused.value.code) == (400, "invalid_request")
    assert told in refused.value.message


def test_what_is_newer_is_taken_on_request() -> None:
    """The refusal of a field that no schema lists says how to have it taken; then it is."""
    newer = {**HOOK, "colour": "red"}
    with pytest.raises(Refusal, match="unknown=accept"):
        read(newer)
    assert read(newer, unknown="accept") == newer
    with pytest.raises(Refusal, match="not number"):
        read({**newer, "name": 5}, unknown="accept")


def test_a_mask_selects_and_knows_its_names() -> None:
    """Only fields in the mask are read; one that was not sent is no error, but an unknown name is."""
    changes = {"count": 1, "kind": "a"}
    assert select_by_mask(changes, None, {"count", "kind", "list"}) == changes
    assert select_by_mask(changes, "kind, list", {"count", "kind", "list"}) == {"kind": "a"}
    with pytest.raises(Refusal, match=r"update_mask': there is no field 'kinds'\. Did you mean 'kind'"):
        select_by_mask(changes, "kinds", {"count", "kind", "list"})
