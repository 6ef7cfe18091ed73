"""Requests as curl commands that reproduce them in a POSIX shell; the key is taken from the environment.

Layer 6. An id that an answer returns and a later request needs becomes a shell variable: a new run returns a new
id.
"""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from math import ceil
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from msgspec import Struct, field

from harness.engine.events import TargetInfo
from harness.engine.results import Result
from harness.kit.api import Api
from harness.outcome.words import escape_obeyed, write_docstring
from harness.wire import By, Exchange, Request
from harness.wire.json_value import GivenValue, given_values, object_or_none
from harness.wire.mask import Mask
from harness.wire.message import EVENT_STREAM
from harness.wire.secrets import SCHEME, SECRET_VARIABLES, is_secret_header, name_secret_variable
from harness.written_files import make_folder, write_file

# How evidence is shown: by whose API it is read, where its requests go, and what must not be printed.


EMBEDDED_ROOT = "http://127.0.0.1:8000"
"""Where `harness serve --port 8000` listens: the root of the curl lines if the target is the embedded emulator."""


class Display(Struct, frozen=True):
    """`root` is the target's URL without a trailing slash; `mask` hides the secrets of the run."""

    api: Api
    root: str
    mask: Mask


_LEFT_TO_CURL = frozenset({"content-length", "host", "connection", "transfer-encoding"})

_OLD_CURSOR = "# the cursor is of the run above: take one from the new stream"
_STILL_OPEN = "# its response is still open while the next requests are sent"
_RACE = "# if the run settles before this request arrives, repeat all with a longer input"
_FOR_URLS = "sed 's/%/%25/g;s/+/%2B/g;s#/#%2F#g;s/=/%3D/g'"
_LEAST_PAUSE = 0.1
"""Seconds that a request needs to arrive before one that another process sends."""

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
    waits for it and shows it. Where the run waited for something, the command does, too.
    """
    given = given_values(trail)
    lines, still_open = [], []
    statuses = _Statuses(display.api)
    for number, exchange in enumerate(trail):
        command = _write_command(number, trail, given, statuses, display)
        gives = [value for value in given if value.answer == number]
        pause = _find_pause(exchange, trail[number + 1 :])
        if pause is not None and not gives:
            still_open.append(name_answer_file(number))
            command = f"{_STILL_OPEN}\n{command} > {still_open[-1]} 2>&1 &\nsleep {pause:.2g}"
        lines.append(_add_capture(command, gives, trail[number + 1 :]))
    return [*lines, f"wait\ncat {' '.join(still_open)}"] if still_open else lines


def _write_command(
    number: int, trail: Sequence[Exchange], given: Sequence[GivenValue], statuses: _Statuses, display: Display
) -> str:
    """The command of one exchange, which waits or polls as the run did."""
    exchange, earlier = trail[number], trail[:number]
    sent = curl(exchange.request, display)
    command = _name_values(sent, number, exchange, given, display)
    related = command != sent or any(_is_same_request(exchange, before) for before in earlier)
    command += _stop(exchange, _count_read(number, trail, given))
    waited = _find_wait(exchange, earlier) if related else 0.0
    if awaited := statuses.note(exchange):
        return _poll(command, awaited, waited)
    if related and exchange.request.method != "GET" and statuses.is_running(earlier[-1]):
        command = f"{_RACE}\n{command}"
    return f"sleep {_round_wait(waited)}; {command}" if waited else command


def _name_values(sent: str, number: int, exchange: Exchange, given: Sequence[GivenValue], display: Display) -> str:
    """The command of a request, with variables for what earlier answers gave; a cursor that none gave is old."""
    names: dict[str, str] = {}
    for value in (value for value in given if value.answer < number):
        for text in (value.value, quote(value.value, safe="")):
            names.setdefault(text, _name_variable(value))
    command = curl(exchange.request, display, names) if names else sent
    resumed = display.api.load_protocol().is_resume(exchange.request)
    cursor = "" if resumed is None else resumed[1]
    is_old = command != sent and cursor and all(value.value != cursor for value in given)
    return f"{_OLD_CURSOR}\n{command}" if is_old else command


_LEAST_WAIT = 0.25
"""Seconds between two requests from which on the run waited."""

_LEAST_POLLING = 60
"""Seconds for which a command polls at least before it gives up: the next run may be slower."""


class _Statuses(Struct):
    """The state of each resource in the responses of a trail: the first, the last, and the last of a look."""

    api: Api
    first: dict[str, str] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)

    def note(self, exchange: Exchange) -> str:
        """The pattern of what a look waited for, the first state after that at the beginning; "" for none."""
        identity, status = self._read(exchange)
        if not identity:
            return ""
        first, last = self.first.setdefault(identity, status), self.last.get(identity, status)
        self.last[identity] = status
        if exchange.request.method != "GET":  # what a cancel says of a run is no look at it
            return ""
        shown = self.shown.get(identity, first)
        self.shown[identity] = status
        if status in (last, shown) or shown != first:
            return ""
        field_name = re.search(rb'"(\w+)"\s*:\s*"' + re.escape(status.encode()) + rb'"', exchange.body)
        return "" if field_name is None else f'"{field_name[1].decode()}": *"{status}"'

    def is_running(self, exchange: Exchange) -> bool:
        """Whether a response shows a run that goes on."""
        identity, status = self._read(exchange)
        return bool(identity) and not self.api.is_settled(status)

    def _read(self, exchange: Exchange) -> tuple[str, str]:
        """The id of a resource and its status, as an answer has them; twice "" if it has none."""
        body = None if exchange.is_stream or not exchange.succeeded else object_or_none(exchange.body)
        return (None if body is None else self.api.read_status(body)) or ("", "")


def _poll(command: str, pattern: str, waited: float) -> str:
    """The command again and again until its answer has the pattern, for a limited time; prints the last answer.

    Each attempt is a line on standard error: a shell that prints nothing looks as if it hangs.
    """
    pause = 2 if waited >= 10 else 1
    most = ceil(max(_LEAST_POLLING, 3 * waited) / pause)
    found = f"printf '%s\\n' \"$LOOK\" | grep -q {_quote(pattern)}"
    return (
        f"TRIES=0; until LOOK=$({command}); {found} || [ $((TRIES += 1)) -ge {most} ]\n"
        f'do echo "look $TRIES of {most}" >&2; sleep {pause}; done; printf \'%s\\n\' "$LOOK"'
    )


def _find_wait(exchange: Exchange, before: Sequence[Exchange]) -> float:
    """Seconds between the end of the request before and the beginning of this one; 0 if the run did not wait."""
    if exchange.began is None or not before or any(other.began is None for other in before):
        return 0.0
    ended = max((other.began or 0.0) + other.seconds for other in before)
    waited = exchange.began - ended
    return waited if waited >= _LEAST_WAIT else 0.0


def _round_wait(seconds: float) -> str:
    return f"{ceil(seconds)}" if seconds >= 10 else f"{ceil(round(seconds * 10, 3)) / 10}"


def _is_same_request(one: Exchange, other: Exchange) -> bool:
    """Whether two requests look at, or change, the same resource."""
    one_path, other_path = (exchange.request.target.partition("?")[0] for exchange in (one, other))
    return len(one.request.segments) > 2 and (one_path.startswith(other_path) or other_path.startswith(one_path))


def name_answer_file(number: int) -> str:
    """The file, in the working directory, that gets an answer to wait for."""
    return f"answer{number}.txt"


def _name_variable(given: GivenValue) -> str:
    """The shell variable of a value; the first of a name in an answer needs no second number."""
    word = re.sub(r"\W", "_", given.name.upper())
    return f"{word}{given.answer}" + (f"_{given.number}" if given.number else "")


def _stop(exchange: Exchange, read: int | None) -> str:
    """The condition at which curl stops as the request did: because its reader left, or because nothing came.

    `read`: the events after which it stops although it went on, None if it does not.
    """
    if exchange.hung:
        return f" --max-time {max(ceil(exchange.seconds), 1)}"
    is_left = exchange.ending.by is By.CLIENT and EVENT_STREAM in exchange.headers.get("content-type")
    if read is None and not is_left:
        return ""
    events = read or len(_DATA.findall(exchange.body))
    if not events:
        return " | head -n 1"
    # No awk: some read a whole buffer before the first line, and would leave long after the reader of the run.
    count = f"case $LINE in (data:*) [ $((EVENTS += 1)) -lt {events} ] || break;; esac"
    return f" | {{ EVENTS=0; while IFS= read -r LINE; do printf '%s\\n' \"$LINE\"; {count}; done; }}"


def _count_read(number: int, trail: Sequence[Exchange], given: Sequence[GivenValue]) -> int | None:
    """The events of a stream that had come when the next request took its id or cursor; None if it had ended.

    A shell has a variable only once the stream has ended, so this reader leaves at that moment.
    """
    exchange, later = trail[number], trail[number + 1 :]
    values = [value.value.encode() for value in given if value.answer == number]
    if not values or exchange.began is None or _find_pause(exchange, later) is None:
        return None
    moment = (later[0].began or 0.0) - exchange.began
    arrivals = exchange.arrivals
    size = sum(size for size, at in zip(arrivals.sizes, arrivals.moments, strict=False) if at <= moment)
    had = exchange.body[:size]
    return len(_DATA.findall(had)) if all(value in had for value in values) else None


def _find_pause(exchange: Exchange, later: Sequence[Exchange]) -> float | None:
    """Seconds between a request whose response was still open and the next one; None if it had ended.

    That is a stream, or what never ended. Other requests side by side are alike, and may follow each other.
    """
    if exchange.began is None or not (exchange.hung or exchange.is_stream):
        return None
    until = exchange.began + exchange.seconds
    begun = [other.began for other in later[:1] if other.began is not None and other.began < until]
    return max(begun[0] - exchange.began, _LEAST_PAUSE) if begun else None


def _add_capture(command: str, given: Sequence[GivenValue], later: Sequence[Exchange]) -> str:
    """The command, which also sets the variables of what its answer gives."""
    if not given:
        return command
    answer = f"OUT{given[0].answer}"
    names = [(_name_variable(value), value) for value in given]
    taken = [f"{name}=$(printf '%s' \"${answer}\" | {_take(value, later)})" for name, value in names]
    needed = [f': "${{{name}:?the response above has no {value.name}}}"' for name, value in names]
    return "\n".join([f"{answer}=$({command}); printf '%s\\n' \"${answer}\"", *taken, *needed])


def _take(given: GivenValue, later: Sequence[Exchange]) -> str:
    """The filters that find a value in the text of its answer, in the spelling that later requests need."""
    escaped = quote(given.value, safe="")
    in_url = escaped != given.value and any(escaped in exchange.request.target for exchange in later)
    find = f'grep -o \'"{given.name}": *"[^"]*"\' | sed -n {given.number + 1}p | cut -d\'"\' -f4'
    return f"{find} | {_FOR_URLS}" if in_url else find


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
    if not _is_visible(url):
        shown = _write_word(url[: host + 1], {}) + _write_word(url[host + 1 :], names)
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


# The commands of another run, as its file has them. A person will copy them, and a stranger may have written the
# file: so each has to be one that is written above or by `shlex.join`, for the target of that run.


class OwnScripts:
    """Knows the commands of a target with this root, of which those of one failure are run in one shell.

    They have no variables but the keys of the API, those that stand for secrets of headers, and those that an
    earlier command sets: any other would hold what the reader did not mean to send.
    """

    def __init__(self, api: Api, root: str) -> None:
        self._root = root
        self._form = _script_form(root, (api.key_variable, api.other_key_variable))
        self._given: set[str] = set()

    def know(self, text: str) -> bool:
        """Whether a text is a command of an exchange as `curl_lines` writes it, after those that were known."""
        if not _is_visible(text) or self._form.fullmatch(text) is None:
            return False
        if not all(_is_sent_literally(self._root, *found.groups()) for found in _SENT.finditer(text)):
            return False
        if not {found[1] for found in _TOKEN.finditer(text) if found[1]} <= self._given:
            return False
        self._given.update(_GIVES.findall(text))
        return True


_TOKEN = re.compile(r"""'[^']*'|"'"|"\$\(printf '[^']*'\)"|"\$\{(\w+)\}"|.""", re.DOTALL)
_WORD = r"""(?:[\w@%+=:,./-]++|'[^']*+'|"'"|"\$\{\w++\}"|"\$\(printf '[^']*+'\)")++"""
_SENT = re.compile(rf"curl -sS -N -i( -g)?( --path-as-is)? -X {_WORD} ({_WORD})")
_OCTAL = re.compile(r"\\([0-3][0-7]{2})")
"""A word of shell, a request of a command with its options for the address, and a character in octal."""


def _is_sent_literally(root: str, literal: str | None, as_is: str | None, word: str) -> bool:
    """Whether curl gets the options without which it would expand this address, or shorten its path."""
    given = re.sub(r'"\$\{\w+\}"|[\'"]|\$\(printf |\)', "", word)
    url = _OCTAL.sub(lambda found: chr(int(found[1], 8)), given).removeprefix(root)
    expands, shortens = _OF_A_PATTERN.search(url), _STEPS.search(url.partition("?")[0])
    return not (expands and literal is None) and not (shortens and as_is is None)


_GIVES = re.compile(r"""^(\w+)=\$\(printf '%s' "\$OUT""", re.MULTILINE)
"""The parts of a command, one of which is a variable that another command gave, and how one gives it."""


_OF_A_CASE = frozenset({
    "--cuts", "--mode", "--incidents", "--set", "--kinds", "--cassette", "--event-ids", "--resume", "--scenario",
    "--text", "--script", "--further", "--client", "--revision", "--timeout", "--allow",
})  # fmt: skip
_FLAGS_OF_A_CASE = frozenset({"--loop", "--strict"})
"""The options of `harness torture` in the line of a case. Of these, only `--client` names a program."""


def is_own_command(text: str, client: str) -> bool:
    """Whether a text is the line that repeats a case for this client, in which no word does more in a shell."""
    if not _is_visible(text) or re.fullmatch(r"harness(?: (?:[\w@%+=:,./-]++|'[^']*+'|\"'\")++)*+", text) is None:
        return False
    words = iter(shlex.split(text)[1:])
    if next(words, "") != "torture":
        return False
    for word in words:
        if word == "--":
            return shlex.join(words) == client
        if word in _FLAGS_OF_A_CASE:
            continue
        value = next(words, "--")
        if word not in _OF_A_CASE or value.startswith("--") or (word == "--client" and value != client):
            return False
    return True


def _is_visible(text: str) -> bool:
    return escape_obeyed(text) == text and "\t" not in text


@cache
def _script_form(root: str, keys: Sequence[str]) -> re.Pattern[str]:
    """The pattern of the command of one exchange, part by part as the functions above write it."""
    url = rf"(?='?{re.escape(root)}(?:/|'?(?:[\s)]|\Z))){_WORD}"  # of no other host
    sleep, show = r"sleep [\d.]+", r"printf '%s\\n' \"\$(?:LOOK|OUT\d+|LINE)\""
    run = rf"printf (?:%s {_WORD}|'%\d+s' '' \| tr ' ' {_WORD})"
    pipe = rf"(?:echo [\w+/=]++ \| base64 -d \| |\{{ {run}(?:; {run})*+; \}} \| )?"
    secret = rf"(?:\"\$(?:{'|'.join(keys)}|{SECRET_VARIABLES})\")?"
    field = rf"(?=(?:'|\"\$\(printf ')[\w!#$%&*+.^|~]){_WORD}{secret}"  # no file, which curl would read
    parts = rf"(?: \\\n  (?:-H {field}|--compressed|--data-raw {_WORD}|--data-binary @-))*+"
    count = r"case \$LINE in \(data:\*\) \[ \$\(\(EVENTS \+= 1\)\) -lt \d+ \] \|\| break;; esac"
    until = rf" \| \{{ EVENTS=0; while IFS= read -r LINE; do {show}; {count}; done; \}}"
    notes = "".join(rf"(?:{re.escape(note)}\n)?" for note in (_RACE, _OLD_CURSOR))
    sent = (
        rf"{notes}{pipe}curl -sS -N -i(?: -g)?(?: --path-as-is)? -X (?!-){_WORD} {url}{parts}"
        rf"(?: --max-time \d+| \| head -n 1|{until})?"
    )
    tries = r"\[ \$\(\(TRIES \+= 1\)\) -ge \d+ \]"
    poll = (
        rf"TRIES=0; until LOOK=\$\({sent}\); {show} \| grep -q {_WORD} \|\| {tries}\n"
        rf'do echo "look \$TRIES of \d+" >&2; {sleep}; done; {show}'
    )
    one = rf"(?:(?:{sleep}; )?{sent}|{poll})"
    beside = rf"{re.escape(_STILL_OPEN)}\n{one} > answer\d+\.txt 2>&1 &\n{sleep}"
    find = r"""grep -o '"\w+": \*"\[\^"\]\*"' \| sed -n \d+p \| cut -d'"' -f4"""
    take = rf"\n\w*\d=\$\(printf '%s' \"\$OUT\d+\" \| {find}(?: \| {re.escape(_FOR_URLS)})?\)"
    need = r"""\n: "\$\{\w+:\?the response above has no \w+\}\""""
    capture = rf"OUT\d+=\$\({one}\); {show}(?:{take})+(?:{need})+"
    wait = r"wait\ncat(?: answer\d+\.txt)+"
    return re.compile(rf"(?:{one}|{beside}|{capture})|{wait}")


# A minimal reproduction of a failure in three forms: a shell script of curl lines, a pytest module, a cassette.


_SHOWN = 8


def trail_of(result: Result) -> list[Exchange]:
    """The exchanges that show it, in order."""
    return [item for item in result.evidence if isinstance(item, Exchange)]


def commands(result: Result, display: Display) -> list[str]:
    """The requests of the trail as curl lines, in order."""
    return curl_lines(trail_of(result), display)


def _build_key(result: Result) -> str:
    """The value that distinguishes the failure from others, in names of files and in tests."""
    return (result.reproduction.key if result.reproduction is not None else "") or result.id


def pytest_module(result: Result, target: TargetInfo, api: Api) -> str:
    """A test that fails as long as the rule is broken; "" if no history is known."""
    history = result.reproduction.steps if result.reproduction is not None else ()
    if not history:
        return ""
    name = re.sub(r"\W", "_", result.rule.id)
    module, _, value = api.origin.rpartition(".")
    steps = "\n".join(f"    {step.record()!r}," for step in history)
    promise = f"No request breaks {result.rule.id}: {' > '.join(map(str, history))}."
    return f'''{write_docstring(f"{result.rule.statement} Found by `harness fuzz`.")}

import os

from harness.engine.search.run import replay
from harness.engine.targets import TargetOptions, resolve_target
from {module} import {value}

HISTORY = [
{steps}
]


def test_{name}():
    {write_docstring(promise)}
    options = TargetOptions(api_version={target.version!r}, api_key=os.environ.get("{api.key_variable}", ""))
    target = resolve_target({value}, os.environ.get("HARNESS_TARGET", {(target.url or target.name)!r}), options)
    assert {_build_key(result)!r} not in replay(target, HISTORY)
'''


def write_cassette(result: Result, target: TargetInfo, api: Api, path: Path) -> None:
    """Write the trail as a cassette, redacted. Raises CassetteError."""
    from harness.cassette import Provenance, Recording, Redactor, Target, save

    protocol = api.load_protocol()
    redactor = Redactor(protocol, secrets=[secret for secret in target.secrets.values() if len(secret) >= _SHOWN])
    recordings = [
        redactor.redact(Recording.of(exchange)) for exchange in trail_of(result) if exchange.status is not None
    ]
    kind = Target.OTHER if target.url else Target.EMULATOR
    save(path, recordings, Provenance(recorder="harness fuzz", target=kind, api_version=target.version))


def write_all(result: Result, target: TargetInfo, display: Display, folder: Path) -> list[Path]:
    """Write script, test and cassette of one failure below `folder`; return the paths that were written."""
    from harness.cassette import CassetteError, load

    key = display.mask.text(_build_key(result)).lower()
    stem = re.sub(r"[^a-z0-9]+", "_", key.replace("?", " lenient")).strip("_")
    make_folder(folder)
    written = []
    for suffix, text in (
        (".sh", _write_script(result, display)),
        (".py", display.mask.text(pytest_module(result, target, display.api))),
    ):
        if text:
            path = folder / (f"test_{stem}{suffix}" if suffix == ".py" else f"{stem}{suffix}")
            write_file(path, text)
            written.append(path)
    if not why_no_cassette(result):
        path = folder / f"{stem}.yaml"
        try:
            write_cassette(result, target, display.api, path)
            load(path)
            written.append(path)
        except CassetteError:
            path.unlink(missing_ok=True)  # a body is too large: the script and the test still show the failure
    return written


def why_no_cassette(result: Result) -> str:
    """Why a cassette would not show a failure; "" if it does."""
    trail = trail_of(result)
    if not trail:
        return "no request is known"
    return "" if trail[-1].status is not None else "it contains responses, and the last request got none"


def _write_script(result: Result, display: Display) -> str:
    if not trail_of(result):
        return ""
    rule = result.rule
    # Made one line: a target's words must not become commands.
    message = " ".join(display.mask.show(result.observation.findings[0].message).split())
    head = f"#!/bin/sh\n# {rule.id} ({rule.level}): {rule.statement}\n# {message}\n"
    return head + "\n\n".join(commands(result, display)) + "\n"
