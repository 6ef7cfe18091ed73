"""The judges of the checks on a create's answer and on the forms of input, on hand-made exchanges."""

from __future__ import annotations

import json
from unicodedata import normalize

from msgspec.structs import replace

from harness.checks.areas.create import UNUSUAL_TEXT
from harness.checks.catalogue import CATALOGUE
from tests.checks._play import (
    CRASH,
    DEAD,
    DONE,
    REFUSED,
    answer,
    case,
    holding,
    interaction,
    refusal,
    says,
    stream_of,
)
from tests.checks._streams import streamed, text_events

# --- a create's answer and on the forms of input, on hand-made exchanges

OK = answer(body=interaction(), method="POST", target="/v1beta/interactions")


UNNAMED = {"neither_streamed": REFUSED}


def created(**fields):
    """A create's answer with some fields replaced; `None` omits a field."""
    return answer(body=interaction(**fields), method="POST", target="/v1beta/interactions")


INPUT = {"type": "user_input", "content": [{"type": "text", "text": "Say hi."}]}
LONG_USAGE = {"total_input_tokens": 4, "total_output_tokens": 90, "total_tokens": 94}
LONG_ANSWER = answer(body=interaction(usage=LONG_USAGE))
MUCH_READ = {**LONG_USAGE, "total_input_tokens": 90, "total_tokens": 180}


def streams(text, usage):
    """A stream with this text, and counts at its end."""
    *events, end = text_events(text)
    return streamed([*events, {**end, "interaction": {"id": "v1_1", "status": "completed", "usage": usage}}])


LONG_SAID = says("1, 2, 3, " * 20, usage=LONG_USAGE)
LONG_STREAM = streams("1, 2, 3, " * 20, LONG_USAGE)
LONG_INPUT = answer(body=interaction(usage=MUCH_READ))
SHORT_STREAM = streams("Hi.", LONG_USAGE)
INSTRUCTED = {"alone": answer(body=interaction()), "instructed": LONG_INPUT, "written": LONG_INPUT, "again": {}}
OBEYING = {**INSTRUCTED, "instructed": says("Hi. 58213", usage=MUCH_READ)}
HALF_STREAM = streamed(text_events("Hi."))


def answer_to(asked, named):
    """The answer to a create that asks for one model and gets one of this name."""
    body = json.dumps({"model": asked, "input": "Say hi."}).encode()
    found = created(model=named)
    return replace(found, request=replace(found.request, body=body), notes={})


BOTH = says("31846, 72659")


def forms(**changed):
    """The answers to an input in each form: accepted, except those that are replaced."""
    return {"silent": OK, "content": OK, "contents": OK, "steps": OK, **changed}


CASES = [
    case("create.ok", "met", "200", created=OK),
    case("create.ok", "non_strict", "201", created=answer(201, interaction())),
    case("create.ok", "not_met", "refused", created=REFUSED),
    case("create.ok", "not_met", "dead", created=DEAD),
    case("create.ok", "not_met", "a list", created=answer(body=[interaction()])),
    case("create.ok", "not_met", "a page", created=answer(body=b"<html>", label="text/html")),
    case("create.status", "met", "once of tomorrow", creates=[OK, created(status="dreaming"), OK]),
    case("create.status", "met", "the others refused", creates=[OK, REFUSED, DEAD]),
    case("create.status", "not_met", "always of tomorrow", creates=[created(status="dreaming")] * 3),
    case("create.status", "not_met", "always of before", creates=[created(status="done")] * 3),
    case("create.status", "not_met", "once in capitals", creates=[OK, created(status="COMPLETED"), OK]),
    case("create.status-listed", "untestable", "refused", created=REFUSED),
    case("create.status-listed", "untestable", "in capitals", created=created(status="COMPLETED")),
    case("create.status-listed", "not_met", "of tomorrow", created=created(status="dreaming")),
    case("create.status-listed", "not_met", "of before", created=created(status="done")),
    case("create.status", "not_met", "a number", creates=[OK, created(status=3)]),
    case("create.status", "untestable", "refused", creates=[REFUSED, REFUSED]),
    case("create.id", "met", "any string", created=created(id="x")),
    case("create.id", "not_met", "absent", created=created(id=None)),
    case("create.id-unique", "met", "two", created=OK, second=created(id="v1_two"), third=created(id="v1_3")),
    case("create.id-unique", "not_met", "given again", created=OK, second=created(id="v1_two"), third=OK),
    case("create.object", "not_met", "absent", created=created(object=None)),
    case("create.times", "met", "with an offset", created=created(updated="2026-11-20T08:00:01.5+01:00")),
    case("create.times", "non_strict", "seconds", created=created(created="1790000000")),
    case("create.times", "not_met", "a zone apart", created=created(updated="2026-11-19T01:00:00Z")),
    case("create.model-echo", "met", "an alias resolved", created=created(model="gemini-flash-latest-001")),
    case("create.model-echo", "met", "not listed", created=answer_to("gemini-3.8-flash", "gemini-3.5-flash-001")),
    case("create.model-echo", "met", "an alias", created=answer_to("gemini-flash-latest", "gemini-3.8-flash")),
    case("create.model-echo", "non_strict", "another", created=answer_to("gemini-3.8-flash", "gemini-2.5-pro")),
    case("create.model-echo", "not_met", "absent", created=created(model=None)),
    case("create.steps-output-only", "not_met", "the input first", created=created(steps=[INPUT])),
    case("create.completed-has-output", "untestable", "cut", created=created(status="incomplete", steps=[])),
    case("create.completed-has-output", "not_met", "none", created=created(steps=[])),
    case("create.usage", "met", "failed without", created=created(status="failed", usage=None)),
    case("create.usage", "not_met", "absent", created=created(usage=None)),
    case("create.usage", "not_met", "no count", created=created(usage={})),
    case("create.usage", "met", "a list, which is another rule's", created=created(usage=[{"total_tokens": 3}])),
    case("create.input-content", "not_met", "refused", **forms(content=REFUSED)),
    case("create.input-contents", "not_met", "refused", **forms(contents=REFUSED)),
    case("create.input-steps", "not_met", "refused", **forms(steps=REFUSED)),
    case("create.input-contents", "met", "neither repeats", **forms(silent=says("31846"), contents=OK)),
    case("create.input-contents", "not_met", "half", **forms(silent=BOTH, contents=says("31846"))),
    case("create.input-steps", "not_met", "unread", **forms(silent=BOTH, steps=OK)),
    case("create.input-turns", "met", "taken", turns=OK),
    case("create.input-turns", "non_strict", "422", turns=refusal(422)),
    case("create.input-turns", "not_met", "crash", turns=refusal(500)),
    case("create.no-stream-json", "met", "one form refused", content=REFUSED, silent=OK),
    case("create.no-stream-json", "untestable", "refused", content=REFUSED, silent=REFUSED),
    case("create.no-stream-json", "not_met", "absent streams", content=REFUSED, silent=stream_of(b"[DONE]")),
]  # fmt: skip


def test_a_refused_create_fails_only_where_success_was_promised():
    of_creates = [c for c in CATALOGUE if c.rule.area == "create" and c.wants == ("created",)]
    outcomes = {c.id: c.observe({"created": REFUSED}).outcome for c in of_creates}
    assert outcomes.pop("create.ok") == "not_met"
    assert set(outcomes.values()) == {"untestable"}


# --- contradictory requests and on options, on hand-made exchanges

PLAIN = answer(body=interaction())
ASCII_ONLY = UNUSUAL_TEXT.encode("ascii", "replace").decode()


CASES += [
    case("create.model-xor-agent", "non_strict", "404", neither=refusal(404, "model_not_found"),
         **UNNAMED),
    case("create.labels", "met", "none taken", with_labels=REFUSED, with_a_wrong_label=REFUSED),
    case("create.labels", "not_met", "good ones crash it", with_labels=refusal(500), with_a_wrong_label=REFUSED),
    case("create.labels", "not_met", "bad ones accepted", with_labels=PLAIN, with_a_wrong_label=PLAIN),
    case("create.long-input", "met", "not shown", created=PLAIN, got=[PLAIN], short=None, padded=None),
    case("create.long-input", "not_applicable", "refused", created=REFUSED, got=[], short=PLAIN, padded=PLAIN),
    case("create.long-input", "not_met", "too large", created=REFUSED, got=[], short=PLAIN, padded=REFUSED),
    case("create.long-input", "untestable", "all refused", created=REFUSED, got=[], short=REFUSED, padded=REFUSED),
    case("create.long-input", "not_met", "crash", created=CRASH, got=[], short=None, padded=None),
    case("create.large", "not_met", "above a limit", large=refusal(413)),
    case("create.large", "met", "in a list", large=answer(404, [{"error": {"code": 404, "message": "No."}}])),
    case("create.unicode", "met", "kept", created=PLAIN, got=[holding(UNUSUAL_TEXT)]),
    case("create.unicode", "met", "kept, shown as input", created=PLAIN, got=[
        answer(body=interaction(input=UNUSUAL_TEXT))
    ]),
    case("create.unicode", "non_strict", "composed", created=PLAIN, got=[holding(normalize("NFC", UNUSUAL_TEXT))]),
    case("create.unicode", "untestable", "not shown", created=PLAIN, got=[PLAIN]),
    case("create.unicode", "not_met", "question marks", created=PLAIN, got=[holding(ASCII_ONLY)]),
    case("create.unicode", "untestable", "no id", created=PLAIN, got=[]),
    case("create.unicode", "untestable", "refused", created=REFUSED, got=[]),
    case("create.unicode", "not_met", "cannot be read", created=PLAIN, got=[CRASH]),
]  # fmt: skip


# --- formats, summaries, tiers and limits, on hand-made exchanges

TIER = "x-gemini-service-tier"


def making(kind, **fields):
    """An answer whose output is a text and a medium."""
    contents = [{"type": "text", "text": "Here:"}, {"type": kind, **fields}]
    return answer(body=interaction(steps=[{"type": "model_output", "content": contents}]))


def thinking(**fields):
    """An answer with one thought."""
    return answer(body=interaction(steps=[{"type": "thought", **fields}]))


def tiered(header, **fields):
    """An answer with a header that names a tier."""
    return answer(body=interaction(**fields), headers={TIER: header})


FAILS = interaction(status="failed")
FREE = {"alone": DONE, "instructed": says("Hi. 58213"), "written": DONE, "again": {}}
CUT = says("1 2", status="incomplete")
STOPPED = {"whole": says("1, 2, 33, 4"), "stop": "33", "stopped": says("1, 2,")}
PLAIN = {"modes": {}}
STREAMED = "in a stream"
FITS = says('{"word": "hi"}')
CASES += [
    case("create.response-format", "untestable", "incomplete", **PLAIN,
         formatted=says('{"wo', status="incomplete")),
    case("create.response-format", "untestable", "refused", **PLAIN, formatted=REFUSED),
    case("create.response-format", "untestable", "overloaded", **PLAIN, formatted=refusal(503)),
    case("create.response-format", "not_met", "crash", **PLAIN, formatted=CRASH),
    case("create.response-format", "not_met", "prose", **PLAIN,
         formatted=says("Here is your JSON: {}")),
    case("create.response-format", "met", "in a mode", formatted=FITS, modes={"later": FITS}),
    case("create.response-format", "met", "in progress", formatted=FITS,
         modes={"later": says("", status="in_progress")}),
    case("create.response-format", "met", "refused in a mode", formatted=FITS, modes={"later": REFUSED}),
    case("create.response-format", "met", "cut in a mode", formatted=FITS,
         modes={"later": says('{"wo', status="incomplete")}),
    case("create.response-format", "not_met", "prose in a mode", formatted=FITS,
         modes={"later": says("Here it is.")}),
    case("create.response-format", "not_met", "another shape", **PLAIN, formatted=says('{"word": 3}')),
    case("create.response-format", "not_met", "another shape in a mode", formatted=FITS,
         modes={"later": says("{}")}),
    case("create.format-list", "untestable", "refused", listed=REFUSED),
    case("create.format-list", "not_met", "prose", listed=says("Here is your JSON: {}")),
    case("create.cut-short", "untestable", "failed", modes={}, whole=None, limited=answer(body=FAILS)),
    case("create.cut-short", "not_applicable", "as long as ever", modes={},
         limited=says("1 2"), whole=says("1 2")),
    case("create.cut-short", "not_applicable", "another text", modes={},
         limited=says("1 2"), whole=says("one two")),
    case("create.cut-short", "not_met", "half of it", modes={},
         limited=says("1 2"), whole=says("1 2 3 4")),
    case("create.cut-short", "not_applicable", "a word less", modes={},
         limited=says("1 2 3"), whole=says("1 2 3 4")),
    case("create.cut-short", "met", "incomplete in the background", limited=CUT, modes={"later": CUT},
         whole=None),
    case("create.cut-short", "not_met", "half of it in the background", limited=CUT,
         modes={"later": says("1 2")}, whole=says("1 2 3 4")),
    case("create.cut-short", "not_met", "half of it in a stream", limited=CUT, modes={"stream": HALF_STREAM},
         whole=says("Hi. How are you?")),
    case("chain.no-instruction", "met", "not told", instructed=says("58213"), asked=says("I have none.")),
    case("chain.no-instruction", "not_met", "told", instructed=says("58213"), asked=says("Peridot.")),
    case("chain.no-instruction", "untestable", "in the text of the parent", instructed=says("peridot"),
         asked=says("Peridot.")),
    case("chain.no-instruction", "untestable", "not found yet", instructed=says("58213"), asked=refusal(404)),
    case("chain.no-instruction", "not_applicable", "refused", instructed=REFUSED, asked=None),
    case("chain.no-limits", "untestable", "refused", limited=CUT, whole=says("1 2"), next_turn=REFUSED),
    case("chain.no-limits", "not_applicable", "not cut", limited=says("1"), whole=says("1 2"), next_turn=None),
    case("chain.no-limits", "untestable", "incomplete by itself", limited=CUT, whole=CUT, next_turn=CUT),
    case("chain.no-limits", "not_met", "cut again", limited=CUT, whole=says("1 2 3 4"), next_turn=CUT),
    case("create.system-instruction", "met", "in every mode", **INSTRUCTED, modes={"later": LONG_INPUT}),
    case("create.system-instruction", "not_met", "later without", **{**OBEYING, "alone": says("Hi. 58213")},
         modes={}),
    case("create.system-instruction", "met", "where little is counted", **OBEYING, modes={"later": says("58213")}),
    case("create.system-instruction", "not_met", "not in the background", **OBEYING, modes={"later": DONE}),
    case("create.system-instruction", "not_met", "not in a stream", **OBEYING, modes={"stream": SHORT_STREAM}),
    case("create.system-instruction", "non_strict", "not counted later", **INSTRUCTED, modes={"later": DONE}),
    case("create.system-instruction", "met", "forgotten once", **FREE, modes={"later": DONE}),
    case("create.system-instruction", "not_met", "forgotten twice in a mode",
         **{**FREE, "again": {"later": DONE}}, modes={"later": DONE}),
    case("create.system-instruction", "met", "obeyed and not counted", **{**OBEYING, "instructed": says("58213")},
         modes={}),
    case("create.system-instruction", "not_applicable", "refused", modes={},
         **{**INSTRUCTED, "instructed": REFUSED}),
    case("create.system-instruction", "non_strict", "nowhere", **{**INSTRUCTED, "instructed": DONE}, modes={}),
    case("create.system-instruction", "untestable", "nothing is counted", alone=DONE, instructed=DONE,
         written=DONE, modes={}, again={}),
    case("create.max-tokens", "met", "incomplete without steps", modes={}, limited=answer(
        body=interaction(status="incomplete", steps=None)
    )),
    case("create.max-tokens", "not_applicable", "below the least", modes={}, limited=REFUSED),
    case("create.max-tokens", "non_strict", "failed", modes={},
         limited=answer(body=interaction(status="failed"))),
    case("create.max-tokens", "non_strict", "crash", modes={}, limited=CRASH),
    case("create.max-tokens", "non_strict", "without an effect", limited=LONG_ANSWER,
         modes={"later": LONG_ANSWER}),
    case("create.max-tokens", "non_strict", "a count of many tokens for a short text", limited=CUT,
         modes={"later": LONG_ANSWER}),
    case("create.max-tokens", "not_met", "only in plain creates", limited=CUT, modes={"later": LONG_SAID}),
    case("create.max-tokens", "not_met", "not in streams", limited=CUT,
         modes={"later": CUT, "stream": LONG_STREAM}),
    case("create.stop-sequences", "met", "in every mode", **STOPPED, modes={"later": says("1, 2, ")}),
    case("create.stop-sequences", "met", "with the stop", **{**STOPPED, "stopped": says("1, 2, 33")}, modes={}),
    case("create.stop-sequences", "not_met", "not in the background", **STOPPED,
         modes={"later": STOPPED["whole"]}),
    case("create.stop-sequences", "not_met", "not in a stream", **STOPPED,
         modes={"stream": streamed(text_events("1, 2, ", "33, 4"))}),
    case("create.stop-sequences", "untestable", "another text", modes={},
         **{**STOPPED, "stopped": says("One.")}),
    case("create.stop-sequences", "untestable", "failed", modes={},
         **{**STOPPED, "stopped": answer(body=interaction(status="failed"))}),
    case("create.stop-sequences", "not_applicable", "refused", **{**STOPPED, "stopped": REFUSED}, modes={}),
    case("create.format-image", "met", "as a file, beside a text",
         drawn=making("image", uri="https://f.example/1")),
    case("create.format-image", "untestable", "blocked", drawn=answer(body=interaction(status="failed"))),
    case("create.format-image", "not_met", "a text", drawn=says("Imagine a circle.")),
    case("create.format-image", "not_met", "nothing in it", drawn=making("image", data="")),
    case("create.format-image", "not_met", "refused", drawn=REFUSED),
    case("create.format-audio", "not_met", "no output", spoken=thinking(signature="c2ln")),
    case("create.format-streamed", "met", "JSON", formatted=DONE,
         modes={STREAMED: streamed(text_events('{"word": ', '"hi"}'))}),
    case("create.format-streamed", "not_met", "prose", formatted=DONE,
         modes={STREAMED: streamed(text_events("Here: ", "{}"))}),
    case("create.format-streamed", "untestable", "cut", formatted=DONE,
         modes={STREAMED: streamed(text_events("{", status="incomplete"))}),
    case("create.format-streamed", "untestable", "none", formatted=REFUSED, modes={}),
    case("create.format-streamed", "untestable", "refused", formatted=DONE, modes={STREAMED: REFUSED}),
    case("create.format-streamed", "not_met", "crash", formatted=DONE, modes={STREAMED: CRASH}),
    case("create.format-streamed", "not_met", "no stream", formatted=DONE, modes={STREAMED: DONE}),
    case("create.format-streamed", "met", "no stream in a chain", formatted=DONE,
         modes={STREAMED: streamed(text_events('{"word": "hi"}')), "later": REFUSED}),
    case("create.no-summaries", "met", "an empty one", modes={}, thought=thinking(summary=[])),
    case("create.no-summaries", "not_applicable", "no thought", modes={}, thought=says("391")),
    case("create.no-summaries", "untestable", "refused", modes={}, thought=REFUSED),
    case("create.no-summaries", "met", "no thought in a mode", thought=thinking(signature="c2ln"),
         modes={"later": says("391")}),
    case("create.no-summaries", "not_met", "a summary in a mode", thought=says("391"),
         modes={"later": thinking(summary=[{"type": "text", "text": "x"}])}),
    case("create.no-summaries", "not_met", "crash", modes={}, thought=CRASH),
    case("tier.echo", "met", "shown", created=answer(body=interaction(service_tier="standard"))),
    case("tier.echo", "met", "a newer one", created=answer(body=interaction(service_tier="batch"))),
    case("tier.echo", "untestable", "refused", created=REFUSED),
    case("tier.echo", "not_met", "a number", created=answer(body=interaction(service_tier=1))),
    case("tier.header", "met", "as in the body", created=tiered("flex", service_tier="flex")),
    case("tier.header", "met", "in the header only", created=tiered("priority")),
    case("tier.header", "untestable", "no header", created=DONE),
    case("tier.header", "not_met", "another", created=tiered("priority", service_tier="standard")),
]  # fmt: skip
