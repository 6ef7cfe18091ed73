"""The first creates of a run find out whether a target serves interactions at all, and in which form.

Layer 2. If the target accepts no form of create, a TargetFault says what it answered instead: it is not this API
or it refuses everybody, so there is nothing to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.contract import read
from harness.contract.judge.errors import rejects_key
from harness.contract.judge.wording import format_answer, format_ending
from harness.contract.requests import RequestBuilder
from harness.kit.wrong_call import explain_wrong_call
from harness.outcome import TargetFault
from harness.wire import Exchange, Request
from harness.wire.message import NOT_READY

GREETING = "Say hi."

_REFUSALS = {
    401: "pass --api-key or set GEMINI_API_KEY",
    402: "it requires a payment",
    403: "this key has no permission for it: pass another one with --api-key",
    429: (
        "it limits the rate or the quota of this key beyond the wait of the run: try again later, with --rate N "
        "or a longer --max-wait S"
    ),
}
_MARKS = frozenset({"id", "status", "steps"})
_EVENT_MARKS = frozenset({"interaction", "interaction_id", "step"})
"""Members of which each stream of this API has one, also where all its event types are wrong."""

Send = Callable[[Request], Exchange]


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a create. `says` are the fields that every later create then needs; `told` explains why."""

    fields: Mapping[str, Any]
    told: str = ""
    says: Mapping[str, Any] = field(default_factory=dict)


FORMS = (
    Form({}),
    Form(
        {"stream": True},
        "it accepts only creates with stream=true: checks without a stream fail, "
        "and --profile streaming judges only streams",
    ),
    Form(
        {"store": False},
        "it accepts only creates with store=false: checks that need storage are not tested",
        {"store": False},
    ),
    Form(
        {"store": False, "stream": True},
        "it accepts only creates with store=false and stream=true: checks without a stream fail, "
        "and --profile streaming judges only streams",
        {"store": False},
    ),
)

_UNASKED = Form(
    {"stream": False},
    "it streams if a create omits `stream`, so all creates send stream=false",
    {"stream": False},
)


@dataclass(frozen=True, slots=True)
class Handshake:
    """The form to use and the answer to it; `refused` is the answer to a simpler create, if one was refused."""

    form: Form
    answer: Exchange
    refused: Exchange | None = None

    @property
    def notes(self) -> Iterator[str]:
        """What a reader of the verdicts needs to know."""
        if self.form.told:
            yield self.form.told + (
                f" (a plain create returned {format_answer(self.refused)})" if self.refused else ""
            )


def shake_hands(target: RequestBuilder, send: Send, *, insist: bool = False) -> Handshake:
    """Try each form until one is accepted. Raises TargetFault if none is.

    `insist`: the user declared capabilities, so the checks judge a refusal that has this API's error shape.
    """
    first = _answer(target, send, FORMS[0])
    if _answered(first) and read(first).is_stream:  # it streams if a create leaves `stream` out
        answer = _answer(target, send, _UNASKED)
        return Handshake(_UNASKED, answer) if _answered(answer) else Handshake(FORMS[1], first, answer)
    if _answered(first):
        return Handshake(FORMS[0], first)
    for form in FORMS[1:]:
        answer = _answer(target, send, form)
        if _answered(answer) and read(answer).is_stream is bool(form.fields.get("stream")):
            return Handshake(form, answer, first)
    if insist and first.status in range(400, 500) and read(first).error is not None:
        return Handshake(
            Form({}, "no create returned an interaction; the declared capabilities are judged"), first, first
        )
    raise TargetFault(_nothing_there(target, first))


def _answer(target: RequestBuilder, send: Send, form: Form) -> Exchange:
    answer = send(target.create(form.fields, input=GREETING))
    if answer.ending.unresolved:
        raise TargetFault(f"{answer.ending.detail}: check the spelling of the URL and the name service (DNS)")
    if answer.status is None:
        raise TargetFault(
            f"the target returned no response ({format_ending(answer)}): check the URL, or wait for the server "
            "with --wait S"
        )
    why = explain_wrong_call(answer)
    if not why and target.key and (answer.status == 401 or rejects_key(answer)):
        why = "the target does not accept the key (--api-key, GEMINI_API_KEY)"
    if why := why or _REFUSALS.get(answer.status, ""):
        raise TargetFault(f"the target rejected a create with {format_answer(answer).rstrip('.')}: {why}")
    return answer


def _answered(answer: Exchange) -> bool:
    reading = read(answer)
    if reading.stream is not None:
        return any(not _EVENT_MARKS.isdisjoint(event) for event in reading.events)
    return reading.interaction is not None and not _MARKS.isdisjoint(reading.interaction)


def _nothing_there(target: RequestBuilder, plain: Exchange) -> str:
    if plain.status in NOT_READY:
        return (
            f"the target is not ready: POST {plain.request.raw_path} with a plain create returned "
            f"{format_answer(plain)!r}, and creates with stream=true and with store=false failed, too. If it is "
            "starting, wait for it with --wait S; if it is overloaded, run again later."
        )
    whole = format_answer(plain)
    returned = repr(whole) if plain.body else f"{plain.status} with an empty body"
    advice = (
        f"Check the root URL, the API version (--api-version {target.version}) and the model "
        f"(--model {target.model})."
    )
    if plain.status == 500:
        advice = "Read the log of the server: it failed on a valid request."
    return (
        f"the target returns no interactions: POST {plain.request.raw_path} with a plain create returned "
        f"{returned}. Requests with stream=true and with store=false also failed. {advice}"
    )
