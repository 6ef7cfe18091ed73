"""The judges of the checks on error responses, on hand-made exchanges."""

from __future__ import annotations

from tests.checks._play import DEAD, DONE, REFUSED, answer, case, refusal, stream_of
from tests.checks._streams import text_events

OPAQUE = {"code": "invalid_request", "message": "no"}
KEY = "sk-harness-0123456789"
FRONT_END = {"error": {"code": 404, "message": "Method not found.", "status": "NOT_FOUND"}}


def leaking(text):
    """An error with the message `text`, in answer to a request that carried KEY."""
    return refusal(400, message=text, request_headers={"x-goog-api-key": KEY})


PYTHON_TRACE = 'File "/srv/app.py", line 7, in create'


def created(status, sent):
    """The answer to a create."""
    return refusal(status, "api_error", method="POST", target="/v1beta/interactions", sent=sent)


RIGHT = {"input": "hi", "model": "gemini-3.8-flash"}
PLAIN = {"unknown_route": REFUSED, "wrong_key": REFUSED}
STREAM = {"streamed_tools": REFUSED}
TYPES = {**STREAM, "background_input": REFUSED, "number_input": REFUSED, "text_tools": REFUSED}

CASES = [
    case("err.malformed-json", "non_strict", "422", broken_json=refusal(422), no_json=REFUSED),
    case("err.wrong-type", "untestable", "limited", **STREAM, background_input=REFUSED, number_input=refusal(429),
         text_tools=REFUSED, false_as_text=REFUSED),
    case("err.wrong-type", "non_strict", "422", **STREAM, background_input=REFUSED, number_input=REFUSED,
         text_tools=refusal(422), false_as_text=REFUSED),
    case("err.wrong-type", "non_strict", "false", **TYPES, false_as_text=DONE),
    case("err.wrong-type", "not_met", "true", **TYPES, false_as_text=stream_of(*text_events("hi"))),
    case("err.wrong-type", "met", "refused", **TYPES, false_as_text=REFUSED),
    case("err.unknown-model", "non_strict", "mapped", unknown_model=DONE),
    case("err.unknown-route", "non_strict", "405", unknown_route=answer(405)),
    case("err.unknown-route", "met", "404", unknown_route=answer(404, {})),
    case("err.unknown-route", "not_met", "an empty success", unknown_route=answer(200, {})),
    case("err.shape", "non_strict", "the front end's", errors=[REFUSED, answer(404, FRONT_END)]),
    case("err.shape", "non_strict", "the front end's in a list", errors=[answer(404, [FRONT_END])]),
    case("err.shape", "not_met", "a bare message", errors=[answer(400, {"error": "no"})]),
    case("err.shape", "not_met", "empty", errors=[answer(400, b"")]),
    case("err.shape", "not_met", "a page", errors=[answer(502, b"<html>", label="text/html")]),
    case("err.status", "met", "the API's", answers=[REFUSED, DONE]),
    case("err.status", "met", "a failed resource", answers=[answer(body={"name": "op/1", "error": OPAQUE})]),
    case("err.status", "untestable", "no response", answers=[DEAD]),
    case("err.status", "met", "a failure", answers=[refusal(500, "api_error"), refusal(503, "not_found")]),
    case("err.status", "met", "a failure with a word of its own", answers=[refusal(500, "oh_no")]),
    case("err.status", "not_met", "a refusal under 500", answers=[refusal(500, "invalid_request")]),
    case("err.status", "not_met", "a failure for each", answers=[created(500, b"{"), created(500, {"input": 7})]),
    case("err.status", "met", "a failure for one", answers=[created(500, b"{"), created(400, {"input": 7})]),
    case("err.status", "met", "a failure of types", answers=[created(400, b"{"), created(500, {"input": 7})]),
    case("err.status", "met", "a failure of a right one", answers=[created(500, b"{"), created(500, RIGHT)]),
    case("err.status", "not_met", "an object", answers=[REFUSED, answer(body={"error": OPAQUE})]),
    case("err.status", "not_met", "text", answers=[answer(body={"success": False, "error": "no such model"})]),
    case("err.no-crash", "met", "refused, busy or not offered",
         answers=[REFUSED, refusal(503), refusal(501), DONE]),
    case("err.no-crash", "met", "a request that is wrong", answers=[created(500, {"input": 7})]),
    case("err.no-crash", "met", "a refusal under 500", answers=[refusal(500, "not_found")]),
    case("err.no-crash", "not_met", "a create that is right", answers=[DONE, created(500, RIGHT)]),
    case("err.no-crash", "not_met", "a hang-up", answers=[DONE, DEAD]),
    case("err.no-leak", "not_met", "the key", errors=[leaking(f"key {KEY} is bad")], **PLAIN),
    case("err.no-leak", "not_met", "a Python trace", errors=[leaking(PYTHON_TRACE)], **PLAIN),
    case("err.stream-prestream", "met", "an event", unknown=REFUSED, refused=stream_of(
        {"event_type": "error", "error": {"code": "invalid_request", "message": "No."}}
    )),
    case("err.stream-prestream", "not_met", "silence", unknown=REFUSED, refused=stream_of(b"[DONE]")),
    case("err.stream-prestream", "not_met", "accepted", unknown=REFUSED, refused=stream_of(
        {"event_type": "interaction.created", "interaction": {"id": "v1_one", "status": "in_progress"}}
    )),
    case("err.stream-prestream", "untestable", "dead", unknown=REFUSED, refused=DEAD),
    case("err.retry-after", "met", "a date", limited=refusal(429, headers={
        "retry-after": "Fri, 20 Nov 2026 07:00:00 GMT"
    })),
    case("err.retry-after", "not_met", "words", limited=refusal(429, headers={"retry-after": "soon"})),
    case("err.retry-after", "untestable", "not limited", limited=DONE),
]  # fmt: skip
