"""Mutants: keys."""

from __future__ import annotations

from collections.abc import Mapping

from harness.emulator.http.auth import AUTHENTICATION, KEY_HEADER, Auth
from harness.emulator.mutants.changes import crash, html, not_found, when
from harness.emulator.mutants.hooks import EVERY, error
from harness.emulator.mutants.parts import before, instead
from harness.emulator.mutants.rows import row
from harness.emulator.values.call import Call, Refusal
from harness.kit.mutant import table
from harness.wire import Request


def _has_no_key(auth: Auth, request: Request, query: Mapping[str, str]) -> bool:
    return not auth.key(request, query)


def _is_for_a_wrong_key(refusal: Refusal, call: Call) -> bool:
    return refusal.code == AUTHENTICATION and "not valid" in refusal.message


def _lend_a_key(auth: Auth, request: Request, query: Mapping[str, str]) -> str:
    if not auth.key(request, query):
        return next(iter((auth._settings.keys or {"": "default"}).values()))
    return Auth.project(auth, request, query)


def _lend_a_key_to_reads(auth: Auth, request: Request, query: Mapping[str, str]) -> str:
    return (_lend_a_key if request.method == "GET" else Auth.project)(auth, request, query)


def _without(request: Request, header: str) -> Request:
    return Request(request.method, request.target, request.headers.without(header))


def _repeat_the_key(auth: Auth, key: str) -> str:
    try:
        return Auth.owner(auth, key)
    except Refusal as refusal:
        raise Refusal(401, "authentication", f"{refusal.message} The key was {key}.") from None


MUTANTS = table(
    "auth",
    row("key-not-needed", "A call without a key is served.",
        instead(Auth.project, _lend_a_key)),
    row("key-missing-crashes", "A call without a key is answered with 500.",
        before(Auth.project, when(_has_no_key, crash))),
    row("key-missing-404", "A call without a key is answered with 404.",
        before(Auth.project, when(_has_no_key, not_found))),
    row("any-key-opens", "Any key is accepted, even one that belongs to no project.",
        instead(Auth.owner, lambda auth, key: (auth._settings.keys or {}).get(key, "somebody"))),
    row("wrong-key-crashes", "A wrong key is answered with 500.",
        error(EVERY, when(_is_for_a_wrong_key, crash))),
    row("key-header-ignored", "The documented key header is ignored.",
        instead(Auth.key, lambda auth, request, query: Auth.key(auth, _without(request, KEY_HEADER), query))),
    row("bearer-ignored", "A bearer token is ignored.",
        instead(Auth.key, lambda auth, request, query: Auth.key(auth, _without(request, "authorization"), query))),
    row("query-key-ignored", "The query parameter `key` is ignored.",
        instead(Auth.key, lambda auth, request, query: Auth.key(auth, request, {}))),
    row("key-leaks", "The refusal of a wrong key repeats the key.",
        instead(Auth.owner, _repeat_the_key)),
    row("auth-error-html", "A refused key is answered with an HTML page.",
        error(EVERY, lambda refusal, _: html(401) if refusal.code == AUTHENTICATION else None)),
    row("reads-need-no-key", "A read without a key is served.",
        instead(Auth.project, _lend_a_key_to_reads)),
)  # fmt: skip
