"""Read and write cassette files. Layer 1.

This module reads them itself, as plain data only. vcrpy, whose format it is, writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from harness.cassette.document import parse
from harness.cassette.entry import as_entry
from harness.cassette.layout import AtomicFile, Layout
from harness.cassette.recording import KEY, Provenance, Recording
from harness.documents import open_file
from harness.errors import CassetteError

Pair: TypeAlias = tuple[Any, dict[str, Any]]
"""A request and a response as vcrpy represents them."""


@dataclass(frozen=True, slots=True)
class Cassette:
    """The content of a file; `provenance` is None if another tool made it."""

    path: Path
    recordings: tuple[Recording, ...]
    provenance: Provenance | None = None


def load(path: str | Path) -> Cassette:
    """Read a cassette. Raises CassetteError if there is no such file, or naming the line that is wrong."""
    path = Path(path)
    try:
        with open_file(path) as file:
            if all(line.isspace() for line in file):
                return Cassette(path, ())
            file.seek(0)
            return read(path, parse(path, file))
    except FileNotFoundError:
        raise CassetteError(f"{path} does not exist: name a cassette, or record one there") from None
    except OSError as wrong:
        raise CassetteError(f"{path} cannot be read: {wrong.strerror}") from None


def read(path: Path, document: object) -> Cassette:
    """Return the cassette at `path` from its parsed document. Raises CassetteError as `load` does."""
    layout = Layout(path)
    entries = layout.check(document)["interactions"]
    return Cassette(path, tuple(layout.recordings(entries)), layout.provenance())


def save(path: str | Path, recordings: Sequence[Recording], provenance: Provenance | None = None) -> None:
    """Write a cassette, replacing any file at `path`. Nothing is redacted: do that first. Raises CassetteError."""
    if not recordings:
        raise CassetteError(f"{path}: nothing was recorded, and an empty cassette replays nothing: not written")
    vcr_cassette()
    layout = Layout(Path(path))
    if provenance is not None:
        layout.metadata = {KEY: provenance.as_metadata()}
    write(layout, map(as_pair, recordings))


def write(layout: Layout, pairs: Iterable[Pair]) -> None:
    """Write vcrpy's request-response pairs to the layout's file."""
    requests, responses = zip(*pairs, strict=True)
    AtomicFile.save_cassette(layout.path, {"requests": requests, "responses": responses}, layout)


def as_pair(recording: Recording) -> Pair:
    """Convert a recording to vcrpy's request and response."""
    from vcr.request import Request  # type: ignore[import-untyped]

    entry = as_entry(recording)
    asked = entry["request"]
    return Request(asked["method"], asked["uri"], asked["body"], dict(asked["headers"])), entry["response"]


def from_pair(pair: Pair) -> Mapping[str, Any]:
    """Convert vcrpy's request and response to an entry; a body that is a file or an iterator is read."""
    request, response = pair
    body = request.body
    if body is not None and not isinstance(body, (bytes, str)):
        body = body.read() if hasattr(body, "read") else b"".join(body)
    asked = {"method": request.method, "uri": request.uri, "body": body, "headers": dict(request.headers)}
    return {"request": asked, "response": response}


def vcr_cassette() -> Any:
    """Import the vcrpy module that defines the record modes. Raises CassetteError if vcrpy is not installed."""
    try:
        import vcr.cassette  # type: ignore[import-untyped]
    except ImportError:
        raise CassetteError("cassettes need vcrpy: install interactions-harness[record]") from None
    return vcr.cassette
