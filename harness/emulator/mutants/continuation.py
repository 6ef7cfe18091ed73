"""Mutants: answers that pause with a continuation token."""

from __future__ import annotations

from harness.emulator.create.validation import CreateValidator
from harness.emulator.mutants.changes import drop, inside, refuse, skip, when
from harness.emulator.mutants.hooks import admit, body, event, row
from harness.emulator.mutants.parts import before
from harness.kit.mutant import table

MUTANTS = table(
    "continuation",
    row("continuation-token-missing", "An interaction that requires continuation has no continuation token.",
        body(drop("continuation_token"))),
    row("continuation-needs-input",
        "A continuation token alone is not enough to continue: `input` is required as well.",
        admit("needs_input", when(lambda body: "input" not in body, refuse("'input' is missing.")))),
    row("continuation-token-unchecked", "Any continuation token continues any interaction.",
        admit("continuation", skip)),
    row("continuation-stream-without-token",
        "The stream of an interaction that requires continuation lacks the continuation token.",
        event("interaction.completed", inside("interaction", drop("continuation_token")))),
    row("checkpoint-refused", "The continuation token of a status update is refused.",
        before(CreateValidator.continuation, when(
            lambda validator, order: getattr(
                validator.tokens.get(order.body["continuation_token"]), "rest", None),
            refuse("'continuation_token' is not valid.")))),
    row("continuation-needs-parent", "A continuation token without a stored parent is refused.",
        admit("continuation", when(
            lambda order: order.previous is None,
            refuse("'continuation_token' needs 'previous_interaction_id'.")))),
)  # fmt: skip
