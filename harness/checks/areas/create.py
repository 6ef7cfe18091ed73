"""Checks of creating an interaction: forms of input, options and their contradictions, the response."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from email.utils import mktime_tz, parsedate_tz
from functools import partial
from http import HTTPStatus
from typing import Any
from unicodedata import normalize

from msgspec.structs import replace

from harness.checks.vocabulary import streams
from harness.checks.vocabulary.expect import (
    among,
    at,
    expect_interaction,
    expect_offered,
    expect_refusal,
    expect_status,
    finding,
    input_text,
    interaction_in,
    lenient_finding,
    object_in,
    of_rule,
    require_answer,
)
from harness.checks.vocabulary.modes import (
    CHAINED,
    MODES,
    OF_A_TURN,
    STREAMS,
    create_in,
    read_ends,
    repeat_in_each_mode,
)
from harness.checks.vocabulary.runs import ROUNDS, id_of, poll_until_found, status_of, watch_run
from harness.checks.vocabulary.shared import HELLO, SPELLED, UNKNOWN_ID, send_wrong_creates
from harness.contract import read
from harness.contract.judge.agreement import CUT_SHORT, judge_cut_short, judge_id, judge_new_id, judge_result
from harness.contract.judge.answer import CLIENT_ERROR, SUCCESS, judge_json_object
from harness.contract.judge.body import count_tokens, has_counts, judge_ends
from harness.contract.judge.reading import format_answer, format_value
from harness.contract.models.profiles import find_profile, list_models
from harness.contract.requests import TIER_HEADER, RequestBuilder
from harness.contract.transcript import output_contents, output_steps, output_text, steps_of
from harness.kit.check import Exchanges, Part, Send, Steps, exercise, play_each, send_each, stop_exercise
from harness.outcome import Finding, NotApplicable, Severity, Unmet
from harness.outcome.words import format_count
from harness.wire import Exchange, Request, bodies
from harness.wire.bodies import object_or_none


def creates(created: Exchange) -> Iterator[Finding]:
    body = read(created).json
    if not isinstance(body, dict) or not body:
        yield finding("the response is not a JSON object", "an interaction", format_answer(created))


def has_a_status(creates: Sequence[Exchange]) -> Iterator[Finding]:
    shown = [created for created in creates if object_in(created)] or [*creates[:1]]
    statuses = [str(interaction_in(created).get("status")) for created in shown]
    broken = [*among("creates", shown, partial(of_rule, "create.status"))]
    yield from broken[:1] or judge_ends(statuses, read(shown[0]).contract.statuses)


def is_a_listed_status(created: Exchange) -> Iterator[Finding]:
    interaction_in(created)
    for other in of_rule("create.status", created):
        raise Unmet(other.message)
    yield from of_rule("create.status-listed", created)


def has_an_id(created: Exchange) -> Iterator[Finding]:
    yield from judge_id("create.id", interaction_in(created).get("id"))


def has_its_own_id(created: Exchange, second: Exchange, third: Exchange) -> Iterator[Finding]:
    given: list[object] = []
    for name, answer in {"created": created, "second": second, "third": third}.items():
        found = interaction_in(answer).get("id")
        yield from at(name, judge_new_id(given, found))
        given.append(found)


def says_what_it_is(created: Exchange) -> Iterator[Finding]:
    found = interaction_in(created).get("object")
    if found != "interaction":
        message = "`object` names another object" if found else "an interaction has no `object`"
        yield finding(message, '"interaction"', format_value(found), pointer="$.object")


def has_times(created: Exchange) -> Iterator[Finding]:
    body = interaction_in(created)
    for name in ("created", "updated"):
        if not body.get(name):
            yield finding(f"the response has no `{name}` time", "an ISO 8601 time", pointer=f"$.{name}")
    yield from of_rule("create.times", created)
    moment, date = bodies.read_instant(body.get("created")), created.headers.get("date")
    with suppress(ValueError, OverflowError):  # a date that is none
        now = parsedate_tz(date)
        sent, told = mktime_tz(now) if now else 0, moment.timestamp() if moment else 0.0
        # Two clocks differ by less than a minute, and two time zones by more.
        if sent and told and abs(told - sent) > 60 + created.seconds:
            # No clock is wrong by whole quarters of an hour, unless it shows no shorter times.
            zone = round((told - sent) / 900) * 900 if told % 900 else 0
            is_zone = abs(zone) <= 14 * 3600 and abs(told - sent - zone) <= 5 + created.seconds
            is_unit = abs(1000 * told - sent) <= 2000  # seconds since 1970, taken for milliseconds
            message = "`created` is far from the time of its response"
            message += ": it is of another time zone" * is_zone + ": it takes seconds for milliseconds" * is_unit
            say = finding if is_zone or is_unit else lenient_finding
            actual = format_value(body["created"])
            yield say(message, f"Date: {date}", actual, code="create.times/clock", pointer="$.created")


def names_its_model(created: Exchange) -> Iterator[Finding]:
    found = interaction_in(created).get("model")
    if not found:  # another type breaks the schema
        yield finding("the response names no model", "a name", format_value(found), pointer="$.model")
        return
    asked = (object_or_none(created.request.body) or {}).get("model")
    other = isinstance(asked, str) and isinstance(found, str) and asked.split("/")[-1] not in found
    if other and asked in _LISTED and found in _LISTED and not find_profile(asked).value("lifecycle"):
        yield lenient_finding("the response names another model than the create", asked, found, pointer="$.model")


_LISTED = frozenset(known.name for known in list_models() if not known.name.endswith("-latest"))
"""The models that have a page of their own; an alias stands for another."""


def shows_output_only(created: Exchange) -> Iterator[Finding]:
    if any(step.get("type") == "user_input" for step in steps_of(interaction_in(created))):
        yield finding("the caller's input is among the steps", "output steps only", pointer="$.steps")


def has_output(created: Exchange) -> Iterator[Finding]:
    body = interaction_in(created)
    if body.get("status") != "completed":
        raise Unmet(f"the response is not completed but {format_value(body.get('status'))}")
    yield from judge_result(body, "create.completed-has-output")


def says_its_cost(created: Exchange) -> Iterator[Finding]:
    body = interaction_in(created)
    if body.get("status") in ("failed", "cancelled") or has_counts(body.get("usage")):
        return
    message = f"the response has no {'token count that the reference names' if body.get('usage') else 'usage'}"
    yield finding(message, "an object with total_tokens", format_value(body.get("usage")), pointer="$.usage")


@exercise(requests=6, interactions=6, uses=("background",))
def every_input_form(t: RequestBuilder) -> Steps:
    """A create for each form of input; the first sets the defaults, and the bare string has no stream field.

    All ask for the same two numbers; a list has each in a text of its own.
    """
    text = {"type": "text", "text": _REPEAT}
    texts = [{"type": "text", "text": part} for part in _REPEAT.split(" and ")]
    defaults: dict[str, Any] = {"background": False} if "background" in t.capabilities else {}
    defaults |= {"store": True} if t.keeps else {}
    return {
        "content": (yield Send(t.create(input=text, stream=False, **defaults))),
        "contents": (yield Send(t.create(input=texts))),
        "steps": (yield Send(t.create(input=[{"type": "user_input", "content": texts}]))),
        "silent": (yield Send(t.create(input=_REPEAT, stream=None))),
        "bare_step": (yield Send(t.create(input=[{"type": "user_input", "content": _REPEAT}]))),
        "turns": (yield Send(t.create(input=[{"role": "user", "content": [text]}]))),
    }


_REPEATED = ("31846", "72659")
_REPEAT = f"Repeat these two numbers: {' and '.join(_REPEATED)}"


def takes_form(
    rule: str, silent: Exchange, content: Exchange, contents: Exchange, steps: Exchange
) -> Iterator[Finding]:
    """A form of input is accepted; where the answer to the bare string has both numbers, so has its answer."""
    forms = {"create.input-content": content, "create.input-contents": contents, "create.input-steps": steps}
    name, answer = rule.removeprefix("create.input-"), forms[rule]
    yield from at(name, expect_interaction(answer))
    texts = (output_text(object_in(one)) for one in (answer, silent))
    said, expected = ([number for number in _REPEATED if number in text] for text in texts)
    if len(expected) == len(_REPEATED) and status_of(answer) == "completed" and said != expected:
        message = "a part of the input has no effect in this form"
        wanted, actual = f"{' and '.join(_REPEATED)}, as for a string", " ".join(said) or "none"
        yield finding(message, wanted, actual, code=f"{rule}/unread", exchange=name, pointer="$.steps")


def bears_turns(turns: Exchange) -> Iterator[Finding]:
    if turns.status in SUCCESS:
        yield from expect_interaction(turns)
    else:
        yield from expect_refusal(turns, {400})


def streams_only_when_asked(content: Exchange, silent: Exchange) -> Iterator[Finding]:
    asked_for = (("silent", silent), ("content", content))
    taken = [one for one in asked_for if require_answer(one[1]).status in SUCCESS]
    if not taken:
        raise Unmet(f"the create was rejected: {format_answer(silent)}")
    for name, answer in taken:
        yield from at(name, judge_json_object(answer))


# --- the fields of a create: contradictions that are refused, and options that take effect

UNUSUAL_TEXT = " Say hi. Zażółć, 日本語, e\u0301, שלום, 👩\u200d👩\u200d👧, \U0001d11e, tab\t, line\n, \u2028.\n"
LONG_TEXT = "Say hi. A " + "\U0001f44b" * 12_000 + " hi" * 19_000 + " That is all."
"""Longer than 100 KiB, where buffers, database fields and the default limits of body parsers end.

A cut at 32 KiB, or at another usual number of bytes, is within a character: few servers can write its rest.
"""


@exercise(requests=12)
def contradictory_creates(t: RequestBuilder) -> Steps:
    """Creates that lack a field, contradict themselves or misspell one; they are refused before a model runs."""
    fields = ("create.model-xor-agent", "create.both", "create.input-missing", "create.config-mismatch")
    return (yield from send_wrong_creates(t, *fields, "create.webhook-bg", "rob.case", "store.false-bg"))


@exercise(requests=2, interactions=1)
def creates_with_labels(t: RequestBuilder) -> Steps:
    """One create with valid labels, one with an invalid label key."""
    return {
        "with_labels": (yield Send(t.create(input=HELLO, labels={"harness": "check-1", "empty": ""}))),
        "with_a_wrong_label": (yield Send(t.create(input=HELLO, labels={"Not A Key!": "x"}))),
    }


@exercise(requests=3, interactions=1)
def an_unusual_text(t: RequestBuilder) -> Steps:
    """Text in many scripts, created and read back, with its input, too; `got` is empty without an id to read.

    It is sent in chunks, of which the first ends within a character, unless the server takes no chunks.
    """
    plain = t.create(input=UNUSUAL_TEXT)
    seen: Exchanges = yield from _create_and_read(t, plain.having(("transfer-encoding", "chunked")))
    if seen["created"].status not in SUCCESS:
        seen = yield from _create_and_read(t, plain)
    for answer in seen["got"]:
        yield Send(t.get(id_of(answer), include_input=True))
    return seen


def _create_and_read(t: RequestBuilder, create: Request) -> Steps:
    created: Exchange = yield Send(create)
    found = id_of(created)
    return {"created": created, "got": (yield from poll_until_found(t, found))[-1:] if found else []}


def keeps_text(got: Exchange) -> Iterator[Finding]:
    yield from expect_interaction(got)
    kept = input_text(interaction_in(got))
    if kept is None:
        raise Unmet("the stored interaction does not show its input")
    if kept != UNUSUAL_TEXT:
        kept_nfc, sent_nfc = (normalize("NFC", "".join(text.split())) for text in (kept, UNUSUAL_TEXT))
        say = lenient_finding if kept_nfc == sent_nfc else finding
        trimmed = " without the white space around it" if kept == UNUSUAL_TEXT.strip() else ", but another text"
        yield say(f"the stored text is not the input{trimmed}", format_value(UNUSUAL_TEXT), format_value(kept))


@exercise(requests=2, interactions=1)
def a_long_text(t: RequestBuilder) -> Steps:
    """Input of more than 100 KiB, created and read back; `got` is empty if there was no id to read.

    If it is refused, a short one is sent, and again in a body that white space, not at its end, makes as long: a
    model may be too small for such an input, a server must not be too small for its body.
    """
    seen: Exchanges = yield from _create_and_read(t, t.create(input=LONG_TEXT))
    if seen["created"].status not in _TOO_LARGE:
        return {**seen, "short": None, "padded": None}
    short = t.create(input=HELLO)
    padded = replace(short, body=short.body[:1] + b" " * len(LONG_TEXT.encode()) + short.body[1:])
    return {**seen, **(yield from send_each(short=short, padded=padded))}


_TOO_LARGE = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def takes_long_bodies(created: Exchange, short: Exchange | None, padded: Exchange | None) -> Iterator[Finding]:
    require_answer(created)
    if created.status not in SUCCESS and padded and padded.status in SUCCESS:
        raise NotApplicable(f"the target takes the body, but not so much text: {format_answer(created)}")
    if short and padded and short.status in SUCCESS and padded.status in _TOO_LARGE:
        message = f"a create is rejected because its body has {len(padded.request.body)} bytes"
        expected = f"{format_answer(short)}, as without its white space"
        yield finding(message, expected, format_answer(padded), code="create.long-input/limit", exchange="padded")


def keeps_long_text(got: Exchange) -> Iterator[Finding]:
    yield from expect_interaction(got)
    kept = input_text(interaction_in(got))
    if kept is not None and len(kept) < len(LONG_TEXT):
        message = f"the stored input is {'cut' if LONG_TEXT.startswith(kept) else 'another one'}"
        yield finding(message, f"{len(LONG_TEXT)} characters", f"{len(kept)} characters")


@exercise(requests=1, odd=True)
def a_large_create(t: RequestBuilder) -> Steps:
    """Three megabytes of input with an unknown parent, so that they are refused before they cost a token."""
    return {"large": (yield Send(t.create(input="hi " * 1_000_000, previous_interaction_id=UNKNOWN_ID)))}


def takes_megabytes(large: Exchange) -> Iterator[Finding]:
    yield from expect_status(large, accepts={*SUCCESS, *CLIENT_ERROR})
    of_front_end = large.status in CLIENT_ERROR and not isinstance(read(large).json, dict | list)
    if of_front_end or large.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        message = "the body of a create has a limit below three megabytes, which an image exceeds"
        yield finding(message, "404: its parent is unknown", format_answer(large), code="create.large/limit")


# --- what a create asks of its answer: a format, thoughts without summaries, a tier, a limit of tokens

_FEW_TOKENS = 8

JSON_FORMAT = {
    "type": "text",
    "mime_type": "application/json",
    "schema": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
}
_FITTING = '{"word": a string}'
TIERS = frozenset({"standard", "flex", "priority"})


@exercise(requests=5, interactions=5, uses=MODES)
def a_json_answer(t: RequestBuilder) -> Steps:
    """A create that requests JSON by a schema, in each mode, and by the only schema of a `listed` format."""
    body = {"input": "Any word.", "response_format": JSON_FORMAT}
    formatted: Exchange = yield Send(t.create(body))
    modes = yield from repeat_in_each_mode(t, body, formatted, fits=lambda end: not _misfit(output_text(end)))
    listed = yield Send(t.create({**body, "response_format": [JSON_FORMAT]}))
    return {"formatted": formatted, "modes": modes, "listed": listed}


def gives_json_in_each_mode(formatted: Exchange, modes: Mapping[str, Exchange]) -> Iterator[Finding]:
    yield from at("formatted", gives_json(formatted))
    thinks = bool(_list_summaries(object_in(formatted)))
    for mode, (text, body) in _read_texts(modes).items():
        # Words before the JSON are a thought where a plain create has one, and this mode none.
        told = thinks and not _list_summaries(body) and not _misfit(text[text.rfind("{") :])
        if (told or not read(modes[mode]).is_stream) and (misfit := _misfit(text)):
            message, code = f"the output text {misfit}", ""
            if told:
                message, code = "a thought is shown as text before the JSON", "create.response-format/thought"
            words = f"{message} {mode}", _FITTING, format_value(text)
            yield finding(*words, code=code, exchange=f"modes[{mode}]", pointer="$.steps")


def _read_texts(modes: Mapping[str, Exchange]) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """The output of each mode that completed with some; another rule reports that a run has none (`bg.result`)."""
    done = {mode: body for mode, body in read_ends(modes) if body.get("status") == "completed"}
    return {mode: (text, body) for mode, body in done.items() if (text := output_text(body))}


def gives_json(formatted: Exchange) -> Iterator[Finding]:
    yield from expect_offered(formatted)
    body = interaction_in(formatted)
    if body.get("status") != "completed":
        raise Unmet(f"the response is not completed but {format_value(body.get('status'))}")
    text = output_text(body)
    if misfit := _misfit(text):
        yield finding(f"the output text {misfit}", _FITTING, format_value(text), pointer="$.steps")


def streams_formats(formatted: Exchange, modes: Mapping[str, Exchange]) -> Iterator[Finding]:
    mode = next((mode for mode in modes if mode in STREAMS), "")
    if not mode:
        raise Unmet(f"the plain create was rejected: {format_answer(formatted)}")
    streamed = modes[mode]
    if streamed.status in CLIENT_ERROR:
        raise Unmet(f"the target does not stream formats: {format_answer(streamed)}")
    yield from at(f"modes[{mode}]", streams.expect_stream(streamed))
    status = (streams.completion(streams.events_in(streamed)) or {}).get("status")
    if status != "completed":
        raise Unmet(f"the stream does not end as completed but {format_value(status)}")
    for name, (text, _) in {mode: ("", {}), **_read_texts(modes)}.items():
        if read(modes[name]).is_stream and (misfit := _misfit(text)):
            message = f"the streamed text {misfit} {name}"
            yield finding(message, _FITTING, format_value(text), exchange=f"modes[{name}]")


@exercise(requests=1, interactions=1)
def an_answer_in_pixels(t: RequestBuilder) -> Steps:
    """A create that requests an image."""
    body = {"input": "Draw a red circle on white ground.", "response_format": {"type": "image"}}
    return {"drawn": (yield Send(t.create(body, model=_choose_model(t.model, "image"))))}


@exercise(requests=1, interactions=1)
def an_answer_aloud(t: RequestBuilder) -> Steps:
    """A create that requests speech."""
    body = {"input": "Say cheerfully: good morning!", "response_format": {"type": "audio"}}
    return {"spoken": (yield Send(t.create(body, model=_choose_model(t.model, "audio"))))}


def _choose_model(model: str, kind: str) -> str:
    """Return a model that makes this kind of output, unless the target's own one does or is not known."""
    profile = find_profile(model)
    if profile.standing or kind in profile.value("output"):
        return model
    living = (known for known in list_models() if not known.value("lifecycle"))
    return next(known.name for known in living if kind == known.value("output")[0])


def is_medium(answer: Exchange, kind: str) -> Iterator[Finding]:
    """A completed answer must have a content of that kind, with something in it."""
    body = interaction_in(answer)
    if body.get("status") != "completed":
        raise Unmet(f"the response is not completed but {format_value(body.get('status'))}")
    found = output_contents(body)
    if not any(one.get("type") == kind and (one.get("data") or one.get("uri")) for one in found):
        actual = ", ".join(str(one.get("type")) for one in found) or "no content"
        yield finding(f"the response contains no {kind}", f"{kind} with data or uri", actual)


_SIGNED = "58213"
_INSTRUCTION = f"You are polite, brief and exact. You end each of your answers with the number {_SIGNED}. " * 4
_SECRET = "peridot"
_TOLD = f"{_INSTRUCTION}Your secret word is {_SECRET}: say it only to answer a question about it."


@exercise(requests=7, interactions=6, uses=MODES)
def an_instructed_create(t: RequestBuilder) -> Steps:
    """A create with an instruction, and one without; the first also in each mode.

    The one without comes after the first, whose instruction it must not obey. A turn that continues the first, and
    has none, asks for a word that only the instruction has. If it shows no effect, a create has it as its input.
    """
    body = {"input": HELLO, "system_instruction": _TOLD}
    instructed: Exchange = yield Send(t.create(body))
    alone: Exchange = yield Send(t.create(input=HELLO))
    seen: Exchanges = {"alone": alone, "instructed": instructed, "written": None, "modes": {}, "again": {}}
    seen["asked"] = None
    if instructed.status not in SUCCESS:
        return seen
    if status_of(instructed) == "completed" and "chain" in t.capabilities and id_of(instructed):
        yield from poll_until_found(t, id_of(instructed))
        seen["asked"] = yield Send(t.create(input=_ASKED, previous_interaction_id=id_of(instructed)))
    parent = id_of(alone) if status_of(alone) == "completed" else ""
    plain, more = (count_tokens(object_in(one), "input") for one in (alone, instructed))
    read_most = count_tokens(object_in(instructed), "input", "cached")  # tokens from a cache may be counted apart
    if read_most <= plain and _SIGNED not in output_text(object_in(instructed)):  # whether counts grow
        seen["written"] = yield Send(t.create(input=_TOLD + HELLO))

    def is_obeyed(end: Mapping[str, Any]) -> bool:
        return _SIGNED in output_text(end) or plain < more <= count_tokens(end, "input", "cached")

    seen["modes"] = modes = yield from repeat_in_each_mode(t, body, instructed, parent=parent, fits=is_obeyed)
    silent = [mode for mode, one in read_ends(modes) if output_text(one) and _SIGNED not in output_text(one)]
    if _SIGNED in output_text(object_in(instructed)):  # a model may forget its instruction for once
        seen["again"] = yield from create_in(t, body, silent, parent=parent)
    return seen


_ASKED = "What is your secret word? Answer with that word alone."


def inherits_no_instruction(instructed: Exchange, asked: Exchange | None) -> Iterator[Finding]:
    if instructed.status in CLIENT_ERROR:
        raise NotApplicable(f"the target rejects `system_instruction`: {format_answer(instructed)}")
    if asked is None or _SECRET in output_text(object_in(instructed)).casefold():
        raise Unmet("no turn continues a create whose instruction its own response does not show")
    yield from at("asked", expect_offered(asked))
    if _SECRET in output_text(object_in(asked)).casefold():
        message = "a turn without `system_instruction` knows the one of its parent"
        leak = finding(message, expected=f"a text without {_SECRET!r}", actual="a text with it")
        yield leak.at(exchange="asked", pointer="$.steps")


def obeys_instructions(
    alone: Exchange,
    instructed: Exchange,
    written: Exchange | None,
    modes: Mapping[str, Exchange],
    again: Mapping[str, Exchange],
) -> Iterator[Finding]:
    if instructed.status in CLIENT_ERROR:
        raise NotApplicable(f"the target rejects `system_instruction`: {format_answer(instructed)}")
    if _SIGNED in output_text(object_in(alone)):
        message = "a create without `system_instruction` obeys the one of an earlier create"
        leak = finding(message, expected=f"a text without {_SIGNED}", actual=f"a text with {_SIGNED}")
        yield replace(leak, code="create.system-instruction/leaks").at(exchange="alone", pointer="$.steps")
        return
    plain, more = (count_tokens(interaction_in(one), "input") for one in (alone, instructed))
    obeys = _SIGNED in output_text(object_in(instructed))
    if count_tokens(object_in(instructed), "input", "cached") <= plain and not obeys:
        if written is None or count_tokens(object_in(written), "input", "cached") <= plain:
            raise Unmet("the counts of input tokens do not grow with the input")
        yield lenient_finding("`system_instruction` costs no input tokens", f"more than {plain}", str(more))
    unsigned = [mode for mode, body in read_ends(again) if _SIGNED not in output_text(body)]
    for mode, body in read_ends(modes):
        least = more if mode in CHAINED else (plain + more) / 2  # a chain counts the turn before, too
        count, message = count_tokens(body, "input", "cached"), f"`system_instruction` has no effect {mode}"
        if _SIGNED in output_text(body) or plain < least <= count:
            continue
        if plain < more and count:
            say = finding if obeys else lenient_finding  # a count alone may come late, or without what is cached
            lost = say(message, expected=f"{more} input tokens", actual=str(count))
            yield lost.at(exchange=f"modes[{mode}]")
        elif mode in unsigned:
            lost = finding(message, expected=f"a text with {_SIGNED}", actual="a text without it, twice")
            yield lost.at(exchange=f"again[{mode}]", pointer="$.steps")


@exercise(requests=7, interactions=5, uses=MODES)
def a_thought_without_summary(t: RequestBuilder) -> Steps:
    """A question to think about, with summaries of thoughts switched off, in each mode; and a stream with them.

    That is resumed in its thought and in its text, which has letters of several bytes.
    """
    config = {"thinking_level": "low", "thinking_summaries": "none"}
    body = {"input": "What is 17 times 23?", "generation_config": config}
    thought: Exchange = yield Send(t.create(body))
    asked = repeat_in_each_mode(t, body, thought, fits=lambda end: not any(_list_summaries(end)))
    modes, _ = yield from play_each((asked, _resume_a_thought(t, config)))
    return {"thought": thought, "modes": modes}


def _resume_a_thought(t: RequestBuilder, config: Mapping[str, Any]) -> Part[None]:
    """Resume the stream of a thought with a summary, and of a text: every run compares it with the whole."""
    if not {"stream", "resume"} <= t.capabilities:
        return
    body = {"input": SPELLED, "generation_config": {**config, "thinking_summaries": "auto"}, "stream": True}
    streamed = yield from watch_run(t, t.create(body, background="background" in t.capabilities or None))
    events = streams.events_in(streamed) if streams.is_stream(streamed) and not streamed.truncated else []
    pieces = (
        [streams.cursor(event) for event in streams.deltas(events, kind)] for kind in ("thought_summary", "text")
    )
    cursors = [found[0] for found in pieces if found and found[0]]
    yield from send_each(
        **{token: t.get(streams.stream_id(events), stream=True, last_event_id=token) for token in cursors}
    )


def summarises_nothing(thought: Exchange, modes: Mapping[str, Exchange]) -> Iterator[Finding]:
    shown = {"": interaction_in(thought), **dict(read_ends(modes))}
    summaries = {mode: _list_summaries(body) for mode, body in shown.items()}
    if not any(summaries.values()):
        raise NotApplicable("the model shows no thought")
    for mode, found in summaries.items():
        if summary := next(filter(None, found), None):
            message = f"a thought has a summary {mode}".rstrip() + ", although `thinking_summaries` is `none`"
            yield finding(message, "none", format_value(summary), exchange=f"modes[{mode}]" if mode else "thought")


def _list_summaries(body: Mapping[str, Any]) -> list[Any]:
    """The summary of each thought, None of one that has none."""
    return [step.get("summary") for step in output_steps(body) if step.get("type") == "thought"]


def shows_its_tier(created: Exchange) -> Iterator[Finding]:
    tier = interaction_in(created).get("service_tier")
    if not isinstance(tier, str) or not tier:
        yield finding("the response names no service tier", "a word as service_tier", format_value(tier))


def names_the_tier(created: Exchange) -> Iterator[Finding]:
    tier = created.headers.get(TIER_HEADER)
    if not tier:
        raise Unmet(f"there is no {TIER_HEADER}")
    shown = interaction_in(created).get("service_tier", tier)
    if tier not in TIERS or tier != shown:
        expected = f"one of {', '.join(sorted(TIERS))}" if tier not in TIERS else f"{shown}, as in the body"
        yield finding(f"{TIER_HEADER} names an unexpected tier", expected, tier)


@exercise(requests=6, interactions=6, uses=MODES)
def a_tiny_limit(t: RequestBuilder) -> Steps:
    """A create, and one with a limit of a few output tokens, also in each mode; a turn after it without one.

    Both are sent again if that one is completed, and shorter: a model may end early.
    """
    prompt, limit = "Count from 1 to 100, in digits, separated by commas.", {"max_output_tokens": _FEW_TOKENS}
    whole: Exchange = yield Send(t.create(input=prompt))  # the first: a server may keep the limit
    limited: Exchange = yield Send(t.create(input=prompt, generation_config=limit))
    seen: Exchanges = {"limited": limited, "modes": {}, "whole": whole, "next_turn": None}
    if limited.status not in SUCCESS:
        return seen
    body, parent = {"input": prompt, "generation_config": limit}, id_of(whole)
    text = output_text(object_in(whole))
    for _ in range(ROUNDS if _is_cut(object_in(limited), text) else 0):
        pair = yield from send_each(whole=t.create(input=prompt), limited=t.create(body))
        if _is_cut(object_in(pair["whole"]), text) or not _is_cut(object_in(pair["limited"]), text):
            seen["whole"] = None
            break
    seen["modes"] = yield from repeat_in_each_mode(
        t, body, limited, parent=parent, fits=lambda end: end.get("status") == status_of(limited)
    )
    if status_of(limited) == "incomplete" and (parent := id_of(limited)) and "chain" in t.capabilities:
        seen["next_turn"] = yield Send(t.create(input=prompt, previous_interaction_id=parent))
    return seen


def inherits_no_limit(limited: Exchange, whole: Exchange | None, next_turn: Exchange | None) -> Iterator[Finding]:
    if status_of(limited) == "completed":  # a limit that cuts nothing here would be inherited unseen
        raise NotApplicable("the limit cut nothing: the response is whole, or as long as without it")
    if next_turn is None or status_of(limited) != "incomplete":
        raise Unmet("no response that its limit cut could be continued")
    if whole is None or status_of(whole) != "completed":
        raise Unmet("the same input without a limit did not complete")
    if next_turn.status in CLIENT_ERROR:
        raise Unmet(f"a truncated interaction cannot be continued: {format_answer(next_turn)}")
    yield from at("next_turn", expect_interaction(next_turn))
    made = count_tokens(object_in(next_turn), "output")
    few = max(_FEW_TOKENS, count_tokens(object_in(limited), "output"))  # a target may count more than words
    if next_turn.status in SUCCESS and status_of(next_turn) == "incomplete" and made <= few:
        message = "a turn without a limit is cut like its parent, which had one"
        cut = finding(message, expected="completed", actual=f"incomplete, {format_count(made, 'output token')}")
        yield cut.at(exchange="next_turn", pointer="$.status")


def says_that_it_was_cut(
    limited: Exchange, modes: Mapping[str, Exchange], whole: Exchange | None
) -> Iterator[Finding]:
    if status_of(limited) != "incomplete":
        yield from at("limited", _judge_limited(interaction_in(limited), whole))
        return
    for mode, body in read_ends(modes):
        with suppress(NotApplicable, Unmet):  # a limit without an effect is of `create.max-tokens`
            for found in _judge_limited(body, whole):
                yield replace(found, message=f"{found.message} {mode}").at(exchange=f"modes[{mode}]")


def _judge_limited(body: Mapping[str, Any], whole: Exchange | None) -> Iterator[Finding]:
    if body.get("status") == "incomplete":
        return
    if body.get("status") != "completed":
        raise Unmet(f"the response is {format_value(body.get('status'))}")
    cut = list(judge_cut_short(body))
    text, other = output_text(body), output_text(object_in(whole)) if whole is not None else ""
    yield from cut
    if not cut and _is_cut(body, other):
        message = "a response that the limit of tokens cut is shown as `completed`"
        actual = f"completed, {len(text)} of the {len(other)} characters that come without the limit"
        yield finding(message, "incomplete", actual, pointer="$.status")
    elif not cut:
        raise NotApplicable("the limit cut nothing: the response is whole, or as long as without it")


def _is_cut(body: Mapping[str, Any], whole: str) -> bool:
    """Whether what is shown as completed is only the beginning of a whole text."""
    # A response of the same words may end otherwise by itself: the count, or half of it, shows more.
    text = output_text(body)
    is_short = count_tokens(body, "output") == _FEW_TOKENS or 2 * len(text) <= len(whole)
    return body.get("status") == "completed" and text != whole and whole.startswith(text) and is_short


def bears_limits(limited: Exchange, modes: Mapping[str, Exchange]) -> Iterator[Finding]:
    if limited.status in CLIENT_ERROR:
        raise NotApplicable(f"the target rejects a small limit: {format_answer(limited)}")
    if require_answer(limited).status not in SUCCESS:
        yield lenient_finding(
            "a small limit is rejected", "an interaction", format_answer(limited), exchange="limited"
        )
        return
    body = interaction_in(limited)
    status = body.get("status")
    if status not in ("incomplete", "completed"):
        words = "the run did not end with the expected status", "incomplete or completed", format_value(status)
        yield lenient_finding(*words, exchange="limited", pointer="$.status")
    # It counts on for many times eight tokens, as no mock does and no text that skips to the end.
    proved = len({*re.findall(r"\d+", output_text(body))}) > 50
    for found in at("limited", _expect_limit(body, "the limit has no effect")):
        yield found if proved else replace(found, severity=Severity.NON_STRICT)
    if status != "incomplete":
        return  # a limit that is not offered has no effect in any mode
    # Characters of a token: more than those of any text of ordinary words.
    longest = max(_FEW_TOKENS * 8, 2 * len(output_text(body)))
    for mode, end in read_ends(modes):
        for found in _expect_limit(end, f"the limit has no effect {mode}"):
            # A count may be the same for each response: the length of the text shows what the limit did.
            proved = len(output_text(end)) > longest
            where = found.at(exchange=f"modes[{mode}]")
            yield where if proved else replace(where, severity=Severity.NON_STRICT)


def _expect_limit(body: Mapping[str, Any], message: str) -> Iterator[Finding]:
    made = count_tokens(body, "output")
    if body.get("status") == "completed" and made > _FEW_TOKENS:
        expected, actual = f"at most {_FEW_TOKENS} output tokens", f"{made} output tokens, status completed"
        yield finding(message, expected, actual, code="create.max-tokens/ignored")


@exercise(requests=4, interactions=4, uses=MODES)
def a_text_with_a_stop(t: RequestBuilder) -> Steps:
    """A create, and the same with a text as its stop that the first one returned: plain and in two modes."""
    whole: Exchange = yield Send(t.create(input=_COUNT))
    text = output_text(read(whole).interaction or {})
    words = [found for found in _WORD.finditer(text) if text.find(found[0]) == found.start()]
    words = [found for found in words if text[: found.start()].strip() and text[found.end() :].strip()]
    if not words:
        return stop_exercise({"whole": whole}, "the text of the response has no word that could end it")
    stop = min(words, key=lambda found: abs(found.start() - len(text) // 2))[0]  # in the middle, and new there
    body = {"input": _COUNT, "generation_config": {"stop_sequences": [stop]}}
    stopped: Exchange = yield Send(t.create(body))
    modes = yield from repeat_in_each_mode(
        t, body, stopped, OF_A_TURN, fits=lambda end: not any(_judge_stop(stop, output_text(end), ""))
    )
    return {"whole": whole, "stop": stop, "stopped": stopped, "modes": modes}


_COUNT = "Count from 1 to 30, in digits, separated by commas."

_WORD = re.compile(r"[0-9A-Za-z]{2,}")


def ends_at_stops(
    whole: Exchange, stop: str, stopped: Exchange, modes: Mapping[str, Exchange]
) -> Iterator[Finding]:
    if stopped.status in CLIENT_ERROR:
        raise NotApplicable(f"the target rejects `stop_sequences`: {format_answer(stopped)}")
    if status_of(stopped) in CUT_SHORT - {"incomplete"}:
        raise Unmet(f"the run ended as {status_of(stopped)}")
    yield from at("stopped", expect_interaction(stopped))
    text = output_text(interaction_in(stopped))
    found = [*at("stopped", _judge_stop(stop, text, ""))]
    for mode, body in read_ends(modes):
        found += at(f"modes[{mode}]", _judge_stop(stop, output_text(body), f" {mode}"))
    yield from found
    if not found and not output_text(interaction_in(whole)).startswith(text.removesuffix(stop).rstrip()):
        raise Unmet("with `stop_sequences` the model wrote another text than without, which proves nothing")


def _judge_stop(stop: str, text: str, mode: str) -> Iterator[Finding]:
    """A text must not go on after its stop."""
    _, _, rest = text.partition(stop)
    if rest.strip():
        message = f"the output continues after a text of `stop_sequences`{mode}"
        actual = f"{format_count(len(rest), 'more character')} after it"
        yield finding(message, f"an output that ends before {format_value(stop)}", actual)


def _misfit(text: str) -> str:
    """How the output breaks `JSON_FORMAT`; "" if it fits."""
    found = bodies.loads(text.encode("utf-8", "replace"))
    if found.fault not in ("", "surrogate"):
        return "is not JSON"
    fits = isinstance(found.value, dict) and isinstance(found.value.get("word"), str)
    return "" if fits else "is JSON that does not fit the schema"
