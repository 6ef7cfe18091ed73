"""Mutants: one kind of response has the wrong shape, all others are right.

A test that looks only at the response to one create does not notice them.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.emulator.engine import Engine
from harness.emulator.http.routing import Route
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json, altered, html
from harness.emulator.run.event_writer import Events
from harness.emulator.run.run import Run
from harness.emulator.service import Emulator
from harness.emulator.values.call import Refusal
from harness.wire import Request, Response

SHAPES = Area("shapes")


class _Spoiled(Emulator):
    """Applies `spoil` to JSON responses to one kind of call; `call` is its method and path, with `*` for ids."""

    call = "POST interactions"

    def operate(self, engine: Engine, request: Request, where: Route) -> Response:
        response = super().operate(engine, request, where)
        return altered(response, self.spoil) if _matches(self.call, request, where) else response

    def spoil(self, value: Json) -> None:
        """The defect."""


class _RefusedAsPage(Emulator):
    """Refusals of one kind of call are HTML pages."""

    def operate(self, engine: Engine, request: Request, where: Route) -> Response:
        try:
            return super().operate(engine, request, where)
        except Refusal as refusal:
            if self.concerns(request, where):
                return html(refusal.status)
            raise

    def concerns(self, request: Request, where: Route) -> bool:
        """Whether the refusal of this call is an HTML page."""
        return False


def _matches(call: str, request: Request, where: Route) -> bool:
    method, _, path = call.partition(" ")
    parts = path.split("/")
    return (
        method == request.method
        and len(parts) == len(where.segments)
        and all(part in ("*", segment) for part, segment in zip(parts, where.segments, strict=True))
    )


def _steps(value: Json, kind: str) -> Iterator[Json]:
    return (step for step in value.get("steps", ()) if step["type"] == kind)


@SHAPES.mutant("shape-get")
class _Get(_Spoiled):
    """The labels in the response to a GET are a number."""

    call = "GET interactions/*"

    def spoil(self, value: Json) -> None:
        value["labels"] = 5


@SHAPES.mutant("shape-background")
class _Background(_Spoiled):
    """The steps of a run that has just started are a string."""

    def spoil(self, value: Json) -> None:
        if value["status"] == "in_progress":
            value["steps"] = "none"


@SHAPES.mutant("shape-requires-action")
class _RequiresAction(_Spoiled):
    """The service tier of an interaction that requires action is a list."""

    def spoil(self, value: Json) -> None:
        if value["status"] == "requires_action":
            value["service_tier"] = []


@SHAPES.mutant("shape-search")
class _Search(_Spoiled):
    """The arguments of a search call are a string."""

    def spoil(self, value: Json) -> None:
        for step in _steps(value, "google_search_call"):
            step["arguments"] = '{"queries": []}'


@SHAPES.mutant("shape-step-unlisted")
class _StepUnlisted(_Spoiled):
    """A search call is shown as a step of an undocumented type."""

    def spoil(self, value: Json) -> None:
        for step in _steps(value, "google_search_call"):
            step["type"] = "tool_call"


@SHAPES.mutant("shape-child")
class _Child(_Spoiled):
    """The model of a chained interaction is an object."""

    def spoil(self, value: Json) -> None:
        if value.get("previous_interaction_id"):
            value["model"] = {"name": value.get("model")}


@SHAPES.mutant("shape-cancel")
class _Cancel(_Spoiled):
    """The labels in the response to a cancel are a number."""

    call = "POST interactions/*/cancel"

    def spoil(self, value: Json) -> None:
        value["labels"] = 5


@SHAPES.mutant("shape-cancelled-event")
class _CancelledEvent(Events):
    """The closing event of a cancelled run has a number as its creation time."""

    def completed(self, run: Run) -> Json:
        event = super().completed(run)
        if event["interaction"]["status"] == "cancelled":
            event["interaction"]["created"] = 4
        return event


@SHAPES.mutant("shape-agent")
class _Agent(_Spoiled):
    """A read shows the description of a saved agent as a number."""

    call = "GET agents/*"

    def spoil(self, value: Json) -> None:
        value["description"] = 5


@SHAPES.mutant("shape-agents-listed")
class _AgentsListed(_Spoiled):
    """The tools of listed agents are a string."""

    call = "GET agents"

    def spoil(self, value: Json) -> None:
        for agent in value.get("agents", ()):
            agent["tools"] = "all"


@SHAPES.mutant("shape-environment")
class _Environment(_Spoiled):
    """A read shows the sources of an environment as a string."""

    call = "GET environments/*"

    def spoil(self, value: Json) -> None:
        value["sources"] = "none"


@SHAPES.mutant("shape-files")
class _Files(_Spoiled):
    """The type of a file in a listing is a number."""

    call = "GET environments/*/files"

    def spoil(self, value: Json) -> None:
        for file in value.get("files", ()):
            file["type"] = 1


@SHAPES.mutant("shape-webhook")
class _Webhook(_Spoiled):
    """A read shows the state of a webhook as a number."""

    call = "GET webhooks/*"

    def spoil(self, value: Json) -> None:
        value["state"] = 1


@SHAPES.mutant("shape-chain-refusal")
class _ChainRefusal(_RefusedAsPage):
    """A create that continues an interaction is refused with an HTML page instead of an error object."""

    def concerns(self, request: Request, where: Route) -> bool:
        return b'"previous_interaction_id"' in request.body


@SHAPES.mutant("shape-cancel-refusal")
class _CancelRefusal(_RefusedAsPage):
    """A cancel that comes too late is refused with an HTML page."""

    def concerns(self, request: Request, where: Route) -> bool:
        return where.segments[-1:] == ("cancel",)
