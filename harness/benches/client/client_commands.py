"""The client under torture as a process: started for each case, or started once and given one case after another.

Layer 5. Knows how a client gets its task and how it returns its result; must not know which result is right.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from harness.benches.client.client_process import MOST_BYTES, Process, how
from harness.outcome import UsageFault
from harness.wire.json_value import object_or_none


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a client ended. `collected` is a text or a list of events, None if it returned neither.

    `error` is its own report of a failure, "" if none. `stopped` is why it was stopped, "" if it was not;
    `flooded` if that was for its output. `words` is the end of its standard error.
    """

    collected: Any = None
    error: str = ""
    stopped: str = ""
    flooded: bool = False
    words: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Task:
    """What a client has to read: the interaction with this id, at this base URL."""

    base_url: str
    interaction: str
    case: str


class Client(Protocol):
    """Reads one stream after another. `stop` ends the current task; another thread may call it."""

    def read(self, task: Task, seconds: float) -> Ended: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


Environment = Callable[[Task], Mapping[str, str]]


class OneShot:
    """A command that runs once for each case: its environment holds the task, its standard output is the text."""

    def __init__(self, command: Sequence[str], environment: Environment) -> None:
        self._command = list(command)
        self._environment = environment
        self._process: Process | None = None

    def read(self, task: Task, seconds: float) -> Ended:
        """Run the command. Raises UsageFault if it cannot be started."""
        begun = time.monotonic()
        until = begun + seconds
        process = self._process = Process(self._command, self._environment(task))
        code = None
        try:
            if process.hear(lambda: _too_much(process), until) and not _too_much(process):
                code = process.wait(until)
        finally:
            self._process = None
            words = process.end()
        return Ended(
            collected=_text(process.out),
            error="" if code in (0, None) else how(code),
            stopped=_why(process, seconds) if code is None else "",
            flooded=code is None and _too_much(process),
            words=words,
            seconds=time.monotonic() - begun,
        )

    def stop(self) -> None:
        """Kill the command that is running."""
        if (process := self._process) is not None:
            process.kill()

    close = stop


class Talking:
    """A command that reads tasks as lines of JSON and answers each with one: `{"text": …}` or `{"error": …}`.

    If it exits, it is started again for the next task.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = list(command)
        self._environment = environment
        self._process: Process | None = None

    def read(self, task: Task, seconds: float) -> Ended:
        """Give it one task. Raises UsageFault if the command does not start or its answer is malformed."""
        begun = time.monotonic()
        until = begun + seconds
        if self._process is None:
            self._process = Process(self._command, self._environment, asked=True)
        process = self._process
        line = {"base_url": task.base_url, "interaction": task.interaction, "case": task.case}
        process.say(json.dumps(line).encode() + b"\n")
        in_time = process.hear(lambda: b"\n" in process.out or process.silent() or _too_much(process), until)
        if in_time and process.out and not _too_much(process):
            answer, _, process.out[:] = process.out.partition(b"\n")
            return _parse_answer(bytes(answer), time.monotonic() - begun)
        code = process.wait(until) if in_time and process.silent() else None
        why, flooded = _why(process, seconds), _too_much(process)
        words = self._drop()
        spent = time.monotonic() - begun
        if code is None:
            return Ended(stopped=why, flooded=flooded, words=words, seconds=spent)
        return Ended(error=f"the command ended ({how(code)}) before it answered", words=words, seconds=spent)

    def stop(self) -> None:
        """Kill the process, and with it the current task."""
        if (process := self._process) is not None:
            process.kill()

    def close(self) -> None:
        """End the process."""
        self._drop()

    def _drop(self) -> str:
        process, self._process = self._process, None
        return process.end() if process is not None else ""


def _too_much(process: Process) -> bool:
    return len(process.out) > MOST_BYTES


def _why(process: Process, seconds: float) -> str:
    if _too_much(process):
        return f"wrote more than {MOST_BYTES // 1024**2} MiB to standard output"
    return f"had not ended after {seconds:.0f} s"


def _parse_answer(line: bytes, seconds: float) -> Ended:
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


def _text(data: bytearray) -> str:
    """The text on standard output, without one line ending at its end, which is for the terminal."""
    return data.decode(errors="replace").removesuffix("\n").removesuffix("\r")
