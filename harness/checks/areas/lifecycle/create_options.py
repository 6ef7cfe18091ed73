"""Checks of the fields of a create: contradictions that are refused, and options that take effect.

Layer 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from unicodedata import normalize

from harness.checks.capabilities import new_registry
from harness.checks.refusals import check_refusal, send_wrong_creates
from harness.checks.vocabulary.expect import (
    among,
    at,
    expect_interaction,
    expect_status,
    finding,
    input_text,
    interaction_in,
    lenient_finding,
)
from harness.checks.vocabulary.polling import id_of, poll_until_found
from harness.checks.vocabulary.stored import HELLO, UNKNOWN_ID
from harness.contract.judge.replies import CLIENT_ERROR, SUCCESS
from harness.contract.judge.wording import format_value
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Send, Steps
from harness.kit.check import exercise, judge_one
from harness.outcome import Finding, Unmet
from harness.wire import Exchange

_OPTIONS = new_registry()
CHECKS = _OPTIONS.checks

UNUSUAL_TEXT = "Say hi. Zażółć, 日本語, e\u0301, שלום, 👩\u200d👩\u200d👧, \U0001d11e, tab\t, line\n, \u2028 end."
_MEGABYTE = 1_000_000


@exercise(requests=6)
def contradictory_creates(t: RequestBuilder) -> Steps:
    """Creates that lack a field or contradict themselves; they are refused before a model runs."""
    authors_and_input = ("create.model-xor-agent", "create.both", "create.input-missing")
    return (yield from send_wrong_creates(t, *authors_and_input, "create.config-mismatch", "create.webhook-bg"))


check_refusal(
    _OPTIONS,
    "create.model-xor-agent",
    contradictory_creates,
    title="a create that names neither model nor agent is answered 400",
    profile="core",
    accepts=["400", "another 4xx (non-strict)"],
)


check_refusal(
    _OPTIONS,
    "create.both",
    contradictory_creates,
    title="a create that names both model and agent is answered 400",
    profile="core",
    accepts=["400", "another 4xx (non-strict)"],
)


check_refusal(
    _OPTIONS,
    "create.input-missing",
    contradictory_creates,
    title="a create without input is answered 400",
    profile="core",
    accepts=["400", "another 4xx (non-strict)"],
)


check_refusal(
    _OPTIONS,
    "create.config-mismatch",
    contradictory_creates,
    title="agent_config beside a model is answered 400",
    profile="core",
    accepts=["400", "another 4xx (non-strict)"],
)


check_refusal(
    _OPTIONS,
    "create.webhook-bg",
    contradictory_creates,
    title="webhook_config without background is refused or accepted",
    profile="background",
    accepts=["400", "2xx", "another 4xx (non-strict)"],
)


@exercise(requests=1)
def an_agent_with_a_models_config(t: RequestBuilder) -> Steps:
    """generation_config together with an agent; it is refused before the agent runs."""
    return (yield from send_wrong_creates(t, "create.config-agent"))


check_refusal(
    _OPTIONS,
    "create.config-agent",
    an_agent_with_a_models_config,
    title="generation_config beside an agent is answered 400",
    profile="agents",
    requires=["agents"],
    accepts=["400", "another 4xx (non-strict)"],
)


@exercise(requests=2, interactions=1)
def labelled_creates(t: RequestBuilder) -> Steps:
    """One create with valid labels, one with an invalid label key."""
    return {
        "labelled": (yield Send(t.create(input=HELLO, labels={"harness": "check-1", "empty": ""}))),
        "mislabelled": (yield Send(t.create(input=HELLO, labels={"Not A Key!": "x"}))),
    }


@_OPTIONS.check(
    "create.labels",
    labelled_creates,
    title="labels are accepted by their rules",
    profile="core",
    accepts=["2xx to good labels", "400 to any labels, as the Gemini API answers", "400 to a bad key"],
)
def _takes_labels(labelled: Exchange, mislabelled: Exchange) -> Iterator[Finding]:
    if labelled.status != 400:
        yield from at("labelled", expect_interaction(labelled))
    yield from at("mislabelled", expect_status(mislabelled, accepts={400}))


@exercise(requests=2, interactions=1)
def an_unusual_text(t: RequestBuilder) -> Steps:
    """Text in many scripts, created and read back; `got` is empty if there was no id to read."""
    created: Exchange = yield Send(t.create(input=UNUSUAL_TEXT))
    found = id_of(created)
    return {"created": created, "got": (yield from poll_until_found(t, found))[-1:] if found else []}


@_OPTIONS.check(
    "create.unicode",
    an_unusual_text,
    title="text beyond ASCII survives in the stored input",
    profile="core",
    requires=["store"],
    accepts=["the same characters", "the same text in another normal form (non-strict)"],
)
def _keeps_text(created: Exchange, got: list[Exchange]) -> Iterator[Finding]:
    yield from at("created", expect_interaction(created))
    yield from among("got", got, _shows_the_text)


def _shows_the_text(got: Exchange) -> Iterator[Finding]:
    yield from expect_interaction(got)
    kept = input_text(interaction_in(got))
    if kept is None:
        raise Unmet("the stored interaction does not show its input")
    if kept != UNUSUAL_TEXT:
        say = lenient_finding if _to_nfc(kept) == _to_nfc(UNUSUAL_TEXT) else finding
        yield say("the text came back changed", expected=format_value(UNUSUAL_TEXT), actual=format_value(kept))


def _to_nfc(text: str) -> str:
    return normalize("NFC", text)


@exercise(requests=1, front_end=True)
def a_large_create(t: RequestBuilder) -> Steps:
    """A megabyte of input with an unknown parent, so that it is refused before it costs a token."""
    return {"large": (yield Send(t.create(input="hi " * (_MEGABYTE // 3), previous_interaction_id=UNKNOWN_ID)))}


_OPTIONS.check(
    "create.large",
    a_large_create,
    title="a create of one megabyte is answered",
    profile="core",
    accepts=["2xx", "4xx"],
)(judge_one("large", partial(expect_status, accepts={*SUCCESS, *CLIENT_ERROR})))
