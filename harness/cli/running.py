"""A command that runs beside what is served for it: it gets the signals that end us, and never outlives us.

Layer 6. Knows processes; must not know what is served.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

from harness.cli.signals import INTERRUPT
from harness.outcome import UsageFault

PATIENCE = 10.0
"""Seconds that a command has to end when it was told to."""


class Running:
    """A command, and the signals it is to have.

    On a terminal it stays in our process group, so that it may read there; Ctrl-C reaches it from there, and it
    decides itself what that means. Where there is no terminal it gets a group of its own, whose members, children
    of a shell say, all get every signal, and are killed once the command itself has ended.
    """

    def __init__(self) -> None:
        self._alone = not _on_a_terminal()
        self._child: subprocess.Popen[bytes] | None = None
        self._told: list[int] = []
        self._last: threading.Timer | None = None

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Its exit code as a shell has it; 128 and the signal's number where it was told to end.

        Raises UsageFault for a command that cannot be run.
        """
        if self._told:
            return 128 + self._told[0]
        try:
            child = subprocess.Popen(command, env=environment, process_group=0 if self._alone else None)
        except OSError as wrong:
            raise UsageFault(f"cannot run {command[0]!r}: {wrong.strerror}") from None
        self._child = child
        if self._told:  # it came while the command was being started
            self._pass_on(self._told[0])
        code = child.wait()
        if self._last is not None:
            self._last.cancel()
        if self._alone:  # a job in the background of a shell does not hear SIGINT, and the server goes now
            _signal_group(child, signal.SIGKILL)
        if self._told:
            return 128 + self._told[0]
        return code if code >= 0 else 128 - code

    def heed(self, number: int) -> None:
        """Pass a signal on; a command that does not end upon it in time is killed.

        Raises KeyboardInterrupt for a Ctrl-C that comes before there is a command.
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


def _signal_group(child: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def _on_a_terminal() -> bool:
    """Whether a terminal's signals reach our process group."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
