"""Mutants: webhooks."""

from __future__ import annotations

from dataclasses import replace

from harness.emulator.mutants.collection import (
    Collection,
    DeleteKeeps,
    ListEmpty,
    NotKept,
    Unknown200,
    UnknownCrashes,
)
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json, altered, plain_error
from harness.emulator.values.call import Call, Refusal, json_response, not_found
from harness.wire import Response

WEBHOOKS = Area("webhooks")


class _Webhooks(Collection):
    collection = "webhooks"


@WEBHOOKS.mutant("webhooks-not-kept")
class _NotKept(NotKept, _Webhooks):
    """A created webhook is not found."""


@WEBHOOKS.mutant("webhooks-delete-keeps")
class _DeleteKeeps(DeleteKeeps, _Webhooks):
    """A delete of a webhook is answered with 200 but the webhook is kept."""


@WEBHOOKS.mutant("webhooks-list-empty")
class _ListEmpty(ListEmpty, _Webhooks):
    """The list of webhooks is always empty."""


@WEBHOOKS.mutant("webhooks-patch-ignored")
class _PatchIgnored(_Webhooks):
    """An update of a webhook is answered with 200 but changes nothing."""

    def serve(self, call: Call) -> Response | None:
        if call.request.method != "PATCH":
            return super().serve(call)
        empty = replace(call, body={})
        try:
            return super().serve(empty)
        except Refusal:
            return json_response({})


@WEBHOOKS.mutant("webhooks-patch-resets")
class _PatchResets(_Webhooks):
    """An update of a webhook clears the fields that it does not name."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        if response is None or call.request.method != "PATCH":
            return response

        def change(hook: Json) -> None:
            hook["name"] = ""
            hook["uri"] = ""
            hook["subscribed_events"] = []
            hook.update(call.body if isinstance(call.body, dict) else {})

        return altered(response, change)


@WEBHOOKS.mutant("webhooks-secret-shown-again")
class _SecretShownAgain(_Webhooks):
    """Every read of a webhook shows its signing secret."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        if response is None or call.request.method != "GET":
            return response

        def change(value: Json) -> None:
            for hook in value.get("webhooks", [value]):
                hook["new_signing_secret"] = "whsec_" + "A" * 44

        return altered(response, change)


@WEBHOOKS.mutant("webhooks-secret-never-shown")
class _SecretNeverShown(_Webhooks):
    """The signing secret is not shown on creation either."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        if response is None or call.request.method != "POST" or len(call.segments) != 1:
            return response
        return altered(response, lambda hook: {k: v for k, v in hook.items() if k != "new_signing_secret"})


@WEBHOOKS.mutant("webhooks-any-event")
class _AnyEvent(_Webhooks):
    """Any name is accepted as an event."""

    def serve(self, call: Call) -> Response | None:
        try:
            return super().serve(call)
        except Refusal as refusal:
            if call.request.method == "POST" and len(call.segments) == 1 and refusal.status == 400:
                return json_response({"id": "webhook-0", "state": "enabled", **(call.body or {})})
            raise


@WEBHOOKS.mutant("webhooks-any-event-crashes")
class _AnyEventCrashes(_Webhooks):
    """A subscription to an unknown event is answered with 500."""

    def serve(self, call: Call) -> Response | None:
        try:
            return super().serve(call)
        except Refusal as refusal:
            if call.request.method == "POST" and refusal.status == 400:
                return plain_error(500)
            raise


@WEBHOOKS.mutant("webhooks-unknown-200")
class _Unknown200(Unknown200, _Webhooks):
    """A read of a webhook that does not exist is answered with 200."""


@WEBHOOKS.mutant("webhooks-unknown-crashes")
class _UnknownCrashes(UnknownCrashes, _Webhooks):
    """A read of a webhook that does not exist is answered with 500."""


@WEBHOOKS.mutant("webhooks-ping-missing")
class _PingMissing(_Webhooks):
    """There is no ping operation."""

    def serve(self, call: Call) -> Response | None:
        if call.segments[-1].endswith(":ping"):
            raise not_found("Method not found.")
        return super().serve(call)


@WEBHOOKS.mutant("webhooks-rotate-keeps")
class _RotateKeeps(_Webhooks):
    """A rotation returns the old secret."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.secret: str | None = None

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        if response is None or call.request.method != "POST":
            return response

        def change(value: Json) -> None:
            self.secret = value.get("new_signing_secret", self.secret)
            if "secret" in value:
                value["secret"] = self.secret

        return altered(response, change)


@WEBHOOKS.mutant("webhooks-rotate-empty")
class _RotateEmpty(_Webhooks):
    """A rotation does not return the new secret."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        if response is None or not call.segments[-1].endswith(":rotateSigningSecret"):
            return response
        return json_response({})
