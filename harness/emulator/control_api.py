"""The sessions of an emulator, and the control API under /__harness__/ that steers them.

Knows how engines are named, opened and closed, and the paths and bodies of `docs/control.md`; the engine does the
work. Needs no API key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness import __version__
from harness.contract.schema.published_files import flatten_openapi
from harness.emulator.engine import Engine
from harness.emulator.scripts import parse
from harness.emulator.values.call import Refusal, Route, decode_json, invalid, json_response, not_found
from harness.emulator.values.hints import suggestion
from harness.emulator.values.settings import Settings
from harness.errors import UsageFault
from harness.wire import Request, Response

Json = dict[str, Any]

CAPABILITIES = (
    "v1", "auth", "two-keys", "store", "delete", "listing", "chain", "stream", "background", "cancel", "resume",
    "background-slow", "event-ids", "functions", "formats", "prompts", "thoughts", "search", "agents",
    "environments", "self-hosted", "agents-crud", "webhooks", "credentials", "triggers", "files",
    "file-search-stores", "voices", "decisions", "continuation", "long-decode", "image-answers",
    "audio-answers", "deep-research", "script",
)  # fmt: skip
"""The capabilities of the emulator, by their names in the catalog of checks."""


class Sessions:
    """The engines of one emulator, and its control API; `default` is the engine of requests without a session."""

    def __init__(self, new_engine: Callable[[int, Settings], Engine], settings: Settings) -> None:
        """`new_engine(number, settings)` makes the engine of the session that was opened as that number."""
        self._new_engine = new_engine
        self.named: dict[str, Engine] = {}
        self._opened = 0
        self.default = new_engine(0, settings)

    def get(self, session: str | None) -> Engine | None:
        """The engine of a session, None if there is no such session; None as a name means the default one."""
        return self.default if session is None else self.named.get(session)

    def find(self, session: str | None = None) -> Engine:
        """Return the engine of a session; None means the default session. Raises Refusal 404."""
        engine = self.get(session)
        if engine is None:
            raise not_found(f"There is no session '{str(session)[:100]}': POST /__harness__/sessions makes one.")
        return engine

    def _open(self) -> str:
        """Open an isolated session with the default one's settings; beyond `max_sessions` the oldest is closed."""
        settings = self.default.settings
        self._opened += 1
        name = f"s{self._opened}"
        self.named[name] = self._new_engine(self._opened, settings)
        if len(self.named) > settings.max_sessions:
            del self.named[next(iter(self.named))]
        return name

    def engines(self) -> list[Engine]:
        """The engines of all sessions, that of the default one first."""
        return [self.default, *self.named.values()]

    def capabilities(self, session: str | None = None) -> set[str]:
        """Return the capabilities that the settings of a session allow. Raises Refusal 404."""
        settings = self.find(session).settings
        missing = set()
        if settings.platform == "gemini":
            missing.add("listing")  # but below a path of Vertex
        if settings.event_ids == "none":
            missing.add("event-ids")
        projects = set(settings.keys.values()) if settings.keys is not None else set()
        if not (settings.require_key and projects):
            missing.add("auth")  # if every key is accepted, none can be wrong
        if not (settings.require_key and len(projects) > 1):
            missing.add("two-keys")
        return set(CAPABILITIES) - missing

    # The control API

    def handle(self, request: Request, route: Route) -> Response:
        method, segments = request.method, route.segments
        if not segments and method == "GET":
            capabilities = sorted(self.capabilities(route.session))
            about = {"harness": "emulator", "version": __version__, "capabilities": capabilities}
            return json_response({**about, "session": route.session})
        if segments[:1] == ("sessions",):
            return self._change_sessions(method, segments[1:])
        path = "/".join(segments)
        answer = _PATHS.get((method, path))
        if answer is None:
            methods = ", ".join(verb for verb, name in _PATHS if name == path)
            known = {name for _, name in _PATHS} | {"sessions"}
            hint = f" It takes {methods}." if methods else suggestion(path, known)
            raise not_found(f"The control API has no {method} /__harness__/{path}.{hint}")
        try:
            body = decode_json(request.body) if request.body else None
            return json_response(answer(self.find(route.session), body))
        except UsageFault as fault:
            raise invalid(str(fault)) from None

    def _change_sessions(self, method: str, rest: tuple[str, ...]) -> Response:
        """POST opens an isolated session, DELETE /{id} closes one."""
        if method == "POST" and not rest:
            name = self._open()
            return json_response({"id": name, "base_url_path": f"/__harness__/sessions/{name}"}, 201)
        if method == "DELETE" and len(rest) == 1:
            self.find(rest[0])
            del self.named[rest[0]]
            return json_response({})
        raise not_found("Sessions take POST /__harness__/sessions and DELETE /__harness__/sessions/{id}.")


def _queue(engine: Engine, body: Any, *, first: bool = False) -> Json:
    """Queue one script or a list of them, all or none; with `first`, one before all others."""
    scripts = body if isinstance(body, list) and not first else [body]
    engine.scripts.add(*(parse(script, engine.contract.lifecycle) for script in scripts), first=first)
    return {"queued": len(engine.scripts)}


def _drop(engine: Engine, *which: bool) -> Json:
    """Take the refusals (True) or all other answers (False) out of the queue."""
    for refusals in which:
        engine.scripts.remove(refusals=refusals)
    return {"queued": len(engine.scripts)}


def _reset(engine: Engine, body: Any) -> Json:
    engine.reset()
    return {}


def _change(engine: Engine, body: Any) -> Json:
    if not isinstance(body, dict):
        raise UsageFault('send an object of settings, such as {"event_ids": "none"}')
    engine.change(engine.settings.with_values(body))
    return _show_settings(engine, body)


def _show_settings(engine: Engine, body: Any) -> Json:
    """The settings of the session; of the keys only their number."""
    shown = {name: getattr(engine.settings, name) for name in engine.settings.__struct_fields__}
    shown["keys"] = len(engine.settings.keys) if engine.settings.keys is not None else None
    return shown


def _refuse_faults(engine: Engine, body: Any) -> Json:
    """Faults are injected around an emulator, never in it."""
    raise Refusal(501, "unimplemented", "The emulator itself injects no faults: put harness.faults.cut around it.")


_PATHS: dict[tuple[str, str], Callable[[Engine, Any], Json]] = {
    ("POST", "scripts"): _queue,
    ("GET", "scripts"): lambda engine, _: {"queued": len(engine.scripts), "unmet": engine.scripts.unmet},
    ("DELETE", "scripts"): lambda engine, _: _drop(engine, True, False),
    ("DELETE", "scripts/refusals"): lambda engine, _: _drop(engine, True),
    ("DELETE", "scripts/answers"): lambda engine, _: _drop(engine, False),
    ("POST", "scripts/next"): lambda engine, body: _queue(engine, body, first=True),
    ("GET", "requests"): lambda engine, _: {"requests": engine.log.to_dicts()},
    ("POST", "release"): lambda engine, body: {"released": engine.steering.release(_one_id(body, "release"))},
    ("POST", "hold"): lambda engine, body: {"held": engine.steering.hold(_one_id(body, "hold"))},
    ("POST", "advance"): lambda engine, body: {"advanced": engine.steering.advance(_one_id(body, "advance"))},
    ("POST", "reset"): _reset,
    ("POST", "settings"): _change,
    ("GET", "settings"): _show_settings,
    ("GET", "openapi-3.2.json"): lambda engine, _: flatten_openapi(engine.contract.schemas, "3.2.0"),
    ("GET", "openapi-3.1.json"): lambda engine, _: flatten_openapi(engine.contract.schemas, "3.1.1"),
    ("POST", "faults"): _refuse_faults,
    ("GET", "faults"): _refuse_faults,
    ("DELETE", "faults"): _refuse_faults,
}
"""The JSON value that answers each method and path, from the engine of the session and the body."""


def _one_id(body: Any, verb: str) -> str | None:
    """The interaction's id in a body; None means all. Raises UsageFault."""
    wanted = body.get("id") if isinstance(body, dict) else None
    if wanted is not None and not isinstance(wanted, str):
        raise UsageFault(f"id={wanted!r} must be an interaction's id; leave it out to {verb} all")
    return wanted
