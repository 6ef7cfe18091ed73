"""Tests of `[tool.harness]`: the nearest pyproject.toml counts, and command line and environment override it."""

from __future__ import annotations

import os
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest

from harness.cli.arguments import read_options, read_settings
from harness.cli.commands.check import CheckArguments
from harness.cli.commands.fuzz import FuzzArguments
from harness.cli.commands.gateway import GatewayArguments
from harness.cli.commands.torture import TortureArguments
from harness.cli.commands.verify import VerifyArguments
from harness.files import find_project_file
from harness.outcome import UsageFault


def write(folder: Path, text: str) -> Path:
    """Write a pyproject.toml with this text and return its folder."""
    folder.mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def settings_in(folder: Path) -> dict[str, Any]:
    """What the nearest file sets for `check`."""
    file = find_project_file(folder)
    assert file is not None
    return {name: value for name, (value, _) in read_settings(CheckArguments, file).items()}


def test_the_nearest_file_counts(tmp_path: Path) -> None:
    """The file is looked for upwards from the folder; the first one found counts, even without the table."""
    write(tmp_path, '[tool.harness]\nmodel = "outer"\n')
    (tmp_path / "a").mkdir()
    assert settings_in(tmp_path / "a") == {"model": "outer"}
    assert settings_in(write(tmp_path / "b", "[tool.other]\n")) == {}


def test_command_line_before_environment_before_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line counts most, then a variable or the file; the default comes last."""
    monkeypatch.chdir(write(tmp_path, '[tool.harness]\njobs = 8\nlevel = "must"\n'))
    monkeypatch.setenv("HARNESS_TARGET", "http://127.0.0.1:2")
    assert read_options(CheckArguments, []).jobs == 8
    assert read_options(CheckArguments, []).target == "http://127.0.0.1:2"
    said = read_options(CheckArguments, ["", "--jobs", "2"])
    assert (said.target, said.jobs, said.level, said.timeout) == ("", 2, "MUST", None)


@pytest.mark.parametrize(
    ("key", "value", "flag", "word"),
    [
        ("timeout", "0", "--timeout", "0"),
        ("rate", "-1", "--rate", "-1"),
        ("jobs", "0", "--jobs", "0"),
        ("level", '"high"', "--level", "high"),
        ("wait", "nan", "--wait", "nan"),
    ],
)
def test_a_wrong_value_gets_the_same_sentence_from_each_source(
    key: str, value: str, flag: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Command line and file share one reader: only the name of the source differs."""
    with pytest.raises(UsageFault) as said:
        read_options(CheckArguments, [f"{flag}={word}"])
    monkeypatch.chdir(write(tmp_path, f"[tool.harness]\n{key} = {value}\n"))
    with pytest.raises(UsageFault) as written:
        read_options(CheckArguments, [])
    source, _, sentence = str(said.value).partition(": ")
    assert source == flag
    assert str(written.value) == f"{tmp_path / 'pyproject.toml'}: [tool.harness] {key}: {sentence}"


@pytest.mark.parametrize(
    "text",
    [
        "[tool.harness\n",
        "tool = {harness = 3}\n",
        '[tool.harness]\ncheck = "one"\n',
        "[tool.harness]\ncheck = [1]\n",
        "[tool.harness]\njobs = true\n",
        "[tool.harness]\njobs = 1.5\n",
        '[tool.harness]\ntimeout = "60"\n',
        "[tool.harness]\nmodel = 3\n",
        "[tool.harness]\nstrict = 1\n",
        f"a = {'9' * 5_000}\n",
        f"a = {'[' * 5_000}\n",
    ],
)
def test_wrong_files(text: str, tmp_path: Path) -> None:
    """A file that cannot be parsed, or a value of the wrong type, is a usage error that names the file."""
    with pytest.raises(UsageFault, match=r"pyproject\.toml"):
        settings_in(write(tmp_path, text))


GATEWAY = """
[tool.harness]
strict = true
baseline = "of-check.yaml"
profile = ["core"]

[tool.harness.gateway]
baseline = "of-gateway.yaml"
only = ["gw.live"]
patience = 1.5
upstream-port = 9200
timeout = 7
"""


def test_a_command_with_a_table_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`gateway` takes what means the same to it and its own table; standard error names the file."""
    monkeypatch.chdir(write(tmp_path, GATEWAY))
    arguments = read_options(GatewayArguments, ["--timeout", "3", "-c", "gw.once"])
    assert arguments.strict is True
    assert (arguments.baseline, arguments.patience, arguments.upstream_port) == ("of-gateway.yaml", 1.5, 9200)
    assert (arguments.timeout, arguments.only) == (3.0, ["gw.once"])
    told = capsys.readouterr().err
    assert told == (f"harness: {tmp_path / 'pyproject.toml'} sets strict, baseline, patience, upstream-port\n")
    assert settings_in(tmp_path)["baseline"] == "of-check.yaml"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("patiense = 1", r"tool.harness.gateway\] has no key 'patiense'.*patience"),
        ('patience = "1"', r"tool.harness.gateway\] patience = '1' must be a positive number"),
        ("[tool.harness.check]", r"\[tool.harness.check\]: `check` has no .*: write its options in \[tool"),
        ("patience = 1e308", r"'1e\+308' must be a positive number of seconds, from 1e-09 to 1e\+09"),
        ("patience = 1e-300", "must be a positive number of seconds, from 1e-09"),
        ("watch = 1e308", r"watch: '1e\+308' must be a number of seconds, from 0 to 1e\+09"),
        ('api-key = "k"', "a file must not contain a key: set GEMINI_API_KEY instead"),
        ('api_key = "k"', "a file must not contain a key: set GEMINI_API_KEY instead"),
        ("json = true", "json: a configuration file cannot set it, because it is for one run: pass --json on the"),
    ],
)
def test_wrong_tables_of_a_command(text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown key, a wrong type, a secret and an option for one call are usage errors that name the table."""
    monkeypatch.chdir(write(tmp_path, f"[tool.harness.gateway]\n{text}\n"))
    with pytest.raises(UsageFault, match=said):
        read_options(GatewayArguments, [])


@pytest.mark.parametrize(
    ("text", "why", "instead"),
    [
        (
            'target = "http://127.0.0.1:9"',
            "decides who receives your key",
            "pass TARGET on the command line, or set HARNESS_TARGET",
        ),
        ('header = ["Host: evil.test"]', "decides who receives your key", "pass --header on the command line"),
        ('ca-file = "ca.pem"', "decides who receives your key", "pass --ca-file on the command line"),
        ("plain-http = true", "decides who receives your key", "pass --plain-http on the command line"),
        (
            'extension = ["evil.py"]',
            "chooses code that runs",
            "pass --extension on the command line, or set HARNESS_EXTENSION",
        ),
        ('[tool.harness.torture]\nclient = "evil"', "chooses code that runs", "pass --client on the command line"),
        (
            '[tool.harness.fuzz]\ndatabase = "/"',
            "chooses where data is stored",
            "pass --database on the command line",
        ),
        (
            '[tool.harness.gateway]\nupstream-host = "0.0.0.0"',
            "decides which machines can connect",
            "pass --upstream-host on the command line",
        ),
    ],
)
def test_a_file_cannot_set_what_the_user_must_choose(text: str, why: str, instead: str, tmp_path: Path) -> None:
    """The error names the key, the reason, and the option or variable that does it, with and without a key."""
    file = find_project_file(write(tmp_path, f"[tool.harness]\n{text}\n"))
    assert file is not None
    said = []
    for cls in (CheckArguments, FuzzArguments, GatewayArguments, TortureArguments):
        with suppress(UsageFault):
            read_settings(cls, file)
            continue
        with pytest.raises(UsageFault) as refused:
            read_settings(cls, file)
        said.append(str(refused.value))
    assert said
    assert all(f"a configuration file cannot set it, because it {why}: {instead}" in each for each in said)


@pytest.mark.parametrize("key", ["report", "baseline", "revision", "store", "scenario"])
@pytest.mark.parametrize("path", ["../out.json", "/out.json", "link/out.json", "link", ".git/config"])
def test_a_path_of_a_file_stays_in_its_folder(
    key: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file names no path outside its folder, links followed, and none in `.git`."""
    here = write(tmp_path / "here", "")
    (here / ".git").mkdir()
    (here / "deep").mkdir()
    (here / "link").symlink_to(tmp_path)
    cls = {"store": FuzzArguments, "scenario": TortureArguments}.get(key, CheckArguments)
    table = {"store": ".fuzz", "scenario": ".torture"}.get(key, "")
    for folder in (here, here / "deep"):
        monkeypatch.chdir(folder)
        for where, is_inside in ((os.path.relpath(here / path), False), ("out.json", True)):
            value = f'["json={where}"]' if key == "report" else f'"{where}"'
            write(here, f"[tool.harness{table}]\n{key} = {value}\n")
            with (
                nullcontext()
                if is_inside
                else pytest.raises(UsageFault, match="where a configuration file names no path: pass --")
            ):
                read_options(cls, ["emulator"] if cls is FuzzArguments else [])


def test_other_commands_have_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`torture`, `verify` and `fuzz` read theirs, with the kinds of their own flags."""
    text = "[tool.harness]\nstrict = true\nexclude = ['bg.*']\n[tool.harness.torture]\njobs = 2\nloop = true\n"
    text += '[tool.harness.fuzz]\nseed = 7\nsize = "ci"\n'
    monkeypatch.chdir(write(tmp_path, text + '[tool.harness.verify]\nreport = ["junit=v.xml"]\n'))
    tortured = read_options(TortureArguments, [])
    assert (tortured.jobs, tortured.loop, tortured.timeout, tortured.strict) == (2, True, 30.0, False)
    verified = read_options(VerifyArguments, ["a.yaml"])
    assert (verified.strict, verified.report, verified.paths) == (True, ["junit=v.xml"], ["a.yaml"])
    searched = read_options(FuzzArguments, ["emulator"])
    assert (searched.seed, searched.size, searched.strict, searched.exclude) == (7, "ci", True, None)
