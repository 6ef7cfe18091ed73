"""Bytes that are too long to be in memory: they are in a file without a name, and are read as `bytes` are.

No other program can open that file, and nothing of it is left when its last reader ends, killed or not.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, TypeGuard, cast

from harness.wire.message import STEP


def steps(data: bytes) -> Iterator[bytes]:
    """The parts of `data`, of which only one is in memory at a time if it is in a file."""
    return (data[at : at + STEP] for at in range(0, len(data), STEP))


class StoredBytes(mmap.mmap):
    """The bytes of a file without a name, read like `bytes`; what is read of them does not stay in memory.

    Slices are `bytes`. What is not here, such as `decode`, works on a copy of all.
    """

    folder: Path

    def __getitem__(self, at: Any) -> Any:
        part = super().__getitem__(at)
        if isinstance(at, slice) and hasattr(mmap.mmap, "madvise"):
            self.madvise(mmap.MADV_DONTNEED)
        return part

    def __getattr__(self, name: str) -> Any:
        return getattr(self[:], name)

    def __contains__(self, part: object) -> bool:
        return self.find(cast("bytes", part)) >= 0

    def find(self, part: Any, start: int = 0, end: int | None = None) -> int:
        """As of `bytes`, a step after the other."""
        stop = len(self) if end is None else min(end, len(self))
        for at in range(start, stop, STEP):
            found = self[at : min(at + STEP + len(part) - 1, stop)].find(part)
            if found >= 0:
                return int(at + found)
        return -1


def is_bytes(value: object) -> TypeGuard[bytes]:
    """Whether a value is a body, wherever its bytes are."""
    return isinstance(value, bytes | StoredBytes)


class Spool(BytesIO):
    """Takes bytes into a file in `folder`. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        import tempfile  # late: few bodies are so long

        super().__init__()
        self._folder = folder
        self._file: Any = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - of its readers

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    def write(self, data: Any) -> int:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        return len(data)

    def getvalue(self) -> bytes:
        try:
            stored = StoredBytes(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError:  # the file system maps no files
            self._file.seek(0)
            return cast("bytes", self._file.read())
        stored.folder = self._folder
        return cast("bytes", stored)
