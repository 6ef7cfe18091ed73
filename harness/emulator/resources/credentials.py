"""Credentials, whose secrets are accepted but never returned, and tokens for the clients of an interaction.

Credentials have three types and partial updates. No host is contacted: the token exchange of an `oauth2`
credential succeeds unless the host of its token_url is under `.invalid`, a domain that by RFC 2606 never resolves.
Tokens follow the types of google-genai, which calls them experimental. That one lasts ten minutes unless its
create names its end is a guess. No call needs one: they are for live interactions, which this lacks.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec import Struct

from harness.emulator.resources.collection import KeptResource, ResourceContext
from harness.emulator.resources.schema_reader import select_by_mask
from harness.emulator.values.call import Call, invalid, not_found, usable_id
from harness.emulator.values.stamps import has_come, later
from harness.wire.addresses import read_host

_CREATE, _UPDATE = "requests/create-credential", "requests/update-credential"


class Credential(Struct):
    """A stored credential. `fields`, the body without its id, holds the secrets: they are never shown."""

    id: str
    fields: dict[str, Any]
    created: str
    updated: str


class Credentials(KeptResource[Credential]):
    """Credentials per project."""

    name, noun = "credentials", "credential"
    conflict = "aborted"  # documented

    def view(self, item: Credential) -> dict[str, Any]:
        """The credential without its secrets; times have nine decimals, as in the official samples."""
        created, updated = (
            datetime.fromisoformat(moment).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
            for moment in (item.created, item.updated)
        )
        kind = item.fields["type"]
        return {"id": item.id, "type": kind, "status": "active", "create_time": created, "update_time": updated}

    def create(self, call: Call) -> dict[str, Any]:
        given = self._reader.read(_CREATE, call.body)
        wished = given.pop("id", "")
        _exchange_token(given)
        made = str(uuid.uuid5(uuid.NAMESPACE_URL, self._stamps.ids("credential")))
        now = self._stamps.now()
        credential = Credential(usable_id(wished, "the credential") if wished else made, given, now, now)
        self.add(call.project, credential.id, credential)
        return self.view(credential)

    def update(self, call: Call, credential_id: str) -> dict[str, Any]:
        credential = self.require(call.project, credential_id)
        changes = self._reader.read(_UPDATE, call.body)
        kind, was = changes["type"], credential.fields["type"]
        if kind != was:
            raise invalid(f"The credential has the type {was!r}, which cannot become {kind!r}.")
        changes = select_by_mask(changes, call.query.get("update_mask"), self._reader.names(_UPDATE, kind))
        fields = self._reader.read(_CREATE, credential.fields | changes)
        _exchange_token(fields)
        credential.fields = fields
        credential.updated = self._stamps.now()
        return self.view(credential)


class AuthTokens(KeptResource[str]):
    """Tokens per interaction; `look_up(id, project)` returns the interaction, or None."""

    noun = "token"
    evicts = True

    def __init__(self, context: ResourceContext, look_up: Callable[[str, str], object]) -> None:
        super().__init__(context)
        self._look_up = look_up

    def create_token(self, call: Call, interaction_id: str) -> dict[str, Any]:
        self._need(call, interaction_id)
        given = self._reader.read("requests/create-auth-token", {} if call.body is None else call.body)
        now = self._stamps.now()
        ends: str = given.get("expire_time") or later(now, minutes=10)
        try:
            is_over = has_come(ends, now)
        except (TypeError, ValueError):
            raise invalid(
                f"Invalid value at 'expire_time': {ends!r} is not a time in UTC or with an offset, such as {now}."
            ) from None
        if is_over:
            raise invalid(f"Invalid value at 'expire_time': {ends} is in the past. Name a later time.")
        digits = self._stamps.ids("")
        self.add(call.project, f"{interaction_id} {digits}", ends)
        return {"auth_token": f"auth_tokens/{digits}", "expires_at": ends}

    def delete_token(self, call: Call, interaction_id: str, digits: str) -> dict[str, Any]:
        self._need(call, interaction_id)
        return self.delete(call, f"{interaction_id} {digits}")

    def _need(self, call: Call, interaction_id: str) -> None:
        if self._look_up(interaction_id, call.project) is None:
            raise not_found(f"There is no interaction {interaction_id!r} in this project.")


def _exchange_token(fields: dict[str, Any]) -> None:
    """Exchange the token, if these are the fields of a credential that needs it. Raises `Refusal` 400."""
    if "token_url" not in fields:
        return
    host = read_host(fields["token_url"])
    if not host or not fields["token_url"].lower().startswith(("http://", "https://")):
        raise invalid("Invalid value at 'token_url': it must be an absolute http or https URL.")
    if host == "invalid" or host.endswith(".invalid"):
        raise invalid(f"The token exchange with {host} failed: the provider refused it.")
