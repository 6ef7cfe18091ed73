"""Answers the tasks of `harness torture --loop`: one line of JSON in, one line out."""

import json
import ssl
import sys
from collections.abc import Callable
from typing import Any

SECONDS = 4.0
"""How long a connection may be silent, for clients that can be told so."""

CREATE = {"model": "gemini-3.8-flash", "input": "Go."}
LOOK = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
SETTLED = {"completed", "failed", "cancelled", "incomplete", "budget_exceeded", "requires_action"}


NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For a client that would read the certificates of the system for each task, though it is sent to a plain URL."""


class Failed(Exception):
    """The client said that something went wrong."""


def answer_tasks(read: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Answer each task with what `read` returns, or with the error that it raises."""
    for line in sys.stdin:
        task = json.loads(line)
        try:
            answer = read(task)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
        print(json.dumps({"case": task["case"], **answer}), flush=True)


ON_VERTEX = "vertex" in sys.argv[1:]
"""Whether the client uses Vertex."""


def genai_access() -> dict[str, Any]:
    """The access of google-genai: a key for the Gemini API; a project and a token for Vertex."""
    if not ON_VERTEX:
        return {"api_key": "any"}
    from google.oauth2.credentials import Credentials

    place = {"vertexai": True, "project": "any", "location": "global"}
    return {**place, "credentials": Credentials(token="any")}


def genai_options(task: dict[str, Any]) -> dict[str, Any]:
    """The `http_options` of google-genai for a task."""
    return {
        "base_url": task["base_url"],
        "timeout": int(SECONDS * 1000),
        "client_args": {"verify": NO_TLS},
        "async_client_args": {"verify": NO_TLS, "ssl": NO_TLS},
    }


def event_of(event: Any) -> dict[str, Any]:
    """What an event of the stream adds: an `id`, a `text`, a `call`, a final `status`. Raises Failed."""
    if event.event_type == "error":
        raise Failed(f"error event: {getattr(event, 'error', None)}")
    if event.event_type == "interaction.created":
        return {"id": event.interaction.id}
    if event.event_type == "step.start" and event.step.type == "function_call":
        return {"call": {"call_id": event.step.id, "name": event.step.name}}
    if event.event_type == "step.delta" and getattr(event.delta, "type", "") == "text":
        return {"text": event.delta.text}
    if event.event_type == "interaction.completed":
        return {"status": str(event.interaction.status)}
    return {}


def parts_of(identity: str, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a whole interaction adds: its `id`, and a `call` for each function that its steps call."""
    calls = [step for step in steps if step["type"] == "function_call"]
    return [{"id": identity}, *({"call": {"call_id": call["id"], "name": call["name"]}} for call in calls)]


def further_of(parts: list[dict[str, Any]], task: dict[str, Any]) -> dict[str, Any]:
    """The create of the turn after the one that was read: the results of its calls, or further words.

    Empty if there is nothing more to do: no function was called.
    """
    found = next((part["id"] for part in parts if "id" in part), None)
    if task["mode"] == "chain":
        return {**CREATE, "input": "Go on.", "previous_interaction_id": found}
    calls = [part["call"] for part in parts if "call" in part]
    results = [{"type": "function_result", **call, "result": {"found": 1}} for call in calls]
    return {**CREATE, "input": results, "tools": [LOOK], "previous_interaction_id": found} if results else {}


def go_on(
    read: Callable[[dict[str, Any]], dict[str, Any]], further: dict[str, Any], steps: list[dict[str, Any]]
) -> dict[str, Any]:
    """What `read` makes of the further turn; of all that was said, if the turn that made `steps` is forgotten."""
    try:
        return read(further)
    except Exception as refused:
        if getattr(refused, "status", None) not in (400, 404):
            raise
        print(f"{refused}: the conversation is sent again", file=sys.stderr)
    more = further["input"] if isinstance(further["input"], list) else user_says(further["input"])
    answered = [step for step in steps if step["type"] != "user_input"]
    whole = {**further, "input": [*user_says(CREATE["input"]), *answered, *more]}
    del whole["previous_interaction_id"]
    return read(whole)


def user_says(text: str) -> list[dict[str, Any]]:
    """What the user says, as steps."""
    return [{"type": "user_input", "content": [{"type": "text", "text": text}]}]


def answer_of(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The answer of a client that has read these parts to the end of its iterator."""
    statuses = [part["status"] for part in parts if "status" in part]
    text = "".join(part.get("text", "") for part in parts)
    return {"text": text, **({"status": statuses[-1]} if statuses else {})}
