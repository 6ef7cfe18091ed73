"""The text of a cassette file: a parser, a strict serializer and an atomic persister, in vcrpy's terms. Layer 1.

The YAML is vcrpy's. This module adds what vcrpy lacks: header fields in order, metadata at the top and kept with
every release of vcrpy, errors that name the line, and a save that replaces the old file completely or not at all.

vcrpy's own parser is not used for two reasons: releases before 8.3 run whatever code a file names, and all
releases hold the whole text twice. Ours knows the few tags that vcrpy uses, makes plain data, and finds the line
of any value.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import hashlib
import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any, Protocol

from harness import written_files
from harness.cassette.entry import KEY, REQUEST_KEYS, from_entry
from harness.cassette.framing import is_text
from harness.cassette.recording import Provenance, Recording
from harness.documents import explain_unread, load_all_yaml, load_yaml, loader_class, open_file, read_file
from harness.errors import CassetteError, FieldError
from harness.outcome import HarnessFault
from harness.outcome.words import UNSEEN, escape_unseen, nearest
from harness.wire.coding import DECODED_IN_ALL, TOO_MUCH_DECODED

_TAG = "tag:yaml.org,2002:python/"


def parse(path: Path, source: IO[bytes] | bytes) -> Any:
    """Parse the document in `source`, the content of `path`. Raises CassetteError with the line of a fault."""
    with _told_of(path, source):
        return load_yaml(source, _build_loader())


def parse_all(path: Path, source: IO[bytes] | bytes) -> list[Any]:
    """Parse every non-empty document in `source`: other recorders write several into one file."""
    with _told_of(path, source):
        return [document for document in load_all_yaml(source, _build_loader()) if document is not None]


def blank_scalars(source: bytes) -> str:
    """A readable YAML file with its keys and values left out: comments, anchors, tags and punctuation, by line."""
    import yaml

    wide = source.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = source.decode("utf-16" if wide else "utf-8-sig")
    parts, at = [], 0
    for token in yaml.scan(text, Loader=_build_loader()):
        if isinstance(token, yaml.ScalarToken):
            start, end = token.start_mark.index, token.end_mark.index
            if token.style in ("|", ">"):  # a comment may follow the indicator
                start = text.find("\n", start, end) if "\n" in text[start:end] else end
            parts += [text[at:start], "\n" * text.count("\n", start, end)]
            at = end
    return "".join((*parts, text[at:]))


RESTORE = "restore it, or record it again"
"""What to do about a file that cannot be read."""

_OF_OTHERS = frozenset({".sse", ".har", ".jsonl"})
"""The suffixes of recordings that only `harness verify` reads."""
_NAME_ONE = "name one, or record one with `harness record`"


@contextmanager
def _told_of(path: Path, source: IO[bytes] | bytes) -> Iterator[None]:
    """Turn PyYAML's errors into a CassetteError."""
    import yaml

    if path.suffix.lower() in _OF_OTHERS:
        raise CassetteError(f"{path}: not a cassette, which is a YAML file: {_NAME_ONE}")
    try:
        yield
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        place = f", line {mark.line + 1}" if mark is not None else ""
        raise CassetteError(f"{path}{place}: not readable as YAML: {wrong.problem}: {RESTORE}") from None
    except yaml.reader.ReaderError as wrong:
        data = source if isinstance(source, bytes) else read_file(path)
        line = data.count(b"\n", 0, wrong.position) + 1
        what = "not UTF-8" if "UTF-8" in wrong.reason or "utf" in wrong.encoding else f"not YAML: {wrong.reason}"
        raise CassetteError(f"{path}, line {line}: {what}: {RESTORE}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as wrong:
        raise CassetteError(f"{path}: not readable as YAML: {str(wrong).splitlines()[0]}: {RESTORE}") from None


def line_of(path: Path, place: tuple[str | int, ...]) -> str:
    """Return `, line N` for the value at `place`; "" if the file cannot be read. Only used in error messages."""
    import yaml

    try:
        node: Any = yaml.compose(read_file(path), Loader=_build_loader())
    except (OSError, yaml.YAMLError):
        return ""
    if node is None:  # an empty file
        return ""
    line = node.start_mark.line
    for step in place:
        if not isinstance(node, yaml.SequenceNode if isinstance(step, int) else yaml.MappingNode):
            break  # what is wrong may be that it is something else
        if isinstance(step, int):
            node = node.value[step]
            line = node.start_mark.line
        else:
            pair = next((pair for pair in node.value if pair[0].value == step), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
    return f", line {line + 1}"


@cache
def _build_loader() -> Any:
    """PyYAML's safe loader, extended to read what vcrpy writes for bodies that were files or iterators."""

    class Loader(loader_class()):  # type: ignore[misc]
        """Private to this module, because constructors are registered per class."""

    Loader.add_constructor("tag:yaml.org,2002:binary", _from_base64)
    for name in ("str", "unicode"):
        Loader.add_constructor(_TAG + name, Loader.construct_scalar)
    Loader.add_constructor(_TAG + "tuple", lambda loader, node: tuple(loader.construct_sequence(node, deep=True)))
    Loader.add_constructor(
        _TAG + "object/new:_io.BytesIO", lambda loader, node: _read_pickled(loader, node, "state")
    )
    Loader.add_constructor(
        _TAG + "object/apply:builtins.iter", lambda loader, node: _read_pickled(loader, node, "args")
    )
    return Loader


def _from_base64(loader: Any, node: Any) -> bytes:
    """Decode base64 as PyYAML does, but without a second copy of the text."""
    import yaml

    try:
        return binascii.a2b_base64(loader.construct_scalar(node))
    except ValueError as wrong:
        raise yaml.constructor.ConstructorError(
            None, None, f"failed to decode base64 data: {wrong}", node.start_mark
        ) from None


def _read_pickled(loader: Any, node: Any, name: str) -> bytes:
    """The bytes of a pickled file (first item of `state`) or iterator (its parts are the first item of `args`)."""
    value: Any = loader.construct_mapping(node, deep=True)
    first = next(iter(value.get(name) or ()), b"") if isinstance(value, Mapping) else b""
    return b"".join(map(_read_bytes, first)) if isinstance(first, (list, tuple)) else _read_bytes(first)


def _read_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8")


class Serializer(Protocol):
    """The reading half of a vcrpy serializer. It takes an open file, which vcrpy passes through unread."""

    def deserialize(self, source: IO[bytes]) -> Any: ...


class Layout:
    """vcrpy's YAML for the file at `path`. `metadata` holds what was read, and is written at the top.

    A new file gets the permissions of the file `like`, if there is one.
    """

    def __init__(self, path: Path, like: Path | None = None) -> None:
        self.path = path
        self.like = like
        self.metadata: dict[str, Any] = {}

    def deserialize(self, source: IO[bytes]) -> dict[str, Any]:
        """Parse and check the document in an open file. Raises CassetteError with the line that is wrong."""
        return self.check(parse(self.path, source))

    def check(self, document: object) -> dict[str, Any]:
        """Check that a parsed document is a cassette; keep its metadata. Raises CassetteError with the line."""
        problem = _find_problem(document)
        if problem is not None or not isinstance(document, Mapping):
            message, place = problem or ("", ())
            raise self.error(message, *place)
        self.metadata = dict(document.get("metadata") or {})
        return dict(document)

    def dump(self, cassette_dict: Mapping[str, Any], file: IO[bytes]) -> None:
        """Write the version, the metadata, then the entries, with header fields in their original order."""
        parts: list[dict[str, Any]] = [{"version": cassette_dict["version"]}]
        if self.metadata:
            parts.append({"metadata": self.metadata})
        parts.append({"interactions": cassette_dict["interactions"]})
        for part in parts:
            dump(part, file)

    def provenance(self) -> Provenance | None:
        """The provenance in `metadata`, None if there is none. Raises CassetteError if it is wrong."""
        try:
            return Provenance.from_metadata(self.metadata)
        except ValueError as wrong:
            raise self.error(str(wrong), "metadata") from None

    def recordings(self, entries: Iterable[Mapping[str, Any]]) -> list[Recording]:
        """Convert entries to recordings. Raises CassetteError naming the entry and the line to edit."""
        made = []
        for number, entry in enumerate(self.readings(entries)):
            if isinstance(entry, ValueError):
                raise self.entry_error(number, entry)
            made.append(entry)
        return made

    @staticmethod
    def readings(entries: Iterable[Mapping[str, Any]]) -> Iterator[Recording | ValueError]:
        """For each entry, yield its recording or the ValueError that describes its problem.

        The problem may be the size of all decoded bodies so far: readers keep them together.
        """
        room = DECODED_IN_ALL
        for entry in entries:
            try:
                recording = from_entry(entry)
            except ValueError as wrong:
                yield wrong
                continue
            room -= recording.measure_decoded() if room >= 0 else 0
            yield recording if room >= 0 else ValueError(TOO_MUCH_DECODED)

    def entry_error(self, number: int, wrong: ValueError) -> CassetteError:
        """A CassetteError for the entry at position `number`, counted from 0."""
        place = wrong.place if isinstance(wrong, FieldError) else ()
        return self.error(f"entry {number + 1}: {wrong}: {RESTORE}", "interactions", number, *place)

    def error(self, message: str, *place: str | int) -> CassetteError:
        """A CassetteError for the value at `place` in the file, with its line."""
        return CassetteError(f"{self.path}{line_of(self.path, place)}: {message}")


class AtomicFile:
    """vcrpy's persister interface: whole files only."""

    @staticmethod
    def load_cassette(cassette_path: str | Path, serializer: Serializer) -> Any:
        """Return requests, responses and, in releases that have it, metadata, as vcrpy expects."""
        from vcr.persisters.filesystem import CassetteNotFoundError  # type: ignore[import-untyped]
        from vcr.serialize import deserialize  # type: ignore[import-untyped]

        try:
            with open_file(cassette_path) as file:
                if all(line.isspace() for line in file):
                    raise CassetteNotFoundError
                file.seek(0)
                return deserialize(file, serializer)
        except FileNotFoundError:
            raise CassetteNotFoundError from None
        except OSError as wrong:
            raise CassetteError(f"{cassette_path} cannot be read: {explain_unread(wrong)}") from None

    @staticmethod
    def save_cassette(cassette_path: str | Path, cassette_dict: Mapping[str, Any], serializer: Layout) -> None:
        """Write a temporary file, and replace the old file only if the new one reads back as it was given.

        Removes the bodies from the given requests and responses, because they may take up most of the memory.
        """
        from vcr.serialize import deserialize, serialize

        path = Path(cassette_path)
        requests, responses = cassette_dict["requests"], cassette_dict["responses"]
        given = [_reduce_to_essence(*pair) for pair in zip(requests, responses, strict=True)]
        with replacing(path, like=serializer.like) as file:
            lighten(requests, responses)
            serialize(cassette_dict, _Into(file, serializer))
            release(requests, responses)
            file.seek(0)
            read = map(_reduce_to_essence, *deserialize(file, _OutOf(path))[:2])
            if given != list(read):
                raise HarnessFault(
                    f"{path} would not read back as it was recorded: left as it was; please report this"
                )


class _Into:
    """The writing half of a serializer, which writes into an open file."""

    def __init__(self, file: IO[bytes], layout: Layout) -> None:
        self._file = file
        self._layout = layout

    def serialize(self, cassette_dict: dict[str, Any]) -> None:
        self._layout.dump(cassette_dict, self._file)


class _OutOf:
    """A serializer that reads the unchecked document; `path` is only for error messages."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def deserialize(self, source: IO[bytes]) -> Any:
        return parse(self._path, source)


def _reduce_to_essence(request: Any, response: Mapping[str, Any]) -> tuple[Any, ...]:
    """The parts of an entry that must survive writing; the response body as a digest, so that it can be freed."""
    body = (response.get("body") or {}).get("string")
    data = body.encode("utf-8") if isinstance(body, str) else body
    digest = None if data is None else hashlib.sha256(data).digest()
    return request.method, request.uri, digest, response.get(KEY)


@contextmanager
def replacing(path: Path, like: Path | None = None) -> Iterator[IO[bytes]]:
    """Open a file that replaces the cassette at `path` when the block ends. Raises CassetteError."""
    is_open = False
    try:
        with written_files.replacing(path, like=like) as file:
            is_open = True
            yield file
    except OSError as wrong:
        if is_open:
            raise
        raise CassetteError(f"{os.path.realpath(path)} cannot be written: {wrong.strerror}") from None


def replace_file(path: Path, data: bytes | Iterable[bytes], like: Path | None = None) -> None:
    """Replace the file at `path`, a name of ours, with `data`, given whole or in parts."""
    with replacing(path, like) as file:
        file.writelines((data,) if isinstance(data, bytes) else data)


def keep_copy(path: Path) -> Path:
    """Copy a file within its folder, under a free name; return the path of the copy."""
    number = 1
    while os.path.lexists(copy := path.with_name(f"{path.stem}.before-{number}{path.suffix}")):
        number += 1
    replace_file(copy, path.read_bytes(), like=path)
    return copy


def _find_problem(document: object) -> tuple[str, tuple[str | int, ...]] | None:
    """(message, place) of the first problem on which vcrpy would fail without saying where, or None."""
    if not isinstance(document, Mapping) or "interactions" not in document:
        form = "which begins with `version: 1` and a list named `interactions`"
        return (f"not a cassette, {form}: record one with `harness record`", ())
    if document.get("version") != 1:
        return (f"version={document.get('version')!r}: vcrpy's format 1 is the one there is", ("version",))
    if not isinstance(document.get("metadata") or {}, Mapping):
        return (f"metadata={str(document['metadata'])[:40]!r} is not a mapping: delete it", ("metadata",))
    if not isinstance(document["interactions"], list):
        return ("`interactions` is not a list: write one entry, `- request: …`, a recording", ("interactions",))
    problems = (_problem_of_entry(number, entry) for number, entry in enumerate(document["interactions"]))
    return next(filter(None, problems), None)


def _problem_of_entry(number: int, entry: object) -> tuple[str, tuple[str | int, ...]] | None:
    """(message, place) of what vcrpy would not load of the entry at position `number`, or None."""
    place: tuple[str | int, ...] = ("interactions", number)
    fields = entry if isinstance(entry, Mapping) else {}
    for part in ("request", "response"):
        if not isinstance(fields.get(part), Mapping):
            others = [] if part in fields else [str(name) for name in fields]
            meant = nearest(part, others, most=1)
            hint = f"was `{meant[0]}` meant?" if meant else RESTORE
            return f"entry {number + 1} has no `{part}` mapping: {hint}", (*place, *(meant or [part]))
    wrong, where = _find_wrong_key(fields["request"])
    return (f"entry {number + 1}: its request {wrong}", (*place, "request", *where)) if wrong else None


def _find_wrong_key(asked: Mapping[object, object]) -> tuple[str, tuple[str, ...]]:
    """The first key of a request that vcrpy does not take, or those that it misses, and the place; "" for none."""
    missing = sorted(REQUEST_KEYS - asked.keys())
    name = next((str(name) for name in asked if name not in REQUEST_KEYS), None)
    if name is None:
        lacks = f"lacks {', '.join(missing)}: write it, or vcrpy cannot load the file"
        return (lacks if missing else ""), ()
    slip = nearest(name, missing, most=1)
    cure = f"did you mean {slip[0]!r}?" if slip else "delete it, or vcrpy cannot load the file"
    return f"contains {name}: {cure}", (name,)


# Write long bodies to YAML as the bytes that libyaml needs, to save memory. vcrpy converts every body to text,
# PyYAML converts the text to bytes, and libyaml copies those. For a body of a hundred megabytes, all copies
# would be in memory at once. PyYAML also accepts a scalar as UTF-8 bytes, and writes the same file.


_LONG = 64 * 1024
"""The size in bytes from which a body is handled this way."""

_LINES = 57 * 1024
"""Bytes encoded at once; a multiple of 57, so that they fill whole lines of MIME base64."""


class Scalar:
    """A scalar in the form in which libyaml will write it."""

    __slots__ = ("style", "tag", "value")

    def __init__(self, tag: str, value: bytes, style: str | None) -> None:
        self.tag = f"tag:yaml.org,2002:{tag}"
        self.value = value
        self.style = style


def dump(part: Mapping[str, Any], file: IO[bytes]) -> None:
    """Write a mapping as YAML for people who compare versions: no folded lines, no escaped letters.

    Characters that change how an editor shows the others are escaped: a recording may come from a stranger.
    """
    import yaml

    out = _Shown(file)
    yaml.dump(part, out, Dumper=dumper(), sort_keys=False, encoding="utf-8", allow_unicode=True, width=_NEVER)


class _Shown:
    """A file that gets YAML with such characters as escapes: they are in quoted scalars; no write splits one.

    If it `reveals`, stand-ins become the characters that they stand for; a write may split their groups.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._kept = b""
        self.reveals = False

    def write(self, data: bytes) -> None:
        if self.reveals:
            data = self._kept + data
            begun = _STAND_INS_AT_END.search(data)
            at = len(data) - len(begun[0]) % _GROUP if begun else len(data)
            self._kept = data[at:]
            data = _STAND_IN_GROUP.sub(_reveal, data[:at])
        if _NO_LITERAL_BYTES.search(data):
            data = escape_unseen(data.decode("utf-8")).encode("utf-8")
        self._file.write(data)


_NEVER = 2**31 - 1
"""The width at which a line is folded."""

_NO_LITERAL = re.compile(f"[\r{UNSEEN}]")
"""Characters that a reader of YAML takes for a line end, or skips, or that change how an editor shows a text: a
string with one of them is escaped."""


_NO_LITERAL_BYTES = re.compile(
    rb"[\r\x7f]|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]|\xef\xbb\xbf"
)
"""The same in UTF-8."""


# libyaml escapes a character beyond U+FFFF, such as an emoji, and writes a scalar with an escape in one line.
# So it gets a printable one as four code points that stand for no character. They are replaced in its output.


_BEYOND = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}")
_FIRST_STAND_IN, _BITS, _DIGITS = 0xFDD0, 5, 4
_GROUP = 3 * _DIGITS
_STAND_IN = rb"(?:\xef\xb7[\x90-\xaf])"
_STAND_INS = re.compile(_STAND_IN)
_STAND_IN_GROUP = re.compile(_STAND_IN + b"{%d}" % _DIGITS)
_STAND_INS_AT_END = re.compile(rb"(?<!" + _STAND_IN + rb")" + _STAND_IN + rb"++\Z")


def _hide(found: re.Match[bytes]) -> bytes:
    number = ord(found[0].decode())
    digits = (number >> _BITS * place & (1 << _BITS) - 1 for place in reversed(range(_DIGITS)))
    return "".join(chr(_FIRST_STAND_IN + digit) for digit in digits).encode()


def _reveal(found: re.Match[bytes]) -> bytes:
    number = 0
    for letter in found[0].decode():
        number = number << _BITS | ord(letter) - _FIRST_STAND_IN
    return chr(number).encode()


def _hide_in(node: Any) -> bool:
    """Put stand-ins into the scalars below a node of YAML; change nothing and return False if one has some."""
    changed: list[tuple[Any, bytes]] = []
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one.value, list):
            for inner in one.value:
                waiting.extend(inner if isinstance(inner, tuple) else (inner,))
        elif not one.value.isascii():
            data = one.value if isinstance(one.value, bytes) else one.value.encode("utf-8", "surrogatepass")
            if _STAND_INS.search(data):
                return False
            beyond = {found.decode() for found in _BEYOND.findall(data)}
            if beyond and all(map(str.isprintable, beyond)):
                changed.append((one, data))
    for one, data in changed:
        hidden = _BEYOND.sub(_hide, data)
        one.value = hidden if isinstance(one.value, bytes) else hidden.decode("utf-8", "surrogatepass")
    return bool(changed)


def _choose_style(text: str) -> str | None:
    """`|` for lines, which are then written as they are, such as the events of a stream; None leaves it open."""
    if _NO_LITERAL.search(text):
        return '"'
    return "|" if "\n" in text else None


@cache
def dumper() -> Any:
    """PyYAML's dumper for text that people compare; it supports `Scalar` if it is the one built on libyaml."""
    import yaml

    class Dumper(getattr(yaml, "CDumper", yaml.Dumper)):  # type: ignore[misc]
        """Private to this module, because representers are registered per class; it writes to a `_Shown`."""

        def __init__(self, stream: _Shown, *rest: Any, **named: Any) -> None:
            super().__init__(stream, *rest, **named)
            self._shown = stream

        def serialize(self, node: Any) -> None:
            self._shown.reveals = _hide_in(node)
            super().serialize(node)

    Dumper.add_representer(
        str, lambda made, text: made.represent_scalar("tag:yaml.org,2002:str", text, style=_choose_style(text))
    )
    if hasattr(yaml, "CDumper"):
        Dumper.add_representer(Scalar, lambda _, one: yaml.ScalarNode(one.tag, one.value, style=one.style))
    return Dumper


def lighten(requests: Iterable[Any], responses: Iterable[dict[str, Any]]) -> None:
    """Replace each long body that vcrpy is about to serialize by a `Scalar`."""
    for request in requests:
        if isinstance(request.body, bytes):
            request.body = _choose_scalar(request.body)
    for response in responses:
        body = response.get("body")
        if isinstance(body, dict) and isinstance(body.get("string"), bytes):
            body["string"] = _choose_scalar(body["string"])


def release(requests: Iterable[Any], responses: Iterable[dict[str, Any]]) -> None:
    """Drop all bodies, to free their memory."""
    for request in requests:
        request.body = None
    for response in responses:
        response["body"] = {}


def _choose_scalar(data: bytes) -> bytes | Scalar:
    """A body for the dumper: unchanged if it is short, or if YAML might read it as something other than text."""
    known = dumper()
    if len(data) < _LONG or Scalar not in known.yaml_representers:
        return data
    if is_text(data):
        style = '"' if _NO_LITERAL_BYTES.search(data) else "|" if b"\n" in data else None
        return data if chr(data[0]) in known.yaml_implicit_resolvers else Scalar("str", data, style)
    text = io.BytesIO()
    for at in range(0, len(data), _LINES):
        text.write(base64.encodebytes(data[at : at + _LINES]))
    return Scalar("binary", text.getvalue(), "|")
