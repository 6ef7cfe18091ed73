"""Tests of `harness verify`: what was judged, what was left out and why, and where each finding is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.resources import folder
from tests.cli.conftest import Harness, fits

EVENTS = [
    {
        "interaction": {"id": "i1", "status": "in_progress", "object": "interaction"},
        "event_type": "interaction.created",
    },
    {"index": 0, "step": {"type": "model_output"}, "event_type": "step.start"},
    {"index": 0, "delta": {"type": "text", "text": "Hi"}, "event_type": "step.delta"},
    {"index": 0, "event_type": "step.stop"},
    {
        "interaction": {
            "id": "i1",
            "status": "completed",
            "object": "interaction",
            "usage": {"total_tokens": 2, "total_input_tokens": 1, "total_output_tokens": 1},
        },
        "event_type": "interaction.completed",
    },
]


def recording(events: list[dict[str, Any]]) -> str:
    """Return a stream as it is on the wire."""
    frames = [f"event: {event['event_type']}\ndata: {json.dumps(event)}\n\n" for event in events]
    return "".join(frames) + "event: done\ndata: [DONE]\n\n"


def test_a_clean_recording(harness: Harness) -> None:
    """A correct recording exits with 0; the last lines count what was judged, and the checks."""
    Path("clean.sse").write_text(recording(EVENTS), encoding="utf-8")
    done = harness("verify", "clean.sse")
    assert done.code == 0, done.out
    counts, _, totals, verdict = done.out.splitlines()[-4:]
    assert counts.startswith("judged 1 stream, 0 bodies, 0 requests")
    assert re.fullmatch(r"\d+ checks in \d+\.\d s: \d+ passed\.", totals)
    assert re.fullmatch(r"PASSED: all \d+ MUST checks passed\.", verdict)


def test_the_totals_add_up(harness: Harness) -> None:
    """Each entry of a cassette is judged or listed as left out; an unanswered one with who ended it, and where."""
    path = folder("cassettes") / "emulator" / "dropped-before-headers.yaml"
    done = harness("verify", str(path))
    assert "excluded: 1 × no response arrived: the server reset the connection before the headers" in done.out
    assert f"\n  {path}: entry " in done.out
    assert "in 1 of 2 entries; excluded 1; no finding" in done.out.splitlines()[1]
    report = json.loads(harness("verify", str(path), "--json").out)
    assert report["entries"] == {"judged": 1, "left_out": len(report["left_out"]), "unrecognized": 0}


def test_a_broken_recording_names_event_and_bytes(harness: Harness) -> None:
    """A delta after its stop is a broken MUST: the exit code is 1, and file, event and byte span are named."""
    broken = [*EVENTS[:2], EVENTS[3], EVENTS[2], EVENTS[4]]
    Path("broken.sse").write_text(recording(broken), encoding="utf-8")
    done = harness("verify", "broken.sse", "--json")
    report = fits("verify", done.out)
    assert done.code == 1
    found = next(finding for finding in report["findings"] if finding["rule"] == "stream.start-before")
    assert (found["file"], found["event"], found["level"]) == ("broken.sse", 3, "MUST")
    data = Path("broken.sse").read_bytes()
    assert b"step.delta" in data[found["start"] : found["end"]]
    plain = harness("verify", "broken.sse").out
    assert f"broken.sse (event 3, bytes {found['start']}–{found['end']}" in plain


def test_nothing_to_judge_is_not_green(harness: Harness) -> None:
    """If nothing in a folder could be judged, the exit code is 3 and every file is listed with its reason."""
    Path("notes.txt").write_text("hello", encoding="utf-8")
    done = harness("verify", ".")
    assert done.code == 3
    assert "excluded: 1 × not a kind of file" in done.out
    assert "\n  notes.txt\n" in done.out


def test_what_is_left_out_stands_below_its_reason(harness: Harness, tmp_path: Path) -> None:
    """Most of one reason come first; a terminal shows a few places, -v and reports all of them."""
    Path("kept").mkdir()
    for number in range(7):
        Path(f"kept/{number}.txt").write_text("hello", encoding="utf-8")
    Path("kept/old.json").write_text('{"outputs":[]}', encoding="utf-8")
    reports = [word for name in ("html", "markdown") for word in ("--report", f"{name}=out.{name}")]
    lines = harness("verify", "kept", *reports).out.splitlines()
    start = lines.index("excluded: 7 × not a kind of file that contains recorded traffic")
    assert lines[start + 1 : start + 6] == [*(f"  kept/{n}.txt" for n in range(4)), "  and 3 more (-v lists them)"]
    assert lines[start + 6].startswith("excluded: 1 × a body of the `outputs` format")
    assert "  kept/6.txt" in harness("verify", "kept", "-v").out.splitlines()
    for name in ("html", "markdown"):
        text = Path(f"out.{name}").read_text(encoding="utf-8")
        assert "7 × not a kind of file" in text
        assert "kept/6.txt" in text


def test_a_page_draws_the_stream_that_breaks_a_rule(harness: Harness) -> None:
    """A resume that skips an event stands under the stream that it resumes; the missing event has its cell."""
    events = [event | {"event_id": f"e{number}"} for number, event in enumerate(EVENTS)]
    whole = entry_of("GET", "/v1beta/interactions/i1?stream=true", recording(events), "text/event-stream")
    target = "/v1beta/interactions/i1?stream=true&last_event_id=e1"
    resumed = entry_of("GET", target, recording(events[3:]), "text/event-stream")
    Path("gap.har").write_text(har_of(whole, resumed), "utf-8")
    assert harness("verify", "gap.har", "--report", "html=out.html").code == 1
    page = Path("out.html").read_text(encoding="utf-8")
    assert "entry 2, GET /v1beta/interactions/i1: received 3-5; missing 2" in page


def test_the_corpus_is_accepted(harness: Harness, corpus: Path) -> None:
    """Recordings of the real API break no MUST."""
    report = json.loads(harness("verify", str(corpus / "files"), "--json").out)
    real = {
        row["file"].rpartition("/")[2]
        for row in map(json.loads, (corpus / "MANIFEST.jsonl").read_text(encoding="utf-8").splitlines())
        if row["looks_real"]
    }
    broken = [f for f in report["findings"] if f["level"] == "MUST" and f["severity"] == "broken"]
    assert [f for f in broken if Path(f["file"]).name in real] == []
    assert report["judged"]["streams"] > 20


def test_paths_without_a_recording_are_said_to_have_none(harness: Harness) -> None:
    """The last line speaks of the paths, not of a target or of MUST checks."""
    Path("notes.yaml").write_text("hello", "utf-8")
    done = harness("verify", "notes.yaml")
    step = "name .yaml, .har, .sse, .events.jsonl or .json files, or record some with `harness record`"
    assert (done.code, done.out.splitlines()[-1]) == (
        3,
        f"NOTHING RAN: the paths contain no recorded response to judge: {step}.",
    )
    Path("broken.yaml").write_text(": : [", "utf-8")
    done = harness("verify", "broken.yaml")
    assert done.code == 2
    assert done.out.splitlines()[-1].startswith("USAGE ERROR: broken.yaml is not a readable recording: ")
    assert "MUST" not in done.out.splitlines()[-1]


def test_a_search_names_what_it_leaves_out(harness: Harness) -> None:
    """The last lines name the folders that a tool fills, with a count; one that is named is searched."""
    key = json.dumps({"key": "AIzaSy" + "A1b2C3d4E5f6" * 3})
    for name in ("d/good.json", "d/live/CACHEDIR.TAG", "d/live/bad.json"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(key if "bad" in name else "{}", "utf-8")
    done = harness("verify", "--secrets", "d")
    line = "left out, as git or another tool fills them: d/live (name one to search it)"
    assert done.out.splitlines() == [line, "PASSED: no possible secret in 1 file, with 1 left out."]
    assert fits("verify-secrets", harness("verify", "--secrets", "d", "--json").out)["left_out"] == ["d/live"]
    assert harness("verify", "--secrets", "d/live").code == 1


ODD_PATHS = (
    "/v1beta/interactions/", "//v1beta//interactions", "/v1beta/interactions//", "/v1beta/%69nteractions",
    "/v1beta/interactions/?alt=sse", "/v1beta/interactions%2F", "/v1beta/Interactions",
    "/v1beta/interactions:create", "/v1beta/interactions;a=b", "/v1beta/interactions/.",
    "/v1beta1/projects/p/locations/global/interactions", "/proxy/gemini/run", "/interactions",
)  # fmt: skip


def entry_of(method: str, path: str, body: str, kind: str = "application/json", status: int = 200) -> Any:
    """Return an entry of a HAR file."""
    request = {"method": method, "url": f"https://api.example{path}", "headers": []}
    sent = {"postData": {"mimeType": "application/json", "text": '{"model":"gemini-3.8-flash","input":"Hi"}'}}
    headers = [{"name": "content-type", "value": kind}]
    response = {"status": status, "headers": headers, "content": {"mimeType": kind, "text": body}}
    return {"request": {**request, **(sent if method.upper() == "POST" else {})}, "response": response}


def har_of(*entries: Any) -> str:
    """Return a HAR file of these entries."""
    return json.dumps({"log": {"entries": entries}})


@pytest.mark.parametrize(("method", "streamed"), [("POST", False), ("PUT", True)])
@pytest.mark.parametrize("path", ODD_PATHS)
def test_an_interaction_is_judged_whatever_its_path(
    harness: Harness, path: str, streamed: bool, method: str
) -> None:
    """If a server answers with an interaction or its events, they are judged, however the request was spelled."""
    broken = json.dumps({"id": 17, "object": "interaction", "status": "completed"})
    stream = recording([*EVENTS[:2], EVENTS[3], EVENTS[2], EVENTS[4]])
    answered = entry_of(method, path, stream, "text/event-stream") if streamed else entry_of(method, path, broken)
    Path("a.har").write_text(har_of(answered), "utf-8")
    done = harness("verify", "a.har")
    assert (done.code, done.out.splitlines()[-1].partition(":")[0]) == (1, "FAILED"), done.out


def test_what_is_no_call_of_the_api_is_counted(harness: Harness) -> None:
    """Such entries are named with their paths, and the last line counts them; alone they are no pass."""
    clean = entry_of("POST", "/v1beta/interactions", recording(EVENTS), "text/event-stream")
    foreign = [
        entry_of("PATCH", "/v1beta/interactions/i1", "{}"),
        entry_of("GET", "/v1beta/interactions/", '{"interactions":[]}'),
        entry_of("POST", "/v1beta/interactions/i1:cancel", "{}"),
        entry_of("POST", "/v1beta/models/m:streamGenerateContent", "data: {}\n\n", "text/event-stream"),
        entry_of("GET", "/jobs/1", '{"id":"1","status":"done"}'),
    ]
    Path("some.har").write_text(har_of(clean, *foreign), "utf-8")
    done = harness("verify", "some.har")
    lines = done.out.splitlines()
    start = lines.index("excluded: 5 × not recognized as a call of the Interactions API")
    assert lines[start + 1] == "  some.har: entry 2, PATCH /v1beta/interactions/i1"
    last = r"PASSED: all \d+ MUST checks passed; 5 of 6 entries are not recognized as calls of the API\."
    assert done.code == 0
    assert re.fullmatch(last, lines[-1])
    report = fits("verify", harness("verify", "some.har", "--json").out)
    assert report["entries"] == {"judged": 1, "left_out": 5, "unrecognized": 5}
    assert report["accounting"]["verdict"] == lines[-1]
    Path("none.har").write_text(har_of(*foreign), "utf-8")
    done = harness("verify", "none.har")
    last = "NOTHING RAN: 5 of 5 entries are not recognized as calls of the API."
    assert (done.code, done.out.splitlines()[-1]) == (3, last)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1beta/interactions", '{"outputs":[{"type":"text","text":"Hi"}]}', 200),
        ("/v1beta/interactions", '{"id":5,"nonsense":true}', 0),
        ("/v1beta/interactions/i1", "", 0),
    ],
)
def test_a_call_that_is_not_judged_is_counted(harness: Harness, path: str, body: str, status: int) -> None:
    """It is in the last line, too, also if all that was judged is right."""
    clean = entry_of("POST", "/v1beta/interactions", recording(EVENTS), "text/event-stream")
    method = "POST" if path.endswith("s") else "GET"
    Path("a.har").write_text(har_of(clean, entry_of(method, path, body, status=status)), "utf-8")
    done = harness("verify", "a.har")
    last = r"PASSED: all \d+ MUST checks passed; 1 of 2 entries is an API call that was excluded\."
    assert re.fullmatch(last, done.out.splitlines()[-1])


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"id":"i1","status":"bogus","outputs":0}', "application/json"),
        (
            recording([EVENTS[0], {"event_type": "interaction.bogus"}, {"event_type": "content.stop"}]),
            "text/event-stream",
        ),
    ],
)
def test_a_word_of_the_old_generation_hides_no_defect(harness: Harness, body: str, kind: str) -> None:
    """Output of the removed format is left out, and not a body of today with one of its names."""
    clean = entry_of("POST", "/v1beta/interactions", recording(EVENTS), "text/event-stream")
    Path("a.har").write_text(har_of(clean, entry_of("POST", "/v1beta/interactions", body, kind)), "utf-8")
    assert harness("verify", "a.har").code == 1


@pytest.mark.parametrize(
    ("query", "header"), [("?alt=media", ""), ("", "start"), ("?alt=media&key=k", "upload, query")]
)
def test_a_call_with_the_marks_of_a_transfer_is_judged(harness: Harness, query: str, header: str) -> None:
    """Only a file is downloaded and uploaded: what looks like it elsewhere hides no body."""
    odd = entry_of("POST", f"/v1beta/interactions{query}", '{"id":5,"nonsense":true}')
    odd["request"]["headers"] = [{"name": "X-Goog-Upload-Command", "value": header}] if header else []
    Path("a.har").write_text(har_of(odd), "utf-8")
    assert harness("verify", "a.har").code == 1


def test_a_transfer_of_a_file_is_no_unknown_call(harness: Harness) -> None:
    """A download is excluded for its own reason, and the last line does not count it."""
    clean = entry_of("POST", "/v1beta/interactions", recording(EVENTS), "text/event-stream")
    Path("a.har").write_text(har_of(clean, entry_of("GET", "/v1beta/files/f:download?alt=media", "x")), "utf-8")
    done = harness("verify", "a.har")
    assert "excluded: 1 × a download, or a part of an upload" in done.out
    assert re.fullmatch(r"PASSED: all \d+ MUST checks passed\.", done.out.splitlines()[-1])
