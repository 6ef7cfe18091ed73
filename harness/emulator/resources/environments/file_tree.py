"""The files of one environment, in memory: paths, parents, conflicts. Every write is all or nothing.

Layer 2. Knows files and directories; must not know requests or environments. File contents are immutable, so a
fork shares them and copies only the table of paths.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from harness.emulator.resources.refusals import conflict, over_quota
from harness.emulator.values.call import invalid

MOST_NODES = 10_000
"""Limit on the files and directories of one environment."""
LONGEST_PATH = 1024

_MEDIA_TYPES = {
    "csv": "text/csv",
    "gz": "application/gzip",
    "html": "text/html",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "js": "text/javascript",
    "json": "application/json",
    "md": "text/markdown",
    "pdf": "application/pdf",
    "png": "image/png",
    "py": "text/x-python",
    "tar": "application/x-tar",
    "txt": "text/plain",
    "yaml": "application/yaml",
    "yml": "application/yaml",
}
"""Our own table: with the operating system's, responses would differ between machines."""


@dataclass(frozen=True, slots=True)
class File:
    """A file's bytes and media type, and when it was created and last modified (RFC 3339)."""

    data: bytes
    media_type: str
    created: str
    modified: str


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory; `created` is the time of the first write that needed it."""

    created: str


Node: TypeAlias = File | Directory


def clean(path: str) -> str:
    """Return `path` relative to the root (`""`), without empty and `.` parts.

    Raises `Refusal` 400 for a path that contains `..` or NUL, or is longer than `LONGEST_PATH`.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in path:
        raise invalid(f"The path {path!r} leaves the environment or cannot name a file.")
    if len(path) > LONGEST_PATH:
        raise invalid(f"A path of {len(path)} characters is too long: {LONGEST_PATH} are allowed.")
    return "/".join(parts)


class Tree:
    """Maps clean relative paths to files and directories."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._size = 0

    def fork(self) -> Tree:
        """An independent tree with the same files."""
        twin = Tree()
        twin._nodes = dict(self._nodes)
        twin._size = self._size
        return twin

    @property
    def size(self) -> int:
        """Total size of all files in bytes."""
        return self._size

    @property
    def file_count(self) -> int:
        """Number of files, not counting directories."""
        return sum(isinstance(node, File) for node in self._nodes.values())

    def node(self, path: str) -> Node | None:
        """The file or directory at a clean path, or None; the root is always a directory."""
        return self._nodes.get(path) if path else Directory("")

    def below(self, path: str, *, recursive: bool = False) -> list[tuple[str, Node]]:
        """The children of a directory, or with `recursive` all its descendants, sorted by path."""
        start = f"{path}/" if path else ""
        return sorted(
            (name, node)
            for name, node in self._nodes.items()
            if name.startswith(start) and (recursive or "/" not in name[len(start) :])
        )

    def write(
        self,
        files: Mapping[str, bytes],
        now: str,
        *,
        media_type: str = "",
        overwrite: bool = False,
        directories: Iterable[str] = (),
    ) -> list[str]:
        """Write all `files` or none, creating parent directories; return the paths, sorted.

        Raises `Refusal`: 409 `aborted` when a file exists and `overwrite` is off, 400 `failed_precondition` when
        a directory is in the place of a file or the reverse, 429 when there are more than `MOST_NODES`.
        """
        nodes = dict(self._nodes)
        for path in directories:
            _make_directories(nodes, path, now)
        for path, data in files.items():
            _make_directories(nodes, path.rpartition("/")[0], now)
            old = nodes.get(path)
            if isinstance(old, Directory) or not path:
                raise invalid(
                    f"The path {path!r} is a directory: a file cannot replace it.", "failed_precondition"
                )
            if old is not None and not overwrite:
                raise conflict(f"The file {path!r} exists already: send overwrite=true to replace it.")
            nodes[path] = File(data, media_type or guess(path), old.created if old else now, now)
        if len(nodes) > MOST_NODES:
            raise over_quota(f"An environment of the emulator holds at most {MOST_NODES} files and directories.")
        self._nodes = nodes
        self._size = sum(len(node.data) for node in nodes.values() if isinstance(node, File))
        return sorted(files)


def guess(path: str) -> str:
    """The media type for the suffix of `path`; `application/octet-stream` if unknown."""
    return _MEDIA_TYPES.get(path.rpartition(".")[2].lower(), "application/octet-stream")


def _make_directories(nodes: dict[str, Node], path: str, now: str) -> None:
    while path:
        node = nodes.setdefault(path, Directory(now))
        if isinstance(node, File):
            raise invalid(f"The path {path!r} is a file: nothing can be put below it.", "failed_precondition")
        path = path.rpartition("/")[0]
