"""Search for secrets in recordings, and in files of any recorder, and mend a cassette that has some.

The check to run before a cassette is shared. It finds what redaction finds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.cassette.entry import replace_halves
from harness.cassette.har import exchanges_in
from harness.cassette.layout import SUFFIXES, Layout, keep_copy, parse_all, read_document, replace_file, write
from harness.cassette.recording import Recording
from harness.cassette.redactor import Redactor
from harness.errors import CassetteError
from harness.files import explain_unread, read_file
from harness.wire import Exchange, StreamProtocol

_COMMENT = re.compile(rb"(?:^|[ \t])#[^\n]*", re.MULTILINE)


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
    redactor.redact(recording)
    return [Hit(item.kind, item.place) for item in redactor.report]


def scan_file(path: Path, protocol: StreamProtocol, *, secrets: Iterable[str] = ()) -> list[Hit]:
    """Find what looks like a secret in a file: YAML, JSON, JSON Lines, an event stream or text.

    `secrets` are values to look for, such as the user's own keys. A value that one entry of a cassette
    names as a secret is searched in all entries. Raises CassetteError if the file cannot be read.
    """
    try:
        data = read_file(path)
    except OSError as wrong:
        raise CassetteError(f"{path} cannot be read: {explain_unread(wrong)}") from None
    if b"\0" in data:  # text in UTF-16 or UTF-32, with or without a mark, is plain without its zeros
        data = data.replace(b"\0", b"").lstrip(b"\xff\xfe")
    redactor = Redactor(protocol)
    redactor.hide(secrets)
    suffix = path.suffix.lower()
    rest, entries, hits = data, list[Recording](), list[Hit]()
    try:
        if suffix in (*SUFFIXES, ".json", ".har"):
            documents = parse_all(path, data) if suffix in SUFFIXES else [json.loads(data)]
            cassettes = [
                d for d in documents if isinstance(d, Mapping) and isinstance(d.get("interactions"), list)
            ]
            found = [one for cassette in cassettes for one in Layout.readings(cassette["interactions"])]
            entries = [one for one in found if isinstance(one, Recording)]
            if cassettes and len(entries) == len(found):  # in the file are also comments and metadata
                others = [{**d, "interactions": None} if d in cassettes else d for d in documents]
                parts, at = list[bytes](), 0
                for comment in _COMMENT.finditer(data):  # each in its line
                    parts += [b"\n" * data.count(b"\n", at, comment.start()), comment[0]]
                    at = comment.end()
                parts += [b"\n" * (data.count(b"\n", at) + 1), json.dumps(others, default=str).encode()]
                rest = b"".join(parts)
            if suffix not in SUFFIXES and not entries:
                exchanges = exchanges_in(documents) or ()
                entries = [Recording.of(one) for _, one in exchanges if isinstance(one, Exchange)]
    except (AttributeError, TypeError, ValueError, RecursionError, CassetteError):  # no cassette, so a text
        pass
    for number, (result, replaced) in enumerate(redactor.redact_all(entries)):
        place = f"interactions[{number}]"
        hits += [Hit(item.kind, f"{place}, {item.place}") for item in replaced]
        hits += [Hit(f"cannot be looked into, {result}", place)] if isinstance(result, CassetteError) else []
    return hits or list(_scan_text(rest, redactor, by_line=suffix == ".jsonl"))


def redact_file(
    path: Path, protocol: StreamProtocol, *, secrets: Iterable[str] = ()
) -> tuple[list[Hit], Path | None]:
    """Remove the secrets from a cassette; return what was replaced, and the copy of the earlier file, if any.

    Entries without a secret stay as they are, with the fields of other tools. Raises CassetteError, and leaves the
    file as it is, if one of its entries cannot be looked into.
    """
    layout = Layout(path)
    try:
        entries = layout.check(read_document(path))
    except FileNotFoundError:
        raise CassetteError(f"{path} does not exist: name a cassette") from None
    redactor = Redactor(protocol)
    redactor.hide(secrets)
    hits, written = [], []
    results = redactor.redact_all(layout.recordings(entries))
    for number, (entry, (result, replaced)) in enumerate(zip(entries, results, strict=True)):
        if isinstance(result, CassetteError):
            raise layout.entry_error(number, ValueError(result))
        hits += [Hit(item.kind, f"interactions[{number}], {item.place}") for item in replaced]
        written.append(replace_halves(entry, result) if replaced else entry)
    if not hits:
        return [], None
    copy = keep_copy(path)
    if path.suffix.lower() == ".json" and not layout.metadata:  # vcrpy's JSON serializer reads it again
        text = json.dumps({"version": 1, "interactions": written}, indent=4, default=bytes.decode)
        replace_file(path, f"{text}\n".encode(), path)
    else:
        write(path, layout.metadata, written, path)
    return hits, copy


def _scan_text(data: bytes, redactor: Redactor, *, by_line: bool) -> Iterator[Hit]:
    """Scan a text as the body of a response; with `by_line` each line of it."""
    parts = data.splitlines() if by_line else [data]
    for number, part in enumerate(parts, 1):
        for found in redactor.find_in_body(part):
            line = number + part.count(b"\n", 0, found.start)
            text = part[found.start : found.end].decode("utf-8", "replace")
            # The first four characters and the length: enough to find a secret, too little to use it.
            yield Hit(found.kind, f"line {line}", f"{text[:4]}… ({len(text)} characters)")
