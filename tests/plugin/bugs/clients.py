"""Small clients over httpx: a good one, and broken variants, each with one bug that occurs in practice.

A streaming client takes (client, interaction id) and returns its final text; a waiting client returns the
interaction; a chaining client continues from an interaction.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from harness.resume import follow

PATH = "/v1beta/interactions"
MODEL = "gemini-3.8-flash"
Event = dict[str, Any]


def lines(response: httpx.Response) -> Iterator[Event]:
    """The events of a stream, line by line."""
    for line in response.iter_lines():
        if line.startswith("data: ") and line != "data: [DONE]":
            yield json.loads(line.removeprefix("data: "))


def piece(event: Event) -> str:
    """The text in an event."""
    delta = event.get("delta", {})
    return str(delta["text"]) if delta.get("type") == "text" else ""


def is_end(event: Event) -> bool:
    """Whether this is the completion."""
    return bool(event.get("event_type") == "interaction.completed")


# Streaming


def good(client: httpx.Client, interaction_id: str) -> str:
    """The helper that docs/resume.md teaches."""
    stream = follow(client, interaction_id)
    for _ in stream:
        pass
    return str(stream.text)


def resuming(
    client: httpx.Client,
    interaction_id: str,
    *,
    cursor_of: Callable[[Event, str | None], str | None],
    attempts: int = 10,
    delay: float = 1.0,
    clean_end_is_the_end: bool = False,
    every_event_anew: bool = True,
    asking: Callable[[str | None], dict[str, Any]] = lambda cursor: {"params": asked(cursor)},
) -> str:
    """A reconnect loop whose decisions are parameters."""
    cursor, text, seen = None, "", set[str]()
    for _ in range(attempts):
        try:
            with client.stream("GET", f"{PATH}/{interaction_id}", **asking(cursor)) as response:
                response.read() if response.status_code >= 400 else None
                response.raise_for_status()
                for event in lines(response):
                    again = event.get("event_id") in seen and not every_event_anew
                    seen.add(event.get("event_id", ""))
                    cursor = cursor_of(event, cursor)
                    text += "" if again else piece(event)
                    if is_end(event):
                        return text
            if clean_end_is_the_end:
                return text
        except (httpx.HTTPError, ValueError):
            pass
        time.sleep(delay)
    return text


def asked(cursor: str | None, name: str = "last_event_id") -> dict[str, str]:
    """The query for a stream."""
    return {"stream": "true"} | ({name: cursor} if cursor else {})


def last_id(event: Event, cursor: str | None) -> str | None:
    """The right cursor: the last id of an event that is not an error event."""
    return cursor if event["event_type"] == "error" else event.get("event_id", cursor)


def ignores_the_drop(client: httpx.Client, interaction_id: str) -> str:
    """Takes what came before the connection died."""
    text = ""
    try:
        with client.stream("GET", f"{PATH}/{interaction_id}?stream=true") as response:
            for event in lines(response):
                text += piece(event)
    except httpx.HTTPError:
        pass
    return text


def loop(name: str, **decisions: Any) -> Callable[[httpx.Client, str], str]:
    """A reconnect loop that decides so, by its name."""

    def read(client: httpx.Client, interaction_id: str) -> str:
        return resuming(client, interaction_id, **{"cursor_of": last_id, **decisions})

    read.__name__ = name
    return read


takes_a_clean_end_for_completion = loop("clean end", clean_end_is_the_end=True)
resumes_from_the_last_seen_event = loop(
    "cursor of an event without id",
    cursor_of=lambda event, _: str(event.get("event_id") or event.get("index") or 0),
)
forgets_the_cursor_without_an_id = loop("forgets its cursor", cursor_of=lambda event, _: event.get("event_id"))
doubles_on_inclusive_resume = loop("keeps all events of a resumed stream")
doubles_without_ids = loop("no cursor", cursor_of=lambda event, cursor: None)
poisons_its_cursor = loop("id of an error", cursor_of=lambda event, cursor: event.get("event_id", cursor))
sends_its_cursor_in_a_header = loop(
    "cursor in a header",  # as browsers send it for other event streams
    asking=lambda cursor: {"params": asked(None), "headers": {"last-event-id": cursor} if cursor else {}},
)
misnames_its_cursor = loop("misnames it", asking=lambda cursor: {"params": asked(cursor, "lastEventId")})
resumes_without_streaming = loop(
    "no stream", asking=lambda cursor: {"params": {"last_event_id": cursor} if cursor else asked(None)}
)
retries_for_ever = loop("no limit", attempts=10**9, delay=0.0)
retries_without_delay = loop("no delay", delay=0.0)


def asks_nothing(client: httpx.Client, interaction_id: str) -> str:
    """Sends no request, as if it talked to another server."""
    return ""


def only_polls_once(client: httpx.Client, interaction_id: str) -> str:
    """Neither asks for the stream nor waits for the end."""
    client.get(f"{PATH}/{interaction_id}")
    return ""


def loses_the_last_delta(client: httpx.Client, interaction_id: str) -> str:
    """Moves the cursor before it has used the event, and loses an event during which it fails."""
    cursor, text, pending = None, "", ""
    for _ in range(10):
        try:
            query = {"stream": "true"} | ({"last_event_id": cursor} if cursor else {})
            with client.stream("GET", f"{PATH}/{interaction_id}", params=query) as response:
                for event in lines(response):
                    text, pending = text + pending, piece(event)
                    cursor = last_id(event, cursor)
                    if is_end(event):
                        return text
        except httpx.HTTPError:
            pending = ""
    return text


def skips_broken_events(client: httpx.Client, interaction_id: str) -> str:
    """Ignores half an event and reads on after it."""
    cursor, text = None, ""
    for _ in range(10):
        query = {"stream": "true"} | ({"last_event_id": cursor} if cursor else {})
        try:
            with client.stream("GET", f"{PATH}/{interaction_id}", params=query) as response:
                for line in response.iter_lines():
                    name, _, data = line.partition(": ")
                    if name == "data" and data != "[DONE]":
                        event = json.loads(data)
                        cursor, text = last_id(event, cursor), text + piece(event)
                        if is_end(event):
                            return text
        except (httpx.HTTPError, ValueError):
            client.get(f"{PATH}/{interaction_id}")
            return text
    return text


def creates_after_a_drop(client: httpx.Client, interaction_id: str) -> str:
    """Reads the stream of its id, and begins a new interaction when that drops."""
    try:
        with client.stream("GET", f"{PATH}/{interaction_id}?stream=true") as response:
            return "".join(map(piece, lines(response)))
    except httpx.HTTPError:
        return posts_create_again(client, interaction_id)


def posts_create_again(client: httpx.Client, interaction_id: str) -> str:
    """Begins a new interaction although the old one could be resumed."""
    for _ in range(5):
        text = ""
        try:
            body = {"model": MODEL, "input": "Go.", "stream": True, "background": True}
            with client.stream("POST", PATH, json=body) as response:
                for event in lines(response):
                    text += piece(event)
                    if is_end(event):
                        return text
        except httpx.HTTPError:
            continue
    return text


# Waiting


def waiting(
    client: httpx.Client, interaction_id: str, goes_on: Callable[[str], bool], *, delay: float = 5.0
) -> Event:
    """Polls while `goes_on(status)`."""
    while True:
        answer = client.get(f"{PATH}/{interaction_id}")
        answer.raise_for_status()
        interaction: Event = answer.json()
        if not goes_on(interaction["status"]):
            return interaction
        time.sleep(delay)


def waits_well(client: httpx.Client, interaction_id: str) -> Event:
    """Polls while it is queued or in progress."""
    return waiting(client, interaction_id, lambda status: status in ("queued", "in_progress"))


def tolerates_404(client: httpx.Client, interaction_id: str) -> Event:
    """Polls on for a while if an interaction cannot be found right after its create."""
    for _ in range(5):
        if client.get(f"{PATH}/{interaction_id}").status_code != 404:
            break
        time.sleep(1)
    return waits_well(client, interaction_id)


def believes_its_first_404(client: httpx.Client, interaction_id: str) -> Event | str:
    """Takes every 404 for a deleted interaction."""
    found = client.get(f"{PATH}/{interaction_id}")
    return "deleted" if found.status_code == 404 else waits_well(client, interaction_id)


def takes_queued_for_an_end(client: httpx.Client, interaction_id: str) -> Event:
    """The loop of the documentation page."""
    return waiting(client, interaction_id, lambda status: status == "in_progress")


def polls_until_completed(client: httpx.Client, interaction_id: str) -> Event:
    """Never learns that a run may fail."""
    return waiting(client, interaction_id, lambda status: status != "completed")


def believes_its_own_cancel(client: httpx.Client, interaction_id: str) -> str:
    """Polls once and returns that status, even if it is not final."""
    return str(client.get(f"{PATH}/{interaction_id}").json()["status"])


def calls_incomplete_a_failure(client: httpx.Client, interaction_id: str) -> str:
    """Knows only two final statuses."""
    status = waits_well(client, interaction_id)["status"]
    return "completed" if status == "completed" else "failed"


def answers(client: httpx.Client, interaction_id: str, tools: list[Event], **changes: Any) -> Event:
    """Waits, sends a result for every pending call, and waits for the next interaction."""
    asked = waits_well(client, interaction_id)
    calls = [step for step in asked["steps"] if step["type"] == "function_call"]
    results = [
        {"type": "function_result", "call_id": c["id"], "name": c["name"], "result": "sunny"} for c in calls
    ]
    body = {"model": MODEL, "input": results, "tools": tools, "previous_interaction_id": interaction_id} | changes
    answer = client.post(PATH, json={name: value for name, value in body.items() if value is not None})
    return dict(answer.json())


def continues(client: httpx.Client, interaction_id: str, **changes: Any) -> Event:
    """Waits, and continues with the token."""
    first = waits_well(client, interaction_id)
    token = first.get("continuation_token")
    body = {"model": MODEL, "continuation_token": token, "previous_interaction_id": interaction_id} | changes
    answer = client.post(PATH, json={name: value for name, value in body.items() if value is not None})
    return dict(answer.json())


# Chaining


def chains(client: httpx.Client, interaction_id: str, **changes: Any) -> Event:
    """Add one more turn."""
    body = {"model": MODEL, "input": "And then?", "previous_interaction_id": interaction_id} | changes
    answer = client.post(PATH, json={name: value for name, value in body.items() if value is not None})
    return dict(answer.json())


def stateless(client: httpx.Client, steps: list[Event], *, keep_signatures: bool) -> Event:
    """Sends the conversation back instead of an id."""
    kept = [{n: v for n, v in step.items() if keep_signatures or n != "signature"} for step in steps]
    given = [*kept, {"type": "user_input", "content": [{"type": "text", "text": "And then?"}]}]
    return dict(client.post(PATH, json={"model": MODEL, "store": False, "input": given}).json())
