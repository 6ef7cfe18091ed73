"""Mutants: continuing an interaction, by its id or by a continuation token."""

from __future__ import annotations

from typing import Any

from harness.emulator.create.validation import Admission
from harness.emulator.engine import Engine
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json, altered
from harness.emulator.run.event_writer import Events
from harness.emulator.run.interaction_body import Bodies
from harness.emulator.run.run import Run
from harness.emulator.values.call import Call, Refusal, invalid
from harness.emulator.values.create_request import Order
from harness.wire import Response

CHAIN = Area("chain")


@CHAIN.mutant("chain-refused")
class _ChainRefused(Admission):
    """No interaction can be continued."""

    def parent(self, parent_id: str, project: str) -> Run:
        raise invalid("'previous_interaction_id' is not supported.")


@CHAIN.mutant("chain-ignored")
class _ChainIgnored(Admission):
    """`previous_interaction_id` is ignored, whatever it names."""

    def shape(self, body: Json) -> None:
        body.pop("previous_interaction_id", None)
        super().shape(body)


@CHAIN.mutant("chain-not-echoed")
class _ChainNotEchoed(Bodies):
    """A chained interaction does not name its parent."""

    def extras(self, run: Run, body: Json, settled: bool) -> None:
        super().extras(run, body, settled)
        body.pop("previous_interaction_id", None)


@CHAIN.mutant("chain-history-lost")
class _ChainHistoryLost(Run):
    """The history is not carried over."""

    def total_context(self) -> int:
        return 0


@CHAIN.mutant("chain-repeats-steps")
class _ChainRepeatsSteps(Engine):
    """The response to a chained create repeats the steps of its parent."""

    def open(self, order: Order) -> tuple[Run, Order]:
        run, order = super().open(order)
        if order.previous is not None:
            run.steps = [*order.previous.steps, *run.steps]
        return run, order


@CHAIN.mutant("chain-same-id")
class _ChainSameId(Engine):
    """A chained interaction takes its parent's id and place."""

    def open(self, order: Order) -> tuple[Run, Order]:
        run, order = super().open(order)
        if order.previous is not None and run.stored:
            self.store.forget(run)
            run.id = order.previous.id
            self.store.keep(run)
        return run, order


@CHAIN.mutant("parent-mutated")
class _ParentMutated(Engine):
    """A child appends its steps to its parent."""

    def open(self, order: Order) -> tuple[Run, Order]:
        run, order = super().open(order)
        if order.previous is not None:
            order.previous.steps = [*order.previous.steps, *run.steps]
            order.previous.bodies.clear()
        return run, order


@CHAIN.mutant("one-child-only")
class _OneChildOnly(Admission):
    """A parent can be continued only once."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.continued: set[str] = set()

    def parent(self, parent_id: str, project: str) -> Run:
        run = super().parent(parent_id, project)
        if run.id in self.continued:
            raise invalid("It was continued already.", "failed_precondition")
        self.continued.add(run.id)
        return run


@CHAIN.mutant("chain-running-allowed")
class _ChainRunningAllowed(Admission):
    """A run in progress can be continued."""

    def parent_settled(self, run: Run) -> None:
        return None


@CHAIN.mutant("chain-running-crashes")
class _ChainRunningCrashes(Admission):
    """Continuing a run in progress is answered with 500."""

    def parent_settled(self, run: Run) -> None:
        if not run.settled:
            raise Refusal(500, "api_error", "Internal error.")


@CHAIN.mutant("chain-background-refused")
class _ChainBackgroundRefused(Admission):
    """A background run cannot be continued, even when it has settled."""

    def parent_settled(self, run: Run) -> None:
        if run.background:
            raise invalid("It ran in the background.", "failed_precondition")


@CHAIN.mutant("chain-unknown-allowed")
class _ChainUnknownAllowed(Admission):
    """A parent that does not exist is ignored."""

    def resolve(self, body: Json, project: str) -> Order:
        if self._find(body.get("previous_interaction_id", ""), project) is None:
            body.pop("previous_interaction_id", None)
        return super().resolve(body, project)


@CHAIN.mutant("chain-unknown-crashes")
class _ChainUnknownCrashes(Admission):
    """A create with a parent that does not exist is answered with 500."""

    def parent(self, parent_id: str, project: str) -> Run:
        if self._find(parent_id, project) is None:
            raise Refusal(500, "api_error", "Internal error.")
        return super().parent(parent_id, project)


@CHAIN.mutant("tools-inherited")
class _ToolsInherited(Admission):
    """The tools of a parent are inherited."""

    def resolve(self, body: Json, project: str) -> Order:
        order = super().resolve(body, project)
        if order.previous is not None and order.previous.body.get("tools"):
            order.body = {"tools": order.previous.body["tools"], **body}
        return order


@CHAIN.mutant("continuation-token-missing")
class _ContinuationTokenMissing(Bodies):
    """An interaction that requires continuation has no continuation token."""

    def extras(self, run: Run, body: Json, settled: bool) -> None:
        super().extras(run, body, settled)
        body.pop("continuation_token", None)


@CHAIN.mutant("continuation-token-empty")
class _ContinuationTokenEmpty(Bodies):
    """An interaction that requires continuation has an empty continuation token."""

    def extras(self, run: Run, body: Json, settled: bool) -> None:
        super().extras(run, body, settled)
        if "continuation_token" in body:
            body["continuation_token"] = ""


@CHAIN.mutant("continuation-needs-input")
class _ContinuationNeedsInput(Admission):
    """A continuation token alone is not enough to continue: `input` is required as well."""

    def needs_input(self, body: Json) -> None:
        if "input" not in body:
            raise invalid("'input' is missing.")
        super().needs_input(body)


@CHAIN.mutant("continuation-same-id")
class _ContinuationSameId(Engine):
    """A continuation has the id of the interaction that it continues."""

    def create(self, call: Call) -> Response:
        def change(body: Json) -> None:
            if "previous_interaction_id" in body and b"continuation_token" in call.request.body:
                body["id"] = body["previous_interaction_id"]

        return altered(super().create(call), change)


@CHAIN.mutant("continuation-token-unchecked")
class _ContinuationTokenUnchecked(Admission):
    """Any continuation token continues any interaction."""

    def continuation(self, order: Order) -> None:
        return None


@CHAIN.mutant("continuation-stream-without-token")
class _ContinuationStreamWithoutToken(Events):
    """The stream of an interaction that requires continuation lacks the continuation token."""

    def completed(self, run: Run) -> Json:
        event = super().completed(run)
        event["interaction"].pop("continuation_token", None)
        return event


@CHAIN.mutant("continuation-stream-completed")
class _ContinuationStreamCompleted(Events):
    """The stream of an interaction that requires continuation reports it as completed."""

    def completed(self, run: Run) -> Json:
        event = super().completed(run)
        if event["interaction"]["status"] == "requires_continuation":
            event["interaction"]["status"] = "completed"
        return event


@CHAIN.mutant("chained-not-stored")
class _ChainedNotStored(Engine):
    """A chained interaction has an id but is not stored."""

    def open(self, order: Order) -> tuple[Run, Order]:
        run, order = super().open(order)
        if order.previous is not None and run.stored:
            self.store.forget(run)
        return run, order


@CHAIN.mutant("stateless-turn-refused")
class _StatelessTurnRefused(Admission):
    """The output steps of an earlier turn are refused as input."""

    def signatures(self, order: Order) -> None:
        if any(step.get("type") == "model_output" for step in order.given):
            raise invalid("Input takes no step of type 'model_output'.")
        super().signatures(order)


@CHAIN.mutant("continuation-needs-parent")
class _ContinuationNeedsParent(Admission):
    """A continuation token without a stored parent is refused."""

    def continuation(self, order: Order) -> None:
        if order.previous is None:
            raise invalid("'continuation_token' needs 'previous_interaction_id'.")
        super().continuation(order)
