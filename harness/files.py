"""Reads files of other people: regular files only, and YAML within limits. Writes every file beside the old one.

A file that is no file (a pipe, a device) is refused before a byte is read. So is a document that nests without end
or holds itself, and a mapping that has a key twice, as a bad merge leaves it.

A written file is put in the place of the old one when it is whole. So every reader sees either the old file or the
new one, whatever happens meanwhile: a full disk, a kill, a folder that may not be written. A text shows what a
terminal or an editor would obey, because a person reads or applies it. Must not know what a file means, but for
the place of `[tool.harness]`.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from msgspec import Struct

from harness.outcome import UsageFault
from harness.outcome.words import escape_obeyed, write_harmless

MAX_FILE_BYTES = 1 << 30
"""Largest file that is read: 1 GiB. The largest recordings are a thousandth of it."""
MAX_DEPTH = 100
"""Maximum nesting of a YAML document. libyaml's composer is recursive, and a stack overflow kills the process."""
_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep, as no recording is"
_TOO_DEEP_FOR_LIBYAML = "exceeded maximum nesting depth"
"""What newer versions of its parser report of lists in flow style, before a node is composed."""
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_NEXT_STEPS = {
    errno.ENOENT: "check the path and its spelling",
    errno.ENOTDIR: "check the path, of which a part is a file",
    errno.EACCES: "allow this user to read it",
    errno.EPERM: "allow this user to read it",
}


def explain_unread(wrong: Exception) -> str:
    """Why a file cannot be read, and what to do about it."""
    if not isinstance(wrong, OSError):
        return str(wrong)
    reason = wrong.strerror or str(wrong)
    if ": " in reason or wrong.errno not in _NEXT_STEPS:  # one of ours has its next step
        return reason
    return f"{reason}: {_NEXT_STEPS[wrong.errno]}"


def open_file(path: str | Path, most: int = MAX_FILE_BYTES) -> IO[bytes]:
    """Open a regular file of at most `most` bytes to be read.

    Raises OSError, whose `strerror` names its kind if it is none. A pipe is opened without waiting for its other
    end.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            kind = next((name for is_kind, name in _KINDS if is_kind(status.st_mode)), "no regular file")
            step = "name a file in it" if kind == "a folder" else "write its content to a file, and name that"
            raise OSError(errno.EINVAL, f"it is {kind}: {step}", str(path))
        if status.st_size > most:
            raise OSError(
                errno.EFBIG, f"it has {status.st_size:,} bytes, and at most {most:,} are read", str(path)
            )
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_file(path: str | Path, most: int = MAX_FILE_BYTES) -> bytes:
    """Return the content of a regular file. Raises OSError as `open_file` does, which names the file."""
    with open_file(path, most) as file:
        try:
            return file.read()
        except OSError as wrong:  # a disk that fails names nothing
            raise OSError(wrong.errno, wrong.strerror, str(path)) from None


_TOOL_MARKS = frozenset({"pyvenv.cfg", "CACHEDIR.TAG"})
"""What a folder has that a tool fills: a virtual environment, a cache."""


def list_files(
    folder: str | Path, *, hidden: bool = True, of_tools: bool = True, left_out: list[Path] | None = None
) -> list[Path]:
    """The regular files below a folder, in order. Raises OSError for a folder that cannot be listed.

    With `hidden=False`, files and folders whose names begin with a dot are left out; with `of_tools=False`,
    folders below it that git or another tool fills. They are added to `left_out`, and so is each name that is no
    file, such as a link to a folder elsewhere. A link to a folder below is not followed, because its files have
    names of their own.
    """
    root = Path(folder)
    skipped = [] if left_out is None else left_out
    kept, todo = list[Path](), [root]
    while todo:
        here = todo.pop()
        with os.scandir(here) as entries:  # an unread file must not pass for a good one
            found = sorted(entries, key=lambda entry: entry.name)
        if not of_tools and here != root and any(entry.name in _TOOL_MARKS for entry in found):
            skipped.append(here)
            continue
        for entry in found:
            path = here / entry.name
            if re.search(r"[\r\n]", entry.name):  # it would write lines of its own into the output
                raise OSError(errno.EINVAL, "its name contains a line feed: rename it", repr(str(path)))
            is_folder = entry.is_dir(follow_symlinks=False)
            if (not hidden and entry.name.startswith(".")) or (
                is_folder and not of_tools and entry.name == ".git"
            ):
                skipped.append(path)
            elif is_folder:
                todo.append(path)
            elif entry.is_file():
                kept.append(path)
            elif not (path.is_dir() and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))):
                skipped.append(path)
    return sorted(kept)


def load_toml(data: bytes) -> dict[str, Any]:
    """Parse a TOML document. Raises ValueError or RecursionError."""
    import tomllib  # late: most commands read none

    return tomllib.loads(data.decode("utf-8"))


def load_yaml(source: IO[bytes] | bytes | str, loader: type[Any] | None = None) -> Any:
    """Parse one YAML document as plain data. Raises yaml.YAMLError, ValueError or RecursionError.

    `loader` is a subclass of `loader_class()` that knows more tags.
    """
    return next(iter(_load(source, loader, is_single=True)), None)


def load_all_yaml(source: IO[bytes] | bytes | str, loader: type[Any] | None = None) -> list[Any]:
    """Parse every document of a YAML file, as `load_yaml` does."""
    return _load(source, loader, is_single=False)


def _load(source: IO[bytes] | bytes | str, loader: type[Any] | None, *, is_single: bool) -> list[Any]:
    import yaml

    reader = (loader or loader_class())(source)
    documents = []
    try:
        if is_single:
            nodes = iter([reader.get_single_node()])
        else:
            nodes = iter(lambda: reader.get_node() if reader.check_node() else None, None)
        for node in nodes:
            if node is None:
                break
            documents.append(reader.construct_document(node))
        return documents
    except yaml.MarkedYAMLError as wrong:
        if wrong.problem != _TOO_DEEP_FOR_LIBYAML:
            raise
        raise yaml.composer.ComposerError(None, None, _TOO_DEEP, wrong.problem_mark) from None
    finally:
        reader.dispose()


@cache
def loader_class() -> Any:
    """PyYAML's safe loader, in C where there is one: bounded in depth, no value in itself, each key once."""
    import yaml

    class BoundedLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Counts the depth of nodes. Constructors are registered per class, so PyYAML's own stay as they are."""

        _depth = 0

        def descend_resolver(
            self, parent: Any, index: Any
        ) -> None:  # instead of path resolvers, which have no use
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise yaml.composer.ComposerError(None, None, _TOO_DEEP, None)

        def ascend_resolver(self) -> None:
            self._depth -= 1

        def construct_object(self, node: Any, deep: bool = False) -> Any:
            if node.tag == "tag:yaml.org,2002:str" and isinstance(node, yaml.ScalarNode):  # as most nodes are
                return node.value
            return super().construct_object(node, deep=True)  # at once, so that PyYAML refuses a value in itself

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            own = node.value  # following merge keys puts another list in its place
            mapping = super().construct_mapping(node, deep)
            if len(mapping) != len(own) or node.value is not own:
                _refuse_twins(self, own)
            return mapping

    return BoundedLoader


def _refuse_twins(loader: Any, pairs: list[Any]) -> None:
    """Raise yaml.YAMLError if a key is among `pairs` twice. PyYAML itself keeps the last in silence."""
    import yaml

    lines: dict[Any, int] = {}
    for key_node, _ in pairs:
        key = loader.construct_object(key_node, deep=True)
        if key in lines:
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"`{str(key)[:60]}` is there twice, first in line {lines[key]}: delete one of them",
                key_node.start_mark,
            )
        lines[key] = key_node.start_mark.line + 1


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


# The pyproject.toml of a project; what a key of its table means is decided elsewhere.


PROJECT_FILE = "pyproject.toml"


class ProjectFile(Struct, frozen=True):
    """A file that a folder brings, and its table `[tool.harness]`."""

    path: Path
    table: dict[str, Any]


def find_project_file(folder: Path | None = None) -> ProjectFile | None:
    """The nearest one of the folder (default: the current one) and its parents. Raises UsageFault."""
    here = folder or Path.cwd()
    places = (place / PROJECT_FILE for place in (here, *here.parents))
    path = next(filter(Path.is_file, places), None)
    if path is None:
        return None
    try:
        whole = load_toml(read_file(path))
    except OSError as wrong:
        raise UsageFault(f"{path} cannot be read: {explain_unread(wrong)}") from None
    except (ValueError, RecursionError) as wrong:
        raise UsageFault(f"{path} is not valid TOML: {wrong}: correct that line") from None
    tool = whole.get("tool")
    table = tool.get("harness", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise UsageFault(f"{path}: tool.harness must be a table")
    return ProjectFile(path, table)
