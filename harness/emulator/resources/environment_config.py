"""Reads and validates the configuration of an environment: `sources`, `network` and `env`.

Layer 2. Knows the rules of an environment's configuration; must not know which environments exist. Nothing is
fetched: a repository, bucket or skill becomes an empty directory at its target.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.emulator.resources.fields import (
    ARRAY,
    OBJECT,
    STRING,
    STRING_OR_OBJECT,
    STRING_REQUIRED,
    Field,
    Shape,
    read,
)
from harness.emulator.resources.file_tree import clean
from harness.emulator.values.call import invalid, not_found

INLINE_FILE_BYTES = 2**20
"""Size limit of one inline source: 1 MB."""
INLINE_BYTES = 2 * 2**20
"""Size limit of all inline sources of one environment together: 2 MB."""

CONFIG: Shape = {
    "type": Field((str,), choices=("remote",)),
    "environment_id": STRING,
    "sources": ARRAY,
    "env": OBJECT,
    "network": STRING_OR_OBJECT,
}
"""Shape of an interaction's `environment` and an agent's `base_environment`."""

CREATE: Shape = {"from_environment": STRING, "sources": ARRAY, "env": OBJECT, "network": STRING_OR_OBJECT}
"""Shape of the body of POST environments."""

_SOURCE = {
    "type": Field((str,), required=True, choices=("repository", "gcs", "inline", "skill_registry")),
    "source": STRING,
    "target": STRING,
    "content": STRING,
    "encoding": Field((str,), choices=("base64",)),
}
_ALLOWLIST = {"allowlist": Field((list, str), choices=("disabled",))}
_RULE = {"domain": STRING_REQUIRED, "credential": STRING, "transform": Field((dict, list))}
_VARIABLE = {"value": STRING, "credential": STRING}


@dataclass(frozen=True, slots=True)
class EnvironmentConfig:
    """A validated configuration.

    `origin` is the id of the environment to reuse or to fork, `""` for none. `files` maps paths to bytes;
    `directories` are paths to create even if they stay empty. `sources` are the given ones, as responses show
    them: without inline content. If `network` is None, none was given: a new environment then allows all traffic,
    an existing one keeps its rules.
    """

    origin: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    directories: tuple[str, ...] = ()
    sources: tuple[dict[str, Any], ...] = ()
    network: Any = None


class Blueprints:
    """Reads configurations; `has_credential(id, project)` tells whether a credential exists."""

    def __init__(self, has_credential: Callable[[str, str], bool]) -> None:
        self._has_credential = has_credential

    def read(self, config: Any, project: str, what: str = "environment") -> EnvironmentConfig:
        """Validate `"remote"`, an environment id, or a configuration object. Raises `Refusal`."""
        if not isinstance(config, str):
            return self.read_object(config, project, what, CONFIG)
        if not config:
            raise invalid(f'The value of {what} is empty: send "remote", an environment id or a configuration.')
        return EnvironmentConfig() if config == "remote" else EnvironmentConfig(origin=config)

    def read_object(self, config: Any, project: str, what: str, shape: Shape) -> EnvironmentConfig:
        """Validate a configuration object against `shape`. Raises `Refusal`."""
        given = read(config, shape, what)
        origin = given.get("environment_id") or given.get("from_environment") or ""
        if given.get("from_environment") and (given.get("sources") or given.get("env")):
            raise invalid("from_environment copies another environment: leave sources and env out.")
        self._check_env(given.get("env", {}), project)
        network = given.get("network")
        if network is not None:
            self._check_network(network, project)
        files, directories = _files(given.get("sources", []))
        echo = tuple({k: v for k, v in source.items() if k != "content"} for source in given.get("sources", []))
        return EnvironmentConfig(origin.removeprefix("environments/"), files, directories, echo, network)

    def check_credential(self, credential: str | None, project: str) -> None:
        """Raise `Refusal` 404 if `credential` is given but does not exist."""
        if credential is not None and not self._has_credential(credential, project):
            raise not_found(f"There is no credential {credential!r} in this project: create it first.")

    def _check_env(self, env: dict[str, Any], project: str) -> None:
        for name, value in env.items():
            if not name or "=" in name or "\0" in name:
                raise invalid(f"env has the name {name!r}, which no process can have as a variable.")
            if not isinstance(value, str):
                self.check_credential(read(value, _VARIABLE, f"env.{name}").get("credential"), project)

    def _check_network(self, network: Any, project: str) -> None:
        if isinstance(network, str):
            if network != "disabled":
                raise invalid(f'network is {network!r}: send "disabled", an allowlist object, or leave it out.')
            return
        rules = read(network, _ALLOWLIST, "network").get("allowlist")
        for rule in rules if isinstance(rules, list) else ():
            given = read(rule, _RULE, "an allowlist entry")
            _check_domain(given["domain"])
            _check_transform(given.get("transform", {}))
            self.check_credential(given.get("credential"), project)


def _check_domain(domain: str) -> None:
    """Accept an exact host, `*`, or `*.` and a host: the egress proxy knows no other rules."""
    if domain != "*" and re.fullmatch(r"(\*\.)?[^\s*/:@?#]+", domain) is None:
        raise invalid(f'The domain {domain!r} must be a bare host name, "*", or "*." and a host name.')


def _check_transform(transform: Any) -> None:
    for headers in transform if isinstance(transform, list) else [transform]:
        if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
            raise invalid("transform must map header names to strings.")


def _files(sources: list[Any]) -> tuple[dict[str, bytes], tuple[str, ...]]:
    files: dict[str, bytes] = {}
    directories: list[str] = []
    for item in sources:
        source = read(item, _SOURCE, "a source")
        target = _target(source)
        if source["type"] == "inline":
            files[target] = _inline(source)
        else:
            directories.append(target)
    if sum(map(len, files.values())) > INLINE_BYTES:
        raise invalid(f"Inline sources hold more than {INLINE_BYTES} bytes in all: upload larger files instead.")
    return files, tuple(directories)


def _target(source: dict[str, Any]) -> str:
    kind = source["type"]
    if kind != "inline" and not source.get("source"):
        raise invalid(f"A {kind} source needs 'source', the place it comes from.")
    target = source.get("target", "")
    if kind != "inline" and not target:
        # where the service puts it is not documented; the last part of its name is the least surprising place
        target = source["source"].rstrip("/").rpartition("/")[2] or "source"
    path = clean(target)
    if not path:
        raise invalid(f"The target {target!r} of the {kind} source is not allowed: name a path below the root.")
    return path


def _inline(source: dict[str, Any]) -> bytes:
    if "content" not in source:
        raise invalid(f"The inline source {source['target']!r} has no content.")
    text: str = source["content"]
    if source.get("encoding") == "base64":
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise invalid(f"The content of {source['target']!r} is not base64, as its encoding says.") from None
    else:
        data = text.encode("utf-8", "replace")
    if len(data) > INLINE_FILE_BYTES:
        raise invalid(f"The inline source {source['target']!r} is larger than {INLINE_FILE_BYTES} bytes.")
    return data
