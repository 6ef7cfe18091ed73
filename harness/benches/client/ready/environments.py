"""Installs the packages of a ready client, each version into its own environment; returns its command.

The environments are kept below `$HARNESS_CLIENTS`, by default in the user's cache, until the user deletes them.
Where packages come from is a setting of pip and npm.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path

from harness.benches.client.ready.ready_clients import Language, ReadyClient
from harness.child_processes import PYTHON, find_program, run_tool
from harness.files import make_folder, open_lock, replace_file, write_file
from harness.outcome import UsageFault
from harness.resources import cache_folder, folder

PLACE = "HARNESS_CLIENTS"
"""The environment variable that names the folder of the environments."""

_DONE = "installed.json"
_NPM_OPTIONS = ("--no-package-lock", "--no-audit", "--no-fund", "--silent")


def install(client: ReadyClient, tell: Callable[[str], None] = lambda _: None) -> list[str]:
    """The command that starts the client's driver; its packages are installed first, unless they are.

    `tell` hears of an installation before it begins. Raises UsageFault with the installer's words if it fails.
    """
    home = home_of(client)
    programs = _copy_drivers(home)
    if client.language is Language.NODE:
        start = [_find("node", client)]
        if client.package:
            npm = [_find("npm", client), "install", "--ignore-scripts", *_NPM_OPTIONS]
            _install_once(home, client, tell, [[*npm, *client.packages]])
    elif client.language is Language.PYTHON and client.package:
        python = str(home / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python")
        make = [*PYTHON, "-m", "venv", "--clear", str(home / "venv")]
        pip = [python, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _install_once(home, client, tell, [make, [*pip, *client.packages]])
        start = [python, "-E"]  # the modules of PYTHONPATH are not its own
    elif client.language is Language.PYTHON:
        start = [sys.executable]
        # The packages of a module, the outermost first: each has to be there to look for the next.
        names = accumulate(client.imports.split("."), "{}.{}".format)
        if client.imports and any(find_spec(name) is None for name in names):
            raise UsageFault(
                f"{client.name} runs with the Python of harness, where {client.imports} is not installed: "
                "pip install 'interactions-harness[sdk]'"
            )
    else:
        start = [_find("sh", client)]
        _find("curl", client)
    return [*start, str(programs / "drivers" / client.driver), *client.arguments]


def environments_folder() -> Path:
    """Where all environments are.

    Raises UsageFault if `PLACE` is relative: a folder that someone else wrote could bring what is started there.
    """
    if not (own := os.environ.get(PLACE)):
        return cache_folder("clients")
    if not Path(own).is_absolute():
        raise UsageFault(f"{PLACE} is {own!r}, which depends on the current folder: set it to an absolute path")
    return Path(own)


def home_of(client: ReadyClient) -> Path:
    """The folder of the client's environment; clients with the same packages share it."""
    words = re.findall(r"[\w.+]+", f"{client.language} {client.package} {client.version}")
    return environments_folder() / "-".join(words)


def is_installed(client: ReadyClient) -> bool:
    """Whether the client can be started without an installer."""
    done = home_of(client) / _DONE
    return not client.package or (done.is_file() and json.loads(done.read_text("utf-8")) == client.packages)


def _copy_drivers(home: Path) -> Path:
    """Put the drivers beside the packages: Node looks for packages where a program is."""
    programs = home / "clients"
    for source in sorted(folder("docs/clients").rglob("*")):
        target = programs / source.relative_to(folder("docs/clients"))
        if source.suffix not in (".py", ".mjs", ".sh"):
            continue
        text = source.read_bytes()
        if not target.is_file() or target.read_bytes() != text:
            make_folder(target.parent)
            replace_file(target, text)
    return programs


def _install_once(
    home: Path, client: ReadyClient, tell: Callable[[str], None], commands: Sequence[Sequence[str]]
) -> None:
    wanted = client.packages
    with open_lock(home / "lock") as file:
        with suppress(ImportError):  # one process at a time installs here, where the system has such locks
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        if is_installed(client):
            return
        tell(f"installing {' '.join(wanted)} from the network into {home}, once")
        if client.language is Language.NODE:
            write_file(home / "package.json", '{"private": true, "type": "module"}')
        for command in commands:
            ran = run_tool(command, home)
            if ran.returncode:
                lines = (ran.stderr or ran.stdout).strip().splitlines()
                last_lines = [line for line in lines if not line.startswith("WARNING:")][-6:]
                what = "\n".join(f"  {line[:300]}" for line in last_lines)
                raise UsageFault(f"{client.name}: {' '.join(wanted)} cannot be installed:\n{what}")
        write_file(home / _DONE, json.dumps(wanted))


def _find(program: str, client: ReadyClient) -> str:
    found = find_program(program)
    if found is None:
        raise UsageFault(f"{client.name} needs {program}, which is not on PATH")
    return found
