"""The client under torture, as a process: started for each case, or once and asked case by case.

Layer 4. Knows processes, time limits and what a client says at its end; must not know what is right.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Protocol

from harness.outcome import UsageFault
from harness.wire.json_value import object_or_none

_WORDS = 2000
"""Characters kept of the end of standard error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a client ended with. `collected` is a text or a list of events, None when it said nothing of the kind.

    `error` is how it said that it failed, "" when it did not; `words` the end of its standard error.
    """

    collected: Any = None
    error: str = ""
    stopped: bool = False
    words: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Task:
    """What a client is to read: the interaction of this id, at this base URL."""

    base_url: str
    interaction: str
    case: str


class Client(Protocol):
    """Reads one stream after another. `stop` may come from another thread and ends the task in work."""

    def read(self, task: Task, seconds: float) -> Ended: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


Environment = Callable[[Task], Mapping[str, str]]


class OneShot:
    """A command that runs once for each case: the task is in its environment, its standard output the text."""

    def __init__(self, command: Sequence[str], environment: Environment) -> None:
        self._command = list(command)
        self._environment = environment
        self._child: subprocess.Popen[bytes] | None = None

    def read(self, task: Task, seconds: float) -> Ended:
        """Run the command. Raises UsageFault when it cannot be started."""
        begun = time.monotonic()
        with _started(self._command, self._environment(task), stdin=subprocess.DEVNULL) as child:
            self._child = child
            try:
                out, errors = child.communicate(timeout=seconds)
                stopped = False
            except subprocess.TimeoutExpired:
                _kill(child)
                out, errors = child.communicate()
                stopped = True
            except BaseException:
                _kill(child)
                raise
        error = "" if child.returncode == 0 else _how(child.returncode)
        return Ended(
            collected=_text(out),
            error=error,
            stopped=stopped,
            words=_end(errors),
            seconds=time.monotonic() - begun,
        )

    def stop(self) -> None:
        """End the command that runs now."""
        if self._child is not None:
            _kill(self._child)

    close = stop


class Talking:
    """A command that reads tasks as lines of JSON and answers each with one: `{"text": …}` or `{"error": …}`.

    One that ends is started again for the next task.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = list(command)
        self._environment = environment
        self._child: subprocess.Popen[bytes] | None = None
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._errors: IO[bytes] | None = None

    def read(self, task: Task, seconds: float) -> Ended:
        """Hand over one task. Raises UsageFault for a command that does not start, or an answer that is none."""
        begun = time.monotonic()
        child = self._running()
        assert child.stdin is not None
        line = {"base_url": task.base_url, "interaction": task.interaction, "case": task.case}
        with contextlib.suppress(OSError):  # it has ended: the empty line below says so
            child.stdin.write(json.dumps(line).encode() + b"\n")
            child.stdin.flush()
        try:
            answer = self._lines.get(timeout=seconds)
        except queue.Empty:
            return Ended(stopped=True, words=self._drop(), seconds=time.monotonic() - begun)
        spent = time.monotonic() - begun
        if answer:
            return _answered(answer, spent)
        code = child.wait()
        return Ended(
            error=f"the command ended ({_how(code)}) before it answered", words=self._drop(), seconds=spent
        )

    def stop(self) -> None:
        """End the process, and with it the task in work."""
        if self._child is not None:
            _kill(self._child)

    def close(self) -> None:
        """No more tasks."""
        self._drop()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `_drop`
            try:
                child = _started(self._command, self._environment, stdin=subprocess.PIPE, stderr=errors)
            except UsageFault:
                errors.close()
                raise
            self._child, self._errors, self._lines = child, errors, queue.Queue()
            threading.Thread(target=_pump, args=(child, self._lines), daemon=True).start()
        return self._child

    def _drop(self) -> str:
        child, self._child = self._child, None
        if child is None or self._errors is None:
            return ""
        _kill(child)
        assert child.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # a task that it ended without reading
            child.stdin.close()
        with child:
            child.wait()
        self._errors.seek(0)
        words = _end(self._errors.read())
        self._errors.close()
        return words


def _pump(child: subprocess.Popen[bytes], lines: queue.Queue[bytes]) -> None:
    """Move lines into a queue, on which one can wait for a time; an empty one is the end."""
    assert child.stdout is not None
    with contextlib.suppress(ValueError, OSError):  # closed under us
        for line in iter(child.stdout.readline, b""):
            lines.put(line)
    lines.put(b"")


def _started(command: Sequence[str], environment: Mapping[str, str], **pipes: Any) -> subprocess.Popen[bytes]:
    pipes.setdefault("stderr", subprocess.PIPE)
    try:
        return subprocess.Popen(
            command, env=dict(environment), stdout=subprocess.PIPE, start_new_session=True, **pipes
        )
    except OSError as wrong:
        raise UsageFault(f"cannot run {command[0]!r}: {wrong.strerror}") from None


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End a process with all it started; a shell around the client would otherwise leave it behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _answered(line: bytes, seconds: float) -> Ended:
    value = object_or_none(line)
    if value is not None:
        if "error" in value:
            return Ended(error=str(value["error"]) or "an error without words", seconds=seconds)
        found = value.get("text", value.get("events"))
        if isinstance(found, str | list):
            return Ended(collected=found, seconds=seconds)
    shown = line[:200].decode(errors="replace").rstrip()
    raise UsageFault(
        f'with --loop the command answers each line with one of JSON, {{"text": "…"}}, {{"events": […]}} or '
        f'{{"error": "…"}}; this one wrote {shown!r} (logs go to standard error)'
    )


def _text(data: bytes) -> str:
    """The text on standard output; one line end behind it belongs to the terminal."""
    return data.decode(errors="replace").removesuffix("\n").removesuffix("\r")


def _end(data: bytes) -> str:
    return data.decode(errors="replace")[-_WORDS:].strip()


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
