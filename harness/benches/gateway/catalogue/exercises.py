"""The trials: what is sent through the gateway, and how the upstream behaves meanwhile.

Layer 5. A trial yields its passages as they are made, and assumes nothing about the content of an answer. It
raises `NotApplicable` if the gateway does not offer what it needs, and `Unmet` if an earlier answer does not allow
it to go on. Must not know what is right: that is in `rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from math import inf
from typing import Any, TypeAlias

from harness.benches.gateway.bench import Line
from harness.benches.gateway.catalogue.create_fields import AGENT, FIELDS, STRANGER
from harness.benches.gateway.catalogue.findings import NotApplicable
from harness.benches.gateway.catalogue.upstream_answers import (
    Gate,
    Held,
    Meeting,
    edit_stream,
    refusing,
    suffering,
    with_broken_frame,
    with_strangers,
)
from harness.benches.gateway.relayed_exchange import Passage
from harness.contract import PROTOCOL, read
from harness.outcome import Unmet
from harness.wire import Exchange

Passages: TypeAlias = Generator[Passage, None, None]

_DELTAS = ["Hello", " brave", " new", " world,", " déjà vu,", " 東京,", " 🦊🦊", "!"]
_SCRIPT: dict[str, Any] = {"deltas": _DELTAS, "thought": False, "times": 0}
_HELD_AFTER = 5
_AT_FIRST, _ONE_BY_ONE = 3, 9
"""A live stream begins with the first number of events, and goes on one by one up to the second."""
_LONG = {**_SCRIPT, "ticks": 1_000_000}
"""The script of a background run that does not end, however often it is polled."""


@dataclass(frozen=True, slots=True)
class Trial:
    """`run` yields passages named `<name>.<part>`. A trial that `spans` begins before all others and ends last."""

    name: str
    run: Callable[[Line], Passages]
    spans: bool = False


def watching(line: Line) -> Passages:
    """A background run that the client never asks about again, while all other trials run."""
    start = len(line.upstream.calls)
    create = line.create("watch.create", background=True, script=_LONG)
    yield create
    line.until_watched()
    yield line.strays("watch.strays", create.client, start)


def plain(line: Line) -> Passages:
    """A create, two gets of it, a get of an unknown id, a deletion."""
    create = line.create("plain.create")
    yield create
    found = _id_of(create)
    yield line.get("plain.get", found)
    yield line.get("plain.get-input", found, include_input=True)
    yield line.get("plain.unknown", "v1_harness_unknown")
    yield line.delete("plain.delete", found)


def cancelling(line: Line) -> Passages:
    """A background run, cancelled."""
    create = line.create("cancel.create", background=True, script=_LONG)
    yield create
    yield line.cancel("cancel.cancel", _running(create))


def fields(line: Line) -> Passages:
    """Each documented field in a create of its own."""
    for name, extra in FIELDS.items():
        given: dict[str, Any] = {
            key: line.target.agent if value == AGENT else value for key, value in extra.items()
        }
        yield line.create(f"fields.{name}", **given)


def stranger(line: Line) -> Passages:
    """A create with an unknown field."""
    given: dict[str, Any] = {STRANGER: 1}
    yield line.create("stranger.create", **given)


def streaming(line: Line) -> Passages:
    """Four streams: unchanged, in chunks of one byte, with unknown events and fields, with a broken frame."""
    yield line.create("stream.create", stream=True, script=_SCRIPT)
    yield line.create("stream.bytes", stream=True, script=_SCRIPT, answer=suffering("chunks:1"))
    yield line.create("stream.strangers", stream=True, script=_SCRIPT, answer=edit_stream(with_strangers))
    yield line.create("stream.broken-frame", stream=True, script=_SCRIPT, answer=edit_stream(with_broken_frame))


TRUNCATIONS = {
    "none": "event:0,end",
    "boundary": "event:5,end",
    "in-event": "event:6+25,fin",
    "in-character": "utf8:5,rst",
    "reset": "event:5,rst",
    "uncompleted": "completion,end",
    "uncompleted-reset": "completion,rst",
}
"""Where and how the upstream's stream breaks off, as fault plans."""


def truncating(line: Line) -> Passages:
    """Streams and a JSON body that break off."""
    passes_on = True
    for name, plan in TRUNCATIONS.items():
        answer = Held(plan)
        crossing = line.open(f"truncated.{name}", script=_SCRIPT, answer=answer)
        if passes_on and name != "none":
            # A drop that overtakes the events before it would hit a gateway that has not begun its answer yet.
            passes_on = bool(crossing.read(1))
        answer.let()
        yield crossing.finish()
    yield line.create("truncated.json", answer=suffering("calls=byte:40,fin"))


REFUSALS: tuple[tuple[int, str, str, tuple[tuple[str, str], ...]], ...] = (
    (400, "invalid_request", "The harness refuses this call: wrong.", ()),
    (403, "permission_denied", "The harness refuses this call: not allowed.", ()),
    (404, "model_not_found", "The harness refuses this call: no such model.", ()),
    (429, "rate_limit_exceeded", "The harness refuses this call: too many.", (("retry-after", "7"),)),
    (500, "api_error", "The harness refuses this call: broken.", ()),
    (503, "service_unavailable", "The harness refuses this call: busy.", (("retry-after", "7"),)),
)
"""What the upstream refuses with: status, code, message, header fields."""


def refusals(line: Line) -> Passages:
    """Creates that the upstream refuses, plain and streaming."""
    for status, code, message, headers in REFUSALS:
        yield line.create(f"refused.{status}", answer=refusing(status, code, message, headers))
    status, code, message, headers = REFUSALS[0]
    yield line.create("refused.stream", stream=True, answer=refusing(status, code, message, headers))


def losing(line: Line) -> Passages:
    """Creates whose answers are lost: the upstream ran them, and the connection died before the headers."""
    yield line.create("lost.json", answer=suffering("calls=before-headers,rst"))
    yield line.create("lost.stream", stream=True, answer=suffering("before-headers,rst"))


def living(line: Line) -> Passages:
    """A stream whose next event is sent only once the client has the one before."""
    gate = Gate()
    gate.let(_AT_FIRST)
    crossing = line.open("live.stream", script=_SCRIPT, answer=gate)
    arrived = existed = 0
    for existed in range(_AT_FIRST, _ONE_BY_ONE + 1):
        gate.let(existed)
        arrived += len(crossing.read(existed - arrived))
        if arrived < existed:
            break
    crossing.note_early(arrived, existed)
    gate.let(inf)
    yield crossing.finish()


def leaving(line: Line) -> Passages:
    """A client that hangs up while the stream stands still."""
    crossing = line.open("left.stream", script={**_SCRIPT, "hold": {"after": _HELD_AFTER}})
    crossing.read(1)
    passage = crossing.hang_up()
    line.upstream.emulator.release()
    yield passage


def two_at_once(line: Line) -> Passages:
    """Two streams that advance event by event at the same time."""
    scripts = {f"two.{word}": _script_words(word) for word in ("alpha", "omega")}
    yield from line.together(scripts, Meeting(len(scripts), line.patience))


def resuming(line: Line) -> Passages:
    """A background run whose stream the client drops, resumes, and then reads as a whole."""
    create = line.create("resume.create", background=True, script=_SCRIPT)
    yield create
    found = _running(create)
    crossing = line.open_get("resume.first", found, stream=True)
    crossing.read(_HELD_AFTER)
    first = crossing.hang_up()
    yield first
    if not read(first.client).is_stream:
        return
    cursor = last_cursor(first.client)
    if cursor is not None:
        yield line.get("resume.rest", found, stream=True, last_event_id=cursor)
    yield line.get("resume.whole", found, stream=True)


def last_cursor(exchange: Exchange) -> str | None:
    """The last cursor that arrived, from which to resume."""
    cursors = [PROTOCOL.cursor(event) for event in read(exchange).events]
    return next((cursor for cursor in reversed(cursors) if cursor is not None), None)


TRIALS: tuple[Trial, ...] = (
    Trial("watch", watching, spans=True),
    Trial("plain", plain),
    Trial("cancel", cancelling),
    Trial("fields", fields),
    Trial("stranger", stranger),
    Trial("stream", streaming),
    Trial("live", living),
    Trial("left", leaving),
    Trial("two", two_at_once),
    Trial("resume", resuming),
    Trial("truncated", truncating),
    Trial("refused", refusals),
    Trial("lost", losing),
)


def _script_words(word: str) -> dict[str, Any]:
    return {"deltas": [f"{word} {n} " for n in range(8)], "thought": False}


def _id_of(create: Passage) -> str:
    """The id that the client was given. Raises NotApplicable if the gateway refused, Unmet if there is none."""
    if create.not_offered:
        raise NotApplicable(f"the gateway refuses such a create itself ({create.client.status})")
    found = read(create.client).id
    if found is None:
        raise Unmet(f"the create gave the client no id to go on with ({create.client.status})")
    return found


def _running(create: Passage) -> str:
    """The id of a background run. Raises Unmet if none is running upstream."""
    found = _id_of(create)
    if create.answer is None or read(create.answer).status not in ("in_progress", "queued"):
        raise Unmet("no background run came to be upstream")
    return found
