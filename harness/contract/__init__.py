"""What the Interactions API promises (shape, order, lifecycle and rules), and the judges that check a target.

Layer 1, sans-IO. The emulator, the checks and the runner take their vocabulary from here.
"""

from harness.contract.assembly import Assembler
from harness.contract.body import judge_interaction, judge_steps
from harness.contract.comparison import Difference, compare_steps
from harness.contract.errors import judge_error
from harness.contract.history import judge_history
from harness.contract.lifecycle import (
    RUNNING,
    SETTLED,
    STATUSES,
    TERMINAL,
    WAITING,
    is_settled,
    may_follow,
)
from harness.contract.protocol import PROTOCOL
from harness.contract.reading import Reading, read
from harness.contract.schemas import CURRENT, REVISIONS, load
from harness.contract.stream import StreamJudge
from harness.contract.stream_reading import StreamReading
from harness.contract.usage import judge_usage

__all__ = [
    "StreamJudge", "StreamReading", "Reading", "read",
    "judge_interaction", "judge_steps", "judge_usage", "judge_error",
    "judge_history",
    "Assembler", "compare_steps", "Difference",
    "RUNNING", "SETTLED", "STATUSES", "TERMINAL", "WAITING", "is_settled", "may_follow",
    "PROTOCOL",
    "load", "REVISIONS", "CURRENT",
]  # fmt: skip
