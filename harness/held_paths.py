"""Opens paths by descriptors, one folder after the other, so that no link that comes meanwhile leads elsewhere.

Layer 0. A path is judged, and later opened: another program may put a link into it in between. Outputs go to the
folder that was judged. A read of a path that a folder names stays inside that folder (`foreign_folders.bind`): it
follows each link itself, holds every folder on the way, and opens nothing outside. Must not know what a file is.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.foreign_folders import Bound, find_bound, resolve

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = getattr(os, "O_DIRECTORY", 0) | _NO_LINK | getattr(os, "O_PATH", os.O_RDONLY)
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | _NO_LINK
_HOLDS_FOLDERS = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
MOVED = "a link has taken its place, or that of a folder above it, since the run began"
MOST_LINKS = 40
"""No system follows more of them in one path."""


def follow(path: Path) -> tuple[Path, list[Path]]:
    """Where a path leads, and each link that it passes, also one that leads to nothing: all from one look."""
    at, links = Path.cwd(), list[Path]()
    todo = [*reversed(path.parts)]
    while todo and len(links) <= MOST_LINKS:
        step = at.parent if todo[-1] == ".." else at / todo[-1]  # an absolute path replaces the other one
        try:
            todo[-1:] = reversed(step.readlink().parts)
        except (OSError, ValueError):  # it is no link
            at = step
            todo.pop()
        else:
            links.append(step)
    return at.joinpath(*reversed(todo)), links


@contextmanager
def holding(folder: Path) -> Iterator[int | None]:
    """Hold a folder without following a link, so that no link leads elsewhere that is put in its place later.

    Its path has no links. None where the system cannot do this.
    """
    if not _HOLDS_FOLDERS:
        yield None
        return
    held = os.open(folder.anchor, _FOLDER)
    try:
        for name in folder.parts[1:]:
            try:
                inside = os.open(name, _FOLDER, dir_fd=held)
            except NotADirectoryError:
                raise OSError(errno.ELOOP, MOVED, str(folder)) from None
            os.close(held)
            held = inside
        yield held
    finally:
        os.close(held)


def open_to_read(path: str | Path) -> int:
    """Open a file or a folder to be read; one that is bound to a folder is opened inside it. Raises OSError.

    A pipe is opened without waiting for its other end.
    """
    bound = find_bound(path)
    if bound is None:
        return os.open(path, _READ & ~_NO_LINK)
    if _HOLDS_FOLDERS:
        return _open_inside(Path.cwd() / path, bound)
    return _open_and_compare(Path.cwd() / path, bound)


def list_folder(path: Path) -> tuple[list[str], list[str]]:
    """The names of the folders in a folder, and those of all else, links included. Raises OSError.

    A system without descriptors of folders lists it by its path, before and after which it is looked at.
    """
    bound = find_bound(path)
    if bound is None:
        return _list_names(path)
    if os.scandir not in os.supports_fd:
        _refuse_outside(resolve(path), bound)
        names = _list_names(path)
        _refuse_outside(resolve(path), bound)
        return names
    handle = open_to_read(path)
    try:
        return _list_names(handle)
    except OSError as wrong:
        raise OSError(wrong.errno, wrong.strerror, str(path)) from None
    finally:
        os.close(handle)


def _list_names(folder: Path | int) -> tuple[list[str], list[str]]:
    folders, others = list[str](), list[str]()
    with os.scandir(folder) as entries:
        for entry in entries:
            (folders if entry.is_dir(follow_symlinks=False) else others).append(entry.name)
    return folders, others


def _open_inside(path: Path, bound: Bound) -> int:
    """Open an absolute path, whose links are followed here, if it leads into the folder. Raises OSError.

    The system itself follows none of them, so the path that is judged is the one that is opened.
    """
    way = _Way(path.anchor)
    try:
        name = way.go([*reversed(path.parts[1:])])
        _refuse_outside(Path(*way.names, name), bound)
        return os.open(name, _READ, dir_fd=way.held[-1])
    except OSError as wrong:
        is_link = wrong.errno in (errno.ELOOP, errno.EMLINK) and wrong.filename is not None
        raise OSError(wrong.errno, MOVED if is_link else wrong.strerror, str(path)) from None
    finally:
        for handle in way.held:
            os.close(handle)


class _Way:
    """The folders from the root to where a path leads, each held, and their names."""

    def __init__(self, root: str) -> None:
        self.names, self.held = [root], [os.open(root, _FOLDER)]

    def go(self, todo: list[str]) -> str:
        """Go the steps of a path, given in reverse; return the name of its end, in the last folder."""
        links = 0
        while todo:
            name = todo.pop()
            if name == "..":
                self._leave(1)
            elif (link := self._read_link(name)) is not None:
                links += 1
                if links > MOST_LINKS:
                    raise OSError(errno.ELOOP, f"it passes more than {MOST_LINKS} links: name the file itself")
                if link.is_absolute():
                    self._leave(len(self.held))
                todo += reversed(link.parts[1:] if link.is_absolute() else link.parts)
            elif todo:
                self.held.append(os.open(name, _FOLDER, dir_fd=self.held[-1]))
                self.names.append(name)
            else:
                return name
        return "."

    def _leave(self, folders: int) -> None:
        for _ in range(min(folders, len(self.held) - 1)):  # the root is above itself
            os.close(self.held.pop())
            self.names.pop()

    def _read_link(self, name: str) -> Path | None:
        """Where a name in the last folder leads; None if it is no link."""
        try:
            return Path(os.readlink(name, dir_fd=self.held[-1]))
        except OSError as wrong:
            if wrong.errno == errno.EINVAL:
                return None
            raise


def _open_and_compare(path: Path, bound: Bound) -> int:
    """Open a path, and refuse the file if it is not the one that is inside the folder. Raises OSError.

    For systems without descriptors of folders: a program that replaces a folder above it twice in these moments
    is not noticed.
    """
    handle = os.open(path, _READ & ~_NO_LINK)
    try:
        real = resolve(path)
        _refuse_outside(real, bound)
        if not os.path.samestat(os.fstat(handle), real.lstat()):
            raise OSError(errno.ELOOP, MOVED, str(path))
    except BaseException:
        os.close(handle)
        raise
    return handle


def _refuse_outside(real: Path, bound: Bound) -> None:
    """Raise OSError for a path, without links, that is not in the folder, or is in the data of its repository."""
    folder, with_git = bound
    if not real.is_relative_to(folder):
        raise OSError(errno.EPERM, f"it leads to {str(real)!r}, out of {str(folder)!r}: name that file itself")
    if not with_git and ".git" in (part.casefold() for part in real.relative_to(folder).parts):
        raise OSError(errno.EPERM, f"it is {str(real)!r}, the repository's own data: name another file")
