"""Mutants: webhooks."""

from __future__ import annotations

from dataclasses import replace

from harness.emulator.call import Call, Refusal, json_response
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json, altered, plain_error
from harness.emulator.neighbours import Neighbours
from harness.wire import Response

WEBHOOKS = Area("webhooks")


class _Webhooks(Neighbours):
    """Calls on webhooks pass through `serve`."""

    def handle(self, call: Call) -> Response | None:
        return self.serve(call) if call.segments[:1] == ("webhooks",) else super().handle(call)

    def serve(self, call: Call) -> Response | None:
        """The defect."""
        return super().handle(call)


@WEBHOOKS.mutant("webhooks-not-kept")
class _NotKept(_Webhooks):
    """A webhook is not found again."""

    def serve(self, call: Call) -> Response | None:
        if call.request.method == "GET" and len(call.segments) == 2:
            raise Refusal(404, "not_found", "Not found.")
        return super().serve(call)


@WEBHOOKS.mutant("webhooks-delete-keeps")
class _DeleteKeeps(_Webhooks):
    """A delete of a webhook is answered 200 and the webhook stays."""

    def serve(self, call: Call) -> Response | None:
        return json_response({}) if call.request.method == "DELETE" else super().serve(call)


@WEBHOOKS.mutant("webhooks-list-empty")
class _ListEmpty(_Webhooks):
    """The list of webhooks is always empty."""

    def serve(self, call: Call) -> Response | None:
        if call.request.method == "GET" and len(call.segments) == 1:
            return json_response({})
        return super().serve(call)


@WEBHOOKS.mutant("webhooks-patch-ignored")
class _PatchIgnored(_Webhooks):
    """A change of a webhook is answered 200 and changes nothing."""

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
    """A change of a webhook forgets what it does not name."""

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
    """Any word is taken for an event."""

    def serve(self, call: Call) -> Response | None:
        try:
            return super().serve(call)
        except Refusal as refusal:
            if call.request.method == "POST" and len(call.segments) == 1 and refusal.status == 400:
                return json_response({"id": "webhook-0", "state": "enabled", **(call.body or {})})
            raise


@WEBHOOKS.mutant("webhooks-any-event-crashes")
class _AnyEventCrashes(_Webhooks):
    """An event that does not exist is answered 500."""

    def serve(self, call: Call) -> Response | None:
        try:
            return super().serve(call)
        except Refusal as refusal:
            if call.request.method == "POST" and refusal.status == 400:
                return plain_error(500)
            raise


@WEBHOOKS.mutant("webhooks-unknown-200")
class _Unknown200(_Webhooks):
    """A read of a webhook that does not exist is answered 200."""

    def serve(self, call: Call) -> Response | None:
        try:
            return super().serve(call)
        except Refusal as refusal:
            if refusal.status == 404 and call.request.method == "GET":
                return json_response({})
            raise


@WEBHOOKS.mutant("webhooks-unknown-crashes")
class _UnknownCrashes(_Webhooks):
    """A read of a webhook that does not exist is answered 500."""

    def serve(self, call: Call) -> Response | None:
        try:
            return super().serve(call)
        except Refusal as refusal:
            return plain_error(500) if refusal.status == 404 else refusal.response()


@WEBHOOKS.mutant("webhooks-ping-missing")
class _PingMissing(_Webhooks):
    """There is no ping."""

    def serve(self, call: Call) -> Response | None:
        if call.segments[-1].endswith(":ping"):
            raise Refusal(404, "not_found", "Method not found.")
        return super().serve(call)


@WEBHOOKS.mutant("webhooks-rotate-keeps")
class _RotateKeeps(_Webhooks):
    """A rotation answers the secret there was."""

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
    """A rotation does not say which secret is new."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        if response is None or not call.segments[-1].endswith(":rotateSigningSecret"):
            return response
        return json_response({})
