"""The client under torture as a process: started for each case, or started once and given one case after another.

Knows how a client gets its task and how it returns its result; must not know which result is right.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import signal
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from harness.child_processes import DEVNULL, PIPE, Child, TimeoutExpired, explain_not_started, start
from harness.engine.traffic.deadline import hold_all
from harness.outcome import UsageFault
from harness.outcome.words import shorten
from harness.wire.bodies import object_or_none

MOST_BYTES = 8 * 1024 * 1024
"""Limit on standard output in answer to one task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientResult:
    """The result of a task. `collected` is a text, events, or an object with `steps` or `usage`, else None.

    `status` is the one that it reported, "" if none. `error` is its own report of a failure, "" if none; `crashed`
    if none was reported: the process stopped. `stopped` is why it was stopped, "" if it was not; `flooded` if that
    was for its output. `words` is the end of its standard error, `stray` what stood on its standard output besides
    the response.
    """

    collected: Any = None
    status: str = ""
    error: str = ""
    crashed: bool = False
    stopped: str = ""
    flooded: bool = False
    words: str = ""
    stray: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Task:
    """The task of a client: the run with this id at this base URL, in one of the API's modes."""

    base_url: str
    interaction: str
    case: str
    mode: str


class Client(Protocol):
    """Reads one stream after another. `stop` ends the current task; another thread may call it.

    `read` stops a client after `seconds`, and `start` more that it needs even if nothing happens.
    """

    def read(self, task: Task, seconds: float, start: float = 0.0) -> ClientResult: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


Environment = Callable[[Task], Mapping[str, str]]


class CommandClient:
    """A command that runs once for each case: its environment contains the task, its standard output is the text.

    If it writes the file that `$HARNESS_RESULT` names, that is its response instead.
    """

    def __init__(self, command: Sequence[str], environment: Environment, *, folder: Path | None = None) -> None:
        self._command = list(command)
        self._where = folder
        self._environment = environment
        self._process: Process | None = None

    def read(self, task: Task, seconds: float, start: float = 0.0) -> ClientResult:
        """Run the command. Raises UsageFault if it cannot be started or its result file is malformed."""
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="harness-") as folder:
            file = Path(folder) / "result.json"
            ended = self._run({**self._environment(task), "HARNESS_RESULT": str(file)}, seconds, start)
            answer = None if ended.stopped or ended.crashed else read_file(file)
        ended = replace(ended, seconds=time.monotonic() - begun)
        return ended if answer is None else _apply_answer(answer, ended)

    def _run(self, environment: Mapping[str, str], seconds: float, start: float) -> ClientResult:
        until = time.monotonic() + seconds + start
        process = self._process = Process(self._command, environment, self._where)
        code = None
        try:
            if process.hear(lambda: _too_much(process), until) and not _too_much(process):
                code = process.wait(until)
        finally:
            self._process = None
            words = process.end()
        # The text on standard output, without one line ending at its end, which is for the terminal.
        return ClientResult(
            collected=process.out.decode(errors="replace").removesuffix("\n").removesuffix("\r"),
            error="" if code in (0, None) else how(code, words),
            crashed=code is not None and code < 0,
            stopped=_explain(process, seconds) if code is None else "",
            flooded=code is None and _too_much(process),
            words=words,
        )

    def stop(self) -> None:
        if (process := self._process) is not None:
            process.kill()

    close = stop


class LoopClient:
    """A command that reads a task per line of JSON and writes a result for each: `{"case": …, "text": …}`.

    If it exits, it is started again for the next task. Lines that are not results are kept as `stray`. The first
    task after a start gets at least `starting` seconds more, on top of its time limit.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        starting: float = 0.0,
        folder: Path | None = None,
    ) -> None:
        self._command = list(command)
        self._where = folder
        self._starting = starting
        self._environment = environment
        self._process: Process | None = None
        self._answered = ""
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def read(self, task: Task, seconds: float, start: float = 0.0) -> ClientResult:
        """Send one task. Raises UsageFault if the command does not start or its response is malformed."""
        begun = time.monotonic()
        stray = _StrayLines()
        if self._process is None:
            self._process = Process(self._command, self._environment, self._where, asked=True)
            start = max(start, self._starting)
        else:
            self._process.hear_what_came()
            self._take_late(self._process, stray)
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="harness-")
        file = Path(self._folder.name) / "result.json"
        file.unlink(missing_ok=True)
        line = {
            "base_url": task.base_url, "interaction": task.interaction, "case": task.case, "result": str(file),
            "mode": task.mode,
        }  # fmt: skip
        self._process.say(json.dumps(line).encode() + b"\n")
        self._answered = ""
        ended = self._listen(self._process, task.case, file, begun + seconds + start, seconds, stray)
        return replace(ended, seconds=time.monotonic() - begun)

    def _take_late(self, process: Process, stray: _StrayLines) -> None:
        """Take the lines that came after an answer. Raises UsageFault if one is another answer without a case."""
        while b"\n" in process.out:
            line, _, process.out[:] = process.out.partition(b"\n")
            refuse_second(bytes(line), self._answered)
            stray.add(bytes(line))

    def _listen(
        self, process: Process, case: str, file: Path, until: float, seconds: float, stray: _StrayLines
    ) -> ClientResult:
        over = False
        while not over:
            in_time = process.hear(lambda: b"\n" in process.out or process.silent() or _too_much(process), until)
            over = not in_time or process.silent() or _too_much(process) or stray.too_many
            while b"\n" in process.out or (in_time and process.silent() and process.out):
                line, _, process.out[:] = process.out.partition(b"\n")
                answer = parse_line(bytes(line), case, file)
                if answer is not None:
                    self._answered = case
                    self._take_late(process, stray)
                    return _apply_answer(answer, ClientResult(stray=stray.lines))
                stray.add(bytes(line))
        code = process.wait(until) if in_time and process.silent() else None
        flooded = _too_much(process) or stray.too_many
        why = _TOO_MUCH if flooded else _explain(process, seconds)
        words = self._drop()
        if code is None:
            return ClientResult(stopped=why, flooded=flooded, words=words, stray=stray.lines)
        hint = "" if code else ": with --loop it reads a task from each line of its standard input"
        error = f"the command ended ({how(code, words)}) before it returned a result{hint}"
        return ClientResult(error=error, crashed=True, words=words, stray=stray.lines)

    def stop(self) -> None:
        """Kill the process, and with it the current task."""
        if (process := self._process) is not None:
            process.kill()

    def close(self) -> None:
        """End the process."""
        self._drop()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _drop(self) -> str:
        process, self._process = self._process, None
        return process.end() if process is not None else ""


_TOO_MUCH = f"wrote more than {MOST_BYTES // 1024**2} MiB to standard output"


class _StrayLines:
    """The first lines that were no answers, and whether there are too many of them."""

    def __init__(self) -> None:
        self.lines: tuple[str, ...] = ()
        self._bytes = 0

    def add(self, line: bytes) -> None:
        self._bytes += len(line) + 1
        text = line[: _SHOWN * 4].decode(errors="replace").strip()
        if text and len(self.lines) < 5:
            self.lines += (shorten(text, _SHOWN),)

    @property
    def too_many(self) -> bool:
        return self._bytes > MOST_BYTES


def _too_much(process: Process) -> bool:
    return len(process.out) > MOST_BYTES


def _explain(process: Process, seconds: float) -> str:
    return _TOO_MUCH if _too_much(process) else f"had not ended after {seconds:g} s"


def pick_result(answer: Mapping[str, Any], name: str) -> Any:
    """The value of `name` in an answer; an object, if that is `steps`, or a text with a usage beside it."""
    kept = {one: answer[one] for one in (name, "usage") if answer.get(one) is not None}
    return kept if name == "steps" or (name == "text" and "usage" in kept) else kept.get(name)


def _apply_answer(answer: Mapping[str, Any], ended: ClientResult) -> ClientResult:
    """The result in an answer, with the rest of how the client ended; an error of `null` is none."""
    error = answer.get("error")
    name = next((name for name in ("text", "events", "steps") if answer.get(name) is not None), "")
    return replace(
        ended,
        collected=pick_result(answer, name),
        status=str(answer.get("status") or ""),
        error=ended.error or ("" if error is None else str(error) or "an error without a message"),
    )


# The answers of clients: one JSON object, on a line of standard output or in a file of its own.
# `schemas/output/torture-answer.schema.json` describes them. Other output, such as a log, is no answer and harms
# it; an answer that is malformed is the mistake of the driver.


RESULTS: Mapping[str, tuple[type, str]] = {
    "text": (str, '"…"'),
    "events": (list, "[…]"),
    "steps": (list, "[…]"),
    "usage": (dict, "{…}"),
    "status": (str, '"completed"'),
}
"""What a client can report, the type of each, and an example."""

_MARKS = ("text", "events", "steps", "error")
"""The members that make an object without `case` an answer."""

_SHOWN = 200
_EXAMPLE = '{"case": "…", "text": "…", "status": "completed"}'


def parse_line(line: bytes, case: str, file: Path | None = None) -> dict[str, Any] | None:
    """The answer in a line; None if the line is no answer to this case.

    A line that names the case and nothing else refers to the answer in `file`. Raises UsageFault for an answer
    that is malformed.
    """
    value = object_or_none(line)
    if value is None or value.get("case", case) != case:
        return None
    names_only = "case" in value and not value.keys() & {*RESULTS, "error"}
    if names_only and file is not None and (stored := read_file(file)) is not None:
        return stored
    return _check(value, line) if "case" in value or value.keys() & set(_MARKS) else None


def refuse_second(line: bytes, case: str) -> None:
    """Raise UsageFault for an answer that names no case after the answer to `case`: it could belong to either."""
    value = object_or_none(line)
    if value is not None and "case" not in value and value.keys() & set(_MARKS):
        before = shorten(case, _SHOWN)
        raise UsageFault(
            f"the command returned {_show(line)} after the result of the case {before!r}: repeat the `case` of "
            "the task in every result, so that a late result is not attributed to the next case"
        )


def read_file(file: Path) -> dict[str, Any] | None:
    """The answer in a file; None if there is no file. Raises UsageFault for an answer that is malformed."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MOST_BYTES)
    except FileNotFoundError:
        return None
    value = object_or_none(data)
    if value is None:
        raise UsageFault(f"the result file contains {_show(data)}: write one JSON object, such as {_EXAMPLE}")
    return _check(value, data)


def _check(value: dict[str, Any], data: bytes) -> dict[str, Any]:
    if value.get("error") is not None:
        return value
    for name, (kind, example) in RESULTS.items():
        if name in value and value[name] is not None and not isinstance(value[name], kind):
            raise UsageFault(
                f'the command returned {_show(data)}: "{name}" is {type(value[name]).__name__}, write '
                f'{{"{name}": {example}}} (logs go to standard error)'
            )
    if all(value.get(name) is None for name in RESULTS):
        raise UsageFault(
            f"the command returned {_show(data)}: a result has one of text, events, steps, status and error, "
            f"such as {_EXAMPLE}, or the file that the task names in `result` has"
        )
    return value


def _show(data: bytes) -> str:
    return repr(shorten(data[: _SHOWN * 4].decode(errors="replace").rstrip(), _SHOWN))


# A command in its own process group, whose outputs are read within limits of time and size. They are not always
# read to the end: they may be endless, and a child that has left the group may keep them open.


_ERROR = re.compile(
    r"(?:(?:panic|fatal error|Caused by): |Exception in |[\w.$]*(?:Error|Exception)(?:: |$)"
    r"|thread .* panicked at |\S+:\d+:in .*\([\w:]+\)$)"
)
"""A line that states why a program stopped, in Rust and Ruby, too; its calls stand below it, or above."""
_WORDS = 2000
"""How many characters to keep of the end of standard error."""


class Process:
    """A running command; `out` holds the part of its standard output not yet consumed. Call `end` when done.

    Raises UsageFault if the command cannot be started. Another thread may call `kill`.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path | None = None,
        *,
        asked: bool = False,
    ) -> None:
        child: Child | None = None
        try:
            with hold_all():
                self._child = child = start(
                    command,
                    environment,
                    bufsize=0,
                    cwd=folder,
                    stdin=PIPE if asked else DEVNULL,
                    stdout=PIPE,
                    stderr=PIPE,
                    start_new_session=True,
                )
        except OSError as wrong:
            raise UsageFault(explain_not_started(command, wrong)) from None
        except BaseException:
            if child is not None:  # an interrupt came meanwhile, and only this frame has it
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
        # Killed processes end after a moment, on a busy machine after seconds; then their last output arrives.
        self.wait(time.monotonic() + 10.0)
        self.hear(lambda: False, time.monotonic() + 1.0)
        self._open.close()
        for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
            if pipe is not None:
                pipe.close()
        return self._errors.decode(errors="replace")[-_WORDS:].strip()


def how(code: int, words: str) -> str:
    """An exit code in words, with the error that standard error names: the last, or its last line."""
    lines = [line for line in re.sub(r"( panicked at .*:)\n", r"\1 ", words).splitlines() if line.strip()]
    error = shorten(([line for line in lines if _ERROR.match(line)] or lines or [""])[-1].strip(), _SHOWN)
    return (f"exit code {code}" if code >= 0 else f"signal {-code}") + (f": {error}" if error else "")
