"""Starts every other program: which file runs, in which folder, and with which environment.

Layer 0. People run the harness inside folders that they did not write, with a key in their environment. So a
tool that we run ourselves (`run_tool`: pip, npm, node) has an absolute path and a folder of ours, and gets no
variable but those that it needs. A command that the user typed (`start`) is theirs: it runs where they are, with
the environment that its caller documents. Must not know what a program does.
"""

from __future__ import annotations

import errno
import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

from harness.foreign_folders import find_shared, resolve

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

DEVNULL, PIPE, STDOUT = subprocess.DEVNULL, subprocess.PIPE, subprocess.STDOUT
TimeoutExpired = subprocess.TimeoutExpired

Child = subprocess.Popen[bytes]
"""A program that was started."""

PYTHON: tuple[str, ...] = (sys.executable, "-I")
"""Our Python, which then imports nothing from the current folder, from PYTHONPATH, or from the user's packages."""

_PASSED = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "WINDIR",
    "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
    "NO_PROXY", "LD_LIBRARY_PATH", "BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY",
    "DBUS_SESSION_BUS_ADDRESS",
})  # fmt: skip
"""Variables that a tool may need to start, to find its caches, and to reach the network."""

_PASSED_PREFIXES = ("LC_", "XDG_", "PIP_", "NPM_CONFIG_")
"""Where packages come from is a setting of pip and npm that the user has made, often in the environment."""


def find_program(name: str) -> str | None:
    """The absolute path of a program, None if there is none in `_own_path`."""
    found = shutil.which(name, path=_own_path(os.environ))
    return found if found and Path(found).is_absolute() else None


def explain_not_found(name: str) -> str:
    """Why `find_program` finds none: there is none, or another person may have written it."""
    found = shutil.which(name, path=_absolute_path(os.environ))
    shared = find_shared(Path(found).parent) if found else None
    return f"{name} is in {str(shared[0])!r} alone: {shared[1]}" if shared else f"{name} is not on PATH"


def tool_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that a tool gets, of those of this process by default: an allow-list, which has no key."""
    given = os.environ if environment is None else environment
    keys = _Keys(given)
    passed = {
        name: value
        for name, value in given.items()
        if (name.upper() in _PASSED or name.upper().startswith(_PASSED_PREFIXES)) and not keys.are_in(value)
    }
    if "PIP_CONFIG_FILE" not in passed and is_home_shared(given):
        passed["PIP_CONFIG_FILE"] = os.devnull  # it would name the index of packages
    return {**passed, "PATH": _own_path(given) or os.devnull}  # an empty one means the current folder


def is_home_shared(environment: Mapping[str, str]) -> bool:
    """Whether another person may have filled the home or the folder of settings, as in a checkout of CI."""
    settings = environment.get("XDG_CONFIG_HOME") or Path.home()
    return any(map(find_shared, (Path.home(), Path.cwd() / settings)))


_SHORTEST_KEY = 8
"""A shorter value is in too many variables by chance."""
_NAME_OF_KEY = (
    r"(?:gemini|genai|generative_?ai|google|palm|ai_?studio)(?:_*ai)?_*"
    r"(?:(?:api|access|auth|secret)_*)?(?:key|token)"
)
_KEY_VARIABLE = re.compile(
    rf"(?i)(?:\w+_)?{_NAME_OF_KEY}(?:s|_?\d+|_(?:prod|live|test|dev|primary|secondary|backup|other))?"
)
"""Names under which clients and frameworks read a key of the API, such as `VITE_GEMINI_API_KEY`; in any case,
because some readers of settings ignore it."""
_PERHAPS_KEY = re.compile(rf"(?i){_NAME_OF_KEY}s?(?![a-z])")
_LIKE_A_KEY = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[\w.~+=\-]{20,}", re.ASCII)
"""A longer name, such as `GEMINI_API_KEY_EU` or `GEMINI_API_KEY_FILE`, and a value that makes it one of a key."""
_AROUND = re.compile(r"^google|(?:api)?(?:key|token)s?$")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_OTHER_SERVICES = frozenset({
    "ads", "admob", "analytics", "bigquery", "blogger", "calendar", "cse", "customsearch", "dialogflow",
    "directions", "drive", "earth", "elevation", "fcm", "firebase", "fonts", "gcm", "gcs", "geocode",
    "geocoder", "geocoding", "geolocation", "gmail", "gmaps", "gmp", "kgsearch", "maps", "pagespeed",
    "photos", "places", "pubsub", "recaptcha", "roads", "routes", "safebrowsing", "search", "sheets",
    "speech", "storage", "streetview", "stt", "timezone", "translate", "translation", "tts", "vision",
    "weather", "webrisk", "youtube", "yt",
})  # fmt: skip
"""Other services of Google have keys of the same form: one in a variable with such a word (`MAPS_KEY`) stays."""
_OF_THE_API = re.compile(r"(?i)gemini|genai|generative_?(?:ai|language)|palm|ai_?studio|vertex")


def _names_other_service(name: str) -> bool:
    words = {_AROUND.sub("", word.lower()) for word in _WORD.findall(name)}
    return not words.isdisjoint(_OTHER_SERVICES) and _OF_THE_API.search(name) is None


def _holds_key(name: str, value: str) -> bool:
    from harness.wire.secrets import is_api_key

    if _KEY_VARIABLE.fullmatch(name):
        return True
    value = value.strip()
    if _PERHAPS_KEY.search(name) and _LIKE_A_KEY.fullmatch(value):
        return True
    return is_api_key(value) and not _names_other_service(name)


def find_keys(environment: Mapping[str, str]) -> set[str]:
    """The keys of the API: the values of the variables that hold one, and those in a longer value."""
    from harness.wire.secrets import find_api_keys

    named = {value.strip() for name, value in environment.items() if _holds_key(name, value)}
    for name, value in environment.items():
        if not _names_other_service(name):
            named.update((*find_api_keys(value), *find_api_keys(unquote(value))))
    return {value for value in named if len(value) >= _SHORTEST_KEY}


class _Keys:
    """The keys of an environment, also as they are written in URLs, in JSON and in hex."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        from harness.wire.secret_finder import spellings

        spelled = {text for key in find_keys(environment) for text in spellings(key)}
        longest_first = sorted(spelled, key=len, reverse=True)
        self._texts = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)", re.I)

    def are_in(self, value: str) -> bool:
        return self._texts.search(value) is not None or self._texts.search(unquote(value)) is not None

    def replace_in(self, value: str, stand_in: str) -> str:
        value = self._texts.sub(lambda _: stand_in, value)
        plain = unquote(value)
        return self._texts.sub(lambda _: stand_in, plain) if self._texts.search(plain) else value


def replace_keys(environment: Mapping[str, str], stand_in: str) -> dict[str, str]:
    """The environment of a command that needs the user's variables, but no key of the API: it gets the stand-in.

    A key may also be in a variable of the user's own, or in a URL there.
    """
    keys = _Keys(environment)
    return {
        name: stand_in if value and _holds_key(name, value) else keys.replace_in(value, stand_in)
        for name, value in environment.items()
    }


def _absolute_path(environment: Mapping[str, str]) -> str:
    """PATH without the folders that depend on where we are: an empty entry means the current folder."""
    folders = environment.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if Path(folder).is_absolute())


def _own_path(environment: Mapping[str, str]) -> str:
    """PATH without the folders that another person may have filled, such as the `node_modules/.bin` of a checkout.

    The folder of our own Python stays: a person who fills that one has replaced us.
    """
    own = resolve(Path(sys.executable).parent)
    folders = _absolute_path(environment).split(os.pathsep)
    return os.pathsep.join(
        folder for folder in folders if resolve(Path(folder)) == own or find_shared(Path(folder)) is None
    )


def run_tool(
    command: Sequence[str],
    folder: Path | None = None,
    *,
    seconds: float | None = None,
    captures: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end in `folder`, which must be ours, or in an empty one. Its program is an absolute path.

    Raises OSError if it cannot be run, and TimeoutError after `seconds`. Without `captures` its output is dropped,
    so that the caller does not wait for processes that it leaves running.
    """
    if not Path(command[0]).is_absolute():
        raise ValueError(f"{command[0]!r} is not an absolute path: another file could take its place")
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="harness-") as empty:
            return run_tool(command, Path(empty), seconds=seconds, captures=captures)
    to = PIPE if captures else DEVNULL
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=tool_environment(),
            stdin=DEVNULL,
            stdout=to,
            stderr=to,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except TimeoutExpired:
        raise TimeoutError(f"{command[0]} had not ended after {seconds:g} s") from None


def start(command: Sequence[str], environment: Mapping[str, str], **options: Any) -> Child:
    """Start a command of the user's with this environment; `options` are those of Popen. Raises OSError."""
    return subprocess.Popen(command, env=dict(environment), **options)


_NOT_STARTED = {
    errno.ENOENT: "check the spelling, or name the path of the program",
    errno.EACCES: "make the file executable, or name the program that runs it first, such as `python FILE`",
    errno.ENOEXEC: "begin the file with `#!` and the program that runs it, or name that program first",
}


def explain_not_started(command: Sequence[str], wrong: OSError) -> str:
    """The three parts of the error for a command of the user's that does not start."""
    step = f": {_NOT_STARTED[wrong.errno]}" if wrong.errno in _NOT_STARTED else ""
    return f"cannot run {command[0]!r}: {wrong.strerror}{step}"


def open_browser(address: str) -> bool:
    """Show an address in the user's browser; return whether there is one.

    A process of its own looks for it, because what it starts inherits its environment. The address is seen by all
    users of this machine: it must hold no secret.
    """
    code = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"
    return run_tool([*PYTHON, "-c", code, address], captures=False).returncode == 0


@contextmanager
def worker_pool(
    workers: int, begin: Callable[..., object], arguments: tuple[Any, ...]
) -> Iterator[ProcessPoolExecutor]:
    """Processes that run our own functions; each calls `begin` first. If the block raises, they are killed.

    They are spawned, not forked: a fork in a process with threads may deadlock. A spawned Python would import
    `multiprocessing` from the current folder, unless PYTHONSAFEPATH is set.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    others = multiprocessing.active_children()
    try:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), begin, arguments) as pool:
            try:
                yield pool
            except BaseException:
                for child in multiprocessing.active_children():
                    if child not in others:
                        child.kill()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


T = TypeVar("T")

_bench: Any = None
"""What a worker of a pool was made with; each process has its own."""


def begin_worker(make: Callable[..., Any], *arguments: Any) -> None:
    """Make what the functions of this worker use. Ctrl-C reaches all processes; the first one ends the others."""
    global _bench
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _bench = make(*arguments)
    gc.freeze()  # all of it lives as long as the worker: to look through it again and again took 7 % of the time
    gc.set_threshold(20_000, *gc.get_threshold()[1:])  # and each play leaves little: that took another 3 %


def use_bench(function: Callable[..., T], *given: Any) -> T:
    """Call a function with what `begin_worker` made, and what is given."""
    return function(_bench, *given)
