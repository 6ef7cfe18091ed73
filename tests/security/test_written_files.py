"""Files: each is written beside the old one, and one that cannot be written changes nothing."""

from __future__ import annotations

import ast
import errno
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import held_paths, written_files
from harness.cassette import CassetteFile, save
from harness.cassette.journal import Journal, alone
from harness.cassette.layout import keep_copy
from harness.cli.main import main
from harness.cli.output import ReportFiles
from harness.contract import PROTOCOL
from harness.errors import CassetteError
from harness.foreign_folders import resolve, working_in
from harness.outcome import Exit
from harness.written_files import replacing, write_file
from tests.cassette.samples import URL, answered, get, post
from tests.transport.peers import until

PACKAGE = Path(written_files.__file__).parent
ALLOWED = {
    "written_files.py": "the door",
    "held_paths.py": "it reads",
    "cli/main.py": "the null device in place of a stream that is closed",
    "cli/serving.py": "the terminal, to see whether there is one",
    "suite/shared_run.py": "what one worker of pytest-xdist tells the others, in a folder of the session",
}
WRITES = frozenset(
    {"write_text", "write_bytes", "mkstemp", "NamedTemporaryFile", "copyfile", "copytree", "mkdir", "makedirs"}
)


def writes_of(source: str) -> Iterator[str]:
    """What in a module opens a file to be written, or writes one."""
    if not any(word in source for word in (*WRITES, "open(")):
        return  # to parse the whole package takes seconds
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        given = [*node.args, *(word.value for word in node.keywords if word.arg == "mode")]
        modes = [item.value for item in given if isinstance(item, ast.Constant) and isinstance(item.value, str)]
        if any(word.arg == "fileobj" for word in node.keywords):
            continue  # an archive in memory
        if name in WRITES:
            yield name
        elif name == "open" and any(len(mode) <= 3 and set(mode) & set("wax+") for mode in modes):
            yield "open"
        elif name == "open" and ast.unparse(node.func) == "os.open":
            yield "os.open"


def test_one_module_writes_files() -> None:
    """No other module of the package opens a file to be written, but those that have a reason."""
    found = {
        path.relative_to(PACKAGE).as_posix(): list(writes_of(path.read_text("utf-8")))
        for path in sorted(PACKAGE.rglob("*.py"))
    }
    writing = {name for name, ways in found.items() if ways}
    assert writing - ALLOWED.keys() == set()
    assert ALLOWED.keys() - writing == set(), "take them off the list"


@pytest.mark.parametrize(
    "source",
    [
        "path.write_text('x')", "path.write_bytes(b'')", "open('x', 'w')", "path.open('ab')",
        "open('x', mode='r+')",
        "path.open(mode='x')", "tempfile.mkstemp()", "os.open('x', 1)", "shutil.copyfile(a, b)",
        "path.mkdir()", "os.makedirs('x')",
    ],
)  # fmt: skip
def test_each_way_to_write_is_seen(source: str) -> None:
    """The test above would notice each of these."""
    assert list(writes_of(source))


CHECK = ("check", "emulator", "-c", "get.unknown")


def test_a_report_has_the_mode_of_the_old_one(tmp_path: Path) -> None:
    """A report that others may not read stays so, and a link stays a link to it."""
    old = tmp_path / "old.json"
    old.write_text("{}", encoding="utf-8")
    old.chmod(0o600)
    link = tmp_path / "link.json"
    link.symlink_to(old)
    assert main((*CHECK, "--report", f"json={link}")) == Exit.OK
    assert link.is_symlink()
    assert stat.S_IMODE(old.stat().st_mode) == 0o600
    assert old.read_text("utf-8").startswith('{\n  "harness"')
    assert {path.name for path in tmp_path.iterdir()} == {"old.json", "link.json"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_that_no_program_reads_is_not_waited_for(tmp_path: Path) -> None:
    """A folder of a stranger may have one at the path of a report; a pipe that is read gets all of it."""
    pipe = tmp_path / "report.html"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="it is a pipe that no program reads"):
        write_file(pipe, "x")
    text, came = "x" * 1_000_000, []
    reader = threading.Thread(target=lambda: came.append(pipe.read_text()))
    reader.start()
    until(lambda: _writes(pipe, text))
    reader.join()
    assert came == [text]


def _writes(path: Path, text: str) -> bool:
    try:
        write_file(path, text)
    except OSError:
        return False
    return True


def test_a_link_that_goes_away_at_a_look_is_no_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program may put a file in its place between the two looks of `os.path.realpath`."""
    link = tmp_path / "link.json"
    link.symlink_to("gone.json")
    whole, looks = os.readlink, []

    def replace_first(path: str, **more: Any) -> str:
        looks.append(path)
        if len(looks) == 1:
            link.unlink()
            link.touch()
        return whole(path, **more)

    monkeypatch.setattr(os, "readlink", replace_first)
    assert resolve(link) == link.parent.resolve() / link.name
    assert looks


def test_a_link_of_another_user_leads_to_their_files_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that all users share, such as /tmp, it would destroy a file of the user who names a report."""
    shared, own, theirs = (tmp_path / name for name in ("shared", "own", "theirs"))
    for folder in (shared, own, theirs):
        folder.mkdir()
    (own / "file").write_text("mine", "utf-8")
    (shared / "a").symlink_to(own / "file")
    (shared / "b").symlink_to(theirs / "new")
    owners = {shared / "a": 5, shared / "b": 5, theirs / "new": 5}
    monkeypatch.setattr(written_files, "find_owner", lambda path: owners.get(path, os.geteuid()))
    with working_in(tmp_path / "elsewhere", lambda folder: "allow it"):
        with pytest.raises(OSError, match=r"a link of another user leads to .*own/file': name that file itself"):
            write_file(shared / "a", "x")
        write_file(shared / "b", "x")
    assert (own / "file").read_text("utf-8") == "mine"
    assert (theirs / "new").read_text("utf-8") == "x"


@pytest.mark.parametrize("many", [39, 40, 41, 42, 60])
def test_no_number_of_links_leads_out(many: int, tmp_path: Path) -> None:
    """The last of a long chain is not taken for a place inside because no look followed it."""
    checkout, victim = tmp_path / "checkout", tmp_path / "victim"
    (checkout / ".git").mkdir(parents=True)
    (checkout / "d").mkdir()
    victim.write_text("mine", "utf-8")
    for number in range(1, many):
        (checkout / f"k{number}").symlink_to(f"k{number + 1}")
    (checkout / f"k{many}").symlink_to("d/../../victim")
    with working_in(checkout, lambda folder: "allow it"):
        for write in (lambda path: write_file(path, "x"), lambda path: written_files.replace_file(path, b"x")):
            with pytest.raises(OSError, match="name th"):
                write(checkout / "k1")
    assert victim.read_text("utf-8") == "mine"
    assert not (checkout / "k1").is_file() or (checkout / "k1").is_symlink()


def test_what_was_judged_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that comes after the look at a path leads no file elsewhere: the path is not looked up again."""
    checkout, victim = tmp_path / "checkout", tmp_path / "victim"
    (checkout / ".git").mkdir(parents=True)
    victim.write_text("mine", "utf-8")
    judge = written_files._judge

    def swap(path: Path) -> tuple[Path, str]:
        judged = judge(path)
        if path == checkout / "r.yaml" and not path.is_symlink():
            path.symlink_to(victim)
        return judged

    monkeypatch.setattr(written_files, "_judge", swap)
    with working_in(checkout, lambda folder: "allow it"):
        written_files.replace_file(checkout / "r.yaml", b"x")
    assert victim.read_text("utf-8") == "mine"
    assert (checkout / "r.yaml").read_text("utf-8") == "x"


def test_a_file_is_at_no_time_wider_than_the_old_one(tmp_path: Path) -> None:
    """What is written beside a file that others may not read, or is a copy of it, they may not read either."""
    old = tmp_path / "old.yaml"
    save(old, [answered(get(URL), {"a": 1})])
    old.chmod(0o600)
    with replacing(old) as file:
        file.write(b"x")
        assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    save(old, [answered(get(URL), {"a": 1}), answered(get(f"{URL}/x"), {"a": 1})])
    with CassetteFile(old, PROTOCOL, mode="all") as cassette:
        cassette.add(answered(get(URL), {"error": {}}, 500))
        assert {path.name for path in tmp_path.iterdir()} >= {"old.yaml", "old.part.yaml"}
        modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir() if path.stat().st_size}
        assert modes == {0o600}
    assert "old.before-1.yaml" in {path.name for path in tmp_path.iterdir()}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def fail(number: int, name: str) -> object:
    """A function of a file that fails as the system would."""

    def fails(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number), name)

    return fails


@pytest.mark.parametrize(("where", "code"), [("emulator", Exit.OK), ("http://127.0.0.1:1", Exit.UNREACHABLE)])
def test_a_full_disk_keeps_the_old_report_and_the_exit_code(
    where: str, code: Exit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the disk is full, the old report stays, the missing one is named, and the exit code is the run's."""
    old = tmp_path / "old.json"
    old.write_text("old", encoding="utf-8")
    monkeypatch.setattr(os, "fsync", fail(errno.ENOSPC, ""))
    words = ("--report", f"json={old}", "--report", f"junit={tmp_path / 'new.xml'}")
    assert main(("check", where, "-c", "get.unknown", *words)) == code
    assert old.read_text("utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["old.json"]
    said = capsys.readouterr().err
    assert (
        f"the json report is missing: '{old}' cannot be written: No space left on device; the file there is"
        in said
    )
    assert f"the junit report is missing: '{tmp_path / 'new.xml'}' cannot be written: No space left" in said


def test_a_baseline_that_cannot_be_written_changes_no_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code says what the run judged, and the old baseline stays."""
    baseline = tmp_path / "baseline.yaml"
    baseline.write_text("[]\n", encoding="utf-8")
    monkeypatch.setattr(os, "fsync", fail(errno.ENOSPC, ""))
    assert main((*CHECK, "--baseline", str(baseline), "--baseline-update")) == Exit.OK
    assert baseline.read_text("utf-8") == "[]\n"
    assert "the baseline" in capsys.readouterr().err


def test_a_file_in_a_folder_that_takes_no_other_is_written_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a container has a single file mounted, or the folder is another user's; it may be written."""
    old = tmp_path / "old.html"
    old.write_text("old" * 99, encoding="utf-8")
    monkeypatch.setattr(os, "replace", fail(errno.EBUSY, str(old)))
    written_files.write_file(old, "new")
    assert old.read_text("utf-8") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["old.html"]


def test_a_file_that_cannot_be_written_in_place_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk fills while a file is written over, its old content is put back."""
    old = tmp_path / "old.html"
    old.write_text("the old text", encoding="utf-8")
    monkeypatch.setattr(os, "replace", fail(errno.EBUSY, str(old)))
    write_all, texts = written_files._write_all, []

    def write_part(file: object, data: bytes) -> None:
        texts.append(data)
        write_all(file, data[:3] if len(texts) == 1 else data)  # type: ignore[arg-type]
        if len(texts) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(written_files, "_write_all", write_part)
    with pytest.raises(OSError, match="No space left"):
        written_files.write_file(old, "a new text that is longer")
    assert old.read_text("utf-8") == "the old text"


@pytest.mark.skipif(not Path("/dev/stdout").exists() or shutil.which("cat") is None, reason="needs /dev/stdout")
def test_a_device_is_written_to() -> None:
    """A report may go to a pipe, which a runner of a CI system reads; JSON says the same there."""
    hostile = {"a": "##[error]x ##vso[task.x]y [[ATTACHMENT|/x]]"}
    text = f"# Title\n::error::x\n{json.dumps(hostile)}\n"
    code = f"import pathlib, harness.written_files as w; w.write_file(pathlib.Path('/dev/stdout'), {text!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not re.findall(r"(?m)^\s*::.*|##\w*\[.*|\[\[ATTACHMENT", done.stdout)
    assert json.loads(done.stdout.splitlines()[2]) == hostile
    assert done.stdout.startswith("# Title\n")


@pytest.mark.parametrize("holds", [True, False])
def test_a_report_follows_no_link_that_came_during_the_run(
    holds: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that was checked and then swapped for a link, or a folder that was, leads no report elsewhere.

    Not even where the system cannot hold a folder while a file in it is written.
    """
    monkeypatch.setattr(held_paths, "_HOLDS_FOLDERS", holds and held_paths._HOLDS_FOLDERS)
    folder, secret = tmp_path / "reports", tmp_path / "secret"
    folder.mkdir()
    (secret / "inside").mkdir(parents=True)
    precious = secret / "precious.json"
    precious.write_text("precious", encoding="utf-8")
    swaps = {
        "file": lambda path: path.symlink_to(precious),
        "folder": lambda path: (path.parent.rmdir(), path.parent.symlink_to(secret / "inside")),
    }
    for name, swap in swaps.items():
        path = folder / name / "new.json"
        path.parent.mkdir()
        reports = ReportFiles([f"json={path}"])

        def render(_: str, swap: Any = swap, path: Path = path) -> str:
            swap(path)
            return "text"

        reports.write(render)
        assert "json report is missing" in capsys.readouterr().err
    assert precious.read_text("utf-8") == "precious"
    assert not list((secret / "inside").iterdir())


@pytest.mark.parametrize("swapped", ["file", "folder"])
def test_a_link_that_comes_at_the_last_moment_is_not_followed(
    swapped: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link that is put in place after the last look at the path is replaced, or its folder is refused."""
    path, precious = tmp_path / "folder" / "report.json", tmp_path / "elsewhere" / "report.json"
    path.parent.mkdir()
    precious.parent.mkdir()
    precious.write_text("precious", encoding="utf-8")
    real = os.fsync

    def swap(handle: int) -> None:
        if swapped == "file":
            path.symlink_to(precious)
        else:
            path.parent.rename(tmp_path / "moved")
            path.parent.symlink_to(precious.parent)
        real(handle)

    monkeypatch.setattr(os, "fsync", swap)
    written_files.write_file(path, "text", written_files.find_place(path))
    assert precious.read_text("utf-8") == "precious"
    written = path if swapped == "file" else tmp_path / "moved" / "report.json"
    assert written.read_text("utf-8") == "text"
    assert not written.is_symlink()


@pytest.mark.skipif(not held_paths._HOLDS_FOLDERS, reason="this system cannot hold a folder")
def test_a_folder_that_becomes_a_link_after_the_look_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder above a report that is swapped for a link just before it is opened leads the report nowhere."""
    path, elsewhere = tmp_path / "folder" / "report.json", tmp_path / "elsewhere"
    path.parent.mkdir()
    elsewhere.mkdir()
    hold = written_files.holding

    def swap(folder: Path) -> Any:
        folder.rename(tmp_path / "moved")
        folder.symlink_to(elsewhere)
        return hold(folder)

    monkeypatch.setattr(written_files, "holding", swap)
    with pytest.raises(OSError, match="a link has taken its place"):
        written_files.write_file(path, "text", written_files.find_place(path))
    assert not list(elsewhere.iterdir())


def test_a_link_in_place_before_the_run_is_kept(tmp_path: Path) -> None:
    """A link that the user made, to a file that is there or is not, leads to what it names."""
    for name in ("old", "new"):
        link = tmp_path / f"{name}.json"
        link.symlink_to(tmp_path / name)
        if name == "old":
            (tmp_path / name).write_text("x", encoding="utf-8")
        written_files.write_file(link, "text", written_files.find_place(link))
        assert link.is_symlink()
        assert (tmp_path / name).read_text("utf-8") == "text"


OUTPUTS = {
    "report": (*CHECK, "--report", "markdown=out"),
    "folder of a report": (*CHECK, "--report", "markdown=sub/out"),
    "folder of failures": ("fuzz", "emulator", "--output", "sub/deep/er"),
    "store": ("fuzz", "emulator", "--store", "sub/deep"),
    "database": ("fuzz", "emulator", "--database", "sub/deep"),
    "folder in a database": ("fuzz", "emulator", "--database", "tables"),
    "cassette": ("record", "--target", "http://127.0.0.1:1", "--cassette", "out.yaml", "--", "true"),
    "cassette in a folder": ("record", "--target", "http://127.0.0.1:1", "--cassette", "sub/a.yaml", "--", "true"),
}


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("place", ["victim", "repository/.git", "repository/.venv/bin"])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_of_the_folder_leads_no_output_elsewhere(
    name: str,
    place: str,
    is_there: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A link that somebody put where a command writes leads nowhere, not even to a program in the same folder."""
    outside, folder = tmp_path / place, tmp_path / "repository"
    outside.mkdir(parents=True)
    (folder / "here").mkdir(parents=True)
    links = {"out": "rc", "out.yaml": "rc", "here/index.js": "rc", "here/package.json": "rc"}
    for link, target in links.items():
        (folder / link).symlink_to(outside / target)
    (folder / "sub").symlink_to(outside)
    (folder / "tables").mkdir()
    (folder / "tables" / "clients").symlink_to(outside)
    if is_there:
        (outside / "rc").write_text("mine", encoding="utf-8")
    monkeypatch.chdir(folder)
    assert main(OUTPUTS[name]) == Exit.USAGE
    assert re.search("leads to|symbolic links|not a cassette", capsys.readouterr().err)
    assert {path.name: path.read_text("utf-8") for path in outside.iterdir()} == (
        {"rc": "mine"} if is_there else {}
    )


def test_a_user_may_name_a_folder_with_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Links in a trusted folder are followed, and so are those in a folder that holds the user's home."""
    folder, outside = tmp_path / "repository", tmp_path / "outside"
    for path in (folder, outside):
        path.mkdir()
    (folder / "reports").symlink_to(outside)
    (folder / "inside").mkdir()
    (folder / "own").symlink_to(folder / "inside")
    monkeypatch.chdir(folder)
    assert main((*CHECK, "--report", "json=own/a.json")) == Exit.USAGE
    assert main((*CHECK, "--report", "json=inside/a.json")) == Exit.OK
    assert main((*CHECK, "--report", "json=../outside/b.json")) == Exit.OK
    assert main((*CHECK, "--report", "json=reports/c.json")) == Exit.USAGE
    assert f"or set HARNESS_TRUST={folder} if the folder is yours" in capsys.readouterr().err
    monkeypatch.setenv("HARNESS_TRUST", str(folder))
    assert main((*CHECK, "--report", "json=reports/c.json")) == Exit.OK
    monkeypatch.delenv("HARNESS_TRUST")
    monkeypatch.setenv("HOME", str(folder))
    assert main((*CHECK, "--report", "json=reports/d.json")) == Exit.OK
    assert sorted(path.name for path in outside.iterdir()) == ["b.json", "c.json", "d.json"]
    assert (folder / "inside" / "a.json").is_file()


@pytest.mark.parametrize(("home", "mark"), [(".", ".git"), (".home", ".git"), (".home", "")])
def test_a_home_in_a_checkout_follows_no_link_of_it(
    home: str, mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some CI systems put the home into the checked-out folder, whose links are still those of its author."""
    folder = tmp_path / "repository"
    (folder / mark).mkdir(parents=True)
    (folder / ".home").mkdir()
    (folder / "report.json").symlink_to("../outside.json")
    (folder / ".home" / "a.json").symlink_to("../../outside.json")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder / home))
    for name in ("report.json", ".home/a.json") if mark else ("report.json",):
        assert main((*CHECK, "--report", f"json={name}")) == Exit.USAGE
    assert not (tmp_path / "outside.json").exists()


@pytest.mark.parametrize("mark", [".git", "pyproject.toml"])
@pytest.mark.parametrize("between", ["", "part/pyproject.toml", "part/.git"])
def test_a_home_that_is_the_checkout_follows_no_link_of_it(
    between: str, mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the current folder is below it, in a part with a mark of its own, or in a git submodule."""
    home = tmp_path / "home"
    (home / "part" / "deep").mkdir(parents=True)
    (home / mark).touch()
    if between:
        (home / between).touch()
    (home / "out.json").symlink_to(tmp_path / "outside.json")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home / "part" / "deep")
    words = (*CHECK, "--report", "json=../../out.json")
    assert main(words) == Exit.USAGE
    monkeypatch.setenv("HARNESS_TRUST", str(home))
    assert main(words) == Exit.OK


def test_a_home_under_version_control_keeps_the_links_of_a_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many keep their settings in a repository at home, and work in another repository below it."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "work" / "project" / ".git").mkdir(parents=True)
    (tmp_path / "disk").mkdir()
    (tmp_path / "reports").symlink_to(tmp_path / "disk")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "work" / "project")
    assert main((*CHECK, "--report", f"json={tmp_path / 'reports' / 'a.json'}")) == Exit.OK
    assert (tmp_path / "disk" / "a.json").is_file()


@pytest.mark.parametrize("mark", [".git", "pyproject.toml"])
@pytest.mark.parametrize("said", ["../out", "{above}/out", "{mine}/out", "../linked/out", "../linked/deep/out"])
def test_a_link_above_the_current_folder_leads_no_output_elsewhere(
    said: str, mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who stands in a part of a checked-out folder names files of the whole: its links lead nowhere, either."""
    above, outside = tmp_path / "repository", tmp_path / "victim"
    (above / "part").mkdir(parents=True)
    (outside / "deep").mkdir(parents=True)
    (above / mark).touch()
    (outside / "rc").write_text("mine", encoding="utf-8")
    (above / "out").symlink_to(outside / "rc")
    (above / "linked").symlink_to(outside)
    (tmp_path / "mine").symlink_to(above)  # a path of the user's to the same folder
    monkeypatch.chdir(above / "part")
    report = said.format(above=above, mine=tmp_path / "mine")
    assert main((*CHECK, "--report", f"markdown={report}")) == Exit.USAGE
    said = capsys.readouterr().err
    assert f"a link of {str(above)!r} leads to " in said
    assert f": name that file itself, or set HARNESS_TRUST={above}" in said
    assert [path.name for path in outside.rglob("*") if path.is_file()] == ["rc"]
    assert (outside / "rc").read_text("utf-8") == "mine"
    monkeypatch.setenv("HARNESS_TRUST", str(above))
    assert main((*CHECK, "--report", f"markdown={report}")) == Exit.OK


@pytest.mark.parametrize("mark", [".git", "pyproject.toml"])
@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize(
    "said", ["hostile/out", "mine/out", "my.md", "{}/hostile/linked/out", "hostile/linked/../x"]
)
def test_a_link_of_a_folder_beside_the_current_one_leads_no_output_elsewhere(
    said: str,
    is_there: bool,
    mark: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A checkout may be anywhere, and a path may come to it through a link of the user: its links stay in it.

    A link that the user made in a place of their own still leads where they want.
    """
    hostile, home = tmp_path / "hostile", tmp_path / "home"
    for path in (hostile / "reports", home / "sub"):
        path.mkdir(parents=True)
    (hostile / mark).touch()
    if is_there:
        (home / "out").write_text("mine", encoding="utf-8")
    (hostile / "reports" / "out").symlink_to("../../home/out")
    (hostile / "out").symlink_to(home / "out")
    (hostile / "linked").symlink_to(home / "sub")
    (tmp_path / "mine").symlink_to(hostile / "reports")
    (tmp_path / "my.md").symlink_to(hostile / "out")
    (tmp_path / "own.md").symlink_to(home / "own")
    monkeypatch.setenv("HOME", str(home))
    (tmp_path / "work").mkdir()
    for where, above in ((tmp_path, ""), (tmp_path / "work", "../")):
        monkeypatch.chdir(where)
        report = said.format(tmp_path) if said.startswith("{") else f"{above}{said}"
        assert main((*CHECK, "--report", f"markdown={report}")) == Exit.USAGE
        error = capsys.readouterr().err
        is_here = not above and said in ("mine/out", "my.md")  # a link of the current folder comes first
        place, trusted = ("this folder", tmp_path) if is_here else (repr(str(hostile)), hostile)
        assert f"a link of {place} leads to " in error
        assert f": name that file itself, or set HARNESS_TRUST={trusted}" in error
        if above:
            assert main((*CHECK, "--report", f"markdown={above}own.md")) == Exit.OK
    found = {path.name: path.read_text("utf-8") for path in home.rglob("*") if path.is_file()}
    assert found.pop("own")
    assert found == ({"out": "mine"} if is_there else {})
    monkeypatch.setenv("HARNESS_TRUST", str(hostile))
    assert main((*CHECK, "--report", f"markdown={report}")) == Exit.OK


@pytest.mark.parametrize("is_there", [True, False])
def test_a_recorder_writes_its_own_files_through_no_link(is_there: bool, tmp_path: Path) -> None:
    """A link in the place of a part file is refused; one in the place of a copy makes it take the next name."""
    victim, cassette = tmp_path / "victim", tmp_path / "a.yaml"
    if is_there:
        victim.write_text("mine", encoding="utf-8")
    part = tmp_path / "a.part.yaml"
    part.symlink_to(victim)
    one = answered(post({"model": "m", "input": "x"}), {"id": "v1_a"})
    with (
        pytest.raises(CassetteError, match="in progress are written there through none: delete the link"),
        CassetteFile(cassette, PROTOCOL),
    ):
        pass
    with pytest.raises(CassetteError, match="exists"):
        Journal(part).append(one)
    part.unlink()
    (tmp_path / "a.before-1.yaml").symlink_to(victim)
    save(cassette, [one])
    assert keep_copy(cassette).name == "a.before-2.yaml"
    assert (victim.read_text("utf-8") if victim.exists() else None) == ("mine" if is_there else None)


def test_a_lock_empties_no_other_file(tmp_path: Path) -> None:
    """A link in the place of a lock leads to nothing: its file is neither opened nor emptied."""
    victim = tmp_path / "victim"
    victim.write_text("mine", encoding="utf-8")
    (tmp_path / ".a.yaml.lock").symlink_to(victim)
    with pytest.raises(CassetteError, match="cannot be written"), alone(tmp_path / "a.yaml"):
        pass
    assert victim.read_text("utf-8") == "mine"
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / ".b.yaml.lock")
        with pytest.raises(CassetteError, match="is not a file: delete it"), alone(tmp_path / "b.yaml"):
            pass


def test_a_recorder_without_room_for_one_exchange_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full from the start is told as such, and leaves no file."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Journal, "append", refuse)
    with (
        pytest.raises(CassetteError, match=r"cannot be written to .*: No space left on device"),
        CassetteFile(tmp_path / "a.yaml", PROTOCOL) as file,
    ):
        file.add(answered(post({"model": "m", "input": "x"}), {"id": "v1_a"}))
    assert not (tmp_path / "a.yaml").exists()
