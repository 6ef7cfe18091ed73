"""What a create may continue: a parent, a continuation token, pending calls, steps that are sent back.

Layer 2. The rules for every turn but the first, one per method, with the source in the docstring; the rules for a
request by itself are in `validation`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from harness.contract.data.input import pending_calls, results, text_of
from harness.emulator.run.run import Run
from harness.emulator.values.call import invalid, not_found
from harness.emulator.values.create_request import CreateRequest
from harness.emulator.values.signatures import altered

Json = dict[str, Any]


class IssuedToken(NamedTuple):
    """Whom a continuation token belongs to, and the steps that are left of the answer there, if they are known."""

    project: str
    rest: list[Json]


_NO_CALL = "send 'previous_interaction_id', or the function_call step itself before its result"


class ContinuationRules:
    """Judges what a request continues. `find(id, project)` returns a stored run or None."""

    def __init__(self, find: Callable[[str, str], Run | None], most_tokens: int) -> None:
        self._find = find
        self._most_tokens = most_tokens
        self.tokens: dict[str, IssuedToken] = {}

    def parent(self, parent_id: str, project: str) -> Run:
        """Return the interaction to continue: stored, of this project, and settled. Raises Refusal."""
        run = self._find(parent_id, project)
        if run is None:
            raise not_found(
                f"There is no stored interaction '{parent_id[:100]}' to continue: it was never created here, "
                "was deleted, or was created with 'store': false."
            )
        self.parent_settled(run)
        return run

    def parent_settled(self, run: Run) -> None:
        """A run in progress cannot be continued (background page)."""
        run.keep_pace()
        if not run.settled:
            raise invalid(
                f"The interaction '{run.id}' is {run.status}: wait until it has settled before continuing it.",
                "failed_precondition",
            )

    def continuation(self, order: CreateRequest) -> None:
        """A continuation token must be the one that the parent issued, or one issued to this project (SDK)."""
        token = order.body["continuation_token"]
        issued = self.tokens.get(token)
        of_parent = order.previous.token if order.previous is not None else None
        if token != of_parent and (issued is None or issued.project != order.project):
            raise invalid(
                "'continuation_token' was not issued to you for this conversation: pass the latest one unchanged."
            )
        if issued is not None:
            order.rest = issued.rest
        if not order.given and order.previous is not None:
            order.text = text_of(order.previous.given)

    def function_results(self, order: CreateRequest) -> None:
        """Results must answer pending calls, each once (function-calling guide), and all of them (inferred)."""
        sent = [item.get("call_id") for item in results(order.given)]
        if not sent:
            return
        pending = self.pending(order)
        for call_id in sent:
            if call_id not in pending:
                waiting = f"pending are {', '.join(pending)}" if pending else f"no call is pending: {_NO_CALL}"
                raise invalid(f"A function_result answers the call '{call_id}', but {waiting}.")
            pending.remove(call_id)
        if pending:
            raise invalid(f"The call(s) {', '.join(pending)} got no function_result: answer all in one request.")

    def pending(self, order: CreateRequest) -> list[str]:
        """Return the ids of the calls that results may answer: those of the parent, and those sent back."""
        earlier = order.previous.steps if order.previous is not None else []
        resent = [step for step in order.given if step.get("type") == "function_call"]
        return [call["id"] for call in pending_calls([*earlier, *resent])]

    def signatures(self, order: CreateRequest) -> None:
        """Thoughts sent back must carry their signature unchanged (thinking guide; code from the errors page)."""
        signed = False
        for step in order.given:
            kind = step.get("type")
            if kind == "thought":
                self.thought_signature(step)
                signed = True
            elif (
                kind == "function_call" and not signed and not step.get("signature") and self.needs_thought(order)
            ):
                raise invalid(
                    f"The function_call '{step.get('id')}' is sent back without the thought before it: "
                    "in a stateless turn send all steps back as they were received.",
                    "missing_thought_signature",
                )

    def needs_thought(self, order: CreateRequest) -> bool:
        """Whether a call must follow its thought: not with a stored parent, and not on every model."""
        return (
            order.previous is None
            and order.agent is None
            and order.profile.value("thought_before_call") == "required"
        )

    def thought_signature(self, step: Json) -> None:
        """Check the signature of one thought."""
        signature = step.get("signature")
        if not signature:
            raise invalid("A thought was sent back without its signature.", "missing_thought_signature")
        if altered(signature):
            raise invalid("The signature of a thought was altered: send it back exactly as it was received.")

    def remember_token(self, run: Run) -> None:
        """Remember the tokens of a run, which may not be stored; the oldest are forgotten first."""
        if run.token is not None:
            self.tokens[run.token] = IssuedToken(run.project, run.rest)
        for at, token in run.checkpoints.items():
            self.tokens[token] = IssuedToken(run.project, run.steps[at + 1 :])
        while len(self.tokens) > self._most_tokens:
            del self.tokens[next(iter(self.tokens))]
