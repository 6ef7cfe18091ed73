"""The judges of the checks on a create's answer and on the forms of input, on hand-made exchanges."""

from __future__ import annotations

from harness.checks.areas.lifecycle import create
from tests.checks._play import answer, case, interaction, refusal, stream_of

OK = answer(body=interaction(), method="POST", target="/v1beta/interactions")
REFUSED = refusal(400)
DEAD = answer(None)


def created(**fields):
    """A create's answer with some fields replaced; `None` omits a field."""
    return answer(body=interaction(**fields), method="POST", target="/v1beta/interactions")


INPUT = {"type": "user_input", "content": [{"type": "text", "text": "Say hi."}]}
UNKNOWN_STEP = {"type": "a_step_of_tomorrow", "shape": 7}

CASES = [
    case("create.ok", "met", "200", created=OK),
    case("create.ok", "non_strict", "201", created=answer(201, interaction())),
    case("create.ok", "not_met", "refused", created=REFUSED),
    case("create.ok", "not_met", "dead", created=DEAD),
    case("create.ok", "not_met", "a list", created=answer(body=[interaction()])),
    case("create.ok", "not_met", "an empty object", created=answer(body={})),
    case("create.ok", "not_met", "a page", created=answer(body=b"<html>", label="text/html")),
    case("create.status", "met", "listed", creates=[OK]),
    case("create.status", "met", "once of tomorrow", creates=[OK, created(status="dreaming"), OK]),
    case("create.status", "met", "the others refused", creates=[OK, REFUSED, DEAD]),
    case("create.status", "not_met", "always of tomorrow", creates=[created(status="dreaming")] * 3),
    case("create.status", "not_met", "always of before", creates=[created(status="done")] * 3),
    case("create.status", "not_met", "once in capitals", creates=[OK, created(status="COMPLETED"), OK]),
    case("create.status-listed", "met", "listed", created=OK),
    case("create.status-listed", "untestable", "refused", created=REFUSED),
    case("create.status-listed", "untestable", "in capitals", created=created(status="COMPLETED")),
    case("create.status-listed", "not_met", "of tomorrow", created=created(status="dreaming")),
    case("create.status-listed", "not_met", "of before", created=created(status="done")),
    case("create.generation", "met", "steps", created=OK),
    case("create.generation", "met", "no output", created=created(steps=None)),
    case("create.generation", "not_met", "outputs", created=created(steps=None, outputs=[])),
    case("create.status", "not_met", "absent", creates=[created(status=None)]),
    case("create.status", "not_met", "a number", creates=[OK, created(status=3)]),
    case("create.status", "untestable", "refused", creates=[REFUSED, REFUSED]),
    case("create.schema", "met", "fits", created=OK),
    case("create.schema", "met", "unknown additions", created=created(steps=[UNKNOWN_STEP], mood="good")),
    case("create.schema", "not_met", "a step of the wrong shape", created=created(
        steps=[{"type": "model_output", "content": "Hi."}]
    )),
    case("create.schema", "not_met", "steps no list", created=created(steps={})),
    case("create.final", "met", "requires_action", created=created(status="requires_action")),
    case("create.final", "not_met", "in_progress", created=created(status="in_progress")),
    case("create.id", "met", "any string", created=created(id="x")),
    case("create.id", "not_met", "absent", created=created(id=None)),
    case("create.id", "not_met", "empty", created=created(id="")),
    case("create.id", "not_met", "a number", created=created(id=7)),
    case("create.id-unique", "met", "two", first=OK, second=created(id="v1_two"), third=created(id="v1_3")),
    case("create.id-unique", "not_met", "one", first=OK, second=OK, third=created(id="v1_3")),
    case("create.id-unique", "not_met", "given again", first=OK, second=created(id="v1_two"), third=OK),
    case("create.object", "met", "interaction", created=OK),
    case("create.object", "not_met", "absent", created=created(object=None)),
    case("create.object", "not_met", "another", created=created(object="response")),
    case("create.times", "met", "with an offset", created=created(updated="2026-11-20T08:00:01.5+01:00")),
    case("create.times", "not_met", "absent", created=created(created=None)),
    case("create.times", "not_met", "backwards", created=created(updated="2026-11-19T07:00:00Z")),
    case("create.times", "not_met", "seconds", created=created(created="1790000000")),
    case("create.model-echo", "met", "an alias resolved", created=created(model="gemini-flash-latest-001")),
    case("create.model-echo", "not_met", "absent", created=created(model=None)),
    case("create.steps-output-only", "met", "output", created=OK),
    case("create.steps-output-only", "not_met", "the input first", created=created(steps=[INPUT])),
    case("create.completed-has-output", "met", "output", created=OK),
    case("create.completed-has-output", "untestable", "cut", created=created(status="incomplete", steps=[])),
    case("create.completed-has-output", "not_met", "none", created=created(steps=[])),
    case("create.completed-has-output", "not_met", "no steps at all", created=created(steps=None)),
    case("create.usage", "met", "there", created=OK),
    case("create.usage", "met", "failed without", created=created(status="failed", usage=None)),
    case("create.usage", "not_met", "absent", created=created(usage=None)),
    case("create.usage", "not_met", "no count", created=created(usage={})),
    case("create.usage", "not_met", "other names", created=created(usage={"totalTokens": 3})),
    case("create.usage", "met", "a list, which is another rule's", created=created(usage=[{"total_tokens": 3}])),
    case("create.input-content", "met", "taken", content=OK),
    case("create.input-content", "not_met", "refused", content=REFUSED),
    case("create.input-contents", "met", "taken", contents=OK),
    case("create.input-contents", "not_met", "refused", contents=REFUSED),
    case("create.input-steps", "met", "taken", steps=OK),
    case("create.input-steps", "not_met", "refused", steps=REFUSED),
    case("create.input-bare-step", "met", "taken", bare_step=OK),
    case("create.input-bare-step", "not_met", "refused", bare_step=REFUSED),
    case("create.input-bare-step", "not_met", "something else", bare_step=answer(body={})),
    case("create.input-turns", "met", "taken", turns=OK),
    case("create.input-turns", "met", "refused as old", turns=refusal(400)),
    case("create.input-turns", "non_strict", "422", turns=refusal(422)),
    case("create.input-turns", "not_met", "crash", turns=refusal(500)),
    case("create.no-stream-json", "met", "JSON", content=OK, silent=OK),
    case("create.no-stream-json", "met", "one form refused", content=REFUSED, silent=OK),
    case("create.no-stream-json", "untestable", "refused", content=REFUSED, silent=REFUSED),
    case("create.no-stream-json", "not_met", "false streams", content=stream_of(b"[DONE]"), silent=OK),
    case("create.no-stream-json", "not_met", "absent streams", content=REFUSED, silent=stream_of(b"[DONE]")),
]  # fmt: skip


def test_a_refused_create_fails_only_where_success_was_promised():
    """A refused create fails only create.ok; the checks of its body are untestable."""
    outcomes = {c.id: c.observe({"created": REFUSED}).outcome for c in create.CHECKS if c.wants == ("created",)}
    assert outcomes.pop("create.ok") == "not_met"
    assert set(outcomes.values()) == {"untestable"}
