"""Runs a command beside the server it uses: it gets the signals that end us, and never outlives us.

Layer 8. Knows processes; must not know what is served.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

from harness.child_processes import Child, start
from harness.cli.signal_handling import INTERRUPT
from harness.outcome import UsageFault

PATIENCE = 10.0
"""Seconds that a command has to end after it was told to."""


class ChildCommand:
    """A command, and the signals that are passed on to it.

    On a terminal the command stays in our process group, so that it can read from the terminal. Ctrl-C reaches it
    from there, and it decides itself what to do. Without a terminal it gets its own process group: every signal
    goes to all members (such as the children of a shell), and the group is killed once the command has ended.
    """

    def __init__(self) -> None:
        self._alone = not _on_a_terminal()
        self._child: Child | None = None
        self._told: list[int] = []
        self._last: threading.Timer | None = None

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Run the command; return its exit code as a shell reports it, or 128 + the signal that told it to end.

        Raises UsageFault for a command that cannot be run.
        """
        if self._told:
            return 128 + self._told[0]
        try:
            child = start(command, environment, process_group=0 if self._alone else None)
        except OSError as wrong:
            raise UsageFault(f"cannot run {command[0]!r}: {wrong.strerror}") from None
        self._child = child
        if self._told:  # the signal came while the command was being started
            self._pass_on(self._told[0])
        code = child.wait()
        if self._last is not None:
            self._last.cancel()
        if self._alone:  # a shell's background job ignores SIGINT, and the server stops now
            _signal_group(child, signal.SIGKILL)
        if self._told:
            return 128 + self._told[0]
        return code if code >= 0 else 128 - code

    def handle_signal(self, number: int) -> None:
        """Pass a signal on; kill the command if it does not end in time.

        Raises KeyboardInterrupt for a Ctrl-C that comes before the command was started.
        """
        if number != INTERRUPT:
            self._told.append(number)
        elif self._child is None:
            raise KeyboardInterrupt
        elif not self._alone:
            return
        if self._child is not None:
            self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        self._send(number)
        if self._last is None:
            self._last = threading.Timer(PATIENCE, self._send, (signal.SIGKILL,))
            self._last.daemon = True
            self._last.start()

    def _send(self, number: int) -> None:
        child = self._child
        if child is None or child.returncode is not None:
            return
        if self._alone:
            _signal_group(child, number)
        else:
            with suppress(ProcessLookupError):
                os.kill(child.pid, number)


def _signal_group(child: Child, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def _on_a_terminal() -> bool:
    """Whether a terminal's signals reach our process group."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
