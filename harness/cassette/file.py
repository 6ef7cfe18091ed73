"""Whole cassette files: read one, or write one at once. A cassette to record into is in `writer`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cassette.entry import as_entry
from harness.cassette.layout import Layout, read_document, write
from harness.cassette.recording import KEY, Provenance, Recording
from harness.errors import CassetteError


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
