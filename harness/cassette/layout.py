"""The text of a cassette file: read with errors that name the line, written completely or not at all.

The YAML is vcrpy's, with metadata at the top. vcrpy's own parser is not used: releases before 8.3 run whatever
code a file names. Ours knows the few tags that vcrpy uses, makes plain data, and finds the line of any value.

A whole file is read or written at once here; one to record into is in `writer`.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import IO, Any

from harness import files
from harness.cassette.entry import as_entry, from_entry
from harness.cassette.framing import decode_steps, is_text
from harness.cassette.recording import KEY, Provenance, Recording
from harness.cassette.stored_bytes import StoredBytes
from harness.errors import CassetteError, FieldError
from harness.files import explain_unread, load_all_yaml, load_yaml, loader_class, open_file, read_file
from harness.outcome import HarnessFault
from harness.outcome.words import UNSEEN, escape_unseen
from harness.wire.bodies import json_or_none
from harness.wire.message import STEP


def parse(path: Path, source: IO[bytes] | bytes) -> Any:
    """Parse the document in `source`, the content of `path`. Raises CassetteError with the line of a fault."""
    with _told_of(path, source):
        return load_yaml(source, _build_loader())


def parse_all(path: Path, source: IO[bytes] | bytes) -> list[Any]:
    """Parse every non-empty document in `source`: other recorders write several into one file."""
    with _told_of(path, source):
        return [document for document in load_all_yaml(source, _build_loader()) if document is not None]


RESTORE = "restore it, or record it again"
"""What to do about a file that cannot be read."""

_TAKE_ONE_SIDE = (
    "take one side (`git checkout --ours FILE`), and record what it lacks with `--record-mode new_episodes`"
)

SUFFIXES = (".yaml", ".yml")
"""Those of cassettes."""
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
        data = source if isinstance(source, bytes) else read_file(path)
        if conflict := re.search(rb"^<{7} ", data, re.MULTILINE):
            line = data.count(b"\n", 0, conflict.start()) + 1
            raise CassetteError(f"{path}, line {line}: a merge conflict: {_TAKE_ONE_SIDE}") from None
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
            named = node = node.value[step]
        else:
            named, node = next((pair for pair in node.value if pair[0].value == step), (None, None))
            if named is None:
                break
        line = named.start_mark.line
    return f", line {line + 1}"


@cache
def _build_loader() -> Any:
    """PyYAML's safe loader, with the tags of texts from old Pythons, and base64 without a second copy."""
    import yaml

    class Loader(loader_class()):  # type: ignore[misc]
        """Private to this module, because constructors are registered per class."""

    def from_base64(loader: Any, node: Any) -> bytes:
        try:
            return binascii.a2b_base64(loader.construct_scalar(node))
        except ValueError as wrong:
            raise yaml.constructor.ConstructorError(
                None, None, f"failed to decode base64 data: {wrong}", node.start_mark
            ) from None

    Loader.add_constructor("tag:yaml.org,2002:binary", from_base64)
    for name in ("str", "unicode"):
        Loader.add_constructor(f"tag:yaml.org,2002:python/{name}", Loader.construct_scalar)
    return Loader


def read_document(path: Path) -> Any:
    """The parsed document in a file; None if it is blank. Raises FileNotFoundError, or CassetteError."""
    try:
        with open_file(path) as file:
            if all(line.isspace() for line in file):
                return None
            file.seek(0)
            if path.suffix.lower() == ".json" and (document := json_or_none(file.read())) is not None:
                return document  # from vcrpy's JSON serializer; YAML knows no pairs of surrogates
            file.seek(0)
            return parse(path, file)
    except FileNotFoundError:
        raise
    except OSError as wrong:
        raise CassetteError(f"{path} cannot be read: {explain_unread(wrong)}") from None


class Layout:
    """The layout of the cassette at `path`: its `metadata`, once a document is checked, and errors with lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metadata: dict[str, Any] = {}

    def check(self, document: object) -> list[Mapping[str, Any]]:
        """The entries of a parsed document; keep its metadata.

        Raises CassetteError if it is no cassette, also where vcrpy would fail without saying where.
        """
        if not isinstance(document, Mapping) or "interactions" not in document:
            form = "which begins with `version: 1` and a list named `interactions`"
            raise self.error(f"not a cassette, {form}: record one with `harness record`")
        if document.get("version") != 1:
            raise self.error(
                f"version={document.get('version')!r}: vcrpy's format 1 is the one there is", "version"
            )
        metadata, entries = document.get("metadata") or {}, document["interactions"]
        if not isinstance(metadata, Mapping):
            raise self.error(f"metadata={str(metadata)[:40]!r} is not a mapping: delete it", "metadata")
        if not isinstance(entries, list):
            message = "`interactions` is not a list: write one entry, `- request: …`, a recording"
            raise self.error(message, "interactions")
        for number, entry in enumerate(entries):
            for part in ("request", "response"):
                if not isinstance(entry, Mapping) or not isinstance(entry.get(part), Mapping):
                    message = f"entry {number + 1} has no `{part}` mapping: {RESTORE}"
                    raise self.error(message, "interactions", number, part)
        self.metadata = dict(metadata)
        return entries

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
        """For each entry, yield its recording or the ValueError that describes its problem."""
        for entry in entries:
            try:
                yield from_entry(entry)
            except ValueError as wrong:
                yield wrong

    def entry_error(self, number: int, wrong: ValueError) -> CassetteError:
        """A CassetteError for the entry at position `number`, counted from 0."""
        place = wrong.place if isinstance(wrong, FieldError) else ()
        return self.error(f"entry {number + 1}: {wrong}: {RESTORE}", "interactions", number, *place)

    def error(self, message: str, *place: str | int) -> CassetteError:
        """A CassetteError for the value at `place` in the file, with its line."""
        return CassetteError(f"{self.path}{line_of(self.path, place)}: {message}")


def write(
    path: Path, metadata: Mapping[str, Any], entries: Iterable[Mapping[str, Any]], like: Path | None = None
) -> None:
    """Write a cassette beside `path`, and put it in place only if each part reads back as it was given.

    A new file gets the permissions of the file `like`, if there is one.
    """
    with replacing(path, like=like) as file:
        heads = {"version": 1}, {"metadata": metadata} if metadata else {}
        file.writelines(_check(path, dump(head), head) for head in heads if head)
        file.write(b"interactions:\n")
        for entry in entries:
            file.writelines(_dump_entry(path, entry))


def _dump_entry(path: Path, entry: Mapping[str, Any]) -> Iterator[bytes]:
    """The parts of an entry, with bodies as texts, which people can read, where they are UTF-8."""
    long, mark = list[bytes](), f"long-{os.urandom(8).hex()}"
    part = [_show(entry, long, mark)]
    first, *others = _check(path, dump(part), part).split(mark.encode())
    yield first
    for body, before, after in zip(long, (first, *others), others, strict=False):
        line = before.rpartition(b"\n")[2]
        yield from _dump_long(path, body, " " * (len(line) - len(line.lstrip()) + 2))
        yield after.removeprefix(b"\n")


def _show(value: Any, long: list[Any], mark: str, name: str = "") -> Any:
    """The value as it is written, with `mark` in place of each long text, which goes to `long`."""
    if isinstance(value, Mapping):
        return {key: _show(item, long, mark, key) for key, item in value.items()}
    is_body = name in ("body", "string") and isinstance(value, bytes) and len(value) <= STEP and is_text(value)
    is_slow = is_body and re.search(b"[\xf0-\xf4]", value)  # PyYAML's own emitter writes what has an emoji
    most = STEP >> 6 if is_slow else STEP
    if isinstance(value, StoredBytes) or (isinstance(value, str | bytes) and len(value) > most):
        long.append(value.encode("utf-8") if isinstance(value, str) else value)
        return mark
    return value.decode("utf-8") if is_body else value


def _dump_long(path: Path, body: bytes, indent: str) -> Iterator[bytes]:
    """The parts of a long body as YAML, in the styles of `dump`; each step is read back for itself."""
    if not is_text(body):
        yield b"!!binary |\n"
        for at in range(0, len(body), _LINES):
            data = body[at : at + _LINES]
            lines = textwrap.indent(base64.encodebytes(data).decode("ascii"), indent)
            yield _check(path, lines.encode("ascii"), data, before=b"!!binary |\n")
        return
    is_plain = not any(map(_UNSAFE.search, decode_steps(body)))
    if is_plain and b"\n" in body:
        keep = "+" if body[-2:] == b"\n\n" else "" if body[-1:] == b"\n" else "-"
        lead = "2" if body[:1] in (b" ", b"\n") else ""
        yield f"|{lead}{keep}\n".encode("ascii")
        begun = ""  # the indent of a line that began in the step before
        for text in decode_steps(body):
            lines = _LINE.sub(indent, text).removeprefix(begun)
            yield _check(path, lines.encode("utf-8"), text, before=f"|{len(indent)}+\n{begun}".encode("ascii"))
            begun = "" if text.endswith("\n") else indent
        yield b"\n" if begun else b""
        return
    mark = b"'" if is_plain else b'"'
    yield mark
    for text in decode_steps(body):
        shown = text.replace("'", "''") if is_plain else quote(text)[1:-1]
        yield _check(path, shown.encode("utf-8"), text, before=mark, after=mark)
    yield mark + b"\n"


def _check(path: Path, written: bytes, value: object, before: bytes = b"", after: bytes = b"") -> bytes:
    """A part of the file at `path`, if it reads back, between these, as the value of which it was made."""
    if parse(path, before + written + after) != value:
        raise HarnessFault(f"{path} would not read back as it was recorded: left as it was; please report this")
    return written


def quote(text: str) -> str:
    """A double-quoted scalar. JSON's own escapes do not work, because YAML has no surrogate pairs."""
    spelled = json.dumps(text, ensure_ascii=False)
    return _NOT_ASCII.sub(lambda found: f"\\U{ord(found[0]):08x}", spelled)


@contextmanager
def replacing(path: Path, like: Path | None = None) -> Iterator[IO[bytes]]:
    """Open a file that replaces the cassette at `path` when the block ends. Raises CassetteError."""
    is_open = False
    try:
        with files.replacing(path, like=like) as file:
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
    with path.open("rb") as file:
        replace_file(copy, iter(partial(file.read, STEP), b""), like=path)
    return copy


def is_copy(path: Path) -> bool:
    """Whether a file is such a copy of another one in its folder."""
    stem, _, number = path.stem.rpartition(".before-")
    return number.isdecimal() and path.with_name(f"{stem}{path.suffix}").exists()


_NO_LITERAL = re.compile(f"[\r{UNSEEN}]")
"""Characters that a reader of YAML takes for a line end, or skips, or that change how an editor shows a text: a
text with one of them is quoted, and they are escaped."""

_BEYOND = re.compile("[\U00010000-\U0010ffff]")
"""Characters such as emoji, which libyaml escapes; and it writes a text with an escape in a single line."""

_UNSAFE = re.compile(rf"[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[{UNSEEN}]")
"""What stands in no text of YAML as it is, or is not seen there."""

_NOT_ASCII = re.compile(r"[^\x20-\x7e]")
_LINE = re.compile(r"(?m)^(?=[^\n])")
_LINES = 57 * 2**14
"""The bytes of a step of base64: each line of it has 57."""

_NEVER = 2**31 - 1
"""The width at which a line is folded."""


def dump(part: object) -> bytes:
    """Write a part of a document as YAML for people who compare versions: no folded lines, no escaped letters."""
    import yaml

    kind = _build_dumper("SafeDumper" if _has_beyond(part) else "CSafeDumper")
    text = yaml.dump(part, Dumper=kind, sort_keys=False, allow_unicode=True, width=_NEVER)
    if text.endswith("\n...\n"):  # the end of the document, after a text with empty lines: more parts may follow
        text = text.removesuffix("...\n")
    return (escape_unseen(text) if _NO_LITERAL.search(text) else text).encode("utf-8")


def _has_beyond(value: object) -> bool:
    if isinstance(value, str):
        return not value.isascii() and _BEYOND.search(value) is not None
    if isinstance(value, Mapping):
        return any(_has_beyond(name) or _has_beyond(item) for name, item in value.items())
    return isinstance(value, (list, tuple)) and any(map(_has_beyond, value))


@cache
def _build_dumper(name: str) -> Any:
    """PyYAML's dumper of this name, its own where there is no libyaml, with lines as lines: `|`."""
    import yaml

    class Dumper(getattr(yaml, name, yaml.SafeDumper)):  # type: ignore[misc]
        """Private to this module, because representers are registered per class."""

    def represent(made: Any, text: str) -> Any:
        style = '"' if _NO_LITERAL.search(text) else "|" if "\n" in text else None
        return made.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, represent)
    return Dumper


@dataclass(frozen=True, slots=True)
class Cassette:
    """The content of a file; `provenance` is None if another tool made it."""

    path: Path
    recordings: tuple[Recording, ...]
    provenance: Provenance | None = None


def load(path: str | Path) -> Cassette:
    """Read a cassette. Raises CassetteError if there is no such file, or naming the line that is wrong."""
    path, layout = Path(path), Layout(Path(path))
    try:
        document = read_document(path)
    except FileNotFoundError:
        advice = f"name a cassette, or record one there with `harness record`{mention_part(path)}"
        raise CassetteError(f"{path} does not exist: {advice}") from None
    if document is None:
        return Cassette(path, ())
    return Cassette(path, tuple(layout.recordings(layout.check(document))), layout.provenance())


def locate_part(path: Path) -> Path:
    """The file that a recorder writes until it ends."""
    return path.with_name(f"{path.stem}.part.yaml")


def mention_part(path: Path) -> str:
    """The end of a message that names the file of a killed recorder beside a cassette; "" without one."""
    part = locate_part(path)
    return f" (a killed recorder left {part}, which is a cassette, too)" if part.is_file() else ""


def save(path: str | Path, recordings: Sequence[Recording], provenance: Provenance | None = None) -> None:
    """Write a cassette, replacing any file at `path`. Nothing is redacted: do that first. Raises CassetteError."""
    if not recordings:
        raise CassetteError(f"{path}: nothing was recorded, and an empty cassette replays nothing: not written")
    metadata = {} if provenance is None else {KEY: provenance.as_metadata()}
    write(Path(path), metadata, list(map(as_entry, recordings)))
