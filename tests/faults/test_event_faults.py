"""Faults that edit events produce exactly the expected bytes, for any line endings and chunking."""

from __future__ import annotations

import pytest

from harness.contract import PROTOCOL
from harness.faults.event_faults import own_id, real_id
from harness.wire import COMPLETE, At, Chunk, Chunked, Ending, How, Pause, encode
from tests.faults.streams import (
    BODY,
    CRLF_STREAM,
    STREAM,
    bytes_of,
    chunks,
    cursors,
    event,
    payloads,
    pieces_through,
    slices,
    through,
)
from tests.in_one_test import in_one_test

E1, E2, E3, E4, DONE, SENTINEL = STREAM
PING = b": ping\n\n"
STRANGER = encode("harness.unknown", b'{"event_type":"harness.unknown"}')
OUTAGE = PROTOCOL.bare_error(False)
ERROR = ("internal", "This error was put here by a fault plan.")


def bare(block: bytes, number: int) -> bytes:
    """The event without its cursor."""
    return block.replace(b',"event_id":"e%d"' % number, b"")


OUTPUTS = {
    "dup:2": [E1, E2, E2, E3, E4, DONE, SENTINEL],
    "replay:3+2": [E1, E2, E3, E2, E3, E4, DONE, SENTINEL],
    "replay:3+3": [E1, E2, E3, E1, E2, E3, E4, DONE, SENTINEL],
    "dup:6": [*STREAM, SENTINEL],
    "dup:7": [*STREAM],
    "ping:0": [PING, *STREAM],
    "ping:2": [E1, E2, PING, E3, E4, DONE, SENTINEL],
    "ping:all": [E1, PING, E2, PING, E3, PING, E4, PING, DONE, PING, SENTINEL, PING],
    "unknown:0": [STRANGER, *STREAM],
    "unknown:2": [E1, E2, STRANGER, E3, E4, DONE, SENTINEL],
    "unknown:all": [E1, STRANGER, E2, STRANGER, E3, STRANGER, E4, STRANGER, DONE, SENTINEL],
    "error:0": [PROTOCOL.error_event(*ERROR, None), *STREAM],
    "error:2": [E1, E2, PROTOCOL.error_event(*ERROR, None), E3, E4, DONE, SENTINEL],
    "error:2+id": [E1, E2, PROTOCOL.error_event(*ERROR, own_id("e2")), E3, E4, DONE, SENTINEL],
    "error:6+id": [*STREAM, PROTOCOL.error_event(*ERROR, own_id("e5"))],
    "error:0+id": [PROTOCOL.error_event(*ERROR, own_id(None)), *STREAM],
    "bare-error:0": [OUTAGE],
    "bare-error:2": [E1, E2, OUTAGE],
    "bare-error:6": [*STREAM, OUTAGE],
    "bare-error:7": [*STREAM],
    "bare-error:2+refusal": [E1, E2, PROTOCOL.bare_error(True)],
    "dup:1,bare-error:2": [E1, E1, OUTAGE],
    "ids:none": [bare(E1, 1), bare(E2, 2), bare(E3, 3), bare(E4, 4), bare(DONE, 5), SENTINEL],
    "ids:2": [bare(E1, 1), E2, bare(E3, 3), E4, bare(DONE, 5), SENTINEL],
    "late:9": [*STREAM],
    "ping:1,dup:2": [E1, PING, E2, E2, E3, E4, DONE, SENTINEL],
    "unknown:1,dup:2": [E1, STRANGER, STRANGER, E2, E3, E4, DONE, SENTINEL],
    "dup:2,unknown:3": [E1, E2, E2, STRANGER, E3, E4, DONE, SENTINEL],
    "dup:2,event:3,end": [E1, E2, E2],
    "ping:2,event:3,end": [E1, E2, PING, E3],
    "error:2,event:3,end": [E1, E2, PROTOCOL.error_event(*ERROR, None)],
}


@in_one_test(plan=OUTPUTS, size=[1, 50, 100_000])
def test_edits(plan: str, size: int) -> None:
    """Each plan yields exactly these events for any chunking; faults count what earlier faults emit."""
    assert through(plan, slices(BODY, size)) == b"".join(OUTPUTS[plan])


@in_one_test(plan=[plan for plan in OUTPUTS if plan[-2:] not in (":0", "id")])
def test_edits_keep_crlf(plan: str) -> None:
    """Events added to a stream with CR LF line endings have CR LF line endings too."""
    assert through(plan, CRLF_STREAM) == b"".join(OUTPUTS[plan]).replace(b"\n", b"\r\n")


def test_an_edit_waits_for_no_more_than_it_needs() -> None:
    """Output added after event K is emitted together with it, without waiting for the next event."""
    assert bytes_of(pieces_through("dup:2", [Chunk(E1), Chunk(E2)])) == E1 + E2 + E2
    assert bytes_of(pieces_through("ping:0", [Pause(3)])) == PING


def test_late_pauses_before_the_completion() -> None:
    """`late` pauses right before the completing event and changes no bytes."""
    pieces = pieces_through("late:2.5", chunks(STREAM))
    assert pieces[pieces.index(Pause(2.5)) + 1] == Chunk(DONE)
    assert bytes_of(pieces) == BODY


def test_ids_leave_alone_what_has_none() -> None:
    """Events without a cursor or without JSON pass unchanged, and so does a comment before an event."""
    odd = [b'data: {"a": 1}\n\n', b"data: nothing\n\n", b": hi\n\n" + E1]
    assert through("ids:none", odd) == odd[0] + odd[1] + b": hi\n\n" + bare(E1, 1)
    assert cursors(through("ids:none", [event(1, extra="\ud800".encode("utf-16", "surrogatepass").hex())])) == [
        None
    ]


def test_a_stranger_speaks_like_its_neighbours() -> None:
    """An added unknown event has an `event:` line and a type field only if its neighbours have them."""
    openai = b'event: response.x\ndata: {"type":"response.x","n":1}\n\n'
    assert payloads(through("unknown:1", [openai]))[1] == b'{"type":"harness.unknown"}'
    plain = through("unknown:1", [b'data: {"choices":[]}\n\n'])
    assert plain.endswith(b'\n\ndata: {"type":"harness.unknown"}\n\n')


def test_made_up_ids_lead_back() -> None:
    """The id of an added event maps to the real cursor before it, even when nested."""
    assert real_id(own_id("e2")) == "e2"
    assert real_id(own_id(own_id("e2"))) == "e2"
    assert real_id(own_id(None)) is None
    assert real_id("e2") == "e2"


def test_what_never_became_an_event_comes_out_before_the_ending() -> None:
    """An unfinished event at the end of a cut stream is still forwarded, before the ending."""
    rst = Ending(how=How.RST)
    found = pieces_through("ids:none", [Chunk(E1), Chunk(b"data: x"), rst])
    assert found == [Chunk(bare(E1, 1)), Chunk(b"data: x"), rst]


@pytest.mark.parametrize(("held", "missing"), [(b"data: x", 5), (b"", 5)], ids=["inside an event", "at its end"])
def test_a_torn_chunk_is_torn_anew(held: bytes, missing: int) -> None:
    """A chunk that arrives torn leaves torn, with as many bytes missing as before."""
    sent = len(E1) + len(held)
    torn = [
        Chunk(E1 + held, sent + missing),
        Ending(how=How.FIN, at=At.IN_CHUNK, declared=sent + missing, sent=sent),
    ]
    *_, chunk, ending = pieces_through("dup:9", torn, Chunked())
    assert chunk == Chunk(held, len(held) + missing)
    assert ending == Ending(how=How.FIN, at=At.IN_CHUNK, declared=len(held) + missing, sent=len(held))


def test_replay_at_the_end_of_a_cr_stream() -> None:
    """An event that ends in CR is held until the end shows that no LF follows, and then counts."""
    body = E1.replace(b"\n", b"\r")
    assert bytes_of(pieces_through("dup:1", [Chunk(body), COMPLETE])) == body * 2
