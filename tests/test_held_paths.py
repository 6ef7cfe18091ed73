"""Reading a path that is bound to a folder: which links are followed, and which are not."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import held_paths
from harness.documents import read_file
from harness.foreign_folders import bind, bind_like, find_bound, working_in
from harness.held_paths import list_folder

needs_descriptors = pytest.mark.skipif(not held_paths._HOLDS_FOLDERS, reason="this system cannot hold a folder")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder of a command; beside it, a file that no path of the folder may lead to."""
    inside = tmp_path / "inside"
    (inside / "a" / "b").mkdir(parents=True)
    (inside / "a" / "b" / "file").write_text("good", encoding="utf-8")
    (inside / ".git").mkdir()
    (inside / ".git" / "config").write_text("token", encoding="utf-8")
    (tmp_path / "file").write_text("secret", encoding="utf-8")
    monkeypatch.chdir(inside)
    with working_in(inside, str):
        yield inside


LINKS = {
    "relative": "a/b/file",
    "of-a-folder": "a",
    "up": "a/b/../../a/b/file",
    "out-and-in": "../inside/a/b/file",
    "absolute": "{folder}/a/b/file",
    "chain": "link-2",
}


@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.parametrize("target", LINKS.values(), ids=LINKS)
def test_a_link_that_leads_inside_is_followed(
    target: str, holds: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People link recordings of one folder to those of another."""
    monkeypatch.setattr(held_paths, "_HOLDS_FOLDERS", holds and held_paths._HOLDS_FOLDERS)
    (folder / "link").symlink_to(target.format(folder=folder))
    (folder / "link-2").symlink_to("a/b/file")
    path = Path("link", "b", "file") if target == "a" else Path("link")
    bind("link", folder)
    assert read_file(path) == b"good"


@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.parametrize("target", ["../file", "a/../../file", "/etc/hostname", "{folder}/../file", ".git/config"])
def test_a_link_that_leads_out_is_refused(
    target: str, holds: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So is one into the data of the repository, where a token may be."""
    monkeypatch.setattr(held_paths, "_HOLDS_FOLDERS", holds and held_paths._HOLDS_FOLDERS)
    (folder / "link").symlink_to(target.format(folder=folder))
    bind("link", folder)
    with pytest.raises(PermissionError, match=r"out of|the repository's own data"):
        read_file("link")


@needs_descriptors
@pytest.mark.parametrize("swapped", ["file", "folder"])
def test_a_link_that_comes_at_the_last_moment_is_not_followed(
    swapped: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if it comes after the look that found no link there."""
    look, place = os.readlink, folder / "a" / "b"
    (folder.parent / "b").mkdir()
    (folder.parent / "b" / "file").write_text("secret", encoding="utf-8")

    def look_and_swap(name: str, **more: Any) -> str:
        try:
            return look(name, **more)
        finally:
            if name == ("file" if swapped == "file" else "b") and not place.is_symlink():
                path = place / "file" if swapped == "file" else place
                path.rename(folder / "moved")
                path.symlink_to(folder.parent / path.name)

    bind("a", folder)
    monkeypatch.setattr(os, "readlink", look_and_swap)
    with pytest.raises(OSError, match=r"a link has taken its place|Not a directory"):
        read_file("a/b/file")


@needs_descriptors
def test_a_folder_that_is_moved_away_is_read_where_it_is_held(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link that takes the place of a folder which is already held changes nothing."""
    look, place = os.readlink, folder / "a" / "b"

    def look_and_swap(name: str, **more: Any) -> str:
        if name == "file":
            place.rename(folder / "moved")
            place.symlink_to(folder.parent)
        return look(name, **more)

    bind("a", folder)
    monkeypatch.setattr(os, "readlink", look_and_swap)
    assert read_file("a/b/file") == b"good"


def test_links_without_end_are_refused(folder: Path) -> None:
    """As by the system."""
    (folder / "link").symlink_to("link")
    bind("link", folder)
    with pytest.raises(OSError, match="more than 40 links"):
        read_file("link")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_in_a_folder_is_not_waited_for(folder: Path) -> None:
    """A pipe that takes the place of a file is refused, also one without a writer."""
    os.mkfifo(folder / "pipe")
    bind("pipe", folder)
    with pytest.raises(OSError, match="it is a pipe"):
        read_file("pipe")


def test_a_missing_file_is_missing(folder: Path) -> None:
    """The error is that of the system, and names the path."""
    bind("gone", folder)
    with pytest.raises(FileNotFoundError) as wrong:
        read_file("gone/file")
    assert wrong.value.errno == errno.ENOENT
    assert wrong.value.filename == str(folder / "gone" / "file")


@pytest.mark.parametrize("holds", [True, False])
def test_a_bound_folder_is_listed_inside_only(holds: bool, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own names are listed, and not those of a folder to which a link leads."""
    if not holds:
        monkeypatch.setattr(os, "supports_fd", frozenset())
    bind("a", folder)
    assert list_folder(Path("a")) == (["b"], [])
    assert list_folder(Path("a/b")) == ([], ["file"])
    (folder / "a" / "link").symlink_to(folder.parent)
    with pytest.raises(PermissionError, match="out of"):
        list_folder(Path("a/link"))


def test_what_is_not_bound_may_be_anywhere(folder: Path) -> None:
    """A user names a file by any link; what belongs to a bound path is bound, too; all ends with the command."""
    (folder / "link").symlink_to("../file")
    assert read_file("link") == b"secret"
    bind("a", folder)
    bind_like(folder / "link", "a/b/file")
    with pytest.raises(PermissionError):
        read_file("link")
    with working_in(folder, str):
        assert find_bound("a") is None
        assert read_file("link") == b"secret"
