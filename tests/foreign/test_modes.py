"""Foreign servers that break a promise in one mode alone, each beside an odd one that is right."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Handler, Json, Refused, Run

PLACE = {"location": "Z\u00fcrich \u5317\u4eac"}
CALL = {"type": "function_call", "id": "c1", "name": "get_weather", "arguments": PLACE}


class Calling(ForeignService):
    """Odd, but right: it calls its client for every tool, and a run shows it a second after its stream."""

    late = 1.0

    def admit(self, body: Json) -> None:
        super().admit({name: value for name, value in body.items() if name not in ("tools", "generation_config")})

    def waits(self, run: Run) -> bool:
        """Whether the run calls its client."""
        return bool(run.body.get("tools")) and isinstance(run.body["input"], str)

    def show(self, run: Run) -> Json:
        body = super().show(run)
        if not self.waits(run):
            return body
        if run.body.get("background") and run.age < run.lasts + self.late:
            return {
                **{name: body[name] for name in body if name not in ("steps", "usage")},
                "status": "in_progress",
            }
        return {**body, "status": "requires_action", "steps": [CALL]}

    def events(self, run: Run) -> Any:
        if not self.waits(run):
            yield from super().events(run)
            return
        events = list(super().events(run))
        call = {**CALL, "arguments": {}}
        delta = {"type": "arguments_delta", "arguments": self.tell_arguments()}
        yield from events[:2]
        for number, event in enumerate(
            [
                {"index": 0, "step": call, "event_type": "step.start"},
                {"index": 0, "delta": delta, "event_type": "step.delta"},
                {"index": 0, "event_type": "step.stop"},
            ]
        ):
            yield run.lasts, {**event, "event_id": f"{run.id}-c{number}"}
        yield run.lasts, events[-1][1]

    def tell_arguments(self) -> str:
        """The arguments of a call, as its stream has them."""
        return '{"location": "Z\u00fcrich \u5317\u4eac"}'

    def last_event(self, run: Run, told: Json) -> Json:
        event = super().last_event(run, told)
        if self.waits(run):
            event["interaction"]["status"] = "requires_action"
        return event


class Hanging(Calling):
    """Wrong: a background run with a call stays in progress for ever, though its stream ends."""

    late = 1e6


@pytest.mark.slow
@pytest.mark.parametrize(("service", "codes"), [(Calling, []), (Hanging, ["bg.requires-action/outlived"])])
def test_a_background_call_reaches_who_polls(service: type[Calling], codes: list[str]) -> None:
    """Who polls would wait for ever for what the stream told long ago: a broken MUST, no missing feature."""
    report = check(service(), "bg.requires-action")
    assert report.codes == {"bg.requires-action": codes}
    assert report.exit == (1 if codes else 0)


class Forgetful(ForeignService):
    """Odd, but right: a stream that is not stored has an id, and nothing can be read by it."""

    def events(self, run: Run) -> Any:
        for due, event in super().events(run):
            if "interaction" in event:
                event = {**event, "interaction": {**event["interaction"], "id": run.id}}
            yield due, event


class Keeping(Forgetful):
    """Wrong: what was streamed with store=false can be read."""

    def create(self, body: Json) -> Any:
        answer = super().create(body)
        if body.get("stream") and body.get("store") is False:
            self.runs[f"i{self.made}"] = Run(f"i{self.made}", {**body, "store": True}, 0.0, 4)
        return answer


@pytest.mark.parametrize(("service", "verdict"), [(Forgetful, "pass"), (Keeping, "fail")])
def test_a_stream_that_is_not_stored_cannot_be_read(service: type[Forgetful], verdict: str) -> None:
    """The documentation of store=false makes no exception for streams."""
    assert check(service(), "store.false-get").verdicts == {"store.false-get": verdict}


class Queueing(ForeignService):
    """Odd, but right: a background turn counts its instructions, too, and what it remembers."""

    def usage(self, run: Run) -> Json:
        extra = 5 if run.body.get("background") else 0
        tokens = self.remember(run) + extra
        return {"total_input_tokens": tokens, "total_output_tokens": 4, "total_tokens": tokens + 4}

    def remember(self, run: Run) -> int:
        """The tokens of the history and of the input."""
        return run.tokens


class Amnesiac(Queueing):
    """Wrong: a background turn knows nothing of its parent."""

    def remember(self, run: Run) -> int:
        return 4 - 5 if run.body.get("background") else run.tokens


@pytest.mark.parametrize(("service", "verdict"), [(Queueing, "pass"), (Amnesiac, "fail")])
def test_a_background_turn_has_the_history(service: type[Queueing], verdict: str) -> None:
    """The plain turn is right in both."""
    assert check(service(), "chain.background").verdicts == {"chain.background": verdict}


class KeyedHandler(Handler):
    """Gives what belongs to one key to no other."""

    def dispatch(self, data: bytes) -> Any:
        key = self.headers.get("x-goog-api-key", "")
        service: Any = self.service
        with service.lock:
            service.key = key
            return super().dispatch(data)


class TwoProjects(ForeignService):
    """Odd, but right: another project is told that it is forbidden, not that there is nothing."""

    handler = KeyedHandler
    key = ""
    lasts = 3.0

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.RLock()
        self.owners: dict[str, str] = {}

    def create(self, body: Json) -> Any:
        answer = super().create(body)
        self.owners[f"i{self.made}"] = self.key
        return answer

    def find(self, identity: str) -> Run:
        run = super().find(identity)
        if self.owners[identity] != self.key:
            raise Refused(403, "permission_denied", "It belongs to another project.")
        return run


class Stopping(TwoProjects):
    """Wrong: any key cancels a run in progress; the answer hides it."""

    def cancel(self, run: Run) -> Json:
        super().cancel(run)
        if self.owners[run.id] != self.key:
            raise Refused(403, "permission_denied", "It belongs to another project.")
        return self.show(run)

    def find(self, identity: str) -> Run:
        run = ForeignService.find(self, identity)
        if self.owners[identity] != self.key and run.status != "in_progress":
            raise Refused(403, "permission_denied", "It belongs to another project.")
        return run


@pytest.mark.parametrize(("service", "codes"), [(TwoProjects, []), (Stopping, ["store.isolation/stopped"])])
def test_another_key_stops_no_run(service: type[TwoProjects], codes: list[str]) -> None:
    """A cancel of what has ended shows nothing; what counts is whether the run goes on."""
    report = check(service(), "store.isolation", words=("--api-key", "A", "--other-api-key", "B"))
    assert report.codes["store.isolation"] == codes
