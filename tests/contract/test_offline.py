"""Recorded traffic, judged from files: everything is judged or left out by name."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.contract import verify
from tests.contract.streams import ANSWER, WHOLE, created, delta, frames, payload

BODY = {"id": "v1_a", "status": "completed", "steps": []}
BAD_BODY = {"id": "v1_a", "steps": []}
ASKED = {"model": "m", "input": "hi"}
URI = "https://host/v1beta/interactions"
STREAM = frames(WHOLE)
BAD_STREAM = frames([created(), delta(0), *ANSWER])


def case(method: str, uri: str, sent: Any, status: int, label: str, body: bytes) -> dict[str, Any]:
    """One exchange, as plain facts."""
    asked = None if sent is None else json.dumps(sent)
    return {"method": method, "uri": uri, "sent": asked, "status": status, "label": label, "body": body}


def cassette(*cases: dict[str, Any], **extra: Any) -> bytes:
    """A vcrpy file."""
    entries = [
        {
            "request": {"method": c["method"], "uri": c["uri"], "body": c["sent"], "headers": {}},
            "response": {
                "status": {"code": c["status"], "message": ""},
                "headers": {"content-type": [c["label"]], **extra.get("headers", {})},
                "body": {"string": c["body"]},
                **extra.get("response", {}),
            },
        }
        for c in cases
    ]
    return yaml.safe_dump({"version": 1, "interactions": entries}).encode()


def when_then(*cases: dict[str, Any]) -> bytes:
    """A recorder file of `when`/`then` documents."""
    documents = [
        {
            "when": {"path": c["uri"].removeprefix("https://host"), "method": c["method"], "body": c["sent"]},
            "then": {
                "status": c["status"],
                "header": [{"name": "content-type", "value": c["label"]}],
                "body": c["body"].decode(),
            },
        }
        for c in cases
    ]
    return yaml.safe_dump_all(documents).encode()


def har(*cases: dict[str, Any]) -> bytes:
    """A HAR file."""
    entries = [
        {
            "request": {"method": c["method"], "url": c["uri"], "headers": [], "postData": {"text": c["sent"]}},
            "response": {
                "status": c["status"],
                "headers": [{"name": "Content-Type", "value": c["label"]}],
                "content": {"text": base64.b64encode(c["body"]).decode(), "encoding": "base64"},
            },
        }
        for c in cases
    ]
    return json.dumps({"log": {"entries": entries}}).encode()


JSON_CASE = case("POST", URI, ASKED, 200, "application/json", json.dumps(BODY).encode())
STREAM_CASE = case("POST", URI, {**ASKED, "stream": True}, 200, "text/event-stream", STREAM)
BAD_CASE = case("POST", URI, {**ASKED, "surprise": 1}, 200, "text/event-stream", BAD_STREAM)
REFUSED_CASE = case(
    "POST", URI, {"surprise": 1}, 400, "application/json", b'{"error":{"code":"not_found","message":"m"}}'
)
UNANSWERED_CASE = case("POST", URI, {"surprise": 1}, 0, "", b"")
DELETED_CASE = case("DELETE", f"{URI}/v1_a", None, 200, "application/json", b"{}")

FILES: dict[str, tuple[str, bytes, tuple[int, int, int], set[str]]] = {
    "stream": ("a.sse", STREAM, (1, 0, 0), set()),
    "broken stream": (
        "a.sse",
        BAD_STREAM,
        (1, 0, 0),
        {"stream.start-before", "stream.index-contiguous", "stream.terminal"},
    ),
    "events": ("a.events.jsonl", b"\n".join(map(payload, WHOLE)), (1, 0, 0), set()),
    "broken events": (
        "a.events.jsonl",
        payload(created()) + b"\n{",
        (1, 0, 0),
        {"stream.json", "stream.terminal"},
    ),
    "body": ("a.json", json.dumps(BODY).encode(), (0, 1, 0), set()),
    "broken body": ("a.json", json.dumps(BAD_BODY).encode(), (0, 1, 0), {"create.schema", "create.status"}),
    "body with a wrong step": (
        "a.json",
        json.dumps({**BODY, "steps": [{}]}).encode(),
        (0, 1, 0),
        {"create.schema", "steps.discriminator"},
    ),
    "error body": ("a.json", b'{"error":{"code":"X","message":"m"}}', (0, 1, 0), {"err.code-string"}),
    "request": ("a.request.json", json.dumps(ASKED).encode(), (0, 0, 1), set()),
    "strange request": (
        "a.request.json",
        json.dumps({**ASKED, "surprise": 1}).encode(),
        (0, 0, 1),
        {"request.schema"},
    ),
    "cassette": ("a.yaml", cassette(JSON_CASE, STREAM_CASE, DELETED_CASE), (1, 2, 2), {"create.id-unique"}),
    "broken cassette": (
        "a.yml",
        cassette(BAD_CASE),
        (1, 0, 1),
        {"request.schema", "stream.start-before", "stream.index-contiguous", "stream.terminal"},
    ),
    "refused": ("a.yaml", cassette(REFUSED_CASE), (0, 1, 0), {"err.code-status"}),
    "cut, as our recorder notes it": (
        "a.yaml",
        cassette(
            case("POST", URI, ASKED, 200, "text/event-stream", STREAM[:200]),
            response={"x-stream": {"end": {"kind": "rst"}}},
        ),
        (1, 0, 1),
        set(),
    ),
    "no answer, as our recorder notes it": (
        "a.yaml",
        cassette(UNANSWERED_CASE, response={"x-stream": {"end": {"how": "rst", "at": "before_headers"}}}),
        (0, 0, 0),
        set(),
    ),
    "no answer, as browsers note it": ("a.har", har(UNANSWERED_CASE), (0, 0, 0), set()),
    "compressed": (
        "a.yaml",
        cassette({**STREAM_CASE, "body": gzip.compress(STREAM)}, headers={"content-encoding": ["gzip"]}),
        (1, 0, 1),
        set(),
    ),
    "when and then": ("a.yaml", when_then(JSON_CASE), (0, 1, 1), set()),
    "har": ("a.har", har(STREAM_CASE), (1, 0, 1), set()),
    "json cassette": (
        "a.json",
        json.dumps(yaml.safe_load(cassette({**JSON_CASE, "body": json.dumps(BODY)}))).encode(),
        (0, 1, 1),
        set(),
    ),
}


@pytest.mark.parametrize(("name", "data", "judged", "rules"), FILES.values(), ids=FILES)
def test_files(tmp_path: Path, name: str, data: bytes, judged: tuple[int, int, int], rules: set[str]) -> None:
    """Each kind of file is judged as what it is, and its findings name it."""
    path = tmp_path / name
    path.write_bytes(data)
    result = verify([path])
    assert tuple(result.judged[kind] for kind in ("streams", "bodies", "requests")) == judged
    assert {finding.rule for finding in result.findings} == rules
    assert all(finding.where.file == str(path) for finding in result.findings)


LEFT_OUT: dict[str, tuple[str, bytes, str]] = {
    "legacy body": ("a.json", b'{"id":"x","status":"completed","outputs":[]}', "`outputs`"),
    "legacy stream": ("a.sse", b'data: {"event_type":"content.delta"}\n\n', "`outputs`"),
    "legacy exchange": (
        "a.yaml",
        cassette(case("POST", URI, ASKED, 200, "application/json", b'{"outputs":[]}')),
        "entry 1: a body",
    ),
    "other calls": (
        "a.har",
        har(case("GET", "https://host/v1beta/models", None, 200, "", b"")),
        "no call of the Inter",
    ),
    "other json": ("a.json", b'{"name":"package"}', "neither an interaction"),
    "broken json": ("a.json", b'{"name":', "not JSON"),
    "other yaml": ("a.yaml", b"a: 1\n", "no cassette"),
    "empty yaml": ("a.yaml", b"", "no cassette"),
    "broken yaml": ("a.yaml", b"a: [", "not YAML"),
    "broken cassette": ("a.yaml", b"version: 1\ninteractions: [{}]\n", "an entry is not"),
    "other files": ("a.txt", b"hello", "not a kind of file"),
}


@pytest.mark.parametrize(("name", "data", "reason"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_is_left_out_is_named(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    """A file that cannot be judged is named with the reason, and breaks nothing."""
    path = tmp_path / name
    path.write_bytes(data)
    result = verify([path])
    assert [file for file, _ in result.left_out] == [str(path)]
    assert reason in result.left_out[0][1]
    assert (result.findings, sum(result.judged.values())) == ([], 0)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(b'{"outputs":[]}', "`outputs`"), (b'{"error":{"code":"x","message":"m"}}', "refused")],
)
def test_a_request_is_known_by_the_answer_beside_it(tmp_path: Path, answer: bytes, reason: str) -> None:
    """A request that was refused, or of the old generation, is not held to today's schema."""
    (tmp_path / "a.request.json").write_bytes(b'{"surprise":1}')
    (tmp_path / "a.json").write_bytes(answer)
    result = verify([tmp_path / "a.request.json"])
    assert reason in result.left_out[0][1]


def test_folders_are_walked(tmp_path: Path) -> None:
    """Every file of a folder is judged or named, in order; hidden ones are not looked at."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.sse").write_bytes(STREAM)
    (tmp_path / "a.json").write_bytes(json.dumps(BODY).encode())
    (tmp_path / "c.md").write_bytes(b"")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "y.sse").write_bytes(b"")
    result = verify([tmp_path])
    assert result.judged == {"streams": 1, "bodies": 1, "requests": 0}
    assert [Path(file).name for file, _ in result.left_out] == ["c.md"]


def test_findings_of_a_stream_have_their_bytes(tmp_path: Path) -> None:
    """The span of a finding in an events file is the span of its line."""
    path = tmp_path / "a.events.jsonl"
    path.write_bytes(payload(created()) + b"\n" + b"nonsense\n")
    (finding, *_) = verify([path]).findings
    assert path.read_bytes()[finding.where.start : finding.where.end] == b"nonsense\n"
    assert finding.where.event == 1
