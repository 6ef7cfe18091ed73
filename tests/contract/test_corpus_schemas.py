"""Recordings of the live API match the schemas; a rejection here would be a false positive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from harness.contract import load
from tests.contract.corpus import ODDITIES

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


def judge(name: str, where: str, value: Any) -> list[str]:
    """The problems of one recorded value, one line each."""
    return [f"{where} {problem}" for problem in load().schemas.validator(name).problems(value)]


def test_every_recorded_body_fits(corpus):
    """Each successful body matches the interaction schema, and each other one of the service the error schema."""
    everything = [*recordings(corpus, "response"), *recordings(corpus, "response", "unknown")]
    found = [(where, text) for where, text in everything if ODDITIES.get(Path(where).name) != "err.shape"]
    bodies = [(where, json.loads(text)) for where, text in found]
    assert len(bodies) >= 30
    assert [line for where, body in bodies for line in judge(name_of(body), where, body)] == []


def name_of(body: Any) -> str:
    """The name of the schema for a response body."""
    return "error-body" if "error" in body else "interaction"


def test_every_recorded_event_fits(corpus):
    """Each event matches the union of all events and the schema of its own type."""
    streams = {where: list(events(text)) for where, text in recordings(corpus, "sse")}
    assert len(streams) >= 20
    assert all(streams.values())
    for where, stream in streams.items():
        for event in stream:
            own = "events/" + event["event_type"].replace(".", "-").replace("_", "-")
            assert judge("event", where, event) + judge(own, where, event) == []


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


def test_every_exchange_of_the_recorder_files_fits(corpus):
    """Requests, bodies and events inside complete recorder files match their schemas too."""
    strict = load().schemas.validator(CREATE, closed=True)
    exchanges = [
        (where, exchange)
        for where, text in recordings(corpus, "cassette")
        for exchange in yaml.safe_load_all(text)
        if exchange
    ]
    assert len(exchanges) >= 26
    for where, exchange in exchanges:
        answer = exchange["then"]["body"]
        assert strict.problems(json.loads(exchange["when"]["body"])) == [], where
        if answer.lstrip().startswith("{"):
            assert judge("interaction", where, json.loads(answer)) == []
        else:
            assert [line for event in events(answer) for line in judge("event", where, event)] == []


def test_the_recordings_hold_nothing_unknown(corpus):
    """The schemas name everything in the recordings, so that anything new stands out."""
    for where, text in recordings(corpus, "sse"):
        for event in events(text):
            assert load().schemas.validator("event").review(event).unknowns == (), where
    for where, text in recordings(corpus, "response"):
        assert load().schemas.validator(name_of(json.loads(text))).review(json.loads(text)).unknowns == (), where
