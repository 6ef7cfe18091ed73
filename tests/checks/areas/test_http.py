"""The judges of the checks on HTTP itself, on hand-made exchanges."""

from __future__ import annotations

import pytest

from harness.checks.areas.http import one_interaction_many_keys
from harness.contract.requests import RequestBuilder
from harness.outcome import NotApplicable, Unmet
from harness.wire import Chunked, Ending, How, Length
from tests.checks._play import CRASH, DEAD, DONE, MISSING, REFUSED, answer, case, interaction, judge, refusal

# --- HTTP itself, on hand-made exchanges

WITH_CHARSET = answer(body={}, label="Application/JSON; charset=UTF-8")
STREAM = answer(body=b'data: {"event_type": "x"}\n\n', label="text/event-stream")
OUTPUTS = answer(body=interaction(steps=None, outputs=[{"type": "text", "text": "Hi."}]))

NO_KEY = refusal(401, "authentication")
NO_METHOD = answer(405, b"Method Not Allowed", label="text/plain")


def revisions(old, odd, read):
    """The answers to an old and to an odd revision, where those without the header are correct."""
    return {"accepted": {"plain application/json": DONE}, "created_old": old, "created_odd": odd, "read_old": read}


def alone(rule, found, warm=DONE, zero=DONE, seven=None):
    """The answers to an unusual create that was refused, and to what was unusual in it, each alone."""
    return {"whole": REFUSED, "alone": {rule: found, "zero": zero}, "warm": warm, "seven": seven}


UNUSUAL = ("http.charset", "http.chunked", "create.zero")
TAKEN = {"whole": DONE, "alone": {}, "warm": None, "seven": None}

CASES = [
    *(case(rule, "met", "at once", **TAKEN) for rule in UNUSUAL),
    *(case(rule, "met", "alone", **alone(rule, DONE)) for rule in UNUSUAL),
    *(case(rule, "not_met", "refused", **alone(rule, REFUSED)) for rule in UNUSUAL),
    case("http.chunked", "not_applicable", "a length is required", **alone("http.chunked", refusal(411))),
    case("create.zero", "not_applicable", "no temperature", **alone("create.zero", REFUSED, warm=REFUSED)),
    case("create.zero", "not_met", "no 0", **alone("create.zero", DONE, zero=REFUSED, seven=DONE)),
    case("create.zero", "met", "nothing so short", **alone("create.zero", DONE, zero=REFUSED, seven=REFUSED)),
    case("http.json-type", "met", "with a charset", answers=[WITH_CHARSET]),
    case("http.json-type", "met", "no body, no label", answers=[answer(body=b"", label=None)]),
    case("http.accept", "met", "alike", accepted={"plain */*": DONE, "stream */*": STREAM}),
    case("http.accept", "met", "no streams for a plain create",
         accepted={"plain */*": DONE, "plain text/event-stream": answer(406)}),
    case("http.accept", "not_met", "refused", accepted={"plain */*": DONE, "plain application/json": answer(406)}),
    case("http.accept", "met", "limited", accepted={"plain */*": DONE, "plain application/json": answer(503)}),
    case("http.accept", "non_strict", "JSON", accepted={"stream application/json": DONE, "stream */*": STREAM}),
    case("http.accept", "not_met", "no stream", accepted={"stream text/event-stream": DONE, "stream */*": STREAM}),
    case("http.accept", "untestable", "no create", accepted={"plain */*": REFUSED}),
    case("http.json-type", "not_met", "as text", answers=[DONE, answer(body={}, label="text/plain")]),
    case("http.json-type", "untestable", "nothing was sent", answers=[]),
    case("http.json-valid", "met", "an empty body", answers=[answer(body=b"")]),
    case("http.json-valid", "met", "text under its own label", answers=[answer(body=b"no", label="text/plain")]),
    case("http.json-valid", "met", "too deep to be judged", answers=[answer(body=b"[" * 200_000)]),
    case("http.json-valid", "non_strict", "half a pair", answers=[answer(body=rb'{"id": "\ud83d"}')]),
    case("http.json-valid", "not_met", "cut", answers=[answer(body=b'{"id": "v1')]),
    case("http.json-valid", "not_met", "Latin-1", answers=[answer(body=b'{"id": "\xe9"}')]),
    case("http.json-valid", "not_met", "NaN", answers=[answer(body=b'{"n": NaN}')]),
    case("http.ct-stream", "not_met", "as JSON", text=answer(body={})),
    case("http.ct-stream", "untestable", "refused", text=refusal(400)),
    case("http.ct-stream", "untestable", "dead", text=DEAD),
    case("http.length", "met", "a coding undone", answers=[
        answer(body=b"{}", framing=Length(9), headers={"content-encoding": "gzip"})
    ]),
    case("http.length", "not_met", "short", answers=[answer(body=b"{}", framing=Length(9))]),
    case("http.length", "not_met", "cut in a chunk", answers=[
        answer(body=b"{}", framing=Chunked(), ending=Ending(how=How.FIN))
    ]),
    case("http.redirect", "not_met", "elsewhere", answers=[answer(308, headers={"location": "/v1/x"})]),
    case("http.unknown-query", "met", "refused", odd_query=refusal(400)),
    case("http.unlisted", "met", "as listed", answers=[DONE]),
    case("http.unlisted", "not_met", "a step", answers=[DONE, answer(
        body=interaction(steps=[{"type": "tool_call", "id": "t1", "signature": ""}])
    )]),
    case("http.unlisted", "not_met", "a field", answers=[answer(body={**interaction(), "mood": "fine"})]),
    case("http.gzip", "not_met", "unasked", answers=[
        answer(headers={"content-encoding": "gzip"}, request_headers={"accept-encoding": "identity"})
    ]),
    case("http.revision-ignored", "met", "the same", **revisions(DONE, REFUSED, DONE)),
    case("http.revision-ignored", "met", "not stored", **revisions(DONE, DONE, None)),
    case("http.revision-ignored", "not_met", "old refused", **revisions(REFUSED, DONE, None)),
    case("http.revision-ignored", "untestable", "that shape anyway",
         accepted={"plain application/json": OUTPUTS}, created_old=OUTPUTS, created_odd=OUTPUTS, read_old=None),
    case("http.revision-ignored", "not_met", "crash", **revisions(DONE, CRASH, DONE)),
    case("http.v1beta", "met", "a default model", own="v1beta", v1beta=DONE, nowhere=MISSING),
    case("http.v1beta", "untestable", "no key", own="v1beta", v1beta=NO_KEY, nowhere=MISSING),
    case("http.v1beta", "not_met", "no route", own="v1beta", v1beta=MISSING, nowhere=MISSING),
    case("http.v1beta", "untestable", "another version", own="v1", v1beta=MISSING, nowhere=MISSING),
    case("http.v1beta", "met", "in its own words", own="v1beta", v1beta=refusal(404, "no_model"), nowhere=MISSING),
    case("http.v1beta", "met", "a stream", own="v1beta", v1beta=STREAM, nowhere=MISSING),
    case("http.v1", "not_met", "no route", v1=NO_METHOD, nowhere=MISSING),
    case("http.v1", "not_met", "dead", v1=DEAD, nowhere=MISSING),
]  # fmt: skip


def test_findings_name_the_answer_at_fault():
    """If several answers were judged, a finding names the one that it is about."""
    observation = judge("http.json-type", answers=[DONE, answer(body={}, label="text/html")])
    assert [finding.where.exchange for finding in observation.findings] == ["answers[1]"]
    assert observation.findings[0].rule == "http.json-type"


# --- API keys, on hand-made exchanges


def without(**changed):
    """The answers to calls without a key: correct ones, except those that are replaced."""
    plain = dict.fromkeys(("read_without", "created_without", "deleted_without", "cancelled_without"), NO_KEY)
    plain |= {"created_elsewhere": MISSING}
    plain |= dict.fromkeys(("streamed_without", "posted_without", "begun_without"), NO_KEY)
    return {"readable": DONE, **plain, "read_again": None, **changed}


def wrong(**changed):
    """The answers to calls with a wrong key: correct ones, except those that are replaced."""
    return {**dict.fromkeys(("read_wrong", "created_wrong", "read_wrong_bearer"), NO_KEY), **changed}


def then(**changed):
    """The answers around a create with a wrong key: correct ones, except those that are replaced."""
    return {"readable": DONE, "created_wrong": NO_KEY, "read_next": DONE, "read_again": None, **changed}


def by_bearer(**changed):
    """The answers to calls with a bearer token: correct ones, except those that are replaced."""
    usual = dict.fromkeys(("readable", "created_bearer", "read_bearer", "read_next"), DONE)
    return {**usual, **changed}


CASES += [
    case("auth.missing", "non_strict", "403", **without(read_without=refusal(403, "permission_denied"))),
    case("auth.missing", "non_strict", "the front end's 401", **without(created_without=refusal(401, 401))),
    case("auth.missing", "non_strict", "no DELETE at all", **without(deleted_without=refusal(405))),
    case("auth.missing", "not_met", "readable", **without(read_without=DONE)),
    case("auth.missing", "not_met", "a cancel that fails", **without(cancelled_without=refusal(500, "api_error"))),
    case(
        "auth.missing",
        "met",
        "no cancel, a create too many",
        **without(cancelled_without=refusal(404), begun_without=refusal(429)),
    ),
    case("auth.missing", "not_met", "creatable as a stream", **without(posted_without=STREAM)),
    case("auth.missing", "not_met", "deletable", **without(deleted_without=answer(body={}))),
    case("auth.missing", "not_met", "refused and done", **without(read_again=refusal(404, "not_found"))),
    case("auth.missing", "met", "garbled once", **without(read_again=DONE)),
    case("auth.missing", "met", "never readable", **without(readable=MISSING, read_again=MISSING)),
    case("auth.missing", "met", "nowhere", **without(readable=MISSING, read_without=MISSING, read_again=MISSING)),
    case("auth.missing", "not_met", "dead", **without(read_without=DEAD)),
    case("auth.wrong", "non_strict", "404", **wrong(read_wrong=refusal(404, "not_found"))),
    case("auth.wrong", "not_met", "any text is a key", **wrong(read_wrong=DONE)),
    case("auth.wrong", "not_met", "any bearer token", **wrong(read_wrong_bearer=DONE)),
    case("auth.next", "not_met", "rejected", **then(read_next=refusal(400))),
    case("auth.next", "not_met", "garbled once", **then(read_next=MISSING, read_again=DONE)),
    case("auth.next", "met", "gone", **then(read_next=MISSING, read_again=MISSING)),
    case("auth.bearer-reads", "not_met", "rejected", **by_bearer(read_bearer=NO_KEY)),
    case("auth.bearer-reads", "untestable", "gone", **by_bearer(read_bearer=NO_KEY, read_next=NO_KEY)),
    case("auth.bearer-reads", "not_applicable", "never accepted", **by_bearer(created_bearer=NO_KEY)),
]


@pytest.mark.parametrize(
    "target",
    [
        RequestBuilder(key="k", headers=(("Authorization", "Bearer x"),)),
        RequestBuilder(key="k", headers=(("X-Goog-Api-Key", "k"),)),
    ],
    ids=["a bearer header", "a key header"],
)
def test_needs_a_key_that_can_be_left_out(target):
    """If every call carries a key, leaving the key out proves nothing: the checks are untestable."""
    with pytest.raises(Unmet):
        next(one_interaction_many_keys.run(target))


@pytest.mark.parametrize(
    ("wrong", "without", "declared", "raised"),
    [
        (DONE, DONE, (), NotApplicable),
        (NO_KEY, DONE, (), Unmet),
        (DONE, NO_KEY, (), Unmet),
        (DONE, DONE, ("auth",), Unmet),
    ],
    ids=["no keys", "keys if given", "needs some", "declared"],
)
def test_without_a_key_it_is_asked_whether_there_are_any(wrong, without, declared, raised):
    """A target that answers with a wrong key and with none has no keys, unless it is said to check them."""
    steps = one_interaction_many_keys.run(RequestBuilder(capabilities=frozenset(declared)))
    next(steps)
    steps.send(wrong)
    with pytest.raises(raised):
        steps.send(without)


@pytest.mark.parametrize(("known", "ends"), [((), NotApplicable), ({"auth"}, StopIteration)])
def test_a_target_that_rejects_no_key_is_judged_if_it_is_known_to_check_them(known, ends):
    """Its probe may have got no response; then it is only assumed to check keys."""
    steps = one_interaction_many_keys.run(
        RequestBuilder(key="k").with_capabilities(frozenset({"auth"}), known, {})
    )
    next(steps)
    with pytest.raises(ends):
        _answer_all(steps)


def _answer_all(steps):
    """Answer each request of an exercise with a success. Raises StopIteration at its end."""
    while True:
        steps.send(DONE)
