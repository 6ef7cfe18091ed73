"""Incidents in tests: the fixture plays them, judges the outcome, and notices tests that never met one."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from harness.outcome import UsageFault
from harness.plugin import client
from harness.plugin.interactions.emulator import InteractionsEmulator
from harness.plugin.interactions.incidents import PlayedIncident

CLEAN_END = "clean-end-mistaken-for-end"


def played(name: str) -> PlayedIncident:
    """An incident on an emulator of its own."""
    return PlayedIncident(InteractionsEmulator(), name)


def read(incident: PlayedIncident) -> str:
    """What a client ends up with that takes the end of a stream for the end of the run."""
    import httpx

    headers = {"x-goog-api-key": "k"}
    with httpx.Client(transport=incident.emulator.transport, base_url="http://a.test", headers=headers) as client:
        return client.post("/v1beta/interactions", json=incident.fields).text


def test_the_right_outcome_passes() -> None:
    """The whole text is right where the incident can be survived."""
    incident = played(CLEAN_END)
    read(incident)
    incident.assert_outcome(incident.answer)


WRONG = {
    "half a text": (CLEAN_END, "All of", "lacks the end, ' the answer, in several pieces, to its last word.'"),
    "another text": (CLEAN_END, "Something else.", "the client returned 'Something else.'"),
    "an error that need not be": (CLEAN_END, ValueError("x"), "can be survived, but the client raised ValueError"),
    "silence": ("bare-json-refusal-in-stream", "", "must be reported, but the client ended normally"),
    "a wrong status": ("error-event-then-end", "completed", "ended failed, and the client reports completed"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_outcome_fails(case: str) -> None:
    """Half a text, a needless error, silence and a wrong status fail, with what a good client does."""
    name, result, told = WRONG[case]
    incident = played(name)
    read(incident)
    with pytest.raises(AssertionError, match=told) as caught:
        incident.assert_outcome(result)
    assert "a good client" in str(caught.value)
    assert "its calls: create" in str(caught.value)


def test_a_second_create_fails() -> None:
    """A client that creates twice has paid twice, even if its text is right."""
    incident = played(CLEAN_END)
    read(incident)
    read(incident)
    with pytest.raises(AssertionError, match="created it twice"):
        incident.assert_outcome(incident.answer)


def test_an_incident_that_was_never_met_fails() -> None:
    """A test that sends nothing, or not what meets the incident, has tested nothing."""
    incident = played(CLEAN_END)
    with pytest.raises(AssertionError, match="sent nothing"):
        incident.assert_outcome(incident.answer)
    incident.emulator.limit_requests(10)
    import httpx

    headers = {"x-goog-api-key": "k"}
    with httpx.Client(transport=incident.emulator.transport, base_url="http://a.test", headers=headers) as client:
        client.post("/v1beta/interactions", json={"model": "gemini-3.8-flash", "input": "x"})
    with pytest.raises(
        AssertionError, match="it did not happen: to meet it, a client must create an interaction with backgr"
    ):
        incident.assert_outcome(incident.answer)


def follow(client: Any, fields: dict[str, Any]) -> str:
    """A loop that takes up its stream after the last event with an id, as often as it takes."""
    made, cursor, kept = client.interactions.create(**{**fields, "stream": False}).id, None, ""
    for _ in range(20):
        text, more = kept, {"last_event_id": cursor} if cursor else {}
        with suppress(Exception):
            for event in client.interactions.get(made, stream=True, **more):
                if event.event_type == "step.delta" and event.delta.type == "text":
                    text += event.delta.text
                if event.event_type == "interaction.completed":
                    return text
                if event.event_id:
                    cursor, kept = event.event_id, text
    raise AssertionError("it never ended")


def test_a_loop_survives_ten_minutes() -> None:
    """The cut after ten minutes is met by the SDK's client as it comes, and survived by a loop that resumes."""
    pytest.importorskip("google.genai")
    incident = played("stream-cut-at-600s")
    with client(incident.emulator) as made:
        incident.assert_outcome(follow(made, incident.fields))
    assert incident.emulator.clock.now > 840


def test_an_unknown_name() -> None:
    """An unknown incident is refused, with a proposal."""
    with pytest.raises(UsageFault, match="did you mean"):
        played("clean-end-mistaken-for-ends")
