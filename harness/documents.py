"""Reads files of other people: regular files only, and YAML within limits.

Layer 0. A recording or a baseline may come from a stranger's pull request, and continuous integration reads it. So
a file that is no file (a pipe, a device) is refused before a byte is read. A small document that expands to a
huge, endless or bottomless one is refused before it is built, and so is a mapping that has a key twice, as a bad
merge leaves it. Must not know the meaning of a document.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import IO, Any

from harness.foreign_folders import bind, find_bound
from harness.held_paths import list_folder, open_to_read

MAX_FILE_BYTES = 1 << 30
"""Largest file that is read: 1 GiB. The largest recordings are a thousandth of it."""
_LARGE = 64 << 20
_BLOCK = 1 << 20
_START = 64 << 10
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
MAX_DEPTH = 100
"""Maximum nesting of a YAML document. libyaml's composer is recursive, and a stack overflow kills the process."""
_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep, as no recording is"
_TOO_DEEP_FOR_LIBYAML = "exceeded maximum nesting depth"
"""What newer versions of its parser report of lists in flow style, before a node is composed."""
MAX_GROWTH = 20
"""A document may stand for so many times its own size once its aliases are followed."""
MAX_NODES = 2_000_000
"""Maximum number of values and keys of a YAML document: each takes 500 bytes of memory, and can be a byte."""
FREE_SIZE = 500_000
"""Size, in characters and `_NODE_COST` for each node, up to which aliases are not counted."""
_NODE_COST = 10
_MAX_DIGITS = 4_300
"""Python's own limit for decimal integers, which YAML's base 60 does not know."""
_ANCHOR = re.compile(rb"(?<![\w=%.~+/])&[^\s,\[\]{}]")
"""What may be an anchor, in UTF-8 and UTF-16, after any end of a line: all but `&` inside a word, as in a URL."""
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_COPY = "write its content to a file, and name that"
_INSTEAD = {"a folder": "name a file in it"}


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
    """Open a regular file of at most so many bytes to be read.

    Raises OSError, whose `strerror` names its kind if it is none. One that is bound to a folder is opened in it
    (`held_paths`).
    """
    handle = open_to_read(path)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            kind = next((name for is_kind, name in _KINDS if is_kind(status.st_mode)), "no regular file")
            raise OSError(errno.EINVAL, f"it is {kind}: {_INSTEAD.get(kind, _COPY)}", str(path))
        if status.st_size > most:
            raise OSError(
                errno.EFBIG, f"it has {status.st_size:,} bytes, and at most {most:,} are read", str(path)
            )
        _refuse_zeros(handle, status.st_size, path)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _refuse_zeros(handle: int, size: int, path: str | Path) -> None:
    """Raise OSError for a large file that begins with zero bytes: to read it as text would take minutes."""
    if size <= _LARGE:
        return
    start = os.read(handle, _START)
    os.lseek(handle, 0, os.SEEK_SET)
    if b"\0" in start and not start.startswith(_UTF_16):
        raise OSError(
            errno.EINVAL, f"it has {size:,} bytes that begin with zeros, as after a crash: restore it", str(path)
        )


def read_file(path: str | Path, most: int = MAX_FILE_BYTES) -> bytes:
    """Return the content of a regular file. Raises OSError as `open_file` does, which names the file."""
    with open_file(path, most) as file:
        try:
            return file.read()
        except OSError as wrong:  # a disk that fails names nothing
            raise OSError(wrong.errno, wrong.strerror, str(path)) from None


_LINE_END = re.compile(r"[\r\n]")
_OF_GIT = ".git"
_TOOL_MARKS = frozenset({"pyvenv.cfg", "CACHEDIR.TAG"})
"""What a folder has that a tool fills: a virtual environment, a cache."""


def list_files(
    folder: str | Path, *, hidden: bool = True, of_tools: bool = True, left_out: list[Path] | None = None
) -> list[Path]:
    """The regular files below a folder, in order. Raises OSError for a folder that cannot be listed.

    With `hidden=False`, files and folders whose names begin with a dot are left out; with `of_tools=False`,
    folders below it that git or another tool fills, unless git tracks a file there, or in a repository of its own.
    They are added to `left_out`, and so is each name that is no file, such as a link to nothing. A link to a
    folder within the folder is not followed, because its files have names of their own.
    A link that leads out of the folder raises OSError: the author of the folder must not choose which other files
    are read, or that files which others read are not. Tools make hidden ones, and those to folders, which
    `of_tools=False` leaves out, too.
    """
    skipped = [] if left_out is None else left_out
    if find_bound(folder) is None:
        bind(folder, folder, with_git=True)  # what takes the place of a file before it is read, too
    found = _walk(Path(folder), hidden=hidden, of_tools=of_tools, left_out=skipped)
    root = os.path.realpath(folder)
    kept = list[Path]()
    for path in sorted(found):
        is_out = path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root)
        is_folder = path.is_dir()
        if is_folder and not is_out:
            continue
        if _LINE_END.search(str(path.relative_to(folder))):  # it would write lines of its own into the output
            raise OSError(errno.EINVAL, "its name contains a line feed: rename it", repr(str(path)))
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if is_out and path.exists() and (of_tools or not (is_hidden or is_folder)):
            itself = "the folder itself" if is_folder else "the file itself"
            raise OSError(errno.EPERM, f"it is a link that leads out of the folder: name {itself}", str(path))
        (skipped if is_out or not path.is_file() else kept).append(path)
    return kept


def _walk(folder: Path, *, hidden: bool, of_tools: bool, left_out: list[Path]) -> Iterator[Path]:
    """All names below a folder that are not folders, but for what `list_files` leaves out."""
    todo = [folder]
    while todo:
        here = todo.pop()
        folders, names = list_folder(here)  # an unread file must not pass for a good one
        is_marked = not of_tools and here != folder and not _TOOL_MARKS.isdisjoint(names)
        if (
            is_marked and _OF_GIT not in (*folders, *names) and not _has_tracked_files(here)
        ):  # a submodule is searched
            left_out.append(here)
            continue
        unwanted = {name for name in (*folders, *names) if not hidden and name.startswith(".")}
        unwanted |= {name for name in folders if not of_tools and name == _OF_GIT}
        left_out += [here / name for name in sorted(unwanted)]
        todo += [here / name for name in folders if name not in unwanted]
        yield from (here / name for name in names if name not in unwanted)


def _has_tracked_files(folder: Path) -> bool:
    """Whether git tracks a file of the folder, which then is no work of a tool."""
    real = Path(os.path.realpath(folder))
    for root in real.parents:
        place = root / _OF_GIT
        if place.is_file():  # of a worktree or a submodule
            place = root / read_file(place, _START).decode("utf-8", "replace").partition(":")[2].strip()
        if (index := place / "index").is_file():
            inside = os.fsencode(f"{real.relative_to(root).as_posix()}/")
            files = (index, *place.glob("sharedindex.*"))  # a split index has most of its names there
            return any(inside in _unpack_names(read_file(file)) for file in files)
    return False


def _unpack_names(index: bytes) -> bytes:
    """An index of git in which each path is written out: version 4 has only what differs from the path before."""
    if index[4:8] != b"\0\0\0\4":
        return index
    size = 62 if index[-20:] in (bytes(20), hashlib.sha1(index[:-20]).digest()) else 74  # with SHA-256
    names, at = [b""], 12
    try:
        for _ in range(int.from_bytes(index[8:12], "big")):
            at += size + (2 if index[at + size - 2] & 0x40 else 0)
            gone = index[at] & 0x7F
            while index[at] & 0x80:
                at += 1
                gone = (gone + 1 << 7) + (index[at] & 0x7F)
            end = index.index(b"\0", at + 1)
            names.append(names[-1][: len(names[-1]) - gone] + index[at + 1 : end])
            at = end + 1
    except (IndexError, ValueError):  # no index of git
        return index
    return b"\0".join(names)


MAX_TOML_BYTES = 4 << 20
"""Largest TOML document that is read: the largest pyproject.toml files have a hundredth of it."""
MAX_KEY_PARTS = 64
_TOML_TEXT = re.compile(
    r'''"""(?:[^"\\]|\\.|"{1,2}(?!"))*+(?:"{3,5})?|\'{3}(?:[^']|'{1,2}(?!'))*+(?:'{3,5})?'''
    r"""|"(?:[^"\\\n]|\\.)*+"?|'[^'\n]*+'?|\#[^\n]*+""",
    re.DOTALL,
)
_LONG_KEY = re.compile(rf"(?<![\w-])[\w-]++(?:[ \t]*+\.[ \t]*+[\w-]++){{{MAX_KEY_PARTS}}}")


def load_toml(data: bytes) -> dict[str, Any]:
    """Parse a TOML document. Raises ValueError or RecursionError.

    The time that Python's parser takes grows with the square of the parts of a dotted key.
    """
    import tomllib

    if len(data) > MAX_TOML_BYTES:
        raise ValueError(f"it has {len(data):,} bytes, and at most {MAX_TOML_BYTES:,} are read")
    text = data.decode("utf-8")
    plain = _TOML_TEXT.sub(lambda found: "" if found[0].startswith("#") else "s", text)
    if found := _LONG_KEY.search(plain):
        line = plain.count("\n", 0, found.start()) + 1
        raise ValueError(f"a key of more than {MAX_KEY_PARTS} parts in line {line}")
    return tomllib.loads(text)


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

    has_anchors = _has_anchors(source)
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
            if has_anchors:
                refuse_bombs(node)
            documents.append(reader.construct_document(node))
        return documents
    except yaml.MarkedYAMLError as wrong:
        if wrong.problem != _TOO_DEEP_FOR_LIBYAML:
            raise
        raise yaml.composer.ComposerError(None, None, _TOO_DEEP, wrong.problem_mark) from None
    finally:
        reader.dispose()


def _has_anchors(source: IO[bytes] | bytes | str) -> bool:
    """Whether a document may hold anchors. Nearly none does, and the others are spared a walk over all nodes."""
    if isinstance(source, str):
        source = source.encode("utf-8", "replace")
    if isinstance(source, bytes):
        return _ANCHOR.search(source) is not None
    try:
        blocks = iter(lambda: source.read(_BLOCK) + source.readline(), b"")
        return any(b"&" in block and _ANCHOR.search(block) is not None for block in blocks)
    finally:
        source.seek(0)


def refuse_bombs(root: Any) -> None:
    """Raise yaml.YAMLError if the graph of nodes at `root` contains itself, or grows too much as a tree."""
    import yaml

    sizes: dict[int, int | None] = {}
    own_size = 0
    todo = [(root, False)]
    while todo:
        node, is_done = todo.pop()
        children = _list_children(node)
        if is_done:
            sizes[id(node)] = _measure(node) + sum(sizes[id(child)] or 0 for child in children)
        elif id(node) not in sizes:
            sizes[id(node)] = None  # it is being measured: who meets it now is inside it
            own_size += _measure(node)
            todo.append((node, True))
            for child in children:
                if sizes.get(id(child), 0) is None:
                    raise yaml.composer.ComposerError(
                        None, None, "an alias refers to what it is a part of, so this never ends", child.start_mark
                    )
                todo.append((child, False))
    size = sizes[id(root)] or 0
    if size > max(FREE_SIZE, MAX_GROWTH * own_size):
        raise yaml.composer.ComposerError(
            None,
            None,
            f"its aliases make {size:,} characters of {own_size:,}: a recording does not",
            root.start_mark,
        )


def _list_children(node: Any) -> list[Any]:
    if isinstance(node.value, str):
        return []
    return [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]


def _measure(node: Any) -> int:
    return _NODE_COST + (len(node.value) if isinstance(node.value, str) else 0)


@cache
def loader_class() -> Any:
    """PyYAML's safe loader, in C where there is one, with limits to nesting and numbers, and each key once."""
    import yaml

    class BoundedLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Counts the depth of nodes. Constructors are registered per class, so PyYAML's own stay as they are."""

        _depth = _nodes = 0

        def descend_resolver(
            self, parent: Any, index: Any
        ) -> None:  # instead of path resolvers, which have no use
            self._depth += 1
            self._nodes += 1
            if self._nodes > MAX_NODES:
                many = f"more than {MAX_NODES:,} values, as no recording has"
                raise yaml.composer.ComposerError(None, None, many, None)
            if self._depth > MAX_DEPTH:
                raise yaml.composer.ComposerError(None, None, _TOO_DEEP, None)

        def ascend_resolver(self) -> None:
            self._depth -= 1

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            own = node.value  # following merge keys puts another list in its place
            mapping = super().construct_mapping(node, deep)
            if len(mapping) != len(own) or node.value is not own:
                _refuse_twins(self, own)
            return mapping

        def construct_yaml_int(self, node: Any) -> int:
            if len(node.value) > _MAX_DIGITS:
                raise yaml.constructor.ConstructorError(
                    None, None, f"a number of {len(node.value):,} digits", node.start_mark
                )
            return int(super().construct_yaml_int(node))

    BoundedLoader.add_constructor("tag:yaml.org,2002:int", BoundedLoader.construct_yaml_int)
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


# An archive of a stranger, before `tarfile` reads it.


_NAMES = b"LK"
_FURTHER = b"xgX" + _NAMES
"""The types of blocks that say more of the next file, such as a long name."""
_GLOBAL = b"g"
"""The type of blocks that say more of all files after them."""
_MOST_FURTHER = 16_384
_MOST_GLOBAL = 64
"""So many fields may be those of all files."""
MOST_FILES = 65_536
"""So many files may an archive have: each takes a kilobyte of memory, and some bytes of a compressed archive."""
_SPARSE = b"S"
_RECORD = re.compile(rb"([1-9]\d{0,4}) ([^=\n]+)=")
_LONG_NUMBER = re.compile(rb"\d{64}")


def is_bounded_tar(blocks: Iterable[bytes], most: int) -> bool:
    """Whether `tarfile` reads a tar of these blocks of 512 bytes to its end.

    `most` is the size in bytes of the largest file that it may have.

    Some versions read a long field, or a size below zero, for ever. For a number, they search each block in the
    square of its digits, and they let one record reach over those after it. Each file gets a copy of the fields of
    all files. A sparse file has a list of its pieces, each of 2 bytes in the archive and 100 in memory.
    """
    from tarfile import BLOCKSIZE, TarError, TarInfo  # late: few commands read an archive

    left, files = _MOST_GLOBAL, 0
    ahead: deque[bytes] = deque()
    source = iter(blocks)
    while True:
        ahead.extend(islice(source, _MOST_FURTHER // BLOCKSIZE + 2 - len(ahead)))
        if not ahead:
            return True
        try:
            block = TarInfo.frombuf(ahead.popleft(), "utf-8", "surrogateescape")
        except TarError:
            continue  # the content of a file
        files += block.type not in _FURTHER
        if not 0 <= block.size <= most or block.type == _SPARSE or files > MOST_FILES:
            return False
        if block.type in _FURTHER:
            more = b"".join(islice(ahead, block.size // BLOCKSIZE + 1))[: block.size]
            left -= more.count(b"\n") if block.type in _GLOBAL else 0
            if len(more) > _MOST_FURTHER or left < 0:
                return False
            if block.type not in _NAMES and not _are_bounded_records(more, most):
                return False


def _are_bounded_records(data: bytes, most: int) -> bool:
    """Whether each record of a block has the length that it names, and is read in little time and memory."""
    at = 0
    while at < len(data):
        if (found := _RECORD.match(data, at)) is None:
            return False
        end, name = at + int(found[1]), found[2]
        value = data[found.end() : end - 1]
        if end <= found.end() or data[end - 1 : end] != b"\n" or name.startswith(b"GNU.sparse."):
            return False
        if _LONG_NUMBER.search(value) or (name == b"size" and not (value.isdigit() and int(value) <= most)):
            return False
        at = end
    return True
