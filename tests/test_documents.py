"""Files of strangers are read within limits: what is no file, or stands for something endless, is refused."""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path

import pytest
import yaml

from harness.cli import main
from harness.files import list_files, load_all_yaml, load_yaml, open_file, read_file
from harness.resources import folder

EVIL = {
    "a list in itself": ("a: &a [*a]\n", "recursive"),
    "30,000 levels": ("[" * 30_000, "levels deep"),
    "30,000 levels in block style": ("".join("- " for _ in range(30_000)) + "1\n", "levels deep"),
}
COMMANDS = {
    "verify": ["verify"],
    "verify --secrets": ["verify", "--secrets"],
    "replay": ["replay", "--port", "0"],
    "diff": ["diff", str(folder("cassettes") / "emulator" / "agent.yaml")],
    "serve --scenario": ["serve", "--port", "0", "--scenario"],
    "check --baseline": ["check", "emulator", "--baseline"],
}


@pytest.mark.parametrize("name", EVIL)
def test_an_endless_document_is_refused_in_words(name: str) -> None:
    """A document that holds itself, or nests without end, is refused with the reason."""
    text, reason = EVIL[name]
    for source in (text, text.encode(), io.BytesIO(text.encode())):
        with pytest.raises(yaml.YAMLError, match=reason):
            load_yaml(source)
        with pytest.raises(yaml.YAMLError, match=reason):
            load_all_yaml(source if not isinstance(source, io.BytesIO) else io.BytesIO(text.encode()))


def test_merge_keys_are_read() -> None:
    """A merge key as people write it is read."""
    assert load_yaml("base: &base {a: 1}\nitem: {<<: *base, b: 2}\n")["item"] == {"a": 1, "b": 2}


TWINS = {
    "a bad merge": "request:\n  method: POST\n  method: GET\n  uri: /\n",
    "beside a merge key": "base: &base {a: 1}\nb: {<<: *base, method: 1,\n method: 2, a: 3}\n",
    "written in two ways": "a: 1\nmethod: x\n'method': y\n",
}


@pytest.mark.parametrize("name", TWINS)
def test_a_key_that_is_there_twice_is_refused(name: str) -> None:
    """PyYAML takes the last of two equal keys in silence; here both are named by their lines."""
    first, second = (
        number for number, line in enumerate(TWINS[name].splitlines(), 1) for _ in range(line.count("method"))
    )
    with pytest.raises(yaml.MarkedYAMLError, match=f"`method` is there twice, first in line {first}: ") as wrong:
        load_yaml(TWINS[name])
    assert wrong.value.problem_mark is not None
    assert wrong.value.problem_mark.line + 1 == second


def test_a_key_may_override_a_merged_one() -> None:
    """What a merge key brings, and the mapping says anew, is no key that is there twice."""
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2}\nc: {<<: [*a, *b], x: 3}\nd: {<<: *a}\n"
    assert load_yaml(text) == {"a": {"x": 1, "y": 1}, "b": {"y": 2}, "c": {"x": 3, "y": 1}, "d": {"x": 1, "y": 1}}


def _make_pipe(path: Path) -> None:
    os.mkfifo(path)


def _make_link_to_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _make_huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2 << 30)  # a sparse file: it takes no space


ODD = {
    "a pipe": (_make_pipe, "it is a pipe"),
    "a device": (_make_link_to_device, "it is a device"),
    "a folder": (Path.mkdir, "it is a folder"),
    "2 GiB": (_make_huge, "at most 1,073,741,824 are read"),
}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes and devices in folders")
@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_file_is_refused_before_it_is_read(tmp_path: Path, kind: str) -> None:
    """Opening a pipe does not wait for its other end, and a device is not read without end."""
    make, reason = ODD[kind]
    path = tmp_path / "a.yaml"
    make(path)
    with pytest.raises(OSError, match=reason) as raised:
        open_file(path)
    assert raised.value.filename == str(path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes in folders")
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_reads_a_file_refuses_evil_ones(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command given an endless document or a pipe ends by itself and names the file and the reason."""
    names = ("a list in itself", "30,000 levels")
    evil = {name: tmp_path / f"{number}.yaml" for number, name in enumerate(names)}
    for name, path in evil.items():
        path.write_text(EVIL[name][0])
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    for name, path in {**evil, "a pipe": pipe}.items():
        code = main([*COMMANDS[command], str(path)])
        printed = "".join(capsys.readouterr())
        if command == "verify --secrets" and name != "a pipe":
            assert code in (0, 1, 2), printed  # what is no YAML is searched as text
        else:
            assert code in (1, 2), f"{name}: {printed}"
            assert str(path) in printed, f"{name}: {printed}"
            reason = EVIL[name][1] if name in EVIL else "it is a pipe"
            assert reason in " ".join(printed.split()), f"{name}: {printed}"
        assert "Traceback" not in printed, f"{name}: {printed}"


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no file here fails to be read once it is open")
def test_a_file_that_fails_while_it_is_read_is_named() -> None:
    """As one that cannot be opened is: the operating system says only why."""
    with pytest.raises(OSError, match="/proc/self/mem") as told:
        read_file("/proc/self/mem")
    assert told.value.filename == "/proc/self/mem"


def test_folders_that_tools_fill_are_left_out_if_wanted(tmp_path: Path) -> None:
    """Those of git, virtual environments and caches; the folder itself may be one."""
    for name in (
        ".git/a",
        ".venv/pyvenv.cfg",
        ".venv/b",
        ".cache/CACHEDIR.TAG",
        ".cache/in/c",
        ".hid/d",
        "CACHEDIR.TAG",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".hid" / "python").symlink_to(sys.executable)
    left_out: list[Path] = []
    assert {file.name for file in list_files(tmp_path, of_tools=False, left_out=left_out)} == {
        "d",
        "CACHEDIR.TAG",
        "python",
    }
    assert {path.name for path in left_out} == {".git", ".venv", ".cache"}
    assert tmp_path / ".hid" / "python" in list_files(tmp_path)


def test_files_are_listed_in_order_and_hidden_ones_only_if_wanted(tmp_path: Path) -> None:
    """Folders, pipes and links to nothing are no files."""
    for name in ("b.yaml", "a/c.yaml", ".d.yaml", ".e/f.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "nowhere").symlink_to("nothing")
    left_out: list[Path] = []
    listed = list_files(tmp_path, hidden=False, left_out=left_out)
    assert listed == [tmp_path / "a/c.yaml", tmp_path / "b.yaml"]
    assert {path.name for path in left_out} == {".d.yaml", ".e", "nowhere"}
    assert {file.name for file in list_files(tmp_path)} == {"b.yaml", "c.yaml", ".d.yaml", "f.yaml"}


def test_a_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    """Within the folder, its files have names of their own; out of it, the link is left out, and named."""
    for name in ("folder/a/b", "elsewhere/c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    folder, left_out = tmp_path / "folder", list[Path]()
    (folder / "own").symlink_to("a")
    (folder / "loop").symlink_to(".")
    assert list_files(folder, left_out=left_out) == [folder / "a" / "b"]
    assert left_out == []
    (folder / "moved").symlink_to("../elsewhere")
    assert list_files(folder, left_out=left_out) == [folder / "a" / "b"]
    assert left_out == [folder / "moved"]


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in it was not looked at, and must not pass for good."""
    closed = tmp_path / "closed"
    closed.mkdir()
    scan = os.scandir

    def refuse(path: str) -> object:
        if Path(path) == closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError, match="closed"):
        list_files(tmp_path)
