"""Each incident plays back the behaviour on the wire that its source describes.

The payloads and numbers here are those of the sources, written down a second time: a change of the library that no
source supports fails.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from harness.incidents import load_incidents
from harness.wire import At, Exchange, How
from tests.in_one_test import in_one_test
from tests.incidents.played import Played, events_of, types_of

COMPLETED = "interaction.completed"
OPENING = ["interaction.created", "interaction.status_update"]
TOOL = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}


def is_cut(exchange: Exchange) -> bool:
    """Whether a stream ended without its completion."""
    return COMPLETED not in types_of(exchange)


def error_of(exchange: Exchange) -> tuple[int, object, str]:
    """HTTP status, code and message of a refusal."""
    error = json.loads(exchange.body)["error"]
    return exchange.status, error["code"], error["message"]


def stream_cut_at_600s(played: Played) -> None:
    """10:00 of a run of 14:00; the run continues; GET of the stream brings the end."""
    first = played.meet()
    assert is_cut(first)
    assert played.now == pytest.approx(600, abs=1)
    assert played.status() == "in_progress"
    assert not is_cut(played.resume())
    assert 780 <= played.now <= 900


def bare_json_503_in_stream(played: Played) -> None:
    """Five good frames, then the list, over several lines and without `data:`, then a close."""
    made = played.meet()
    assert len(events_of(made)) == 5
    tail = made.body.split(b"\n\n")[-1]
    assert b"data:" not in tail
    assert tail.count(b"\n") > 3
    assert json.loads(tail) == [
        {"error": {"code": 503, "message": "The service is currently unavailable.", "status": "UNAVAILABLE"}}
    ]
    assert made.complete


def bare_json_refusal_in_stream(played: Played) -> None:
    """created, status_update, one bare line; unary 400; GET 404."""
    line = (
        b'{"error":{"message":"Input blocked: the prompt contains sensitive words","code":"prohibited_content"}}'
    )
    made = played.meet()
    assert types_of(made) == OPENING
    assert made.body.endswith(b"\n\n" + line)
    assert (played.poll().status, played.resume().status) == (404, 404)
    unary = played.meet(stream=False)
    assert (unary.status, unary.body) == (400, line)


def clean_end_mistaken_for_end(played: Played) -> None:
    """All but the completion, and a proper end."""
    made = played.meet()
    assert types_of(made)[-1] == "step.stop"
    assert made.complete
    assert not is_cut(played.resume())


def resume_replays_two_events_then_silent(played: Played) -> None:
    """The resume: created, status_update, then open and mute for ever; GET still works."""
    first = played.meet()
    assert first.ending.how is How.RST
    cursors = [event["event_id"] for event in events_of(first) if "event_id" in event]
    assert cursors
    for cursor in (None, *cursors):
        again = played.resume(cursor)
        assert types_of(again) == OPENING
        assert again.ending.how is How.TIMEOUT
    assert played.poll().status == 200


def background_404_after_create(played: Played) -> None:
    """POST 200 in_progress; every GET 404 not_found."""
    assert json.loads(played.meet().body)["status"] == "in_progress"
    assert {error_of(played.poll())[:2] for _ in range(20)} == {(404, "not_found")}
    assert played.resume().status == 404


def background_404_at_first(played: Played) -> None:
    """404 for a while, then 200."""
    played.meet()
    assert [played.poll().status for _ in range(5)] == [404, 404, 404, 200, 200]


def get_403_after_create(played: Played) -> None:
    """GET at once 403 permission_denied."""
    assert played.meet().status == 200
    assert error_of(played.poll())[:2] == (403, "permission_denied")


def zombie_in_progress_for_days(played: Played) -> None:
    """in_progress, `steps: []`, updated unchanged."""
    played.meet()
    bodies = [json.loads(played.poll().body) for _ in range(50)]
    assert {(body["status"], str(body["steps"]), body["updated"]) for body in bodies} == {
        ("in_progress", "[]", bodies[0]["updated"])
    }


def chain_re_rooted(played: Played) -> None:
    """A new root without a word; then a valid function_result is refused."""
    assert played.meet(input="word " * 100).status == 200
    forgot = json.loads(played.turn(input="x").body)
    assert forgot["usage"]["total_input_tokens"] < 10
    call = forgot["steps"][0]
    result = {"type": "function_result", "name": call["name"], "call_id": call["id"], "result": "sun"}
    status, code, message = error_of(played.turn(input=[result]))
    assert (status, code) == (400, "invalid_request")
    assert message.startswith(
        "Please ensure that function response turn comes immediately after a function call turn. Got function "
        "response with name '"
    )


def stale_chain_id(played: Played) -> None:
    """404 "Requested entity was not found."; a create without the id works."""
    played.meet()
    for _ in range(2):
        assert error_of(played.turn()) == (404, "not_found", "Requested entity was not found.")
    assert played.meet().status == 200


def overload_event(model: str, code: str) -> Callable[[Played], None]:
    """created, status_update, an error event with the words of the source; no completed."""

    def judge(played: Played) -> None:
        made = played.meet()
        assert types_of(made) == [*OPENING, "error"]
        assert events_of(made)[-1]["error"] == {
            "message": f"{model} is currently experiencing high demand, spikes in demand are usually temporary. "
            "Please try again later.",
            "code": code,
        }

    return judge


def overload_as_500(played: Played) -> None:
    """500 with a number as its code."""
    status, code, message = error_of(played.meet())
    assert (status, code) == (500, 500)
    assert "is currently experiencing high demand" in message


def foreground_agent_lost_on_disconnect(played: Played) -> None:
    """The stream drops; GET 404."""
    assert played.meet().ending.how is How.RST
    assert (played.poll().status, played.resume().status) == (404, 404)


def answer_lost_before_headers(played: Played) -> None:
    """No byte of the answer, and the interaction exists."""
    made = played.meet()
    assert (made.ending.how, made.ending.at) == (How.FIN, At.BEFORE_HEADERS)
    assert len(played.emulator.requests) == 1


def poll_hangs_without_timeout(played: Played) -> None:
    """The first GET answers, the second never does."""
    played.meet()
    assert played.poll().status == 200
    hung = played.poll()
    assert (hung.ending.how, hung.ending.at) == (How.TIMEOUT, At.BEFORE_HEADERS)


def poll_stalls_in_the_body(played: Played) -> None:
    """Some bytes of the body, then nothing."""
    played.meet()
    hung = played.poll()
    assert (len(hung.body), hung.ending.how) == (40, How.TIMEOUT)


def ends_as(status: str, before: str = "in_progress") -> Callable[[Played], None]:
    """GET shows a running status at least three times, then the final one for ever."""

    def judge(played: Played) -> None:
        played.meet()
        seen = [json.loads(played.poll().body)["status"] for _ in range(12)]
        assert seen[:3] == [before] * 3
        assert seen[-2:] == [status] * 2

    return judge


def get_stream_false_400_flapping(played: Played) -> None:
    """One good GET, then 400 INVALID_ARGUMENT in the front end's shape for a while, then good again."""
    played.meet()
    polls = [played.poll() for _ in range(5)]
    assert [poll.status for poll in polls] == [200, 400, 400, 400, 200]
    error = json.loads(polls[1].body)["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["message"].startswith(
        'Invalid JSON payload received. Unknown name "stream": Cannot bind query parameter.'
    )


def sdk_retries_501(played: Played) -> None:
    """DELETE 501, again and again; the interaction is still there."""
    played.meet()
    assert [played.delete().status for _ in range(3)] == [501] * 3
    assert played.poll().status == 200


def cancel_method_not_found(played: Played) -> None:
    """A list with one error, byte for byte; the run goes on."""
    played.meet()
    refused = played.cancel()
    assert refused.status == 404
    assert refused.body == b'[{"error":{"code":404,"message":"Method not found.","status":"NOT_FOUND"}}]'
    assert played.status() == "in_progress"


def delete_does_not_cancel(played: Played) -> None:
    """DELETE removes the record; the run is not cancelled."""
    played.meet()
    run = played.emulator.sessions.default.find(played.id, "default")
    assert played.delete().status == 200
    assert played.poll().status == 404
    assert run is not None
    assert run.status == "in_progress"


def idle_limit_kills_thinking(played: Played) -> None:
    """194 s without a byte, then the rest."""
    made = played.meet()
    assert not is_cut(made)
    assert played.now == pytest.approx(194, abs=1)


def proxy_cuts_idle_connection(played: Played) -> None:
    """504 with HTML."""
    refused = played.meet()
    assert (refused.status, refused.headers.media_type()) == (504, "text/html")
    assert refused.body.startswith(b"<html>")


def final_event_but_socket_open(played: Played) -> None:
    """The final event, then neither [DONE] nor the end of the connection."""
    made = played.meet()
    assert types_of(made)[-1] == COMPLETED
    assert b"[DONE]" not in made.body
    assert made.ending.how is How.TIMEOUT


def two_loops_one_cursor_wrong(played: Played) -> None:
    """Clean ends after 3, 2 and 3 events; then the rest."""
    streams = [played.meet(), played.resume(), played.resume(), played.resume()]
    assert [len(events_of(stream)) for stream in streams[:3]] == [3, 2, 3]
    assert all(stream.complete for stream in streams)
    assert not is_cut(streams[3])


def resume_refused_as_too_old(played: Played) -> None:
    """Resumes are 400 with the words of the source; GET works."""
    played.meet()
    assert error_of(played.resume())[2] == (
        "This response can no longer be streamed because it is more than 5 minutes old"
    )
    assert played.poll().status == 200


def partial_shown_twice_after_reattach(played: Played) -> None:
    """No ids; a replay begins with event one."""
    first, again = played.meet(), played.resume()
    assert not any("event_id" in event for event in [*events_of(first), *events_of(again)])
    assert types_of(again)[0] == "interaction.created"


def event_ids_sparse_or_none(played: Played) -> None:
    """Some events have an id, most do not."""
    events = events_of(played.meet())
    assert 0 < sum("event_id" in event for event in events) < len(events) / 2


def heartbeat_comment_eats_event(played: Played) -> None:
    """The comment stands directly before the lines of an event, in one frame."""
    made = played.meet()
    assert b": heartbeat\nevent: interaction.created\ndata: " in made.body
    assert not is_cut(made)


def last_frame_without_newline(played: Played) -> None:
    """The last bytes are those of the completion, without any newline."""
    made = played.meet()
    last = made.body.split(b"\n")[-1]
    assert json.loads(last.removeprefix(b"data: "))["event_type"] == COMPLETED
    assert made.complete


def ios_background_drop(played: Played) -> None:
    """Six events, then silence on an open connection; later all is there."""
    made = played.meet()
    assert (len(events_of(made)), made.ending.how) == (6, How.TIMEOUT)
    assert not is_cut(played.resume())


def signature_only_in_delta(played: Played) -> None:
    """start thought, delta thought_signature, stop, start function_call unsigned, arguments_delta."""
    events = events_of(played.meet(stream=True))
    steps = [event["step"] for event in events if event["event_type"] == "step.start"]
    assert [step["type"] for step in steps] == ["thought", "function_call"]
    assert not any(step.get("signature") for step in steps)
    deltas = [event["delta"]["type"] for event in events if event["event_type"] == "step.delta"]
    assert deltas == ["thought_signature", "arguments_delta"]


def unsigned_thought_with_summaries(played: Played) -> None:
    """thought {summary, signature: ""}; sent back unchanged: 400 with the words of the source."""
    steps = json.loads(played.meet().body)["steps"]
    assert (steps[0]["type"], steps[0]["signature"], bool(steps[0]["summary"])) == ("thought", "", True)


def refuses(message: str, *, status: int = 400, code: str = "invalid_request") -> Callable[[Played], None]:
    """The create is refused with the words of the source, however often it is sent."""

    def judge(played: Played) -> None:
        for _ in range(2):
            assert error_of(played.meet()) == (status, code, message)

    return judge


def signature_of_another_issuer_or_edited(played: Played) -> None:
    """The first create works; a stateless turn is refused."""
    assert played.meet().status == 200
    assert "thought signature" in error_of(played.meet())[2]


def function_result_without_name(played: Played) -> None:
    """A function_result with everything but its name: 400."""
    played.meet()
    call = next(step for step in json.loads(played.poll().body)["steps"] if step["type"] == "function_call")
    result = {"type": "function_result", "call_id": call["id"], "result": "sun"}
    assert played.turn(input=[result], tools=[TOOL]).status == 400
    assert played.turn(input=[{**result, "name": "get_weather"}], tools=[TOOL]).status == 200


def empty_text_block(played: Played) -> None:
    """400 for an empty text; the same with a word passes."""
    assert played.meet().status == 400
    assert played.meet(input="word").status == 200


def id_not_on_deltas(played: Played) -> None:
    """interaction.id on created and completed, interaction_id on status_update, nothing on deltas."""
    for event in events_of(played.meet()):
        kind = event["event_type"]
        assert ("interaction" in event) == (kind in (OPENING[0], COMPLETED))
        assert ("interaction_id" in event) == (kind == OPENING[1])
        assert "id" not in event


def quota_429_wait_in_body(played: Played) -> None:
    """429 without Retry-After; the wait in a sentence and in RetryInfo, with nine decimals."""
    refused = played.meet()
    assert refused.status == 429
    assert "retry-after" not in refused.headers
    error = json.loads(refused.body)["error"]
    assert (error["code"], error["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert error["message"].startswith("You exceeded your current quota")
    assert error["message"].endswith("Please retry in 58.934310785s.")
    assert error["details"][0]["@type"].endswith("RetryInfo")
    assert error["details"][0]["retryDelay"] == "58.934310785s"
    assert played.meet().status == 200


def blocked_output_with_sentence_code(played: Played) -> None:
    """The code and the message are the sentences of the source."""
    status, code, message = error_of(played.meet())
    assert status == 400
    assert str(code).startswith("The model output could not be generated. This output contains sensitive words")
    assert message == (
        "Request blocked due to safety violations (harmful content). Please modify your input and retry."
    )


def completed_without_usage(played: Played) -> None:
    """interaction.completed lacks usage; GET has it."""
    assert "usage" not in events_of(played.meet())[-1]["interaction"]
    assert json.loads(played.poll().body)["usage"]["total_tokens"] > 0


def function_call_in_completed_run(played: Played) -> None:
    """completed, and a function_call among the steps, with its result."""
    played.meet()
    body = json.loads(played.poll().body)
    for _ in range(5):
        body = json.loads(played.poll().body)
    kinds = [step["type"] for step in body["steps"]]
    assert body["status"] == "completed"
    assert kinds[-3:] == ["function_call", "function_result", "model_output"]


def last_step_is_not_the_answer(played: Played) -> None:
    """Two outputs, and a search after the last one."""
    kinds = [event["step"]["type"] for event in events_of(played.meet()) if event["event_type"] == "step.start"]
    assert kinds == ["model_output", "thought", "model_output", "google_search_call", "google_search_result"]


def arguments_in_fragments(played: Played) -> None:
    """step.start says arguments {}; then fragments, none of them JSON by itself."""
    events = events_of(played.meet())
    (start,) = [event["step"] for event in events if event["event_type"] == "step.start"]
    assert start["arguments"] == {}
    parts = [event["delta"]["arguments"] for event in events if event["event_type"] == "step.delta"]
    assert len(parts) > 10
    assert json.loads("".join(parts))["place"] == "under the roof"


def unknown_type_kills_stream(played: Played) -> None:
    """Events of an unknown type, and the step provision_sandbox."""
    events = events_of(played.meet())
    assert any(event.get("event_type") == "harness.unknown" for event in events)
    assert any(event.get("step", {}).get("type") == "provision_sandbox" for event in events)


def chunk_too_big(played: Played) -> None:
    """One line of more than 128 KiB."""
    assert max(map(len, played.meet().body.split(b"\n"))) > 128 * 1024


def odd_byte_audio_split(played: Played) -> None:
    """Deltas of audio with an odd number of bytes."""
    deltas = [event["delta"] for event in events_of(played.meet()) if event["event_type"] == "step.delta"]
    assert {delta["mime_type"] for delta in deltas} == {"audio/l16; rate=24000; channels=1"}
    sizes = [len(base64.b64decode(delta["data"])) for delta in deltas]
    assert sizes[0] % 2 == 1
    assert sum(sizes) % 2 == 0


def omni_has_no_stream(played: Played) -> None:
    """A streamed create is refused, a unary one is not."""
    assert error_of(played.meet()) == (400, "invalid_request", "Omni does not support streaming.")
    assert played.meet(stream=False).status == 200


def wrong_environment_form_new_sandbox(played: Played) -> None:
    """The answer names an environment that nobody asked for."""
    body = json.loads(played.meet(environment="remote").body)
    assert body["environment_id"] == "fc155701-ea68-4846-973f-f2943e35cdde"


def environment_still_being_made(played: Played) -> None:
    """Two messages, then it works."""
    assert error_of(played.meet())[2] == "Resource setup has just started."
    assert error_of(played.meet())[2] == "Provisioning is in progress"
    assert played.meet().status == 200


# What incidents have in common; every other one has a function of its name.

JUDGES: dict[str, Callable[[Played], None]] = {
    "error-event-then-end": overload_event("gemini-3.7-flash", "invalid_request"),
    "error-event-service-unavailable": overload_event("gemma-4-31b-it", "service_unavailable"),
    "failed-polled-forever": ends_as("failed"),
    "cancelled-polled-forever": ends_as("cancelled"),
    "queued-taken-for-final": ends_as("completed", "queued"),
    "built-in-plus-function-400": refuses(
        "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with Function "
        "calling."
    ),
    "empty-required-array-400": refuses("Request contains an invalid argument."),
    "legacy-schema-switched-off": refuses(
        "The legacy Interactions API schema is no longer supported. Please upgrade your client SDK."
    ),
    "model-suddenly-demands-a-tool": refuses("This model requires the use of the Computer Use tool."),
}


@in_one_test(name=load_incidents())
def test_it_plays_what_its_source_describes(name: str) -> None:
    judge = JUDGES.get(name) or globals().get(name.replace("-", "_"))
    assert judge is not None, "write a function of its name that compares what it plays with its source"
    judge(Played(name))
