"""Writes every file: beside the old one, and then in its place.

Layer 0. Every reader sees either the old file or the new one, whatever happens meanwhile: a full disk, a kill, a
folder that may not be written. A text shows what a terminal or an editor would obey, because a person reads or
applies it. Must not know what a file means.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from harness.foreign_folders import ask_user, find_current, find_foreign, resolve
from harness.held_paths import MOST_LINKS, MOVED, follow, holding
from harness.outcome.words import escape_obeyed, write_harmless

_IN_PLACE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV})
"""Why no other file can take the place of one that may be written: its folder is another's, or it is a mount."""


def find_owner(path: Path) -> int | None:
    """The user whose file it is, or, if there is none, whose folder it would be in; None if that is not known."""
    for place in (path, path.parent):
        with suppress(OSError):
            return place.lstat().st_uid
    return None


def _find_stranger(links: Iterable[Path], real: Path) -> Path | None:
    """A link of another user that leads to a file which is not theirs. The administrator may do that."""
    if not hasattr(os, "geteuid"):
        return None
    own = {os.geteuid(), 0, None, find_owner(real)}
    return next((link for link in links if find_owner(link) not in own), None)


def find_way_out(path: Path) -> str:
    """Why a file must not be written: a link of another person leads it to another place; "" if none does."""
    return _judge(path)[1]


def _judge(path: Path) -> tuple[Path, str]:
    """Where a path leads, and why a file must not be written there."""
    if find_current() is None:
        return resolve(path), ""
    real, links = follow(path)
    return real, _find_objection(real, links)


def _find_objection(real: Path, links: list[Path]) -> str:
    if len(links) > MOST_LINKS:  # the rest of the path was not followed, so where it leads is not known
        return f"it passes more than {MOST_LINKS} links: name the file itself"
    stranger = _find_stranger(links, real)
    if stranger is not None and (allowed_by := ask_user(stranger.parent)):
        return f"a link of another user leads to {str(real)!r}: name that file itself, or {allowed_by}"
    for folder in dict.fromkeys(find_foreign(link.parent) for link in links):
        if folder is not None and (allowed_by := ask_user(folder)):
            place = "this folder" if folder == find_current() else repr(str(folder))
            return f"a link of {place} leads to {str(real)!r}: name that file itself, or {allowed_by}"
    return ""


def _require_no_way_out(path: Path) -> Path:
    """Where the path leads, by the look that was judged. Raises OSError."""
    real, why = _judge(path)
    if why:
        raise OSError(errno.ELOOP, why, str(path))
    return real


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Make a folder and those above it, if they are missing. Raises OSError, as for a file in it."""
    _require_no_way_out(path)
    path.mkdir(mode, parents=True, exist_ok=True)


def open_lock(path: Path) -> IO[bytes]:
    """Open a file whose lock keeps others off. It is not emptied, and no link leads to another. Raises OSError."""
    more = os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    return open(path, "r+b", opener=lambda name, how: os.open(name, how | more, 0o666))


def find_place(path: Path) -> Path | None:
    """The file that a path names now, links followed, for `write_file`; None for a device or a pipe."""
    return None if path.exists() and not path.is_file() else resolve(path)


@contextmanager
def replacing(
    path: Path, place: Path | None = None, *, like: Path | None = None, mode: int | None = None
) -> Iterator[IO[bytes]]:
    """Open a file that replaces `path` when the block ends, and is deleted if the block raises.

    A symbolic link is kept, and the file it points to is replaced: `place`, if that was found earlier. Permissions
    are `mode`, else those of the old file, else those of the file `like`, or the default under the umask; they are
    never wider meanwhile. Raises OSError, which names the file.
    """
    real = _require_no_way_out(path)
    real = place or real
    if place is None:
        make_folder(real.parent)
    with holding(real.parent) as folder:
        beside = _Name(real.with_name(f".{real.name}.{os.urandom(4).hex()}.tmp"), folder)
        target = _Name(real, folder)
        if place is not None and not target.is_free_or_file():
            raise OSError(errno.ELOOP, MOVED, str(path))
        mode = target.find_mode() if mode is None else mode
        if mode is None and like is not None:
            mode = _Name(resolve(like), None).find_mode()
        try:
            handle = beside.open(os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)
        except OSError as wrong:
            raise OSError(wrong.errno, wrong.strerror, str(real)) from None
        try:
            with os.fdopen(handle, "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if mode is not None:
                beside.change_mode(mode)  # the umask may have taken some of it
            beside.rename(target)
        except BaseException:
            beside.delete()
            raise


class _Name:
    """A name in a folder that is held; without one, a path."""

    def __init__(self, path: Path, folder: int | None) -> None:
        self._folder = folder
        self._word = str(path) if folder is None else path.name

    def open(self, how: int, mode: int = 0o666) -> int:
        how |= getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        return os.open(self._word, how, mode, dir_fd=self._folder)

    def find_mode(self) -> int | None:
        """The permissions of the file; None if there is none, or it is none."""
        try:
            found = os.stat(self._word, dir_fd=self._folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return found.st_mode & 0o777 if stat.S_ISREG(found.st_mode) else None

    def is_free_or_file(self) -> bool:
        try:
            return stat.S_ISREG(os.stat(self._word, dir_fd=self._folder, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return True

    def change_mode(self, mode: int) -> None:
        os.chmod(self._word, mode, dir_fd=self._folder)

    def rename(self, target: _Name) -> None:
        os.replace(self._word, target._word, src_dir_fd=self._folder, dst_dir_fd=target._folder)

    def delete(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._word, dir_fd=self._folder)


def replace_file(
    path: Path, data: bytes | Iterable[bytes], place: Path | None = None, *, mode: int | None = None
) -> None:
    """Replace the file at `path` with `data`, given whole or in parts, as `replacing` does."""
    with replacing(path, place, mode=mode) as file:
        file.writelines((data,) if isinstance(data, bytes) else data)


def write_file(path: Path, text: str, place: Path | None = None, *, mode: int | None = None) -> None:
    """Replace a file that the user names with this text. Raises OSError; the old file is then as it was.

    A character that a terminal or an editor obeys becomes `\\uXXXX`, which JSON and quoted YAML read back. A
    format that must keep it writes it in its own way before.

    A device or a pipe, such as /dev/stdout, is written to; a runner of a CI system may read it, so no command
    stays one. A file in a folder that takes no other one is written to, too.
    `place`, of `find_place`, is the file that was checked when the run began: the text goes there or nowhere.
    A file that takes the place of another one has the permissions `mode`, if given.
    """
    real = _require_no_way_out(path)
    if place is None and path.exists() and not path.is_file():
        with open(path, "wb", buffering=0, opener=_open_at_once) as file:
            _write_all(file, _encode(write_harmless(text)))
        return
    data = _encode(text)
    if place is not None and resolve(path) != place:
        raise OSError(errno.ELOOP, MOVED, str(path))
    real = place or real
    try:
        replace_file(real, data, place, mode=mode)
    except OSError as wrong:
        if wrong.errno not in _IN_PLACE or not os.access(real, os.W_OK):
            raise
        _overwrite(real, data)


def _open_at_once(path: str, how: int) -> int:
    """Open a device or a pipe. Raises OSError for a pipe that no program reads, instead of waiting for one."""
    try:
        handle = os.open(path, (how & ~os.O_TRUNC) | getattr(os, "O_NONBLOCK", 0))
    except OSError as wrong:
        if wrong.errno == errno.ENXIO:
            raise OSError(wrong.errno, "it is a pipe that no program reads", path) from None
        raise
    if hasattr(os, "O_NONBLOCK"):
        os.set_blocking(handle, True)
    return handle


def delete_file(path: Path) -> None:
    """Delete a file, or the link that has its name. Raises OSError, as for a file that is written."""
    folder = _require_no_way_out(path.parent)
    with holding(folder) as held:
        _Name(folder / path.name, held).delete()


def append_file(path: Path, text: str) -> None:
    """Append text to a file that others write, too. Raises OSError."""
    _require_no_way_out(path)
    with path.open("ab", buffering=0) as file:
        _write_all(file, _encode(text))


def _encode(text: str) -> bytes:
    return escape_obeyed(text).encode("utf-8", "replace")


def _overwrite(path: Path, data: bytes) -> None:
    """Write over a file, and put its old content back if that fails. The path has no links."""
    with (
        holding(path.parent) as folder,
        os.fdopen(_Name(path, folder).open(os.O_RDWR), "r+b", buffering=0) as file,
    ):
        old = file.readall()
        file.seek(0)
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
