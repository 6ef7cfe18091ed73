"""A cassette that stays valid while it is written, so that a killed recorder loses no finished exchange.

An entry is one line of flow YAML in ASCII. It is first written as a comment and flushed to disk. Then changing a
single byte, `#` to a space, makes it an entry. Every reader, vcrpy included, sees all of an entry or none of it,
and a half-written entry is a comment. The cost of an append depends only on its own entry.
"""

from __future__ import annotations

import base64
import json
import os
import select
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import IO, Any

from harness.cassette.entry import as_entry
from harness.cassette.framing import decode_steps, is_text
from harness.cassette.layout import quote, replace_file
from harness.cassette.recording import Recording
from harness.cassette.stored_bytes import is_bytes
from harness.errors import CassetteError
from harness.files import make_folder, open_lock
from harness.wire.message import STEP

_HIDDEN, _SHOWN = b"#", b" "


class Journal:
    """Appends recordings to the file at `path`, which is created with the first one.

    The file has the permissions of the cassette `of`, if there is one: it has the same content.

    Allows one recorder at a time: a second one gets a CassetteError if the platform can lock files.
    """

    def __init__(self, path: Path, metadata: Mapping[str, Any] | None = None, of: Path | None = None) -> None:
        self.path = path
        self._of = of
        self._metadata = dict(metadata or {})
        self._file: IO[bytes] | None = None

    def append(self, recording: Recording) -> None:
        """Append a recording; when this returns, it is on disk."""
        line = chain((b"- ",), (part.encode("ascii") for part in flow(as_entry(recording))), (b"\n",))
        if self._file is None:
            if os.path.lexists(self.path):
                raise CassetteError(
                    f"{self.path} exists: another recorder is at work, or one was killed; move it away"
                )
            metadata = f"metadata: {''.join(flow(self._metadata))}\n" if self._metadata else ""
            head = f"version: 1\n{metadata}interactions:\n".encode("ascii")
            # With its first entry: a cassette without one is not valid.
            replace_file(self.path, chain((head, _SHOWN), line), like=self._of)
            self._file = self._open()
            return
        file = self._file
        at = file.seek(0, os.SEEK_END)
        try:
            self._write(file, chain((_HIDDEN,), line))
        except BaseException:
            # Cut off the unfinished entry, also what is still buffered: the next one would become part of it.
            with suppress(OSError):
                file.close()
            self._file = self._open()
            self._file.truncate(at)
            raise
        file.seek(at)
        self._write(file, (_SHOWN,))

    def _open(self) -> IO[bytes]:
        file = open_lock(self.path)
        lock(file, self.path)
        return file

    @staticmethod
    def _write(file: IO[bytes], parts: Iterable[bytes]) -> None:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())

    def close(self) -> None:
        """Close the file, without removing it."""
        if self._file is not None:
            self._file.close()
            self._file = None


def lock(file: IO[bytes], path: Path) -> None:
    """Lock the file against other recorders; no effect on platforms without `fcntl`."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise CassetteError(
            f"{path} is being written by another recorder: give each its own cassette, or "
            "let one process run all tests that share one (pytest-xdist: `--dist loadfile`)"
        ) from None


_TRY_SECONDS = 0.01
"""How often the lock of a cassette is tried: between two tests of another worker it is free for a moment only."""


@contextmanager
def alone(path: Path, wait: float = 0.0) -> Iterator[None]:
    """Lock the cassette at `path`, even before it exists, once others have released it.

    Raises CassetteError if another recorder still has it after `wait` seconds.
    """
    real = Path(os.path.realpath(path))
    guard = real.with_name(f".{real.name}.lock")
    tries = round(wait / _TRY_SECONDS)
    while True:
        try:
            make_folder(guard.parent)
            file = open_lock(guard)
        except OSError as wrong:
            why = wrong.strerror or f"its lock {guard} is not a file: delete it"  # a pipe, which has no end
            raise CassetteError(f"{path} cannot be written: {why}") from None
        try:
            lock(file, path)
        except CassetteError:
            if tries <= 0:
                raise
            tries -= 1
            select.select((), (), (), _TRY_SECONDS)  # real time, also in a test whose sleeps are skipped
            continue
        with suppress(OSError):
            if os.path.samestat(os.fstat(file.fileno()), guard.stat()):
                break
        file.close()  # its last owner deleted it meanwhile: the lock protects nothing
    with file:
        try:
            yield
        finally:
            guard.unlink(missing_ok=True)


def flow(value: Any) -> Iterator[str]:
    """The parts of plain data as one line of ASCII YAML; bytes that are UTF-8 become text, others `!!binary`."""
    if isinstance(value, Mapping):
        for number, (name, item) in enumerate(value.items()):
            yield f"{', ' if number else '{'}{quote(str(name))}: "
            yield from flow(item)
        yield "}" if value else "{}"
    elif is_bytes(value) and is_text(value):
        yield '"'
        yield from (quote(text)[1:-1] for text in decode_steps(value))
        yield '"'
    elif is_bytes(value):
        yield '!!binary "'
        step = STEP // 3 * 3  # no padding but at the end
        yield from (base64.b64encode(value[at : at + step]).decode() for at in range(0, len(value), step))
        yield '"'
    elif isinstance(value, str):
        yield quote(value)
    elif isinstance(value, Sequence):
        yield f"[{', '.join(''.join(flow(item)) for item in value)}]"
    else:
        yield json.dumps(value)
