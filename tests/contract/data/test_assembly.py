"""Steps are assembled from deltas of every type, whole or in fragments, from the start or from the middle."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract import Assembler, load
from tests.contract.streams import WHOLE, delta, start, stop
from tests.contract.test_stream_bounds import EVENTS


def assemble(*events: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps assembled from these events."""
    assembler = Assembler(load())
    for event in events:
        assembler.event(event)
    return assembler.steps()


def test_the_whole_stream() -> None:
    """A thought, an answer and a call are assembled into the steps that GET would return."""
    assert assemble(*WHOLE) == [
        {"type": "thought", "signature": "c2ln"},
        {"type": "model_output", "content": [{"type": "text", "text": "hi there é 🎉"}]},
        {"type": "function_call", "id": "c1", "name": "f", "arguments": {"a": 1}},
    ]


SUMMARY = {"type": "text", "text": "x"}
NOTE = {"type": "url_citation", "url": "u"}

GROWTH: dict[str, tuple[str, list[dict[str, Any]], dict[str, Any]]] = {
    "text joins": (
        "model_output",
        [delta(0, text="a"), delta(0, text="b")],
        {"content": [{"type": "text", "text": "ab"}]},
    ),
    "annotations belong to the text before": (
        "model_output",
        [
            delta(0, text="a"),
            delta(0, "text_annotation_delta", annotations=[NOTE]),
            delta(0, text="b"),
            delta(0, "text_annotation_delta", annotations=[NOTE]),
        ],
        {"content": [{"type": "text", "text": "ab", "annotations": [NOTE, NOTE]}]},
    ),
    "annotations without text": (
        "model_output",
        [delta(0, "text_annotation_delta", annotations=[NOTE])],
        {"content": [{"type": "text", "text": "", "annotations": [NOTE]}]},
    ),
    "pictures are parts": (
        "model_output",
        [delta(0, text="a"), delta(0, "image", data="AAAA"), delta(0, "image", data="BBBB"), delta(0, text="b")],
        {
            "content": [
                {"type": "text", "text": "a"},
                {"type": "image", "data": "AAAA"},
                {"type": "image", "data": "BBBB"},
                {"type": "text", "text": "b"},
            ]
        },
    ),
    "sound joins": (
        "model_output",
        [delta(0, "audio", data="AAAA", mime_type="audio/wav"), delta(0, "audio", data="BBBB")],
        {"content": [{"type": "audio", "data": "AAAABBBB", "mime_type": "audio/wav"}]},
    ),
    "padded sound is over": (
        "model_output",
        [delta(0, "audio", data="AA=="), delta(0, "audio", data="BBBB")],
        {"content": [{"type": "audio", "data": "AA=="}, {"type": "audio", "data": "BBBB"}]},
    ),
    "sound of another kind is another part": (
        "model_output",
        [
            delta(0, "audio", data="AAAA", mime_type="audio/wav"),
            delta(0, "audio", data="BB", mime_type="audio/mp3"),
        ],
        {
            "content": [
                {"type": "audio", "data": "AAAA", "mime_type": "audio/wav"},
                {"type": "audio", "data": "BB", "mime_type": "audio/mp3"},
            ]
        },
    ),
    "summaries join, with a type or without": (
        "thought",
        [delta(0, "thought_summary", content={"text": "a"}), delta(0, "thought_summary", content=SUMMARY)],
        {"summary": [{"type": "text", "text": "ax"}]},
    ),
    "a summary may be a picture": (
        "thought",
        [delta(0, "thought_summary", content={"type": "image", "data": "AAAA"})],
        {"summary": [{"type": "image", "data": "AAAA"}]},
    ),
    "signatures join": (
        "thought",
        [delta(0, "thought_signature", signature="a"), delta(0, "thought_signature", signature="b")],
        {"signature": "ab"},
    ),
    "arguments that do not parse stay text": (
        "function_call",
        [delta(0, "arguments_delta", arguments='{"a')],
        {"arguments": '{"a'},
    ),
    "a call named like its step": (
        "google_search_call",
        [delta(0, "google_search_call", arguments={"queries": ["q"]}, signature="s")],
        {"arguments": {"queries": ["q"]}, "signature": "s"},
    ),
    "results in two halves": (
        "google_search_result",
        [
            delta(0, "google_search_result", result=[1]),
            delta(0, "google_search_result", result=[2], is_error=False),
        ],
        {"result": [1, 2], "is_error": False},
    ),
    "output of code in two halves": (
        "code_execution_result",
        [delta(0, "code_execution_result", result="a"), delta(0, "code_execution_result", result="b")],
        {"result": "ab"},
    ),
    "processing": ("processing_call", [delta(0, "processing_call", signature="s")], {"signature": "s"}),
    "an unlisted delta adds nothing": ("model_output", [delta(0, "smell", x=1)], {}),
}


@pytest.mark.parametrize(("kind", "deltas", "fields"), GROWTH.values(), ids=GROWTH)
def test_a_delta_grows_its_step(kind: str, deltas: list[dict[str, Any]], fields: dict[str, Any]) -> None:
    """Each delta type adds to its step what the reference says, with or without a preceding step.start."""
    assert assemble(start(0, kind), *deltas, stop(0)) == [{"type": kind, **fields}]
    if fields:
        assert assemble(*deltas) == [{"type": kind, **fields}]


def test_a_start_may_bring_content() -> None:
    """Deltas append to the content of step.start, and the event itself is not modified."""
    begun = start(0, content=[{"type": "text", "text": "a"}])
    assert assemble(begun, delta(0, text="b"))[0]["content"] == [{"type": "text", "text": "ab"}]
    assert begun["step"]["content"] == [{"type": "text", "text": "a"}]
    summary = start(0, "thought", summary=[{"type": "text", "text": "a"}], signature="s")
    assert assemble(summary, delta(0, "thought_signature", signature="t"))[0]["signature"] == "st"


def test_a_signature_of_the_start_that_comes_again_is_one() -> None:
    """A delta that repeats the whole signature of the start adds nothing; two equal deltas are two."""
    again = delta(0, "thought_signature", signature="s")
    assert assemble(start(0, "thought", signature="s"), again)[0]["signature"] == "s"
    assert assemble(start(0, "thought"), again, again)[0]["signature"] == "ss"


def test_the_arguments_of_the_start_stand_without_deltas() -> None:
    """Arguments that arrive whole in step.start are kept if no deltas follow."""
    begun = start(0, "function_call", id="c", name="f", arguments={"a": 1})
    assert assemble(begun)[0]["arguments"] == {"a": 1}


def test_steps_may_be_asked_for_at_any_time() -> None:
    """Reading the steps in between does not affect how later deltas are added."""
    assembler = Assembler(load())
    for event in (start(0), delta(0, text="a")):
        assembler.event(event)
    assert assembler.steps()[0]["content"][0]["text"] == "a"
    assembler.event(delta(0, text="b"))
    assert assembler.steps()[0]["content"][0]["text"] == "ab"


@given(st.lists(EVENTS, max_size=8))
@pytest.mark.slow
def test_any_events_are_taken(events: Iterable[dict[str, Any]]) -> None:
    """Assembling never raises, whatever the events contain."""
    assemble(*events)


def test_growth_is_linear() -> None:
    """Adding a delta does not copy the text assembled so far."""
    assembler = Assembler(load())
    assembler.event(start(0))
    assembler.event(delta(0, text="x" * 1_000_000))
    tracemalloc.start()
    for _ in range(100):
        assembler.event(delta(0, text="y"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500_000
