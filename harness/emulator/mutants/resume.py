"""Mutants: streams of existing interactions, from the beginning or from a cursor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

from harness.emulator.engine import Engine
from harness.emulator.mutants.mutant import Area
from harness.emulator.run.run import Run
from harness.emulator.run.stream_response import Streams
from harness.emulator.values.call import Call, Refusal, not_found
from harness.wire import COMPLETE, Body, Chunk, Chunked, Pause, Piece, PieceBody, Response

RESUME = Area("resume")


@RESUME.mutant("stream-of-stored-json")
class _StreamOfStoredJson(Engine):
    """A read with stream=true is answered with JSON."""

    def flag(self, query: Any, name: str) -> bool:
        wanted = super().flag(query, name)
        return wanted and name != "stream"

    def get(self, call: Call, interaction_id: str) -> Response:
        plain = {name: value for name, value in call.query.items() if name != "last_event_id"}
        return super().get(replace(call, query=plain), interaction_id)


@RESUME.mutant("stream-of-stored-404")
class _StreamOfStored404(Engine):
    """A read with stream=true is answered with 404."""

    def get(self, call: Call, interaction_id: str) -> Response:
        if call.query.get("stream") == "true":
            raise not_found("Method not found.")
        return super().get(call, interaction_id)


@RESUME.mutant("stream-of-stored-empty")
class _StreamOfStoredEmpty(Streams):
    """A stream of an existing interaction is empty."""

    def open(self, run: Run, cursor: str | None = None) -> Response:
        if cursor is None and run.settled and run.background:
            return Response(200, self.headers(), Chunked(), PieceBody((COMPLETE,)))
        return super().open(run, cursor)


@RESUME.mutant("replay-from-third")
class _ReplayFromThird(Streams):
    """A stream without a cursor begins at the third event."""

    def position(self, run: Run, cursor: str | None) -> int:
        return super().position(run, cursor) or (2 if run.background and run.settled else 0)


@RESUME.mutant("resume-skips-one")
class _ResumeSkipsOne(Streams):
    """A resume leaves out the event after the cursor."""

    def after(self, event: int) -> int:
        return event + 2


@RESUME.mutant("resume-skips-last")
class _ResumeSkipsLast(Streams):
    """A resume leaves out the closing event."""

    def body(self, run: Run, position: int) -> Body:
        if position and run.settled:
            chunks = run.frames.all()
            return PieceBody(chain(chunks[position:-2], chunks[-1:], (COMPLETE,)))
        return super().body(run, position)


@RESUME.mutant("resume-inclusive")
class _ResumeInclusive(Streams):
    """A resume repeats the event of its cursor."""

    def after(self, event: int) -> int:
        return event


@RESUME.mutant("resume-repeats-two")
class _ResumeRepeatsTwo(Streams):
    """A resume repeats the last two events."""

    def after(self, event: int) -> int:
        return max(0, event - 1)


@RESUME.mutant("resume-from-start")
class _ResumeFromStart(Streams):
    """The cursor is ignored: every resume begins at the first event."""

    def position(self, run: Run, cursor: str | None) -> int:
        return 0


@RESUME.mutant("resume-ids-renumbered")
class _ResumeIdsRenumbered(Streams):
    """Events have different ids when they are read again."""

    def body(self, run: Run, position: int) -> Body:
        body = super().body(run, position)
        field, tag = b'"event_id":"', run.tag.encode()
        return _Reworded(body, field + tag, field + b"again-" + tag) if position else body


@RESUME.mutant("resume-with-created")
class _ResumeWithCreated(Streams):
    """A resumed stream begins with another interaction.created."""

    def body(self, run: Run, position: int) -> Body:
        body = super().body(run, position)
        return _After(run.frames.chunk(0), body) if position else body


@RESUME.mutant("resume-broken-frame")
class _ResumeBrokenFrame(Streams):
    """A resumed stream begins in the middle of a frame."""

    def body(self, run: Run, position: int) -> Body:
        body = super().body(run, position)
        return _After(Chunk(b'"index":1}\n\n'), body) if position else body


@RESUME.mutant("resume-plus-is-space")
class _ResumePlusIsSpace(Engine):
    """A plus sign in a cursor is read as a space although it was percent-encoded."""

    def get(self, call: Call, interaction_id: str) -> Response:
        query = dict(call.query)
        if "last_event_id" in query:
            query["last_event_id"] = query["last_event_id"].replace("+", " ")
        return super().get(replace(call, query=query), interaction_id)


@RESUME.mutant("resume-half-decoded")
class _ResumeHalfDecoded(Engine):
    """A cursor with a percent-encoded digit is not decoded, because digits need no encoding."""

    def get(self, call: Call, interaction_id: str) -> Response:
        query = dict(call.query)
        if "last_event_id" in query and "%30" in call.request.target:
            query["last_event_id"] = call.request.target.partition("last_event_id=")[2]
        return super().get(replace(call, query=query), interaction_id)


@RESUME.mutant("resume-repeats-at-end")
class _ResumeRepeatsAtEnd(Streams):
    """A resume after the final event repeats the whole stream."""

    def after(self, event: int) -> int:
        return event + 1

    def position(self, run: Run, cursor: str | None) -> int:
        position = super().position(run, cursor)
        return 0 if cursor and run.settled and position >= run.readable - 1 else position


@RESUME.mutant("resume-bad-cursor-crashes")
class _ResumeBadCursorCrashes(Streams):
    """A resume from an unknown cursor is answered with 500."""

    def found(self, run: Run, cursor: str) -> int:
        try:
            return super().found(run, cursor)
        except Refusal:
            raise Refusal(500, "api_error", "Internal error.") from None


@RESUME.mutant("resume-bad-cursor-hangs")
class _ResumeBadCursorHangs(Streams):
    """A resume from an unknown cursor opens a stream that sends nothing and never ends."""

    def open(self, run: Run, cursor: str | None = None) -> Response:
        try:
            return super().open(run, cursor)
        except Refusal:
            return Response(200, self.headers(), Chunked(), _Silent())


@RESUME.mutant("unknown-stream-empty")
class _UnknownStreamEmpty(Engine):
    """A stream of an unknown id is empty instead of refused."""

    def get(self, call: Call, interaction_id: str) -> Response:
        if call.query.get("stream") == "true" and self.find(interaction_id, call.project) is None:
            return Response(200, self.streams.headers(), Chunked(), PieceBody((COMPLETE,)))
        return super().get(call, interaction_id)


@RESUME.mutant("foreground-stream-crashes")
class _ForegroundStreamCrashes(Engine):
    """A stream of a stored foreground interaction is answered with 500."""

    def get(self, call: Call, interaction_id: str) -> Response:
        if call.query.get("stream") == "true" and not self.existing(interaction_id, call.project).background:
            raise Refusal(500, "api_error", "Internal error.")
        return super().get(call, interaction_id)


@RESUME.mutant("finished-run-streams-no-end")
class _FinishedRunStreamsNoEnd(Streams):
    """The stream of a finished run lacks the closing event."""

    def body(self, run: Run, position: int) -> Body:
        if run.settled and run.background:
            chunks = run.frames.all()
            return PieceBody(chain(chunks[position:-2], (COMPLETE,)))
        return super().body(run, position)


class _Wrapped:
    """A body that wraps another."""

    def __init__(self, body: Body) -> None:
        self._body = body

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        return next(self._body)

    def close(self) -> None:
        self._body.close()


class _Reworded(_Wrapped):
    """Replaces one text with another in each chunk."""

    def __init__(self, body: Body, old: bytes, new: bytes) -> None:
        super().__init__(body)
        self._old = old
        self._new = new

    def __next__(self) -> Piece:
        piece = super().__next__()
        return Chunk(piece.data.replace(self._old, self._new)) if isinstance(piece, Chunk) else piece


class _After(_Wrapped):
    """Puts one more chunk in front."""

    def __init__(self, first: Chunk, body: Body) -> None:
        super().__init__(body)
        self._first: Chunk | None = first

    def __next__(self) -> Piece:
        first, self._first = self._first, None
        return next(self._body) if first is None else first


class _Silent:
    """A body that pauses forever."""

    def __init__(self) -> None:
        self._closed = False

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        if self._closed:
            raise StopIteration
        return Pause(1.0)

    def close(self) -> None:
        self._closed = True


@RESUME.mutant("stream-of-another")
class _StreamOfAnother(Engine):
    """The events of a stream that is read again name another interaction."""

    def get(self, call: Call, interaction_id: str) -> Response:
        response = super().get(call, interaction_id)
        if call.query.get("stream") == "true":
            response.body = _Reworded(response.body, f'"{interaction_id}"'.encode(), b'"v1_0000000000000000"')
        return response
