"""Checks of what a continued turn knows of the turns before it.

Layer 2. Whether the history was carried over is judged by the count of input tokens, never by prose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from harness.checks.areas.lifecycle.chain import a_chain
from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import (
    at,
    expect_interaction,
    finding,
    interaction_in,
    require_answer,
)
from harness.checks.vocabulary.stream_events import completion, events_in, expect_stream, is_stream
from harness.contract.data.output import output_steps
from harness.contract.judge.agreement import judge_unchanged
from harness.contract.judge.replies import SUCCESS
from harness.contract.judge.wording import format_answer
from harness.outcome import Finding, Observation, Outcome, Unmet
from harness.wire import Exchange

_CHAIN = new_registry()
CHECKS = _CHAIN.checks


@_CHAIN.check(
    "chain.takes-effect",
    a_chain,
    title="previous_interaction_id is not ignored",
    profile="chaining",
    requires=["store", "chain"],
    accepts=[
        "more input tokens, cached ones included, than the same input alone",
        "a refusal of a parent that does not exist, where no count shows more",
    ],
    about="child",
)
def _takes_effect(
    parent: Exchange, child: Exchange, stray: Exchange, parent_retold: Exchange
) -> Observation | list[Finding]:
    interaction_in(child)
    if stray.status not in SUCCESS:
        require_answer(stray)
        if not _is_forgotten(parent, child, parent_retold):
            return []
        reason = "a parent that does not exist is refused, but one that does changes nothing"
        return Observation(Outcome.UNTESTABLE, reason=reason, cause="chain.history")
    alone, chained = _tokens_read(parent), _tokens_read(child)
    if chained > alone:
        return []
    message = "a parent changes nothing, and one that does not exist is taken, too"
    return [finding(message, expected=f"more than {alone} input tokens", actual=f"{chained} input tokens")]


@_CHAIN.check(
    "chain.history",
    a_chain,
    title="the history is carried over",
    profile="chaining",
    requires=["store", "chain"],
    accepts=["more input tokens, cached ones included, than the same input alone"],
    about="child",
)
def _carries_history(
    parent: Exchange, child: Exchange, stray: Exchange, parent_retold: Exchange
) -> Observation | list[Finding]:
    alone, chained = _tokens_read(parent), _tokens_read(child)
    if chained > alone:
        return []
    if stray.status in SUCCESS:
        reason = "any parent is taken, and none changes anything"
        return Observation(Outcome.UNTESTABLE, reason=reason, cause="chain.takes-effect")
    told = _tokens_told(parent_retold)
    if told <= alone:
        raise Unmet(
            "a longer input costs no more input tokens, so the counts tell nothing of history",
            remedy="with input tokens in `usage` that grow with the input",
        )
    message = "a chained turn costs no more input than the same input alone: its parent's turn was not read"
    expected = f"more than {alone} input tokens; the parent's turn told again as input costs {told}"
    return [finding(message, expected=expected, actual=str(chained))]


@_CHAIN.check(
    "chain.whole-history",
    a_chain,
    title="a third turn knows the first one",
    profile="chaining",
    requires=["store", "chain"],
    accepts=[
        "more input tokens than the second turn, and than the second and third alone",
        "no more in the second turn than alone (untestable)",
    ],
    about="grandchild",
)
def _carries_whole_history(
    parent: Exchange,
    child: Exchange,
    grandchild: Exchange | None,
    retold: Exchange | None,
    parent_retold: Exchange,
) -> Iterator[Finding]:
    alone, chained = _count_input(parent), _need_history(parent, child)
    if grandchild is None or retold is None:
        raise Unmet("the child has no id to continue")
    longer = _count_input(grandchild)
    without_first = _tokens_told(retold)
    comparable = 0 < _tokens_told(parent_retold) <= chained  # some count the JSON that tells a turn, too
    if longer <= chained:
        expected = f"more than {chained} input tokens; the first turn has {alone}"
        yield finding("a third turn carries no more than a second", expected=expected, actual=str(longer))
    elif comparable and longer <= without_first:
        expected = f"more than the {without_first} input tokens of the second and third turn without the first"
        yield finding("a third turn does not carry the first", expected=expected, actual=str(longer))


@_CHAIN.check(
    "chain.streamed",
    a_chain,
    title="a streamed turn continues its parent, too",
    profile="chaining",
    requires=["store", "chain", "stream"],
    accepts=["more input tokens than the same input alone", "no more in a plain turn either (untestable)"],
    about="streamed",
)
def _streams_with_history(parent: Exchange, child: Exchange, streamed: Exchange) -> Iterator[Finding]:
    alone, chained = _count_input(parent), _need_history(parent, child)
    if streamed.status in SUCCESS and not is_stream(streamed):
        raise Unmet("the streamed turn is no stream")
    yield from expect_stream(streamed)
    tokens = _read_tokens(completion(events_in(streamed)) or {})
    if tokens is None:
        raise Unmet("the stream ends without a count of input tokens")
    if tokens <= alone:
        expected = f"more than {alone} input tokens; the plain turn has {chained}"
        yield finding("a streamed turn carries no history", expected=expected, actual=str(tokens))


@_CHAIN.check(
    "chain.siblings-apart",
    a_chain,
    title="two children of one parent know nothing of each other",
    profile="chaining",
    requires=["store"],
    accepts=["equal input costs an equal history", "the first child is as it was before the second"],
)
def _keeps_siblings_apart(
    parent: Exchange, child: Exchange, sibling: Exchange, child_read: Exchange | None, child_again: Exchange | None
) -> Iterator[Finding]:
    own, other = _count_input(child), _count_input(sibling)
    if other - own >= max(1, _count_input(parent)):
        leak = finding("the second child carries the first one's turn", expected=str(own), actual=str(other))
        yield replace(leak, rule="chain.siblings-apart", code="chain.siblings-apart/history").at(
            exchange="sibling", pointer="$.usage.total_input_tokens"
        )
    if child_read is None or child_again is None:
        return
    before = interaction_in(child_read)
    yield from at("child_again", expect_interaction(child_again))
    rule = "chain.siblings-apart"
    yield from at("child_again", judge_unchanged(rule, before, interaction_in(child_again)))


# --- what the judges share


def _count_input(exchange: Exchange) -> int:
    body: Mapping[str, Any] = interaction_in(exchange)
    tokens = _read_tokens(body)
    if tokens is None:
        remedy = "with input tokens in `usage`"
        raise Unmet(f"no count of input tokens: {format_answer(exchange)}", remedy=remedy)
    if not output_steps(body):
        raise Unmet("the turn has no output to be carried over")
    return tokens


def _read_tokens(body: Mapping[str, Any]) -> int | None:
    """The count of input tokens in an interaction."""
    usage = body.get("usage")
    tokens = usage.get("total_input_tokens") if isinstance(usage, dict) else None
    return tokens if isinstance(tokens, int) and not isinstance(tokens, bool) else None


def _tokens_read(exchange: Exchange) -> int:
    """The input tokens of a turn, and those from a cache, which some count apart."""
    tokens = _count_input(exchange)
    cached = interaction_in(exchange)["usage"].get("total_cached_tokens")
    return tokens + (cached if isinstance(cached, int) else 0)


def _is_forgotten(parent: Exchange, child: Exchange, retold: Exchange) -> bool:
    """Whether the counts, which grow where the parent's turn is told again, do not grow with a parent."""
    if any(_read_tokens(interaction_in(turn)) is None for turn in (parent, child)):
        return False
    return _tokens_read(child) <= _tokens_read(parent) < _tokens_told(retold)


def _tokens_told(answer: Exchange) -> int:
    """The input tokens of a conversation that was told again; 0 if it was refused or not counted."""
    return (_read_tokens(interaction_in(answer)) or 0) if answer.status in SUCCESS else 0


def _need_history(parent: Exchange, child: Exchange) -> int:
    """The input tokens of a second turn. Raises `Unmet` if this target does not count the history."""
    chained = _count_input(child)
    if chained <= _count_input(parent):
        raise Unmet("a second turn costs no more input than the first, so the counts tell nothing of history")
    return chained
