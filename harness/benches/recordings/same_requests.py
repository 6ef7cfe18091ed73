"""Sends the requests of recorded sessions to a service again, to compare its answers with the recorded ones.

Layer 5. A later request may name what an earlier answer gave it (itself, a part of it): the recorded id is
replaced by the one that the service gave in the same place. Knows nothing of any API but which fields hold ids;
must not know what the service is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.cassette import CassetteError, Pieces, Recording, load
from harness.documents import list_files
from harness.wire import Decoder, Driver, Headers, Request, StreamProtocol
from harness.wire.json_value import json_or_none
from harness.wire.message import EVENT_STREAM

_REQUEST = ".request.json"
_ANSWERS = {".json": "application/json", ".sse": EVENT_STREAM}
_NUMBER = re.compile(r"\.(\d+)$")


def sessions_in(path: Path, target: str) -> list[list[Recording]]:
    """The sessions of a cassette, or those of all cassettes and pairs of files in a folder.

    A pair is `NAME.request.json` beside `NAME.json` or `NAME.sse`; it says nothing of where the request went, so
    `target` does. `NAME.0`, `NAME.1` … are one session. Raises CassetteError.
    """
    if not path.is_dir():
        return [list(load(path).recordings)]
    found: dict[str, list[Recording]] = {}
    for request in (file for file in list_files(path) if file.name.endswith(_REQUEST)):
        stem = request.name.removesuffix(_REQUEST)
        answer = next((file for end in _ANSWERS if (file := request.with_name(stem + end)).is_file()), None)
        if answer is not None:
            found.setdefault(_NUMBER.sub("", stem), []).append(_pair(request, answer, target))
    return [*found.values(), *_load_cassettes(path)]


def send_again(session: Sequence[Recording], driver: Driver, protocol: StreamProtocol) -> list[Recording]:
    """The answers of a service to the requests of a session, in their order."""
    ours: list[Recording] = []
    names: dict[str, str] = {}
    for recording in session:
        ours.append(Recording.of(driver.send(_rename(recording.request, names))))
        names.update(_match(_collect_ids(recording, protocol), _collect_ids(ours[-1], protocol)))
    return ours


def _load_cassettes(folder: Path) -> Iterator[list[Recording]]:
    for file in (file for file in list_files(folder) if file.suffix == ".yaml"):
        try:
            yield list(load(file).recordings)
        except CassetteError:
            continue  # the file of another recorder; whoever made it left pairs, or nothing to send again


def _pair(request: Path, answer: Path, target: str) -> Recording:
    kind = next(kind for end, kind in _ANSWERS.items() if answer.name.endswith(end))
    data = answer.read_bytes()
    failed = kind != EVENT_STREAM and isinstance(body := json_or_none(data), dict) and "error" in body
    headers = Headers((("content-type", kind),))
    sent = Request("POST", target, Headers((("content-type", "application/json"),)), request.read_bytes())
    return Recording(sent, 400 if failed else 200, headers, data, Pieces((len(data),), (0,)), approximate=True)


def _rename(request: Request, names: Mapping[str, str]) -> Request:
    """The request with every known id replaced, in its body and in its path."""
    text, target = request.body.decode("utf-8", "surrogateescape"), request.target
    for recorded, own in names.items():
        text = text.replace(json.dumps(recorded), json.dumps(own))
        target = target.replace(recorded, own)
    return Request(request.method, target, request.headers, text.encode("utf-8", "surrogateescape"))


def _match(recorded: Mapping[str, list[str]], own: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Pairs of ids that stand in the same place; an empty one names nothing."""
    for place, values in recorded.items():
        yield from ((old, new) for old, new in zip(values, own.get(place, ()), strict=False) if old)


def _collect_ids(recording: Recording, protocol: StreamProtocol) -> dict[str, list[str]]:
    """The ids in an answer by the field and the type of what holds it, each once, in their order."""
    frames = [frame.data for frame in Decoder().feed(recording.body)] if recording.events else [recording.body]
    found: dict[str, dict[str, None]] = {}
    for value in map(json_or_none, frames):
        for place, identity in _walk(value, protocol.id_fields):
            found.setdefault(place, {})[identity] = None
    return {place: list(values) for place, values in found.items()}


def _walk(value: Any, fields: Iterable[str]) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        kind = value.get("type", value.get("object", ""))
        for name, item in value.items():
            if name in fields and isinstance(item, str):
                yield f"{kind} {name}", item
            else:
                yield from _walk(item, fields)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item, fields)
