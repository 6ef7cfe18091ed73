"""`--help` of every command fits the terminal, and does not grow too wide to read."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from harness.cli.arguments import load_options
from harness.cli.main import COMMANDS, GROUPS
from tests.cli.conftest import Harness

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("command", ["", *COMMANDS])
@pytest.mark.parametrize(("columns", "most"), [(80, 80), (200, 120)])
def test_help_fits(
    command: str, columns: int, most: int, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line is longer than the terminal is wide; on a wide one, prose ends at a width that can be read."""
    monkeypatch.setenv("COLUMNS", str(columns))
    done = harness(*filter(None, [command]), "--help")
    assert done.code == 0
    assert [line for line in done.out.splitlines() if len(line) > most] == []


def test_a_command_has_a_page_and_tests() -> None:
    """The README or a page of `docs/` shows how it is called, and a test calls it."""
    pages = "".join(page.read_text("utf-8") for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")])
    assert [name for name in COMMANDS if f"harness {name}" not in pages] == [], "write a page in docs/"
    called = re.compile(
        r'\w\(\W{0,4}(?:capsys, )?"([a-z]+)"|"harness", "([a-z]+)"|\.commands import (\w+)(?:, (\w+))*'
    )
    texts = (path.read_text("utf-8") for path in ROOT.glob("tests/**/test_*.py"))
    missing = COMMANDS.keys() - {name for text in texts for names in called.findall(text) for name in names}
    assert missing == set(), "write its tests in tests/cli/commands/"


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on PATH")
def test_the_help_of_torture_is_enough_to_begin(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that does what the help says, and no more, reads the stream: URL, key, result file."""
    monkeypatch.setenv("COLUMNS", "100")
    out = " ".join(harness("torture", "--help").out.split())
    said = re.search(r"GET (\S+) with any key as (\S+) .* writes (\{.*?\}) into the file (\S+)\.", out)
    assert said is not None
    url, header, answer, result = said.groups()
    asked = f'curl -sN -H "{header}: any" "{url}"'
    text = 'sed -n \'s/^data:.*"text":"\\([^"]*\\)".*/\\1/p\' | tr -d \'\\n\''
    form = answer.replace("…", '"%s"', 1).replace("…", '"completed"')
    client = tmp_path / "client.sh"
    client.write_text(f"printf '{form}' \"$({asked} | {text})\" > {result}\n", "utf-8")
    done = harness("torture", "--cuts", "pass", "--", "sh", str(client))
    assert (done.code, done.err) == (0, "")
    assert "outcomes: 1 exact\nPASSED: the only case passed.\n" in done.out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_begins_with_a_sentence_and_two_examples(
    command: str, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first line is the one of `harness --help`; two command lines follow, then the usage."""
    monkeypatch.setenv("COLUMNS", "100")
    sentence, empty, title, *rest = harness(command, "--help").out.splitlines()
    assert (sentence[0].lower() + sentence[1:], empty, title) == (f"{COMMANDS[command].help}.", "", "examples:")
    examples = rest[: rest.index("")]
    assert sum(line.startswith("  ") and not line.startswith("    ") for line in examples) == 2
    assert all(f"harness {command}" in example for example in load_options(command).page.examples)
    assert rest[rest.index("") + 1].startswith(f"usage: harness {command} ")


def test_the_commands_are_grouped_by_what_a_person_has(harness: Harness) -> None:
    """`harness --help` lists each command once, under a server, a client, recordings and so on."""
    lines = harness("--help").out.splitlines()
    for title, commands in GROUPS.items():
        start = lines.index(f"{title}:") + 1
        assert [line.split()[0] for line in lines[start : start + len(commands)]] == list(commands)


def test_a_default_stands_in_brackets(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default of an option ends its entry, as `(default: 60)`, in one form everywhere."""
    monkeypatch.setenv("COLUMNS", "118")
    out = " ".join(harness("check", "--help").out.split())
    for told in (
        "interaction to settle (default: 30 on this machine, else 60)",
        "API key (default: $GEMINI_API_KEY)",
        "parallel (default: 8 on a target with sessions",
    ):
        assert told in out


@pytest.mark.parametrize("command", ["list", "explain", "incidents"])
def test_the_names_of_an_example_exist(command: str, harness: Harness) -> None:
    """An example that needs no server can be copied and run."""
    examples = [shlex.split(line) for line in harness(command, "--help").out.splitlines()[3:5]]
    assert [(words[0], harness(*words[1:]).code) for words in examples] == [("harness", 0)] * 2


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_lists_its_exit_codes(command: str, harness: Harness) -> None:
    assert re.search("exit codes: (0|that of CMD)", " ".join(harness(command, "--help").out.split()))
