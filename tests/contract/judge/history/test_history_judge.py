"""The judge of histories: for each rule a history that breaks it, one that keeps it, one that proves nothing."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import pytest
from msgspec import structs

from harness.contract import judge_history, load
from harness.contract.judge.agreement import judge_own_input
from harness.contract.judge.answer import REPLIES
from harness.contract.judge.history.history_judge import HistoryJudge, judge_trail
from harness.contract.tables.refusals import REFUSALS
from harness.outcome import Severity
from harness.rules import BY_ID
from harness.wire import By, Ending, How
from tests.contract.exchanges import ROOT, exchange
from tests.contract.histories import (
    CALL,
    EVENTS,
    OTHER,
    RUN,
    TEXT,
    Heard,
    begun,
    cancel,
    child,
    delete,
    foreign,
    judge_all,
    later,
    look,
    made,
    stream,
    streamed,
    to_nobody,
    wrong,
)
from tests.contract.streams import completed, created, delta, error, frames, start, stop, update
from tests.in_one_test import in_one_test

Json = dict[str, Any]

CUT = Ending(how=How.RST)
SHARED: dict[str, Any] = {"sole_client": False, "deterministic": False}
RACING: dict[str, Any] = {"deterministic": False}
GONE = [made(), delete()]
CANCELLED = [begun(), cancel()]
ENDED_AS = [created("a"), completed("a", "cancelled")]
LIMITED = {"input": "hi", "background": True, "generation_config": {"max_output_tokens": 1}}
RESULT = {"input": [{"type": "function_result", "call_id": "c1", "result": "ok"}], "previous_interaction_id": "a"}
THINKS = [created("a"), start(0, "thought"), stop(0), start(1), delta(1), stop(1), completed("a")]
CALLS = [
    created("a"),
    start(0, "function_call", id="c1", name="f", arguments={}),
    stop(0),
    completed("a", "requires_action"),
]
WITH_TOOLS = {"model": "m", "input": "hi", "tools": [{"type": "function", "name": "f"}]}
FORCED = {**WITH_TOOLS, "generation_config": {"tool_choice": "any"}}
ASKED = made("requires_action", steps=CALL)
UNSTORED = made(sent={"input": "hi", "store": False})


@dataclass(frozen=True, slots=True)
class Row:
    """What breaks a rule, what keeps it, and what proves nothing about it (with these options of the judge)."""

    broken: list[Heard]
    kept: list[Heard]
    withheld: list[Heard]
    options: dict[str, Any] | None = None
    severity: Severity = Severity.BROKEN


def result(http: int) -> Heard:
    """A create that brings the result of a call."""
    return made(identity="b", http=http, sent=RESULT, previous_interaction_id="a")


def said(text: str) -> dict[str, Any]:
    """A step of user input."""
    return {"type": "user_input", "content": [{"type": "text", "text": text}]}


def bad(rule: str, wrong_status: int = 200, right_status: int = 400, severity: Severity = Severity.BROKEN) -> Row:
    """A create that must be refused; a server that is overloaded has not looked at it."""
    return Row([wrong(rule, wrong_status)], [wrong(rule, right_status)], [wrong(rule, 503)], severity=severity)


def nobody(rule: str, right: int, **request: Any) -> Row:
    """A request about nothing."""
    return Row(
        [to_nobody(rule, 410 if rule == "del.unknown" else 302, **request)],
        [to_nobody(rule, right, **request)],
        [to_nobody(rule, 500, **request)],
    )


RULES: dict[str, Row] = {
    # creates
    "create.ok": Row([made(http=400)], [made()], [made(http=503)]),
    "bg.create": Row([begun(identity="")], [begun()], [begun(identity="")], SHARED),
    "create.final": Row([made("in_progress")], [made()], [begun()]),
    "create.completed-has-output": Row(
        [made(steps=[])], [made()], [made(steps=[], sent={"input": "hi", "generation_config": {}})]
    ),
    "create.id": Row([made(identity="")], [made()], [UNSTORED]),
    "create.id-unique": Row([made(), delete(), made()], [made(), made(identity="b")], [made(identity="")]),
    "create.no-stream-json": Row(
        [Heard(exchange(body=[1]), later(made(), legal=True).intent)], [made()], [streamed()]
    ),
    "http.ct-stream": Row([streamed(label="text/plain")], [streamed()], [made()]),
    **{rule: bad(rule, 302) for rule in REFUSALS},
    "err.unknown-model": bad("err.unknown-model", 200, 404, Severity.NON_STRICT),
    "tool.result-bad-id": bad("tool.result-bad-id"),
    "tool.result-orphan": bad("tool.result-orphan"),
    "chain.unknown": bad("chain.unknown", 200, 404),
    # reads
    "get.ok": Row([made(), look(http=404)], [made(), look()], [made(), later(look(http=404), final=False)]),
    "bg.updated": Row(
        [begun(updated="2026-11-20T10:00:01.5Z"), look(updated="2026-11-20T10:00:01Z")],
        [begun(updated="2026-11-20T10:00:01Z"), look(updated="2026-11-20T11:00:01.000+01:00")],
        [begun(updated="2026-11-20T10:00:01Z"), look()],
    ),
    "bg.same-id": Row([begun(), look("in_progress", "b")], [begun(), look("in_progress")], [begun()]),
    "get.same": Row(
        [made(), look(), look(steps=OTHER)],
        [made(), look(), look()],
        [begun(), look("in_progress", steps=TEXT), look("in_progress", steps=OTHER)],
    ),
    "get.matches-post": Row(
        [made(), look(steps=OTHER)],
        [made(), look(steps=[{"type": "user_input", "content": []}, *TEXT])],
        [begun(steps=TEXT), look(steps=OTHER)],
    ),
    "get.own-input": Row(
        [made(), look(steps=[said("ho"), *TEXT])],
        [made(), look(steps=[said("hello, "), said("hi"), *TEXT])],
        [made(), look(steps=[{"type": "user_input", "content": []}, *TEXT])],
    ),
    "tool.call-fields": Row(
        [made("requires_action", steps=[{**CALL[0], "name": ""}])], [made("requires_action", steps=CALL)], [made()]
    ),
    "tool.ids-unique": Row(
        [ASKED, made("requires_action", "b", steps=CALL, sent=RESULT)],
        [ASKED, made("requires_action", "b", steps=[{**CALL[0], "id": "c2"}], sent=RESULT)],
        [ASKED, made("requires_action", "b", steps=CALL)],
    ),
    "tool.declared": Row(
        [made("requires_action", sent={**WITH_TOOLS, "tools": []}, steps=CALL)],
        [made("requires_action", sent=WITH_TOOLS, steps=CALL)],
        [made(sent=WITH_TOOLS)],
    ),
    "tool.choice-any": Row(
        [made(sent=FORCED)],
        [made("requires_action", sent=FORCED, steps=CALL)],
        [made("incomplete", sent=FORCED), made(sent={**FORCED, "tools": [{"type": "google_search"}]})],
        severity=Severity.NON_STRICT,
    ),
    "get.usage": Row(
        [made(usage={"total_tokens": 1}), look(usage={"total_tokens": 2})],
        [made(usage={"total_tokens": 1}), look(usage={"total_tokens": 1})],
        [begun(), look(usage={"total_tokens": 2})],
    ),
    "create.cut-short": Row(
        [made("in_progress", sent=LIMITED), look(steps=[])],
        [made("in_progress", sent=LIMITED), look()],
        [made("in_progress", sent=LIMITED), look("incomplete", steps=[])],
    ),
    "get.constant": Row(
        [made(created="2026-11-20T10:00:01Z"), look(created="2026-11-20T10:00:02Z")],
        [made(created="2026-11-20T10:00:01Z"), look(created="2026-11-20T11:00:01.75+01:00")],
        [made(created="2026-11-20T10:00:01Z"), look()],
    ),
    "get.unknown": nobody("get.unknown", 404),
    "store.false-get": Row([UNSTORED, look()], [UNSTORED, look(http=404)], [UNSTORED, look(http=503)]),
    "store.false-chain": Row([UNSTORED, child()], [UNSTORED, child(400)], [UNSTORED, child(503)]),
    "store.isolation": Row([made(), foreign(look())], [made(), foreign(look(http=403))], [*GONE, foreign(look())]),
    # deletes
    "del.ok": Row([made(), delete(400)], [made(), delete()], [made(), delete(503)]),
    "del.running": Row([begun(), delete(302)], [begun(), delete(409)], [made(), delete()]),
    "del.gone": Row([*GONE, look()], [*GONE, look(http=404)], [*GONE, later(look(), final=False)]),
    "del.gone-stream": Row(
        [begun(), delete(), stream()],
        [begun(), delete(), stream([error()])],
        [begun(), delete(), later(stream(), final=False)],
    ),
    "del.twice": Row([*GONE, delete(400)], [*GONE, delete(404)], [made(), delete(404)]),
    "del.unknown": nobody("del.unknown", 404, method="DELETE"),
    "del.cancel-after": Row([*GONE, cancel()], [*GONE, cancel(http=404)], [made(), cancel(http=404)]),
    "del.chain-after": Row([*GONE, child()], [*GONE, child(404)], [*GONE, child(503)]),
    # cancels
    "cancel.ok": Row(
        [begun(), cancel(http=409)], [begun(), cancel()], [begun(), cancel(http=409), look()], RACING
    ),
    "cancel.state": Row(
        [begun(), cancel("in_progress"), look()], CANCELLED, [begun(), cancel("in_progress"), look()], RACING
    ),
    "cancel.stays": Row(
        [*CANCELLED, look("in_progress")], [*CANCELLED, look("cancelled")], [begun(), cancel("in_progress")]
    ),
    "cancel.get-after": Row(
        [*CANCELLED, look(http=404)],
        [*CANCELLED, look("cancelled")],
        [*CANCELLED, later(look(http=404), final=False)],
    ),
    "cancel.stream-ends": Row(
        [*CANCELLED, stream()], [*CANCELLED, stream(ENDED_AS)], [begun(), stream()], severity=Severity.NON_STRICT
    ),
    "cancel.foreground": Row([made(), cancel()], [made(), cancel(http=400)], [begun(), cancel()]),
    "cancel.settled": Row([begun(), look(), cancel()], [begun(), look(), cancel(http=400)], [made(), cancel()]),
    "cancel.keeps-result": Row(
        [made(), cancel("failed")], [made(), cancel("completed")], [made(), cancel(http=400)]
    ),
    "cancel.keeps-background-result": Row(
        [begun(), look(), cancel("failed")], [begun(), look(), cancel("completed")], [begun(), cancel("completed")]
    ),
    "cancel.unknown": nobody("cancel.unknown", 404, method="POST", path="/nobody/cancel"),
    # background runs
    "bg.settles": Row(
        [begun(), later(look("in_progress"), awaited=True)], [begun(), look()], [begun(), look("in_progress")]
    ),
    "bg.result": Row([begun(), look(steps=[])], [begun(), look()], [begun(), look("failed", steps=[])]),
    "bg.no-regress": Row(
        [begun(), look(), look("in_progress")], [begun(), look(), look()], [begun(), look("in_progress")]
    ),
    "bg.transition": Row([begun(), look("queued")], [begun(), look()], [begun()]),
    "bg.grows": Row(
        [begun(), look("in_progress", steps=TEXT), look("in_progress", steps=[])],
        [begun(), look("in_progress", steps=TEXT), look(steps=[*TEXT, *OTHER])],
        [begun(), look("in_progress", steps=TEXT), look("failed", steps=[])],
    ),
    # chains and tools
    "chain.ok": Row([made(), child(400)], [made(), child()], [made("failed"), child(400)]),
    "chain.echo": Row(
        [made(), child(echo=""), look(identity="b", of="b")],
        [made(), child(echo=""), look(identity="b", of="b", previous_interaction_id="a")],
        [made(), child(echo="")],
    ),
    "chain.own-steps": Row(
        [made(), child(steps=TEXT + OTHER)], [made(), child(steps=OTHER)], [made(steps=[]), made(identity="b")]
    ),
    "chain.running": Row([begun(), child()], [begun(), child(400)], [begun(), child(), look()], RACING),
    "chain.after-settled": Row([begun(), look(), child(400)], [begun(), look(), child()], [begun(), child(400)]),
    "tool.requires-action": Row([made(steps=CALL)], [made("requires_action", steps=CALL)], [made()]),
    "tool.stream-status": Row(
        [streamed([created("a"), start(0, "function_call", id="c", name="f"), stop(0), completed("a")])],
        [
            streamed(
                [
                    created("a"),
                    start(0, "function_call", id="c", name="f"),
                    stop(0),
                    completed("a", "requires_action"),
                ]
            )
        ],
        [streamed()],
    ),
    "tool.result-ok": Row(
        [made("requires_action", steps=CALL), result(400)],
        [made("requires_action", steps=CALL), result(200)],
        [made("requires_action", steps=CALL), result(503)],
    ),
    # streams
    "stream.text": Row(
        [streamed(), look(steps=OTHER)],
        [streamed(), look()],
        [streamed(EVENTS[:3], background=True), look(steps=OTHER)],
    ),
    "stream.equals-get": Row(
        [streamed(), look(steps=[*TEXT, {"type": "url_context_call", "id": "u", "arguments": {"urls": ["x"]}}])],
        [streamed(), look()],
        [streamed(EVENTS[:3], background=True), look(steps=OTHER)],
        SHARED,
    ),
    "stream.signature": Row(
        [streamed(THINKS), look(steps=[{"type": "thought", "signature": "c2ln"}, *TEXT])],
        [streamed(THINKS), look(steps=[{"type": "thought"}, *TEXT])],
        [streamed(THINKS[:3], background=True), look(steps=[{"type": "thought", "signature": "c2ln"}, *TEXT])],
    ),
    "tool.stream-call": Row(
        [streamed(CALLS, **WITH_TOOLS), look("requires_action", steps=[{**CALL[0], "arguments": {"x": 1}}])],
        [streamed(CALLS, **WITH_TOOLS), look("requires_action", steps=CALL)],
        [streamed(CALLS[:2], background=True, **WITH_TOOLS), look("requires_action", steps=CALL)],
    ),
    "stream.end-matches-get": Row(
        [streamed([*EVENTS[:-1], completed("a", usage={"total_tokens": 1})]), look(usage={"total_tokens": 2})],
        [streamed(), look()],
        [streamed(EVENTS[:3], background=True), look(usage={"total_tokens": 2})],
    ),
    "resume.opens": Row(
        [begun(), stream(http=404)], [begun(), stream()], [begun(), later(stream(http=404), final=False)]
    ),
    "resume.live": Row(
        [begun(), stream(RUN[:3]), stream(http=404, after="e1")],
        [begun(), stream(RUN[:3]), stream(RUN[2:], after="e1")],
        [begun(), stream(http=400, after="no")],
    ),
    "resume.foreground": Row([made(), stream(http=302)], [made(), stream(http=400)], [begun(), stream(http=400)]),
    "resume.unknown": nobody("resume.unknown", 404, path="/nobody?stream=true"),
    "resume.same-id": Row(
        [begun(), stream([created("b"), *RUN[1:4], completed("b")])], [begun(), stream()], [begun()]
    ),
    "resume.replay": Row(
        [begun(), stream(), stream(RUN[:2] + RUN[3:])], [begun(), stream(), stream()], [begun(), stream()]
    ),
    "resume.no-gap": Row(
        [begun(), stream(), stream(RUN[3:], after="e1")],
        [begun(), stream(), stream(RUN[2:], after="e1")],
        [begun(), stream(), stream(RUN[3:], after="unknown")],
    ),
    "resume.exclusive": Row(
        [begun(), stream(), stream(RUN, after="e1")],
        [begun(), stream(), stream(RUN[2:], after="e1")],
        [begun(), stream()],
    ),
    "resume.ids-stable": Row(
        [begun(), stream(), stream([{**event, "event_id": "x" + event["event_id"]} for event in RUN])],
        [begun(), stream(), stream()],
        [begun(), stream()],
    ),
}
"""By rule; `options` are those with which the last history proves nothing."""


def test_results_of_calls_that_share_an_id_are_told_apart_by_their_order() -> None:
    """The shared id is the defect; what GET shows of the input is right, or is not."""
    sent = [{"type": "function_result", "call_id": "c", "name": "f", "result": word} for word in ("one", "two")]
    shown = [[*sent], sent[::-1]]
    found = [[one.stable_code for one in judge_own_input(sent, given)] for given in shown]
    assert found == [[], ["get.own-input/result"] * 2]


def test_results_are_shown_together_or_not_at_all() -> None:
    """A turn that lost one of its results shows the others; a server may show none, or the same one once."""
    one, other = ({"type": "function_result", "call_id": name, "name": "f", "result": name} for name in "ab")
    shown = [[], [one], [other, one]]
    found = [[finding.expected for finding in judge_own_input([one, other], given)] for given in shown]
    assert found == [[], ["the result of 'b', too"], []]
    assert not list(judge_own_input([one, one], [one]))


@in_one_test(rule=RULES)
def test_a_history_that_breaks_a_rule_is_accused(rule: str) -> None:
    row = RULES[rule]
    findings = [finding for finding in judge_all(row.broken).findings if finding.rule == rule]
    assert [finding.severity for finding in findings[:1]] == [row.severity]


@in_one_test(rule=RULES)
def test_a_history_that_keeps_a_rule_is_judged_and_not_accused(rule: str) -> None:
    judgement = judge_all(RULES[rule].kept)
    assert judgement.judged[rule] > 0
    assert [finding for finding in judgement.findings if finding.rule == rule] == []


@in_one_test(rule=RULES)
def test_a_history_that_proves_nothing_is_withheld(rule: str) -> None:
    """The third history of each row proves nothing about its rule, which is not judged at all."""
    row = RULES[rule]
    judgement = judge_all(row.withheld, **(row.options or {}))
    assert judgement.judged[rule] == 0
    assert [finding for finding in judgement.findings if finding.rule == rule] == []


def test_every_rule_that_it_decides_is_a_row_here() -> None:
    """The judge decides the rules of the table, no more and no less, and all that have a row of statuses."""
    histories = [history for row in RULES.values() for history in (row.broken, row.kept, row.withheld)]
    judged = {rule for history in histories for rule in judge_all(history).judged}
    assert judged == RULES.keys()
    of_one_caller = REPLIES.keys() - {"auth.wrong"}  # what another key sees is another story
    assert {rule.partition("/")[0] for rule in of_one_caller} <= RULES.keys() <= BY_ID.keys()


@in_one_test(rule=RULES)
def test_other_clients_excuse_what_they_may_have_done(rule: str) -> None:
    """With other clients about, only what the bodies themselves say is held against the target."""
    found = {finding.rule for finding in judge_all(RULES[rule].broken, **SHARED).findings}
    forbidden = rule in REPLIES and any(
        heard.intent.refused_by or heard.intent.foreign for heard in RULES[rule].broken
    )
    assert found <= BY_BODIES | ({rule} if forbidden else set())
    assert rule in found or rule not in BY_BODIES


BY_BODIES = frozenset(
    {"bg.same-id", "resume.same-id", "create.id-unique", "bg.no-regress", "bg.transition", "get.same",
     "get.matches-post", "get.usage", "get.constant", "bg.grows", "bg.updated", "cancel.keeps-result",
     "cancel.keeps-background-result", "stream.text", "stream.equals-get", "stream.end-matches-get",
     "stream.signature", "tool.stream-call",
     "resume.replay", "resume.no-gap", "resume.exclusive", "resume.ids-stable"}
)  # fmt: skip
"""The rules that a recording can break, as its bodies contradict each other whoever else was there."""


REST = [RUN[2], RUN[3], EVENTS[4]]
BROKEN_OFF = Heard(
    exchange(
        sent={"background": True, "stream": True},
        label="text/event-stream",
        body=frames([created("a"), RUN[1], error()]),
    )
)
RECORDED: dict[str, tuple[list[Heard], list[str]]] = {
    "polling": ([begun(), look("in_progress"), look(), look()], []),
    "a skipped state": ([made("queued"), look()], []),
    "an unlisted status": ([begun(), look("pondering"), look()], []),
    "a cancel that shows late": ([begun(), cancel(), look("in_progress"), look("cancelled")], []),
    "two interactions": ([made(), begun(identity="b")], []),
    "unstored ones have no identity": ([made(identity=""), made(identity="")], []),
    "steps still grow while it runs": (
        [look("in_progress", steps=TEXT), look("in_progress", steps=[*TEXT, *OTHER])],
        [],
    ),
    "a text is rewritten while it runs": (
        [look("in_progress", steps=TEXT), look("in_progress", steps=OTHER)],
        ["bg.grows"],
    ),
    "settles otherwise": ([look(), look("cancelled")], ["bg.no-regress"]),
    "back to the queue in a stream": (
        [streamed([created(), update(), update("queued"), completed()])],
        ["bg.transition"],
    ),
    "an error ends a connection, and the run goes on": ([BROKEN_OFF, stream(REST, after="e1")], []),
    "an event is lost after an error": (
        [BROKEN_OFF, stream(REST, after="e1"), stream(REST[1:], after="e1")],
        ["resume.no-gap"],
    ),
    "no answers": ([Heard(exchange(status=None)), Heard(exchange(status=500, body=b"x"))], []),
}
"""Recordings, in which other clients may have acted, and the rules that their bodies break."""


@in_one_test(RECORDED)
def test_a_recording_is_judged_by_its_bodies(history: list[Heard], rules: list[str]) -> None:
    findings = judge_history([(f"x{number}", heard.exchange) for number, heard in enumerate(history)], load())
    assert [finding.rule for finding in findings] == rules
    assert all(finding.where.exchange.startswith("x") for finding in findings)


def read_in_parts(*parts: list[dict[str, Any]], after: list[str | None]) -> list[str]:
    """The rules broken by readings of a background run, one after another, that were all hung up."""
    judge = HistoryJudge(load(), sole_client=True, deterministic=True)
    judge.note(begun().exchange)
    model = judge.interactions[0]
    judgements = [
        judge.take(model, judge.open(model, cursor), part) for part, cursor in zip(parts, after, strict=True)
    ]
    return [f"{finding.rule} {finding.severity}" for judgement in judgements for finding in judgement.findings]


CONNECTION = [{"event_type": "heartbeat"}, {"event_type": "error", "error": {}}]

PARTS: dict[str, tuple[list[list[dict[str, Any]]], list[str | None], list[str]]] = {
    "a reader comes back": ([RUN[:2], RUN[2:4]], [None, "e1"], []),
    "two readers, at their own pace": ([RUN[:3], RUN[:5]], [None, None], []),
    "what belongs to the connection": ([RUN[:2], [*CONNECTION, *RUN[:3]]], [None, None], []),
    "the event of the cursor once more": ([RUN[:3], RUN[1:4]], [None, "e1"], ["resume.exclusive non_strict"]),
    "from the start again": ([RUN[:3], RUN[:3]], [None, "e1"], ["resume.exclusive broken"]),
    "one is skipped": ([RUN[:4], RUN[3:4]], [None, "e1"], ["resume.no-gap broken"]),
    "one differs": ([RUN[:4], [*RUN[:3], RUN[4]]], [None, None], ["resume.replay broken"]),
    "text cut otherwise": (
        [RUN[:3], [*RUN[:2], {**RUN[2], "delta": {"type": "text", "text": "h"}}]],
        [None, None],
        ["resume.replay non_strict"],
    ),
    "an unknown cursor": ([RUN[:3], RUN[4:]], [None, "e9"], []),
    "first seen after a cursor": ([RUN[:2], RUN[3:], RUN], [None, "e1", None], ["resume.no-gap broken"]),
}
"""Parts of readings, the cursors they were opened with, and what is found."""


@pytest.mark.parametrize(("parts", "after", "found"), PARTS.values(), ids=PARTS)
def test_streams_are_judged_in_parts(
    parts: list[list[dict[str, Any]]], after: list[str | None], found: list[str]
) -> None:
    """Readings that end anywhere are judged as far as they came."""
    assert read_in_parts(*parts, after=after) == found


def test_a_stream_that_was_read_in_parts_is_judged_at_its_end() -> None:
    """A reading that ends in order before the end of the run lacks events; one that was cut off may."""
    for complete, found in ((True, ["resume.replay"]), (False, [])):
        judge = HistoryJudge(load(), sole_client=True, deterministic=True)
        for heard in (begun(), stream()):
            judge.note(heard.exchange)
        model = judge.interactions[0]
        reading = judge.open(model, None)
        judge.take(model, reading, RUN[:2])
        ending = {} if complete else {"ending": CUT}
        end = exchange("GET", f"{ROOT}/a?stream=true", label="text/event-stream", body=frames(RUN[:2]), **ending)
        assert [finding.rule for finding in judge.finish(model, reading, end).findings] == found


BRIEF = {"input": "hi", "system_instruction": "Be brief."}
BARE = Heard(exchange("GET", f"{ROOT}/a", body=["a"]))
AS_JSON = Heard(exchange("GET", f"{ROOT}/a?stream=true", body={"id": "a"}))
ALSO: dict[str, tuple[list[Heard], set[str]]] = {
    "a child of another project": ([made(), foreign(child())], {"store.isolation/chain"}),
    "a child of another project, refused": ([made(), foreign(child(400))], set()),
    "a stream that refuses a right create": ([streamed([error()])], {"create.ok"}),
    "a stream that refuses a wrong create": (
        [
            Heard(
                exchange(label="text/event-stream", body=frames([error()])),
                later(made(), refused_by="create.both").intent,
            )
        ],
        set(),
    ),
    "a create with a field that the target need not offer, refused": ([made(http=400, sent=BRIEF)], set()),
    "a create with such a field that fails": ([made(http=302, sent=BRIEF)], {"create.ok"}),
    "a look that brings a list": ([made(), BARE], {"get.ok"}),
    "a stream that is JSON": ([begun(), AS_JSON], {"resume.opens"}),
    "a foreground stream that is JSON": ([made(), AS_JSON], {"resume.foreground"}),
    "a cancel that brings no interaction": ([begun(), cancel(None)], {"cancel.ok/no-interaction"}),
    "a cancel of another": (
        [begun(), Heard(exchange("POST", f"{ROOT}/a/cancel", body={"id": "b", "status": "cancelled"}))],
        {"cancel.ok/another"},
    ),
    "a cancel that shows the output of another run": (
        [begun(), look("in_progress", steps=TEXT), cancel("in_progress", steps=OTHER)],
        {"bg.grows/text"},
    ),
    "a cancel that shows another output than the next look": (
        [begun(), cancel(steps=OTHER), look("cancelled", steps=TEXT)],
        {"bg.grows/text"},
    ),
    "a cancel that shows more than a look before": (
        [begun(), look("in_progress", steps=[]), cancel(steps=TEXT), look("cancelled", steps=[])],
        set(),
    ),
    "a cancel of what was deleted": ([*GONE, cancel(http=302)], {"del.cancel-after"}),
    "an interaction of others": ([look(of="x", identity="y"), stream(), cancel(), delete()], set()),
    "text that is stored in two parts": (
        [
            streamed(),
            look(steps=[{**TEXT[0], "content": [{"type": "text", "text": "h"}, {"type": "text", "text": "i"}]}]),
        ],
        set(),
    ),
    "a field that no event carries": ([made(), look(steps=[{**TEXT[0], "note": ""}])], {"get.matches-post"}),
    "a delete that says too much": ([made(), delete(body={"done": True})], {"del.ok"}),
    "nothing of this API": ([Heard(exchange("GET", "/v1beta/models", body={}))], set()),
}
"""More histories, with the codes of all that is found."""


@in_one_test(ALSO)
def test_more_histories(history: list[Heard], codes: set[str]) -> None:
    """Each history breaks exactly the rules listed with it."""
    found = [finding for finding in judge_all(history).findings if finding.severity is not Severity.INFORMATION]
    assert {finding.stable_code for finding in found} == codes


def test_a_part_that_was_refused_or_is_no_stream_is_judged() -> None:
    """A stream that was opened to be read in parts and is a refusal, or JSON, breaks the rule of its opening."""
    judge = HistoryJudge(load(), sole_client=True)
    judge.note(begun().exchange)
    model = judge.interactions[0]
    refused = judge.refuse(model, None, stream(http=404).exchange)
    no_stream = judge.finish(model, judge.open(model, None), AS_JSON.exchange)
    busy = judge.refuse(model, None, stream(http=503).exchange)
    assert [finding.rule for finding in refused.findings + no_stream.findings] == ["resume.opens", "resume.opens"]
    assert busy.findings == []


RUNS_ON = [begun(), cancel("in_progress"), *[look("in_progress")] * 9]
RACES: dict[str, tuple[list[Heard], set[str]]] = {
    "a run that ended before its cancel came": ([begun(), cancel(http=400), look()], set()),
    "a run that goes on after its cancel was refused": (
        [begun(), cancel(http=400), look("in_progress")],
        {"cancel.ok"},
    ),
    "a run that a child found in progress": ([begun(), child(), look("in_progress")], {"chain.running"}),
    "a run that ended before its child came": ([begun(), child(), look()], set()),
    "a cancel that takes a while": (RUNS_ON, set()),
    "a cancel that shows another end": (
        [begun(), cancel("budget_exceeded"), look("cancelled")],
        {"bg.no-regress"},
    ),
    "a cancel of what waits": ([begun(), cancel("requires_action"), look("cancelled")], set()),
    "a cancel that shows the end": ([begun(), cancel("completed"), look()], set()),
    "a cancel that does nothing": ([*RUNS_ON, later(look("in_progress"), awaited=True)], {"cancel.state"}),
    "a cancel that came too late": ([begun(), cancel("in_progress"), look(), stream()], set()),
    "a run that was cancelled and is not": ([*CANCELLED, look()], {"cancel.stays"}),
}
"""Histories on a target whose runs advance by themselves, and the rules they break."""


@pytest.mark.parametrize(("history", "found"), RACES.values(), ids=RACES)
def test_what_a_race_explains_is_withheld(history: list[Heard], found: set[str]) -> None:
    """Where runs advance by themselves, a rule is broken only if no race explains what came."""
    broken = {finding.rule for finding in judge_all(history, **RACING).findings}
    assert broken - {"bg.settles"} == found


UNDER_WAY = streamed([created("a")], background=True)
SETTLED_AS_CANCELLED = [begun(), look("cancelled")]
COLON = Heard(exchange("POST", "/v1beta/interactions/a:cancel", body={}))
LEFT_CREATE = Heard(structs.replace(UNDER_WAY.exchange, ending=Ending(By.CLIENT, How.FIN)))


def hung(silence: float, seconds: float = 10.0) -> Heard:
    """A stream by GET of so many seconds, of which the last ones were silent."""
    read_on = stream(RUN[:2]).exchange
    late = structs.replace(read_on.arrivals, moments=array("d", [seconds - silence]))
    ending = Ending(By.LIMIT, How.TIMEOUT)
    return Heard(structs.replace(read_on, ending=ending, seconds=seconds, arrivals=late))


def at(began: float, heard: Heard) -> Heard:
    """The same, sent at a moment."""
    return Heard(structs.replace(heard.exchange, began=began))


LEFT = Heard(structs.replace(stream(RUN[:2]).exchange, ending=Ending(By.CLIENT, How.FIN)))


@pytest.mark.parametrize(
    ("trail", "codes"),
    [
        # The stream of the create goes on while the client looks, so it ends later.
        ([look("in_progress", ""), UNDER_WAY], ["bg.same-id/missing"]),
        ([look("in_progress", steps=[said("ho")]), UNDER_WAY], ["get.own-input/text"]),
        ([look("in_progress", steps=[said("hi")]), UNDER_WAY], []),
        # A run that nobody stopped.
        (SETTLED_AS_CANCELLED, ["bg.transition/uncanceled"]),
        ([*SETTLED_AS_CANCELLED, delete()], []),
        ([begun(), cancel(http=400), look("cancelled")], []),
        ([begun(), COLON, look("cancelled")], []),
        # A client that leaves the stream of the create may seem to give the run up.
        ([LEFT_CREATE, look("cancelled")], []),
        ([begun(), LEFT, look("cancelled")], ["bg.transition/uncanceled"]),
        # Nothing can come of a run that has settled.
        ([begun(), look("completed"), hung(9.0), hung(9.0)], ["resume.ends/replay"]),
        ([begun(), cancel(), look("cancelled"), hung(9.0), hung(9.0)], ["cancel.stream-ends/hangs"]),
        ([begun(), look("completed"), hung(9.0), hung(1.0)], []),
        ([begun(), look("in_progress"), hung(9.0)], []),
        # Of readers that came before the end some may be silent by chance.
        ([begun(), at(5.0, look("completed")), *[at(1.0, hung(29.0, 30.0))] * 8], ["resume.ends/live"]),
        ([begun(), at(5.0, look("completed")), *[at(1.0, hung(29.0, 30.0))] * 7, at(6.0, hung(9.0))], []),
        ([begun(), at(25.0, look("completed")), *[at(1.0, hung(29.0, 30.0))] * 8], []),  # it may just be late
        ([begun(), at(5.0, look("completed")), *[at(1.0, hung(9.0, 30.0))] * 8], []),
        ([begun(), cancel(id="b")], ["cancel.ok/another"]),
    ],
)
def test_a_trail_is_judged_by_what_its_exchanges_show_together(trail: list[Heard], codes: list[str]) -> None:
    """What one client sent and got, in the order in which the exchanges ended."""
    found = judge_trail([heard.exchange for heard in trail], load(), Counter())
    assert [finding.stable_code for _, finding in found] == codes


ASKED = {"type": "user_input", "content": [{"type": "text", "text": "hi"}]}
CALLED = {**CALL[0], "signature": "c2ln"}
ANSWERED = {"type": "function_result", "call_id": "c1", "name": "f", "result": "42"}
HISTORIES = {
    "a result": [ASKED, CALLED, ANSWERED],
    "a step of the model": [ASKED, OTHER[0]],
    "steps of the model alone": [OTHER[0]],
    "a tool of the service": [
        ASKED,
        {"type": "url_context_call", "id": "u1", "arguments": {"urls": ["https://e"]}},
    ],
}


@pytest.mark.parametrize("given", HISTORIES.values(), ids=HISTORIES)
@pytest.mark.parametrize("background", [False, True], ids=["foreground", "background"])
def test_the_steps_that_a_client_sent_are_no_output(given: list[Json], background: bool) -> None:
    """A history may end on other steps than the user's: POST and stream show the output, GET all of it."""
    sent = {"input": given, "background": background}
    whole, short = look(steps=[*given, *TEXT]), look(steps=[*given, *OTHER])
    plain = begun() if background else made()
    plain = replace(plain, exchange=exchange(sent=sent, status=200, body=json.loads(plain.exchange.body)))
    for create in (plain, streamed(**sent)):
        assert judge_all([create, whole, whole]).findings == []
    assert {one.rule for one in judge_all([streamed(**sent), short]).findings} == {"stream.text"}
    assert background or {one.rule for one in judge_all([plain, short]).findings} == {"get.matches-post"}


@pytest.mark.parametrize(("first", "cause"), [(RUN[:3], "resume.no-gap"), (RUN, "")], ids=["resumed", "whole"])
def test_what_only_a_resumed_stream_showed_is_its_defect(first: list[Json], cause: str) -> None:
    """A text that no other stream shows was lost by the resume, if anything was."""
    cursor = first[-1]["event_id"]
    parts = [stream(first), *([] if first is RUN else [stream(RUN[3:], after=cursor)])]
    found = judge_all([begun(), *parts, look(steps=OTHER)]).findings
    assert {(finding.rule, finding.cause) for finding in found} == {("stream.text", cause)}


def test_output_like_the_history_is_not_taken_for_it() -> None:
    """A server that shows no history shows output: it is dropped only where it is what the client sent."""
    create = made(sent={"input": [ASKED, OTHER[0]]})
    assert {one.rule for one in judge_all([create, look(steps=OTHER)]).findings} == {"get.matches-post"}
    assert judge_all([create, look()]).findings == []
