"""Interactions in progress: for each route a run can take, a ready interaction and the expected outcome.

A route is data: how the emulator answers, who interferes and when, and what waiting code must end with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from harness.benches.client.judgement.received_responses import merge_equal_lines
from harness.checks.clients.result_comparison import status_of, text_in
from harness.contract import RUNNING, STATUSES
from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean
from harness.plugin.interactions.emulator import CheckedResult, InteractionsEmulator
from harness.wire import Request
from harness.wire.bodies import objects_in

# The routes: a table of what happens on each, and what the code under test must end with.


TEXT = "All of the answer."

TOOL = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleRoute:
    """One way a run can go. `script` answers the first create, `then` the next one.

    `acts` is (n, action): the action (cancel or delete) happens before the n-th GET. The first `missing` GETs get
    404. `status` is what the code under test must end with; None means that the interaction was deleted and GET
    returns 404.
    """

    story: str
    status: str | None
    script: Mapping[str, Any] = field(default_factory=dict)
    then: Mapping[str, Any] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    acts: tuple[int, str] | None = None
    missing: int = 0
    text: str | None = TEXT


ROUTES: dict[str, LifecycleRoute] = {
    "completed": LifecycleRoute(
        story="two polls in progress, then completed", status="completed", script={"text": TEXT}
    ),
    "failed": LifecycleRoute(
        story="in progress, then failed", status="failed", script={"status": "failed"}, text=None
    ),
    "cancelled": LifecycleRoute(
        story="another client cancels it after the first poll",
        status="cancelled", script={"text": TEXT, "ticks": 20}, acts=(2, "cancel"), text=None,
    ),
    "cancelled_early": LifecycleRoute(
        story="another client cancels it before the first poll",
        status="cancelled", script={"text": TEXT}, acts=(1, "cancel"), text=None,
    ),
    "cancelled_late": LifecycleRoute(
        story="it is cancelled, and three polls still show it in progress",
        status="cancelled", script={"text": TEXT, "ticks": 20, "cancel_lag": 3}, acts=(1, "cancel"), text=None,
    ),
    "requires_action": LifecycleRoute(
        story="it stops for a function's result",
        status="requires_action", fields={"tools": [TOOL]}, text=None,
    ),
    "function_result": LifecycleRoute(
        story="it stops for a function's result; the client gives it in a next interaction, which completes",
        status="completed", fields={"tools": [TOOL]}, then={"text": TEXT},
    ),
    "incomplete": LifecycleRoute(
        story="it stops early, at a limit", status="incomplete", script={"text": TEXT, "status": "incomplete"}
    ),
    "queued": LifecycleRoute(
        story="two polls show it queued before it runs", status="completed", script={"text": TEXT, "queued": 2}
    ),
    "deleted": LifecycleRoute(
        story="another client deletes it while it runs",
        status=None, script={"text": TEXT, "ticks": 20}, acts=(3, "delete"), text=None,
    ),
    "missing_at_first": LifecycleRoute(
        story="two polls right after the create get 404, then it completes",
        status="completed", script={"text": TEXT}, missing=2,
    ),
    "requires_continuation": LifecycleRoute(
        story="it stops with a continuation_token; the client continues in another interaction, which completes",
        status="completed",
        script={"text": "All ", "status": "requires_continuation"}, then={"text": "of the answer."},
        text="All of the answer.",
    ),
}  # fmt: skip

COMMON = ("completed", "failed", "cancelled", "requires_action", "incomplete", "queued")
"""The routes used without a marker."""


def list_cases(definition: Any, seed: int) -> list[str]:
    """The routes named by a test's markers, `COMMON` by default. Raises UsageFault for unknown names.

    `all` means those of a client that waits; the others need one that goes on in a next interaction.
    """
    names = [str(name) for marker in definition.iter_markers("interactions_lifecycle") for name in marker.args]
    known = (*ROUTES, "all")
    if unknown := [name for name in names if name not in known]:
        hints = "; ".join(f"{name!r}{did_you_mean(name, known, otherwise=' is none.')}" for name in unknown)
        raise UsageFault(f"interactions_lifecycle: {hints} The routes are {', '.join(ROUTES)}, or 'all'")
    waited = [name for name, route in ROUTES.items() if route.then is None] if "all" in names else []
    return list(dict.fromkeys([*waited, *(name for name in names if name != "all")])) or list(COMMON)


# What is judged: what the code under test ended with on one of them.


MOST_REQUESTS = 100
"""Maximum requests of one test; a client that waits politely needs ten."""

_MISSING = "Requested entity was not found."
_REPORTED = "If that is how the application reports it, say assert_outcome(error, raised={})"


Reports: TypeAlias = type[BaseException] | tuple[type[BaseException], ...]
"""The exceptions by which an application reports an end that is no success."""


class Lifecycle(CheckedResult):
    """One interaction that was created in the background and will take `route`.

    Pass `id` to the code under test; `expected_status` and `expected_text` are the expected outcome (None: it was
    deleted, or no text is expected). `tools` are those that the interaction declared.
    """

    def __init__(self, emulator: InteractionsEmulator, route: str) -> None:
        super().__init__(emulator)
        self._name = route
        self._route = ROUTES[route]
        self._gets = 0
        self._shown: list[str] = []
        script = self._route.script
        if script:
            emulator.script(script)
        self.created = emulator.create(**self._route.fields)
        self.id: str = self.created["id"]
        if self._route.then is not None:
            emulator.script(self._route.then, optional=True)
        if self._route.missing:
            emulator.fail(404, on="get", times=self._route.missing, message=_MISSING, optional=True)
        emulator.limit_requests(MOST_REQUESTS)
        emulator.before.append(self._watch)
        emulator.explain = self._describe_now

    @property
    def route(self) -> str:
        """The name of the route. Reading it counts as a check, because the name implies the outcome."""
        self._asked = True
        return self._name

    @property
    def story(self) -> str:
        """The events of the route, in words."""
        return self._route.story

    @property
    def expected_status(self) -> str | None:
        """The status that the code under test must end with; None if the interaction was deleted."""
        self._asked = True
        return self._route.status

    @property
    def expected_text(self) -> str | None:
        """The text that the code under test must end with; None if there is none to expect."""
        self._asked = True
        return self._route.text

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The tools that the interaction declares; they must be sent again with a function's result."""
        return list(self._route.fields.get("tools", ()))

    def assert_outcome(self, result: Any, *, raised: Reports | Mapping[str, Reports] | None = None) -> None:
        """Assert that the code under test ended correctly, given its status, interaction, text or exception.

        `raised` is the exception by which the application reports that an interaction did not complete: a class,
        several, or a class for each status. An exception with a `status` is compared by that. A mapping
        names every status that is to be reported so; the 404 of a deletion stays right unless it names `deleted`.
        """
        __tracebackhide__ = True
        self._asked = True
        wrong = self._judge_requests() or self._judge_result(result, raised)
        if problem := "; then it ".join(filter(None, (self._too_many_polls(), wrong))):
            calls = ", ".join(merge_equal_lines(self.emulator.requests.calls))
            why = self._describe_missed() or f"on the route {self._name!r} ({self.story}) the client {problem}"
            raise AssertionError(f"{why}.\n  its calls: {calls}")

    def _watch(self, request: Request) -> None:
        """Perform the route's action when it is due, and note the status that each poll is about to show."""
        if request.method != "GET" or request.segments[-1] != self.id:
            return
        self._gets += 1
        if self._route.acts is not None and self._route.acts[0] == self._gets:
            if self._route.acts[1] == "cancel":
                self.emulator.call("POST", f"interactions/{self.id}/cancel")
            else:
                self.emulator.call("DELETE", f"interactions/{self.id}")
        now = self.emulator.look(self.id)
        self._shown.append(now["status"] if now else "deleted")

    def _describe_missed(self) -> str:
        """That the client asked too seldom for its route to happen, which is no fault of it; "" if it did not."""
        if self._route.acts is None or not 0 < self._gets < self._route.acts[0]:
            return ""
        due, action = self._route.acts
        return (
            f"the route {self._name!r} ({self.story}) did not happen: the {action} comes with GET number {due}, "
            f"and the client sent {self._gets}. A route is for code that polls; for code that streams, "
            'interactions_torture has such ends: kinds=["ends"]'
        )

    def _describe_now(self) -> str:
        now = self.emulator.look(self.id)
        status = now["status"] if now else "deleted"
        return f"the interaction is {status!r} by now (route {self._name!r}: {self.story})"

    def _judge_result(self, result: Any, raised: Reports | Mapping[str, Reports] | None) -> str:
        expected = self._route.status
        if isinstance(result, BaseException) and raised is not None:
            # The service's own answer may tell of a deletion that no mapping names.
            told = "deleted" not in raised if isinstance(raised, Mapping) else _code_of(result) == 404
            if expected is not None or not told:
                return self._judge_exception(result, raised)
        if expected is None:
            if result is None or _code_of(result) == 404 or result == "deleted":
                return ""
            right = "expected the 404, None or 'deleted'"
            if isinstance(result, BaseException):
                right = f"{right}. {_REPORTED.format(type(result).__name__)}"
            return f"ended with {result!r}, though the interaction was deleted: {right}"
        if result == "deleted" or _code_of(result) == 404:
            return f"took a 404 for the end, but the interaction is to end as {expected!r}"
        if isinstance(result, BaseException) and status_of(result) not in STATUSES:
            why = f"raised {type(result).__name__} ({result}), but the interaction is to end as {expected!r}"
            reports = expected != "completed" and not self._too_many_polls()
            return f"{why}. {_REPORTED.format(type(result).__name__)}" if reports else why
        status = status_of(result)
        if status in RUNNING:
            return (
                f"stopped waiting while the interaction was {status!r}: that is not an end, it must be polled on"
            )
        if status in STATUSES and status != expected:
            return f"ended with {status!r} instead of {expected!r}"
        if isinstance(raised, Mapping) and expected in raised and not isinstance(result, BaseException):
            return f"ended with {result!r}, but the test expects an exception for {expected!r}"
        return self._judge_text(result, status, expected)

    def _judge_text(self, result: Any, status: str | None, expected: str) -> str:
        """The finding about the text of a result that ended as it should, or that has no status."""
        text = text_in(result) if status in STATUSES else status
        if text is not None and status not in STATUSES and expected != "completed":
            return f"ended with the text {text!r}, though the interaction is {expected!r}: it looks like success"
        if text is None and status not in STATUSES:
            return f"ended with {result!r}, which has neither a status nor a text: return the interaction"
        # An interaction has the output of its own hop only; the SDKs, and an application, join the hops.
        last = (self._route.then or {}).get("text") if status in STATUSES else None
        if self._route.text is not None and text is not None and text not in (self._route.text, last):
            return f"ended with the text {text!r} instead of {self._route.text!r}"
        return ""

    def _judge_exception(self, error: BaseException, raised: Reports | Mapping[str, Reports]) -> str:
        """The finding about the application's own exception; "" if it reports how the route ends."""
        expected = self._route.status or "deleted"
        named = f"raised {type(error).__name__} ({error})"
        if expected == "completed":
            return f"{named}, but the interaction is to end as 'completed'"
        wanted = raised.get(expected, ()) if isinstance(raised, Mapping) else raised
        if not isinstance(error, wanted):
            names = [kind.__name__ for kind in (wanted if isinstance(wanted, tuple) else (wanted,))]
            return f"{named}, but the test expects {' or '.join(names) or 'none'} for {expected!r}"
        status = status_of(error)
        if status in STATUSES and status != expected:
            return f"{named}, which reports {status!r} instead of {expected!r}"
        return ""

    def _judge_requests(self) -> str:
        """The finding about the second create, on routes that require one; "" if there is none."""
        if self._route.then is None:
            return ""
        bodies = self.emulator.requests.bodies("create")
        if not bodies:
            return "never created the interaction that goes on"
        body = bodies[-1]
        if body.get("previous_interaction_id") != self.id:
            return f"did not chain to it: previous_interaction_id is {body.get('previous_interaction_id')!r}"
        now = self.emulator.look(self.id) or {}
        if self._name == "function_result":  # each pending call needs a result, and the tools beside them
            pending = [step["id"] for step in now.get("steps", ()) if step["type"] == "function_call"]
            results = [step for step in objects_in(body.get("input")) if step.get("type") == "function_result"]
            answered = [result.get("call_id") for result in results]
            if missing := [call for call in pending if call not in answered]:
                return f"gave no function_result for the call {missing[0]!r} (call_ids sent: {answered})"
            return "" if body.get("tools") else "did not send the tools again: they are not inherited"
        if body.get("continuation_token") != now.get("continuation_token"):  # as the SDK does, without input
            return "did not send the continuation_token back unchanged"
        return "sent input together with the continuation_token" if "input" in body else ""

    def _too_many_polls(self) -> str:
        ends = [number for number, status in enumerate(self._shown) if status not in RUNNING]
        late = len(self._shown) - ends[0] - 1 if ends else 0
        calls = [call for call in self.emulator.requests.calls if call == "get"]
        grace = 2  # requests after the end, such as the one that fetches the result
        if late > grace and len(calls) > grace:
            return f"asked {late} times more after it was {self._shown[ends[0]]!r}"
        return ""


def _code_of(result: Any) -> int | None:
    """The HTTP status that an exception carries, under any name that libraries give it; None if there is none."""
    holders = (result, getattr(result, "response", None))
    codes = (getattr(one, name, None) for one in holders for name in ("status_code", "status", "code"))
    return next((code for code in codes if type(code) is int), None)
