"""Recordings that the tests share, and Hypothesis strategies for any others."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from msgspec import structs

from harness.cassette import Provenance, Recording, Target, Unit
from harness.cassette.framing import pieces_of
from harness.wire import COMPLETE, At, By, Chunked, Ending, Headers, How, Length, Request, UntilClose, encode

URL = "/v1beta/interactions"
JSON = Headers([("content-type", "application/json")])
SSE = Headers([("content-type", "text/event-stream")])


def event(kind: str, cursor: str | None = None, **fields: Any) -> bytes:
    """One frame, as the API writes it."""
    identity = {} if cursor is None else {"event_id": cursor}
    payload = {**fields, **identity, "event_type": kind}
    return encode(kind, json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode())


def text_delta(text: str, cursor: str | None = None, index: int = 0) -> bytes:
    """One frame with a text fragment."""
    return event("step.delta", cursor, index=index, delta={"text": text, "type": "text"})


def frames(
    resource: str = "v1_a", *, cursors: bool = True, texts: Sequence[str] = ("Hel", "lo ", "wörld")
) -> list[bytes]:
    """The frames of a whole stream."""
    ids = (f"e{number}" if cursors else None for number in range(1, 100))
    interaction = {"id": resource, "object": "interaction"}
    return [
        event("interaction.created", next(ids), interaction={**interaction, "status": "in_progress"}),
        event("step.start", next(ids), index=0, step={"type": "model_output"}),
        *(text_delta(text, next(ids)) for text in texts),
        event("step.stop", next(ids), index=0),
        event("interaction.completed", next(ids), interaction={**interaction, "status": "completed"}),
        encode("done", b"[DONE]"),
    ]


def post(body: dict[str, Any], target: str = URL, **headers: str) -> Request:
    """A create request."""
    fields = [("content-type", "application/json"), *((k.replace("_", "-"), v) for k, v in headers.items())]
    return Request("POST", target, Headers(fields), json.dumps(body).encode())


def get(target: str) -> Request:
    """A request without a body."""
    return Request("GET", target)


def answered(request: Request, value: Any, status: int = 200) -> Recording:
    """A recording of a JSON response."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return Recording(request, status, JSON, body, pieces_of([(len(body), 1500)]), framing=Length(len(body)))


def streamed(
    request: Request, parts: Sequence[bytes], ending: Ending = COMPLETE, *, wait: int = 20_000
) -> Recording:
    """A recording of a stream that arrived in these parts."""
    pieces = pieces_of((len(part), wait) for part in parts)
    return Recording(request, 200, SSE, b"".join(parts), pieces, ending, Chunked(), unit=Unit.CHUNK)


PROVENANCE = Provenance(recorder="tap", target=Target.EMULATOR, recorded="2026-11-20", api="gemini-interactions")
HELLO = answered(post({"model": "m", "input": "hi"}), {"id": "v1_a", "status": "completed"})
DROPPED = streamed(
    post({"model": "m", "input": "hi", "stream": True}),
    [*frames()[:3], frames()[3][:40]],
    Ending(how=How.RST, at=At.IN_CHUNK, declared=len(frames()[3]), sent=40),
)


def names(folder: Path) -> list[str]:
    """The files in a folder."""
    return sorted(path.name for path in folder.iterdir())


def folded(headers: Headers) -> dict[str, list[str]]:
    """The headers by lower-case name: YAML mappings keep neither order nor spelling."""
    return {name.lower(): headers.all(name) for name, _ in headers}


def comparable(recording: Recording) -> Recording:
    """A recording whose headers can be compared; repeated request headers are joined into one value."""
    asked = recording.request
    joined = Headers(sorted((name, ", ".join(values)) for name, values in folded(asked.headers).items()))
    came = Headers(sorted((name, v) for name, values in folded(recording.headers).items() for v in values))
    return replace(recording, request=structs.replace(asked, headers=joined), headers=came)


@dataclass
class Plain:
    """A file as plain vcrpy reads it, with a way to save it again; old vcrpy releases drop the metadata."""

    requests: list[Any]
    responses: list[dict[str, Any]]
    save_again: Callable[[], None]
    keeps_metadata: bool


def plain_vcr(path: Path) -> Plain:
    """What plain vcrpy reads from a file; none of our code is involved."""
    from vcr.persisters.filesystem import FilesystemPersister
    from vcr.serializers import yamlserializer

    loaded = FilesystemPersister.load_cassette(path, yamlserializer)
    parts = dict(zip(("requests", "responses", "metadata"), loaded, strict=False))

    def save_again() -> None:
        FilesystemPersister.save_cassette(path, parts, yamlserializer)

    return Plain(loaded[0], loaded[1], save_again, "metadata" in parts)


_TOKEN = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8)
_VALUE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12).map(str.strip)
headers = st.lists(st.tuples(_TOKEN.map("x-{}".format), _VALUE), max_size=4).map(Headers)
_AWKWARD = (
    b"\r\n", b"\n", b"\r", b"\0", b"data: x", "é€😀".encode(), b"\xf0\x9f", b"\xef\xbb\xbf", b"\x1f\x8b\x08",
    "\x85\u2028\ufeff\uffff".encode(), b"- ", b"#", b": ", b'"', b"'", b" ",
)  # fmt: skip
bodies = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(st.sampled_from(_AWKWARD)).map(b"".join),
)


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    """Any valid recording."""
    body = draw(bodies)
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=4)))
    edges = [0, *cuts, len(body)]
    sizes = [b - a for a, b in pairwise(edges)] if body else []
    waits = draw(st.lists(st.integers(0, 10**10), min_size=len(sizes), max_size=len(sizes)))
    framing = draw(st.sampled_from([Chunked(), UntilClose(), Length(len(body)), Length(len(body) + 7)]))
    head = draw(st.booleans())
    detail = st.text("ab\n:é", max_size=5)
    count = st.none() | st.integers(0, 10**6)
    ending = draw(
        st.just(COMPLETE)
        | st.builds(Ending, st.sampled_from(By), st.sampled_from(How), st.sampled_from(At), count, count, detail)
    )
    return Recording(
        request=Request(
            draw(st.sampled_from(["GET", "POST", "DELETE"])),
            "/" + draw(st.text("abc/%2F?&=é~", max_size=12)),
            draw(headers),
            draw(bodies),
        ),
        status=draw(st.integers(200, 599)) if head else None,
        headers=draw(headers) if head else Headers(),
        body=body,
        pieces=pieces_of(zip(sizes, waits, strict=True)),
        ending=ending,
        framing=framing,
        wait=draw(st.integers(0, 10**9)),
        unit=draw(st.sampled_from(Unit)),
        approximate=draw(st.booleans()),
        coding=draw(st.sampled_from(["", "gzip"])),
        reason=draw(st.sampled_from(["", "OK", "Not Found"])),
        origin=draw(st.sampled_from(["https://api.example.com", "http://127.0.0.1:8080"])),
    )
