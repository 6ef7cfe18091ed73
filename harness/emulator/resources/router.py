"""The resources beside interactions, as the rest of the emulator uses them: calls and questions.

Not thread-safe by itself: the emulator holds its lock around every call, and an interaction that a trigger starts
runs within such a call.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness.contract import Contract
from harness.contract.transcript import items
from harness.emulator.values.call import Call, Refusal, Route
from harness.emulator.values.create_request import CreateRequest
from harness.emulator.values.settings import Settings
from harness.emulator.values.stamps import Stamps
from harness.wire import Response

if TYPE_CHECKING:
    from datetime import datetime

    from harness.emulator.resources.environments import Environment
    from harness.emulator.resources.kept import KeptResources
    from harness.emulator.resources.triggers import LookUp, Run
    from harness.emulator.resources.webhooks import Webhook

_FILE = re.compile(r"(?:https?://[^/]+/(?:upload/)?v1(?:beta)?/)?(files/[^/:?#]+)")
"""The uri of an uploaded file."""


class Resources:
    """All resources but interactions; `run` and `look_up` reach the interactions, for triggers and tokens."""

    def __init__(self, stamps: Stamps, settings: Settings, contract: Contract, look_up: LookUp, run: Run) -> None:
        self.settings = settings
        self._stamps = stamps
        self._contract = contract
        self._look_up = look_up
        self._run = run

    @cached_property
    def kept(self) -> KeptResources:
        """The resources, which are imported and made when the first of them is needed: most tests need none."""
        from harness.emulator.resources.kept import KeptResources

        return KeptResources(self._stamps, lambda: self.settings, self._contract, self._look_up, self._run)

    @property
    def _made(self) -> KeptResources | None:
        """The resources, if they were needed before; else they hold nothing."""
        return self.__dict__.get("kept")

    def handle(self, call: Call) -> Response | None:
        """Return the response, or None if the path belongs to none of these resources. Raises `Refusal`.

        For a call to `/upload/{version}/…`, the first segment is `"upload"`, followed by the segments after the
        version. Its body is read from the request as bytes, never parsed as JSON.
        """
        return self.kept.handle(call)

    def keyless(self, where: Route) -> bool:
        """Whether the request continues a resumable upload: its URL is the permission, so it carries no key."""
        return where.segments[:1] == ("upload",) and self.kept.uploads.knows(where.query.get("upload_id"))

    def find_processing(self) -> list[str]:
        """The names of files and documents that only time makes ready."""
        made = self._made
        return [*made.files.find_processing(), *made.stores.find_processing()] if made is not None else []

    def find_webhooks(self, project: str, event: str | None) -> Iterable[Webhook]:
        """The enabled webhooks of a project that subscribe to an event; None: to any event of interactions."""
        return self._made.webhooks.find_enabled(project, event) if self._made is not None else ()

    def attend(self) -> None:
        """Start every run of a trigger that is due."""
        if self._made is not None:
            self._made.triggers.attend()

    @property
    def next_due(self) -> datetime | None:
        """The moment of the next run of any active trigger."""
        return self._made.triggers.next_due if self._made is not None else None

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
                        self.kept.files.require_active(order.project, match[1])
            searches = (tool for tool in order.tools if tool.get("type") == "file_search")
            listed = (tool.get("file_search_store_names") for tool in searches)
            stores = [name for some in listed if isinstance(some, list) for name in some if isinstance(name, str)]
            if stores:
                order.documents = self.kept.stores.titles(stores, order.project)
        except Refusal as refusal:
            hint = " (The emulator's setting files=any takes every name.)"
            raise Refusal(refusal.status, refusal.code, refusal.message + hint) from None

    def deliver(self, data: bytes, media_type: str, project: str) -> str:
        """Keep a generated medium as a file, and return the address to download it from. Raises `Refusal` 429."""
        return self.kept.files.generate(data, media_type, project)

    def agent(self, agent_id: str, project: str) -> dict[str, Any] | None:
        return self._made.agents.find(project, agent_id) if self._made is not None else None

    def find_hosted(self, key: str) -> Environment | None:
        """The self-hosted environment whose worker has this key."""
        environments = self._made.environments.everywhere() if self._made is not None else ()
        return next((item for _, _, item in environments if key and item.key == key), None)

    def create_environment(self, config: Any, project: str, *, agent: str = "") -> dict[str, Any]:
        """The new or reused environment for an interaction's `environment` value; see `Environments`.

        `agent` is the agent that runs: if it is a saved one, its base_environment is forked. Raises `Refusal`
        400 or 404.
        """
        saved = self.agent(agent, project) or {}
        return self.kept.environments.for_interaction(config, project, saved.get("base_environment"))
