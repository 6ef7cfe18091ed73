"""The clients that have a driver: packages, versions, and the modes that each can be used in.

Values only; `clients.toml` has them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from msgspec import convert

from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean


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
    """The clients of `clients.toml`, in its order."""
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
