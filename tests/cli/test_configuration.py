"""Tests of `[tool.harness]`: the nearest pyproject.toml counts, and the command line overrides it."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from harness.cli.configuration import KEYS, apply_section, fill_in, read_configuration
from harness.outcome import UsageFault


def write(folder: Path, text: str) -> Path:
    """Write a pyproject.toml with this text and return its folder."""
    folder.mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def test_the_nearest_file_counts(tmp_path: Path) -> None:
    """The file is looked for upwards from the folder; the first one found counts, even without the table."""
    write(tmp_path, '[tool.harness]\nmodel = "outer"\n')
    (tmp_path / "a").mkdir()
    assert read_configuration(tmp_path / "a") == {"model": "outer"}
    assert read_configuration(write(tmp_path / "b", "[tool.other]\n")) == {}


def test_every_key_has_its_argument_name(tmp_path: Path) -> None:
    """Keys have dashes where arguments have underscores; a header is split into name and value."""
    found = read_configuration(write(tmp_path, '[tool.harness]\nfail-fast = true\nheader = ["A: b"]\n'))
    assert found == {"fail_fast": True, "header": [("A", "b")]}


def test_what_was_said_is_kept() -> None:
    """Only arguments that are None are filled in; an empty target counts as given."""
    arguments = Namespace(target="", model=None, jobs=2)
    fill_in(arguments, {"target": "http://h", "model": "m", "jobs": 8, "level": "must"})
    assert vars(arguments) == {"target": "", "model": "m", "jobs": 2}


@pytest.mark.parametrize(
    "text",
    [
        "[tool.harness\n",
        "tool = {harness = 3}\n",
        '[tool.harness]\ncheck = "one"\n',
        f"a = {'9' * 5_000}\n",
        f"a = {'[' * 5_000}\n",
    ],
)
def test_wrong_files(text: str, tmp_path: Path) -> None:
    """A file that cannot be parsed, or a value of the wrong type, is a usage error."""
    with pytest.raises(UsageFault):
        read_configuration(write(tmp_path, text))


def test_a_table_of_a_command_is_proposed(tmp_path: Path) -> None:
    """A table whose name is misspelt was meant for a command."""
    with pytest.raises(UsageFault, match="has no key 'gatway': did you mean 'gateway'"):
        read_configuration(write(tmp_path, "[tool.harness.gatway]\npatience = 2\n"))


def test_keys_are_flags_of_check() -> None:
    """Every key allowed in the table is an argument of `harness check`."""
    from harness.cli.commands.check import _parser

    flags = set(vars(_parser().parse([])))
    assert {key.replace("-", "_") for key in KEYS} <= flags


GATEWAY = """
[tool.harness]
target = "http://127.0.0.1:9"
strict = true
baseline = "of-check.yaml"
profile = ["core"]
header = ["X-Team: a"]

[tool.harness.gateway]
baseline = "of-gateway.yaml"
only = ["gw.live"]
patience = 1.5
upstream-port = 9200
timeout = 7
"""


def test_a_command_with_a_table_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`gateway` takes what means the same to it and its own table; what is said on the command line counts."""
    from harness.cli.commands.gateway import _parser

    monkeypatch.chdir(write(tmp_path, GATEWAY))
    arguments = apply_section("gateway", _parser(), ["--timeout", "3", "--only", "gw.once"])
    assert (arguments.target, arguments.strict, arguments.header) == (
        "http://127.0.0.1:9",
        True,
        [("X-Team", "a")],
    )
    assert (arguments.baseline, arguments.patience, arguments.upstream_port) == ("of-gateway.yaml", 1.5, 9200)
    assert (arguments.timeout, arguments.only) == (3.0, ["gw.once"])
    assert read_configuration()["baseline"] == "of-check.yaml"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("patiense = 1", r"tool.harness.gateway\] has no key 'patiense'.*patience"),
        ('patience = "1"', r"tool.harness.gateway\] patience = '1' must be a number"),
        ("patience = -1", "patience = -1 must be a number, 0 or more"),
        ('api-key = "k"', "a key does not belong in a file"),
        ('api_key = "k"', "a key does not belong in a file"),
        ("json = true", "has no key 'json'"),
    ],
)
def test_wrong_tables_of_a_command(text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown key, a wrong type, a secret and an option for one call are usage errors that name the table."""
    from harness.cli.commands.gateway import _parser

    monkeypatch.chdir(write(tmp_path, f"[tool.harness.gateway]\n{text}\n"))
    with pytest.raises(UsageFault, match=said):
        apply_section("gateway", _parser(), [])


def test_torture_and_verify_have_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`torture` and `verify` read theirs, with the kinds of their own flags."""
    from harness.cli.commands import verify
    from harness.cli.torture_options import build_parser

    text = "[tool.harness]\nstrict = true\n[tool.harness.torture]\njobs = 2\nloop = true\n"
    monkeypatch.chdir(write(tmp_path, text + '[tool.harness.verify]\nreport = ["junit=v.xml"]\n'))
    tortured = apply_section("torture", build_parser(), [])
    assert (tortured.jobs, tortured.loop, tortured.timeout) == (2, True, 30.0)
    verified = apply_section("verify", verify._parser(), ["a.yaml"])
    assert (verified.strict, verified.report, verified.paths) == (True, ["junit=v.xml"], ["a.yaml"])
