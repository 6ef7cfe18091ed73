"""Each incident is failed by a client with exactly its mistake, and by no client that resumes and reports."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from harness.benches.client.cases import StreamSource, cases_of_incidents
from harness.benches.client.client_commands import ClientResult
from harness.benches.client.judgement.attempt import ClientAttempt
from harness.benches.client.judgement.case_verdict import CaseVerdict, judge_case
from harness.incidents import load_incidents
from harness.interactions.clients import CLIENTS
from harness.transport import transport
from harness.wire import LogicalClock, Request, Response
from tests.benches.client.cases import new_case

PATH = "/v1beta/interactions"
MODEL = "gemini-3.8-flash"
LOOK = {"type": "function", "name": "look", "parameters": {"type": "object"}}
FINAL = frozenset({"completed", "failed", "cancelled", "incomplete", "requires_action"})
Client = Callable[[httpx.Client, str], Any]


class TooMany(BaseException):
    """The client is stopped."""


def play(name: str, mode: str, client: Client, timeout: float | None = 60.0) -> CaseVerdict:
    """How a client comes out of an incident, in this process."""
    (case,) = cases_of_incidents(CLIENTS, new_case(mode=mode), [name])
    service = CLIENTS.load_client_model().service.new(contract=None, clock=LogicalClock(), seed=0)
    attempt = ClientAttempt(StreamSource(CLIENTS, service, case), case)
    endless: list[bool] = []

    def serve(request: Request) -> Response:
        if len(attempt.received) >= case.most_requests:
            raise TooMany
        return attempt.service(request)

    carrier = transport(serve, service.clock, note_endless=lambda: endless.append(True))
    with httpx.Client(
        transport=carrier, base_url="http://any.test", headers={"x-goog-api-key": "k"}, timeout=timeout
    ) as http:
        try:
            found = client(http, attempt.id)
            ended = found if isinstance(found, ClientResult) else ClientResult(collected=found)
        except TooMany:
            ended, attempt.asked_for_ever = ClientResult(), True
        except Exception as error:
            ended = ClientResult(error=f"{type(error).__name__}: {error}")
    if endless and timeout is None:
        ended = ClientResult(stopped="had not ended after 30 s")
    return judge_case(attempt, ended)


def frames(response: httpx.Response) -> Iterator[dict[str, Any]]:
    """The events of a stream; the last may lack its blank line."""
    if response.status_code != 200:
        response.read()
        response.raise_for_status()
    for line in response.iter_lines():
        if line.startswith("data:") and "[DONE]" not in line:
            yield json.loads(line[5:])


def read(
    http: httpx.Client,
    interaction: str,
    *,
    dropped: str = "resume",
    refused: str = "poll",
    keeps_both: bool = False,
    tries: int = 8,
    wanted: Callable[[dict[str, Any]], bool] = lambda event: True,
    parse: Callable[[httpx.Response], Iterator[dict[str, Any]]] = frames,
    until_closed: bool = False,
) -> Any:
    """A reader that resumes after its last cursor; the options are the mistakes that it may make."""
    text = saved = ""
    cursor: str | None = None
    status = ""
    for _ in range(tries):
        text = text if keeps_both else saved
        asked = {"stream": "true", **({"last_event_id": cursor} if cursor else {})}
        try:
            with http.stream("GET", f"{PATH}/{interaction}", params=asked) as response:
                for event in filter(wanted, parse(response)):
                    delta = event.get("delta") or {}
                    text += delta.get("text", "") if delta.get("type") == "text" else ""
                    if event["event_type"] == "interaction.completed":
                        status = event["interaction"]["status"]
                        if not until_closed:
                            return ClientResult(collected=text, status=status)
                    if event.get("event_id") and event["event_type"] != "error":
                        cursor, saved = event["event_id"], text
        except httpx.HTTPStatusError:
            if refused == "end":
                return ClientResult(collected=text)
            return poll(http, interaction)
        except httpx.HTTPError:
            if until_closed and status:
                raise
        if dropped == "end":
            return ClientResult(collected=text)
        if dropped == "raise":
            raise EOFError("interaction.completed never came")
        if dropped == "create":
            made = http.post(PATH, json={"model": MODEL, "input": "Go.", "background": True}).json()
            return poll(http, made["id"])
    return ClientResult(collected=text) if tries < 8 else poll(http, interaction)


def poll(
    http: httpx.Client, interaction: str, *, ends: Any = FINAL, tries: int = 200, patient: bool = True
) -> Any:
    """A poller that tolerates what passes; the options are the mistakes that it may make."""
    for _ in range(tries):
        try:
            answered = http.get(f"{PATH}/{interaction}")
            answered.raise_for_status()
            found = answered.json()
        except (httpx.HTTPError, ValueError):
            if not patient:
                raise
            continue
        if found["status"] in ends:
            return found
    raise TimeoutError("it never settled")


def create_and_poll(http: httpx.Client, _: str, *, again: bool = False, **options: Any) -> Any:
    """Create in the background, and poll; with `again` a lost or refused create, or run, is created once more."""
    body = {"model": MODEL, "input": "Go.", "background": True}
    for number in range(2):
        try:
            made = http.post(PATH, json=body)
            made.raise_for_status()
            return poll(http, made.json()["id"], **options)
        except (httpx.HTTPError, TimeoutError):
            if number or not again:
                raise
    return None


def hide(http: httpx.Client, _: str) -> ClientResult:
    """Report an empty success whatever came."""
    with suppress(Exception):
        http.post(PATH, json={"model": MODEL, "input": "Go.", "stream": True}).read()
    return ClientResult(collected="", status="completed")


def create_twice(http: httpx.Client, _: str) -> Any:
    """Send the create again when its stream or its response is lost."""
    for number in range(2):
        try:
            with http.stream("POST", PATH, json={"model": MODEL, "input": "Go.", "stream": True}) as response:
                text = "".join(str((event.get("delta") or {}).get("text", "")) for event in frames(response))
            return ClientResult(collected=text, status="completed")
        except httpx.HTTPError:
            if number:
                raise
    return None


def need_on_each(name: str) -> Callable[[httpx.Response], Iterator[dict[str, Any]]]:
    """A parser that fails at an event without a member, or whose interaction has none."""

    def parse(response: httpx.Response) -> Iterator[dict[str, Any]]:
        for event in frames(response):
            (event if name == "id" else event.get("interaction", {name: 0}))[name]
            yield event

    return parse


def fail_at_unknown(response: httpx.Response) -> Iterator[dict[str, Any]]:
    """A parser with closed types."""
    for event in frames(response):
        step = event.get("step") or {}
        if (
            not event["event_type"].startswith(("interaction.", "step."))
            or step.get("type", "") == "provision_sandbox"
        ):
            raise ValueError(f"unknown: {event['event_type']}")
        yield event


def frames_by_blocks(response: httpx.Response) -> Iterator[dict[str, Any]]:
    """A parser that expects each frame to begin with `data:` or `event:`, and to end with a blank line."""
    text = response.read().decode()
    for block in text.split("\n\n")[:-1]:
        if block.startswith(("data:", "event:")):
            yield from (json.loads(line[5:]) for line in block.split("\n") if line.startswith("data: {"))


def short_lines(response: httpx.Response) -> Iterator[dict[str, Any]]:
    """A parser with a limit for a line, at which it stops reading."""
    for event in frames(response):
        if len(json.dumps(event)) > 65536:
            return
        yield event


def steps_of(change: Callable[[list[Any]], list[Any]]) -> Client:
    """A poller that changes the steps it returns."""
    return lambda http, interaction: {"steps": change(poll(http, interaction)["steps"])}


def last_step(http: httpx.Client, interaction: str) -> str:
    """Take the last output for the text."""
    steps = [step for step in poll(http, interaction)["steps"] if step["type"] == "model_output"]
    return "".join(part.get("text", "") for part in steps[-1]["content"])


def answer_done_calls(http: httpx.Client, interaction: str) -> Any:
    """Send results for the calls of a run that has completed."""
    found = poll(http, interaction)
    results = [
        {"type": "function_result", "call_id": step["id"], "name": step["name"], "result": "done"}
        for step in found["steps"]
        if step["type"] == "function_call"
    ]
    body = {"model": MODEL, "input": results, "previous_interaction_id": interaction}
    http.post(PATH, json=body).raise_for_status()
    return found


def chain_shortened(http: httpx.Client, _: str) -> Any:
    """Send the second turn alone if the id of the first is refused."""
    first = http.post(PATH, json={"model": MODEL, "input": "One."}).json()
    body = {"model": MODEL, "input": "Two."}
    second = http.post(PATH, json={**body, "previous_interaction_id": first["id"]})
    return (second if second.status_code == 200 else http.post(PATH, json=body)).json()


def loop_tools(named: bool, whole: bool) -> Client:
    """A tool loop that leaves out the name of the function, or the arguments, in its results."""

    def work(http: httpx.Client, _: str) -> Any:
        found = http.post(PATH, json={"model": MODEL, "input": "Look.", "tools": [LOOK]}).json()
        for _round in range(6):
            results = [
                {
                    "type": "function_result", "call_id": step["id"], **({"name": step["name"]} if named else {}),
                    "result": {"place": step["arguments"].get("place") if whole else ""},
                }
                for step in found["steps"]
                if step["type"] == "function_call"
            ]  # fmt: skip
            if found["status"] != "requires_action":
                break
            body = {"model": MODEL, "input": results, "previous_interaction_id": found["id"], "tools": [LOOK]}
            found = http.post(PATH, json=body).raise_for_status().json()
        return found

    return work


def cancel_and_believe(http: httpx.Client, interaction: str) -> ClientResult:
    """Report that it was cancelled whatever the answer."""
    http.post(f"{PATH}/{interaction}/cancel")
    return ClientResult(status="cancelled")


def stop_at_call(http: httpx.Client, _: str) -> Any:
    """Return what the first turn said, whatever becomes of the next."""
    first = http.post(PATH, json={"model": MODEL, "input": "Look.", "tools": [LOOK]}).json()
    http.post(PATH, json={"model": MODEL, "input": "Go on.", "previous_interaction_id": first["id"]})
    return first


def reading(**options: Any) -> Client:
    """The reader with a mistake."""
    return lambda http, interaction: read(http, interaction, **options)


def polling(**options: Any) -> Client:
    """The poller with a mistake."""

    def polls(http: httpx.Client, interaction: str) -> ClientResult:
        found = poll(http, interaction, **options)
        return ClientResult(collected=found, status=found["status"])

    return polls


def running(**options: Any) -> Client:
    """The client that creates and polls, with a mistake."""
    return lambda http, interaction: create_and_poll(http, interaction, **options)


_FOREVER = 10**9

MISTAKES: dict[str, tuple[str, Client] | tuple[str, Client, None]] = {
    "stream-cut-at-600s": ("follow", reading(dropped="end")),
    "bare-json-503-in-stream": ("follow", reading(dropped="end")),
    "bare-json-refusal-in-stream": ("create", hide),
    "clean-end-mistaken-for-end": ("follow", reading(dropped="end")),
    "resume-replays-two-events-then-silent": ("follow", reading(tries=_FOREVER)),
    "background-404-after-create": ("poll", running(again=True, patient=False)),
    "background-404-at-first": ("poll", running(patient=False)),
    "get-403-after-create": ("poll", running(tries=_FOREVER)),
    "zombie-in-progress-for-days": ("poll", running(tries=_FOREVER)),
    "chain-re-rooted": ("tools", stop_at_call),
    "stale-chain-id": ("chain", chain_shortened),
    "error-event-then-end": ("create", hide),
    "error-event-service-unavailable": ("create", hide),
    "overload-as-500": ("create", hide),
    "foreground-agent-lost-on-disconnect": ("create", create_twice),
    "answer-lost-before-headers": ("create", create_twice),
    "poll-hangs-without-timeout": ("follow", polling(), None),
    "poll-stalls-in-the-body": ("follow", polling(), None),
    "failed-polled-forever": ("follow", polling(ends={"completed"}, tries=_FOREVER)),
    "cancelled-polled-forever": ("follow", polling(ends={"completed"}, tries=_FOREVER)),
    "queued-taken-for-final": ("follow", polling(ends={*FINAL, "queued"})),
    "get-stream-false-400-flapping": ("follow", polling(patient=False)),
    "cancel-method-not-found": ("cancel", cancel_and_believe),
    "idle-limit-kills-thinking": ("follow", reading(dropped="create")),
    "proxy-cuts-idle-connection": ("create", hide),
    "final-event-but-socket-open": ("follow", reading(until_closed=True)),
    "two-loops-one-cursor-wrong": ("follow", reading(tries=2)),
    "resume-refused-as-too-old": ("follow", reading(refused="end")),
    "partial-shown-twice-after-reattach": ("follow", reading(keeps_both=True)),
    "event-ids-sparse-or-none": ("follow", reading(keeps_both=True)),
    "heartbeat-comment-eats-event": ("follow", reading(parse=frames_by_blocks, dropped="end")),
    "last-frame-without-newline": ("follow", reading(parse=frames_by_blocks, dropped="raise")),
    "ios-background-drop": ("follow", reading(dropped="end")),
    "function-result-without-name": ("tools", loop_tools(named=False, whole=True)),
    "id-not-on-deltas": ("create", lambda http, _: [*need_on_each("id")(_stream(http))]),
    "legacy-schema-switched-off": ("create", hide),
    "model-suddenly-demands-a-tool": ("create", hide),
    "blocked-output-with-sentence-code": ("create", hide),
    "completed-without-usage": ("follow", reading(parse=need_on_each("usage"))),
    "function-call-in-completed-run": ("follow", answer_done_calls),
    "last-step-is-not-the-answer": ("follow", last_step),
    "arguments-in-fragments": (
        "follow", steps_of(lambda steps: [{**s, "arguments": {}} if "id" in s else s for s in steps]),
    ),
    "unknown-type-kills-stream": ("follow", reading(parse=fail_at_unknown)),
    "chunk-too-big": ("follow", reading(parse=short_lines, dropped="end")),
    "odd-byte-audio-split": (
        "follow",
        steps_of(lambda steps: [{**s, "content": [{**s["content"][0], "data": "AAEC"}]} for s in steps[-1:]]),
    ),
    "omni-has-no-stream": ("create", hide),
    "environment-still-being-made": ("create", hide),
}  # fmt: skip
"""The mode in which the mistake of an incident shows, and a client that makes it; with None it has no timeout."""


def _stream(http: httpx.Client) -> httpx.Response:
    return http.post(PATH, json={"model": MODEL, "input": "Go.", "stream": True})


def test_each_incident_has_a_client_with_its_mistake() -> None:
    """None is left out that `harness torture` plays."""
    assert set(MISTAKES) == {name for name, one in load_incidents().items() if one.modes}


@pytest.mark.parametrize("name", MISTAKES)
def test_the_mistake_fails(name: str) -> None:
    """No client that makes the mistake of an incident comes out as exact, recovered or unable."""
    mode, client, *timeout = MISTAKES[name]
    verdict = play(name, mode, client, *timeout)
    assert verdict.finding is not None, verdict


FOLLOWED = [name for name, (mode, *_) in MISTAKES.items() if mode == "follow"]


@pytest.mark.parametrize("name", FOLLOWED)
def test_a_reader_without_the_mistake_passes(name: str) -> None:
    """One that resumes, polls where it is refused, and reports the status."""
    shows_steps = name in ("arguments-in-fragments", "odd-byte-audio-split")
    polls = load_incidents()[name].meet == "poll" or name == "resume-replays-two-events-then-silent"
    client = steps_of(lambda steps: steps) if shows_steps else polling() if polls else reading()
    verdict = play(name, "follow", client)
    assert verdict.finding is None, verdict
