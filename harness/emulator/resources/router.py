"""The operations on everything but interactions: one row for each, and the resource that performs it.

Layer 2. A resource is imported and made when the first call for it comes, or when something else asks for it: most
tests need none. Not thread-safe by itself: the emulator holds its lock around every call, and an interaction that
a trigger starts runs within such a call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from harness.contract import Contract
from harness.contract.data.transcript import items
from harness.emulator.resources.collection import Allowance, Shelf
from harness.emulator.values.call import Call, Refusal, Route, as_rpc, json_response, no_operation
from harness.emulator.values.create_request import CreateRequest
from harness.emulator.values.settings import PLATFORMS, Settings
from harness.emulator.values.stamps import Stamps
from harness.wire import Response

if TYPE_CHECKING:
    from datetime import datetime

    from harness.emulator.resources.agents import Agents
    from harness.emulator.resources.credentials import AuthTokens, Credentials
    from harness.emulator.resources.environment_files import Files
    from harness.emulator.resources.environments import EnvironmentConfigReader, Environments
    from harness.emulator.resources.models import Decisions
    from harness.emulator.resources.schema_reader import SchemaReader
    from harness.emulator.resources.storage import SearchStores, UploadedFiles
    from harness.emulator.resources.triggers import LookUp, Triggers
    from harness.emulator.resources.triggers import Run as RunInteraction
    from harness.emulator.resources.uploads import Receiver, Uploads
    from harness.emulator.resources.voices import Voices
    from harness.emulator.resources.webhooks import Webhook, Webhooks

_FILE = re.compile(r"(?:https?://[^/]+/(?:upload/)?v1(?:beta)?/)?(files/[^/:?#]+)")
"""The uri of an uploaded file."""

Handler = Callable[..., Any]
"""Gets the call and the text behind each `*` of its path. Returns a JSON value or a response; NotImplemented if it
does not offer the operation to this call."""


class Resources:
    """All resources but interactions, kept separately for each project.

    `ids(prefix)` returns a new id that is never repeated, `now()` the time as RFC 3339 in UTC. Who owns the
    interactions sets `run` and `look_up`, which triggers need.
    """

    def __init__(
        self, ids: Callable[[str], str], now: Callable[[], str], settings: Settings, contract: Contract
    ) -> None:
        self.settings = settings
        self.run: RunInteraction | None = None
        self.look_up: LookUp | None = None
        self._contract = contract
        self._stamps = Stamps(ids, now)
        self._shelf = Shelf(settings.max_file_bytes)
        self._allowance = Allowance(settings.max_resource_bytes)

    # The resources, each made when it is needed first

    @cached_property
    def _reader(self) -> SchemaReader:
        from harness.emulator.resources.schema_reader import SchemaReader

        return SchemaReader(self._contract, lambda: self.settings)

    @cached_property
    def agents(self) -> Agents:
        """The saved agents."""
        from harness.emulator.resources.agents import Agents

        return Agents(self._reader, self._configs, lambda: self.settings.platform, self._stamps)

    @cached_property
    def credentials(self) -> Credentials:
        """The credentials."""
        from harness.emulator.resources.credentials import Credentials

        return Credentials(self._reader, self._stamps)

    @cached_property
    def auth_tokens(self) -> AuthTokens:
        """The tokens of interactions."""
        from harness.emulator.resources.credentials import AuthTokens

        assert self.look_up is not None
        return AuthTokens(self._reader, self._stamps, self.look_up)

    @cached_property
    def decisions(self) -> Decisions:
        """The decisions, of which none is kept."""
        from harness.emulator.resources.models import Decisions

        return Decisions(self._reader)

    @cached_property
    def _configs(self) -> EnvironmentConfigReader:
        from harness.emulator.resources.environments import EnvironmentConfigReader

        return EnvironmentConfigReader(self._reader, self.credentials.has)

    @cached_property
    def environments(self) -> Environments:
        """The environments."""
        from harness.emulator.resources.environments import Environments

        return Environments(self._stamps, self._configs)

    @cached_property
    def _files(self) -> Files:
        from harness.emulator.resources.environment_files import Files

        return Files(self.environments)

    @cached_property
    def stores(self) -> SearchStores:
        """The file search stores."""
        from harness.emulator.resources.storage import SearchStores

        return SearchStores(self._reader, self._stamps, self._shelf, self.uploaded, lambda: self.settings)

    @cached_property
    def triggers(self) -> Triggers:
        """The triggers."""
        from harness.emulator.resources.triggers import Triggers

        triggers = Triggers(self._reader, self._stamps)
        triggers.run, triggers.look_up = self.run, self.look_up
        return triggers

    @cached_property
    def uploaded(self) -> UploadedFiles:
        """The uploaded files."""
        from harness.emulator.resources.storage import UploadedFiles

        return UploadedFiles(self._reader, self._stamps, self._shelf, lambda: self.settings)

    @cached_property
    def _uploads(self) -> Uploads:
        from harness.emulator.resources.uploads import Uploads

        return Uploads(self._stamps)

    @cached_property
    def voices(self) -> Voices:
        """The voices."""
        from harness.emulator.resources.voices import Voices

        return Voices(self._reader, self._stamps)

    @cached_property
    def webhooks(self) -> Webhooks:
        """The webhooks."""
        from harness.emulator.resources.webhooks import Webhooks

        return Webhooks(self._reader, self._stamps, lambda: PLATFORMS[self.settings.platform].dates_webhooks)

    def _has_made(self, name: str) -> bool:
        """Whether a resource was needed before: one that was not holds nothing."""
        return name in self.__dict__

    # Calls

    def handle(self, call: Call) -> Response | None:
        """Return the response, or None if the path belongs to none of these resources. Raises `Refusal`.

        For a call to `/upload/{version}/…`, the first segment is `"upload"`, followed by the segments after the
        version. Its body is read from the request as bytes, never parsed as JSON.
        """
        if call.segments and not call.segments[-1]:
            call = replace(call, segments=call.segments[:-1])
        kind = call.segments[0] if call.segments else ""
        for operation in _OPERATIONS.get(kind, ()):
            named = operation.match(call)
            if named is None:
                continue
            try:
                answer = self._allowance.handle(call, operation.find(self), *named)
            except Refusal as refusal:
                if operation.rpc:
                    raise as_rpc(refusal) from None
                raise
            if answer is not NotImplemented:
                return answer if isinstance(answer, Response) else json_response(answer)
        if kind not in _OFFERED:
            return None
        missing = no_operation(call, _OFFERED[kind])
        raise as_rpc(missing) if kind in _IN_RPC_SHAPE else missing

    def upload(self, method: str, receive: Callable[[Call], Receiver]) -> Handler:
        """Return the handler of uploads to one receiver; the first request has this method."""
        return lambda call, *_: self._uploads.handle(call, method, receive)

    # What the emulator asks

    def keyless(self, where: Route) -> bool:
        """Whether the request continues a resumable upload: its URL is the permission, so it carries no key."""
        return where.segments[:1] == ("upload",) and self._uploads.knows(where.query.get("upload_id"))

    def find_processing(self) -> list[str]:
        """The names of files and documents that only time makes ready."""
        files = self.uploaded.find_processing() if self._has_made("uploaded") else ()
        documents = self.stores.find_processing() if self._has_made("stores") else ()
        return [*files, *documents]

    def find_webhooks(self, project: str, event: str | None) -> Iterable[Webhook]:
        """The enabled webhooks of a project that subscribe to an event; None: to any event of interactions."""
        return self.webhooks.find_enabled(project, event) if self._has_made("webhooks") else ()

    def attend(self) -> None:
        """Start every run of a trigger that is due."""
        if self._has_made("triggers"):
            self.triggers.attend()

    @property
    def next_due(self) -> datetime | None:
        """The moment of the next run of any active trigger."""
        return self.triggers.next_due if self._has_made("triggers") else None

    def refer(self, order: CreateRequest) -> None:
        """Look up the files and stores that a create names, unless the setting `files` takes every name.

        Uris of other places are taken as they are. Raises `Refusal` 403 or 400, as recorded for files; that
        interactions word them alike is inferred.
        """
        if self.settings.files == "any":
            return
        try:
            if not isinstance(order.body.get("input"), str):  # a plain text names nothing
                for content in items(order.given):
                    uri = content.get("uri")
                    match = _FILE.fullmatch(uri) if isinstance(uri, str) else None
                    if match is not None:
                        self.uploaded.open_active(match[1], order.project)
            if stores := _list_stores(order.tools):
                order.documents = self.stores.titles(stores, order.project)
        except Refusal as refusal:
            hint = " (The emulator's setting files=any takes every name.)"
            raise Refusal(refusal.status, refusal.code, refusal.message + hint) from None

    def deliver(self, data: bytes, media_type: str, project: str) -> str:
        """Keep a generated medium as a file, and return the address to download it from. Raises `Refusal` 429."""
        return self.uploaded.generate(data, media_type, project)

    def agent(self, agent_id: str, project: str) -> dict[str, Any] | None:
        """A saved agent, or None."""
        return self.agents.find(agent_id, project) if self._has_made("agents") else None

    def keep_written(self, environment_id: str, project: str, steps: list[dict[str, Any]]) -> None:
        """Put the files that an agent's steps write into its sandbox."""
        self.environments.keep_written(environment_id, project, steps)

    def create_environment(self, config: Any, project: str, *, agent: str = "") -> dict[str, Any]:
        """The new or reused environment for an interaction's `environment` value; see `Environments`.

        `agent` is the agent that runs: if it is a saved one, its base_environment is forked. Raises `Refusal`
        400 or 404.
        """
        saved = self.agent(agent, project) or {}
        return self.environments.for_interaction(config, project, saved.get("base_environment"))


def _list_stores(tools: list[dict[str, Any]]) -> list[str]:
    """Return the names of the stores that tools are to search."""
    searches = (tool for tool in tools if tool.get("type") == "file_search")
    listed = (tool.get("file_search_store_names") for tool in searches)
    return [name for some in listed if isinstance(some, list) for name in some if isinstance(name, str)]


class _Operation(NamedTuple):
    """A row: `rpc` is whether its refusals have the shape that files and stores have."""

    method: str
    parts: tuple[str, ...]
    find: Callable[[Resources], Handler]
    rpc: bool

    def match(self, call: Call) -> list[str] | None:
        """The text behind each `*` if the row is for the call, else None."""
        segments, parts = call.segments, self.parts
        if self.method not in ("*", call.request.method):
            return None
        if parts[-1] == "**":
            parts = parts[:-1]
            segments = segments[: len(parts)]
        if len(parts) != len(segments):
            return None
        found = []
        for part, segment in zip(parts, segments, strict=True):
            start, star, end = part.partition("*")
            if not star and part == segment:
                continue
            if not star or not (segment.startswith(start) and segment.endswith(end)):
                return None
            found.append(segment[len(start) : len(segment) - len(end)])
        return found


def _models() -> Any:
    from harness.emulator.resources import models

    return models


# Written as METHOD and path: `*` is any text within a segment, `**` any rest. The first row that fits decides.

_PLAIN: tuple[tuple[str, Callable[[Resources], Handler]], ...] = (
    ("GET agents", lambda own: own.agents.list_all),
    ("POST agents", lambda own: own.agents.create),
    ("GET agents/*", lambda own: own.agents.get),
    ("GET agents/*/operations/*", lambda own: own.agents.get_operation),
    ("PATCH agents/*", lambda own: own.agents.update),
    ("DELETE agents/*", lambda own: own.agents.delete),
    ("GET credentials", lambda own: own.credentials.list_all),
    ("POST credentials", lambda own: own.credentials.create),
    ("GET credentials/*", lambda own: own.credentials.get),
    ("PATCH credentials/*", lambda own: own.credentials.update),
    ("DELETE credentials/*", lambda own: own.credentials.delete),
    ("POST decisions", lambda own: own.decisions.create),
    ("* environments/*/files/**", lambda own: own._files.get),
    ("GET environments", lambda own: own.environments.list_all),
    ("POST environments", lambda own: own.environments.create),
    ("GET environments/*", lambda own: own.environments.get),
    ("DELETE environments/*", lambda own: own.environments.delete),
    ("* files/environment-*:download", lambda own: own._files.pack),
    ("POST interactions/*/auth_tokens", lambda own: own.auth_tokens.create),
    ("DELETE interactions/*/auth_tokens/*", lambda own: own.auth_tokens.delete),
    ("GET triggers", lambda own: own.triggers.list_all),
    ("POST triggers", lambda own: own.triggers.create),
    ("GET triggers/*", lambda own: own.triggers.get),
    ("PATCH triggers/*", lambda own: own.triggers.update),
    ("DELETE triggers/*", lambda own: own.triggers.delete),
    ("GET triggers/*/executions", lambda own: own.triggers.list_executions),
    ("POST triggers/*/executions", lambda own: own.triggers.execute),
    ("* upload/environments/*/files/**", lambda own: own.upload("PUT", own._files.receive)),
    ("GET voices", lambda own: own.voices.list_all),
    ("POST voices", lambda own: own.voices.create),
    ("GET voices/*", lambda own: own.voices.get),
    ("DELETE voices/*", lambda own: own.voices.delete),
    ("GET webhooks", lambda own: own.webhooks.list_all),
    ("POST webhooks", lambda own: own.webhooks.create),
    ("POST webhooks/*:ping", lambda own: own.webhooks.ping),
    ("POST webhooks/*:rotateSigningSecret", lambda own: own.webhooks.rotate),
    ("POST webhooks/*", lambda own: own.webhooks.refuse_verb),
    ("GET webhooks/*", lambda own: own.webhooks.get),
    ("PATCH webhooks/*", lambda own: own.webhooks.update),
    ("DELETE webhooks/*", lambda own: own.webhooks.delete),
)

_STORAGE: tuple[tuple[str, Callable[[Resources], Handler]], ...] = (
    ("GET files", lambda own: own.uploaded.list_all),
    ("POST files:register", lambda own: own.uploaded.register),
    ("GET files/*:download", lambda own: own.uploaded.download),
    ("GET files/*", lambda own: own.uploaded.get),
    ("DELETE files/*", lambda own: own.uploaded.delete),
    ("* upload/files", lambda own: own.upload("POST", own.uploaded.receive)),
    ("GET fileSearchStores", lambda own: own.stores.list_all),
    ("POST fileSearchStores", lambda own: own.stores.create),
    ("POST fileSearchStores/*:importFile", lambda own: own.stores.import_file),
    ("GET fileSearchStores/*", lambda own: own.stores.get),
    ("DELETE fileSearchStores/*", lambda own: own.stores.delete),
    ("GET fileSearchStores/*/operations/*", lambda own: own.stores.get_operation),
    ("GET fileSearchStores/*/upload/operations/*", lambda own: own.stores.get_upload),
    ("GET fileSearchStores/*/documents", lambda own: own.stores.list_documents),
    ("GET fileSearchStores/*/documents/*", lambda own: own.stores.get_document),
    ("DELETE fileSearchStores/*/documents/*", lambda own: own.stores.delete_document),
    ("GET fileSearchStores/*/media/*", lambda own: own.stores.get_media),
    ("* fileSearchStores/*/**", lambda own: own.stores.refuse),
    ("* upload/fileSearchStores/*", lambda own: own.upload("POST", own.stores.receive)),
    ("GET models", lambda own: _models().list_all),
    ("GET models/*", lambda own: _models().get),
    ("POST models/*:countTokens", lambda own: _models().count_tokens),
    ("* models/*", lambda own: _models().refuse),
)

_OFFERED = {
    "agents": "create, list, get and delete, and on Vertex PATCH and operations",
    "credentials": "create, list, get, PATCH and delete",
    "decisions": "POST on /decisions",
    "environments": "create, list, get, delete and files",
    "files": (files := "get, list, :download and delete; an upload is POST /upload/{version}/files"),
    "files:register": files,
    "fileSearchStores": "create, list, get, delete, :importFile, operations and documents",
    "triggers": "create, list, get, PATCH, delete, and executions",
    "voices": "create, list, get and delete",
    "webhooks": "create, list, get, PATCH, delete, :ping and :rotateSigningSecret",
}
"""The operations that a 404 for a missing one lists; elsewhere a 404 only names the path."""

_IN_RPC_SHAPE = frozenset({"files", "files:register", "fileSearchStores"})


def _list_operations() -> Iterator[_Operation]:
    for rows, rpc in ((_PLAIN, False), (_STORAGE, True)):
        for call, find in rows:
            method, _, path = call.partition(" ")
            yield _Operation(method, tuple(path.split("/")), find, rpc)


_OPERATIONS: dict[str, list[_Operation]] = {}
for _row in _list_operations():
    _OPERATIONS.setdefault(_row.parts[0], []).append(_row)
