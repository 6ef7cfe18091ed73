"""Foreign servers that break a promise in one mode alone, each beside an odd one that is right."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Handler, Json, Refused, Run

PLACE = {"location": "Zürich 北京"}
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
        return '{"location": "Zürich 北京"}'

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


class Misspelling(Calling):
    """Wrong: the arguments in a stream are UTF-8 that was read as Latin-1."""

    def tell_arguments(self) -> str:
        return super().tell_arguments().encode().decode("latin-1")


@pytest.mark.parametrize(("service", "codes"), [(Calling, []), (Misspelling, ["tool.stream-call/arguments"])])
def test_streamed_arguments_are_the_stored_ones(service: type[Calling], codes: list[str]) -> None:
    """They join to an object in both."""
    assert check(service(), "tool.stream-call").codes["tool.stream-call"] == codes


class Echoing(ForeignService):
    """Odd, but right: it repeats its input, and cuts its stream wherever a letter ends."""

    def create(self, body: Json) -> Any:
        self.admit(body)
        parent = body.get("previous_interaction_id")
        self.made += 1
        run = Run(f"i{self.made}", body, self.lasts if body.get("background") else 0.0, 8 if parent else 4)
        run.steps = [{"type": "model_output", "content": [{"type": "text", "text": str(body["input"])}]}]
        self.runs[run.id] = run
        return self.events(run) if body.get("stream") else self.show(run)

    def show(self, run: Run) -> Json:
        body = super().show(run)
        told = {"type": "user_input", "content": [{"type": "text", "text": self.keep(str(run.body["input"]))}]}
        return {**body, "steps": [told, *body["steps"]]} if "steps" in body else body

    def keep(self, text: str) -> str:
        """What is stored of an input."""
        return text

    def pieces(self, text: str) -> list[str]:
        """The text of a stream in its deltas."""
        return [text[at : at + 7] for at in range(0, len(text), 7)]

    def events(self, run: Run) -> Any:
        first, *rest = [pair for pair in super().events(run) if "delta" not in pair[1]]
        yield from [first, rest[0], rest[1]]
        for number, text in enumerate(self.pieces(str(run.body["input"]))):
            event = {"index": 0, "delta": {"type": "text", "text": text}, "event_type": "step.delta"}
            yield run.lasts, {**event, "event_id": f"{run.id}-d{number}"}
        yield from rest[2:]


class CuttingLetters(Echoing):
    """Wrong: it cuts bytes, and reads each piece alone."""

    def pieces(self, text: str) -> list[str]:
        data = text.encode()
        return [data[at : at + 7].decode(errors="replace") for at in range(0, len(data), 7)]


@pytest.mark.parametrize(("service", "verdict"), [(Echoing, "pass"), (CuttingLetters, "fail")])
def test_letters_of_several_bytes_stay_whole_in_streams(service: type[Echoing], verdict: str) -> None:
    """The stored text is right in both."""
    assert check(service(), "stream.text").verdicts == {"stream.text": verdict}


class CuttingInput(Echoing):
    """Wrong: what is longer than 64 KiB is cut, and nobody is told."""

    def keep(self, text: str) -> str:
        return text[:65_536]


class Limited(Echoing):
    """Odd, but right: what is too long is refused."""

    def admit(self, body: Json) -> None:
        super().admit(body)
        if len(str(body["input"])) > 65_536:
            raise Refused(413, "invalid_request", "The input is too long.")


@pytest.mark.parametrize(
    ("service", "verdict"), [(Echoing, "pass"), (Limited, "not_applicable"), (CuttingInput, "warn")]
)
def test_a_long_input_is_whole_or_refused(service: type[Echoing], verdict: str) -> None:
    """A limit is legal if the client is told of it."""
    assert check(service(), "create.long-input").verdicts == {"create.long-input": verdict}
