"""What only a request has that failed."""

from __future__ import annotations

import json

from harness.engine.audit import list_parts, name_distinctions
from harness.wire import Request
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
        # Where each mode runs other code, both are named: a stream in a chain.
        ({"stream": True, "of": "x"}, [{"stream": True}, {"of": "x"}, {"a": 1}], "`stream` as true and `of`"),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, [{"e": 1}], ""),
        ({"tool_choice": "none"}, [{"tool_choice": "any"}], '`tool_choice` of "none"'),
        # Letters that a table of three bytes, or of one, cannot store.
        ({"input": "Hi 👋."}, [{"input": "Hi, Zürich."}], "`characters beyond U+FFFF`"),
        ({"input": "Zürich"}, [{"input": "Hi."}, {"input": "ü", "stream": True}], "`characters beyond ASCII`"),
        ({"input": "ä"}, [{"a": "ä"}, {"input": "Hi."}], "`characters beyond ASCII in input`"),
        ({"a": 1}, [], ""),
        ([], [{"a": 1}], ""),
    ]
)
def test_a_part_that_no_accepted_request_has_is_named(failed: object, accepted: list[object], named: str) -> None:
    """It is named once, by the outermost part, and not if much is special, or nothing known to be accepted."""
    one, *others = [
        list_parts(Request("POST", "/", body=json.dumps(body).encode())) for body in (failed, *accepted)
    ]
    assert name_distinctions([one], others) == named


def test_a_part_that_all_failed_requests_share_is_named() -> None:
    """What only some of them have is none; a parameter is a part, with its value if that is true or false."""
    wanted = [
        list_parts(Request("GET", f"/?{query}")) for query in ("stream=true&a=1", "stream=true", "stream=false")
    ]
    assert name_distinctions(wanted[:2], wanted[2:]) == "`stream` as true"
    assert name_distinctions(wanted[::2], wanted[1:2]) == ""
