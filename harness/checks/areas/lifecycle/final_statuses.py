"""Checks of background runs with an unusual beginning or end: queued, failed, or truncated.

Layer 2. Only a scriptable target can be made to queue or to fail a run; elsewhere it happens by chance.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.areas.lifecycle.background import moves
from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.background_runs import read_whole_stream, require_script, script
from harness.checks.vocabulary.expect import at, finding, interaction_in
from harness.checks.vocabulary.polling import need_id, poll_until_settled, polls, settled, status_of
from harness.checks.vocabulary.stored import HELLO
from harness.checks.vocabulary.stream_events import completion, events_in, expect_stream, is_stream, of_kind
from harness.contract.data.output import output_steps
from harness.contract.judge.usage import count_output
from harness.contract.judge.wording import format_answer
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Send, Steps
from harness.kit.check import exercise
from harness.outcome import Finding, Unmet
from harness.wire import Exchange

_ENDINGS = new_registry()
CHECKS = _ENDINGS.checks

ERROR = {"code": "api_error", "message": "The run failed on purpose."}


# --- exercises


@exercise(requests=4, interactions=1)
def a_queued_run(t: RequestBuilder) -> Steps:
    """A run that is queued before it begins; on a target that cannot be scripted this happens by chance."""
    queued = yield from script(t, "queued-run", queued=1, ticks=1)
    created: Exchange = yield Send(t.create(input=f"{HELLO} (queued-run)", background=True))
    found = need_id(created)
    return {"queued": queued, "history": [created, *(yield from polls(t, found))]}


@exercise(requests=5, interactions=1)
def a_failed_run(t: RequestBuilder) -> Steps:
    """A run that was scripted to fail, polled and replayed."""
    yield from require_script(t, "failed-run", status="failed", errors=[ERROR])
    created: Exchange = yield Send(t.create(input=f"{HELLO} (failed-run)", background=True))
    found = need_id(created)
    polled = yield from polls(t, found)
    return {"failed": polled[-1], "failed_stream": (yield from read_whole_stream(t.get(found, stream=True)))}


@exercise(requests=5, interactions=1)
def a_run_cut_short(t: RequestBuilder) -> Steps:
    """A run whose output is limited to one token, polled and replayed."""
    yield from script(t, "short-run", status="incomplete", text="Hel")
    body = {"input": f"{HELLO} (short-run)", "generation_config": {"max_output_tokens": 1}}
    created: Exchange = yield Send(t.create(body, background=True))
    found = need_id(created)
    polled = yield from poll_until_settled(t, found)
    return {"cut_short": polled[-1], "its_stream": (yield from read_whole_stream(t.get(found, stream=True)))}


# --- judges


@_ENDINGS.check(
    "bg.queued",
    a_queued_run,
    title="a queued run says so, and moves on",
    profile="background",
    requires=["background", "store"],
    accepts=["queued, then any state that may follow"],
)
def _says_that_it_waits(queued: bool, history: list[Exchange]) -> Iterator[Finding]:
    if all(status_of(answer) != "queued" for answer in history):
        if not queued:
            raise Unmet("no run was queued", race_lost=True)
        yield finding("a queued run was never seen as one", expected="queued", actual=format_answer(history[0]))
    yield from moves("bg.queued", history)
    if not settled(history[-1]):
        yield finding("a queued run never settled", expected="a settled status", actual=format_answer(history[-1]))


@_ENDINGS.check(
    "bg.failed-diag",
    a_failed_run,
    title="a failed run says why",
    profile="background",
    requires=["background", "store", "script"],
    accepts=["errors", "an error of a model_output step"],
)
def _says_why(failed: Exchange) -> Iterator[Finding]:
    body = interaction_in(failed)
    in_steps = any(step.get("error") for step in output_steps(body))
    if not body.get("errors") and not in_steps:
        yield finding("a failed run without a reason", expected="errors, or the error of a step", actual="neither")


@_ENDINGS.check(
    "bg.failed-visible",
    a_failed_run,
    title="a failure is visible in GET and in the stream",
    profile="background",
    requires=["background", "store", "stream", "script"],
    accepts=["status failed in both", "an error event at the end of the stream"],
)
def _shows_failures(failed: Exchange, failed_stream: Exchange) -> Iterator[Finding]:
    yield from _ends_as("failed", failed, failed_stream, "failed", "failed_stream")


@_ENDINGS.check(
    "bg.incomplete-visible",
    a_run_cut_short,
    title="a truncated answer is visible in GET and in the stream",
    profile="background",
    requires=["background", "store", "stream"],
    accepts=["status incomplete in both"],
)
def _shows_truncation(cut_short: Exchange, its_stream: Exchange) -> Iterator[Finding]:
    if status_of(cut_short) != "incomplete" and _read_stream_status(its_stream) != "incomplete":
        made = count_output(interaction_in(cut_short).get("usage"))
        if made > 1:
            raise Unmet(f"the limit of one output token was ignored: the run made {made} and is no shorter")
        raise Unmet(f"one token was enough: {status_of(cut_short)!r}", race_lost=True)
    yield from _ends_as("incomplete", cut_short, its_stream, "cut_short", "its_stream")


# --- what the judges share


def _read_stream_status(stream: Exchange) -> str:
    if not is_stream(stream) or stream.truncated:
        return ""
    status = (completion(events_in(stream)) or {}).get("status")
    return status if isinstance(status, str) else ""


def _ends_as(status: str, got: Exchange, stream: Exchange, *names: str) -> Iterator[Finding]:
    """Require `status` in the GET and in the stream; `names` are their names among the results."""
    if status_of(got) != status:
        yield finding("the status is another", expected=status, actual=format_answer(got)).at(exchange=names[0])
    yield from at(names[1], expect_stream(stream))
    events = events_in(stream)
    reported = bool(of_kind(events, "error"))
    if _read_stream_status(stream) != status and not (status == "failed" and reported):
        actual = _read_stream_status(stream) or "no interaction.completed"
        yield finding("the stream ends otherwise", expected=status, actual=actual).at(exchange=names[1])
