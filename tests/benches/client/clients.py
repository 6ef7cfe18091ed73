"""Good and bad clients for the tests of `torture`, in this process and as programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpx

from harness.benches.client.client_commands import ClientResult, Task
from harness.resume import follow

Reads = Callable[[httpx.Client, str], Any]


class InProcess:
    """A client that is a function; an exception from it means that it gave up."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    def read(self, task: Task, seconds: float, start: float = 0.0) -> ClientResult:
        """Call the function."""
        about = {"base_url": task.base_url, "timeout": seconds, "verify": False}  # it needs no certificates
        with httpx.Client(headers={"x-goog-api-key": "key"}, **about) as client:
            try:
                found = self._reads(client, task.interaction)
                return found if isinstance(found, ClientResult) else ClientResult(collected=found)
            except httpx.ReadTimeout:
                return ClientResult(stopped=f"had not ended after {seconds} s", seconds=seconds)
            except Exception as error:
                return ClientResult(error=type(error).__name__)

    def stop(self) -> None:
        """Do nothing, because a function ends by itself."""

    close = stop


def good(client: httpx.Client, interaction: str) -> str:
    """Follows the interaction with the resume helper, and returns the text."""
    stream = follow(client, interaction, sleep=lambda _: None)
    for _ in stream:
        pass
    return stream.text


def good_events(client: httpx.Client, interaction: str) -> list[Any]:
    """Follows the interaction with the resume helper, and returns the events."""
    return list(follow(client, interaction, sleep=lambda _: None))


def creates_its_own(client: httpx.Client, interaction: str) -> str:
    """Ignores the given interaction and creates one of its own."""
    create = {"model": "gemini-3.8-flash", "input": "Mine.", "background": True}
    stream = follow(client, create=create, sleep=lambda _: None)
    for _ in stream:
        pass
    return stream.text


def never_back(client: httpx.Client, interaction: str) -> str:
    """Reads one connection, and takes any end of it for the end of the interaction."""
    text = ""
    try:
        for event in _events(client, f"/v1beta/interactions/{interaction}?stream=true"):
            text += text_of(event)
    except (httpx.ReadError, httpx.RemoteProtocolError):
        pass
    return text


def honest(client: httpx.Client, interaction: str) -> str:
    """Reads one connection, and raises if the stream was incomplete."""
    text, done = "", False
    for event in _events(client, f"/v1beta/interactions/{interaction}?stream=true"):
        text += text_of(event)
        done = done or event["event_type"] == "interaction.completed"
    if not done:
        raise EOFError
    return text


def doubles(client: httpx.Client, interaction: str) -> str:
    """Starts again from the beginning after a drop, and keeps what it had."""
    text = ""
    for _ in range(5):
        try:
            for event in _events(client, f"/v1beta/interactions/{interaction}?stream=true"):
                text += text_of(event)
                if event["event_type"] == "interaction.completed":
                    return text
        except httpx.TransportError:
            pass
    return text


def resumes_unencoded(client: httpx.Client, interaction: str) -> str:
    """Resumes after the last event, with its id in the query as it came."""
    text, after = "", ""
    for _ in range(5):
        try:
            for event in _events(client, f"/v1beta/interactions/{interaction}?stream=true{after}"):
                text += text_of(event)
                after = f"&last_event_id={event['event_id']}"
                if event["event_type"] == "interaction.completed":
                    return text
        except httpx.TransportError:
            pass
    raise EOFError


def for_ever(client: httpx.Client, interaction: str) -> str:
    """Never ends if the first connection did not complete the stream."""
    url = f"/v1beta/interactions/{interaction}?stream=true"
    events = list(_events(client, url))
    while not any(event["event_type"] == "interaction.completed" for event in events):
        if client.get(url).status_code == 400:
            raise RecursionError
    return "".join(map(text_of, events))


def _events(client: httpx.Client, url: str) -> Any:
    with client.stream("GET", url) as answer:
        yield from events_of_lines(answer.iter_lines())


def events_of_lines(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The events in the lines of a stream."""
    for line in lines:
        if line.startswith("data: {"):
            yield json.loads(line[6:])


def text_of(event: dict[str, Any]) -> str:
    """The text that an event adds."""
    delta = event.get("delta") or {}
    return str(delta.get("text", "")) if delta.get("type") == "text" else ""


PROGRAM = """
import json, os, sys, urllib.request

def read(base_url, interaction):
    text, cursor = "", ""
    for attempt in range(5):
        url = f"{base_url}/v1beta/interactions/{interaction}?stream=true" + cursor
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers={"x-goog-api-key": "key"})) as answer:
                for line in answer:
                    if not line.startswith(b"data: {"): continue
                    event = json.loads(line[6:])
                    if event.get("event_id"):
                        cursor = "&last_event_id=" + urllib.parse.quote(event["event_id"], "")
                    delta = event.get("delta") or {}
                    text += delta.get("text", "")
                    if event["event_type"] == "interaction.completed":
                        return text
        except Exception as error:
            print("dropped:", type(error).__name__, file=sys.stderr)
    raise SystemExit("gave up")
"""

ONE_SHOT = (
    PROGRAM
    + """
print(read(os.environ["INTERACTIONS_BASE_URL"], os.environ["INTERACTION_ID"]))
"""
)

LOOP = (
    PROGRAM
    + """
for line in sys.stdin:
    task = json.loads(line)
    print(json.dumps({"text": read(task["base_url"], task["interaction"])}), flush=True)
"""
)


def program(source: str) -> list[str]:
    """The command line of a program, in isolated mode so that it starts fast."""
    return [sys.executable, "-I", "-S", "-c", source]
