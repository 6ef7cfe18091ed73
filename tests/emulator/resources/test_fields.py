"""Reading bodies: every refusal names what was sent and what to send instead."""

from typing import Any

import pytest

from harness.emulator.resources.fields import ARRAY, INTEGER, STRING_REQUIRED, Field, apply_mask, read, usable_id
from harness.emulator.values.call import Refusal

SHAPE = {
    "header_name": STRING_REQUIRED,
    "count": INTEGER,
    "kind": Field((str,), choices=("a", "b")),
    "list": ARRAY,
    "either": Field((str, dict)),
}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "object is needed for the thing, but null"),
        ([], "object is needed for the thing, but an array"),
        ({"headerName": "x"}, "Did you mean 'header_name'"),
        ({"header_nam": "x"}, "Did you mean 'header_name'"),
        ({"zzz": 1}, "It takes header_name"),
        ({}, "'header_name' of the thing is required"),
        ({"header_name": None}, "'header_name' of the thing is required"),
        ({"header_name": ""}, "must not be empty"),
        ({"header_name": 5}, "must be a string, but an integer"),
        ({"header_name": "x", "count": True}, "must be an integer, but a boolean"),
        ({"header_name": "x", "count": 1.5}, "must be an integer, but a number"),
        ({"header_name": "x", "kind": "c"}, "must be one of a, b"),
        ({"header_name": "x", "either": []}, "a string or an object, but an array"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(value: Any, told: str) -> None:
    """A value that does not fit gets 400 invalid_request and a message that says what is wrong."""
    with pytest.raises(Refusal) as refused:
        read(value, SHAPE, "the thing")
    assert (refused.value.status, refused.value.code) == (400, "invalid_request")
    assert told in refused.value.message


def test_null_counts_as_absent() -> None:
    """An optional field that is null is treated as absent."""
    assert read({"header_name": "x", "count": None}, SHAPE, "the thing") == {"header_name": "x"}


def test_a_mask_selects_and_knows_its_names() -> None:
    """Only fields in the mask are read; one that was not sent is no error, but an unknown name is."""
    changes = {"count": 1, "kind": "a"}
    assert apply_mask(changes, None, SHAPE) == changes
    assert apply_mask(changes, "kind, list", SHAPE) == {"kind": "a"}
    with pytest.raises(Refusal, match="update_mask"):
        apply_mask(changes, "kinds", SHAPE)


@pytest.mark.parametrize("text", ["", "a/b", "a:b", "a b", "a?b", "a#b", "50%"])
def test_ids_that_no_path_can_hold_are_refused(text: str) -> None:
    """An id is refused if it would need escaping, or more than one segment, in a path."""
    with pytest.raises(Refusal):
        usable_id(text, "the thing")
