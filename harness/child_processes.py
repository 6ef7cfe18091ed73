"""Starts every other program: which file runs, in which folder, and with which environment.

A tool that we run ourselves (`run_tool`: pip, npm, node) has an absolute path and a folder of ours, so it obeys
nothing of the current folder. It gets no variable but those that it needs, so it gets no key. A command that the
user typed (`start`) is theirs: it runs where they are, with the environment that its caller documents. Must not
know what a program does.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

DEVNULL, PIPE, STDOUT = subprocess.DEVNULL, subprocess.PIPE, subprocess.STDOUT
TimeoutExpired = subprocess.TimeoutExpired

Child: TypeAlias = "subprocess.Popen[bytes]"
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


def tool_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that a tool gets, of those of this process by default: an allow-list, which has no key."""
    given = os.environ if environment is None else environment
    passed = {
        name: value
        for name, value in given.items()
        if name.upper() in _PASSED or name.upper().startswith(_PASSED_PREFIXES)
    }
    return {**passed, "PATH": _own_path(given) or os.devnull}  # an empty one means the current folder


def _own_path(environment: Mapping[str, str]) -> str:
    """PATH without the folders that depend on where we are: an empty entry means the current folder."""
    folders = environment.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if Path(folder).is_absolute())


_KEY_VARIABLE = re.compile(
    r"(?i)(?:\w+_)?(?:gemini|genai|generative_?ai|google|palm|ai_?studio)(?:_*ai)?_*"
    r"(?:(?:api|access|auth|secret)_*)?(?:key|token)(?:s|_?\d+|_(?:prod|live|test|dev|primary|secondary|backup|other))?"
)
"""Names under which clients and frameworks read a key of the API, such as `VITE_GEMINI_API_KEY`; in any case,
because some readers of settings ignore it."""
_SHORTEST_KEY = 8
"""A shorter value is in too many variables by chance."""


def replace_keys(environment: Mapping[str, str], stand_in: str) -> dict[str, str]:
    """The environment of a command that needs the user's variables, but no key of the API: it gets the stand-in.

    A variable is one of a key by its name. The same key, or a text of the form of one, is replaced in all others.
    """
    from harness.wire.secrets import find_api_keys

    named = {name: value.strip() for name, value in environment.items() if value and _KEY_VARIABLE.fullmatch(name)}
    keys = {value for value in named.values() if len(value) >= _SHORTEST_KEY}
    made = {}
    for name, value in environment.items():
        for key in sorted(keys.union(find_api_keys(value)), key=len, reverse=True):
            value = value.replace(key, stand_in)
        made[name] = stand_in if name in named else value
    return made


def run_tool(
    command: Sequence[str], folder: Path | None = None, *, seconds: float | None = None, captures: bool = True
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
