"""Requests as curl commands that reproduce them in a POSIX shell; the key is taken from the environment.

An id that an answer returns and a later request needs becomes a shell variable: a new run returns a new id.
"""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Mapping, Sequence
from math import ceil
from types import MappingProxyType
from urllib.parse import quote

from msgspec import Struct

from harness.kit.api import Api
from harness.outcome.words import escape_obeyed
from harness.wire import By, Exchange, Request
from harness.wire.bodies import GivenValue, given_values
from harness.wire.mask import Mask
from harness.wire.message import EVENT_STREAM
from harness.wire.secrets import SCHEME, is_secret_header, name_secret_variable

EMBEDDED_ROOT = "http://127.0.0.1:8400"
"""Where `harness serve` listens: the root of the curl lines if the target is the embedded emulator."""


class Display(Struct, frozen=True):
    """How evidence is shown: `root` is the target's URL without a trailing slash; `mask` hides the secrets."""

    api: Api
    root: str
    mask: Mask


_LEFT_TO_CURL = frozenset({"content-length", "host", "connection", "transfer-encoding"})
_STILL_OPEN = "# its response is still open while the next requests are sent"
_FOR_URLS = "sed 's/%/%25/g;s/+/%2B/g;s#/#%2F#g;s/=/%3D/g'"

_RUN = re.compile(r"([!-,./:-\[\]-~])\1{499,}")
"""A character so many times that nobody wants to read it; `tr` gives a meaning to a backslash and a hyphen."""

_DATA = re.compile(rb"^data:", re.MULTILINE)

_PLAIN = re.compile(r"[ #&()+,./0-9:;=?@A-Z\[\]_a-z{|}]")
"""Characters that mean themselves within double quotes, to `printf`, and to the history of a shell."""

_OF_A_PATTERN = re.compile(r"[\[\]{}]")
_STEPS = re.compile(r"(?i)/(?:\.|%2e){1,2}(?:/|$)")
"""Parts of an address that curl would expand, and those of a path that it would shorten."""


def curl_lines(trail: Sequence[Exchange], display: Display) -> list[str]:
    """One command per exchange, to be run in one shell in this order.

    What never ended while later requests were sent goes on in the background; if there is any, one more command
    waits for it and shows it. Where the run waited before it looked again, the command does, too.
    """
    given = given_values(trail)
    names: dict[str, str] = {}
    lines, still_open = [], []
    for number, exchange in enumerate(trail):
        earlier, later = trail[:number], trail[number + 1 :]
        command = curl(exchange.request, display, names)
        uses_earlier = command != curl(exchange.request, display)
        command += _stop(exchange)
        if (uses_earlier or any(_is_same_resource(exchange, other) for other in earlier)) and (
            waited := _find_wait(exchange, earlier)
        ):
            command = f"sleep {waited}; {command}"
        gives = [value for value in given if value.answer == number]
        if gives:
            command = _capture(command, gives, later)
        elif (pause := _find_pause(exchange, later)) is not None:
            still_open.append(f"answer{number}.txt")
            command = f"{_STILL_OPEN}\n{command} > {still_open[-1]} 2>&1 &\nsleep {pause:.2g}"
        lines.append(command)
        for value in gives:
            for text in (value.value, quote(value.value, safe="")):
                names.setdefault(text, _name_variable(value))
    return [*lines, f"wait\ncat {' '.join(still_open)}"] if still_open else lines


def _is_same_resource(one: Exchange, other: Exchange) -> bool:
    """Whether two requests look at, or change, the same resource."""
    one_path, other_path = (exchange.request.target.partition("?")[0] for exchange in (one, other))
    return len(one.request.segments) > 2 and (one_path.startswith(other_path) or other_path.startswith(one_path))


def _find_wait(exchange: Exchange, before: Sequence[Exchange]) -> float:
    """Seconds from the end of the requests before to the beginning of this one; 0 for less than 0.25."""
    if exchange.began is None or not before or any(other.began is None for other in before):
        return 0.0
    waited = exchange.began - max((other.began or 0.0) + other.seconds for other in before)
    return ceil(round(waited * 10, 3)) / 10 if waited >= 0.25 else 0.0


def _find_pause(exchange: Exchange, later: Sequence[Exchange]) -> float | None:
    """Seconds between a request whose response was still open and the next one; None if it had ended.

    That is a stream, or what never ended. Other requests side by side are alike, and may follow each other.
    """
    if exchange.began is None or not (exchange.hung or exchange.is_stream):
        return None
    until = exchange.began + exchange.seconds
    begun = [other.began for other in later[:1] if other.began is not None and other.began < until]
    return max(begun[0] - exchange.began, 0.1) if begun else None


def _name_variable(given: GivenValue) -> str:
    """The shell variable of a value; the first of a name in an answer needs no second number."""
    word = re.sub(r"\W", "_", given.name.upper())
    return f"{word}{given.answer}" + (f"_{given.number}" if given.number else "")


def _stop(exchange: Exchange) -> str:
    """The condition at which curl stops as the request did: because its reader left, or because nothing came."""
    if exchange.hung:
        return f" --max-time {max(ceil(exchange.seconds), 1)}"
    if exchange.ending.by is not By.CLIENT or EVENT_STREAM not in exchange.headers.get("content-type"):
        return ""
    events = len(_DATA.findall(exchange.body))
    if not events:
        return " | head -n 1"
    # No awk: some read a whole buffer before the first line, and would leave long after the reader of the run.
    count = f"case $LINE in (data:*) [ $((EVENTS += 1)) -lt {events} ] || break;; esac"
    return f" | {{ EVENTS=0; while IFS= read -r LINE; do printf '%s\\n' \"$LINE\"; {count}; done; }}"


def _capture(command: str, given: Sequence[GivenValue], later: Sequence[Exchange]) -> str:
    """The command, which also sets the variables of what its answer gives, in the spelling of later requests."""
    answer = f"OUT{given[0].answer}"
    lines = [f"{answer}=$({command}); printf '%s\\n' \"${answer}\""]
    for value in given:
        find = f'grep -o \'"{value.name}": *"[^"]*"\' | sed -n {value.number + 1}p | cut -d\'"\' -f4'
        escaped = quote(value.value, safe="")
        if escaped != value.value and any(escaped in exchange.request.target for exchange in later):
            find += f" | {_FOR_URLS}"
        lines.append(f"{_name_variable(value)}=$(printf '%s' \"${answer}\" | {find})")
    lines += [f': "${{{_name_variable(value)}:?the response above has no {value.name}}}"' for value in given]
    return "\n".join(lines)


def _write_word(text: str, names: Mapping[str, str], start: int = 0) -> str:
    """A word of shell that is the text, with a variable for each value in `names` that is in it after `start`.

    The values are a server's: only here, inside a word of data, may one be replaced. An id `curl` in the place of
    the program would have the next answer choose which program runs.
    """
    ends = [0]
    if names:
        longest = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
        found = re.compile(rf"(?<![\w-])(?:{longest})(?![\w-])").finditer(text, start)
        ends += [place for match in found for place in match.span()]
    # `http://h/x` needs no quotes, so its parts have none, either.
    quoted = shlex.quote(text) != text
    pieces = [text[one:other] for one, other in zip(ends, [*ends[1:], len(text)], strict=True)]
    parts = [
        f'"${{{names[piece]}}}"' if number % 2 else _quote(piece) if quoted and piece else piece
        for number, piece in enumerate(pieces)
    ]
    return "".join(parts) or "''"


def _quote(text: str) -> str:
    """A word of shell that is the text.

    A terminal obeys a control character before a shell sees the quotes around it: ^C, once it is pasted, gives up
    the line, and what follows is the next command. So a text that has one is spelled in octal.
    """
    if _is_visible(text):
        return "'" + text.replace("'", "'\"'\"'") + "'"
    letters = map(chr, text.encode("utf-8", "replace"))
    spelled = "".join(letter if _PLAIN.fullmatch(letter) else f"\\{ord(letter):03o}" for letter in letters)
    return f"\"$(printf '{spelled}')\""


def curl(request: Request, display: Display, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """One command, on several lines joined by backslashes; `names` are the shell variables of values in it."""
    mask = display.mask
    pipe, data = _write_data(request, mask, names)
    root, url = mask.text(display.root), mask.text(request.below(display.root))
    host = len(root) if url.startswith(root) else len(url)
    shown = _write_word(url, names, host + 1)  # never its host
    literal = " -g" if _OF_A_PATTERN.search(url, host) else ""
    literal += " --path-as-is" if _STEPS.search(url.partition("?")[0]) else ""
    parts = [f"{pipe}curl -sS -N -i{literal} -X {_write_word(request.method, {})} {shown}"]
    parts += [
        f"-H {_write_header(name, value, display, names)}"
        for name, value in request.headers.items()
        if name.lower() not in _LEFT_TO_CURL
    ]
    # Then curl also decodes the answer, and reports if that is not possible.
    parts += ["--compressed"] if request.headers.get("accept-encoding") else []
    return " \\\n  ".join([*parts, *data])


def _write_header(name: str, value: str, display: Display, names: Mapping[str, str]) -> str:
    mask = display.mask
    scheme, rest = "", value
    variable = mask.variable(value)
    if variable is None and (found := SCHEME.match(value)):
        scheme, rest = found[0], value[found.end() :]
        variable = mask.variable(rest)
    if variable is None and is_secret_header(name) and name.lower() != display.api.key_header:
        variable = name_secret_variable(name)
    name = mask.text(name)
    if variable is not None:
        return _quote(f"{name}: {scheme}") + f'"${variable}"'
    if not value:
        return _write_word(f"{name};", {})  # curl would send no field for `name:`
    # Any other key was made up by the check (a wrong one, on purpose): it is not secret and must be visible.
    return _write_word(f"{name}: {mask.text(value)}", names, len(name) + 2)  # curl would read the file of `@name`


def _print_runs(text: str, names: Mapping[str, str]) -> str:
    """Shell commands that print a text in which one character comes very often in a row."""
    parts = []
    end = 0
    for run in _RUN.finditer(text):
        parts += [f"printf %s {_write_word(text[end : run.start()], names)}"] if run.start() > end else []
        parts.append(f"printf '%{len(run[0])}s' '' | tr ' ' {shlex.quote(run[1])}")
        end = run.end()
    return "; ".join([*parts, f"printf %s {_write_word(text[end:], names)}"])


def _write_data(request: Request, mask: Mask, names: Mapping[str, str]) -> tuple[str, list[str]]:
    body = request.body
    if not body:
        return "", []
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if not _is_visible(text):
        packed = base64.b64encode(body).decode("ascii")
        return f"echo {packed} | base64 -d | ", ["--data-binary @-"]
    masked = mask.text(text, request)
    if _RUN.search(masked):
        return f"{{ {_print_runs(masked, names)}; }} | ", ["--data-binary @-"]
    # A leading @ would be read as the name of a file; --data-raw takes it literally.
    return "", [f"--data-raw {_write_word(masked, names)}"]


def _is_visible(text: str) -> bool:
    return escape_obeyed(text) == text and "\t" not in text
