"""Cassette files: read, written, and opened to record into. Layer 1.

vcrpy does the file, the record modes, the matching and the play counts, through its public interface and with all
its patchers left out: no client library is touched. Recordings that are being made go through a `Journal` beside
the file; the file itself is replaced when all is done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.cassette.entry import as_entry, from_entry, request_entry
from harness.cassette.fault import CassetteError
from harness.cassette.journal import Journal, lock
from harness.cassette.layout import AtomicFile, Layout
from harness.cassette.matching import Canon
from harness.cassette.provenance import KEY, Provenance
from harness.cassette.recording import UNKNOWN_ORIGIN, Recording
from harness.cassette.redact import Redactor
from harness.wire import Request, StreamProtocol

MODES = ("none", "once", "new_episodes", "all")


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
    layout = Layout(path)
    with _opened(path, layout, "none") as cassette:
        recordings = _recordings(layout, cassette.requests, cassette.responses)
    return Cassette(path, recordings, _provenance(layout))


def save(path: str | Path, recordings: Sequence[Recording], provenance: Provenance | None = None) -> None:
    """Write a cassette in place of whatever is there, as it is given: redact before. Raises CassetteError."""
    if not recordings:
        raise CassetteError(f"{path}: nothing was recorded, and an empty cassette replays nothing: not written")
    layout = Layout(Path(path))
    if provenance is not None:
        layout.metadata = {KEY: provenance.as_metadata()}
    with _opened(Path(path), layout, "all", fresh=True) as cassette:
        for recording in recordings:
            cassette.append(*_vcr_pair(recording))


class CassetteFile:
    """A cassette opened in one of vcrpy's record modes; a context manager, safe to use from several threads.

    `none` only plays; `once` records where there is no file and only plays where there is one; `new_episodes` adds
    what is missing; `all` records everything anew. Until the end, what is added is in `<name>.part.yaml`, itself a
    cassette; one that a killed recorder left is moved to `interrupted`. `redactor=None` turns redaction off.
    """

    def __init__(
        self,
        path: str | Path,
        protocol: StreamProtocol,
        *,
        mode: str = "once",
        provenance: Provenance | None = None,
        redactor: Redactor | bool | None = True,
    ) -> None:
        if mode not in MODES:
            raise CassetteError(f"mode={mode!r} is none of vcrpy's record modes: write {', '.join(MODES)}")
        self.path = Path(path)
        self.mode = mode
        self.interrupted: Path | None = None
        self.redactor = Redactor(protocol) if redactor is True else redactor or None
        self._canon = Canon(protocol)
        self._layout = Layout(self.path)
        self._provenance = provenance
        self._part = self.path.with_name(f"{self.path.stem}.part.yaml")
        self._lock = threading.Lock()
        self._context: AbstractContextManager[Any] | None = None
        self._cassette: Any = None
        self._journal: Journal | None = None

    def __enter__(self) -> CassetteFile:
        with ExitStack() as stack:
            self._cassette = stack.enter_context(_opened(self.path, self._layout, self.mode, canon=self._canon))
            if self.may_record:
                self.interrupted = _put_aside(self._part)
            self._context = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._context is None:
            return
        with self._lock:
            context, self._context = self._context, None
            if self._journal is not None and self._provenance is not None:
                self._layout.metadata = {**self._layout.metadata, KEY: self._provenance.as_metadata()}
            context.__exit__(kind, error, trace)
            if self._journal is not None:
                self._journal.close()
                self._part.unlink(missing_ok=True)

    @property
    def may_record(self) -> bool:
        """Whether the record mode lets this cassette take what it does not hold."""
        return not self._cassette.write_protected

    def play(self, request: Request) -> Recording | None:
        """The next recording of this request that was not played yet; None when there is none."""
        asked = _vcr_request(**request_entry(request, UNKNOWN_ORIGIN))
        with self._lock:
            if not self._cassette.can_play_response_for(asked):
                return None
            response = self._cassette.play_response(asked)
        return from_entry({"request": _plain(asked), "response": response})

    def add(self, recording: Recording) -> Recording:
        """Record; gives what was kept, secrets replaced. Raises CassetteError where the mode forbids it."""
        if not self.may_record:
            raise CassetteError(
                f"{recording.request.method} {recording.request.target} is not in {self.path}, and mode "
                f"{self.mode!r} adds nothing to it: use new_episodes or all, or delete the file"
            )
        with self._lock:
            kept = recording if self.redactor is None else self.redactor.redact(recording)
            if self._journal is None:
                metadata = {} if self._provenance is None else {KEY: self._provenance.as_metadata()}
                self._journal = Journal(self._part, metadata)
            self._journal.append(kept)
            asked, response = _vcr_pair(kept)
            self._cassette.append(asked, response)
            if self._cassette.can_play_response_for(asked):
                self._cassette.play_response(asked)  # its answer was seen live: the next poll shall go there again
        return kept


def _opened(
    path: Path, layout: Layout, mode: str, *, canon: Canon | None = None, fresh: bool = False
) -> AbstractContextManager[Any]:
    """vcrpy's own cassette for the file, with nothing patched."""
    vcr = _vcr()
    library = vcr.VCR(record_mode=mode, serializer="harness")
    library.register_serializer("harness", layout)
    library.register_persister(_Fresh if fresh else AtomicFile)
    if canon is not None:
        library.register_matcher("exchange", _matcher(canon))
        library.match_on = ("exchange",)
    context: AbstractContextManager[Any] = library.use_cassette(str(path), skip_patchers=vcr.patch.PATCHER_NAMES)
    return context


class _Fresh(AtomicFile):
    """A persister that never reads: what is there is replaced."""

    @staticmethod
    def load_cassette(cassette_path: str | Path, serializer: Any) -> Any:
        from vcr.persisters.filesystem import CassetteNotFoundError  # type: ignore[import-untyped]

        raise CassetteNotFoundError


def _matcher(canon: Canon) -> Callable[[Any, Any], bool]:
    def exchange(asked: Any, recorded: Any) -> bool:
        return canon.of(_request(asked)) == canon.of(_request(recorded))

    return exchange


def _vcr() -> Any:
    try:
        import vcr  # type: ignore[import-untyped]
        import vcr.patch  # type: ignore[import-untyped]
    except ImportError:
        raise CassetteError("cassettes need vcrpy: install interactions-harness[record]") from None
    return vcr


def _vcr_request(method: str, uri: str, body: bytes | None, headers: Mapping[str, Any]) -> Any:
    from vcr.request import Request as VcrRequest  # type: ignore[import-untyped]

    return VcrRequest(method, uri, body, dict(headers))


def _vcr_pair(recording: Recording) -> tuple[Any, dict[str, Any]]:
    entry = as_entry(recording)
    return _vcr_request(**entry["request"]), entry["response"]


def _plain(request: Any) -> dict[str, Any]:
    """The mapping that a vcrpy request was made of; a body that is a file or an iterator is read."""
    body = request.body
    if body is not None and not isinstance(body, (bytes, str)):
        body = body.read() if hasattr(body, "read") else b"".join(body)
    return {"method": request.method, "uri": request.uri, "body": body, "headers": dict(request.headers)}


def _request(request: Any) -> Request:
    return from_entry({"request": _plain(request), "response": {"status": {"code": 0}}}).request


def _recordings(layout: Layout, requests: Iterable[Any], responses: Iterable[Any]) -> tuple[Recording, ...]:
    made = []
    for number, (request, response) in enumerate(zip(requests, responses, strict=True)):
        try:
            made.append(from_entry({"request": _plain(request), "response": response}))
        except ValueError as wrong:
            raise layout.error(f"entry {number + 1}: {wrong}", "interactions", number) from None
    return tuple(made)


def _provenance(layout: Layout) -> Provenance | None:
    try:
        return Provenance.from_metadata(layout.metadata)
    except ValueError as wrong:
        raise layout.error(str(wrong), "metadata") from None


def _put_aside(part: Path) -> Path | None:
    """Where the recordings of a killed recorder are now, None when there were none."""
    if not part.exists():
        return None
    with part.open("r+b") as file:
        lock(file, part)
    number = 1
    while (aside := part.with_name(part.name.replace(".part.", f".interrupted-{number}."))).exists():
        number += 1
    return part.replace(aside)
