"""A gateway that the run starts itself: its command, what it says, and its end, children included.

Layer 4. Knows processes; must not know what a gateway does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

from harness.outcome import UsageFault

PATIENCE = 10.0
"""Seconds that it has to end when it is asked to."""

_WORDS = 2_000


class Started:
    """A command that runs; `words` are the end of all it has written."""

    def __init__(self, child: subprocess.Popen[bytes], output: IO[bytes], name: str) -> None:
        self._child = child
        self._output = output
        self._name = name

    @property
    def words(self) -> str:
        """The end of its output so far."""
        size = os.fstat(self._output.fileno()).st_size
        data = os.pread(self._output.fileno(), _WORDS, max(0, size - _WORDS))
        return data.decode("utf-8", "replace").strip()

    def ended(self, within: float = 0.0) -> str:
        """How it ended, at most so many seconds from now, with its last words; "" while it runs."""
        try:
            code = self._child.wait(within)
        except subprocess.TimeoutExpired:
            return ""
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        said = f"\n{self.words}" if self.words else ""
        return f"the gateway, {self._name!r}, has ended ({how}){said}"


@contextmanager
def started(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Started]:
    """Run a command in a process group of its own until the block ends. Raises UsageFault for one that is none."""
    with tempfile.TemporaryFile() as output:
        try:
            child = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as wrong:
            raise UsageFault(f"cannot run {command[0]!r}: {wrong.strerror}") from None
        try:
            yield Started(child, output, command[0])
        finally:
            _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ask the whole group to end, then make it; a shell around the gateway would leave that behind."""
    _signal(child, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(PATIENCE)
    _signal(child, signal.SIGKILL)
    child.wait()


def _signal(child: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)
