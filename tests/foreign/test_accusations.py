"""Foreign servers that were accused of what they had not done, and such whose real defect was told as another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Handler, Json, Refused, Run


class Crashes(ForeignService):
    """A background create that is right makes it fail."""

    def create(self, body: Json) -> Any:
        if body.get("background"):
            raise Refused(500, "api_error", "division by zero")
        return super().create(body)


class HangsUp(ForeignService):
    """A streaming create that is right makes it hang up."""

    def create(self, body: Json) -> Any:
        if body.get("stream"):
            raise ConnectionAbortedError
        return super().create(body)


class CrashesOnRead(ForeignService):
    """Opening the stream of an interaction makes it fail."""

    def get(self, run: Run, query: Json) -> Any:
        if query.get("stream") == "true":
            raise Refused(500, "api_error", "division by zero")
        return super().get(run, query)


class Overloaded(ForeignService):
    """Correct, but odd: it lacks the background, and says so with 501."""

    def create(self, body: Json) -> Any:
        if body.get("background"):
            raise Refused(501, "unimplemented", "There are no background runs.")
        return super().create(body)


class NoGet(ForeignService):
    """It has no GET."""

    def get(self, run: Run, query: Json) -> Any:
        raise Refused(405, "invalid_request", "Method not allowed.")

    def find(self, identity: str) -> Run:
        return self.runs.get(identity) or Run(identity, {"model": "gemini-x"}, 0.0, 4)

    def show(self, run: Run) -> Json:
        return {**super().show(run), "id": run.id}


class CrashesAtFirst(ForeignService):
    """What is read for the first time is answered 500; what it does not offer is refused after that."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    class _Handler(Handler):
        service: CrashesAtFirst

        def dispatch(self, data: bytes) -> Any:
            if self.command == "GET" and self.path not in self.service.asked:
                self.service.asked.add(self.path)
                raise Refused(500, "api_error", "a bad moment")
            return super().dispatch(data)

    handler = _Handler


class EchoesLabels(ForeignService):
    """Takes any labels, and repeats them."""

    def admit(self, body: Json) -> None:
        super().admit({name: value for name, value in body.items() if name != "labels"})

    def show(self, run: Run) -> Json:
        return {**super().show(run), **({"labels": run.body["labels"]} if "labels" in run.body else {})}


class SignsTwice(ForeignService):
    """Correct, but odd: a thought shows its signature in its start and in a delta, which has no event id."""

    lasts = 0.3
    thought = {"type": "thought", "signature": "c2lnbmVk"}

    def create(self, body: Json) -> Any:
        answer = super().create(body)
        run = self.runs.get(f"i{self.made}")
        if run is not None:
            run.steps = [*run.steps, self.thought]
        return answer

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        *most, last = super().events(run)
        yield from most
        signed = {"type": "thought_signature", "signature": self.thought["signature"]}
        for event in (
            {"index": 1, "step": self.thought, "event_type": "step.start"},
            {"index": 1, "delta": signed, "event_type": "step.delta"},
            {"index": 1, "event_type": "step.stop"},
        ):
            yield run.lasts, event
        yield last


def test_a_crash_has_a_rule_of_its_own() -> None:
    """A request that is right and is answered 500 breaks a MUST, which names the request."""
    report = check(Crashes(), "err.no-crash", "bg.create", words=("--capability", "+background"))
    assert report.verdicts["err.no-crash"] == "fail"
    assert report.messages["err.no-crash"] == ["POST interactions causes a server error"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("service", "globs", "codes"),
    [
        (Crashes(), ("bg.*", "cancel.*"), ["err.no-crash"]),
        (HangsUp(), ("stream.*", "resume.*"), ["err.no-crash/cut"]),
        (CrashesOnRead(), ("resume.*", "stream.*"), ["err.no-crash"]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ForeignService) else "",
)
def test_a_crash_is_one_finding(service: ForeignService, globs: tuple[str, ...], codes: list[str]) -> None:
    """What cannot be seen because of a crash, or shows nothing but the crash, is blocked by the one finding."""
    report = check(service, "err.no-crash", *globs)
    assert report.faults == {"err.no-crash": "fail"}
    assert report.codes["err.no-crash"] == codes
    assert sum(verdict == "blocked" for verdict in report.verdicts.values()) > 5


def test_without_the_rule_of_crashes_the_checks_speak_for_themselves() -> None:
    """Nothing is blocked by a finding that is not in the report."""
    report = check(CrashesOnRead(), "resume.opens")
    assert report.faults == {"resume.opens": "fail"}


def test_an_ability_that_is_lacking_is_no_crash() -> None:
    """501 says that something is not offered."""
    assert check(Overloaded(), "err.*", "create.*").faults == {}


def test_a_server_without_get_is_not_said_to_keep_what_it_must_forget() -> None:
    """Where nothing can be read, nothing is said of what may not be."""
    assert check(NoGet(), "store.false-get").verdicts == {"store.false-get": "not_applicable"}


def test_the_echo_of_our_own_label_is_not_the_servers_fault() -> None:
    """A wrong label that is taken and repeated breaks the rule of labels, and no schema."""
    report = check(EchoesLabels(), "create.schema", "create.labels")
    assert report.verdicts == {"create.schema": "pass", "create.labels": "info"}


def test_a_signature_that_comes_twice_is_one() -> None:
    """A thought whose start already has its signature is what GET shows, and few event ids are information."""
    report = check(SignsTwice(), "stream.equals-get", "stream.text", "stream.sig-last", "stream.evid-delta")
    assert report.faults == {}
    assert report.verdicts["stream.evid-delta"] == "info"


def test_one_crash_of_a_question_is_no_offer() -> None:
    """What a target does not offer is not asked of it, though the first question was answered 500."""
    report = check(CrashesAtFirst(), "env.*", "trigger.*", "hook.*", "agents.*")
    assert report.faults == {}
    assert set(report.verdicts.values()) <= {"not_applicable", "untestable"}
