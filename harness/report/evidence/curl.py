"""Requests as curl commands that reproduce them in a POSIX shell; the key is taken from the environment.

Layer 6. An id that an answer returns and a later request needs becomes a shell variable: a new run returns a new
id.
"""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Sequence
from urllib.parse import quote

from harness.report.evidence.display import Display
from harness.wire import By, Exchange, How, Request
from harness.wire.given_values import GivenValue, given_values
from harness.wire.mask import Mask
from harness.wire.message import EVENT_STREAM
from harness.wire.secrets.forms import SCHEME
from harness.wire.secrets.patterns import is_secret_header

_LEFT_TO_CURL = frozenset({"content-length", "host", "connection", "accept-encoding", "transfer-encoding"})

_OLD_CURSOR = "# the cursor is of the run above: take one from the new stream"
_FOR_URLS = "sed 's/%/%25/g;s/+/%2B/g;s#/#%2F#g;s/=/%3D/g'"
_PATIENCE = 20
"""Seconds after which curl gives up where no answer came when the request was sent."""

_DATA = re.compile(rb"^data:", re.MULTILINE)
_QUOTED_OR_NOT = re.compile(r"""'[^']*'|"[^"]*"|[^'"]+""")


def curl_lines(trail: Sequence[Exchange], display: Display) -> list[str]:
    """One command per exchange, to be run in one shell in this order."""
    given = given_values(trail)
    lines = []
    for number, exchange in enumerate(trail):
        sent = command = curl(exchange.request, display)
        for value in given:
            if value.answer < number:
                for text in dict.fromkeys((value.value, quote(value.value, safe=""))):
                    command = _with_variable(command, text, _variable(value))
        resumed = display.api.load_protocol().is_resume(exchange.request)
        cursor = "" if resumed is None else resumed[1]
        if command != sent and cursor and all(value.value != cursor for value in given):
            command = f"{_OLD_CURSOR}\n{command}"
        command += _stop(exchange)
        lines.append(_capture(command, [value for value in given if value.answer == number], trail[number + 1 :]))
    return lines


def _variable(given: GivenValue) -> str:
    """The shell variable of a value; the first of a name in an answer needs no second number."""
    word = re.sub(r"\W", "_", given.name.upper())
    return f"{word}{given.answer}" + (f"_{given.number}" if given.number else "")


def _stop(exchange: Exchange) -> str:
    """What makes curl stop where the request was stopped: by whoever read it, or because nothing came."""
    ending = exchange.ending
    if ending.by is By.LIMIT and ending.how is How.TIMEOUT:
        return f" --max-time {_PATIENCE}"
    if ending.by is not By.CLIENT or EVENT_STREAM not in exchange.headers.get("content-type"):
        return ""
    events = len(_DATA.findall(exchange.body))
    if not events:
        return " | head -n 1"
    return f" | awk '{{print}} /^data:/ && ++n == {events} {{exit}}'"


def _capture(command: str, given: Sequence[GivenValue], later: Sequence[Exchange]) -> str:
    """The command, which also sets the variables of what its answer gives."""
    if not given:
        return command
    takes = [(_variable(value), _take(value, later)) for value in given]
    answer = f"OUT{given[0].answer}"
    if len(takes) == 1:
        variable, take = takes[0]
        return f"{variable}=$({command} | tee /dev/stderr | {take})"
    taken = [f"{variable}=$(printf '%s' \"${answer}\" | {take})" for variable, take in takes]
    return "\n".join([f"{answer}=$({command} | tee /dev/stderr)", *taken])


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
    pipe, data = _data(request, mask)
    parts = [f"{pipe}curl -sS -N -i -X {request.method} {shlex.quote(mask.text(root + request.target))}"]
    parts += [
        f"-H {_header(name, value, display)}"
        for name, value in request.headers.items()
        if name.lower() not in _LEFT_TO_CURL
    ]
    return " \\\n  ".join([*parts, *data])


def _header(name: str, value: str, display: Display) -> str:
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


def _data(request: Request, mask: Mask) -> tuple[str, list[str]]:
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
    # A leading @ would be read as the name of a file; --data-raw takes it literally.
    return "", [f"--data-raw {shlex.quote(masked)}"]
