"""Cassette files, read and written. Layer 1.

Read here, by plain data alone; written by vcrpy, whose format it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from harness.cassette.document import parse
from harness.cassette.entry import as_entry
from harness.cassette.fault import CassetteError
from harness.cassette.layout import AtomicFile, Layout
from harness.cassette.provenance import KEY, Provenance
from harness.cassette.recording import Recording

Pair: TypeAlias = tuple[Any, dict[str, Any]]
"""A request and a response as vcrpy has them."""


@dataclass(frozen=True, slots=True)
class Cassette:
    """What a file holds; `provenance` is None where another tool made it."""

    path: Path
    recordings: tuple[Recording, ...]
    provenance: Provenance | None = None


def load(path: str | Path) -> Cassette:
    """Read a cassette. Raises CassetteError: no such file, or what is wrong in which line."""
    path = Path(path)
    if not path.is_file():
        raise CassetteError(f"{path} does not exist or is no file: name a cassette, or record one there")
    try:
        with path.open("rb") as file:
            if all(line.isspace() for line in file):
                return Cassette(path, ())
            file.seek(0)
            return read(path, parse(path, file))
    except OSError as wrong:
        raise CassetteError(f"{path} cannot be read: {wrong.strerror}") from None


def read(path: Path, document: object) -> Cassette:
    """The cassette at `path`, whose document was parsed already. Raises CassetteError as `load` does."""
    layout = Layout(path)
    entries = layout.checked(document)["interactions"]
    return Cassette(path, tuple(layout.recordings(entries)), layout.provenance())


def save(path: str | Path, recordings: Sequence[Recording], provenance: Provenance | None = None) -> None:
    """Write a cassette in place of whatever is there, as it is given: redact before. Raises CassetteError."""
    if not recordings:
        raise CassetteError(f"{path}: nothing was recorded, and an empty cassette replays nothing: not written")
    vcr_cassette()
    layout = Layout(Path(path))
    if provenance is not None:
        layout.metadata = {KEY: provenance.as_metadata()}
    write(layout, map(as_pair, recordings))


def write(layout: Layout, pairs: Iterable[Pair]) -> None:
    """Write entries as vcrpy has them to the layout's file."""
    requests, responses = zip(*pairs, strict=True)
    AtomicFile.save_cassette(layout.path, {"requests": requests, "responses": responses}, layout)


def as_pair(recording: Recording) -> Pair:
    """A recording as vcrpy has it."""
    from vcr.request import Request  # type: ignore[import-untyped]

    entry = as_entry(recording)
    asked = entry["request"]
    return Request(asked["method"], asked["uri"], asked["body"], dict(asked["headers"])), entry["response"]


def from_pair(pair: Pair) -> Mapping[str, Any]:
    """The entry of a request and a response as vcrpy has them; a body that is a file or an iterator is read."""
    request, response = pair
    body = request.body
    if body is not None and not isinstance(body, (bytes, str)):
        body = body.read() if hasattr(body, "read") else b"".join(body)
    asked = {"method": request.method, "uri": request.uri, "body": body, "headers": dict(request.headers)}
    return {"request": asked, "response": response}


def vcr_cassette() -> Any:
    """The module of vcrpy that has its record modes. Raises CassetteError where vcrpy is not installed."""
    try:
        import vcr.cassette  # type: ignore[import-untyped]
    except ImportError:
        raise CassetteError("cassettes need vcrpy: install interactions-harness[record]") from None
    return vcr.cassette
