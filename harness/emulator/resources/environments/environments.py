"""The environments resource: create, fork, reuse, list, get, delete; and a limit on the bytes stored.

Layer 2. Knows environments as wholes; must not know how files are sent and received (`files`, `uploads`). The
oldest environments are dropped to make room for new ones. On the live service they expire; a client sees 404 in
both cases.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from harness.emulator.resources.collection import Collection, Stamps
from harness.emulator.resources.environments.configuration import EnvironmentConfig, EnvironmentConfigReader
from harness.emulator.resources.environments.file_tree import Tree, clean
from harness.emulator.resources.paging import listing
from harness.emulator.resources.refusals import over_quota
from harness.emulator.values.call import Call, Refusal
from harness.emulator.values.weight import weigh_json

STORED_BYTES = 128 * 2**20
"""Bytes of files, one shared by forks once for each, and of long network rules that all environments may hold."""

_SHORT = 2**16
"""So many bytes of network rules and sources are not counted; the number of environments bounds them."""


@dataclass(slots=True, eq=False)
class Environment:
    """One sandbox: its files, its network rules (None: all traffic allowed), and the sources of its files."""

    id: str
    project: str
    tree: Tree
    network: Any
    sources: tuple[dict[str, Any], ...]
    created: str
    updated: str
    last_accessed: str
    rule_bytes: int = 0

    @property
    def held_bytes(self) -> int:
        """What counts of it: its files, and long network rules and sources."""
        return self.tree.size + self.rule_bytes

    def view(self) -> dict[str, Any]:
        """The resource as GET shows it; counts are digit strings, as the service writes 64-bit numbers."""
        return {
            "id": self.id,
            "status": "active",
            "created": self.created,
            "updated": self.updated,
            "last_accessed": self.last_accessed,
            **({} if self.network is None else {"network": self.network}),
            **({"sources": list(self.sources)} if self.sources else {}),
            "file_count": str(self.tree.file_count),
            "size_bytes": str(self.tree.size),
        }


class Environments:
    """Environments per project."""

    def __init__(self, stamps: Stamps, configs: EnvironmentConfigReader) -> None:
        self._stamps = stamps
        self._configs = configs
        self._kept: Collection[Environment] = Collection("environment", evicts=True)

    def create(self, call: Call) -> dict[str, Any]:
        """POST environments."""
        return self._make(self._configs.read_create(call.body, call.project), call.project).view()

    def list_all(self, call: Call) -> dict[str, Any]:
        """GET environments."""
        found, token = self._kept.page(call.project, call.query)
        return listing("environments", [item.view() for item in found], token)

    def get(self, call: Call, environment_id: str) -> dict[str, Any]:
        """GET environments/{id}."""
        return self._kept.get(call.project, environment_id).view()

    def delete(self, call: Call, environment_id: str) -> dict[str, Any]:
        """DELETE environments/{id}."""
        self._kept.remove(call.project, environment_id)
        return {}

    def open(self, environment_id: str, project: str) -> Environment:
        """Return the environment and set its last access to now. Raises `Refusal` 404."""
        environment = self._kept.get(project, environment_id)
        environment.last_accessed = self._stamps.now()
        return environment

    def for_interaction(self, config: Any, project: str, base: Any = None) -> dict[str, Any]:
        """The environment that an interaction's `environment` asks for.

        `config` is `"remote"` (a new environment, or a fork of `base`), the id of an existing one, or an object.
        An object with `environment_id` means that environment, with `network` replacing its rules; any other
        object means a new one. `base` is the `base_environment` of the saved agent that runs, if any: its files
        are kept, its network rules are replaced if `config` has some. Raises `Refusal` 400 or 404.
        """
        wanted = self._configs.read(config, project)
        if wanted.origin:
            return self._reuse(wanted, project).view()
        if base is None:
            return self._make(wanted, project).view()
        forked = self._make(self._configs.read(base, project, "base_environment"), project)
        self._apply(forked, wanted)
        return forked.view()

    def write(
        self,
        environment: Environment,
        files: Mapping[str, bytes],
        *,
        media_type: str = "",
        overwrite: bool = False,
        directories: tuple[str, ...] = (),
    ) -> list[str]:
        """Write all `files` or none (see `Tree.write`) within the limit of this store; return their paths."""
        self._make_room(sum(map(len, files.values())), environment)
        now = self._stamps.now()
        paths = environment.tree.write(
            files, now, media_type=media_type, overwrite=overwrite, directories=directories
        )
        environment.updated = environment.last_accessed = now
        return paths

    def keep_written(self, environment_id: str, project: str, steps: list[dict[str, Any]]) -> None:
        """Write what the `write_file` calls among an agent's steps say; a path that cannot be is left out.

        So a client finds the files of a run where it looks for them. That they are there from the start of the run
        is a simplification.
        """
        environment = self.open(environment_id, project)
        for step in steps:
            told = step.get("arguments") if step.get("name") == "write_file" else None
            path, content = (told.get("path"), told.get("content")) if isinstance(told, dict) else (None, None)
            if isinstance(path, str) and isinstance(content, str):
                with suppress(Refusal):
                    self.write(environment, {clean(path): content.encode()}, overwrite=True)

    def _reuse(self, wanted: EnvironmentConfig, project: str) -> Environment:
        environment = self.open(wanted.origin, project)
        self._apply(environment, wanted)
        return environment

    def _make(self, wanted: EnvironmentConfig, project: str) -> Environment:
        origin = self._kept.get(project, wanted.origin) if wanted.origin else None
        now = self._stamps.now()
        made = Environment(
            id=self._stamps.ids("environment"),
            project=project,
            tree=Tree() if origin is None else origin.tree.fork(),
            network=None if origin is None else origin.network,
            sources=() if origin is None else origin.sources,
            created=now,
            updated=now,
            last_accessed=now,
        )
        if made.tree.size:
            self._make_room(made.tree.size, made)
        self._apply(made, wanted)
        self._kept.add(project, made.id, made)
        return made

    def _apply(self, environment: Environment, wanted: EnvironmentConfig) -> None:
        rules = weigh_json(msgspec.json.encode((wanted.network or environment.network, wanted.sources)))
        more = max(0, rules - _SHORT - environment.rule_bytes)
        if more:
            self._make_room(more, environment)
            environment.rule_bytes += more
        if wanted.files or wanted.directories:
            self.write(environment, wanted.files, overwrite=True, directories=wanted.directories)
            # a source given again replaces the earlier one: a client that repeats it must not make the list grow
            fresh = {source.get("target") or source.get("source"): source for source in wanted.sources}
            old = {source.get("target") or source.get("source"): source for source in environment.sources}
            environment.sources = tuple((old | fresh).values())
        if wanted.network is not None:
            environment.network = wanted.network
            environment.updated = self._stamps.now()

    def _make_room(self, needed: int, keep: Environment) -> None:
        everything = [item for _, _, item in self._kept.everywhere()]
        held = sum(item.held_bytes for item in everything)
        for item in everything:
            if held + needed <= STORED_BYTES:
                return
            if item is not keep:
                self._kept.remove(item.project, item.id)
                held -= item.held_bytes
        if held + needed > STORED_BYTES:
            raise over_quota(f"The emulator keeps at most {STORED_BYTES} bytes of files and network rules.")
