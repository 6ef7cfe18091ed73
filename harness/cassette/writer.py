"""A cassette to record into.

The record modes are vcrpy's, whose format it is. Requests are matched as the player matches them. A new recording
is redacted and goes to a `Journal` beside the file; at the end the file is replaced, and keeps every older
recording that the mode does not replace.
"""

from __future__ import annotations

import os
import pickle
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

from harness.cassette.entry import as_entry
from harness.cassette.framing import Pieces
from harness.cassette.journal import Journal, alone
from harness.cassette.layout import Layout, keep_copy, locate_part, read_document, write
from harness.cassette.matching import Canon, CanonicalRequest, IdMapping, Index
from harness.cassette.recording import KEY, Provenance, Recording
from harness.cassette.redactor import Redactor
from harness.cassette.stored_bytes import StoredBytes
from harness.errors import CassetteError
from harness.outcome.words import format_count
from harness.wire import Request, StreamProtocol

MOST_BYTES = 512 * 1024 * 1024
"""Bound on the bodies of one cassette: a file above `documents.MAX_FILE_BYTES` is not read; base64 is longer."""

MODES = ("none", "once", "new_episodes", "all", "rewrite")


class CassetteFile:
    """A cassette opened in a record mode; a context manager, safe to use from several threads.

    `none` only replays; `once` records if there is no file, else only replays; `new_episodes` adds what is
    missing; `all` records everything again, and a new recording replaces the older ones of its request, but none
    whose fingerprint `is_own`: another test of the same session recorded or replayed it; `rewrite`,
    pytest-recording's, replaces all older ones. Both replay one whose fingerprint `is_new`: another test of the
    session recorded it. While another recorder has the file, the next one waits up to `wait` seconds. `used` has
    the fingerprints of the recordings that this object replayed and `made`, at the end, of those that it wrote.
    Until the end, new recordings are in `<name>.part.yaml`, itself a valid cassette; one left by a killed recorder
    is moved to the path in `interrupted`. At the end, `remarks` say which recordings were not kept and where a
    copy of the older file is.

    `redact=False` writes all unchanged.
    `secrets` are values to hide that are known from the start, such as the user's own keys; those of less than
    eight characters are hidden only where their names mark them. A secret that is recognized late is also
    removed from earlier recordings. Of new recordings only heads stay in memory. Beyond `MOST_BYTES` of bodies
    nothing is added: a reader of the file keeps all of them in memory.
    """

    def __init__(
        self,
        path: str | Path,
        protocol: StreamProtocol,
        *,
        mode: str = "once",
        provenance: Provenance | None = None,
        redact: bool = True,
        secrets: Iterable[str] = (),
        like: Path | None = None,
        is_own: Callable[[bytes], bool] = lambda fingerprint: False,
        is_new: Callable[[bytes], bool] = lambda fingerprint: False,
        wait: float = 0.0,
    ) -> None:
        if mode not in MODES:
            raise CassetteError(f"mode={mode!r} is not a record mode: write {', '.join(MODES)}")
        self.path = Path(path)
        self.mode = mode
        self.interrupted: Path | None = None
        self.remarks: list[str] = []
        self.used: set[bytes] = set()
        self.made: set[bytes] = set()
        self.redactor = Redactor(protocol) if redact else None
        if self.redactor is not None:
            self.redactor.hide(secrets)
        self._canon = Canon(protocol)
        self._index = Index(protocol)
        self._ids = IdMapping(protocol)
        self._live: set[str] = set()
        """The ids that the service was asked for with success."""
        self._layout = Layout(self.path)
        self._like = like or self.path
        self._provenance = provenance
        self._part = locate_part(self.path)
        self._lock = threading.Lock()
        self._recordings: list[Recording] = []
        """The older ones, then the new ones without their bodies."""
        self._shelved: list[_Shelved] = []
        """Where the new ones are."""
        self._shelf: IO[bytes] | None = None
        self._entries: list[Mapping[str, Any]] = []
        """The older recordings as they were read, with fields of other tools."""
        self.may_record = False
        """Whether the record mode allows adding recordings to this cassette."""
        self._is_own, self._is_new, self._wait = is_own, is_new, wait
        self._bytes = 0
        self._journal: Journal | None = None
        self._discarded = False
        self._stack = ExitStack()

    def __enter__(self) -> CassetteFile:
        with ExitStack() as stack:
            if self.mode != "none" and not (self.mode == "once" and self.path.exists()):
                # Before it is read: another recorder may be at its end.
                stack.enter_context(alone(self.path, self._wait))
            try:
                document = read_document(self.path)
            except FileNotFoundError:
                document = None
            self.may_record = self.mode != "none" and (self.mode != "once" or document is None)
            if document is not None:
                self._entries = self._layout.check(document)
                self._recordings = self._layout.recordings(self._entries)
                forms = [self._canon.of(recording.request) for recording in self._recordings]
                self._index.add(self._recordings, forms)
            if self.mode in ("all", "rewrite"):
                # A replay begins with the first turn in the file: what follows a second one would never be found.
                older = (n for n, one in enumerate(self._recordings) if not self._is_new(one.fingerprint()))
                self._index.played.update(older)
            self._bytes = sum(len(one.body) + len(one.request.body) for one in self._recordings)
            if self.may_record:
                self._prepare_to_record()
            self._stack = stack.pop_all()
        return self

    def _prepare_to_record(self) -> None:
        """Refuse another class of target, and a part file that is a link; move that of a killed recorder aside."""
        if self.mode != "rewrite":
            held, made = self._layout.provenance(), self._provenance  # the file states one target
            if held is not None and made is not None and held.target is not made.target:
                raise CassetteError(
                    f"{self.path} was recorded from {held.target}, and this is {made.target}: record to "
                    "another file, or move this one away"
                )
        if self._part.is_symlink():
            raise CassetteError(
                f"{self._part} is a link, and recordings in progress are written there through none: delete "
                "the link, or name another cassette"
            )
        real = Path(os.path.realpath(self.path))
        for left in real.parent.glob(f".{escape(real.name)}.{'[0-9a-f]' * 8}.tmp"):
            left.unlink(missing_ok=True)  # of a killed recorder, as no other one writes this cassette now
        if self._part.exists():  # of a killed recorder
            number = 1
            while os.path.lexists(aside := self.path.with_name(f"{self.path.stem}.interrupted-{number}.yaml")):
                number += 1
            self.interrupted = self._part.replace(aside)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack, self._lock:
            journal, self._journal = self._journal, None
            if journal is None:
                return
            if self._discarded:
                journal.close()
                self._part.unlink(missing_ok=True)
                return
            has_secrets = self._hide_late()
            try:
                self._save()
            except OSError as wrong:
                if not (self._entries or has_secrets):  # the part file is a cassette, and takes no more room
                    self._part.replace(self.path)
                    self.remarks.append(
                        f"{self.path} has the layout of a part file; it cannot be rewritten: {wrong.strerror}"
                    )
                    return
                raise CassetteError(
                    f"{self.path} cannot be written: {wrong.strerror}. What was recorded is in {self._part}, "
                    "a cassette, too: make room and move it there"
                    + (f"; `harness redact {self._part}` hides secrets in it" if has_secrets else "")
                ) from None
            finally:
                journal.close()
            self._part.unlink(missing_ok=True)

    def _save(self) -> None:
        """Write the file; what becomes of older recordings is a matter of the mode."""
        loaded = len(self._entries)
        new = range(loaded, len(self._recordings))
        numbers = [*(() if self.mode == "rewrite" else range(loaded)), *new]
        if self.mode == "all" and loaded:
            numbers = self._merge(loaded)
        if not numbers:
            return  # the disk took not even the first exchange
        metadata = self._layout.metadata
        if self._provenance is not None and numbers[0] >= loaded:
            metadata = {**metadata, KEY: self._provenance.as_metadata()}
        write(self.path, metadata, self._entries_of(numbers), self._like)

    def _entries_of(self, numbers: Iterable[int]) -> Iterator[Mapping[str, Any]]:
        """The entries at these positions; note those that are new."""
        loaded = len(self._entries)
        for number in numbers:
            if number < loaded:
                yield self._entries[number]
            else:
                recording = self._take_from_shelf(self._shelved[number - loaded])
                self.made.add(recording.fingerprint())
                yield as_entry(recording)

    def _merge(self, loaded: int) -> list[int]:
        """The positions to keep once requests were recorded again, which begin at `loaded`.

        A new answer replaces an old one. A failure replaces no answer: a dead target proves nothing about the API.
        """
        gone, loses = set[int](), False
        old, new = defaultdict[CanonicalRequest, list[int]](list), defaultdict[CanonicalRequest, list[int]](list)
        for number, form in enumerate(self._index.forms):
            if number >= loaded:
                new[form].append(number)
            elif not self._is_own(self._recordings[number].fingerprint()):
                old[form].append(number)
        for form, numbers in new.items():
            before, after = ([self._recordings[n] for n in group] for group in (old[form], numbers))
            failures = [number for number in numbers if self._recordings[number].status is None]
            answered = any(one.status is not None for one in before)
            if answered:
                gone.update(failures)
                self.remarks += [
                    f"{failure.request.method} {failure.request.raw_path} had no response "
                    f"({failure.ending.detail or failure.ending.words}): the earlier recording of it stays"
                    for failure in after
                    if failure.status is None
                ]
            if len(failures) < len(numbers) or not answered:
                gone.update(old[form])
                loses = loses or _weigh(before) > _weigh(after)
        if loses:
            copy = keep_copy(self.path)
            self.remarks.append(
                f"the earlier content of {self.path} is in {copy}: not all of it was recorded again"
            )
        return [number for number in range(len(self._index.forms)) if number not in gone]

    def play(self, request: Request) -> Recording | None:
        """Return the next unplayed recording of this request; None if there is none or all is recorded again."""
        asked = self._canon.of(request)
        with self._lock:
            number = self._index.match(asked)
            if number is None:
                return None
            self._index.played.add(number)
            self.used.add(self._recordings[number].fingerprint())
        return self._recordings[number]

    def discard(self) -> None:
        """Leave the file as it was before: what was recorded since is worth nothing."""
        self._discarded = True

    def _is_of_no_session(self, recording: Recording) -> bool:
        """Whether the service denies an id that comes from an older recording alone."""
        asked = {*self._ids.find_ids(recording.request.body), *recording.request.segments}
        if recording.status is not None and recording.status < 400:
            self._live |= asked
        if self.mode != "new_episodes" or recording.status not in (400, 403, 404):
            return False
        played = (self._recordings[number] for number in self._index.played if number < len(self._entries))
        older = (one.body for one in played if not self._is_new(one.fingerprint()))
        return bool(asked.intersection(self._ids.find_ids(*older)) - self._live)

    def add(self, recording: Recording, *, secrets: Iterable[str] = ()) -> Recording | None:
        """Add a recording; return it as kept, with secrets replaced, or None if it is of no session.

        `secrets` are values that were sent with the request but left out of the recording; the response may repeat
        them. Raises CassetteError if the mode forbids it, or if the disk is full; then it is not in the file.
        """
        if not self.may_record:
            raise CassetteError(
                f"{recording.request.method} {recording.request.raw_path} is not in {self.path}, and mode "
                f"{self.mode!r} adds nothing to it: use new_episodes or all"
            )
        if self._is_of_no_session(recording):
            what = f"{recording.request.method} {recording.request.raw_path}"
            self.remarks.append(
                f"{what} was rejected with {recording.status} and is not recorded: its id is from an earlier "
                f"recording in {self.path}, and the service does not know it: record all of it again (mode "
                "rewrite, or harness record --record-mode all)"
            )
            return None
        kept, learned = recording, 0
        if self.redactor is not None:
            self.redactor.hide(secrets)
            learned = self.redactor.learned
            try:
                kept = self.redactor.redact(recording)
            except OSError as wrong:  # of a long body, whose copy without secrets is in a file
                what = f"{recording.request.method} {recording.request.raw_path}"
                raise CassetteError(f"{what} cannot be redacted: {wrong.strerror}") from None
        with self._lock:
            self._write(kept, learned)
            # Only who plays older recordings needs to know the ids in new ones.
            self._index.add([kept] if self._entries else [], [self._canon.of(kept.request)])
            asked = Request(kept.request.method, kept.request.target, kept.request.headers)
            self._recordings.append(replace(kept, request=asked, body=b"", pieces=Pieces()))
            # The client has this answer: the next poll must go live.
            self._index.played.add(len(self._recordings) - 1)
        return kept

    def _write(self, kept: Recording, learned: int) -> None:
        """Put a recording on the shelf and into the journal. Raises CassetteError where there is no room."""
        if self._journal is None:
            metadata = {} if self._provenance is None else {KEY: self._provenance.as_metadata()}
            self._journal = Journal(self._part, metadata, self._like)
        what = f"{kept.request.method} {kept.request.raw_path}"
        size = len(kept.body) + len(kept.request.body)
        if self._bytes + size > MOST_BYTES:
            raise CassetteError(f"{what} is left out: {self.path} would hold more than {MOST_BYTES >> 20} MiB")
        try:
            shelved = _Shelved(self._put_on_shelf(kept), learned)
            self._journal.append(kept)
        except OSError as wrong:
            raise CassetteError(f"{what} cannot be written to {self._part}: {wrong.strerror}") from None
        self._shelved.append(shelved)
        self._bytes += size

    def _put_on_shelf(self, recording: Recording) -> int | Recording:
        """Write a recording to a file without a name, of which only this object knows; return its place there.

        A body that is in such a file already stays there.
        """
        if isinstance(cast("object", recording.body), StoredBytes):
            return recording
        if self._shelf is None:  # beside the cassette, where there must be room for it anyway
            shelf = tempfile.TemporaryFile(dir=self.path.parent, buffering=0)  # noqa: SIM115 - until the exit
            self._shelf = self._stack.enter_context(shelf)
        place = self._shelf.seek(0, os.SEEK_END)
        try:  # the buffer ends with its file object, also on a full disk
            with os.fdopen(os.dup(self._shelf.fileno()), "r+b") as file:
                pickle.dump(recording, file)
        except OSError:
            self._shelf.truncate(place)
            raise
        return place

    def _take_from_shelf(self, shelved: _Shelved) -> Recording:
        if isinstance(shelved.place, Recording):
            return shelved.place
        assert self._shelf is not None
        with os.fdopen(os.dup(self._shelf.fileno()), "rb") as file:
            file.seek(shelved.place)
            recording: Recording = pickle.load(file)
        return recording

    def _hide_late(self) -> bool:
        """Remove secrets that a later exchange named from earlier recordings; return whether there were any."""
        found = False
        if self.redactor is None or len(self._shelved) == 1:
            return False
        for shelved in self._shelved:
            if shelved.learned < self.redactor.learned:
                old = self._take_from_shelf(shelved)
                if (new := self.redactor.redact(old)) != old:
                    found, shelved.place = True, self._put_on_shelf(new)
        return found


def drop_unused(path: Path, used: Collection[bytes], origin: Mapping[str, Any]) -> str:
    """Keep only the recordings of a file whose fingerprints are `used`, once all of it was recorded again.

    `origin` is the metadata of its provenance. Return a remark on the others, "" without any. Raises CassetteError
    and OSError.
    """
    with alone(path):
        layout = Layout(path)
        entries = layout.check(read_document(path))
        pairs = zip(entries, layout.recordings(entries), strict=True)
        kept = [entry for entry, recording in pairs if recording.fingerprint() in used]
        remark = ""
        if gone := len(entries) - len(kept):
            older, copy = format_count(gone, "older recording"), keep_copy(path)
            remark = f"{path} was recorded again as a whole; {copy} also has {older}"
        write(path, {**layout.metadata, KEY: origin}, kept, path)
    return remark


@dataclass(slots=True)
class _Shelved:
    """The place of a recording, and the number of secrets that were known before it was redacted."""

    place: int | Recording
    learned: int


def _weigh(recordings: Iterable[Recording]) -> tuple[int, int, int]:
    """The numbers of responses that are whole, of all with a status below 400, and of all responses."""
    statuses = [(one.status, one.ending.complete) for one in recordings if one.status is not None]
    good = [complete for status, complete in statuses if status < 400]
    return sum(good), len(good), len(statuses)
