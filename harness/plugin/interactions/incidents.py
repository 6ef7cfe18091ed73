"""Incidents in a test: the emulator behaves as in one of them, and the outcome of the code under test is judged.

`harness.incidents` has the incidents and their reproduction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.benches.client.judgement.received_responses import describe_unread, merge_equal_lines
from harness.checks.clients.result_comparison import (
    answer_events,
    compare_result,
    judge_calls,
    plain,
    status_of,
    text_in,
)
from harness.contract.tables.protocol import REQUIRES_ACTION
from harness.incidents import SPEED, Incident, find_incident
from harness.kit.client_model import STOPPED
from harness.outcome import UsageFault
from harness.plugin.interactions.emulator import CheckedResult, InteractionsEmulator
from harness.wire import LogicalClock

_MARKER = "interactions_incident"


def list_cases(definition: Any, seed: int) -> list[str]:
    """The incidents that a test's markers name. Raises UsageFault for unknown names, and if there is none."""
    names = [str(name) for marker in definition.iter_markers(_MARKER) for name in marker.args]
    if not names:
        raise UsageFault(
            f"{_MARKER} plays the incidents that a marker names: "
            f"@pytest.mark.{_MARKER}('stale-chain-id'); `harness incidents` lists them"
        )
    found, mistakes = [], []
    for name in dict.fromkeys(names):
        try:
            found.append(find_incident(name).name)
        except UsageFault as wrong:
            mistakes.append(str(wrong))
    if mistakes:
        raise UsageFault("; ".join(mistakes))
    return found


class PlayedIncident(CheckedResult):
    """An incident that the test's emulator plays.

    `incident` has all that is known of it; `fields` are those of the create that meets it, `answer` is the text of
    the undisturbed answer ("" if there is none to expect).
    """

    def __init__(self, emulator: InteractionsEmulator, name: str) -> None:
        super().__init__(emulator)
        self.incident: Incident = find_incident(name)
        emulator.judge_turns = False  # what a client makes of a failed turn is judged by `assert_outcome`
        clock = emulator.clock
        if isinstance(clock, LogicalClock):
            clock.speed = SPEED
        self.incident.apply_to(emulator.emulator)
        plan = self.incident.plan
        self._faulty = emulator.drop(plan, optional=True) if plan is not None else None

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the create that meets it."""
        return self.incident.fields

    @property
    def answer(self) -> str:
        """The text of the undisturbed answer."""
        self._asked = True
        return self.incident.answer

    def assert_outcome(self, result: Any) -> None:
        """Assert that the code under test ended as well as it can: its text, status, interaction or exception.

        An exception is right where the incident has to be reported, and where the run did not complete. A run that
        did not complete may also be reported by its status.
        """
        __tracebackhide__ = True
        self._asked = True
        problem = self._never_met() or self._judge_calls(result) or self._judge_result(result)
        problem = problem or self._created_twice()
        if problem:
            calls = ", ".join(merge_equal_lines(self.emulator.requests.calls))
            raise AssertionError(
                f"{self.incident.name} ({self.incident.title.rstrip('.')}): {problem}.\n  a good client "
                f"{self.incident.client.rstrip('.')}\n  its calls: {calls}"
            )

    def _never_met(self) -> str:
        if not self.emulator.list_requests():
            return "it never happened, because the code under test sent nothing"
        if self._faulty is None or any(suffered.fired for suffered in self._faulty.log):
            return ""
        return (
            f"it did not happen: to meet it, a client must {self.incident.meet.words}, and have no read timeout "
            "that is shorter than the pauses of a stream"
        )

    def _judge_result(self, result: Any) -> str:
        wanted = self.incident.follow
        if isinstance(result, BaseException):
            return f"it can be survived, but the client raised {result!r}" if wanted == "survives" else ""
        if wanted == "reports":
            return f"it must be reported, but the client ended normally, with {result!r}"
        if wanted == "survives":
            text, answer = result if isinstance(result, str) else text_in(result), self.incident.answer
            if text is not None and text != answer and answer.startswith(text):
                return f"the client lacks the end, {answer[len(text) :]!r}"
            return "" if text == answer else f"the client returned {text!r} instead of {answer!r}"
        if wanted == REQUIRES_ACTION and (ends := [one.find_end() for one in self.emulator.list_received()]):
            wanted = ends[-1]  # a client that returns results goes on
        status = status_of(result)
        if wanted is None or status == wanted or (wanted == "completed" and status is None):
            return ""
        reported = repr(result) if status is None else status
        return f"the run ended {wanted}, and the client reports {reported}"

    def _judge_calls(self, result: Any) -> str:
        """An event that it could not read, or results or steps that are not those of the model's calls."""
        contract, received = self.emulator.emulator.contract, self.emulator.list_received()
        if unread := describe_unread(received):
            return f"the client {unread}"
        wrong = judge_calls([one.exchange for one in received], contract)
        if wrong is not None and wrong.word != STOPPED:
            return f"the client {wrong.text}"
        value, made = plain(result), self.emulator.find_created()
        if not made or not isinstance(value, Mapping) or not isinstance(value.get("steps"), list):
            return ""
        steps = [step for step in made[-1]["steps"] if step.get("type") != "user_input"]
        other = compare_result(answer_events({"steps": steps}), value, contract)
        return f"the client {other.text}" if other is not None else ""

    def _created_twice(self) -> str:
        """A create that was accepted or got lost must not be sent again; one that was refused may be."""
        if self.incident.follow not in ("survives", "reports") or str(self.incident.meet) == "turns":
            return ""
        made = [one for one in self.emulator.list_requests() if one.interaction is not None]
        return "the client created it twice" if len(made) > 1 else ""
