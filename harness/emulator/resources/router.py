"""Routes calls to the neighbouring resources, and answers the emulator's questions about them.

Layer 2. Knows which resource each first path segment belongs to. Not thread-safe by itself: the emulator holds its
lock around every call, and an interaction that a trigger starts runs within such a call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from harness.contract import Contract
from harness.contract.data.input import items
from harness.emulator.http.routing import Route
from harness.emulator.resources.agents import Agents
from harness.emulator.resources.allowance import Allowance
from harness.emulator.resources.collection import Stamps
from harness.emulator.resources.credentials import Credentials
from harness.emulator.resources.decisions import Decisions
from harness.emulator.resources.environments.configuration import EnvironmentConfigReader
from harness.emulator.resources.environments.environments import Environments
from harness.emulator.resources.environments.file_uploads import EnvironmentUploads
from harness.emulator.resources.environments.files import Files
from harness.emulator.resources.models import handle_models
from harness.emulator.resources.schema_reader import SchemaReader
from harness.emulator.resources.storage import references
from harness.emulator.resources.storage.search_stores import SearchStores
from harness.emulator.resources.storage.shelf import Shelf
from harness.emulator.resources.storage.uploaded_files import UploadedFiles
from harness.emulator.resources.triggers import Triggers
from harness.emulator.resources.uploads import Uploads
from harness.emulator.resources.voices import Voices
from harness.emulator.resources.webhooks import Webhooks
from harness.emulator.values.call import Call, Refusal, as_rpc
from harness.emulator.values.create_request import CreateRequest
from harness.emulator.values.settings import Settings
from harness.wire import Response

Handler = Callable[[Call], Response]


_Answer = TypeVar("_Answer", Response, "Response | None")


class Resources:
    """All resources but interactions, kept separately for each project.

    `ids(prefix)` returns a new id that is never repeated, `now()` the time as RFC 3339 in UTC.
    """

    def __init__(
        self, ids: Callable[[str], str], now: Callable[[], str], settings: Settings, contract: Contract
    ) -> None:
        self.settings = settings
        stamps = Stamps(ids, now)
        reader = SchemaReader(contract, lambda: self.settings)
        self._credentials = Credentials(reader, stamps)
        configs = EnvironmentConfigReader(reader, self._credentials.has)
        self._agents = Agents(reader, configs, lambda: self.settings.platform, stamps.now)
        self._environments = Environments(stamps, configs)
        self._files = Files(self._environments)
        self._uploads = Uploads(stamps)
        self._environment_uploads = EnvironmentUploads(self._environments)
        shelf = Shelf(settings.max_file_bytes)
        self._allowance = Allowance(settings.max_resource_bytes)
        self.uploaded = UploadedFiles(reader, stamps, shelf, lambda: self.settings)
        self._stores = SearchStores(reader, stamps, shelf, self.uploaded, lambda: self.settings)
        self.webhooks = Webhooks(reader, stamps)
        self.triggers = Triggers(reader, stamps)
        self._handlers: dict[str, Handler] = {
            "agents": self._agents.handle,
            "environments": self._environments.handle,
            "credentials": self._credentials.handle,
            "webhooks": self.webhooks.handle,
            "triggers": self.triggers.handle,
            "voices": Voices(reader, stamps).handle,
            "decisions": Decisions(reader).handle,
        }
        self._storage: dict[str, Handler] = {
            "files": self.uploaded.handle,
            "files:register": self.uploaded.handle,
            "fileSearchStores": self._stores.handle,
        }

    def find_processing(self) -> list[str]:
        """The names of files and documents that only time makes ready."""
        return [*self.uploaded.find_processing(), *self._stores.find_processing()]

    def handle(self, call: Call) -> Response | None:
        """Return the response, or None if the path belongs to none of these resources. Raises `Refusal`.

        For a call to `/upload/{version}/…`, the first segment is `"upload"`, followed by the segments after the
        version. Its body is read from the request as bytes, never parsed as JSON.
        """
        if call.segments and not call.segments[-1]:
            call = replace(call, segments=call.segments[:-1])
        match call.segments:
            case ("upload", "environments", _, "files", *_):
                return self._uploads.handle(call, "PUT", self._environment_uploads.receive)
            case ("upload", "files"):
                return self._refuse_in_rpc_shape(lambda: self._uploads.handle(call, "POST", self.uploaded.receive))
            case ("upload", "fileSearchStores", _):
                return self._refuse_in_rpc_shape(lambda: self._uploads.handle(call, "POST", self._stores.receive))
            case ("environments", _, "files", *_):
                return self._files.handle(call)
            case ("files", _) if (snapshot := self._files.snapshot(call)) is not None:
                return snapshot
            case ("models", *_) if not call.vertex:
                return self._refuse_in_rpc_shape(lambda: handle_models(call))
            case (first, *_) if first in self._storage:
                return self._refuse_in_rpc_shape(lambda: self._storage[call.segments[0]](call))
            case (first, *_) if first in self._handlers:
                return self._allowance.handle(call, self._handlers[first])
        return None

    def _refuse_in_rpc_shape(self, answer: Callable[[], _Answer]) -> _Answer:
        """Return the answer; a refusal gets the shape that files and stores have."""
        try:
            return answer()
        except Refusal as refusal:
            raise as_rpc(refusal) from None

    def keyless(self, where: Route) -> bool:
        """Whether the request continues a resumable upload: its URL is the permission, so it carries no key."""
        return where.segments[:1] == ("upload",) and self._uploads.knows(where.query.get("upload_id"))

    def refer(self, order: CreateRequest) -> None:
        """Look up the files and stores that a create names, unless the setting `files` takes every name.

        Raises `Refusal` 403 or 400.
        """
        if self.settings.files == "any":
            return
        if not isinstance(order.body.get("input"), str):  # a plain text names nothing
            references.judge_contents(items(order.given), self.uploaded, order.project)
        if tools := order.body.get("tools"):
            order.documents = references.judge_stores(tools, self._stores, order.project)

    def deliver(self, data: bytes, media_type: str, project: str) -> str:
        """Keep a generated medium as a file, and return the address to download it from. Raises `Refusal` 429."""
        return self.uploaded.generate(data, media_type, project)

    def agent(self, agent_id: str, project: str) -> dict[str, Any] | None:
        """A saved agent, or None."""
        return self._agents.find(agent_id, project)

    def keep_written(self, environment_id: str, project: str, steps: list[dict[str, Any]]) -> None:
        """Put the files that an agent's steps write into its sandbox."""
        self._environments.keep_written(environment_id, project, steps)

    def create_environment(self, config: Any, project: str, *, agent: str = "") -> dict[str, Any]:
        """The new or reused environment for an interaction's `environment` value; see `Environments`.

        `agent` is the agent that runs: if it is a saved one, its base_environment is forked. Raises `Refusal`
        400 or 404.
        """
        saved = self._agents.find(agent, project) or {}
        return self._environments.for_interaction(config, project, saved.get("base_environment"))
