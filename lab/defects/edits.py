"""How a defect changes a JSON value or the frames of a stream, and what a legal server may write differently.

A path names members of objects; `*` is each item of an array. Each of `ODDITIES` must leave every
check as it is. Must not know requests or scenes, nor when an edit is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from harness.wire import Chunked, Framing, Headers, Response, UntilClose

Path: TypeAlias = tuple[str, ...]
Json: TypeAlias = Any

GONE = object()
"""What a change returns to remove the member."""


def format_path(path: Path) -> str:
    """Return a path as text: `steps.*.type`."""
    return ".".join(path)


def list_paths(value: Json, before: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Yield each member of a JSON value with its path."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield (*before, name), member
            yield from list_paths(member, (*before, name))
    elif isinstance(value, list):
        for item in value:
            yield from list_paths(item, (*before, "*"))


def copy_value(value: Json) -> Json:
    """Return a value that shares no part with the first; `copy.deepcopy` takes three times as long."""
    if isinstance(value, dict):
        return {name: copy_value(member) for name, member in value.items()}
    return [copy_value(item) for item in value] if isinstance(value, list) else value


def edit_member(value: Json, path: Path, change: Callable[[Json], Json]) -> None:
    """Apply a change to each member that the path names."""
    head, rest = path[0], path[1:]
    if head == "*":
        if isinstance(value, list):
            for item in value:
                edit_member(item, rest, change)
    elif isinstance(value, dict) and head in value:
        if rest:
            edit_member(value[head], rest, change)
        elif (changed := change(value[head])) is GONE:
            del value[head]
        else:
            value[head] = changed


def empty(value: Json) -> Json:
    """Return the empty value of the same type; null where a type has none."""
    return type(value)() if isinstance(value, str | list | dict) else None


def retype(value: Json) -> Json:
    """Return a value of another type."""
    if isinstance(value, str):
        return 17
    if isinstance(value, dict):
        return [value]
    return {"value": value} if isinstance(value, list) else json.dumps(value)


def cut(value: Json) -> Json:
    """Return the first half of a value."""
    if isinstance(value, str | list):
        return value[: len(value) // 2]
    if isinstance(value, dict):
        return dict(list(value.items())[: len(value) // 2])
    return value // 2 if isinstance(value, int) and not isinstance(value, bool) else value


# Frames of a stream: blocks of lines that end with a blank line.


_DATA = re.compile(rb"^data: (.*)$", re.MULTILINE)


def payload_of(block: bytes) -> Json:
    """Return the JSON of a frame; None for any other data."""
    found = _DATA.search(block)
    if found is None:
        return None
    try:
        return json.loads(found[1])
    except ValueError:
        return None


def with_payload(block: bytes, payload: Json) -> bytes:
    """Return the frame with other JSON."""
    data = b"data: " + encode(payload)
    return _DATA.sub(lambda _: data, block, count=1)


def encode(value: Json) -> bytes:
    """Return a JSON value as bytes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def type_of(payload: Json) -> str:
    """Return the type of an event, with the type of its delta or step; `""` for none."""
    if not isinstance(payload, dict):
        return ""
    name = payload.get("event_type")
    inner = payload.get("delta") or payload.get("step")
    kind = inner.get("type") if isinstance(inner, dict) else None
    return f"{name}:{kind}" if isinstance(kind, str) else str(name or "")


# What a legal server may write differently.


def reverse_keys(value: Json) -> Json:
    """Return the value with the members of each object in reverse order."""
    if isinstance(value, dict):
        return {name: reverse_keys(value[name]) for name in reversed(value)}
    return [reverse_keys(item) for item in value] if isinstance(value, list) else value


def add_unknown(value: Json) -> Json:
    """Return the value with one more member in its outermost object."""
    return {**value, "x_future_field": {"note": "a later revision"}} if isinstance(value, dict) else value


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def respell_times(value: Json, spelling: str) -> Json:
    """Return the value with each UTC instant ending in `spelling`, such as `.000Z` or `+00:00`."""
    if isinstance(value, dict):
        return {name: respell_times(member, spelling) for name, member in value.items()}
    if isinstance(value, list):
        return [respell_times(item, spelling) for item in value]
    if isinstance(value, str) and _TIME.fullmatch(value):
        return value.partition(".")[0].removesuffix("Z") + spelling
    return value


def _same_body(value: Any, data: bytes) -> bytes:
    return data


def _same_frames(block: bytes, payload: Any) -> list[bytes]:
    return [block]


def _same_head(response: Response) -> None:
    """Change nothing."""


@dataclass(frozen=True, slots=True)
class Oddity:
    """How a legal server differs: in JSON bodies, in frames, in the head of a response, or in seconds.

    One that is not `at_any_time` changes what two readers of the same stream may compare.
    """

    summary: str
    body: Callable[[Any, bytes], bytes] = _same_body
    frames: Callable[[bytes, Any], list[bytes]] = _same_frames
    change_head: Callable[[Response], None] = _same_head
    pause: float = 0.0
    at_any_time: bool = True


def _by_value(change: Callable[[Any], Any], *, in_events: bool = True) -> dict[str, Any]:
    def body(value: Any, data: bytes) -> bytes:
        return encode(change(value))

    def frames(block: bytes, payload: Any) -> list[bytes]:
        return [block] if payload is None else [with_payload(block, change(payload))]

    return {"body": body, "frames": frames} if in_events else {"body": body}


def _in_frames(change: Callable[[bytes], bytes]) -> dict[str, Any]:
    return {"frames": lambda block, payload: [change(block)]}


def _add_header(name: str, value: str) -> Callable[[Response], None]:
    def change(response: Response) -> None:
        response.headers = Headers((*response.headers.items(), (name, value)))

    return change


def _name_charset(response: Response) -> None:
    kind = response.headers.get("content-type")
    if kind and "charset" not in kind:
        response.headers = response.headers.having("content-type", f"{kind}; charset=utf-8")


def _spell_headers(response: Response) -> None:
    response.headers = Headers((name.title(), value) for name, value in response.headers)


def _write_ascii(block: bytes, payload: Any) -> list[bytes]:
    if payload is None:
        return [block]
    head, _, _ = block.partition(b"data: ")
    return [head + b"data: " + json.dumps(payload).encode() + b"\n\n"]


def _write_lines(block: bytes, payload: Any) -> list[bytes]:
    """One `data` line for each line of indented JSON."""
    if payload is None:
        return [block]
    head, _, _ = block.partition(b"data: ")
    lines = json.dumps(payload, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass").split(b"\n")
    return [head + b"".join(b"data: " + line + b"\n" for line in lines) + b"\n"]


def _split_bytes(block: bytes, payload: Any) -> list[bytes]:
    return [block[at : at + 1] for at in range(len(block))]


def _add_event(block: bytes, payload: Any) -> list[bytes]:
    if type_of(payload).startswith("interaction.status_update"):
        extra = b'event: interaction.progress\ndata: {"percent":50,"event_type":"interaction.progress"}\n\n'
        return [block, extra]
    return [block]


def _set_framing(framing: Framing) -> Callable[[Response], None]:
    def change(response: Response) -> None:
        response.framing = framing

    return change


ODDITIES: dict[str, Oddity] = {
    "keys reversed": Oddity("Members of objects come in another order.", **_by_value(reverse_keys)),
    "unknown member": Oddity(
        "Objects have a member of a later revision.", **_by_value(add_unknown), at_any_time=False
    ),
    "instants with fractions": Oddity(
        "Instants have milliseconds.", **_by_value(lambda value: respell_times(value, ".000Z"))
    ),
    "instants with nanoseconds": Oddity(
        "Instants have nine digits after the point.",
        **_by_value(lambda value: respell_times(value, ".000000000Z")),
    ),
    "instants with an offset": Oddity(
        "Instants end in `+00:00`.", **_by_value(lambda value: respell_times(value, "+00:00"))
    ),
    "indented": Oddity(
        "JSON is indented, in streams with a `data` line for each line.",
        body=lambda value, data: json.dumps(value, ensure_ascii=False, indent=2).encode("utf-8", "surrogatepass"),
        frames=_write_lines,
    ),
    "escaped": Oddity(
        "JSON escapes all characters that are not ASCII.",
        body=lambda value, data: json.dumps(value).encode(),
        frames=_write_ascii,
    ),
    "comments": Oddity("A comment precedes each event.", **_in_frames(lambda block: b": keep-alive\n\n" + block)),
    "comments inside": Oddity(
        "A comment precedes the data of each event.", **_in_frames(lambda block: b":\n" + block)
    ),
    "line ends": Oddity(
        "Lines of streams end in CR LF.", **_in_frames(lambda block: block.replace(b"\n", b"\r\n"))
    ),
    "no space": Oddity(
        "No space follows the colons of streams.",
        **_in_frames(lambda block: block.replace(b"event: ", b"event:").replace(b"data: ", b"data:")),
    ),
    "data first": Oddity(
        "The `data` line precedes the `event` line.",
        **_in_frames(lambda block: b"\n".join([*reversed(block.strip().split(b"\n")), b"", b""])),
    ),
    "retry": Oddity(
        "Each event states a reconnection time.", **_in_frames(lambda block: b"retry: 3000\n" + block)
    ),
    "ids of lines": Oddity("Each event has an `id` line.", **_in_frames(lambda block: b"id: 7\n" + block)),
    "unknown field of lines": Oddity(
        "Each event has a line with an unknown field.", **_in_frames(lambda block: b"x: y\n" + block)
    ),
    "bytes one by one": Oddity("Streams arrive in chunks of one byte.", frames=_split_bytes),
    "unknown event": Oddity("An event of a later revision follows each status update.", frames=_add_event),
    "chunked": Oddity("Bodies have no Content-Length, but chunks.", change_head=_set_framing(Chunked())),
    "until close": Oddity("The end of the connection ends a body.", change_head=_set_framing(UntilClose())),
    "slow": Oddity("The server waits before each body and each event.", pause=0.7),
    "charset": Oddity("Content types state a charset.", change_head=_name_charset),
    "spelling of headers": Oddity("Header names begin with capitals.", change_head=_spell_headers),
    "more headers": Oddity(
        "Responses have headers of a front end.", change_head=_add_header("x-request-id", "0123")
    ),
    "no cache": Oddity("Responses forbid caching.", change_head=_add_header("cache-control", "no-store")),
    "server name": Oddity("Responses name a server.", change_head=_add_header("server", "ESF")),
}
