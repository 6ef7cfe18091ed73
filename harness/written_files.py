"""Writes every file: beside the old one, and then in its place.

Every reader sees either the old file or the new one, whatever happens meanwhile: a full disk, a kill, a folder
that may not be written. A text shows what a terminal or an editor would obey, because a person reads or applies
it. Must not know what a file means.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from harness.outcome.words import escape_obeyed, write_harmless

_IN_PLACE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV})
"""Why no other file can take the place of one that may be written: its folder is another's, or it is a mount."""


def make_folder(path: Path) -> None:
    """Make a folder and those above it, if they are missing. Raises OSError."""
    path.mkdir(parents=True, exist_ok=True)


def open_lock(path: Path) -> IO[bytes]:
    """Open a file whose lock keeps others off. It is not emptied, and no link leads to another. Raises OSError."""
    more = os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    return open(path, "r+b", opener=lambda name, how: os.open(name, how | more, 0o666))


@contextmanager
def replacing(path: Path, *, like: Path | None = None) -> Iterator[IO[bytes]]:
    """Open a file that replaces `path` when the block ends, and is deleted if the block raises.

    A symbolic link is kept, and the file it points to is replaced. Permissions are those of the old file, else
    those of the file `like`, or the default under the umask; they are never wider meanwhile. Raises OSError, which
    names the file.
    """
    real = Path(os.path.realpath(path))  # of links in a circle, the path itself
    make_folder(real.parent)
    beside = real.with_name(f".{real.name}.{os.urandom(4).hex()}.tmp")
    model = next((place for place in (real, like) if place is not None and place.is_file()), None)
    mode = None if model is None else model.stat().st_mode & 0o777
    try:
        handle = os.open(
            beside,
            os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0),
            0o666 if mode is None else mode,
        )
    except OSError as wrong:
        raise OSError(wrong.errno, wrong.strerror, str(real)) from None
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            beside.chmod(mode)  # the umask may have taken some of it
        beside.replace(real)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def replace_file(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Replace the file at `path` with `data`, given whole or in parts, as `replacing` does."""
    with replacing(path) as file:
        file.writelines((data,) if isinstance(data, bytes) else data)


def write_file(path: Path, text: str) -> None:
    """Replace a file that the user names with this text. Raises OSError; the old file is then as it was.

    A character that a terminal or an editor obeys becomes `\\uXXXX`, which JSON and quoted YAML read back. A
    format that must keep it writes it in its own way before.

    A device or a pipe, such as /dev/stdout, is written to; a runner of a CI system may read it, so no command
    stays one. A file in a folder that takes no other one is written to, too.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            file.write(_encode(write_harmless(text)))
        return
    data = _encode(text)
    try:
        replace_file(path, data)
    except OSError as wrong:
        if wrong.errno not in _IN_PLACE or not os.access(path, os.W_OK):
            raise
        old = path.read_bytes()
        try:
            path.write_bytes(data)
        except OSError:
            with suppress(OSError):
                path.write_bytes(old)
            raise


def append_file(path: Path, text: str) -> None:
    """Append text to a file that others write, too. Raises OSError."""
    with path.open("ab") as file:
        file.write(_encode(text))


def _encode(text: str) -> bytes:
    return escape_obeyed(text).encode("utf-8", "replace")
