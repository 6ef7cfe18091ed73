"""The credentials resource: three types, partial updates, and secrets that are accepted but never returned.

Layer 2. Knows which fields each type has. No host is contacted: the token exchange of an `oauth2` credential
succeeds unless the host of its token_url is under `.invalid`, a domain that by RFC 2606 never resolves.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from harness.emulator.resources.collection import Collection, Stamps
from harness.emulator.resources.fields import (
    ARRAY,
    STRING,
    STRING_REQUIRED,
    Field,
    Shape,
    apply_mask,
    one_of,
    read,
    strings,
    usable_id,
)
from harness.emulator.resources.paging import listing
from harness.emulator.resources.refusals import no_operation
from harness.emulator.values.call import Call, invalid, json_response
from harness.wire import Response

_INJECTIONS = ("header", "query", "body")

TYPES: dict[str, Shape] = {
    "bearer_token": {"token": STRING_REQUIRED, "header_name": STRING, "prefix": STRING},
    "oauth2": {
        "client_id": STRING_REQUIRED,
        "client_secret": STRING_REQUIRED,
        "refresh_token": STRING_REQUIRED,
        "token_url": STRING_REQUIRED,
        "scopes": ARRAY,
    },
    "environment_variable": {
        "value": STRING_REQUIRED,
        "injection_location": Field((str, list), required=True, choices=_INJECTIONS),
        "trusted_domains": ARRAY,
    },
}
"""The fields of each type besides `id` and `type`."""


@dataclass(slots=True)
class Credential:
    """A stored credential. `fields` holds the secrets: they are validated on every change and never shown."""

    id: str
    type: str
    fields: dict[str, Any]
    created: str
    updated: str

    def view(self) -> dict[str, Any]:
        """The resource as the API shows it; times have nine decimals, as in the official samples."""
        return {
            "id": self.id,
            "type": self.type,
            "status": "active",
            "create_time": _nanoseconds(self.created),
            "update_time": _nanoseconds(self.updated),
        }


class Credentials:
    """Credentials per project."""

    def __init__(self, stamps: Stamps) -> None:
        self._stamps = stamps
        # documented: the error for an id in use is `aborted` here, not `already_exists`
        self._kept: Collection[Credential] = Collection("credential", conflict="aborted")

    def has(self, credential_id: str, project: str) -> bool:
        """Whether the credential exists, so that an allowlist, a variable or a tool may name it."""
        return self._kept.find(project, credential_id) is not None

    def handle(self, call: Call) -> Response:
        """Create, list, get, patch, delete."""
        match call.request.method, call.segments[1:]:
            case "POST", ():
                return json_response(self._create(call).view())
            case "GET", ():
                found, token = self._kept.page(call.project, call.query)
                return json_response(listing("credentials", [item.view() for item in found], token))
            case "GET", (credential_id,):
                return json_response(self._kept.get(call.project, credential_id).view())
            case "PATCH", (credential_id,):
                return json_response(self._update(self._kept.get(call.project, credential_id), call).view())
            case "DELETE", (credential_id,):
                self._kept.remove(call.project, credential_id)
                return json_response({})
        raise no_operation(call, "create, list, get, PATCH and delete")

    def _create(self, call: Call) -> Credential:
        kind = _type(call.body)
        given = read(call.body, {"id": STRING, "type": STRING_REQUIRED, **TYPES[kind]}, f"the {kind} credential")
        wished = given.pop("id", "")
        given.pop("type")
        _judge(given)
        made = str(uuid.uuid5(uuid.NAMESPACE_URL, self._stamps.ids("credential")))
        now = self._stamps.now()
        credential = Credential(usable_id(wished, "the credential") if wished else made, kind, given, now, now)
        self._kept.add(call.project, credential.id, credential)
        return credential

    def _update(self, credential: Credential, call: Call) -> Credential:
        kind = _type(call.body)
        if kind != credential.type:
            raise invalid(f"The credential has the type {credential.type!r}, which cannot become {kind!r}.")
        partial = {name: Field(field.kinds, choices=field.choices) for name, field in TYPES[kind].items()}
        changes = read(call.body, {"type": STRING_REQUIRED, **partial}, f"the {kind} credential")
        changes.pop("type")
        fields = credential.fields | apply_mask(changes, call.query.get("update_mask"), TYPES[kind])
        read(fields, TYPES[kind], f"the {kind} credential")
        _judge(fields)
        credential.fields = fields
        credential.updated = self._stamps.now()
        return credential


def _type(body: Any) -> str:
    return one_of(body.get("type") if isinstance(body, dict) else None, tuple(TYPES), "a credential")


def _judge(fields: dict[str, Any]) -> None:
    """Check the rules that the shapes of the fields cannot express; messages never repeat a secret."""
    for name in ("scopes", "trusted_domains"):
        strings(fields.get(name, []), name)
    location = fields.get("injection_location", [])
    if isinstance(location, list) and not set(strings(location, "injection_location")) <= set(_INJECTIONS):
        raise invalid(f"injection_location holds only {', '.join(_INJECTIONS)}.")
    if "token_url" in fields:
        _exchange(fields["token_url"])


def _exchange(token_url: str) -> None:
    try:
        parts = urlsplit(token_url)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https"):
        raise invalid("token_url must be an absolute http or https URL.")
    if host == "invalid" or host.endswith(".invalid"):
        raise invalid(f"The token exchange with {host} failed: the provider refused it.")


def _nanoseconds(moment: str) -> str:
    return datetime.fromisoformat(moment).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
