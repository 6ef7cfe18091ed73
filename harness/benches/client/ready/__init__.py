"""Clients by name: which public packages they come from, how they are installed, and how they are started.

A driver is a program of `docs/clients/drivers` that reads tasks with the client's own calls. `clients.toml` has
the rows. `install` puts each version into an environment of its own, below `$HARNESS_CLIENTS`, by default in the
cache of the user, until the user deletes them. Where packages come from is a setting of pip and npm.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from typing import Any

from msgspec import convert

from harness.child_processes import PYTHON, find_program, run_tool
from harness.files import make_folder, open_lock, replace_file, write_file
from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean
from harness.resources import cache_folder, folder


class Language(StrEnum):
    """The interpreter of a driver."""

    PYTHON = "python"
    NODE = "node"
    SHELL = "sh"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyClient:
    """A client with a driver. `modes` are what it can do, the usual one first.

    `package` is its public package, "" if there is nothing to install; `needs` are further packages of its
    environment, pinned. `last` are the versions before `version` that the table shows beside it. `arguments`
    follow the driver on its command line. `loops` if the driver reads one task after another. `note` is what a
    reader of its results has to know.
    """

    name: str
    about: str
    driver: str
    language: Language
    modes: tuple[str, ...]
    package: str = ""
    version: str = ""
    last: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    loops: bool = True
    imports: str = ""
    """A module that our own Python needs to run the driver."""
    note: str = ""

    @property
    def pinned(self) -> str:
        """Package and version as the installer of its language writes them; "" if there is nothing to install."""
        if not self.package:
            return ""
        return f"{self.package}{'@' if self.language is Language.NODE else '=='}{self.version}"

    @property
    def packages(self) -> list[str]:
        """All that its environment is made of, pinned."""
        return [self.pinned, *self.needs] if self.package else []

    @property
    def spec(self) -> str:
        """The name of this client in this version, as `find_ready` takes it."""
        return f"{self.name}=={self.version}" if self.package else self.name

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


def _read_clients() -> Iterator[ReadyClient]:
    known: dict[str, dict[str, Any]] = {}
    for name, row in tomllib.loads(_TABLE.read_text(encoding="utf-8")).items():
        known[name] = known.get(row.pop("like", ""), {}) | row
        yield convert({**known[name], "name": name}, ReadyClient)


_TABLE = Path(__file__).with_name("clients.toml")

READY: tuple[ReadyClient, ...] = tuple(_read_clients())
"""All clients with a driver, in the order of the table."""

_SPEC = re.compile(r"(?P<name>@?[^@=]+)(?:(?:==|@)(?P<version>[0-9A-Za-z.+-]+))?")


def find_ready(spec: str) -> ReadyClient:
    """The client that a word like `google-genai` or `google-genai==3.3.0` names.

    `@` is taken for `==`. Raises UsageFault for an unknown name, or a version where there is nothing to install.
    """
    by_name = {client.name: client for client in READY}
    parts = _SPEC.fullmatch(spec)
    name = parts["name"] if parts else spec
    if parts is None or name not in by_name:
        raise UsageFault(f"no client has the name {spec!r}{did_you_mean(name, by_name)}")
    client = by_name[name]
    if parts["version"] is None:
        return client
    if not client.package:
        raise UsageFault(f"--client {spec!r}: {name} is not installed from a package, so it has no versions")
    return replace(client, version=parts["version"])


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


__all__ = ["READY", "ReadyClient", "find_ready", "install"]
