"""`harness.resume` ends each incident as well as any client can: with the answer, or with an honest error."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from harness.incidents import Encounter, Incident, load_incidents
from harness.resume import AsyncFollowed, Followed, GaveUp, RetryLimits, follow, follow_async
from harness.transport import transport
from tests.in_one_test import in_one_test
from tests.incidents.played import Played

FOLLOWED = [
    incident
    for incident in load_incidents().values()
    if incident.follow is not None and incident.meet is not Encounter.CANCEL
]
LIMITS = RetryLimits(failures=4, waiting=300)
PATH = "/v1beta/interactions"


def keep(played: Played) -> Any:
    """Make a sleep that moves the logical clock."""

    def sleep(seconds: float) -> None:
        played.emulator.clock.reached(played.now + seconds)

    return sleep


def ended(stream: Followed | AsyncFollowed, error: BaseException | None) -> str:
    """How following ended, in the words of the library."""
    if error is not None:
        return "reports"
    return "survives" if stream.status == "completed" else str(stream.status)


def check(incident: Incident, played: Played, stream: Followed | AsyncFollowed, error: GaveUp | None) -> None:
    """Compare how following ended with what the incident allows at best."""
    outcome = ended(stream, error)
    wanted = "survives" if incident.follow == "completed" else incident.follow
    assert outcome == wanted, error
    if incident.follow == "survives":
        assert stream.text == incident.answer
    creates = [one for one in played.emulator.requests if one["method"] == "POST"]
    refused = incident.name in ("quota-429-wait-in-body", "environment-still-being-made")
    assert refused or len(creates) <= 1


def begin(played: Played) -> dict[str, Any]:
    """What to follow: a create, or for incidents of polls an interaction that somebody created."""
    if played.incident.meet is not Encounter.POLL:
        return {"create": {name: value for name, value in played.incident.fields.items() if name != "stream"}}
    made = played.meet()
    assert made.status == 200
    return {"interaction_id": played.id}


@in_one_test(incident=FOLLOWED)
def test_following(incident: Incident) -> None:
    """The sync helper ends as well as can be."""
    played = Played(incident.name)
    served = transport(played.service, played.emulator.clock)
    with httpx.Client(transport=served, base_url="http://any.test", headers={"x-goog-api-key": "k"}) as client:
        stream = follow(client, **begin(played), patience=LIMITS, sleep=keep(played), path=PATH)
        error = None
        try:
            for _ in stream:
                pass
        except GaveUp as gave_up:
            error = gave_up
    check(incident, played, stream, error)


@in_one_test(incident=FOLLOWED)
def test_following_async(incident: Incident) -> None:
    """The async helper does the same."""
    asyncio.run(_follow_async(incident))


async def _follow_async(incident: Incident) -> None:
    played = Played(incident.name)
    served = transport(played.service, played.emulator.clock)
    move = keep(played)

    async def sleep(seconds: float) -> None:
        move(seconds)

    async with httpx.AsyncClient(
        transport=served, base_url="http://any.test", headers={"x-goog-api-key": "k"}
    ) as client:
        stream = follow_async(client, **begin(played), patience=LIMITS, sleep=sleep, path=PATH)
        error = None
        try:
            async for _ in stream:
                pass
        except GaveUp as gave_up:
            error = gave_up
    check(incident, played, stream, error)


def test_an_error_names_code_and_message() -> None:
    """What the refusal said, in a stream or as a body, is in the error that the user sees."""
    for name, word in {
        "bare-json-refusal-in-stream": "the prompt contains sensitive words",
        "blocked-output-with-sentence-code": "Request blocked due to safety violations",
        "get-403-after-create": "permission",
    }.items():
        played = Played(name)
        served = transport(played.service, played.emulator.clock)
        with httpx.Client(transport=served, base_url="http://a.test", headers={"x-goog-api-key": "k"}) as client:
            stream = follow(client, **begin(played), patience=LIMITS, sleep=keep(played), path=PATH)
            with pytest.raises(GaveUp, match=word):
                list(stream)
