"""Writes every file: beside the old one, and then in its place.

Layer 0. Every reader sees either the old file or the new one, whatever happens meanwhile: a full disk, a kill, a
folder that may not be written. Must not know what a file means.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_IN_PLACE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV})
"""Why no other file can take the place of one that may be written: its folder is another's, or it is a mount."""


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that replaces `path` when the block ends, and is deleted if the block raises.

    A symbolic link is kept, and the file it points to is replaced. Permissions are those of the old file, or the
    default under the umask. Raises OSError, which names the file.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as wrong:
        raise OSError(wrong.errno, wrong.strerror, str(path)) from None
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            beside.chmod(path.stat().st_mode & 0o777)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def replace_file(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Replace the file at `path` with `data`, given whole or in parts, as `replacing` does."""
    with replacing(path) as file:
        file.writelines((data,) if isinstance(data, bytes) else data)


def write_file(path: Path, text: str) -> None:
    """Replace a file that the user names with this text. Raises OSError; the old file is then as it was.

    A device or a pipe, such as /dev/stdout, is written to. So is a file in a folder that takes no other one.
    """
    data = text.encode("utf-8", "replace")
    if path.exists() and not path.is_file():
        with path.open("wb", buffering=0) as file:
            _write_all(file, data)
        return
    try:
        replace_file(path, data)
    except OSError as wrong:
        if wrong.errno not in _IN_PLACE or not os.access(path, os.W_OK):
            raise
        _overwrite(path, data)


def append_file(path: Path, text: str) -> None:
    """Append text to a file that others write, too. Raises OSError."""
    with path.open("ab", buffering=0) as file:
        _write_all(file, text.encode("utf-8", "replace"))


def _overwrite(path: Path, data: bytes) -> None:
    """Write over a file, and put its old content back if that fails."""
    old = path.read_bytes()
    with path.open("r+b", buffering=0) as file:
        try:
            _write_all(file, data)
        except OSError:
            with suppress(OSError):
                file.seek(0)
                _write_all(file, old)
                file.truncate(len(old))
            raise
        if file.seekable():
            file.truncate(len(data))


def _write_all(file: IO[bytes], data: bytes) -> None:
    """Write everything: without a buffer, one call may write a part."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]
