"""Steps are assembled from deltas of every type, whole or in fragments, from the start or from the middle."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from msgspec.structs import replace

from harness.contract import Assembler, load
from harness.contract.requests import list_deletes
from harness.contract.transcript import count_given, output_steps, output_text, steps_of, text_of
from harness.wire import Exchange, Headers
from tests.contract.exchanges import exchange
from tests.contract.streams import WHOLE, delta, start, stop


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


# --- what was created is told from the answer: the right path, with what its deletion needs


def answered(target: str, body: Any, sent: Any = None, **more: Any) -> Exchange:
    """A POST and its answer."""
    return exchange("POST", target, sent=sent or {}, body=body, **more)


@pytest.mark.parametrize(
    ("target", "body", "deleted"),
    [
        ("/v1beta/interactions", {"id": "v1_a"}, ["/v1beta/interactions/v1_a"]),
        ("/v1beta/interactions", {"id": "a/b?"}, ["/v1beta/interactions/a%2Fb%3F"]),
        ("/v1beta/interactions", {"id": "\ud800"}, ["/v1beta/interactions/%ED%A0%80"]),
        ("/v1beta1/projects/p/locations/l/agents",
         {"name": "projects/p/locations/l/agents/helper/operations/7"},
         ["/v1beta1/projects/p/locations/l/agents/helper"]),
        ("/v1beta/fileSearchStores", {"name": "fileSearchStores/s"}, ["/v1beta/fileSearchStores/s?force=true"]),
        ("/upload/v1beta/files?upload_id=u", {"file": {"name": "files/f"}}, ["/v1beta/files/f"]),
        ("/__harness__/sessions/s1/upload/v1beta/files", {"file": {"name": "files/f"}},
         ["/__harness__/sessions/s1/v1beta/files/f"]),
        ("/upload/v1beta/fileSearchStores/s:uploadToFileSearchStore",
         {"name": "fileSearchStores/s/upload/operations/o"}, []),
        ("/v1beta/fileSearchStores/s:importFile", {"name": "fileSearchStores/s/operations/o"}, []),
        ("/v1beta/webhooks/w:ping", {}, []),
        ("/v1beta/decisions", {"answers": {}}, []),
        ("/v1beta/triggers/t/executions", {"id": "x", "interaction_id": "v1_a", "environment_id": "e"},
         ["/v1beta/environments/e", "/v1beta/interactions/v1_a"]),
        ("/v1beta/interactions", {"status": "completed"}, []),
        ("/v1beta/interactions", [], []),
    ],
)  # fmt: skip
def test_each_kind_of_thing_has_its_delete(target: str, body: Any, deleted: list[str]) -> None:
    """The path has the version and the session of the create, the escaped id, and `force` where it is needed."""
    assert [request.target for request in list_deletes(answered(target, body))] == deleted
    assert list(list_deletes(answered(target, body, status=400))) == []


@pytest.mark.parametrize(
    ("environment", "is_new"),
    [("remote", True), ({"type": "remote", "network": "disabled"}, True), ("mine", False),
     ({"environment_id": "mine"}, False), (None, False)],
)  # fmt: skip
def test_only_a_new_sandbox_is_deleted(environment: Any, is_new: bool) -> None:
    """An environment that the request named was there before."""
    sent = {"agent": "a", "input": "x", **({"environment": environment} if environment else {})}
    created = answered("/v1beta/interactions", {"id": "v1_a", "environment_id": "e"}, sent)
    targets = [request.target for request in list_deletes(created)]
    assert targets == [*(["/v1beta/environments/e"] if is_new else []), "/v1beta/interactions/v1_a"]


def test_a_stream_tells_its_ids() -> None:
    """The ids of the interaction and its sandbox are read from the first events."""
    event = {"interaction": {"id": "v1_a", "environment_id": "e"}, "event_type": "interaction.created"}
    data = b"data: " + json.dumps(event).encode() + b"\n\n"
    sent = {"input": "x", "environment": "remote", "stream": True}
    created = answered("/v1beta/interactions", data, sent, label="text/event-stream")
    assert [request.target for request in list_deletes(created)] == [
        "/v1beta/environments/e",
        "/v1beta/interactions/v1_a",
    ]


def test_the_delete_has_the_headers_of_the_create() -> None:
    """All but those that describe a body or an upload."""
    sent = Headers([("x-goog-api-key", "k"), ("x-team", "t"), ("content-type", "application/json"),
                    ("X-Goog-Upload-Command", "upload, finalize")])  # fmt: skip
    created = answered("/upload/v1beta/files", {"file": {"name": "files/f"}})
    (delete,) = list_deletes(replace(created, request=replace(created.request, headers=sent)))
    assert (delete.method, delete.headers.items()) == ("DELETE", (("x-goog-api-key", "k"), ("x-team", "t")))


# --- the output of a run is every step after the caller's input


TEXT = [{"type": "text", "text": "He"}, {"type": "image", "data": ""}, {"type": "text", "text": "llo"}]
ASKED = {"type": "user_input", "content": TEXT}
SAID = {"type": "model_output", "content": TEXT}
RESULT = {"type": "function_result", "call_id": "c", "result": "x"}


@pytest.mark.parametrize(
    ("steps", "leading"),
    [
        ([SAID], 0),
        ([ASKED, SAID], 1),
        ([ASKED, SAID, ASKED, SAID], 3),
        ([RESULT, SAID], 1),
        ([ASKED, RESULT, RESULT, SAID], 3),
        ([SAID, RESULT], 0),
        ([None, ASKED, 7], 2),
        ([], 0),
    ],
)
def test_given(steps: list[Any], leading: int) -> None:
    """The caller's steps are those up to the last user_input and any results right after it."""
    assert count_given(steps) == leading
    assert output_steps({"steps": steps}) == [step for step in steps[leading:] if isinstance(step, dict)]


def test_texts_are_joined() -> None:
    """The output text joins all text parts of the output in order and excludes the input."""
    assert output_text({"steps": [ASKED, SAID, SAID]}) == "HelloHello"
    assert text_of("bare") == "bare"


@pytest.mark.parametrize("odd", [None, 7, "x", {}, [None, 7, "x", []]])
def test_odd_steps_are_no_steps(odd: Any) -> None:
    """A value that is not a list of objects contains no steps and no text."""
    assert steps_of({"steps": odd}) == []
    assert output_text({"steps": [{"type": "model_output", "content": odd}]}) in ("", "x")
