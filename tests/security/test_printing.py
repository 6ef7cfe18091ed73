"""What is printed: no terminal and no runner of a CI system obeys it, whoever wrote it."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest

from harness.cli import output
from harness.cli.main import main
from harness.cli.output import GuardedStream
from harness.report.annotations import _format_command
from tests.in_one_test import in_one_test

PACKAGE = Path(output.__file__).parents[1]
BYPASS = re.compile(
    r"sys\.__std|\bsys\.std(?:out|err)(?:\.buffer\b|\s=[^=])|\bos\.writev?\(|[\"']/dev/std(?:out|err)[\"']|[\"']CON[\"']"
)
"""What reaches the terminal beside the door."""


def test_nothing_is_printed_beside_the_door() -> None:
    """Every module of the package writes to sys.stdout and sys.stderr alone, which `cli/output.py` guards."""
    assert [path.name for path in PACKAGE.rglob("*.py") if BYPASS.search(path.read_text("utf-8"))] == ["output.py"]


def shown(*texts: str) -> str:
    """What comes out of the door."""
    out = io.StringIO()
    stream = GuardedStream(out)
    for text in texts:
        stream.write(text)
    return out.getvalue()


@in_one_test(
    text=[
        "\x1b]0;title\x07", "\x1b[2J", "\x9b2J", "\x9d0;x\x9c", "\x08", "a\rb", "\u202e", "\u2066", "\u2028",
        "\x1b[31", "\x1b[8m", "\x1b[38;5;0m", "\x85", "\x00",
    ]
)  # fmt: skip
def test_what_a_terminal_obeys_is_shown(text: str) -> None:
    """Control characters of both sets, sequences, and what turns the direction of text are escaped."""
    came = shown(f"before{text}after")
    assert came.isprintable()
    assert came.startswith(("before\\u", "beforea\\u000d"))


def test_colors_and_texts_stay() -> None:
    """Our colors, the erased line, tabs, lines and texts of all languages are printed as they are."""
    text = "\x1b[31;1mred\x1b[0m\x1b[39;49;00m\x1b[94m\x1b[m\tß 漢字 שלום 👩‍👧\ndone\r\n"
    assert shown(text, "\r\x1b[2K") == text + "\r\x1b[2K"
    assert shown(f"{text}\r\x1b[2K") == f"{text}\\u000d\\u001b[2K", "within a text it is not ours"


@pytest.mark.parametrize(
    ("texts", "came"),
    [
        (("::error::x\n",), "\\u003a:error::x\n"),
        (("a\n  \t::set-output name=x::y\n",), "a\n  \t\\u003a:set-output name=x::y\n"),
        (("\u3000::x\n",), "\u3000\\u003a:x\n"),
        (("a\n", "", "::x"), "a\n\\u003a:x"),
        (("a ##[error]x",), "a ##\\u005berror]x"),
        (("a ##vso[task.setvariable variable=PATH]x",), "a ##vso\\u005btask.setvariable variable=PATH]x"),
        (("##\xadvso[x] ##teamcity[y]",), "##\xadvso\\u005bx] ##teamcity\\u005by]"),
        (("##a [x] ##\n[x]",), "##a [x] ##\n[x]"),
        (("a::b\n", "std::vector\n"), "a::b\nstd::vector\n"),
        (("# #[x] ##x\n",), "# #[x] ##x\n"),
        (("[[ATTACHMENT|/a]] [[ attachment|b]]",), "\\u005b[ATTACHMENT|/a]] \\u005b[ attachment|b]]"),
    ],
)
def test_no_line_is_a_command_of_a_runner(texts: tuple[str, ...], came: str) -> None:
    """A line does not begin a workflow command."""
    assert shown(*texts) == came


def test_each_runner_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub Actions, Azure Pipelines and TeamCity get no command, nor from a container without a variable."""
    for name in ("GITHUB_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION"):
        monkeypatch.delenv(name, raising=False)
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    with output.guarded_output():
        sys.stdout.write("##vso[task.setvariable]x\n")
    assert out.getvalue() == "##vso\\u005btask.setvariable]x\n"


def test_an_annotation_is_one_command() -> None:
    """Neither the end of a line nor an escape of one ends the text of an annotation, or adds a property."""
    text = "a%0A::error::b\n::set-env name=PATH::c\r::d"
    line = _format_command("error", text, title="t,file=x::y%2C:")
    assert line == ("::error title=t%2Cfile=x%3A%3Ay%252C%3A::a%250A::error::b%0A::set-env name=PATH::c%0A::d")


def test_a_recording_gives_a_runner_no_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a run over hostile files, a runner reads only the annotations that are ours."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.chdir(tmp_path)
    hostile = Path("::set-env name=PATH::evil ##[command]x")
    hostile.mkdir()
    text = "::add-mask::x\\n::error::hi\x1b]0;x\x07 ##[x]"
    (hostile / "a.sse").write_text(
        f'event: ::stop-commands::x\ndata: {{"event_type": "{text}"}}\n\n', encoding="utf-8"
    )
    main(["verify", str(hostile), "-vv"])
    main(["verify", "::error::no such file"])
    main(["::error::no such command"])
    came = capsys.readouterr()
    lines = (came.out + came.err).splitlines()
    commands = [line for line in lines if line.lstrip().startswith("::") or "##[" in line]
    assert commands, "annotations are printed"
    assert all(
        line.startswith(("::error file=", "::error title=", "::warning ", "::notice ")) for line in commands
    )
    assert not any("##[" in line or "\x1b]" in line for line in lines)
    assert any("no such command" in line for line in lines)
