"""A command in its own process group, whose outputs are read within limits of time and size.

Layer 5. Its outputs are not always read to the end: they may be endless, and a child that has left the group may
keep them open.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable, Mapping, Sequence

from harness.child_processes import DEVNULL, PIPE, Child, TimeoutExpired, start
from harness.engine.traffic.interrupts import hold_all
from harness.outcome import UsageFault

MOST_BYTES = 8 * 1024 * 1024
"""Limit on standard output in answer to one task."""

_WORDS = 2000
"""How many characters to keep of the end of standard error."""

_GRACE = 1.0
"""Seconds that killed processes have to end, and their last output to arrive."""


class Process:
    """A running command; `out` holds the part of its standard output not yet consumed. Call `end` when done.

    Raises UsageFault if the command cannot be started. Another thread may call `kill`.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], *, asked: bool = False) -> None:
        child: Child | None = None
        try:
            with hold_all():
                self._child = child = start(
                    command,
                    environment,
                    bufsize=0,
                    stdin=PIPE if asked else DEVNULL,
                    stdout=PIPE,
                    stderr=PIPE,
                    start_new_session=True,
                )
        except OSError as wrong:
            raise UsageFault(f"cannot run {command[0]!r}: {wrong.strerror}") from None
        except BaseException:
            if child is not None:  # an interrupt came meanwhile, and nobody else knows of it
                self.kill()
                with child:  # closes its pipes
                    pass
            raise
        self.out = bytearray()
        self._errors = bytearray()
        self._open = selectors.DefaultSelector()
        for pipe, kept in ((self._child.stdout, self.out), (self._child.stderr, self._errors)):
            assert pipe is not None
            self._open.register(pipe, selectors.EVENT_READ, kept)
        if self._child.stdin is not None:
            os.set_blocking(self._child.stdin.fileno(), False)

    def say(self, line: bytes) -> None:
        """Write to its standard input, without waiting for a process that has ended or does not read."""
        assert self._child.stdin is not None
        with contextlib.suppress(OSError):
            self._child.stdin.write(line)

    def hear(self, enough: Callable[[], bool], until: float) -> bool:
        """Read its outputs until `enough` or until it closes them; return whether that was before `until`."""
        while not enough() and self._open.get_map():
            left = until - time.monotonic()
            if left <= 0:
                return False
            for key, _ in self._open.select(left):
                data = os.read(key.fd, 65536)
                key.data.extend(data)
                if not data:
                    self._open.unregister(key.fileobj)
            del self._errors[: -4 * _WORDS]
        return True

    def hear_what_came(self) -> None:
        """Read what its outputs hold now, without waiting."""
        for key, _ in self._open.select(0):
            key.data.extend(os.read(key.fd, 65536))

    def silent(self) -> bool:
        """Whether it has closed its standard output."""
        return all(key.data is not self.out for key in self._open.get_map().values())

    def wait(self, until: float) -> int | None:
        """Its exit code; None if it has not ended in time."""
        with contextlib.suppress(TimeoutExpired):
            return self._child.wait(max(0.0, until - time.monotonic()))
        return None

    def kill(self) -> None:
        """Kill the whole process group; killing only a shell would leave the client that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)

    def end(self) -> str:
        """Kill what is still running and return the end of its standard error."""
        self.kill()
        until = time.monotonic() + _GRACE
        self.wait(until)
        self.hear(lambda: False, until)
        self._open.close()
        for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
            if pipe is not None:
                pipe.close()
        return self._errors.decode(errors="replace")[-_WORDS:].strip()


def how(code: int) -> str:
    """An exit code in words."""
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
