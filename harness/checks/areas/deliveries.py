"""Checks of deliveries to webhooks, with a receiver of the harness.

The receiver is on this machine, so at a target elsewhere these checks are not tested. A run is polled to its end
first: the delivery is due afterwards, not the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.checks.vocabulary.expect import among, finding, interaction_in
from harness.checks.vocabulary.runs import id_of, polls, settled, status_of
from harness.checks.vocabulary.shared import FORCED, HELLO, WEATHER
from harness.contract import read
from harness.contract.judge.answer import SUCCESS
from harness.contract.judge.deliveries import ID, SIGNATURE, find_signature_fault, find_token_fault, judge_envelope
from harness.contract.judge.reading import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.contract.tables.protocol import EVENT_OF_STATUS
from harness.kit.check import Collect, Exchanges, Listen, Part, Send, Steps, exercise, stop_exercise
from harness.outcome import Finding, Unmet
from harness.wire import Exchange, Headers, Request
from harness.wire.bodies import object_or_none
from harness.wire.delivery import Arrival, Inbox
from harness.wire.message import segment

WITHIN = 10.0
"""Seconds after the end of a run in which its delivery, and the first retry, have to come."""

_STRANGERS = 40
"""Deliveries about other runs that are passed over, at most so many times."""

KEYS = "/.well-known/jwks.json"


@exercise(requests=11, interactions=2, pauses=1.5, uses=("functions",))
def deliveries_to_a_receiver(t: RequestBuilder) -> Steps:
    """Let a background run be reported, refuse its first delivery, rotate the secret, let another run report."""
    receiver: Inbox = yield Listen()
    body = {"uri": receiver.uri, "subscribed_events": list(EVENT_OF_STATUS.values()), "name": "harness-receiver"}
    made: Exchange = yield Send(t.request("POST", "webhooks", body))
    seen: Exchanges = {"made": made}
    found = id_of(made)
    if not found:
        return stop_exercise(
            seen, f"the target created no webhook for a receiver on this machine: {format_answer(made)}"
        )
    path = f"webhooks/{segment(found)}"
    receiver.refuse_first(ID)
    yield from _run(t, seen, "run", {"input": HELLO})
    if seen["run"] is None:
        return stop_exercise(seen, "the background run did not settle")
    seen["delivered"] = yield from _collect_for(receiver, seen["run"], 2)
    receiver.refuse_first("")
    seen["rotated"] = yield Send(t.request("POST", f"{path}:rotateSigningSecret", {}))
    tool = {"tools": [WEATHER], **FORCED} if "functions" in t.capabilities else {}
    yield from _run(t, seen, "later", {"input": "Weather in Paris?" if tool else HELLO, **tool})
    seen["afterwards"] = (yield from _collect_for(receiver, seen["later"], 1)) if seen["later"] else []
    yield Send(t.request("DELETE", path))
    return seen


@exercise(requests=5, interactions=1, pauses=WITHIN)
def a_delivery_for_one_run(t: RequestBuilder) -> Steps:
    """Name a receiver in the create of a background run, and fetch the published keys."""
    receiver: Inbox = yield Listen()
    seen: Exchanges = {}
    yield from _run(t, seen, "run", {"input": HELLO, "webhook_config": {"uris": [receiver.uri]}})
    if seen["run"] is None:
        return stop_exercise(seen, "no background run with a webhook_config settled")
    seen["keys"] = yield Send(Request("GET", KEYS, Headers(t.headers)))
    if seen["keys"].status not in SUCCESS:  # no delivery could be judged, so it is not waited for
        return stop_exercise(seen, f"the published keys cannot be read: {format_answer(seen['keys'])}")
    return {**seen, "delivered": (yield from _collect_for(receiver, seen["run"], 1))}


@exercise(requests=10, interactions=2, pauses=1.0)
def a_delivery_in_place_of_webhooks(t: RequestBuilder) -> Steps:
    """Beside a webhook, name another receiver in the create of a background run; then let one run without it."""
    standing: Inbox = yield Listen()
    named: Inbox = yield Listen()
    body = {"uri": standing.uri, "subscribed_events": list(EVENT_OF_STATUS.values()), "name": "harness-standing"}
    made: Exchange = yield Send(t.request("POST", "webhooks", body))
    found = id_of(made)
    if not found:
        return stop_exercise(
            {}, f"the target created no webhook for a receiver on this machine: {format_answer(made)}"
        )
    seen: Exchanges = {"came": [], "named": []}
    yield from _run(t, seen, "run", {"input": HELLO, "webhook_config": {"uris": [named.uri]}})
    if seen["run"] is not None:
        seen["named"] = yield from _collect_for(named, seen["run"], 1)
    yield from _run(t, seen, "control", {"input": HELLO})
    for _ in range(_STRANGERS if seen["control"] is not None else 0):
        came: list[Arrival] = yield Collect(standing, 1, WITHIN)
        seen["came"] += came
        if not came or any(_is_about(seen["control"], arrival) for arrival in came):
            break
    yield Send(t.request("DELETE", f"webhooks/{segment(found)}"))
    if seen["run"] is None or seen["control"] is None:
        return stop_exercise({}, "a background run, with a webhook_config or without, did not settle")
    return seen


def _is_about(run: Exchange, arrival: Arrival) -> bool:
    return id_of(run).encode() in arrival.exchange.request.body


def _run(t: RequestBuilder, seen: Exchanges, name: str, fields: Exchanges) -> Part[None]:
    """Start a background run and poll it until it has settled: `name` is the last answer, None if it has not."""
    started: Exchange = yield Send(t.create(fields, background=True))
    seen[f"{name}_started"] = started
    reads = (yield from polls(t, id_of(started))) if id_of(started) else []
    seen[name] = reads[-1] if reads and settled(reads[-1]) else None


def _collect_for(receiver: Inbox, run: Exchange, count: int) -> Part[list[Arrival]]:
    """Collect `count` deliveries about one run; others may belong to other users of the target."""
    ours: list[Arrival] = []
    for _ in range(_STRANGERS):
        came: list[Arrival] = yield Collect(receiver, 1, WITHIN)
        ours += [arrival for arrival in came if _is_about(run, arrival)]
        if len(ours) >= count or not came:
            break
    return ours


def is_delivered(run: Exchange, delivered: list[Arrival]) -> Iterator[Finding]:
    status = status_of(run)
    if status not in EVENT_OF_STATUS:
        raise Unmet(f"the run ended {status}, which no event reports")
    if not delivered:
        expected = f"a POST of {EVENT_OF_STATUS[status]}"
        yield finding(f"no delivery arrived within {WITHIN:.0f} s", expected, "nothing")


def is_signed(made: Exchange, arrivals: list[Arrival], *, member: str, place: str) -> Iterator[Finding]:
    secret = interaction_in(made).get(member)
    if not isinstance(secret, str) or not secret:
        raise Unmet(f"{format_answer(made)} returned no secret, so no signature can be verified")
    for number, request in enumerate(sent.request for sent in _requests(arrivals)):
        if fault := find_signature_fault([secret], request.headers, request.body):
            shown = request.headers.get(SIGNATURE)[:80] or "none"
            yield finding(fault, "v1,<base64>", shown, exchange=f"{place}[{number}]")


def is_an_envelope(run: Exchange, delivered: list[Arrival]) -> Iterator[Finding]:
    contract = read(run).contract
    yield from among(
        "delivered", _requests(delivered), lambda sent: judge_envelope(sent.request, id_of(run), contract)
    )


def fits_the_status(
    run: Exchange, delivered: list[Arrival], later: Exchange | None, afterwards: list[Arrival]
) -> Iterator[Finding]:
    _requests(delivered)
    for name, answer, arrivals in (("delivered", run, delivered), ("afterwards", later, afterwards)):
        expected = EVENT_OF_STATUS.get(status_of(answer)) if answer is not None else None
        for number, sent in enumerate(_requests(arrivals) if expected is not None and arrivals else ()):
            came = (object_or_none(sent.request.body) or {}).get("type")
            if came != expected:
                message = "the event does not match the status"
                yield finding(message, format_value(expected), format_value(came), exchange=f"{name}[{number}]")


def is_made_again(delivered: list[Arrival]) -> Iterator[Finding]:
    first, *more = (sent.request.headers.get(ID) for sent in _requests(delivered))
    if not more:
        yield finding(f"no second attempt arrived within {WITHIN:.0f} s", "a POST", "nothing")
    elif more[0] != first:
        lost = finding("the second attempt has another webhook-id", expected=first, actual=more[0] or "none")
        yield lost.at(exchange="delivered[1]")


def carries_a_token(delivered: list[Arrival], keys: Exchange) -> Iterator[Finding]:
    first = _requests(delivered, "no delivery arrived at the URI in webhook_config")[0]
    signature = first.request.headers.get(SIGNATURE)
    if fault := find_token_fault(signature, read(keys).json):
        yield finding(fault, "a JWS with RS256", signature[:40] or "none", exchange="delivered[0]")


def comes_there_alone(
    run: Exchange, control: Exchange, named: list[Arrival], came: list[Arrival]
) -> Iterator[Finding]:
    _requests(named, "no delivery arrived at the URI in webhook_config")
    if not any(_is_about(control, arrival) for arrival in came):
        raise Unmet("the webhook received no delivery of a run without webhook_config")
    for number, arrival in enumerate(came):
        if _is_about(run, arrival):
            message, expected = "the webhook received the delivery, too", "a delivery at the named URI only"
            yield finding(message, expected, id_of(run), exchange=f"came[{number}]")


def _requests(arrivals: Sequence[Arrival], otherwise: str = "no delivery arrived") -> list[Exchange]:
    """Return the requests of deliveries. Raises `Unmet` if there is none."""
    if not arrivals:
        raise Unmet(otherwise)
    return [arrival.exchange for arrival in arrivals]
