"""Requests as curl commands that reproduce them in a POSIX shell; the key is taken from the environment.

Layer 6. An id that an answer returns and a later request needs becomes a shell variable: a new run returns a new
id.
"""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Sequence

from harness.report.display import Display
from harness.wire import Exchange, Request
from harness.wire.mask import Mask
from harness.wire.secret_forms import SCHEME
from harness.wire.secret_patterns import is_secret_header

_LEFT_TO_CURL = frozenset({"content-length", "host", "connection", "accept-encoding", "transfer-encoding"})

_ID = re.compile(rb'"id" *: *"([^"]*)"')
_TAKE_ID = '| tee /dev/stderr | grep -o \'"id": *"[^"]*"\' | head -n 1 | cut -d\'"\' -f4'
_OLD_CURSOR = "# the cursor is of the run above: take one from the new stream"
_QUOTED_OR_NOT = re.compile(r"""'[^']*'|"[^"]*"|[^'"]+""")


def curl_lines(trail: Sequence[Exchange], display: Display) -> list[str]:
    """One command per exchange, to be run in one shell in this order."""
    variables: dict[str, str] = {}
    lines = []
    for number, exchange in enumerate(trail):
        sent = command = curl(exchange.request, display)
        for known, variable in variables.items():
            command = _with_variable(command, known, variable)
        resumed = display.api.load_protocol().is_resume(exchange.request)
        if command != sent and resumed is not None and resumed[1] is not None:
            command = f"{_OLD_CURSOR}\n{command}"
        made = _made_by(exchange)
        if made and made not in variables and any(_names(later, made) for later in trail[number + 1 :]):
            variables[made] = f"ID{number}"
            command = f"ID{number}=$({command.replace(' -i ', ' ', 1)} {_TAKE_ID})"
        lines.append(command)
    return lines


def _made_by(exchange: Exchange) -> str:
    """The id that the answer to a POST returned and its request did not name; "" if there is none.

    It is the first in the answer, as the shell takes it.
    """
    found = _ID.search(exchange.body) if exchange.request.method == "POST" and exchange.succeeded else None
    made = found[1].decode("utf-8", "replace") if found else ""
    return "" if made and _names(exchange, made) else made


def _names(exchange: Exchange, identity: str) -> bool:
    """Whether the request contains that id."""
    request = exchange.request
    return identity in request.target or identity.encode("utf-8", "surrogatepass") in request.body


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
