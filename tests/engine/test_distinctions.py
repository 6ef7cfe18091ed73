"""What only a request has that failed."""

from __future__ import annotations

import json

from harness.engine.distinctions import name_distinctions
from tests.in_one_test import in_one_test

RESULT = {"type": "function_result", "call_id": "c", "result": "Sunny."}


@in_one_test(
    [
        ({"input": [RESULT]}, [{"input": [RESULT]}], ""),
        ({"input": [{**RESULT, "is_error": True}]}, [{"input": [RESULT]}], "`input[].is_error`"),
        ({"input": [{**RESULT, "result": ["x"]}]}, [{"input": [RESULT]}], "`input[].result` as a list"),
        ({"input": [{**RESULT, "type": "thought"}]}, [{"input": [RESULT]}], '`input[].type` of "thought"'),
        ({"input": "Hi.", "tools": [{"name": "f"}]}, [{"input": "Hi."}, {"input": [RESULT]}], "`tools`"),
        # Each is accepted elsewhere: it is the two of them, or nothing but the moment.
        ({"a": 1, "b": 2}, [{"a": 1}, {"b": 2}], ""),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, [{"e": 1}], ""),
        ({"a": 1}, [], ""),
        ([], [{"a": 1}], ""),
    ]
)
def test_a_part_that_no_accepted_request_has_is_named(failed: object, accepted: list[object], named: str) -> None:
    """It is named once, by the outermost part, and not if much is special, or nothing known to be accepted."""
    bodies = [json.dumps(body).encode() for body in accepted]
    assert name_distinctions(json.dumps(failed).encode(), bodies) == named
