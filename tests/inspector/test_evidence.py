"""What a page asks for: an exchange or an event in full, copies that run, and a cassette that replays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from harness.cassette import Player, load
from harness.contract import PROTOCOL
from harness.emulator import Emulator
from harness.wire import Chunk, Headers, Request
from tests.inspector.conftest import KEYED, SECRET, Bench
from tests.plugin.toys import run

TOOL = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}


def text_of(bench: Bench, path: str) -> str:
    """The text of a copy."""
    return str(bench.ask(path)["text"])


def test_an_exchange_is_shown_in_full(bench: Bench) -> None:
    """Request and answer are shown with headers and bodies, the key hidden."""
    bench.open()
    bench.create()
    shown = bench.ask("exchanges/1")
    assert shown["request"]["body"]["input"] == "Say hi."
    assert ["x-goog-api-key", "***"] in shown["request"]["headers"]
    assert shown["answer"]["status"] == 200
    assert shown["answer"]["body"]["status"] == "completed"


def test_an_event_is_shown_in_full(bench: Bench) -> None:
    """An event is shown as the bytes of its frame and as the value in it; the last one has no value."""
    page = bench.open()
    bench.create(stream=True)
    shown = bench.ask("exchanges/1/0")
    assert shown["value"]["event_type"] == "interaction.created"
    assert shown["text"].startswith("event: interaction.created\ndata: {")
    assert bench.ask(f"exchanges/1/{len(page.all('event')) - 1}")["value"] is None


def test_a_deep_body_is_shown_as_text(bench: Bench) -> None:
    """JSON that is nested too deeply to be walked does no harm: it is shown as text."""
    bench.open()
    deep = b'{"input":' + b"[" * 900 + b"]" * 900 + b"}"
    bench.driver.send(Request("POST", "/v1beta/interactions", KEYED, deep))
    shown = bench.ask("exchanges/1")
    assert shown["answer"]["status"] == 400
    assert shown["request"]["body"]


def test_words_are_found_in_bodies(bench: Bench) -> None:
    """A search finds words of requests, responses and streams in any case and script, but nothing masked."""
    bench.open()
    bench.create(input="Grüße")
    bench.create(input=f"my key is {SECRET}", stream=True)
    found = bench.ask(f"search?words={quote(f'GRÜSSE GRÜße step.delta Completed {SECRET} {SECRET[:9]}')}")["found"]
    assert found == {
        "grüsse": [],
        "grüße": [1],
        "step.delta": [2],
        "completed": [1, 2],
        SECRET.lower(): [],
        SECRET[:9].lower(): [],
    }
    assert bench.ask("search")["found"] == {}


@pytest.mark.parametrize("path", ["exchanges/9", "exchanges/1/99", "exchanges/x", "exchanges/1/1/1/1", "nothing"])
def test_what_is_not_there_is_a_404(bench: Bench, path: str) -> None:
    """Whatever is not kept is answered with 404 and a sentence."""
    bench.open()
    bench.create(stream=True)
    assert bench.ask(path)["error"]["message"]


@pytest.mark.parametrize(
    ("create", "scripted"),
    [
        ({}, "text"),
        ({"stream": True}, "text"),
        ({"background": True}, "text"),
        ({"tools": [TOOL], "input": "weather"}, "steps"),
        ({"contents": "x"}, "refuse"),
    ],
)
def test_a_scenario_gives_the_same_answer_again(
    bench: Bench, tmp_path: Path, create: dict[str, Any], scripted: str
) -> None:
    """The copied scenario makes a fresh emulator give the answer that was seen: text, calls or refusal."""
    bench.open()
    first = bench.create(**create)
    if create.get("background"):
        name = json.loads(first.body)["id"]
        for _ in range(5):
            first = bench.send("GET", f"/v1beta/interactions/{name}")
    file = tmp_path / "story.yaml"
    file.write_text(text_of(bench, "exchanges/1/scenario"), encoding="utf-8")
    assert list(yaml.safe_load(file.read_text("utf-8"))["replies"][0]) == [scripted]
    again = Emulator().load_scenario(file)
    body = json.dumps({"model": "gemini-3.8-flash", "input": "Something else."}).encode()
    response = again(Request("POST", "/v1beta/interactions", KEYED, body))
    told = json.loads(b"".join(piece.data for piece in response.body if isinstance(piece, Chunk)))
    if scripted == "refuse":
        assert (response.status, told["error"]["code"]) == (400, json.loads(first.body)["error"]["code"])
    elif create.get("stream"):
        assert "“Say hi.”" in json.dumps(told, ensure_ascii=False)
    else:
        assert _output(told) == _output(json.loads(first.body))


def _output(interaction: dict[str, Any]) -> list[Any]:
    """What an interaction says and calls, without ids and signatures."""
    return [
        (step["type"], step.get("name"), step.get("arguments"), step.get("content"))
        for step in interaction["steps"]
        if step["type"] not in ("thought", "user_input")
    ]


@pytest.mark.slow
def test_a_copied_test_is_one_that_passes(bench: Bench, pytester: pytest.Pytester) -> None:
    """Copies of several exchanges, put into a file as they are, pass with the plugin; a refusal gives a stub."""
    bench.open()
    bench.create()
    bench.create(stream=True)
    bench.create(tools=[TOOL], input="weather")
    bench.create(contents="x")
    copies = [text_of(bench, f"exchanges/{number}/pytest") for number in range(1, 5)]
    assert "...  # call your code here" in copies.pop()
    named = [copy.replace("test_recorded_response", f"test_{number}") for number, copy in enumerate(copies)]
    pytester.makepyfile("\n\n".join(named))
    run(pytester).assert_outcomes(passed=3)


def test_a_saved_cassette_replays_what_was_seen(bench: Bench, tmp_path: Path) -> None:
    """The cassette holds every exchange that has ended, without secrets, and plays them byte for byte."""
    bench.open()
    first = bench.create()
    second = bench.create(stream=True)
    file = tmp_path / "seen.yaml"
    file.write_bytes(bench.send("GET", "/__harness__/inspector/cassette").body)
    cassette = load(file)
    assert [recording.body for recording in cassette.recordings] == [first.body, second.body]
    assert cassette.provenance is not None
    player = Player(cassette.recordings, PROTOCOL)
    body = json.dumps({"model": "gemini-3.8-flash", "input": "Say hi."}).encode()
    headers = Headers((("host", "localhost"), ("content-type", "application/json"), ("x-goog-api-key", "k")))
    response = player(Request("POST", "/v1beta/interactions", headers, body))
    assert b"".join(piece.data for piece in response.body if isinstance(piece, Chunk)) == first.body


def test_an_empty_journal_saves_nothing(bench: Bench) -> None:
    """Without an exchange that has ended there is nothing to save, and the answer says so."""
    exchange = bench.send("GET", "/__harness__/inspector/cassette")
    assert exchange.status == 409
    assert b"no exchange" in exchange.body


def test_the_raw_frames_are_shown_as_they_came(bench: Bench) -> None:
    """Status, headers and frames, with their separators and without secrets."""
    page = bench.open()
    answer = bench.create(stream=True, input=f"Say {SECRET}.")
    raw = bench.ask(f"exchanges/{page.all('request')[-1]['n']}/raw")
    assert raw["text"].startswith("200\ncontent-type: text/event-stream")
    assert raw["text"].count("\n\n") >= answer.body.count(b"\n\n")
    assert SECRET not in raw["text"]
    assert raw["cut"] is False
