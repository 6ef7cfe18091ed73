"""The judges of the checks on HTTP itself, on hand-made exchanges."""

from __future__ import annotations

from harness.wire import Chunked, Ending, How, Length
from tests.checks._play import answer, case, interaction, judge, refusal

STORED = answer(body=interaction())
DEAD = answer(None)
WITH_CHARSET = answer(body={}, label="Application/JSON; charset=UTF-8")
BAD = refusal(400)
CRASH = refusal(500, "api_error")
STREAM = answer(body=b'data: {"event_type": "x"}\n\n', label="text/event-stream")
OUTPUTS = answer(body=interaction(steps=None, outputs=[{"type": "text", "text": "Hi."}]))

NO_KEY = refusal(401, "authentication")
NO_METHOD = answer(405, b"Method Not Allowed", label="text/plain")
NOWHERE = refusal(404, "not_found")


def revisions(old, odd, read):
    """The answers to an old and to an odd revision, where those without the header are correct."""
    return {"plain": STORED, "created_old": old, "created_odd": odd, "read_old": read}


CASES = [
    case("http.json-type", "met", "labelled", answers=[STORED]),
    case("http.json-type", "met", "with a charset", answers=[WITH_CHARSET]),
    case("http.json-type", "met", "no body, no label", answers=[answer(body=b"", label=None)]),
    case("http.json-type", "not_met", "as text", answers=[STORED, answer(body={}, label="text/plain")]),
    case("http.json-type", "not_met", "no label", answers=[answer(body={}, label=None)]),
    case("http.json-type", "untestable", "nothing was sent", answers=[]),
    case("http.json-valid", "met", "an empty body", answers=[answer(body=b"")]),
    case("http.json-valid", "met", "text under its own label", answers=[answer(body=b"no", label="text/plain")]),
    case("http.json-valid", "met", "too deep to be judged", answers=[answer(body=b"[" * 200_000)]),
    case("http.json-valid", "non_strict", "half a pair", answers=[answer(body=rb'{"id": "\ud83d"}')]),
    case("http.json-valid", "not_met", "cut", answers=[answer(body=b'{"id": "v1')]),
    case("http.json-valid", "not_met", "Latin-1", answers=[answer(body=b'{"id": "\xe9"}')]),
    case("http.json-valid", "not_met", "NaN", answers=[answer(body=b'{"n": NaN}')]),
    case("http.ct-stream", "met", "labelled", text=answer(label="text/event-stream; charset=utf-8")),
    case("http.ct-stream", "not_met", "as JSON", text=answer(body={})),
    case("http.ct-stream", "untestable", "refused", text=refusal(400)),
    case("http.ct-stream", "untestable", "dead", text=DEAD),
    case("http.length", "met", "agrees", answers=[STORED, DEAD]),
    case("http.length", "met", "a coding undone", answers=[
        answer(body=b"{}", framing=Length(9), headers={"content-encoding": "gzip"})
    ]),
    case("http.length", "not_met", "short", answers=[answer(body=b"{}", framing=Length(9))]),
    case("http.length", "not_met", "cut in a chunk", answers=[
        answer(body=b"{}", framing=Chunked(), ending=Ending(how=How.FIN))
    ]),
    case("http.redirect", "met", "none", answers=[STORED, DEAD]),
    case("http.redirect", "not_met", "elsewhere", answers=[answer(308, headers={"location": "/v1/x"})]),
    case("http.unknown-query", "met", "ignored", odd_query=STORED),
    case("http.unknown-query", "met", "refused", odd_query=refusal(400)),
    case("http.unknown-query", "not_met", "breaks", odd_query=refusal(500)),
    case("http.unknown-query", "not_met", "dead", odd_query=DEAD),
    case("http.unlisted", "met", "as listed", answers=[STORED]),
    case("http.unlisted", "not_met", "a step", answers=[STORED, answer(
        body=interaction(steps=[{"type": "tool_call", "id": "t1", "signature": ""}])
    )]),
    case("http.unlisted", "not_met", "a field", answers=[answer(body={**interaction(), "mood": "fine"})]),
    case("http.gzip", "met", "plain", answers=[answer(headers={"content-encoding": "identity"})]),
    case("http.gzip", "met", "asked for", answers=[
        answer(headers={"content-encoding": "gzip"}, request_headers={"accept-encoding": "br, GZIP;q=0.5"})
    ]),
    case("http.gzip", "not_met", "unasked", answers=[
        answer(headers={"content-encoding": "gzip"}, request_headers={"accept-encoding": "identity"})
    ]),
    case("http.revision-ignored", "met", "the same", **revisions(STORED, BAD, STORED)),
    case("http.revision-ignored", "met", "not stored", **revisions(STORED, STORED, None)),
    case("http.revision-ignored", "not_met", "old refused", **revisions(BAD, STORED, None)),
    case("http.revision-ignored", "not_met", "old shape", **revisions(OUTPUTS, STORED, None)),
    case("http.revision-ignored", "not_met", "in GET", **revisions(STORED, STORED, OUTPUTS)),
    case("http.revision-ignored", "untestable", "that shape anyway",
         plain=OUTPUTS, created_old=OUTPUTS, created_odd=OUTPUTS, read_old=None),
    case("http.revision-ignored", "not_met", "crash", **revisions(STORED, CRASH, STORED)),
    case("http.v1beta", "met", "refused for its content", own="v1beta", v1beta=refusal(400), nowhere=NOWHERE),
    case("http.v1beta", "met", "a default model", own="v1beta", v1beta=STORED, nowhere=NOWHERE),
    case("http.v1beta", "untestable", "no key", own="v1beta", v1beta=NO_KEY, nowhere=NOWHERE),
    case("http.v1beta", "not_met", "no route", own="v1beta", v1beta=NOWHERE, nowhere=NOWHERE),
    case("http.v1beta", "untestable", "another version", own="v1", v1beta=NOWHERE, nowhere=NOWHERE),
    case("http.v1beta", "met", "in its own words", own="v1beta", v1beta=refusal(404, "no_model"), nowhere=NOWHERE),
    case("http.v1beta", "met", "a stream", own="v1beta", v1beta=STREAM, nowhere=NOWHERE),
    case("http.v1", "met", "refused for its content", v1=refusal(400), nowhere=NOWHERE),
    case("http.v1", "not_met", "no route", v1=NO_METHOD, nowhere=NOWHERE),
    case("http.v1", "not_met", "dead", v1=DEAD, nowhere=NOWHERE),
]  # fmt: skip


def test_findings_name_the_answer_at_fault():
    """If several answers were judged, a finding names the one that it is about."""
    observation = judge("http.json-type", answers=[STORED, answer(body={}, label="text/html")])
    assert [finding.where.exchange for finding in observation.findings] == ["answers[1]"]
    assert observation.findings[0].rule == "http.json-type"
