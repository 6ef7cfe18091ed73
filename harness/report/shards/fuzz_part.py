"""What a shard of `harness fuzz` hands to the merge, as a member of its JSON report.

Layer 6. A report has its failures already; the shard adds what only a merge needs: how each call was answered, and
the exchanges that show each failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.engine.causes import call_of
from harness.engine.results import Result
from harness.engine.sharding.shards import ShardPart
from harness.report.evidence.evidence_text import logs
from harness.report.run_state import RunState
from harness.report.shards.shard_record import part_record
from harness.wire import Exchange


def fuzz_part_record(part: ShardPart, found: Sequence[Result], state: RunState) -> dict[str, Any]:
    """What the merge needs of one shard that `found` these failures, as plain data; the caller hides secrets."""
    return {
        **part_record(part),
        "calls": [{call: dict(kinds) for call, kinds in phase.calls.items()} for phase in state.phases],
        "evidence": [_record_evidence(result, state) for result in found],
    }


def _record_evidence(result: Result, state: RunState) -> dict[str, Any]:
    """`strict`: whether it breaks its rule only in a strict reading, whatever came of playing it again."""
    shown = [item for item in result.evidence if isinstance(item, Exchange)]
    texts = logs(result.evidence, state.display)
    return {
        "strict": result.id.endswith("?"),
        "exchanges": [
            {"log": list(log.lines), "call": call_of(item, state.api), "status": item.status}
            for log, item in zip(texts, shown, strict=True)
        ],
    }
