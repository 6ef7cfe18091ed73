"""What happened in a case, request by request: who sent what when, and where the faults hit.

Layer 5. Makes data of what was observed; reports draw it.
"""

from __future__ import annotations

from harness.benches.client.judgement.attempt import ClientAttempt
from harness.benches.client.judgement.received_responses import ReceivedResponse
from harness.benches.client.process.client_commands import ClientResult
from harness.engine.results import WireMoment
from harness.outcome.words import format_count, shorten
from harness.wire import How
from harness.wire.json_value import object_or_none

_TARGET_SHOWN, _TEXT_SHOWN = 110, 60


def list_moments(attempt: ClientAttempt) -> tuple[WireMoment, ...]:
    """A moment for each request, with the seconds since the attempt began."""
    return tuple(
        WireMoment(
            at=max(0.0, one.at - attempt.begun),
            request=_describe_request(one),
            answer=_describe_answer(one, attempt),
            fault=_describe_faults(one),
        )
        for one in attempt.received
    )


def describe_end(ended: ClientResult) -> str:
    """What the client made of it, as it said itself."""
    if ended.stopped:
        return f"{ended.stopped}, and was stopped"
    if ended.error:
        return f"reports a failure: {ended.error}"
    status = f", status {ended.status}" if ended.status else ""
    match ended.collected:
        case str() as text:
            return f"reports {format_count(len(text), 'character')}{status}: {_shorten(text)}"
        case list() as events:
            return f"reports {format_count(len(events), 'event')}{status}"
        case {"steps": [*steps]}:
            return f"reports {format_count(len(steps), 'step')}{status}"
    return f"reports the status {ended.status}" if ended.status else "reports nothing"


def _describe_request(one: ReceivedResponse) -> str:
    target = shorten(one.request.target, _TARGET_SHOWN)
    body = object_or_none(one.request.body)
    if body is None:
        return f"{one.request.method} {target}"
    flags = [name for name in ("stream", "background") if body.get(name) is True]
    flags += ["a further turn"] if one.continues else []
    return f"{one.request.method} {target}" + (f" ({', '.join(flags)})" if flags else "")


def _describe_answer(one: ReceivedResponse, attempt: ClientAttempt) -> str:
    if one.headless:
        return "nothing"
    if not one.is_stream:
        return f"{one.status}{_describe_json(one)}"
    events = one.events()
    text = attempt.text_of(events)
    parts = [f"{one.status}, {format_count(len(events), 'event')}"]
    parts += [f"text {_shorten(text)}"] if text else []
    parts += ["completed"] if one.completes else []
    if one.ending is None:
        parts.append("the client hung up")
    elif one.ending.how is not How.COMPLETE:
        parts.append(one.ending.words)
    elif not one.completes:
        parts.append("a clean end without completion")
    return ", ".join(parts)


def _describe_json(one: ReceivedResponse) -> str:
    if one.error:
        return f": {one.error}"
    status = one.read_json().get("status")
    return f", status {status}" if isinstance(status, str) else ""


def _describe_faults(one: ReceivedResponse) -> str:
    return "" if one.suffered is None else ", ".join(map(str, one.suffered.fired))


def _shorten(text: str) -> str:
    return repr(shorten(text, _TEXT_SHOWN))
