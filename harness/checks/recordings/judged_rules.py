"""The rules that the contract's judges look at in each kind of recorded traffic.

Layer 2, values only. A rule that was looked at without a finding was kept, and `harness verify` says so. What
several exchanges must agree on is not listed: whether it was looked at depends on which exchanges were recorded.
"""

from __future__ import annotations

STREAM_RULES = frozenset(
    {
        "create.status-listed",
        "stream.args-join",
        "stream.bare-error",
        "stream.completed-last",
        "stream.completed-no-steps",
        "stream.completed-status",
        "stream.completed-usage",
        "stream.created-once",
        "stream.created-status",
        "stream.delta-fits",
        "stream.delta-known",
        "stream.done",
        "stream.done-final",
        "stream.error-shape",
        "stream.event-type",
        "stream.evid-delta",
        "stream.evid-unique",
        "stream.first",
        "stream.framing",
        "stream.id-constant",
        "stream.index-contiguous",
        "stream.index-reuse",
        "stream.json",
        "stream.legacy-names",
        "stream.name-agrees",
        "stream.no-interleave",
        "stream.schema",
        "stream.sig-last",
        "stream.start-before",
        "stream.stop-once",
        "stream.surrogates",
        "stream.terminal",
    }
)

FRAMING_RULES = frozenset({"stream.framing", "stream.name-agrees", "stream.done", "stream.done-final"})
"""Rules of a stream that say nothing of one whose framing is lost."""

BODY_RULES = frozenset(
    {
        "create.generation",
        "create.status",
        "create.status-listed",
        "create.times",
        "steps.annotation-range",
        "steps.base64",
        "steps.discriminator",
        "steps.result-match",
        "tool.step-unknown",
        "usage.modality",
        "usage.sum",
        "usage.types",
    }
)
"""Rules of an interaction; the rule of its schema depends on the operation."""

ERROR_RULES = frozenset({"err.shape", "err.code-string", "err.code-word", "err.code-status"})

REQUEST_RULES = frozenset({"request.schema"})
