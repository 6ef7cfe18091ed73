"""Mutants: function calls and their results."""

from __future__ import annotations

from harness.emulator.admission import Admission
from harness.emulator.call import Refusal
from harness.emulator.engine import Engine
from harness.emulator.events import Events
from harness.emulator.inputs import results
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json, altered
from harness.emulator.order import Order
from harness.emulator.render import Bodies
from harness.emulator.replies import Replies
from harness.emulator.run import Run
from harness.emulator.scripts import Script
from harness.emulator.turns import refuse
from harness.wire import Response

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
    """A function is called that nobody declared."""

    def change(self, step: Json) -> None:
        step["name"] = "something_else"


@TOOLS.mutant("call-arguments-misfit")
class _CallArgumentsMisfit(_Calls):
    """The arguments of a call do not fit the declaration."""

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
    """A read shows the pending call under another id."""

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
    """All calls of an answer have one id."""

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


@TOOLS.mutant("result-refused")
class _ResultRefused(Admission):
    """Function results are refused."""

    def function_results(self, order: Order) -> None:
        if results(order.given):
            raise refuse("'function_result' is not supported.")


@TOOLS.mutant("result-string-refused")
class _ResultStringRefused(Admission):
    """A result must be an object; strings are refused."""

    def function_results(self, order: Order) -> None:
        if any(isinstance(item.get("result"), str) for item in results(order.given)):
            raise refuse("'result' must be an object.")
        super().function_results(order)


@TOOLS.mutant("result-list-crashes")
class _ResultListCrashes(Admission):
    """A result that is a list of contents is answered 500."""

    def function_results(self, order: Order) -> None:
        if any(isinstance(item.get("result"), list) for item in results(order.given)):
            raise Refusal(500, "api_error", "Internal error.")
        super().function_results(order)


@TOOLS.mutant("result-needs-tools")
class _ResultNeedsTools(Admission):
    """A result is refused unless the tools are declared again."""

    def function_results(self, order: Order) -> None:
        if results(order.given) and not order.tools:
            raise refuse("'tools' is missing.")
        super().function_results(order)


@TOOLS.mutant("result-orphan-accepted")
class _ResultOrphanAccepted(Admission):
    """A result is accepted without any call before it."""

    def function_results(self, order: Order) -> None:
        if order.previous is not None:
            super().function_results(order)


@TOOLS.mutant("result-bad-id-crashes")
class _ResultBadIdCrashes(Admission):
    """A result for no call is answered 500."""

    def function_results(self, order: Order) -> None:
        try:
            super().function_results(order)
        except Refusal:
            raise Refusal(500, "api_error", "Internal error.") from None


@TOOLS.mutant("parallel-results-refused")
class _ParallelResultsRefused(Admission):
    """Only one result is taken at a time."""

    def function_results(self, order: Order) -> None:
        if len(results(order.given)) > 1:
            raise refuse("Send one function_result.")
        super().function_results(order)


@TOOLS.mutant("stateless-refused")
class _StatelessRefused(Admission):
    """Steps that are sent back are refused: a tool loop needs a stored parent."""

    def signatures(self, order: Order) -> None:
        if any(step.get("type") == "thought" for step in order.given):
            raise refuse("Unknown step type 'thought'.")


@TOOLS.mutant("signature-unchecked")
class _SignatureUnchecked(Admission):
    """A thought is taken back without its signature."""

    def signatures(self, order: Order) -> None:
        return None


@TOOLS.mutant("signature-missing-crashes")
class _SignatureMissingCrashes(Admission):
    """A thought without its signature is answered 500."""

    def thought_signature(self, step: Json) -> None:
        if not step.get("signature"):
            raise Refusal(500, "api_error", "Internal error.")


@TOOLS.mutant("result-id-unchecked")
class _ResultIdUnchecked(Admission):
    """A result is taken whichever call it names."""

    def function_results(self, order: Order) -> None:
        if order.previous is None:
            super().function_results(order)


@TOOLS.mutant("result-error-refused")
class _ResultErrorRefused(Admission):
    """A result that reports an error is refused."""

    def function_results(self, order: Order) -> None:
        if any(item.get("is_error") for item in results(order.given)):
            raise refuse("The tool failed.")
        super().function_results(order)


class _AnswerToResult(Engine):
    """The answer to a result has the status `shown`."""

    shown = ""

    def answer(self, opened: tuple[Run, Order]) -> Response:
        response = super().answer(opened)
        if not results(opened[1].given):
            return response
        return altered(response, lambda body: {**body, "status": self.shown})


@TOOLS.mutant("result-answer-running")
class _ResultAnswerRunning(_AnswerToResult):
    """The answer to a result is in progress, as if it ran in the background."""

    shown = "in_progress"


@TOOLS.mutant("result-answer-queued")
class _ResultAnswerQueued(_AnswerToResult):
    """The answer to a result is queued."""

    shown = "queued"


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
    """A search is handed to the client as a function call."""

    def steps(self, order: Order, script: Script) -> tuple[list[Json], bool]:
        steps, cut = super().steps(order, script)
        return [_as_function(step) for step in steps if step["type"] != "google_search_result"], cut


def _as_function(step: Json) -> Json:
    if step["type"] != "google_search_call":
        return step
    return {"id": step["id"], "name": "google_search", "arguments": step["arguments"], "type": "function_call"}
