"""The resources beside interactions, their operations as rows, and the search for the row of a call.

The router imports this module when the first call for a resource comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, NamedTuple

from msgspec.structs import replace

from harness.contract import Contract
from harness.emulator.resources import models
from harness.emulator.resources.agents import Agents
from harness.emulator.resources.collection import ResourceContext
from harness.emulator.resources.credentials import AuthTokens, Credentials
from harness.emulator.resources.environment_files import Files
from harness.emulator.resources.environments import Environments
from harness.emulator.resources.files import SearchStores, UploadedFiles
from harness.emulator.resources.schema_reader import SchemaReader
from harness.emulator.resources.triggers import LookUp, Run, Triggers
from harness.emulator.resources.uploads import Uploads
from harness.emulator.resources.voices import Voices
from harness.emulator.resources.webhooks import Webhooks
from harness.emulator.values.call import Call, Refusal, as_rpc, json_response, match_path, no_operation
from harness.emulator.values.settings import Settings
from harness.emulator.values.stamps import Stamps
from harness.wire import Response

Handler = Callable[..., Any]
"""Gets the call and the text behind each `*` of its path. Returns a JSON value or a response; NotImplemented if it
does not offer the operation to this call."""


class KeptResources:
    """All resources but interactions, kept separately for each project."""

    models = models

    def __init__(
        self, stamps: Stamps, settings: Callable[[], Settings], contract: Contract, look_up: LookUp, run: Run
    ) -> None:
        reader = SchemaReader(contract, settings)
        context = ResourceContext(reader, stamps, settings)
        self.credentials = Credentials(context)
        self.environments = Environments(context, self.credentials)
        self.agents = Agents(context, self.environments)
        self.auth_tokens = AuthTokens(context, look_up)
        self.decisions = models.Decisions(reader)
        self.environment_files = Files(self.environments)
        self.files = UploadedFiles(context)
        self.stores = SearchStores(context, self.files)
        self.triggers = Triggers(context, look_up, run)
        self.uploads = Uploads(stamps)
        self.voices = Voices(context)
        self.webhooks = Webhooks(context)

    def handle(self, call: Call) -> Response | None:
        """Return the response, or None if the path belongs to none of these resources. Raises `Refusal`."""
        if call.segments and not call.segments[-1]:
            call = replace(call, segments=call.segments[:-1])
        kind = call.segments[0] if call.segments else ""
        for operation in _OPERATIONS.get(kind, ()):
            named = operation.match(call)
            if named is None:
                continue
            try:
                answer = operation.find(self)(call, *named)
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

    def upload(self, call: Call, *_: str) -> Response:
        """Any request of an upload to an environment, of a file, or to a file search store."""
        method, receiver = {
            "environments": ("PUT", self.environment_files.receive),
            "files": ("POST", self.files.receive),
            "fileSearchStores": ("POST", self.stores.receive),
        }[call.segments[1]]
        return self.uploads.handle(call, method, receiver)


class _Operation(NamedTuple):
    """A row: `rpc` is whether its refusals have the shape that files and stores have."""

    method: str
    parts: tuple[str, ...]
    find: Callable[[KeptResources], Handler]
    rpc: bool

    def match(self, call: Call) -> list[str] | None:
        """The text behind each `*` if the row is for the call, else None."""
        return match_path(self.parts, call.segments) if self.method in ("*", call.request.method) else None


# Written as METHOD and path (`match_path`). The first row that fits decides. A row without a method is the life of
# a resource: those of the calls in `_LIFE` that follow.

_LIFE = {
    "list_all": "GET {}",
    "create": "POST {}",
    "get": "GET {}/*",
    "update": "PATCH {}/*",
    "delete": "DELETE {}/*",
}

_PLAIN = {
    "agents": "agents list_all create get update delete",
    "GET agents/*/operations/*": "agents.get_operation",
    "credentials": "credentials list_all create get update delete",
    "POST decisions": "decisions.create",
    "environments": "environments list_all create get delete",
    "* environments/*/files/**": "environment_files.get",
    "* files/environment-*:download": "environment_files.pack",
    "* upload/environments/*/files/**": "upload",
    "POST interactions/*/auth_tokens": "auth_tokens.create_token",
    "DELETE interactions/*/auth_tokens/*": "auth_tokens.delete_token",
    "triggers": "triggers list_all create get update delete",
    "GET triggers/*/executions": "triggers.list_executions",
    "POST triggers/*/executions": "triggers.execute",
    "voices": "voices list_all create get delete",
    "webhooks": "webhooks list_all create get update delete",
    "POST webhooks/*:ping": "webhooks.ping",
    "POST webhooks/*:rotateSigningSecret": "webhooks.rotate",
}

_STORAGE = {
    "POST files:register": "files.register",
    "GET files/*:download": "files.download",
    "files": "files list_all get delete",
    "* upload/files": "upload",
    "fileSearchStores": "stores list_all create get delete",
    "POST fileSearchStores/*:importFile": "stores.import_file",
    "GET fileSearchStores/*/operations/*": "stores.get_operation",
    "GET fileSearchStores/*/upload/operations/*": "stores.get_operation",
    "GET fileSearchStores/*/documents": "stores.list_documents",
    "GET fileSearchStores/*/documents/*": "stores.get_document",
    "DELETE fileSearchStores/*/documents/*": "stores.delete_document",
    "GET fileSearchStores/*/media/*": "stores.get_media",
    "* fileSearchStores/*/**": "stores.refuse",
    "* upload/fileSearchStores/*": "upload",
    "models": "models list_all get",
    "POST models/*:countTokens": "models.count_tokens",
    "* models/*": "models.refuse",
}

_OFFERED = {
    "agents": "create, list, get and delete, and on Vertex PATCH and operations",
    "credentials": "create, list, get, PATCH and delete",
    "decisions": "POST on /decisions",
    "environments": "create, list, get, delete and files, and POST /environments:leaseInteractions",
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
        for row, handler in rows.items():
            resource, *ways = handler.split()
            calls = {_LIFE[way].format(row): f"{resource}.{way}" for way in ways} or {row: handler}
            for call, found in calls.items():
                method, _, path = call.partition(" ")
                yield _Operation(method, tuple(path.split("/")), attrgetter(found), rpc)


_OPERATIONS: dict[str, list[_Operation]] = {}
for _row in _list_operations():
    _OPERATIONS.setdefault(_row.parts[0], []).append(_row)
