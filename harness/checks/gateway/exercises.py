"""The exercises: what is sent through the gateway, and how the upstream behaves meanwhile.

An exercise yields actions; the bench keeps each relayed exchange under its name, which begins with the name of the
exercise. It assumes nothing about the content of an answer. It raises `NotApplicable` if the gateway does not
offer what it needs, and `Unmet` if an earlier answer does not allow it to go on. Must not know what is right: that
is in the judges.
"""

from __future__ import annotations

from collections.abc import Generator
from secrets import token_hex
from typing import Any, TypeAlias

from msgspec.structs import replace

from harness.checks.gateway import upstream_answers as upstream
from harness.checks.gateway.client import GatewayClient, HeaderFields
from harness.checks.vocabulary.streams import last_cursor
from harness.contract import read
from harness.contract.requests import KEY_HEADER
from harness.kit.check import Close, Exercise, Finish, Read, exercise
from harness.kit.relay import CollectStrays, CountCalls, NoteArrivals, RelayedExchange, RelayOpen, Release
from harness.outcome import NotApplicable, NotWanted, Unmet

Actions: TypeAlias = Generator[Any, Any, None]
TAKES_GZIP: HeaderFields = (("accept-encoding", "gzip"),)
TAKES_STREAM: HeaderFields = (("accept", "text/event-stream"),)

_HELD_AFTER = 5
AT_ONCE, ONE_BY_ONE = 3, 9
"""A live stream begins with the first number of events, and goes on one by one up to the second."""
_CROWD = 6
"""How many streams are under way at the same time: one more than browsers open, and a pool often has room for."""
_LIVE_READ = 4
"""How many times its patience a read may take: if a gateway buffers, the upstream waits twice for the client."""


@exercise(requests=1, interactions=1, spans=True)
def idle(client: GatewayClient) -> Actions:
    """A stream that stands still after its first events, while all other exercises run."""
    yield from _stand_still(client, "idle.stream", stream=True)


@exercise(requests=1, interactions=1, spans=True)
def slow(client: GatewayClient) -> Actions:
    """A response in JSON that takes as long."""
    yield from _stand_still(client, "slow.create")


def _stand_still(client: GatewayClient, name: str, **fields: Any) -> Actions:
    if not client.idle:
        raise NotWanted("excluded by --idle 0")
    silence = upstream.StandStill(_HELD_AFTER, client.idle)
    limit = client.idle + _LIVE_READ * client.patience
    in_flight = yield client.create_aside(name, script=upstream.SCRIPT, answer=silence, timeout=limit, **fields)
    if not silence.begun:
        raise Unmet("no response of the upstream became idle")
    yield Finish(in_flight)


@exercise(requests=1, interactions=1, spans=True)
def watch(client: GatewayClient) -> Actions:
    """A background run that the client never asks about again, while all other exercises run."""
    start = yield CountCalls()
    create = yield client.create("watch.create", background=True, script=upstream.LONG)
    yield CollectStrays("watch.strays", create.client, start)


@exercise(requests=6, interactions=2)
def plain(client: GatewayClient) -> Actions:
    """A create, sent twice, two gets of the first, a get of an unknown id, a deletion."""
    sent = client.create("plain.create")
    create = yield sent
    yield replace(sent, name="plain.again")
    found = id_of(create)
    yield client.get("plain.get", found)
    yield client.get("plain.get-input", found, include_input=True)
    yield client.get("plain.unknown", "v1_harness_unknown")
    yield client.delete("plain.delete", found)


@exercise(requests=2, interactions=1)
def cancel(client: GatewayClient) -> Actions:
    """A background run, cancelled."""
    create = yield client.create("cancel.create", background=True, script=upstream.LONG)
    yield client.cancel("cancel.cancel", running_id_of(create))


@exercise(requests=len(upstream.FIELDS | upstream.FORMS), interactions=len(upstream.FIELDS | upstream.FORMS))
def fields(client: GatewayClient) -> Actions:
    """Each documented field in a create of its own; then several in each form of a create."""
    for name, extra in (upstream.FIELDS | upstream.FORMS).items():
        agent = client.builder.agent
        given: dict[str, Any] = {key: agent if value == upstream.AGENT else value for key, value in extra.items()}
        yield client.create(f"fields.{name}", **given)


@exercise(requests=2, interactions=2)
def headers(client: GatewayClient) -> Actions:
    """A create that names its revision and gets another tier; one with a header as long as a token of OAuth."""
    revision = ((upstream.REVISION_HEADER, client.builder.contract.revision),)
    yield client.create("headers.create", service_tier="priority", headers=revision)
    yield client.create("headers.long", headers=(("baggage", "harness=" + "a" * 2040),))


@exercise(requests=1)
def stranger(client: GatewayClient) -> Actions:
    """A create with an unknown field."""
    given: dict[str, Any] = {upstream.STRANGER: 1}
    yield client.create("stranger.create", **given)


@exercise(requests=6 + len(upstream.SPELLINGS), interactions=6 + len(upstream.SPELLINGS))
def stream(client: GatewayClient) -> Actions:
    """Streams: large, plain, in one chunk, in single bytes, spelled otherwise, with unknown and broken events."""
    yield client.create("stream.large", stream=True, script=upstream.LARGE)
    for name, answer in {
        "create": None,
        "one-chunk": upstream.join_chunks,
        "bytes": upstream.suffering("chunks:1"),
        **{name: upstream.edit_stream(edit) for name, (_, edit) in upstream.SPELLINGS.items()},
        "strangers": upstream.edit_stream(upstream.with_strangers),
        "broken-frame": upstream.edit_stream(upstream.with_broken_frame),
    }.items():
        yield client.create(f"stream.{name}", stream=True, script=upstream.SCRIPT, answer=answer)


@exercise(
    requests=len(upstream.TRUNCATIONS | upstream.CLOSING) + 1,
    interactions=len(upstream.TRUNCATIONS | upstream.CLOSING) + 1,
)
def truncation(client: GatewayClient) -> Actions:
    """Streams and a JSON body that end early.

    A drop that overtakes the events before it would hit a gateway that has not begun its response yet, so the
    upstream waits for the first event to arrive; a gateway that buffers gets the next streams without that.
    """
    passes_on = True
    for name, plan in (upstream.TRUNCATIONS | upstream.CLOSING).items():
        answer = upstream.Held(plan, closes=name in upstream.CLOSING)
        if passes_on and name != "none":
            in_flight = yield client.open(f"truncation.{name}", script=upstream.SCRIPT, answer=answer)
            passes_on = bool((yield Read(in_flight, 1)))
            answer.let()
            yield Finish(in_flight)
        if not passes_on or name == "none":
            answer.let()
            yield client.create(f"truncation.{name}", stream=True, script=upstream.SCRIPT, answer=answer)
    yield client.create("truncation.json", answer=upstream.suffering("calls=byte:40,fin"))


@exercise(requests=2 * len(upstream.REFUSALS))
def refusal(client: GatewayClient) -> Actions:
    """Creates that the upstream refuses: plain, and streaming with the header of a client that takes streams."""
    for status, code, message, headers in upstream.REFUSALS:
        answer = upstream.refusing(status, code, message, headers)
        yield client.create(f"refusal.{status}", answer=answer)
        yield client.create(f"refusal.stream-{status}", stream=True, answer=answer, headers=TAKES_STREAM)


@exercise(requests=2, interactions=2)
def loss(client: GatewayClient) -> Actions:
    """Creates whose responses are lost: the upstream ran them, and the connection ended before the headers."""
    yield client.create("loss.json", answer=upstream.suffering("calls=before-headers,rst"))
    yield client.create("loss.stream", stream=True, answer=upstream.suffering("before-headers,rst"))


@exercise(requests=2, interactions=2)
def rich(client: GatewayClient) -> Actions:
    """All contents of a response beside text, as a stream and as JSON."""
    yield client.create("rich.stream", stream=True, script=upstream.RICH)
    yield client.create("rich.create", script=upstream.RICH)


@exercise(requests=2 * len(upstream.ENDS), interactions=2 * len(upstream.ENDS))
def ends(client: GatewayClient) -> Actions:
    """Streams and JSON of runs that end in every way but well, and of one without output."""
    for name, script in upstream.ENDS.items():
        yield client.create(f"ends.{name}", stream=True, script={**upstream.SCRIPT, **script})
        yield client.create(f"ends.json-{name}", script={**upstream.SCRIPT, **script})


@exercise(requests=1, interactions=1)
def background(client: GatewayClient) -> Actions:
    """A background run that is streamed from its create on, whose events have ids."""
    yield client.create("background.stream", background=True, stream=True, script=upstream.SCRIPT)


@exercise(requests=3, interactions=1)
def polls(client: GatewayClient) -> Actions:
    """A background run that is asked about twice, and is over at the second time."""
    create = yield client.create("polls.create", background=True, script={**upstream.SCRIPT, "ticks": 1})
    found = running_id_of(create)
    yield client.get("polls.get", found)
    yield client.get("polls.get-again", found)


@exercise(requests=5, interactions=3)
def tools(client: GatewayClient) -> Actions:
    """Parallel calls of a background run and in a stream, then their results in another order."""
    yield client.create("tools.stream", stream=True, script=upstream.CALLS)
    create = yield client.create("tools.create", background=True, script=upstream.CALLS)
    found = running_id_of(create)
    yield client.get("tools.get", found)
    yield client.get("tools.get-again", found)
    yield client.create(
        "tools.results", previous_interaction_id=found, input=upstream.RESULTS, **upstream.TOGETHER
    )


@exercise(requests=len(upstream.BARE_ERRORS), interactions=len(upstream.BARE_ERRORS))
def bare(client: GatewayClient) -> Actions:
    """Streams that end in an error outside of any event."""
    for name, data in upstream.BARE_ERRORS.items():
        answer = upstream.break_with_bytes(_HELD_AFTER, data)
        yield client.create(f"bare.{name}", stream=True, script=upstream.SCRIPT, answer=answer)


@exercise(requests=3, interactions=3)
def live(client: GatewayClient) -> Actions:
    """A stream whose next event is sent only once the client has the one before."""
    yield from _pace(client, "live.stream")


@exercise(requests=4, interactions=4)
def gzip(client: GatewayClient) -> Actions:
    """Answers to a client that takes gzip: JSON that comes compressed from upstream, and a live stream."""
    yield client.create("gzip.create", answer=upstream.compress_if_asked, headers=TAKES_GZIP)
    yield from _pace(client, "gzip.live", headers=TAKES_GZIP)


def _pace(client: GatewayClient, name: str, *, headers: HeaderFields = ()) -> Actions:
    """Read a stream whose next event is sent only once the client has the one before.

    If some events are late, it is read again, up to twice: a busy machine is late now and then, not each time.
    """
    for look in (name, f"{name}-again", f"{name}-at-last"):
        gate = upstream.Gate(AT_ONCE, ONE_BY_ONE, client.patience)
        in_flight = yield client.open(
            look, script=upstream.SCRIPT, answer=gate, timeout=_LIVE_READ * client.patience, headers=headers
        )
        arrivals: list[int] = []
        while len(arrivals) < ONE_BY_ONE and (yield Read(in_flight, 1)):
            arrivals.append(gate.sent)
            gate.acknowledge(len(arrivals))
        yield NoteArrivals(in_flight, tuple(arrivals))
        yield Finish(in_flight)
        if not 0 < sum(sent > max(AT_ONCE, number + 1) for number, sent in enumerate(arrivals)) < len(arrivals):
            return


@exercise(requests=1, interactions=1)
def hang_up(client: GatewayClient) -> Actions:
    """A client that disconnects while the stream is silent, with nothing left to read.

    With unread data a system resets the connection instead of ending it, which more gateways notice.
    """
    script = {**upstream.SCRIPT, "hold": {"after": _HELD_AFTER}}
    in_flight = yield client.open("hang_up.stream", script=script)
    yield Read(in_flight, _HELD_AFTER)
    yield Close(in_flight)
    yield Release()


@exercise(requests=2, interactions=2)
def two(client: GatewayClient) -> Actions:
    """Two streams that advance event by event at the same time."""
    scripts = {f"two.{word}": _write_script(word) for word in ("alpha", "omega")}
    yield client.together(scripts, upstream.Meeting(len(scripts), client.patience))


@exercise(requests=3, interactions=3)
def users(client: GatewayClient) -> Actions:
    """Creates with the key of all exercises, and with those of two users, which no gateway can have as its own."""
    for word in ("usual", "one", "other"):
        own = () if word == "usual" else ((KEY_HEADER, f"harness-{word}-{token_hex(8)}"),)
        made = yield client.create(f"users.{word}", stream=word == "other", headers=own)
        if made.not_offered:
            raise NotApplicable(f"the gateway itself rejects an unknown key ({made.client.status})")


@exercise(requests=6, interactions=6)
def crowd(client: GatewayClient) -> Actions:
    """Six streams at the same time, as six clients open them."""
    scripts = {f"crowd.{word}": _write_script(word) for word in ("one", "two", "three", "four", "five", "six")}
    yield client.together(scripts, upstream.Meeting(len(scripts), client.patience))


@exercise(requests=3 + _CROWD, interactions=1 + _CROWD)
def busy(client: GatewayClient) -> Actions:
    """A background run that is resumed beside streams that stand still until then."""
    create = yield client.create("busy.create", background=True, script=upstream.SCRIPT)
    found = running_id_of(create)
    whole = yield client.get("busy.whole", found, stream=True)
    cursor = last_cursor(read(whole.client).events)
    if cursor is None:
        raise Unmet("no event with an id arrived to resume from")
    meeting = upstream.Meeting(_CROWD + 1, client.patience)
    beside = []
    for number in range(_CROWD):
        script, limit = _write_script(f"beside {number}"), _LIVE_READ * client.patience
        in_flight = yield client.create_aside(
            f"busy.stream-{number}", stream=True, script=script, answer=meeting, timeout=limit
        )
        beside.append(in_flight)
    yield client.get("busy.rest", found, stream=True, last_event_id=cursor)
    meeting.note_arrival()
    for in_flight in beside:
        yield Finish(in_flight)


@exercise(requests=4, interactions=1)
def resume(client: GatewayClient) -> Actions:
    """A background run whose stream the client drops, resumes, and then reads as a whole."""
    create = yield client.create("resume.create", background=True, script=upstream.SCRIPT)
    found = running_id_of(create)
    in_flight = yield RelayOpen(client.get("resume.first", found, stream=True))
    yield Read(in_flight, _HELD_AFTER)
    first = yield Close(in_flight)
    if not read(first.client).is_stream:
        return
    cursor = last_cursor(read(first.client).events)
    if cursor is not None:
        yield client.get("resume.rest", found, stream=True, last_event_id=cursor)
    yield client.get("resume.whole", found, stream=True)


EXERCISES: tuple[Exercise, ...] = (
    idle, slow, watch, plain, cancel, fields, headers, stranger, stream, rich, ends, background, polls, tools,
    live, gzip, hang_up, two, users, crowd, busy, resume, truncation, bare, refusal, loss,
)  # fmt: skip
"""In the order in which they are played; those that span the others also end in this order."""


def id_of(create: RelayedExchange) -> str:
    """The id that the client was given. Raises NotApplicable if the gateway refused, Unmet if there is none."""
    if create.not_offered:
        raise NotApplicable(f"the gateway itself rejects such a create ({create.client.status})")
    found = read(create.client).id
    if found is None:
        raise Unmet(f"the create returned no id to the client ({create.client.status})")
    return found


def running_id_of(create: RelayedExchange) -> str:
    """The id of a background run. Raises Unmet if none is running upstream."""
    found = id_of(create)
    if create.answer is None or read(create.answer).status not in ("in_progress", "queued"):
        raise Unmet("no background run started upstream")
    return found


def _write_script(word: str) -> dict[str, Any]:
    return {"deltas": [f"{word} {n} " for n in range(8)], "thought": False}
