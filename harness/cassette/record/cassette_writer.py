"""A cassette to record into. Layer 1.

vcrpy's `Cassette` implements the record modes and keeps the entries. It is loaded but never entered as a context
manager: that is when vcrpy patches, so no client library is touched. Requests are matched as the player matches
them. New recordings go to a `Journal` beside the file, and the file is replaced at the end.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.cassette.format.errors import CassetteError
from harness.cassette.format.file import as_pair, from_pair, vcr_cassette, write
from harness.cassette.format.layout import AtomicFile, Layout, keep_copy
from harness.cassette.format.provenance import KEY, Provenance
from harness.cassette.format.recording import Recording
from harness.cassette.record.journal import Journal, alone
from harness.cassette.record.replacement import replace_recordings
from harness.cassette.redaction.redactor import Redactor
from harness.cassette.replay.index import Index
from harness.cassette.replay.matching import Canon
from harness.wire import Request, StreamProtocol

MODES = ("none", "once", "new_episodes", "all")


class CassetteFile:
    """A cassette opened in one of vcrpy's record modes; a context manager, safe to use from several threads.

    `none` only plays; `once` records if there is no file, and otherwise only plays; `new_episodes` adds what is
    missing; `all` records everything again. Until the end, new recordings are in `<name>.part.yaml`, itself a
    valid cassette; one left by a killed recorder is moved to the path in `interrupted`. At the end, `remarks` say
    which recordings were not kept and where a copy of the older file is. `redact=False` writes all unchanged.
    """

    def __init__(
        self,
        path: str | Path,
        protocol: StreamProtocol,
        *,
        mode: str = "once",
        provenance: Provenance | None = None,
        redact: bool = True,
    ) -> None:
        if mode not in MODES:
            raise CassetteError(f"mode={mode!r} is none of vcrpy's record modes: write {', '.join(MODES)}")
        self.path = Path(path)
        self.mode = mode
        self.interrupted: Path | None = None
        self.remarks: list[str] = []
        self.redactor = Redactor(protocol) if redact else None
        self._protocol = protocol
        self._canon = Canon(protocol)
        self._index = Index(protocol)
        self._layout = Layout(self.path)
        self._provenance = provenance
        self._part = self.path.with_name(f"{self.path.stem}.part.yaml")
        self._lock, self._redacting = threading.Lock(), threading.Lock()
        self._cassette: Any = None
        self._recordings: list[Recording] = []
        self._loaded = 0
        self._journal: Journal | None = None
        self._stack = ExitStack()

    def __enter__(self) -> CassetteFile:
        vcr = vcr_cassette()
        self._cassette = vcr.Cassette.load(
            path=str(self.path),
            serializer=self._layout,
            persister=AtomicFile,
            record_mode=vcr.RecordMode(self.mode),
        )
        self._take(self._layout.recordings(map(from_pair, self._cassette.data)))
        self._loaded = len(self._recordings)
        if self.may_record:
            _must_be_of_one_class(self.path, self._layout.provenance(), self._provenance)
            self._stack.enter_context(alone(self.path))
            self.interrupted = _put_aside(self._part)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack, self._lock:
            journal, self._journal = self._journal, None
            if journal is None:
                return
            try:
                self._save()
            finally:
                journal.close()
            self._part.unlink(missing_ok=True)

    def _take(self, recordings: Sequence[Recording]) -> None:
        self._index.add(recordings, [self._canon.of(recording.request) for recording in recordings])
        self._recordings += recordings

    def _save(self) -> None:
        """Write the file; in mode `all`, new recordings replace the old ones that they match."""
        numbers = list(range(len(self._recordings)))
        if self.mode == "all" and self._loaded:
            merged = replace_recordings(self._recordings, self._index.forms, self._loaded)
            numbers, self.remarks = merged.kept, merged.remarks
            if merged.loses:
                copy = keep_copy(self.path)
                self.remarks.append(f"what {self.path} held before is in {copy}: not all of it was recorded again")
        if self._provenance is not None and (self._loaded == 0 or numbers[0] >= self._loaded):
            self._layout.metadata = {**self._layout.metadata, KEY: self._provenance.as_metadata()}
        pairs = [self._cassette.data[number] for number in numbers]
        self._forget()
        write(self._layout, pairs)

    def _forget(self) -> None:
        """Drop all recordings: nothing will be played any more, and writing needs the memory."""
        self._cassette.data.clear()
        self._recordings, self._index, self._canon = [], Index(self._protocol), Canon(self._protocol)

    @property
    def may_record(self) -> bool:
        """Whether the record mode allows adding recordings to this cassette."""
        return not self._cassette.write_protected

    def play(self, request: Request) -> Recording | None:
        """Return the next unplayed recording of this request; None if there is none, and always in mode `all`."""
        if self.mode == "all":
            return None
        asked = self._canon.of(request)
        with self._lock:
            number = self._index.match(asked)
            if number is None:
                return None
            self._index.play(number)
            self._cassette.play_counts[number] += 1
        return self._recordings[number]

    def add(self, recording: Recording, *, secrets: Iterable[str] = ()) -> Recording:
        """Add a recording; return it as kept, with secrets replaced. Raises CassetteError if the mode forbids it.

        `secrets` are values that were sent with the request but left out of the recording; the answer may repeat
        them.
        """
        if not self.may_record:
            raise CassetteError(
                f"{recording.request.method} {recording.request.raw_path} is not in {self.path}, and mode "
                f"{self.mode!r} adds nothing to it: use new_episodes or all, or delete the file"
            )
        with self._redacting:
            if self.redactor is not None:
                self.redactor.hide(secrets)
            kept = recording if self.redactor is None else self.redactor.redact(recording)
        with self._lock:
            if self._journal is None:
                metadata = {} if self._provenance is None else {KEY: self._provenance.as_metadata()}
                self._journal = Journal(self._part, metadata)
            self._journal.append(kept)
            self._cassette.append(*as_pair(kept))
            self._take([kept])
            self._index.play(len(self._recordings) - 1)  # the client has this answer: the next poll must go live
        return kept


def _must_be_of_one_class(path: Path, held: Provenance | None, made: Provenance | None) -> None:
    """Raise CassetteError for a second kind of target: the file states one, and would mislabel the other."""
    if held is not None and made is not None and held.target is not made.target:
        raise CassetteError(
            f"{path} was recorded from {held.target}, and this is {made.target}: record to another file, or "
            "delete this one first"
        )


def _put_aside(part: Path) -> Path | None:
    """Move the recordings of a killed recorder out of the way; return their new path, None if there are none."""
    if not part.exists():
        return None
    number = 1
    while (aside := part.with_name(part.name.replace(".part.", f".interrupted-{number}."))).exists():
        number += 1
    return part.replace(aside)
