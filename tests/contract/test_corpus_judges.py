"""The judges find nothing wrong with recordings of the live service, which this project did not write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.benches.recordings.verify import verify
from harness.contract import Assembler, compare_steps, judge_interaction, load
from harness.interactions import INTERACTIONS
from harness.outcome import Finding, Level, Observation, Verdict, verdict
from harness.rules import BY_ID
from tests.contract.corpus import FOLDER, ODDITIES, files, needs_corpus

pytestmark = needs_corpus


def binding(findings: list[Finding]) -> list[Finding]:
    """The findings whose level is above MAY."""
    return [finding for finding in findings if BY_ID[finding.rule].level is not Level.MAY]


def verdict_of(finding: Finding) -> Verdict:
    """The verdict on a recording with this finding."""
    rule = BY_ID[finding.rule]
    return verdict(Observation.of([finding]), rule.level, rule.source.basis)


def paths(*kinds: str) -> list[Path]:
    """Recordings of the current generation of the API."""
    return [path for kind in kinds for path in files(kind)]


@pytest.mark.parametrize("path", paths("sse", "response", "cassette"), ids=lambda path: path.name)
def test_a_real_recording_breaks_no_binding_rule(path: Path) -> None:
    """Streams, bodies and recorder files of the live service break no MUST and no SHOULD."""
    result = verify([path], load(), INTERACTIONS).traffic
    assert binding(result.findings) == []
    assert sum(result.judged.values()) > 0


def test_the_whole_corpus_is_judged_or_left_out_by_name() -> None:
    """Every file is judged, except legacy recordings and others, which are listed with a reason.

    Nothing fails, and the only warnings are those of the service's known oddities.
    """
    result = verify([FOLDER], load(), INTERACTIONS).traffic
    warnings = {Path(finding.where.file).name: finding.rule for finding in binding(result.findings)}
    assert warnings == ODDITIES
    assert Verdict.FAIL not in map(verdict_of, result.findings)
    legacy = {path.name for kind in ("sse", "response") for path in files(kind, "outputs")}
    assert legacy <= {Path(place.file).name for place in result.left_out if "outputs" in place.reason}
    modern = {path.name for path in paths("sse", "response")}
    assert not modern & {Path(place.file).name for place in result.left_out}


def pairs() -> list[Path]:
    """Streams that have a recorded body for the same prompt."""
    return [path for path in files("sse", framing="jsonl") if path.with_name(_body_of(path)).is_file()]


def _body_of(path: Path) -> str:
    return path.name.replace(".events.jsonl", ".json")


@pytest.mark.parametrize("path", pairs(), ids=lambda path: path.name)
def test_assembled_steps_are_steps_of_a_body(path: Path) -> None:
    """Steps assembled from a real stream are valid in a body, and equal to themselves after added input."""
    assembler = Assembler(load())
    for line in path.read_text("utf-8").splitlines():
        assembler.event(json.loads(line))
    steps = assembler.steps()
    assert judge_interaction({"status": "completed", "steps": steps}, load()) == []
    assert compare_steps(steps, [{"type": "user_input", "content": []}, *steps]) == []
