"""Remove our own frames from reports of wrong calls: the author needs only the message and the line of the test.

Layer 7.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

import pytest

from harness.outcome import UsageFault


def reword(call: pytest.CallInfo[Any]) -> None:
    """Remove our frames from a UsageFault that a test, or one of our fixtures, raised for a wrong call."""
    excinfo = call.excinfo
    if excinfo is None or not isinstance(excinfo.value, UsageFault):
        return
    if call.when == "setup":
        said = pytest.fail.Exception(str(excinfo.value), pytrace=False).with_traceback(excinfo.value.__traceback__)
        call.excinfo = pytest.ExceptionInfo.from_exception(said)
        return
    _cut(excinfo.tb)


def _cut(trace: TracebackType | None) -> None:
    """Cut a traceback after the last frame that is not ours."""
    last = None
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] != "harness":
            last = trace
        trace = trace.tb_next
    if last is not None:
        last.tb_next = None
