"""On a runner of GitHub Actions, commands annotate and fill the job summary by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Harness

BROKEN = 'event: interaction.created\ndata: {"event_type": "interaction.created"}\n\n'


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A recorded stream that breaks rules."""
    path = tmp_path / "broken.sse"
    path.write_text(BROKEN, encoding="utf-8")
    return path


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the job summary, as a runner names it."""
    path = tmp_path / "summary.md"
    path.write_text("from another step\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    return path


def test_a_runner_gets_annotations_and_a_summary(harness: Harness, recording: Path, summary: Path) -> None:
    """Each broken rule is annotated at its file; the summary holds this run below the output of other steps."""
    done = harness("verify", str(recording))
    lines = [line for line in done.out.splitlines() if line.startswith("::")]
    assert any(line.startswith(f"::error file={recording},title=stream.") for line in lines)
    text = summary.read_text(encoding="utf-8")
    assert text.startswith("from another step\n## Recordings")


def test_a_summary_that_is_named_is_written_once(harness: Harness, recording: Path, summary: Path) -> None:
    """Who names the summary as a report gets it once."""
    harness("verify", str(recording), "--report", f"markdown={summary}")
    assert summary.read_text(encoding="utf-8").count("## Recordings") == 1


def test_json_stays_json(harness: Harness, recording: Path, summary: Path) -> None:
    """With --json, annotations are on standard error, where a runner reads them too."""
    done = harness("verify", str(recording), "--json")
    assert done.out.startswith("{")
    assert "::error " in done.err
    assert "::" not in done.out.splitlines()[0]


def test_a_target_that_cannot_be_judged_is_an_error(harness: Harness, summary: Path) -> None:
    """Beside the verdict there is the reason, so that a red job does not show a notice alone."""
    done = harness("check", "http://127.0.0.1:1", "--no-config")
    lines = [line for line in done.out.splitlines() if line.startswith("::")]
    assert [line.partition(" ")[0] for line in lines] == ["::error", "::notice"]
    assert "connection refused (127.0.0.1:1)" in lines[0]


def test_nothing_is_annotated_elsewhere(harness: Harness, recording: Path) -> None:
    """On a developer's machine there are none."""
    assert "::error" not in harness("verify", str(recording)).out
