"""The contract of the Interactions API (shape, order, lifecycle and rules), and the judges that check a target.

Sans-IO. The emulator, the checks and the runner take their vocabulary from here.

Names are imported on first use, so that an emulator does not pay for the judges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.late_names import late_names

if TYPE_CHECKING:
    from harness.contract.contract import CURRENT, Contract, load, load_from
    from harness.contract.judge.body import judge_error, judge_interaction, judge_steps, judge_usage
    from harness.contract.judge.history.history_judge import judge_history
    from harness.contract.judge.reading import Reading, read
    from harness.contract.judge.stream import StreamJudge, StreamReading
    from harness.contract.schema.schemas import REVISIONS
    from harness.contract.tables.protocol import (
        PROTOCOL,
        RUNNING,
        SETTLED,
        STATUSES,
        TERMINAL,
        WAITING,
        is_settled,
        may_follow,
    )
    from harness.contract.transcript import Assembler, Difference, compare_steps

__all__ = [
    "StreamJudge", "StreamReading", "Reading", "read",
    "judge_interaction", "judge_steps", "judge_usage", "judge_error",
    "judge_history",
    "Assembler", "compare_steps", "Difference",
    "RUNNING", "SETTLED", "STATUSES", "TERMINAL", "WAITING", "is_settled", "may_follow",
    "PROTOCOL",
    "Contract", "load", "load_from", "REVISIONS", "CURRENT",
]  # fmt: skip

__getattr__ = late_names(__name__)
