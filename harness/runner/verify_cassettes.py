"""What can be said of cassettes as files, beside what the contract says of the traffic in them.

Layer 4. How their streams ended, which entries were edited since, what looks like a secret. A recorded drop is a
fact, never a finding; an edited entry is one whose pieces and times are a guess from then on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness.cassette import CassetteError, Hit, load, scan_file
from harness.wire import StreamProtocol

_SUFFIXES = (".yaml", ".yml")
_OURS = b"x-stream:"
_OURS_IN_FLOW = b'"x-stream":'


@dataclass(frozen=True, slots=True)
class CassetteFacts:
    """One cassette of ours. `endings` counts what was no whole answer; `edited` are entries by number, from 1."""

    file: str
    recordings: int = 0
    endings: tuple[tuple[str, int], ...] = ()
    edited: tuple[int, ...] = ()
    problem: str = ""


class Secret(NamedTuple):
    """Something in a file that looks like a secret."""

    file: str
    hit: Hit


def cassette_facts(paths: Iterable[Path]) -> list[CassetteFacts]:
    """The facts of every cassette of ours among files and in folders; others are passed over."""
    return [_facts(path) for path in files_in(paths) if path.suffix in _SUFFIXES and _is_ours(path)]


def _is_ours(path: Path) -> bool:
    data = path.read_bytes()
    return _OURS in data or _OURS_IN_FLOW in data


def _facts(path: Path) -> CassetteFacts:
    try:
        recordings = load(path).recordings
    except CassetteError as wrong:
        return CassetteFacts(str(path), problem=str(wrong))
    endings = Counter(f"{r.ending.how} by the {r.ending.by}" for r in recordings if not r.complete)
    edited = tuple(number for number, recording in enumerate(recordings, 1) if recording.approximate)
    return CassetteFacts(str(path), len(recordings), tuple(sorted(endings.items())), edited)


def secrets_in(paths: Iterable[Path], protocol: StreamProtocol) -> tuple[int, list[Secret]]:
    """How many files were looked at, and what looks like a secret in them."""
    files = list(files_in(paths))
    return len(files), [Secret(str(path), hit) for path in files for hit in scan_file(path, protocol)]


def files_in(paths: Iterable[Path]) -> Iterator[Path]:
    """The files, and those in folders but hidden ones."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for file in sorted(path.rglob("*")):
            hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
            if file.is_file() and not hidden:
                yield file
