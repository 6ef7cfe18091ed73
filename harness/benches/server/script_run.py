"""Runs commands of curl as a user would, and reads from what they print how the target answered.

Layer 5. What is handed to a person as a reproduction has been run here before. Must not know what the requests
mean.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from harness.wire import COMPLETE, At, By, Ending, Exchange, ExchangeBuilder, Headers, How, Length, Request
from harness.wire.pieces import Chunk

MOST_SECONDS = 60.0
"""Longest time for all commands of one script."""

_MARK = "@@harness"
_PART = re.compile(rb"\n@@harness (\d+)\n")
_HEAD = re.compile(rb"HTTP/[\d.]+ (\d{3})[^\n]*\n(.*?)\r?\n\r?\n", re.DOTALL)
_EVENT = re.compile(rb"^data: *(.*?)\r?$", re.MULTILINE)
_WORD = re.compile(r"[a-z][a-z_.]{1,40}")
_TOOLS = ("sh", "curl", "awk", "grep", "sed", "cut", "tee")


def is_runnable() -> bool:
    """Whether this machine has a shell, curl and the filters that the commands use."""
    return all(map(shutil.which, _TOOLS))


def run_commands(
    commands: Sequence[str], requests: Sequence[Request], secrets: Mapping[str, str], seconds: float = MOST_SECONDS
) -> list[Exchange]:
    """Run the commands in one shell; return how each of their requests was answered.

    `secrets` are environment variables. A command that was not reached in time counts as unanswered.
    """
    script = "\n".join(f"printf '\\n{_MARK} {number}\\n'\n{line}" for number, line in enumerate(commands))
    with subprocess.Popen(
        ["sh", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **secrets},
        start_new_session=True,
    ) as shell:
        try:
            printed, _ = shell.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, 9)
            printed, _ = shell.communicate()
    marked = _PART.split(b"\n" + printed)
    parts = {int(number): text for number, text in zip(marked[1::2], marked[2::2], strict=True)}
    return [_exchange(request, parts.get(number, b"")) for number, request in enumerate(requests)]


def _exchange(request: Request, printed: bytes) -> Exchange:
    """What was printed for a request, as its answer."""
    builder = ExchangeBuilder(request)
    heads = [head for head in _HEAD.finditer(printed) if not head[1].startswith(b"1")]
    if not heads:
        return builder.finish(Ending(By.LIMIT, How.TIMEOUT, At.BEFORE_HEADERS), 0.0)
    body = printed[heads[0].end() :]
    fields = [line.partition(":") for line in heads[0][2].decode("latin-1").splitlines()]
    builder.head(int(heads[0][1]), Headers((name, value.strip()) for name, _, value in fields), Length(len(body)))
    builder.chunk(Chunk(body), 0.0)
    return builder.finish(COMPLETE, 0.0)


def is_alike(seen: Exchange, again: Exchange) -> bool:
    """Whether two answers are of one kind: the same status, and the same events or the same form of body.

    Ids, times and texts differ from one run to the next; short words such as a status do not.
    """
    if seen.status != again.status:
        return False
    events, others = _events(seen.body), _events(again.body)
    if events or others:
        number = min(len(events), len(others))
        return bool(number) and events[:number] == others[:number]
    return bool(_form(_json(seen.body)) == _form(_json(again.body)))


def _events(body: bytes) -> list[Any]:
    """The forms of the events of a stream; of equal ones in a row, one: how a text is split may differ."""
    forms = [_form(_json(data)) for data in _EVENT.findall(body)]
    return [form for number, form in enumerate(forms) if not number or form != forms[number - 1]]


def _json(body: bytes) -> Any:
    start = body.strip()
    try:
        return json.loads(start)
    except (ValueError, RecursionError):
        return start[:1].decode("latin-1")


def _form(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _form(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_form(item) for item in value]
    if isinstance(value, str):
        return value if _WORD.fullmatch(value) else "…"
    return type(value).__name__ if isinstance(value, float) or type(value) is int else value
