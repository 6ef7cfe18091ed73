"""The webhooks resource: subscriptions, signing secrets and their rotation.

`deliveries.py` prepares the posts to webhooks. A complete secret appears in only two responses: that to create and
that to a rotation.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from harness.emulator.resources.collection import KeptResource
from harness.emulator.resources.schema_reader import select_by_mask
from harness.emulator.values.call import Call, invalid
from harness.emulator.values.settings import PLATFORMS
from harness.emulator.values.stamps import SECRET_PREFIX, has_come, later
from harness.wire.addresses import read_host

_CREATE, _UPDATE = "requests/create-webhook", "requests/update-webhook"


class SigningSecret(Struct, frozen=True):
    """A signing secret; `expires` is RFC 3339, None for the current one."""

    text: str
    expires: str | None = None


class Webhook(Struct):
    """One subscription; the first of its `secrets` is the current one."""

    id: str
    fields: dict[str, Any]
    secrets: list[SigningSecret]
    created: str
    updated: str

    def list_valid(self, now: str) -> list[SigningSecret]:
        """The secrets that sign at `now`, the current one first; during a rotation there are several."""
        return [one for one in self.secrets if one.expires is None or not has_come(one.expires, now)]


class Webhooks(KeptResource[Webhook]):
    """Webhooks per project."""

    name, noun = "webhooks", "webhook"

    def find_enabled(self, project: str, event: str | None) -> Iterator[Webhook]:
        """The enabled webhooks of a project that subscribe to an event; None: to any event of interactions."""
        for owner, _, hook in self.everywhere():
            events = hook.fields["subscribed_events"]
            wanted = event in events if event else any(name.startswith("interaction.") for name in events)
            if owner == project and hook.fields["state"] == "enabled" and wanted:
                yield hook

    def view(self, item: Webhook) -> dict[str, Any]:
        """The webhook; of the secrets that are valid now the last characters, too few to sign with them."""
        is_dated = not PLATFORMS[self._settings().platform].strict  # live they never were (two observers)
        secrets = [
            {
                "truncated_secret": f"{SECRET_PREFIX}...{secret.text[-4:]}",  # the form of a saved answer
                **({"expire_time": secret.expires} if secret.expires else {}),
            }
            for secret in item.list_valid(self._stamps.now())
        ]
        times = {"create_time": item.created, "update_time": item.updated} if is_dated else {}
        return {"id": item.id, **item.fields, "signing_secrets": secrets, **times}

    def create(self, call: Call) -> dict[str, Any]:
        fields = self._read(call.body)
        now = self._stamps.now()
        secret = self._new_secret()
        hook = Webhook(self._stamps.ids("webhook"), {**fields, "state": "enabled"}, [secret], now, now)
        self.add(call.project, hook.id, hook)
        return {**self.view(hook), "new_signing_secret": secret.text}

    def update(self, call: Call, webhook_id: str) -> dict[str, Any]:
        hook = self.require(call.project, webhook_id)
        changes = self._reader.read(_UPDATE, call.body)
        changes = select_by_mask(changes, call.query.get("update_mask"), self._reader.names(_UPDATE))
        state = changes.pop("state", hook.fields["state"])
        kept = {name: value for name, value in hook.fields.items() if name != "state"}
        hook.fields = {**self._read(kept | changes), "state": state}
        hook.updated = self._stamps.now()
        return self.view(hook)

    def _read(self, body: Any) -> dict[str, Any]:
        """Read what a webhook is made of. Raises `Refusal` 400."""
        fields = self._reader.read(_CREATE, body)
        if not fields["uri"].lower().startswith(("http://", "https://")) or not read_host(fields["uri"]):
            raise invalid(f"Invalid value at 'uri': {fields['uri']!r} is not an absolute http or https URL.")
        return fields

    def ping(self, call: Call, webhook_id: str) -> dict[str, Any]:
        self.require(call.project, webhook_id)
        self._reader.read("empty", {} if call.body is None else call.body)
        return {}

    def rotate(self, call: Call, webhook_id: str) -> dict[str, Any]:
        hook = self.require(call.project, webhook_id)
        body = {} if call.body is None else call.body
        how = self._reader.read("requests/rotate-signing-secret", body)
        now = self._stamps.now()
        usual = "revoke_previous_secrets_after_h24"
        kept = hook.list_valid(now) if how.get("revocation_behavior", usual) == usual else []
        tomorrow = later(now, hours=24)
        new = self._new_secret()
        hook.secrets = [new, *(old if old.expires else replace(old, expires=tomorrow) for old in kept)]
        hook.updated = now
        return {"secret": new.text}

    def _new_secret(self) -> SigningSecret:
        key = hashlib.sha256(self._stamps.ids("secret").encode()).digest()
        return SigningSecret(SECRET_PREFIX + base64.b64encode(key).decode("ascii"))
