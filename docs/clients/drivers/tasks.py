"""Answers the tasks of `harness torture --loop`: one line of JSON in, one line out."""

import json
import sys
from collections.abc import Callable
from typing import Any

SECONDS = 4.0
"""How long a connection may be silent, for clients that can be told so."""

CREATE = {"model": "gemini-3.5-flash", "input": "Go."}
SETTLED = {"completed", "failed", "cancelled", "incomplete", "budget_exceeded", "requires_action"}


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


def event_of(event: Any) -> dict[str, Any]:
    """What an event of the stream adds: a `text`, a final `status`. Raises Failed for an error event."""
    if event.event_type == "error":
        raise Failed(f"error event: {getattr(event, 'error', None)}")
    if event.event_type == "step.delta" and getattr(event.delta, "type", "") == "text":
        return {"text": event.delta.text}
    if event.event_type == "interaction.completed":
        return {"status": str(event.interaction.status)}
    return {}


def answer_of(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The answer of a client that has read these parts to the end of its iterator."""
    statuses = [part["status"] for part in parts if "status" in part]
    text = "".join(part.get("text", "") for part in parts)
    return {"text": text, **({"status": statuses[-1]} if statuses else {})}
