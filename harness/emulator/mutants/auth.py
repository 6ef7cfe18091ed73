"""Mutants: keys."""

from __future__ import annotations

from collections.abc import Mapping

from harness.emulator.engine import Engine
from harness.emulator.http.auth import KEY_HEADER, Auth
from harness.emulator.http.routing import Route
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import html
from harness.emulator.service import Emulator
from harness.emulator.values.call import Refusal, not_found
from harness.wire import Request, Response

AUTH = Area("auth")


@AUTH.mutant("key-not-needed")
class _KeyNotNeeded(Auth):
    """A call without a key is served."""

    def project(self, request: Request, query: Mapping[str, str]) -> str:
        if not self.key(request, query):
            return next(iter((self._settings.keys or {"": "default"}).values()))
        return super().project(request, query)


@AUTH.mutant("key-missing-crashes")
class _KeyMissingCrashes(Auth):
    """A call without a key is answered with 500."""

    def project(self, request: Request, query: Mapping[str, str]) -> str:
        if not self.key(request, query):
            raise Refusal(500, "api_error", "Internal error.")
        return super().project(request, query)


@AUTH.mutant("key-missing-404")
class _KeyMissing404(Auth):
    """A call without a key is answered with 404."""

    def project(self, request: Request, query: Mapping[str, str]) -> str:
        if not self.key(request, query):
            raise not_found("Not found.")
        return super().project(request, query)


@AUTH.mutant("any-key-opens")
class _AnyKeyOpens(Auth):
    """Any key is accepted, even one that belongs to no project."""

    def owner(self, key: str) -> str:
        return (self._settings.keys or {}).get(key, "somebody")


@AUTH.mutant("wrong-key-crashes")
class _WrongKeyCrashes(Auth):
    """A wrong key is answered with 500."""

    def owner(self, key: str) -> str:
        try:
            return super().owner(key)
        except Refusal:
            raise Refusal(500, "api_error", "Internal error.") from None


@AUTH.mutant("key-header-ignored")
class _KeyHeaderIgnored(Auth):
    """The documented key header is ignored."""

    def key(self, request: Request, query: Mapping[str, str]) -> str:
        bare = Request(request.method, request.target, request.headers.without(KEY_HEADER))
        return super().key(bare, query)


@AUTH.mutant("bearer-ignored")
class _BearerIgnored(Auth):
    """A bearer token is ignored."""

    def key(self, request: Request, query: Mapping[str, str]) -> str:
        bare = Request(request.method, request.target, request.headers.without("authorization"))
        return super().key(bare, query)


@AUTH.mutant("query-key-ignored")
class _QueryKeyIgnored(Auth):
    """The query parameter `key` is ignored."""

    def key(self, request: Request, query: Mapping[str, str]) -> str:
        return super().key(request, {})


@AUTH.mutant("key-leaks")
class _KeyLeaks(Auth):
    """The refusal of a wrong key repeats the key."""

    def owner(self, key: str) -> str:
        try:
            return super().owner(key)
        except Refusal as refusal:
            raise Refusal(401, "authentication", f"{refusal.message} The key was {key}.") from None


@AUTH.mutant("auth-error-html")
class _AuthErrorHtml(Emulator):
    """A refused key is answered with an HTML page."""

    def operate(self, engine: Engine, request: Request, where: Route) -> Response:
        try:
            return super().operate(engine, request, where)
        except Refusal as refusal:
            if refusal.status == 401:
                return html(401)
            raise


@AUTH.mutant("reads-need-no-key")
class _ReadsNeedNoKey(Auth):
    """A read without a key is served."""

    def project(self, request: Request, query: Mapping[str, str]) -> str:
        if request.method == "GET" and not self.key(request, query):
            return next(iter((self._settings.keys or {"": "default"}).values()))
        return super().project(request, query)
