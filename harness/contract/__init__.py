"""What the Interactions API promises (shape, order, lifecycle and rules), and the judges that check a target.

Layer 1, sans-IO. The emulator, the checks and the runner take their vocabulary from here.
"""

from harness.contract.contract import CURRENT, Contract, load, load_from
from harness.contract.data.assembly import Assembler
from harness.contract.data.step_diff import Difference, compare_steps
from harness.contract.judge.body import judge_interaction, judge_steps
from harness.contract.judge.failures.errors import judge_error
from harness.contract.judge.history.recorded import judge_history
from harness.contract.judge.reading import Reading, read
from harness.contract.judge.stream import StreamJudge
from harness.contract.judge.stream_summary import StreamReading
from harness.contract.judge.usage import judge_usage
from harness.contract.schema.schemas import REVISIONS
from harness.contract.tables.lifecycle import (
    RUNNING,
    SETTLED,
    STATUSES,
    TERMINAL,
    WAITING,
    is_settled,
    may_follow,
)
from harness.contract.tables.protocol import PROTOCOL

__all__ = [
    "StreamJudge", "StreamReading", "Reading", "read",
    "judge_interaction", "judge_steps", "judge_usage", "judge_error",
    "judge_history",
    "Assembler", "compare_steps", "Difference",
    "RUNNING", "SETTLED", "STATUSES", "TERMINAL", "WAITING", "is_settled", "may_follow",
    "PROTOCOL",
    "Contract", "load", "load_from", "REVISIONS", "CURRENT",
]  # fmt: skip
