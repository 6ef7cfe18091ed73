"""A gateway that the run starts itself: its command, its output, and its end, child processes included.

Layer 5. Knows processes; must not know what a gateway does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

from harness.child_processes import DEVNULL, STDOUT, Child, TimeoutExpired, start
from harness.engine.traffic.interrupts import hold_all
from harness.outcome import UsageFault

PATIENCE = 10.0
"""Seconds that it has to end after it is asked to."""

_WORDS = 2_000


class Started:
    """A command that was started; its output is kept in a file."""

    def __init__(self, child: Child, output: IO[bytes], name: str) -> None:
        self._child = child
        self._output = output
        self._name = name

    @property
    def words(self) -> str:
        """The end of its output so far."""
        size = os.fstat(self._output.fileno()).st_size
        data = os.pread(self._output.fileno(), _WORDS, max(0, size - _WORDS))
        return data.decode("utf-8", "replace").strip()

    def find_end(self, within: float = 0.0) -> str:
        """Wait at most `within` seconds; return how it ended, or `""` if it still runs."""
        try:
            code = self._child.wait(within)
        except TimeoutExpired:
            return ""
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        return f"the gateway, {self._name!r}, has ended ({how})"

    def wait_for_end(self, within: float = 0.0) -> str:
        """The same, with its last output."""
        ended = self.find_end(within)
        return f"{ended}\n{self.words}" if ended and self.words else ended


@contextmanager
def run_command(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Started]:
    """Run a command in its own process group until the block ends. Raises UsageFault if it cannot be run."""
    with tempfile.TemporaryFile() as output:
        child: Child | None = None
        try:
            with hold_all():
                child = _start(command, environment, output)
            yield Started(child, output, command[0])
        finally:
            if child is not None:
                _end(child)


def _start(command: Sequence[str], environment: Mapping[str, str], output: IO[bytes]) -> Child:
    try:
        return start(command, environment, stdin=DEVNULL, stdout=output, stderr=STDOUT, start_new_session=True)
    except OSError as wrong:
        raise UsageFault(f"cannot run {command[0]!r}: {wrong.strerror}") from None


def _end(child: Child) -> None:
    """Ask the whole group to end, then kill it; ending only a shell would leave its gateway running."""
    _signal(child, signal.SIGTERM)
    with contextlib.suppress(TimeoutExpired):
        child.wait(PATIENCE)
    _signal(child, signal.SIGKILL)
    child.wait()


def _signal(child: Child, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)
