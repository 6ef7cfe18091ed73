"""The credentials resource: three types, partial updates, and secrets that are accepted but never returned.

Layer 2. No host is contacted: the token exchange of an `oauth2` credential
succeeds unless the host of its token_url is under `.invalid`, a domain that by RFC 2606 never resolves.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from harness.emulator.resources.collection import Collection, Stamps, listing
from harness.emulator.resources.schema_reader import SchemaReader, select_by_mask
from harness.emulator.values.call import Call, invalid, usable_id

_CREATE, _UPDATE = "requests/create-credential", "requests/update-credential"


class Credential(Struct):
    """A stored credential. `fields`, the body without its id, holds the secrets: they are never shown."""

    id: str
    fields: dict[str, Any]
    created: str
    updated: str

    def view(self) -> dict[str, Any]:
        """The resource as the API shows it; times have nine decimals, as in the official samples."""
        return {
            "id": self.id,
            "type": self.fields["type"],
            "status": "active",
            "create_time": _write_nanoseconds(self.created),
            "update_time": _write_nanoseconds(self.updated),
        }


class Credentials:
    """Credentials per project."""

    def __init__(self, reader: SchemaReader, stamps: Stamps) -> None:
        self._reader = reader
        self._stamps = stamps
        # documented: the error for an id in use is `aborted` here, not `already_exists`
        self._kept: Collection[Credential] = Collection("credential", conflict="aborted")

    def has(self, credential_id: str, project: str) -> bool:
        """Whether the credential exists, so that an allowlist, a variable or a tool may name it."""
        return self._kept.find(project, credential_id) is not None

    def list_all(self, call: Call) -> dict[str, Any]:
        """GET credentials."""
        found, token = self._kept.page(call.project, call.query)
        return listing("credentials", [item.view() for item in found], token)

    def get(self, call: Call, credential_id: str) -> dict[str, Any]:
        """GET credentials/{id}."""
        return self._kept.get(call.project, credential_id).view()

    def delete(self, call: Call, credential_id: str) -> dict[str, Any]:
        """DELETE credentials/{id}."""
        self._kept.remove(call.project, credential_id)
        return {}

    def create(self, call: Call) -> dict[str, Any]:
        """POST credentials."""
        given = self._reader.read(_CREATE, call.body)
        wished = given.pop("id", "")
        _exchange_token(given)
        made = str(uuid.uuid5(uuid.NAMESPACE_URL, self._stamps.ids("credential")))
        now = self._stamps.now()
        credential = Credential(usable_id(wished, "the credential") if wished else made, given, now, now)
        self._kept.add(call.project, credential.id, credential)
        return credential.view()

    def update(self, call: Call, credential_id: str) -> dict[str, Any]:
        """PATCH credentials/{id}."""
        credential = self._kept.get(call.project, credential_id)
        changes = self._reader.read(_UPDATE, call.body)
        kind, was = changes["type"], credential.fields["type"]
        if kind != was:
            raise invalid(f"The credential has the type {was!r}, which cannot become {kind!r}.")
        changes = select_by_mask(changes, call.query.get("update_mask"), self._reader.names(_UPDATE, kind))
        fields = self._reader.read(_CREATE, credential.fields | changes)
        _exchange_token(fields)
        credential.fields = fields
        credential.updated = self._stamps.now()
        return credential.view()


def _exchange_token(fields: dict[str, Any]) -> None:
    """Exchange the token, if these are the fields of a credential that needs it. Raises `Refusal` 400."""
    if "token_url" not in fields:
        return
    try:
        parts = urlsplit(fields["token_url"])
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https"):
        raise invalid("Invalid value at 'token_url': it must be an absolute http or https URL.")
    if host == "invalid" or host.endswith(".invalid"):
        raise invalid(f"The token exchange with {host} failed: the provider refused it.")


def _write_nanoseconds(moment: str) -> str:
    return datetime.fromisoformat(moment).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
