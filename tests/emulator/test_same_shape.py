"""What still differs when the recorded requests are sent to the emulator is what the reference explains."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from harness.cli import main
from tests.contract.corpus import FOLDER, needs_corpus

PAGE = Path(__file__).resolve().parents[2] / "docs" / "emulator-reference.md"
VERTEX = "gcp-"
"""How the names of the recordings of Vertex begin."""
EXPLAINED = {
    r".*\.usage\.(raw_prompt_token|(non_grounding_)?model_invocation_token_counts(\[\])?)": "`raw_prompt_token`",
    r".*\.thoughts_tokens_details(\[\])?": "counts thoughts",
    r"(interaction\.created|step\.stop)\.metadata": "`metadata`",
    r"order of events": "one `function_call`",
    r"body\.steps\[mcp_server_tool_result\]\.result\.structured_content\.results\[\].*": "MCP server",
}
"""Places that may differ, and words of the row of the page that says why."""


def shapes(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    """The places where the emulator's answers to the requests of a folder have another shape."""
    main(["diff", str(folder), "emulator", "--json", *options])
    told = json.loads(capsys.readouterr().out)
    assert told["compared"] > 0
    return [re.sub(r"\[\d+\]", "[]", drift["place"]) for drift in told["shape"]]


@needs_corpus
def test_every_difference_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Answers to the requests of Vertex have the recorded shape; the others differ where a row says why."""
    folders = {True: tmp_path / "vertex", False: tmp_path / "gemini"}
    for folder in folders.values():
        folder.mkdir()
    for file in (FOLDER / "files").iterdir():
        shutil.copy(file, folders[file.name.startswith(VERTEX)])
    assert shapes(folders[True], capsys, "--platform", "vertex") == []
    differing = shapes(folders[False], capsys)
    assert {place for place in differing if not any(re.fullmatch(known, place) for known in EXPLAINED)} == set()
    assert {known for known in EXPLAINED if not any(re.fullmatch(known, place) for place in differing)} == set()


@pytest.mark.parametrize("words", EXPLAINED.values())
def test_the_page_has_a_row_for_it(words: str) -> None:
    """The table under "Compared with recordings" names what differs."""
    section = PAGE.read_text("utf-8").partition("## Compared with recordings")[2].partition("\n## ")[0]
    assert [row for row in section.splitlines() if row.startswith("| ") and words in row]
