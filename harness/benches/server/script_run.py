"""Runs `curl` commands as a user would, and reads the responses of the target from their output.

Every reproduction in a report has been run here before. Must not know the meaning of the requests.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.child_processes import DEVNULL, PIPE, STDOUT, TimeoutExpired, find_program, start, tool_environment
from harness.files import write_file
from harness.wire import COMPLETE, At, By, Ending, Exchange, ExchangeBuilder, Headers, How, Length, Request
from harness.wire.message import Chunk

MOST_SECONDS = 60.0
"""Longest time for all commands of one script."""

_MARK = "@@harness"
_PART = re.compile(rb"\n@@harness (\d+)\n")
_HEAD = re.compile(rb"HTTP/[\d.]+ (\d{3})[^\n]*\n(.*?)\r?\n\r?\n", re.DOTALL)
_EVENT = re.compile(rb"^data: *(.*?)\r?$", re.MULTILINE)
_GAVE_UP = re.compile(rb"curl: \(28\)[^\n]*\s*\Z")
_WORD = re.compile(r"[a-z][a-z_.]{1,40}")
_KEY_FIELD = re.compile(r"""-H '([\w-]+: (?:\w+ )?)'"\$(\w+)\"""")
"""A header with a key, as `report.evidence.curl` writes it; it writes a quote in any text in another way."""
_TOOLS = ("sh", "curl", "grep", "sed", "cut", "sleep", "cat")


def is_runnable() -> bool:
    """Whether this machine has a shell, curl and the filters that the commands use."""
    return all(map(find_program, _TOOLS))


def run_commands(
    commands: Sequence[str],
    requests: Sequence[Request],
    secrets: Mapping[str, str],
    seconds: float = MOST_SECONDS,
    name_file: Callable[[int], str] = str,
) -> list[Exchange]:
    """Run the commands in one shell; return the exchanges of their requests.

    `secrets` are environment variables; no program gets their values as an argument. A command that was not
    reached in time counts as one without a response, and so does the response that it was reading then. Output
    that a command does not print is in the file whose name `name_file` gives.
    """
    with TemporaryDirectory(prefix="harness-") as name:
        folder = Path(name)
        safe = [_move_keys(command, secrets, folder) for command in commands]
        parts, in_time = _run_script(safe, {**tool_environment(), **secrets}, seconds, folder)
        last = max(parts, default=0)
        files = {number: file for number in parts if (file := folder / name_file(number)).is_file()}
        answers = [
            _read_printed(request, files[number].read_bytes() if number in files else parts.get(number, b""))
            for number, request in enumerate(requests)
        ]
    if in_time:
        return answers
    unread = {*files, last}
    return [
        answer.with_excuse("time limit reached") if number in unread and not answer.hung else answer
        for number, answer in enumerate(answers)
    ]


def _move_keys(command: str, secrets: Mapping[str, str], folder: Path) -> str:
    """The command with its keys in files, since every user of a machine sees the arguments of its programs."""

    def move(found: re.Match[str]) -> str:
        if found[2] not in secrets:
            return found[0]
        name = f"{found[2]}-{len(found[1])}.header"
        write_file(folder / name, f"{found[1]}{secrets[found[2]]}\n")
        return f"-H @{name}"

    return _KEY_FIELD.sub(move, command)


def _run_script(
    commands: Sequence[str], environment: Mapping[str, str], seconds: float, folder: Path
) -> tuple[dict[int, bytes], bool]:
    """The output of each command, by its number, and whether the last one ended in time."""
    script = "\n".join(f"printf '\\n{_MARK} {number}\\n'\n{line}" for number, line in enumerate(commands))
    shell_program = find_program("sh")
    assert shell_program is not None  # `is_runnable` was asked
    with start(
        [shell_program, "-c", script],
        environment,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        cwd=folder,
        start_new_session=True,
    ) as shell:
        in_time = True
        try:
            printed, _ = shell.communicate(timeout=seconds)
        except TimeoutExpired:
            in_time = False
            os.killpg(shell.pid, 9)
            printed, _ = shell.communicate()
    marked = _PART.split(b"\n" + printed)
    return {int(number): text for number, text in zip(marked[1::2], marked[2::2], strict=True)}, in_time


def _read_printed(request: Request, printed: bytes) -> Exchange:
    """The output of a request, as its response."""
    builder = ExchangeBuilder(request)
    heads = [head for head in _HEAD.finditer(printed) if not head[1].startswith(b"1")]
    if not heads:
        return builder.finish(Ending(By.LIMIT, How.TIMEOUT, At.BEFORE_HEADERS), 0.0)
    body = _GAVE_UP.sub(b"", printed[heads[0].end() :])
    ending = COMPLETE if len(body) + heads[0].end() == len(printed) else Ending(By.LIMIT, How.TIMEOUT, At.IN_BODY)
    fields = [line.partition(":") for line in heads[0][2].decode("latin-1").splitlines()]
    builder.head(int(heads[0][1]), Headers((name, value.strip()) for name, _, value in fields), Length(len(body)))
    builder.chunk(Chunk(body), 0.0)
    return builder.finish(ending, 0.0)


def is_alike(seen: Exchange, again: Exchange) -> bool:
    """Whether two answers are of one kind: the same status and end, and the same events or the same form of body.

    Ids, times and texts differ from one run to the next; short words such as a status do not.
    """
    if (seen.status, seen.hung) != (again.status, again.hung):
        return False
    events, others = _list_events(seen.body), _list_events(again.body)
    if events or others:
        number = min(len(events), len(others))
        return bool(number) and events[:number] == others[:number]
    return bool(_reduce_to_form(_read_json(seen.body)) == _reduce_to_form(_read_json(again.body)))


def _list_events(body: bytes) -> list[Any]:
    """The forms of the events of a stream; of equal ones in a row, one: how a text is split may differ."""
    forms = [_reduce_to_form(_read_json(data)) for data in _EVENT.findall(body)]
    return [form for number, form in enumerate(forms) if not number or form != forms[number - 1]]


def _read_json(body: bytes) -> Any:
    start = body.strip()
    try:
        return json.loads(start)
    except (ValueError, RecursionError):
        return start[:1].decode("latin-1")


def _reduce_to_form(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _reduce_to_form(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_reduce_to_form(item) for item in value]
    if isinstance(value, str):
        return value if _WORD.fullmatch(value) else "…"
    return type(value).__name__ if isinstance(value, float) or type(value) is int else value
