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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from harness.cassette.entry import as_entry
from harness.cassette.fault import CassetteError
from harness.cassette.layout import replace_file
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
        line = b"- " + flow(as_entry(recording)).encode("ascii") + b"\n"
        if self._file is None:
            self._file = self._begin(line)
            return
        file = self._file
        at = file.seek(0, os.SEEK_END)
        self._write(file, _HIDDEN + line)
        file.seek(at)
        self._write(file, _SHOWN)

    def _begin(self, line: bytes) -> IO[bytes]:
        """The file with its head and the first entry: there is no valid cassette without an entry."""
        if self.path.exists():
            raise CassetteError(
                f"{self.path} exists: another recorder is at work, or one was killed; move it away"
            )
        metadata = f"metadata: {flow(self._metadata)}\n" if self._metadata else ""
        replace_file(self.path, f"version: 1\n{metadata}interactions:\n".encode("ascii") + _SHOWN + line)
        file = self.path.open("r+b")
        lock(file, self.path)
        return file

    @staticmethod
    def _write(file: IO[bytes], data: bytes) -> None:
        file.write(data)
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
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_quoted(str(key))}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, bytes):
        try:
            return _quoted(value.decode("utf-8"))
        except UnicodeDecodeError:
            return f'!!binary "{base64.b64encode(value).decode("ascii")}"'
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(flow, value)) + "]"
    return json.dumps(value)


def _quoted(text: str) -> str:
    """A double-quoted scalar. JSON's own escapes will not do: YAML knows no surrogate pairs."""
    return _NOT_PLAIN.sub(lambda found: f"\\U{ord(found[0]):08x}", json.dumps(text, ensure_ascii=False))
