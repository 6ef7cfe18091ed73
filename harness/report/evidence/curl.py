"""Requests as curl commands that reproduce them in a POSIX shell; the key is taken from the environment.

Layer 6. An id that an answer returns and a later request needs becomes a shell variable: a new run returns a new
id.
"""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Sequence
from math import ceil
from urllib.parse import quote

from harness.report.evidence.display import Display
from harness.wire import By, Exchange, Request
from harness.wire.given_values import GivenValue, given_values
from harness.wire.mask import Mask
from harness.wire.message import EVENT_STREAM
from harness.wire.secrets.forms import SCHEME
from harness.wire.secrets.patterns import is_secret_header

_LEFT_TO_CURL = frozenset({"content-length", "host", "connection", "accept-encoding", "transfer-encoding"})

_OLD_CURSOR = "# the cursor is of the run above: take one from the new stream"
_STILL_OPEN = "# its answer is still open while the next requests are sent"
_FOR_URLS = "sed 's/%/%25/g;s/+/%2B/g;s#/#%2F#g;s/=/%3D/g'"
_LEAST_PAUSE = 0.1
"""Seconds that a request needs to arrive before one that another process sends."""

_RUN = re.compile(r"([!-,./:-\[\]-~])\1{499,}")
"""A character so many times that nobody wants to read it; `tr` gives a meaning to a backslash and a hyphen."""

_DATA = re.compile(rb"^data:", re.MULTILINE)
_QUOTED_OR_NOT = re.compile(r"""'[^']*'|"[^"]*"|[^'"]+""")


def curl_lines(trail: Sequence[Exchange], display: Display) -> list[str]:
    """One command per exchange, to be run in one shell in this order.

    What never ended while later requests were sent goes on in the background; if there is any, one more command
    waits for it and shows it.
    """
    given = given_values(trail)
    lines, still_open = [], []
    for number, exchange in enumerate(trail):
        sent = command = curl(exchange.request, display)
        for value in given:
            if value.answer < number:
                for text in dict.fromkeys((value.value, quote(value.value, safe=""))):
                    command = _with_variable(command, text, _name_variable(value))
        resumed = display.api.load_protocol().is_resume(exchange.request)
        cursor = "" if resumed is None else resumed[1]
        if command != sent and cursor and all(value.value != cursor for value in given):
            command = f"{_OLD_CURSOR}\n{command}"
        command += _stop(exchange)
        gives = [value for value in given if value.answer == number]
        pause = _find_pause(exchange, trail[number + 1 :])
        if pause is not None and not gives:
            still_open.append(name_answer_file(number))
            command = f"{_STILL_OPEN}\n{command} > {still_open[-1]} 2>&1 &\nsleep {pause:.2g}"
        lines.append(_add_capture(command, gives, trail[number + 1 :]))
    return [*lines, f"wait\ncat {' '.join(still_open)}"] if still_open else lines


def name_answer_file(number: int) -> str:
    """The file, in the working directory, that gets an answer to wait for."""
    return f"answer{number}.txt"


def _name_variable(given: GivenValue) -> str:
    """The shell variable of a value; the first of a name in an answer needs no second number."""
    word = re.sub(r"\W", "_", given.name.upper())
    return f"{word}{given.answer}" + (f"_{given.number}" if given.number else "")


def _stop(exchange: Exchange) -> str:
    """What makes curl stop where the request was stopped: by whoever read it, or because nothing came."""
    if exchange.hung:
        return f" --max-time {max(ceil(exchange.seconds), 1)}"
    if exchange.ending.by is not By.CLIENT or EVENT_STREAM not in exchange.headers.get("content-type"):
        return ""
    events = len(_DATA.findall(exchange.body))
    if not events:
        return " | head -n 1"
    return f" | awk '{{print}} /^data:/ && ++n == {events} {{exit}}'"


def _find_pause(exchange: Exchange, later: Sequence[Exchange]) -> float | None:
    """Seconds between a request that never ended and one that was sent meanwhile; None if there is none."""
    if exchange.began is None or not exchange.hung:
        return None
    until = exchange.began + exchange.seconds
    begun = [other.began for other in later[:1] if other.began is not None and other.began < until]
    return max(begun[0] - exchange.began, _LEAST_PAUSE) if begun else None


def _add_capture(command: str, given: Sequence[GivenValue], later: Sequence[Exchange]) -> str:
    """The command, which also sets the variables of what its answer gives."""
    if not given:
        return command
    answer = f"OUT{given[0].answer}"
    taken = [f"{_name_variable(value)}=$(printf '%s' \"${answer}\" | {_take(value, later)})" for value in given]
    return "\n".join([f"{answer}=$({command}); printf '%s\\n' \"${answer}\"", *taken])


def _take(given: GivenValue, later: Sequence[Exchange]) -> str:
    """The filters that find a value in the text of its answer, in the spelling that later requests need."""
    escaped = quote(given.value, safe="")
    in_url = escaped != given.value and any(escaped in exchange.request.target for exchange in later)
    find = f'grep -o \'"{given.name}": *"[^"]*"\' | sed -n {given.number + 1}p | cut -d\'"\' -f4'
    return f"{find} | {_FOR_URLS}" if in_url else find


def _with_variable(command: str, identity: str, variable: str) -> str:
    """Replace an id in the command with a variable, inside either kind of quotes and outside."""
    whole = re.compile(rf"(?<![\w-]){re.escape(identity)}(?![\w-])")

    def quote_part(part: re.Match[str]) -> str:
        quote = part[0][0]
        value = {"'": f"""'"${{{variable}}}"'""", '"': f"${{{variable}}}"}.get(quote, f'"${{{variable}}}"')
        return whole.sub(lambda _: value, part[0])

    return _QUOTED_OR_NOT.sub(quote_part, command)


def curl(request: Request, display: Display) -> str:
    """One command, on several lines joined by backslashes."""
    root, mask = display.root, display.mask
    pipe, data = _write_data(request, mask)
    parts = [
        f"{pipe}curl -sS -N -i -X {shlex.quote(request.method)} {shlex.quote(mask.text(root + request.target))}"
    ]
    parts += [
        f"-H {_write_header(name, value, display)}"
        for name, value in request.headers.items()
        if name.lower() not in _LEFT_TO_CURL
    ]
    return " \\\n  ".join([*parts, *data])


def _write_header(name: str, value: str, display: Display) -> str:
    mask = display.mask
    scheme, rest = "", value
    variable = mask.variable(value)
    if variable is None and (found := SCHEME.match(value)):
        scheme, rest = found[0], value[found.end() :]
        variable = mask.variable(rest)
    if variable is None and is_secret_header(name) and name.lower() != display.api.key_header:
        variable = re.sub(r"\W", "_", name.upper())
    name = mask.text(name)
    if variable is not None:
        return shlex.quote(f"{name}: {scheme}") + f'"${variable}"'
    # Any other key was made up by the check (a wrong one, on purpose): it is not secret and must be visible.
    return shlex.quote(f"{name}: {mask.text(value)}")


def _print_runs(text: str) -> str:
    """Shell commands that print a text in which one character comes very often in a row."""
    parts = []
    end = 0
    for run in _RUN.finditer(text):
        parts += [f"printf %s {shlex.quote(text[end : run.start()])}"] if run.start() > end else []
        parts.append(f"printf '%{len(run[0])}s' '' | tr ' ' {shlex.quote(run[1])}")
        end = run.end()
    return "; ".join([*parts, f"printf %s {shlex.quote(text[end:])}"])


def _write_data(request: Request, mask: Mask) -> tuple[str, list[str]]:
    body = request.body
    if not body:
        return "", []
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", text):
        packed = base64.b64encode(body).decode("ascii")
        return f"echo {packed} | base64 -d | ", ["--data-binary @-"]
    masked = mask.text(text, request)
    if _RUN.search(masked):
        return f"{{ {_print_runs(masked)}; }} | ", ["--data-binary @-"]
    # A leading @ would be read as the name of a file; --data-raw takes it literally.
    return "", [f"--data-raw {shlex.quote(masked)}"]
