"""A cassette that is whole at every moment of its making, so that a killed recorder loses no finished exchange.

Layer 1. An entry is one line of flow YAML in ASCII. It is first written as a comment and flushed to the disk;
then one single byte, `#` to a space, makes it an entry. A reader, vcrpy included, sees all of an
entry or none of it, and what a kill leaves half written is a comment. An append costs what its entry costs.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from harness.cassette.entry import as_entry
from harness.cassette.fault import CassetteError
from harness.cassette.layout import replace_file
from harness.cassette.places import WINDOW, is_text, windows_of
from harness.cassette.recording import Recording

_NOT_PLAIN = re.compile(r"[^\x20-\x7e]")
_HIDDEN, _SHOWN = b"#", b" "


class Journal:
    """Appends recordings to the file at `path`, which comes to be with the first of them.

    One recorder at a time: a second one on the same file gets a CassetteError where the platform can lock files.
    """

    def __init__(self, path: Path, metadata: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self._metadata = dict(metadata or {})
        self._file: IO[bytes] | None = None

    def append(self, recording: Recording) -> None:
        """Keep it; when this returns, it is on the disk."""
        line = chain((b"- ",), flowing(as_entry(recording)), (b"\n",))
        if self._file is None:
            self._file = self._begin(line)
            return
        file = self._file
        at = file.seek(0, os.SEEK_END)
        try:
            self._write(file, chain((_HIDDEN,), line))
        except BaseException:
            with suppress(OSError):  # a part of a comment would swallow the next entry
                file.truncate(at)
            raise
        file.seek(at)
        self._write(file, (_SHOWN,))

    def _begin(self, line: Iterable[bytes]) -> IO[bytes]:
        """The file with its head and the first entry: there is no valid cassette without an entry."""
        if self.path.exists():
            raise CassetteError(
                f"{self.path} exists: another recorder is at work, or one was killed; move it away"
            )
        metadata = f"metadata: {flow(self._metadata)}\n" if self._metadata else ""
        head = f"version: 1\n{metadata}interactions:\n".encode("ascii")
        replace_file(self.path, chain((head, _SHOWN), line))
        file = self.path.open("r+b")
        lock(file, self.path)
        return file

    @staticmethod
    def _write(file: IO[bytes], data: Iterable[bytes]) -> None:
        file.writelines(data)
        file.flush()
        os.fsync(file.fileno())

    def close(self) -> None:
        """Let the file go; it stays where it is."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def lock(file: IO[bytes], path: Path) -> None:
    """Keep other recorders off; without effect on platforms that cannot."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise CassetteError(f"{path} is being written by another recorder: give each its own cassette") from None


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other recorders off the cassette at `path` from the start. Raises CassetteError where there is one."""
    real = Path(os.path.realpath(path))
    guard = real.with_name(f".{real.name}.lock")
    try:
        guard.parent.mkdir(parents=True, exist_ok=True)
        file = guard.open("wb")
    except OSError as wrong:
        raise CassetteError(f"{path} cannot be written: {wrong.strerror}") from None
    with file:
        lock(file, path)
        try:
            yield
        finally:
            guard.unlink(missing_ok=True)


def flow(value: Any) -> str:
    """Plain data as one line of ASCII that is YAML; bytes that are text become text, others `!!binary`."""
    return b"".join(flowing(value)).decode("ascii")


def flowing(value: Any) -> Iterator[bytes]:
    """The same bit by bit, so that a long body is not in memory several times over."""
    if isinstance(value, Mapping):
        members = (chain(_quoted((str(key),)), (b": ",), flowing(item)) for key, item in value.items())
        yield from _listed(b"{}", members)
    elif isinstance(value, bytes):
        yield from _quoted(windows_of(value, "strict")) if is_text(value) else _binary(value)
    elif isinstance(value, str):
        yield from _quoted((value,))
    elif isinstance(value, Sequence):
        yield from _listed(b"[]", map(flowing, value))
    else:
        yield json.dumps(value).encode("ascii")


def _listed(brackets: bytes, items: Iterable[Iterable[bytes]]) -> Iterator[bytes]:
    yield brackets[:1]
    for number, item in enumerate(items):
        if number:
            yield b", "
        yield from item
    yield brackets[1:]


def _binary(data: bytes) -> Iterator[bytes]:
    yield b'!!binary "'
    for at in range(0, len(data), WINDOW):
        yield base64.b64encode(data[at : at + WINDOW])
    yield b'"'


def _quoted(text: Iterable[str]) -> Iterator[bytes]:
    """A double-quoted scalar. JSON's own escapes will not do: YAML knows no surrogate pairs."""
    yield b'"'
    for part in text:
        spelled = json.dumps(part, ensure_ascii=False)[1:-1]
        yield _NOT_PLAIN.sub(lambda found: f"\\U{ord(found[0]):08x}", spelled).encode("ascii")
    yield b'"'
