"""Verifying recordings: every entry is judged or listed as left out, and a broken file fails."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.benches.record.verify import secrets_in, verify
from harness.cli import main
from harness.contract import CURRENT, PROTOCOL, load, load_from
from harness.interactions.recordings import RECORDINGS
from harness.outcome import Severity
from harness.resources import folder
from tests.contract.streams import ANSWER, WHOLE, completed, created, delta, frames, payload

SHIPPED = folder("cassettes") / "emulator"
BODY = {"id": "v1_a", "status": "completed", "steps": []}
BAD_BODY = {"id": "v1_a", "steps": []}
ASKED = {"model": "m", "input": "hi"}
URI = "https://host/v1beta/interactions"
STREAM = frames(WHOLE)
TWICE = STREAM.replace(b'"event_type":', b'"event_type":"q","event_type":', 1)
BAD_STREAM = frames([created(), delta(0), *ANSWER])


WRONG_BODY = b'{"id": 5, "status": "nonsense"}'


def case(method: str, uri: str, sent: Any, status: int, label: str, body: bytes) -> dict[str, Any]:
    """One exchange as plain data."""
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


def coded(coding: str, body: bytes, entry: dict[str, Any]) -> bytes:
    """A vcrpy file of an entry with a body in some content-encoding."""
    return cassette({**entry, "body": body}, headers={"content-encoding": [coding]})


def extension(body: bytes, end: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The extension that our recorder adds to a response whose body came in one piece."""
    digest = hashlib.sha256(body).hexdigest()
    pieces = f"{len(body)}@1" if body else ""
    return {
        "v": 1,
        "framing": "chunked",
        "pieces": pieces,
        "size": len(body),
        "sha256": digest,
        "end": end,
        **fields,
    }


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


def file(
    name: str, data: bytes, *, streams: int = 0, bodies: int = 0, requests: int = 0, breaks: str = ""
) -> tuple[str, bytes, tuple[int, int, int], set[str]]:
    """A file, how much of each kind it has to judge, and the rules that it breaks."""
    return name, data, (streams, bodies, requests), set(breaks.split())


FILES = {
    "stream": file("a.sse", STREAM, streams=1),
    "broken stream": file(
        "a.sse", BAD_STREAM, streams=1, breaks="stream.start-before stream.index-contiguous stream.terminal"
    ),
    "events": file("a.events.jsonl", b"\n".join(map(payload, WHOLE)), streams=1),
    "body": file("a.json", json.dumps(BODY).encode(), bodies=1),
    "broken body": file("a.json", json.dumps(BAD_BODY).encode(), bodies=1, breaks="create.status"),
    "error body": file("a.json", b'{"error":{"code":"X","message":"m"}}', bodies=1, breaks="err.code-word"),
    "request": file("a.request.json", json.dumps(ASKED).encode(), requests=1),
    "strange request": file(
        "a.request.json", json.dumps({**ASKED, "surprise": 1}).encode(), requests=1, breaks="request.schema"
    ),
    "cassette": file(
        "a.yaml",
        cassette(JSON_CASE, STREAM_CASE, DELETED_CASE),
        streams=1,
        bodies=2,
        requests=2,
        breaks="create.id-unique",
    ),
    "broken cassette": file(
        "a.yml",
        cassette(BAD_CASE),
        streams=1,
        requests=1,
        breaks="request.schema stream.start-before stream.index-contiguous stream.terminal",
    ),
    "a neighbour": file(
        "a.yaml",
        cassette(case("GET", "https://host/v1beta/agents/a", None, 200, "application/json", b'{"tools":"all"}')),
        bodies=1,
        breaks="agents.schema",
    ),
    "refused": file(
        "a.yaml", cassette(REFUSED_CASE), bodies=1, requests=1, breaks="err.code-status request.schema"
    ),
    "cut, as our recorder notes it": file(
        "a.yaml",
        cassette(
            case("POST", URI, ASKED, 200, "text/event-stream", STREAM[:200]),
            response={"x-stream": extension(STREAM[:200], {"how": "rst"})},
        ),
        streams=1,
        requests=1,
    ),
    "compressed": file("a.yaml", coded("gzip", gzip.compress(STREAM), STREAM_CASE), streams=1, requests=1),
    "a create and a cancel answered with nothing": file(
        "a.yaml",
        cassette({**JSON_CASE, "body": b""}, case("POST", f"{URI}/v1_a/cancel", None, 200, "", b"")),
        bodies=2,
        requests=1,
        breaks="create.schema cancel.schema",
    ),
    "a DELETE returned with nothing": file("a.yaml", cassette({**DELETED_CASE, "body": b""})),
    "dropped before the body": file(
        "a.yaml",
        cassette({**JSON_CASE, "body": b""}, response={"x-stream": extension(b"", {"how": "rst"})}),
        requests=1,
    ),
    "dropped behind a whole body": file(
        "a.yaml",
        cassette(
            {**JSON_CASE, "body": WRONG_BODY},
            response={"x-stream": extension(WRONG_BODY, {"how": "rst", "at": "in_body"})},
        ),
        bodies=1,
        requests=1,
        breaks="create.schema create.status-listed http.unlisted",
    ),
    "dropped behind what is no beginning of JSON": file(
        "a.yaml",
        cassette({**JSON_CASE, "body": b"<html>"}, response={"x-stream": extension(b"<html>", {"how": "rst"})}),
        bodies=1,
        requests=1,
        breaks="create.schema",
    ),
    **{
        f"dropped in JSON: {body!r}": file(
            "a.yaml",
            cassette({**JSON_CASE, "body": body}, response={"x-stream": extension(body, {"how": "rst"})}),
            requests=1,
        )
        for body in (b"", b'{"a": tr', b'{"a":1e+', b'{"a":"\\u00', b'{"a":[1,')
    },
    "dropped behind all bytes that were promised": file(
        "a.yaml",
        cassette(
            {**JSON_CASE, "body": b"<html>"},
            response={"x-stream": extension(b"<html>", {"how": "rst"}, framing="length", length=6)},
        ),
        bodies=1,
        requests=1,
        breaks="create.schema",
    ),
    "a request that is no JSON": file(
        "a.yaml", cassette({**JSON_CASE, "sent": '{"model": "m'}), bodies=1, requests=1, breaks="request.schema"
    ),
    "a body with two values of a name": file(
        "a.yaml",
        cassette({**JSON_CASE, "body": b'{"id":"v1_a","status":5,"status" : "completed","steps":[]}'}),
        bodies=1,
        requests=1,
        breaks="http.json-valid",
    ),
    "a stream with two values of a name": file("a.sse", TWICE, streams=1, breaks="stream.json"),
    "when and then": file("a.yaml", when_then(JSON_CASE), bodies=1, requests=1),
    "har": file("a.har", har(STREAM_CASE), streams=1, requests=1),
    "json cassette": file(
        "a.json",
        json.dumps(yaml.safe_load(cassette({**JSON_CASE, "body": json.dumps(BODY)}))).encode(),
        bodies=1,
        requests=1,
    ),
}


@pytest.mark.parametrize(("name", "data", "judged", "rules"), FILES.values(), ids=FILES)
def test_files(tmp_path: Path, name: str, data: bytes, judged: tuple[int, int, int], rules: set[str]) -> None:
    """Each kind of file is judged by its own rules, and findings name the file."""
    path = tmp_path / name
    path.write_bytes(data)
    result = verify([path], load(), RECORDINGS).traffic
    assert tuple(result.judged[kind] for kind in ("streams", "bodies", "requests")) == judged
    assert {finding.rule for finding in result.findings} == rules
    assert all(finding.where.file == str(path) for finding in result.findings)


LEFT_OUT: dict[str, tuple[str, bytes, str]] = {
    "legacy body": ("a.json", b'{"id":"x","status":"completed","outputs":[]}', "`outputs`"),
    "legacy stream": ("a.sse", b'data: {"event_type":"content.delta"}\n\n', "`outputs`"),
    "legacy exchange": (
        "a.yaml",
        cassette(case("POST", URI, ASKED, 200, "application/json", b'{"outputs":[]}')),
        "entry 1, POST /v1beta/interactions: a body",
    ),
    "redirected create": (
        "a.yaml",
        cassette(case("POST", URI, ASKED, 302, "application/json", b'{"id":5,"nonsense":true}')),
        "entry 1, POST /v1beta/interactions: a redirect",
    ),
    "other calls": (
        "a.har",
        har(case("GET", "https://host/v1beta/models", None, 200, "", b"")),
        "GET /v1beta/models: not recognized as a call of the Inter",
    ),
    "other json": ("a.json", b'{"name":"package"}', "neither an interaction"),
    "empty yaml": ("a.yaml", b"", "not a cassette"),
    "empty cassette": ("a.yaml", b"version: 1\ninteractions: []\n", "without an entry"),
    "no answer": (
        "a.yaml",
        cassette(
            UNANSWERED_CASE,
            response={
                "x-stream": extension(b"", {"how": "stall", "by": "client", "at": "in_headers", "detail": "late"})
            },
        ),
        "no response arrived: the client disconnected within the headers (late)",
    ),
    "half an answer": (
        "a.yaml",
        cassette(
            case("GET", f"{URI}/v1_x", None, 200, "application/json", b'{"id"'),
            response={"x-stream": extension(b'{"id"', {"how": "fin", "at": "in_chunk", "declared": 9, "sent": 5})},
        ),
        "the response is truncated: the server closed the connection within a chunk",
    ),
    "no answer, as browsers note it": (
        "a.har",
        har(UNANSWERED_CASE),
        "the server closed the connection before the headers",
    ),
    "no final status": ("a.har", har({**JSON_CASE, "status": 199}), "199 is not a final"),
    "no method": ("a.har", har({**JSON_CASE, "method": 5}), "the method is 5, not a text"),
    "a coding": (
        "a.yaml",
        coded("br", b"\x8b\xff\x03", JSON_CASE),
        "entry 1: its body is in content-encoding 'br'",
    ),
    "other files": ("a.txt", b"hello", "not a kind of file"),
}


@pytest.mark.parametrize(("name", "data", "reason"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_is_left_out_is_named(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    """A file that cannot be judged is listed with the reason, and fails nothing."""
    path = tmp_path / name
    path.write_bytes(data)
    result = verify([path], load(), RECORDINGS).traffic
    ((file, entry, why),) = result.left_out
    assert file == str(path)
    assert reason in (f"{entry}: {why}" if entry else why)
    assert (result.findings, sum(result.judged.values())) == ([], 0)


def test_a_strange_entry_hides_no_other(tmp_path: Path) -> None:
    """An entry that cannot be read is listed by its number, and the entries around it are judged."""
    document = yaml.safe_load(cassette(BAD_CASE, JSON_CASE, BAD_CASE))
    del document["interactions"][1]["response"]["status"]
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(document))
    verified = verify([path], load(), RECORDINGS)
    result = verified.traffic
    assert result.left_out == [(str(path), "entry 2", "status is missing: a mapping belongs there")]
    named = {f"entry {number}, POST /v1beta/interactions" for number in (1, 3)}
    assert {finding.where.exchange for finding in result.findings} >= named
    assert result.entries == 2
    assert [file for file, _ in verified.unusable] == [str(path)]


WHOLE_ONE = cassette(JSON_CASE)
BROKEN: dict[str, tuple[str, bytes, str]] = {
    "json": ("a.json", b'{"name":', "not JSON"),
    "two values of a name": ("a.json", b'{"status":5,"status":"completed"}', "an object has `status` twice"),
    "yaml": ("a.yaml", b"a: [", "not readable as YAML"),
    "merge": ("a.yaml", b"a:\n<<<<<<< HEAD\n- b\n", "line 2: a merge conflict: take one side (`git check"),
    "two documents": (
        "a.yaml",
        WHOLE_ONE + b"---\na: 1\n",
        "2 YAML documents, but a cassette is one: delete what follows its `---`",
    ),
    "an empty entry": ("a.yaml", b"version: 1\ninteractions: [{}]\n", "entry 1 has no `request` mapping"),
    "another version": ("a.yaml", cassette(JSON_CASE, response={"x-stream": {"v": 2}}), "reads version 1"),
    "another format": ("a.yaml", b"metadata: {harness: {format: 9}}\n" + WHOLE_ONE, "reads format 1"),
}


@pytest.mark.parametrize(("name", "data", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_cannot_be_read_is_an_error_about_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, data: bytes, reason: str
) -> None:
    """A file that is not what its name claims is named, and the run exits with 2: no rule is broken."""
    (tmp_path / name).write_bytes(data)
    (tmp_path / "good.yaml").write_bytes(WHOLE_ONE)
    ((file, said),) = verify([tmp_path], load(), RECORDINGS).unusable
    assert (file, reason in said) == (str(tmp_path / name), True)
    assert main(["verify", str(tmp_path)]) == 2
    out = capsys.readouterr().out
    assert f"{file} is not a readable recording: {said}" in out
    assert out.splitlines()[-1].startswith("USAGE ERROR: ")
    assert " failed" not in out


def test_a_request_is_known_by_the_answer_beside_it(tmp_path: Path) -> None:
    """A request of the old API generation is not judged by today's schema."""
    (tmp_path / "a.request.json").write_bytes(b'{"surprise":1}')
    (tmp_path / "a.json").write_bytes(b'{"outputs":[]}')
    result = verify([tmp_path / "a.request.json"], load(), RECORDINGS).traffic
    assert "`outputs`" in result.left_out[0].reason


def test_a_request_that_was_refused_is_judged_and_accuses_nobody(tmp_path: Path) -> None:
    (tmp_path / "a.request.json").write_bytes(b'{"model":"m","input":"hi","surprise":1}')
    (tmp_path / "a.json").write_bytes(b'{"error":{"code":"x","message":"m"}}')
    result = verify([tmp_path / "a.request.json"], load(), RECORDINGS).traffic
    assert result.judged["requests"] == 1
    assert [finding.severity for finding in result.findings] == [Severity.INFORMATION]
    assert result.findings[0].message.startswith('the create was rejected: "surprise"')


def test_a_result_without_a_name_is_information(tmp_path: Path) -> None:
    """The live service refuses a function_result that does not name its function, though no document says so."""
    result = {"type": "function_result", "call_id": "c", "result": "x"}
    for number, named in enumerate((result, {**result, "name": "f"})):
        body = {"model": "gemini-3.8-flash", "input": [named], "previous_interaction_id": "a"}
        (tmp_path / f"{number}.request.json").write_bytes(json.dumps(body).encode())
    found = verify([tmp_path], load(), RECORDINGS).traffic
    assert [(one.rule, one.where.pointer) for one in found.findings] == [("tool.result-name", "$.input[0].name")]
    assert found.rules["tool.result-name"] == 2


def test_a_rule_counts_only_where_it_had_something_to_look_at(tmp_path: Path) -> None:
    """A stream without a call, a signature or an event id proves nothing of the rules about those."""
    (tmp_path / "a.sse").write_bytes(frames([created(), completed()]))
    looked_at = verify([tmp_path / "a.sse"], load(), RECORDINGS).traffic.rules
    assert looked_at["stream.terminal"] == looked_at["stream.first"] == 1
    assert {"stream.args-join", "stream.sig-last", "stream.evid-unique", "stream.error-shape"}.isdisjoint(
        looked_at
    )


def test_folders_are_walked(tmp_path: Path) -> None:
    """Every file of a folder is judged or listed, in order; hidden files and folders are listed."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.sse").write_bytes(STREAM)
    (tmp_path / "a.json").write_bytes(json.dumps(BODY).encode())
    (tmp_path / "c.md").write_bytes(b"")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "y.sse").write_bytes(b"")
    result = verify([tmp_path], load(), RECORDINGS).traffic
    assert result.judged == {"streams": 1, "bodies": 1, "requests": 0}
    assert [(Path(place.file).name, place.reason[:6]) for place in result.left_out] == [
        ("c.md", "not a "), (".git", "hidden"),
    ]  # fmt: skip


def test_a_recorded_drop_is_a_fact_and_no_finding() -> None:
    """Responses that did not end completely are counted by how and by whom they were ended, and fail nothing."""
    path = SHIPPED / "dropped-twice.yaml"
    ends = ("closed the connection within the body", "reset the connection within a chunk")
    assert verify([path], load(), RECORDINGS).notes == [
        f"1 response was dropped in the recording (the server {end}), which breaks no rule" for end in ends
    ]
    assert main(["verify", str(path)]) == 0


def test_an_edited_entry_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If a body was edited by hand, its recorded pieces no longer fit, which is reported but does not fail."""
    path = tmp_path / "edited.yaml"
    path.write_bytes(cassette(JSON_CASE, response={"x-stream": extension(b"as it was", {"how": "complete"})}))
    main(["verify", str(path)])
    assert "entry 1 was edited" in capsys.readouterr().out


def test_the_gate_finds_a_key_in_the_name_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is named like the key of the environment is a hit, and its name is not printed."""
    monkeypatch.setenv("GEMINI_API_KEY", "zq5canary0123456789abcdefgh")
    (tmp_path / "zq5canary0123456789abcdefgh.json").write_text("{}", "utf-8")
    assert main(["verify", "--secrets", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "the name of the file" in out
    assert "zq5canary" not in out


@pytest.mark.slow
def test_the_gate_has_no_hit_on_the_corpus(corpus: Path) -> None:
    """There are no hits in the recordings of the live service, nor in our own cassettes."""
    scanned, hits, left_out = secrets_in([corpus, SHIPPED], PROTOCOL)
    assert scanned > 50
    assert hits == left_out == []


@pytest.mark.parametrize(
    ("stated", "used"), [(CURRENT, CURRENT), ("1999-01-01", "2027-01-01"), ("", "2027-01-01")]
)
def test_a_cassette_is_judged_by_the_revision_it_states(tmp_path: Path, stated: str, used: str) -> None:
    (tmp_path / "2027-01-01").mkdir()
    (tmp_path / "2027-01-01" / "revision.json").write_text(json.dumps({"base": CURRENT}))
    document = yaml.safe_load((SHIPPED / "agent.yaml").read_text("utf-8"))
    document["metadata"]["harness"]["revision"] = stated
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    assert verify([path], load_from(tmp_path / "2027-01-01"), RECORDINGS).revisions == {used: 1}


def test_what_no_schema_names_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A step of a newer API is one line of information with a count, in bodies and streams alike."""
    newer = {**BODY, "steps": [{"type": "daydream"}]}
    bodies = [json.dumps({**newer, "id": name}).encode() for name in ("v1_a", "v1_b")]
    said = cassette(*[case("POST", URI, ASKED, 200, "application/json", body) for body in bodies])
    (tmp_path / "newer.yaml").write_bytes(said)
    (tmp_path / "one.json").write_text(json.dumps(newer))
    events = [created(), {"event_type": "step.start", "index": 0, "step": newer["steps"][0]}]
    (tmp_path / "one.sse").write_bytes(frames([*events, {"event_type": "step.stop", "index": 0}, completed()]))
    assert main(["verify", str(tmp_path), "--json"]) == 0
    found = [one for one in json.loads(capsys.readouterr().out)["findings"] if one["rule"] == "http.unlisted"]
    assert [(one["subject"], one["weight"]) for one in found] == [("step daydream", 4)]
    assert found[0]["message"].endswith("in this response and 3 more")


def test_the_note_of_a_cassette_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Among many recordings, one that is incomplete on purpose says so; its rule can be excluded."""
    assert main(["verify", str(folder("cassettes"))]) == 1
    assert "truncated.yaml: note: The stream ends without its final event on purpose" in capsys.readouterr().out
    assert main(["verify", str(SHIPPED), "--exclude", "stream.terminal"]) == 0
    assert "1 warned, 73 passed, 1 excluded" in capsys.readouterr().out
    assert [main(["verify", str(SHIPPED), *more]) for more in (["-c", "stream.done"], ["--level", "must"])] == [
        0,
        1,
    ]
