"""Reads the configuration of an environment: `sources`, `network` and `env`.

Layer 2. Knows the rules that no schema states; must not know which environments exist. Nothing is fetched: a
repository, bucket or skill becomes an empty directory at its target.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.emulator.resources.environments.file_tree import clean
from harness.emulator.resources.schema_reader import SchemaReader
from harness.emulator.values.call import invalid, not_found

INLINE_FILE_BYTES = 2**20
"""Size limit of one inline source: 1 MB."""
INLINE_BYTES = 2 * 2**20
"""Size limit of all inline sources of one environment together: 2 MB."""


@dataclass(frozen=True, slots=True)
class EnvironmentConfig:
    """A configuration that was read.

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


class EnvironmentConfigReader:
    """Reads configurations; `has_credential(id, project)` tells whether a credential exists."""

    def __init__(self, reader: SchemaReader, has_credential: Callable[[str, str], bool]) -> None:
        self._reader = reader
        self._has_credential = has_credential

    def read(self, config: Any, project: str, what: str = "environment") -> EnvironmentConfig:
        """Read `"remote"`, an environment id, or a configuration object; `what` names it. Raises `Refusal`.

        An object must fit its schema already, as part of the body that it came in.
        """
        if not isinstance(config, str):
            return self._read_object(config, project)
        if not config:
            raise invalid(f'The value of {what} is empty: send "remote", an environment id or a configuration.')
        return EnvironmentConfig() if config == "remote" else EnvironmentConfig(origin=_plain_id(config))

    def read_create(self, body: Any, project: str) -> EnvironmentConfig:
        """Read the body of POST environments, which may be absent. Raises `Refusal`."""
        given = self._reader.read("requests/create-environment", {} if body is None else body)
        return self._read_object(given, project)

    def _read_object(self, given: dict[str, Any], project: str) -> EnvironmentConfig:
        origin = given.get("environment_id") or given.get("env_id") or given.get("from_environment") or ""
        self._check_env(given.get("env", {}), project)
        network = given.get("network")
        self._check_network(network, project)
        sources = given.get("sources", [])
        files, directories = _read_files(sources)
        echo = tuple({k: v for k, v in source.items() if k != "content"} for source in sources)
        return EnvironmentConfig(_plain_id(origin), files, directories, echo, network)

    def check_credential(self, credential: str | None, project: str) -> None:
        """Raise `Refusal` 404 if `credential` is given but does not exist."""
        if credential is not None and not self._has_credential(credential, project):
            raise not_found(f"There is no credential {credential!r} in this project: create it first.")

    def _check_env(self, env: Any, project: str) -> None:
        for name, value in env.items() if isinstance(env, dict) else ():
            if not name or "=" in name or "\0" in name:
                raise invalid(f"Invalid value at 'env': no process can have a variable named {name!r}.")
            if isinstance(value, dict):
                self.check_credential(value.get("credential"), project)

    def _check_network(self, network: Any, project: str) -> None:
        rules = network.get("allowlist") if isinstance(network, dict) else None
        for rule in rules if isinstance(rules, list) else ():
            _check_domain(rule["domain"])
            self.check_credential(rule.get("credential"), project)


def _plain_id(name: str) -> str:
    """The id in a name, which guides write both as it is and as `environments/{id}`."""
    return name.removeprefix("environments/")


def _check_domain(domain: str) -> None:
    """Accept an exact host, `*`, or `*.` and a host: the egress proxy knows no other rules."""
    if domain != "*" and re.fullmatch(r"(\*\.)?[^\s*/:@?#]+", domain) is None:
        raise invalid(f'The domain {domain!r} must be a bare host name, "*", or "*." and a host name.')


def _read_files(sources: list[dict[str, Any]]) -> tuple[dict[str, bytes], tuple[str, ...]]:
    files: dict[str, bytes] = {}
    directories: list[str] = []
    for source in sources:
        target = _require_target(source)
        if source["type"] == "inline":
            files[target] = _inline(source)
        else:
            directories.append(target)
    if sum(map(len, files.values())) > INLINE_BYTES:
        raise invalid(f"Inline sources hold more than {INLINE_BYTES} bytes in all: upload larger files instead.")
    return files, tuple(directories)


def _require_target(source: dict[str, Any]) -> str:
    kind = source.get("type")
    if not kind:
        raise invalid("Invalid value at 'sources': each source needs a 'type', such as inline or repository.")
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
    encoding = source.get("encoding")
    if encoding not in (None, "base64"):
        raise invalid(f"The encoding {encoding!r} is not known: send base64, or plain text without an encoding.")
    if encoding:
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise invalid(f"The content of {source['target']!r} is not base64, as its encoding says.") from None
    else:
        data = text.encode("utf-8", "replace")
    if len(data) > INLINE_FILE_BYTES:
        raise invalid(f"The inline source {source['target']!r} is larger than {INLINE_FILE_BYTES} bytes.")
    return data
