"""Background runs: polls, queues, holds, cancels, deletes, and every status that a run can end in."""

from __future__ import annotations

import gc
import weakref
from itertools import islice

import pytest

from harness.contract.tables.protocol import LIFECYCLE
from harness.contract.transcript import pending_calls
from tests.emulator.client import AGENT, MODEL, Api, read


def statuses(api: Api, found: str, polls: int) -> list[str]:
    """Return the statuses that the next polls show."""
    return [api.status(found) for _ in range(polls)]


POLLS = [
    ({}, "in_progress", ["in_progress", "in_progress", "completed", "completed"]),
    ({"ticks": 0}, "in_progress", ["completed"]),
    ({"ticks": 1}, "in_progress", ["in_progress", "completed"]),
    ({"queued": 1, "ticks": 1}, "queued", ["queued", "in_progress", "completed"]),
    ({"queued": 2, "ticks": 0}, "queued", ["queued", "queued", "completed"]),
    ({"status": "failed", "ticks": 0}, "in_progress", ["failed", "failed"]),
    ({"hold": True}, "in_progress", ["in_progress"] * 6),
    ({"hold": {"after": 500}, "ticks": 0}, "in_progress", ["in_progress"] * 3),
]


@pytest.mark.parametrize(("script", "first", "after"), POLLS, ids=[str(case[0]) for case in POLLS])
def test_polls_show_one_state_after_the_other(api, script, first, after):
    """The create shows the first state and each poll the next one; a settled run stays as it is."""
    api.emulator.script(script)
    body = api.create(background=True).json
    assert body["status"] == first
    assert "steps" not in body
    assert "usage" not in body
    assert statuses(api, body["id"], len(after)) == after


@pytest.mark.parametrize("goal", LIFECYCLE.ends)
@pytest.mark.parametrize("background", [False, True], ids=["foreground", "background"])
def test_every_final_status_can_be_reached(api, goal, background):
    """A script can end a run in any settled status, and JSON, stream and polls all show that status."""
    api.emulator.script({"status": goal, "ticks": 0, "times": 2})
    found = api.created(background=background)
    assert api.status(found) == goal
    stream = api.create(background=background, stream=True).events
    assert stream[-2]["interaction"]["status"] == goal
    body = api.get(found).json
    assert ("errors" in body) == (goal == "failed")
    assert ("continuation_token" in body) == (goal == "requires_continuation")


def test_a_question_is_answered_in_words(api):
    """A run whose output a script fixes may wait for the client without a call."""
    api.emulator.script({"text": "Which city?", "status": "requires_action", "ticks": 0})
    asked = api.created(background=True)
    assert api.status(asked) == "requires_action"
    assert pending_calls(api.get(asked).json["steps"]) == []
    assert api.create("Paris.", previous_interaction_id=asked).json["status"] == "completed"


def test_pulling_does_not_move_a_run(api):
    """Reading a stream does not advance a run: the reader gets the events so far, then a pause."""
    found = api.created(background=True)
    body = api.open(found)
    assert [event["event_type"] for event in read(body, 2)] == ["interaction.created", "interaction.status_update"]
    assert api.status(found) == "in_progress"


def test_hold_stops_running_and_coming_runs(api):
    """hold() stops current and future runs; release() lets them go on."""
    before = api.created(background=True)
    api.emulator.hold()
    after = api.created(background=True)
    assert statuses(api, before, 5) + statuses(api, after, 5) == ["in_progress"] * 10
    assert api.emulator.release() == 2
    assert api.status(api.created(background=True)) == "in_progress"
    assert statuses(api, before, 3)[-1] == "completed"


@pytest.mark.parametrize("store", [True, False])
def test_held_foreground_answers_after_release(api, store):
    """A held foreground create answers once it is released, whether it is stored or not."""
    api.emulator.reply("Late.", hold=True)
    response = api.emulator(api.request("POST", "/v1beta/interactions", {
        "model": "gemini-3.8-flash", "input": "x", "store": store,
    }))  # fmt: skip
    first = next(response.body)
    assert type(first).__name__ == "Pause"
    assert api.emulator.release() == 1
    assert b"Late." in next(response.body).data


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"store": False},
        {"stream": True},
        {"store": False, "stream": True},
        {"background": True, "stream": True},
    ],
    ids=str,
)
def test_a_reset_ends_what_is_held(api, options):
    """Whoever waits for a held answer gets it when the session is reset, because nobody could release it later."""
    api.emulator.reply("Late.", hold=True)
    body = {"model": "gemini-3.8-flash", "input": "x", **options}
    held = api.emulator(api.request("POST", "/v1beta/interactions", body)).body
    assert any(type(piece).__name__ == "Pause" for piece in islice(held, 20))
    api.emulator.reset()
    rest = list(islice(held, 50))
    assert rest[-1].complete
    assert b"completed" in b"".join(piece.data for piece in rest if type(piece).__name__ == "Chunk")


def test_cancel_may_be_seen_late(api):
    """With cancel_lag, the answer to the cancel and the next polls still show the old status."""
    api.emulator.reply(cancel_lag=2)
    found = api.created(background=True)
    assert api.cancel(found).json["status"] == "in_progress"
    assert statuses(api, found, 4) == ["in_progress", "in_progress", "cancelled", "cancelled"]


CUTS = range(2, 13)


@pytest.mark.parametrize("after", CUTS)
def test_cancel_anywhere_leaves_a_whole_stream(api, after):
    """Wherever a run is cancelled, its stream closes every step it began and has the same text as GET."""
    api.emulator.reply("One two three four five six.", hold={"after": after})
    found = api.created(background=True)
    body = api.open(found)
    seen = read(body, after)
    api.cancel(found)
    rest = read(body, 100)
    types = [event if isinstance(event, str) else event["event_type"] for event in (*seen, *rest)]
    assert types.count("step.start") == types.count("step.stop")
    assert types[-2:] == ["interaction.completed", "[DONE]"]
    assert rest[-2]["interaction"]["status"] == "cancelled"
    stored = api.get(found).json
    texts = [
        part["text"] for step in stored["steps"] if step["type"] == "model_output" for part in step["content"]
    ]
    deltas = [event["delta"] for event in (*seen, *rest) if isinstance(event, dict) and "delta" in event]
    assert "".join(texts) == "".join(delta["text"] for delta in deltas if delta["type"] == "text")


def test_cancel_completes_half_a_call(api):
    """A cancel completes a function call whose arguments were still being streamed."""
    step = {"type": "function_call", "id": "c1", "name": "f", "arguments": {"city": "Paris", "days": 3}}
    api.emulator.reply(steps=[step], hold={"after": 4})
    found = api.created(background=True)
    body = api.open(found)
    assert len(read(body, 4)) == 4
    api.cancel(found)
    assert "".join(event["delta"]["arguments"] for event in api.get(found, stream="true").events
                   if isinstance(event, dict) and "delta" in event) == '{"city":"Paris","days":3}'  # fmt: skip
    assert api.get(found).json["steps"][-1] == step


def test_the_oldest_run_is_forgotten():
    """At most max_runs runs are kept; the oldest are forgotten first."""
    api = Api.with_settings(max_runs=3)
    found = [api.created() for _ in range(5)]
    assert [api.get(name).status for name in found] == [404, 404, 200, 200, 200]


def test_stored_runs_are_bounded_by_bytes():
    """Large inputs make the oldest runs go, never the latest, and a later call is told why they are gone."""
    api = Api.with_settings(max_run_bytes=30_000)
    found = [api.created("x" * 12_000) for _ in range(4)]
    assert [api.get(name).status for name in found] == [404, 404, 200, 200]
    assert "max_run_bytes=30000" in api.get(found[0]).json["error"]["message"]
    assert "make room" not in api.get("v1_unknown").json["error"]["message"]
    largest = api.created("x" * 90_000)
    assert [api.get(name).status for name in (*found, largest)] == [404] * 4 + [200]
    for _ in range(5):
        api.call("DELETE", f"interactions/{api.created('x' * 12_000)}")
    assert [api.get(api.created("x" * 12_000)).status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("asked", [{"background": True}, {"stream": True}, {"background": True, "stream": True}])
def test_a_run_that_made_room_is_gone(asked):
    """A forgotten run leaves memory at once: nothing holds it, and it does not wait for the garbage collector."""
    api = Api.with_settings(max_runs=1)
    store = api.emulator.sessions.default.store
    gc.disable()
    try:
        answer = api.emulator(
            api.request("POST", f"{api.root}/interactions", {"model": MODEL, "input": "Hi.", **asked})
        )
        read(answer.body, 3)
        answer.body.close()
        (kept,) = map(weakref.ref, store.all())
        del answer
        api.created()
        assert kept() is None
    finally:
        gc.enable()


def test_pace_follows_the_clock():
    """With `pace`, only the clock advances a run; polls do not."""
    api = Api.with_settings(pace=1.0)
    found = api.created(background=True)
    assert statuses(api, found, 10)[-1] == "in_progress"
    api.emulator.clock.reached(api.emulator.clock.now + 60)
    assert api.status(found) == "completed"


def test_agent_budget_ends_incomplete(api):
    """An agent that exceeds max_total_tokens ends as incomplete."""
    config = {"type": "antigravity", "max_total_tokens": 5}
    body = api.create(agent=AGENT, agent_config=config, environment="remote").json
    assert body["status"] == "incomplete"
