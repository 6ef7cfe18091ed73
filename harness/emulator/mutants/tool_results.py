"""Mutants: the results that a client sends for function calls."""

from __future__ import annotations

from harness.contract.data.input import results
from harness.emulator.create.validation import Admission
from harness.emulator.engine import Engine
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json, altered
from harness.emulator.run.run import Run
from harness.emulator.values.call import Refusal, invalid
from harness.emulator.values.create_request import Order
from harness.wire import Response

RESULTS = Area("tool results")


@RESULTS.mutant("result-refused")
class _ResultRefused(Admission):
    """Function results are refused."""

    def function_results(self, order: Order) -> None:
        if results(order.given):
            raise invalid("'function_result' is not supported.")


@RESULTS.mutant("result-string-refused")
class _ResultStringRefused(Admission):
    """A result must be an object; strings are refused."""

    def function_results(self, order: Order) -> None:
        if any(isinstance(item.get("result"), str) for item in results(order.given)):
            raise invalid("'result' must be an object.")
        super().function_results(order)


@RESULTS.mutant("result-list-crashes")
class _ResultListCrashes(Admission):
    """A result that is a list of contents is answered with 500."""

    def function_results(self, order: Order) -> None:
        if any(isinstance(item.get("result"), list) for item in results(order.given)):
            raise Refusal(500, "api_error", "Internal error.")
        super().function_results(order)


@RESULTS.mutant("result-needs-tools")
class _ResultNeedsTools(Admission):
    """A result is refused unless the tools are declared again."""

    def function_results(self, order: Order) -> None:
        if results(order.given) and not order.tools:
            raise invalid("'tools' is missing.")
        super().function_results(order)


@RESULTS.mutant("result-orphan-accepted")
class _ResultOrphanAccepted(Admission):
    """A result is accepted without any call before it."""

    def function_results(self, order: Order) -> None:
        if order.previous is not None:
            super().function_results(order)


@RESULTS.mutant("result-bad-id-crashes")
class _ResultBadIdCrashes(Admission):
    """A result that belongs to no call is answered with 500."""

    def function_results(self, order: Order) -> None:
        try:
            super().function_results(order)
        except Refusal:
            raise Refusal(500, "api_error", "Internal error.") from None


@RESULTS.mutant("parallel-results-refused")
class _ParallelResultsRefused(Admission):
    """Only one result is accepted at a time."""

    def function_results(self, order: Order) -> None:
        if len(results(order.given)) > 1:
            raise invalid("Send one function_result.")
        super().function_results(order)


@RESULTS.mutant("stateless-refused")
class _StatelessRefused(Admission):
    """Steps that are sent back are refused: a tool loop needs a stored parent."""

    def signatures(self, order: Order) -> None:
        if any(step.get("type") == "thought" for step in order.given):
            raise invalid("Unknown step type 'thought'.")


@RESULTS.mutant("signature-unchecked")
class _SignatureUnchecked(Admission):
    """A thought is accepted as input without its signature."""

    def signatures(self, order: Order) -> None:
        return None


@RESULTS.mutant("signature-missing-crashes")
class _SignatureMissingCrashes(Admission):
    """A thought as input without its signature is answered with 500."""

    def thought_signature(self, step: Json) -> None:
        if not step.get("signature"):
            raise Refusal(500, "api_error", "Internal error.")


@RESULTS.mutant("result-id-unchecked")
class _ResultIdUnchecked(Admission):
    """A result is accepted whatever call it names."""

    def function_results(self, order: Order) -> None:
        if order.previous is None:
            super().function_results(order)


@RESULTS.mutant("result-error-refused")
class _ResultErrorRefused(Admission):
    """A result that reports an error is refused."""

    def function_results(self, order: Order) -> None:
        if any(item.get("is_error") for item in results(order.given)):
            raise invalid("The tool failed.")
        super().function_results(order)


class _AnswerToResult(Engine):
    """The interaction that answers a result has the status `shown`."""

    shown = ""

    def answer(self, opened: tuple[Run, Order]) -> Response:
        response = super().answer(opened)
        if not results(opened[1].given):
            return response
        return altered(response, lambda body: {**body, "status": self.shown})


@RESULTS.mutant("result-answer-running")
class _ResultAnswerRunning(_AnswerToResult):
    """The answer to a result is in progress, as if it ran in the background."""

    shown = "in_progress"


@RESULTS.mutant("result-answer-queued")
class _ResultAnswerQueued(_AnswerToResult):
    """The answer to a result is queued."""

    shown = "queued"
