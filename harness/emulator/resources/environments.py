"""The environments resource: configurations, create, fork, reuse, list, get, delete; and files as a tree.

Knows the rules of `sources`, `network` and `env` that no schema states, and environments as wholes; must not know
how files are sent and received (`environment_files`, `uploads`). Nothing is fetched: a repository, bucket or skill
becomes an empty directory at its target. The oldest environments are dropped to make room for new ones. On the
live service they expire; a client sees 404 in both cases.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeAlias

from msgspec import Struct, field

from harness.emulator.resources.collection import KeptResource, ResourceContext, parameter
from harness.emulator.resources.credentials import Credentials
from harness.emulator.values.call import Call, Refusal, conflict, invalid, not_found
from harness.emulator.values.create_request import SELF_HOSTED

_MEDIA_TYPES = {
    "csv": "text/csv",
    "gz": "application/gzip",
    "html": "text/html",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "js": "text/javascript",
    "json": "application/json",
    "md": "text/markdown",
    "pdf": "application/pdf",
    "png": "image/png",
    "py": "text/x-python",
    "tar": "application/x-tar",
    "txt": "text/plain",
    "yaml": "application/yaml",
    "yml": "application/yaml",
}
"""Our own table: with the operating system's, responses would differ between machines."""


class File(Struct, frozen=True):
    """A file's bytes and media type, and when it was created and last modified (RFC 3339)."""

    data: bytes
    media_type: str
    created: str
    modified: str


class Directory(Struct, frozen=True):
    """A directory; `created` is the time of the first write that needed it."""

    created: str


Node: TypeAlias = File | Directory


def clean(path: str) -> str:
    """Return `path` relative to the root (`""`), without empty and `.` parts.

    Raises `Refusal` 400 for a path that contains `..` or NUL, or that no file system takes.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in path:
        raise invalid(f"The path {path!r} leaves the environment or cannot name a file.")
    if len(path) > 1024:
        raise invalid(f"A path of {len(path)} characters is too long: 1024 are allowed.")
    return "/".join(parts)


def guess(path: str) -> str:
    """The media type for the suffix of `path`; `application/octet-stream` if unknown."""
    return _MEDIA_TYPES.get(path.rpartition(".")[2].lower(), "application/octet-stream")


def _make_directories(nodes: dict[str, Node], path: str, now: str) -> None:
    while path:
        node = nodes.setdefault(path, Directory(now))
        if isinstance(node, File):
            raise invalid(f"The path {path!r} is a file: nothing can be put below it.", "failed_precondition")
        path = path.rpartition("/")[0]


INLINE_BYTES = 2**20
"""Size limit of one inline source, documented; all of an environment together may have twice as much."""


class EnvironmentConfig(Struct, frozen=True):
    """A configuration that was read.

    `origin` is the id of the environment to reuse or to fork, `""` for none. `files` maps paths to bytes;
    `directories` are paths to create even if they stay empty. `sources` are the given ones, as responses show
    them: without inline content. If `network` is None, none was given: a new environment then allows all traffic,
    an existing one keeps its rules. `host` is who runs the sandbox: `mode` and, of a user's own, `custom_config`.
    """

    origin: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    directories: tuple[str, ...] = ()
    sources: tuple[dict[str, Any], ...] = ()
    network: Any = None
    host: Mapping[str, Any] = field(default_factory=dict)


def _plain_id(name: str) -> str:
    """The id in a name, which guides write both as it is and as `environments/{id}`."""
    return name.removeprefix("environments/")


def _read_files(sources: list[dict[str, Any]]) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The files of inline sources, and the directories that stand for the others."""
    files: dict[str, bytes] = {}
    directories: list[str] = []
    for source in sources:
        kind, target = source.get("type"), source.get("target", "")
        if not kind:
            raise invalid("Invalid value at 'sources': each source needs a 'type', such as inline or repository.")
        if kind != "inline" and not source.get("source"):
            raise invalid(f"A {kind} source needs 'source', the place it comes from.")
        if kind != "inline" and not target:
            # where the service puts it is not documented; the last part of its name is the least surprising place
            target = source["source"].rstrip("/").rpartition("/")[2] or "source"
        path = clean(target)
        if not path:
            raise invalid(
                f"The target {target!r} of the {kind} source is not allowed: name a path below the root."
            )
        if kind == "inline":
            files[path] = _read_inline(source)
        else:
            directories.append(path)
    if sum(map(len, files.values())) > 2 * INLINE_BYTES:
        raise invalid(
            f"Inline sources hold more than {2 * INLINE_BYTES} bytes in all: upload larger files instead."
        )
    return files, tuple(directories)


def _read_inline(source: dict[str, Any]) -> bytes:
    if "content" not in source:
        raise invalid(f"The inline source {source['target']!r} has no content.")
    text: str = source["content"]
    encoding = source.get("encoding")
    if encoding not in (None, "base64"):
        raise invalid(f"The encoding {encoding!r} is not known: send base64, or plain text without an encoding.")
    try:
        data = base64.b64decode(text, validate=True) if encoding else text.encode("utf-8", "replace")
    except (binascii.Error, ValueError):
        raise invalid(f"The content of {source['target']!r} is not base64, as its encoding states.") from None
    if len(data) > INLINE_BYTES:
        raise invalid(f"The inline source {source['target']!r} is larger than {INLINE_BYTES} bytes.")
    return data


class Environment(Struct, eq=False):
    """One sandbox: its files, their sources, its network rules (None: all traffic allowed), and who runs it.

    `nodes` are its files and directories by clean path, `key` is that of the worker of a user's own sandbox.
    """

    id: str
    project: str
    nodes: dict[str, Node]
    network: Any
    sources: tuple[dict[str, Any], ...]
    created: str
    updated: str
    last_accessed: str
    host: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""

    @property
    def files(self) -> dict[str, File]:
        return {path: node for path, node in sorted(self.nodes.items()) if isinstance(node, File)}

    def node(self, path: str) -> Node | None:
        """The file or directory at a clean path, or None; the root is always a directory."""
        return self.nodes.get(path) if path else Directory("")

    def below(self, path: str, *, recursive: bool = False) -> list[tuple[str, Node]]:
        """The children of a directory, or with `recursive` all its descendants, sorted by path."""
        start = f"{path}/" if path else ""
        return sorted(
            (name, node)
            for name, node in self.nodes.items()
            if name.startswith(start) and (recursive or "/" not in name[len(start) :])
        )


class Environments(KeptResource[Environment]):
    """Environments per project."""

    name, noun = "environments", "environment"
    evicts = True

    def __init__(self, context: ResourceContext, credentials: Credentials) -> None:
        super().__init__(context)
        self._credentials = credentials

    def read_config(self, config: Any, project: str, what: str = "environment") -> EnvironmentConfig:
        """Read `"remote"`, an environment id, or a configuration object. Raises `Refusal`, which names it `what`.

        The caller has validated an object against its schema, with the body that contains it.
        """
        if config == "":
            raise invalid(f'The value of {what} is empty: send "remote", an environment id or a configuration.')
        if isinstance(config, str):
            return EnvironmentConfig() if config == "remote" else EnvironmentConfig(origin=_plain_id(config))
        origin = config.get("environment_id") or config.get("env_id") or config.get("from_environment") or ""
        env, network = config.get("env", {}), config.get("network")
        for name, value in env.items() if isinstance(env, dict) else ():
            if not name or "=" in name or "\0" in name:
                raise invalid(f"Invalid value at 'env': no process can have a variable named {name!r}.")
            if isinstance(value, dict):
                self.check_credential(value.get("credential"), project)
        rules = network.get("allowlist") if isinstance(network, dict) else None
        for rule in rules if isinstance(rules, list) else ():
            domain = rule["domain"]  # the egress proxy knows exact hosts, `*`, and `*.` before a host
            if domain != "*" and re.fullmatch(r"(\*\.)?[^\s*/:@?#]+", domain) is None:
                raise invalid(f'The domain {domain!r} must be a bare host name, "*", or "*." and a host name.')
            self.check_credential(rule.get("credential"), project)
        sources = config.get("sources", [])
        files, directories = _read_files(sources)
        echo = tuple({k: v for k, v in source.items() if k != "content"} for source in sources)
        # by the types, a configuration has a host only for a user's own sandbox
        names = ("mode", "custom_config") if config.get("mode") == SELF_HOSTED else ("mode",)
        host = {name: config[name] for name in names if name in config}
        return EnvironmentConfig(_plain_id(origin), files, directories, echo, network, host)

    def check_credential(self, credential: str | None, project: str) -> None:
        """Raise `Refusal` 404 if `credential` is given but does not exist."""
        if credential is not None and self._credentials.find(project, credential) is None:
            raise not_found(f"There is no credential {credential!r} in this project: create it first.")

    def create(self, call: Call) -> dict[str, Any]:
        """POST environments. Only this response shows the key of the worker of a user's own sandbox (types)."""
        given = self._reader.read("requests/create-environment", {} if call.body is None else call.body)
        made = self._make(self.read_config(given, call.project), call.project)
        if made.host.get("mode") != SELF_HOSTED:
            return self.view(made)
        made.key = self._stamps.ids("environment-key")
        return {**self.view(made), "environment_key": made.key}

    def list_all(self, call: Call) -> dict[str, Any]:
        """GET environments. One without a mode runs on demand, which is inferred: it is what all did before."""
        mode = parameter(call.query, "mode")
        return self.list_some(call, lambda item: mode in (None, item.host.get("mode", "on_demand")))

    def view(self, item: Environment) -> dict[str, Any]:
        """The environment; counts are digit strings, as the service writes 64-bit numbers."""
        return {
            "id": item.id,
            "status": "active",
            "created": item.created,
            "updated": item.updated,
            "last_accessed": item.last_accessed,
            **({} if item.network is None else {"network": item.network}),
            **({"sources": list(item.sources)} if item.sources else {}),
            **item.host,
            "file_count": str(len(item.files)),
            "size_bytes": str(sum(len(file.data) for file in item.files.values())),
        }

    def open(self, environment_id: str, project: str) -> Environment:
        """Return the environment and set its last access to now. Raises `Refusal` 404."""
        environment = self.require(project, environment_id)
        environment.last_accessed = self._stamps.now()
        return environment

    def for_interaction(self, config: Any, project: str, base: Any = None) -> dict[str, Any]:
        """The environment that an interaction's `environment` asks for.

        `config` is `"remote"` (a new environment, or a fork of `base`), the id of an existing one, or an object.
        An object with `environment_id` means that environment, with `network` replacing its rules; any other
        object means a new one. `base` is the `base_environment` of the saved agent that runs, if any: its files
        are kept, its network rules are replaced if `config` has some. Raises `Refusal` 400 or 404.
        """
        wanted = self.read_config(config, project)
        if wanted.origin:
            reused = self.open(wanted.origin, project)
            self._apply(reused, wanted)
            return self.view(reused)
        if base is None:
            return self.view(self._make(wanted, project))
        forked = self._make(self.read_config(base, project, "base_environment"), project)
        self._apply(forked, wanted)
        return self.view(forked)

    def write(
        self,
        environment: Environment,
        files: Mapping[str, bytes],
        *,
        media_type: str = "",
        overwrite: bool = False,
        directories: tuple[str, ...] = (),
    ) -> list[str]:
        """Write all `files` or none, creating parent directories; return their paths, sorted.

        Raises `Refusal`: 409 `aborted` when a file exists and `overwrite` is off, 400 `failed_precondition` when
        a directory is in the place of a file or the reverse.
        """
        now = self._stamps.now()
        nodes = dict(environment.nodes)
        for path in directories:
            _make_directories(nodes, path, now)
        for path, data in files.items():
            _make_directories(nodes, path.rpartition("/")[0], now)
            old = nodes.get(path)
            if isinstance(old, Directory) or not path:
                raise invalid(
                    f"The path {path!r} is a directory: a file cannot replace it.", "failed_precondition"
                )
            if old is not None and not overwrite:
                raise conflict(f"The file {path!r} exists already: send overwrite=true to replace it.")
            nodes[path] = File(data, media_type or guess(path), old.created if old else now, now)
        environment.nodes = nodes
        environment.updated = environment.last_accessed = now
        return sorted(files)

    def list_files(self, environment_id: str, project: str) -> list[str]:
        return list(self.open(environment_id, project).files)

    def keep_written(self, environment_id: str, project: str, steps: list[dict[str, Any]]) -> None:
        """Write the files of the `write_file` calls among an agent's steps; a path that cannot be is left out.

        So a client finds the files of a run where it looks for them. That they are there from the start of the run
        is a simplification.
        """
        environment = self.open(environment_id, project)
        for step in steps:
            given = step.get("arguments") if step.get("name") == "write_file" else None
            path, content = (given.get("path"), given.get("content")) if isinstance(given, dict) else (None, None)
            if isinstance(path, str) and isinstance(content, str):
                with suppress(Refusal):
                    self.write(environment, {clean(path): content.encode()}, overwrite=True)

    def _make(self, wanted: EnvironmentConfig, project: str) -> Environment:
        origin = self.require(project, wanted.origin) if wanted.origin else None
        now = self._stamps.now()
        made = Environment(
            id=self._stamps.ids("environment"),
            project=project,
            nodes={} if origin is None else dict(origin.nodes),
            network=None if origin is None else origin.network,
            sources=() if origin is None else origin.sources,
            created=now,
            updated=now,
            last_accessed=now,
            host=wanted.host or ({} if origin is None else origin.host),
        )
        self._apply(made, wanted)
        self.add(project, made.id, made)
        return made

    def _apply(self, environment: Environment, wanted: EnvironmentConfig) -> None:
        if wanted.files or wanted.directories:
            self.write(environment, wanted.files, overwrite=True, directories=wanted.directories)
            # a source given again replaces the earlier one: a client that repeats it must not make the list grow
            fresh = {source.get("target") or source.get("source"): source for source in wanted.sources}
            old = {source.get("target") or source.get("source"): source for source in environment.sources}
            environment.sources = tuple((old | fresh).values())
        if wanted.network is not None:
            environment.network = wanted.network
            environment.updated = self._stamps.now()
