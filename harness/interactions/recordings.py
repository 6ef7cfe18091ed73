"""`RECORDINGS`: this API with all that judging recorded traffic takes.

Importing it costs nothing: the file judge is imported when it is called.
"""

from __future__ import annotations

from harness.interactions import INTERACTIONS
from harness.kit.api import LateCall, RecordingsApi

RECORDINGS = RecordingsApi(
    **INTERACTIONS.fields(), new_file_judge=LateCall("harness.checks.recordings", "FileJudge")
)
