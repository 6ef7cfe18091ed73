"""An assistant: it chats, runs jobs in the background, reads streams, calls tools, and works with an agent."""

from __future__ import annotations

import time
from typing import Any

MODEL = "gemini-3.8-flash"
AGENT = "antigravity-preview-09-2026"
RUNNING = ("queued", "in_progress")
MANNERS = "Be brief and polite."
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


# Chat


class Chat:
    """A conversation that the service remembers."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._last: str | None = None

    def say(self, text: str) -> str:
        """One turn; the instruction is not inherited, so it is sent with each."""
        answer = self._client.interactions.create(
            model=MODEL,
            input=text,
            system_instruction=MANNERS,
            **({"previous_interaction_id": self._last} if self._last else {}),
        )
        self._last = answer.id
        return str(answer.output_text)


# Background jobs


class JobFailed(Exception):
    """A job ended without a result."""

    def __init__(self, status: str) -> None:
        super().__init__(f"the job ended as {status}")
        self.status = status


def start_job(client: Any, prompt: str) -> str:
    """Start a job; the id is all one has to keep."""
    run = client.interactions.create(model=MODEL, input=prompt, background=True)
    return str(run.id)


def wait_for_job(client: Any, job: str, *, most: float = 600) -> Any:
    """Poll until the job has ended; it may be unknown for a moment after its start."""
    deadline = time.monotonic() + most
    seen = False
    while time.monotonic() < deadline:
        try:
            found = client.interactions.get(job)
        except Exception as error:
            if getattr(error, "status_code", None) != 404:
                raise
            if seen:
                return "deleted"
            time.sleep(5)
            continue
        seen = True
        if found.status not in RUNNING:
            return found
        time.sleep(5)
    raise TimeoutError(f"the job {job} is still running after {most:g} s")


def result_of_job(client: Any, job: str) -> str:
    """The text of a job that completed, even if it was cut off at a limit."""
    found = wait_for_job(client, job)
    if found == "deleted":
        raise JobFailed("deleted")
    if found.status not in ("completed", "incomplete"):
        raise JobFailed(found.status)
    return str(found.output_text)


def cancel_job(client: Any, job: str) -> Any:
    """Cancel a job and wait until it is over; the cancel takes effect late."""
    client.interactions.cancel(job)
    return wait_for_job(client, job)


# Streams


def read_stream(client: Any, interaction_id: str, *, attempts: int = 8) -> str:
    """The text of a stream, whole, through drops."""
    cursor: str | None = None
    text: list[str] = []
    sure = 0  # how much of the text came before the cursor; the rest comes again
    seen: set[str] = set()
    for attempt in range(attempts):
        options = {"last_event_id": cursor} if cursor else {}
        del text[sure:]
        try:
            for event in client.interactions.get(interaction_id, stream=True, **options):
                known = getattr(event, "event_id", None)
                if known in seen:
                    continue
                if event.event_type == "step.delta" and event.delta.type == "text":
                    text.append(event.delta.text)
                if known:
                    seen.add(known)
                    cursor, sure = known, len(text)
                if event.event_type == "interaction.completed":
                    return "".join(text)
        except Exception:
            pass
        time.sleep(min(2**attempt, 30))
    raise TimeoutError("the stream did not end")


# Tools


def look_up_weather(city: str) -> str:
    """What the function of the model does."""
    return f"Sunny in {city}."


def ask_with_tools(client: Any, text: str, *, rounds: int = 5) -> str:
    """Answer with the help of functions; tools are not inherited, so they are sent with each round."""
    answer = client.interactions.create(model=MODEL, input=text, tools=[WEATHER])
    for _ in range(rounds):
        if answer.status != "requires_action":
            return str(answer.output_text)
        calls = [step for step in answer.steps if step.type == "function_call"]
        results = [
            {
                "type": "function_result",
                "call_id": call.id,
                "name": call.name,
                "result": look_up_weather(**call.arguments),
            }
            for call in calls
        ]
        answer = client.interactions.create(
            model=MODEL,
            input=results,
            tools=[WEATHER],
            previous_interaction_id=answer.id,
        )
    raise RuntimeError(f"no answer after {rounds} rounds of tools")


# An agent


class Workshop:
    """An agent with a sandbox that lives on from turn to turn."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._last: Any = None

    def work(self, task: str) -> str:
        """One task, in the sandbox of the tasks before."""
        before = (
            {"previous_interaction_id": self._last.id, "environment": self._last.environment_id}
            if self._last
            else {"environment": "remote"}
        )
        begun = self._client.interactions.create(agent=AGENT, input=task, background=True, **before)
        self._last = wait_for_job(self._client, begun.id)
        return str(self._last.output_text)


# A webhook


def start_reporting_job(client: Any, prompt: str, address: str) -> str:
    """Start a job that calls `address` when it is over; only background runs do."""
    run = client.interactions.create(
        model=MODEL, input=prompt, background=True, webhook_config={"uris": [address]}
    )
    return str(run.id)


def handle_webhook(client: Any, event: dict[str, Any]) -> str:
    """The result of the job that an event is about; the event itself is no proof of anything."""
    return result_of_job(client, str(event["data"]["id"]))
