"""Mutants: function calls."""

from __future__ import annotations

from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json
from harness.emulator.reply.replies import Replies
from harness.emulator.run.event_writer import Events
from harness.emulator.run.interaction_body import Bodies
from harness.emulator.run.run import Run
from harness.emulator.script.scripts import Script
from harness.emulator.values.create_request import Order

TOOLS = Area("tools")


class _Calls(Replies):
    """Every function call passes through `change`."""

    def steps(self, order: Order, script: Script) -> tuple[list[Json], bool]:
        steps, cut = super().steps(order, script)
        for step in steps:
            if step["type"] == "function_call":
                self.change(step)
        return steps, cut

    def change(self, step: Json) -> None:
        """The defect."""


@TOOLS.mutant("call-completed")
class _CallCompleted(Bodies):
    """An interaction with a pending call is shown as completed."""

    def status(self, run: Run) -> str:
        status = super().status(run)
        return "completed" if status == "requires_action" else status


@TOOLS.mutant("call-without-id")
class _CallWithoutId(Bodies):
    """A function call has no id."""

    def steps(self, run: Run, *, timeline: bool) -> list[Json]:
        return [
            {name: value for name, value in step.items() if name != "id"}
            if step["type"] == "function_call"
            else step
            for step in super().steps(run, timeline=timeline)
        ]


@TOOLS.mutant("call-arguments-string")
class _CallArgumentsString(Bodies):
    """The arguments of a function call are a string of JSON, as in other APIs."""

    def steps(self, run: Run, *, timeline: bool) -> list[Json]:
        return [
            {**step, "arguments": '{"city":"Paris"}'} if step["type"] == "function_call" else step
            for step in super().steps(run, timeline=timeline)
        ]


@TOOLS.mutant("call-undeclared")
class _CallUndeclared(_Calls):
    """A function is called that was not declared."""

    def change(self, step: Json) -> None:
        step["name"] = "something_else"


@TOOLS.mutant("call-arguments-misfit")
class _CallArgumentsMisfit(_Calls):
    """The arguments of a call do not match the function's declaration."""

    def change(self, step: Json) -> None:
        step["arguments"] = {"unexpected": 1}


@TOOLS.mutant("call-not-stored")
class _CallNotStored(Bodies):
    """A read does not show the pending call."""

    def steps(self, run: Run, *, timeline: bool) -> list[Json]:
        steps = super().steps(run, timeline=timeline)
        return [step for step in steps if step["type"] != "function_call"] if timeline else steps


@TOOLS.mutant("call-renamed-when-stored")
class _CallRenamedWhenStored(Bodies):
    """A read shows the pending call with a different id."""

    def steps(self, run: Run, *, timeline: bool) -> list[Json]:
        steps = super().steps(run, timeline=timeline)
        if not timeline:
            return steps
        return [{**step, "id": "call_0"} if step["type"] == "function_call" else step for step in steps]


@TOOLS.mutant("choice-none-ignored")
class _ChoiceNoneIgnored(Replies):
    """A function is called although tool_choice is none."""

    def default_steps(self, order: Order, script: Script) -> list[Json]:
        config = {name: value for name, value in order.generation.items() if name != "tool_choice"}
        order.body = {**order.body, "generation_config": config}
        return super().default_steps(order, script)


@TOOLS.mutant("call-ids-same")
class _CallIdsSame(_Calls):
    """All calls of an interaction have the same id."""

    def change(self, step: Json) -> None:
        step["id"] = "call_1"


@TOOLS.mutant("call-streamed-completed")
class _CallStreamedCompleted(Events):
    """A stream with a pending call ends as completed."""

    def completed(self, run: Run) -> Json:
        event = super().completed(run)
        if event["interaction"]["status"] == "requires_action":
            event["interaction"]["status"] = "completed"
        return event


@TOOLS.mutant("call-streamed-without-arguments")
class _CallStreamedWithoutArguments(Events):
    """A streamed call has no arguments."""

    def arguments(self, run: Run, step: Json) -> list[Json]:
        return []

    def shell(self, step: Json) -> Json:
        shell = super().shell(step)
        shell.pop("arguments", None)
        return shell


@TOOLS.mutant("choice-allowed-ignored")
class _ChoiceAllowedIgnored(Replies):
    """Functions are called that tool_choice does not allow."""

    def default_steps(self, order: Order, script: Script) -> list[Json]:
        choice = order.generation.get("tool_choice")
        if isinstance(choice, dict):
            order.body = {**order.body, "generation_config": {"tool_choice": "any"}}
        return super().default_steps(order, script)


@TOOLS.mutant("search-as-function")
class _SearchAsFunction(Replies):
    """A search is returned to the client as a function call."""

    def steps(self, order: Order, script: Script) -> tuple[list[Json], bool]:
        steps, cut = super().steps(order, script)
        return [_as_function(step) for step in steps if step["type"] != "google_search_result"], cut


def _as_function(step: Json) -> Json:
    if step["type"] != "google_search_call":
        return step
    return {"id": step["id"], "name": "google_search", "arguments": step["arguments"], "type": "function_call"}
