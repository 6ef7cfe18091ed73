"""Search for secrets in recordings, and in files of any recorder. Layer 1.

The check to run before a cassette is shared. It finds what redaction finds, and changes nothing.
"""

from __future__ import annotations

import json
import re
import sys
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from harness.cassette.body_secrets import begins_a_stream
from harness.cassette.entry import from_entry
from harness.cassette.framing import apply
from harness.cassette.layout import blank_scalars, parse_all
from harness.cassette.recording import Recording
from harness.cassette.redactor import Redactor
from harness.documents import explain_unread, read_file
from harness.errors import CassetteError
from harness.wire import StreamProtocol
from harness.wire.coding import DECODED_IN_ALL, TOO_MUCH_DECODED
from harness.wire.secrets import is_secret_header

_HEADERS = frozenset({"headers", "header"})
_PAIRS = frozenset({"queryString", "cookies", "params"})
_LISTED = {(name,) for name in (*_PAIRS, *_HEADERS)}
_MESSAGES = frozenset({"request", "response", "when", "then"})
"""Names that recorders use for the two halves of an exchange."""
_FROM_URLS = str.maketrans("-_", "+/")

_ESCAPE = re.compile(
    rb"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|(?:\r?\n|\r|\xc2\x85|\xe2\x80[\xa8\xa9])[ \t]*)"
)
_ESCAPED_WORD = re.compile(rb"(?<![^\s\"'\\])[^\s\"'\\]*+(?:%b[^\s\"'\\]*)+" % _ESCAPE.pattern)
"""A word of quoted YAML that a search for its letters would miss."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that looks like a secret; `place` is its place in the file, `shown` its first characters."""

    kind: str
    place: str
    shown: str = ""


def scan(recording: Recording, protocol: StreamProtocol, *, secrets: Iterable[str] = ()) -> list[Hit]:
    """Find what redaction would still replace in a recording; `secrets` are values to look for."""
    redactor = Redactor(protocol)
    redactor.hide(secrets)
    return _scan(recording, redactor)


def _scan(recording: Recording, redactor: Redactor) -> list[Hit]:
    before = len(redactor.report)
    redactor.redact(recording)
    return [Hit(item.kind, item.place) for item in redactor.report[before:]]


def scan_file(path: Path, protocol: StreamProtocol, *, secrets: Iterable[str] = ()) -> list[Hit]:
    """Find what looks like a secret in a file: YAML, JSON, JSON Lines, an event stream or text.

    `secrets` are values to look for, such as the user's own keys. A value that one entry of a cassette
    names as a secret is searched in all entries. Raises CassetteError if the file cannot be read.
    """
    try:
        data = read_file(path)
    except OSError as wrong:
        raise CassetteError(f"{path} cannot be read: {explain_unread(wrong)}") from None
    return list(_Scan(protocol, secrets).file(path.name, data))


class _Scan:
    def __init__(self, protocol: StreamProtocol, secrets: Iterable[str]) -> None:
        self._secret = protocol.secret_fields
        self._redactor = Redactor(protocol)
        self._redactor.hide(secrets)
        self._bodies = self._redactor.bodies

    def file(self, name: str, data: bytes) -> Iterator[Hit]:
        """Scan a file. One in UTF-16 or UTF-32, with or without a mark, is plain text once it has no zeros."""
        hits = list(self._scan_file(name, data))
        if not hits and b"\0" in data:
            hits = list(self._scan_file(name, data.replace(b"\0", b"").lstrip(b"\xff\xfe")))
        yield from hits

    def _scan_file(self, name: str, data: bytes) -> Iterator[Hit]:
        name = name.lower()
        if name.endswith((".yaml", ".yml")):
            try:
                hits = list(self._scan_documents(parse_all(Path(name), data)))
            except CassetteError:
                hits = list(self._scan_text(data, ""))
            else:
                hits += self._scan_field_lines(blank_scalars(data))
            # A parser drops the first value of a name that stands twice, and reads no file with a mark of git.
            yield from hits or self._scan_escaped_words(data)
        elif name.endswith((".json", ".har")):
            try:
                yield from self._scan_tree(json.loads(data, object_pairs_hook=_keep_repeated), "", ())
            except (ValueError, RecursionError):
                yield from self._scan_text(data, "")
        elif name.endswith(".jsonl"):
            lines = (line for line in data.splitlines() if line.strip())
            yield from self._scan_text(b"".join(b"data: " + line + b"\n\n" for line in lines), "")
        else:
            yield from self._scan_text(data, "")

    def _scan_field_lines(self, text: str) -> Iterator[Hit]:
        """Scan what is between the values of a YAML file: comments, and the names of anchors and tags."""
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip(" \r-[]{},:?"):
                yield from self._scan_field(line.encode("utf-8", "surrogatepass"), f"line {number}")

    def _scan_escaped_words(self, data: bytes) -> Iterator[Hit]:
        """Scan the words of a YAML file that have escapes or go on in the next line, read by a parser or not."""
        words = b"\n".join(_ESCAPE.sub(_read_escape, found[0]) for found in _ESCAPED_WORD.finditer(data))
        for hit in self._bodies.find(words):
            number = words.count(b"\n", 0, hit.edit.start)
            found = next(islice(_ESCAPED_WORD.finditer(data), number, None))
            line = data.count(b"\n", 0, found.start()) + 1
            yield Hit(hit.kind, f"line {line}")

    def _scan_documents(self, documents: list[Any]) -> Iterator[Hit]:
        """Scan documents as trees; if a cassette's entry yields nothing, also scan it as redaction does."""
        for number, document in enumerate(documents):
            entries = document.get("interactions") if isinstance(document, Mapping) else None
            if not isinstance(entries, list):
                yield from self._scan_tree(document, f"[{number}]", ())
                continue
            within = self._learn(entries)
            yield from self._scan_tree({**document, "interactions": None}, f"[{number}]", ())
            for position, entry in enumerate(entries):
                place = f"[{number}].interactions[{position}]"
                yield from list(self._scan_tree(entry, place, ())) or (
                    self._scan_entry(entry, place)
                    if position < within
                    else [Hit(f"cannot be looked into, {TOO_MUCH_DECODED}", place)]
                )

    def _learn(self, entries: Sequence[Any]) -> int:
        """Learn what the entries name as secrets: the first may quote what the last one names.

        Return how many of them can be looked into, before their decoded bodies are too large.
        """
        room = DECODED_IN_ALL
        for number, entry in enumerate(entries):
            with suppress(ValueError, AttributeError, CassetteError):
                recording = from_entry(entry)
                room -= recording.measure_decoded()
                if room < 0:
                    return number
                self._redactor.learn(recording.decode())
        return len(entries)

    def _scan_entry(self, entry: Any, place: str) -> Iterator[Hit]:
        try:
            hits = _scan(from_entry(entry), self._redactor)
        except (ValueError, AttributeError):
            return
        except CassetteError as wrong:
            yield Hit(f"cannot be looked into, {wrong}", place)
            return
        yield from (Hit(hit.kind, f"{place}, {hit.place}") for hit in hits)

    def _scan_tree(self, value: Any, place: str, path: tuple[str, ...]) -> Iterator[Hit]:
        """Scan a document of any recorder: mappings, lists, bodies as strings; `path` is as in `SecretFields`.

        HTTP headers that the recorder stores are judged by their names, and the path above them is ignored.
        """
        if isinstance(value, Mapping):
            yield from self._scan_mapping(value, place, path)
        elif isinstance(value, list):
            yield from self._scan_list(value, place, path)
        elif isinstance(value, (str, bytes)) and value:
            yield from self._scan_leaf(value, place, path)

    def _scan_mapping(self, value: Mapping[Any, Any], place: str, path: tuple[str, ...]) -> Iterator[Hit]:
        if (plain := _decode_text(value)) is not None:
            value = {**value, "text": plain}
        are_headers = _holds_headers(path)
        if are_headers:
            yield from self._scan_fields(value.items(), place)
        is_listed = path[-2:-1] in _LISTED or (place != "" and not path)  # which the list above judges
        if {"name", "value"} <= value.keys() and not is_listed and is_secret_header(str(value["name"])):
            yield from self._scan_fields([(value["name"], value["value"])], place)
        for key, item in value.items():
            name = str(key).encode("utf-8", "replace")
            found = self._bodies.find(name)
            shown = apply(name, [hit.edit for hit in found]).decode()
            yield from (Hit(hit.kind, f"{place}.{shown}, line 1") for hit in found)
            below = (str(key),) if are_headers else (*path, str(key))
            yield from self._scan_tree(item, f"{place}.{shown}".lstrip("."), below)

    def _scan_list(self, value: list[Any], place: str, path: tuple[str, ...]) -> Iterator[Hit]:
        are_headers = _holds_headers(path)
        if path[-1:] and path[-1] in _PAIRS:
            yield from self._scan_pairs(value, place, is_cookie=path[-1] == "cookies")
        if are_headers:
            pairs = (item for item in value if isinstance(item, Mapping) and {"name", "value"} <= item.keys())
            yield from self._scan_fields(((item["name"], item["value"]) for item in pairs), place)
        for number, item in enumerate(value):
            below = () if are_headers else (*path, "") if isinstance(item, (Mapping, list)) else path
            yield from self._scan_tree(item, f"{place}[{number}]", below)

    def _scan_leaf(self, value: str | bytes, place: str, path: tuple[str, ...]) -> Iterator[Hit]:
        data = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
        name = path[-1] if path else ""
        if _is_body(data):
            yield from self._scan_text(data, place)
        elif isinstance(value, str) and name:
            if self._secret.covers(path) and self._bodies.hide_value(value) != value:
                yield Hit("secret field", place)
            else:
                yield from self._scan_field(json.dumps({name: value}).encode(), place)
        else:
            yield from self._scan_field(data, place)

    def _scan_fields(self, fields: Iterable[tuple[Any, Any]], place: str) -> Iterator[Hit]:
        for name, values in fields:
            for value in values if isinstance(values, list) else [values]:
                text = str(value)
                if is_secret_header(str(name)) and self._bodies.hide_value(text) != text:
                    yield Hit("secret header", f"{place}.{name}", _shorten(text))

    def _scan_pairs(self, pairs: Iterable[Any], place: str, *, is_cookie: bool) -> Iterator[Hit]:
        """Scan the parameters and cookies of a HAR, whose values are secrets because of their place or name."""
        for number, pair in enumerate(pairs):
            if not isinstance(pair, Mapping) or not {"name", "value"} <= pair.keys():
                continue
            name, text = str(pair["name"]), str(pair["value"])
            is_secret = is_cookie or self._secret.names_parameter(unquote(name))
            if is_secret and text and self._bodies.hide_value(text) != text:
                kind = "secret cookie" if is_cookie else "secret parameter"
                yield Hit(kind, f"{place}[{number}].value", _shorten(text))

    def _scan_field(self, data: bytes, place: str) -> Iterator[Hit]:
        for found in self._bodies.find(data):
            yield Hit(found.kind, place)

    def _scan_text(self, data: bytes, place: str) -> Iterator[Hit]:
        for found in self._bodies.find(data):
            line = data.count(b"\n", 0, found.edit.start) + 1
            shown = _shorten(data[found.edit.start : found.edit.end].decode("utf-8", "replace"))
            yield Hit(found.kind, f"{place}, line {line}".lstrip(", "), shown)


def _read_escape(escape: re.Match[bytes]) -> bytes:
    code = escape[1].decode("latin-1")
    return chr(min(int(code[1:], 16), sys.maxunicode)).encode("utf-8", "replace") if code[:1] in "xuU" else b""


def _keep_repeated(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object that keeps all values of a name that stands in it twice, as a list."""
    kept: dict[str, Any] = {}
    for name, value in members:
        kept[name] = [kept[name], value] if name in kept else value
    return kept


def _decode_text(value: Mapping[Any, Any]) -> bytes | None:
    """The text of a HAR's body that is in base64; None if there is none."""
    text = value.get("text")
    if str(value.get("encoding")).lower() != "base64" or not isinstance(text, str):
        return None
    with suppress(ValueError):
        return b64decode(text.rstrip("= \r\n").translate(_FROM_URLS) + "===")
    return None


def _holds_headers(path: tuple[str, ...]) -> bool:
    """Whether a recorder stores HTTP headers at this path."""
    return path[-1:] != () and path[-1] in _HEADERS and (len(path) == 1 or path[-2] in _MESSAGES)


def _is_body(data: bytes) -> bool:
    return data.lstrip()[:1] in (b"{", b"[") or begins_a_stream(data)


def _shorten(text: str) -> str:
    """The first four characters and the length: enough to find a secret, too little to use it."""
    return f"{text[:4]}… ({len(text)} characters)"
