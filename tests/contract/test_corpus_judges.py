"""The judges find nothing wrong with recordings of the live service, which this project did not write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.benches.record.verify import verify
from harness.contract import Assembler, compare_steps, judge_interaction, load
from harness.interactions.recordings import RECORDINGS
from harness.outcome import Finding, Level, Observation, Verdict, verdict
from harness.rules import BY_ID
from tests.contract.corpus import FOLDER, ODDITIES, files, needs_corpus


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


@needs_corpus
@pytest.mark.parametrize("path", paths("sse", "response", "cassette"), ids=lambda path: path.name)
def test_a_real_recording_breaks_no_binding_rule(path: Path) -> None:
    """Streams, bodies and recorder files of the live service break no MUST and no SHOULD."""
    result = verify([path], load(), RECORDINGS).traffic
    assert binding(result.findings) == []
    assert sum(result.judged.values()) > 0


@needs_corpus
def test_the_whole_corpus_is_judged_or_left_out_by_name() -> None:
    """Every file is judged, except legacy recordings and others, which are listed with a reason.

    Nothing fails, and the only warnings are those of the service's known oddities.
    """
    result = verify([FOLDER], load(), RECORDINGS).traffic
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


@needs_corpus
@pytest.mark.parametrize("path", pairs(), ids=lambda path: path.name)
def test_assembled_steps_are_steps_of_a_body(path: Path) -> None:
    """Steps assembled from a real stream are valid in a body, and equal to themselves after added input."""
    assembler = Assembler(load())
    for line in path.read_text("utf-8").splitlines():
        assembler.event(json.loads(line))
    steps = assembler.steps()
    assert judge_interaction({"status": "completed", "steps": steps}, load()) == []
    assert compare_steps(steps, [{"type": "user_input", "content": []}, *steps]) == []


# --- recordings of the live API match the schemas; a rejection here would be a false positive


CREATE = "requests/create-interaction"


def manifest(corpus: Path) -> list[dict[str, Any]]:
    """The manifest's entries that look like real recordings."""
    lines = (corpus / "MANIFEST.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry for line in lines if (entry := json.loads(line))["looks_real"]]


def recordings(corpus: Path, kind: str, generation: str = "steps") -> Iterator[tuple[str, str]]:
    """Name and text of the recordings of one kind."""
    for entry in manifest(corpus):
        if entry["kind"] == kind and entry["api_revision_or_generation"] == generation:
            yield entry["file"], (corpus / entry["file"]).read_text(encoding="utf-8")


def events(text: str) -> Iterator[Any]:
    """The events of a recorded stream, with or without its framing."""
    for line in text.splitlines():
        payload = line.removeprefix("data:").strip()
        if payload.startswith("{"):
            yield json.loads(payload)


def name_of(body: Any) -> str:
    """The name of the schema for a response body."""
    return "error-body" if "error" in body else "interaction"


def test_every_recorded_request_is_accepted_by_the_strict_schema(corpus):
    legacy = {stem(entry) for entry in manifest(corpus) if entry["api_revision_or_generation"] == "outputs"}
    requests = [entry for entry in manifest(corpus) if entry["kind"] == "request" and stem(entry) not in legacy]
    strict = load().schemas.validator(CREATE, closed=True)
    assert len(requests) >= 30
    for entry in requests:
        body = json.loads((corpus / entry["file"]).read_bytes())
        assert strict.problems(body) == [], entry["file"]


def stem(entry: dict[str, Any]) -> str:
    """The part of a file's name that a request shares with its response."""
    return str(entry["file"]).removeprefix("files/").partition(".")[0]


def test_the_recordings_hold_nothing_unknown(corpus):
    """The schemas name everything in the recordings, so that anything new stands out."""
    for where, text in recordings(corpus, "sse"):
        for event in events(text):
            assert load().schemas.validator("event").review(event).unknowns == (), where
    for where, text in recordings(corpus, "response"):
        assert load().schemas.validator(name_of(json.loads(text))).review(json.loads(text)).unknowns == (), where
