"""An own server: the emulator without its control API, and with responses that take their time.

It counts its requests by kind, and the least that these rules can be judged by, however exercises share their
runs: each form of a request once, and for each form of a create that is stored a GET and a DELETE of its run.
Requests that differ only in their texts, or in the ids that they name, have one form.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import msgspec

from benchmarks._against import KEYS
from harness.emulator import Emulator, Settings
from harness.transport import ServerThread, WallClock
from harness.transport.client.courier import Courier
from harness.wire import Headers, Pause, Piece, Request, Response
from harness.wire.message import WrappedBody


class Walled:
    """The emulator as a server of somebody else."""

    def __init__(self, latency: float, lasts: float) -> None:
        self.clock = WallClock()
        keys = {key: name for name, key in KEYS.items()}
        settings = Settings(platform="any", keys=keys, ticks=0, lasts=lasts or None)
        self.emulator = Emulator(settings, clock=self.clock)
        self.latency = latency
        self.counts: Counter[str] = Counter()
        self.forms: dict[str, set[Request]] = defaultdict(set)
        """The forms of the requests of each kind."""

    def __call__(self, request: Request) -> Response:
        """Count a request, and answer it late."""
        if "/__harness__/" in request.target:
            return Response.whole(404, Headers([("content-type", "text/plain")]), b"404 page not found\n")
        response = self.emulator(request)
        kind = _name_kind(request, response.status)
        self.counts[kind] += 1
        self.forms[kind].add(_read_form(request))
        return Response(response.status, response.headers, response.framing, _Late(response.body, self.latency))

    def describe(self) -> str:
        """The counts by kind, each with that of its forms, and the least."""
        kinds = [f"{count} {kind} ({len(self.forms[kind])} forms)" for kind, count in self.counts.most_common()]
        stored = sum(b'"store":false' not in form.body for form in self.forms[_CREATES])
        least = sum(max(len(forms), stored * (kind in _OF_EACH)) for kind, forms in self.forms.items())
        return f"{', '.join(kinds)}; at least {least}"


_CREATES = "creates"
_OF_EACH = ("GETs of runs", "DELETEs of runs")
_IDS = re.compile(r"v1_[\w-]{20,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,}|(?<=_id=)[^&]+")


def _name_kind(request: Request, status: int) -> str:
    """What a request is for."""
    of_runs = "/interactions" in request.target
    if status >= 400:
        return "refused"
    if of_runs and request.method == "POST" and not request.path.endswith("/cancel"):
        return _CREATES
    return f"{request.method}s of {'runs' if of_runs else 'the rest'}"


def _read_form(request: Request) -> Request:
    """The request without its texts, its length and the ids in it."""
    headers = Headers((name, _IDS.sub("", value)) for name, value in request.headers if name != "content-length")
    body = request.body
    with suppress(msgspec.DecodeError, RecursionError):
        body = msgspec.json.encode(_drop_texts(msgspec.json.decode(body)), order="sorted")
    return Request(request.method, _IDS.sub("", request.target), headers, body)


def _drop_texts(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: inner for name, inner in value.items() if not isinstance(inner, str) or name not in _TEXTS}
        return {name: _drop_texts(inner) for name, inner in kept.items()}
    if isinstance(value, list):
        return [_drop_texts(inner) for inner in value]
    return _IDS.sub("", value) if isinstance(value, str) else value


_TEXTS = frozenset({"input", "text"})


class _Late(WrappedBody):
    """A body that begins after a pause."""

    def __init__(self, inner: Any, latency: float) -> None:
        super().__init__(inner)
        self._pieces = self._delay(inner, latency)

    def _delay(self, inner: Any, latency: float) -> Iterator[Piece]:
        yield Pause(latency)
        yield from inner

    def __next__(self) -> Piece:
        return next(self._pieces)


@contextmanager
def walled_server(walled: Walled) -> Iterator[tuple[str, Walled]]:
    """Serve it, and deliver its webhooks; its URL, and itself."""
    with (
        ServerThread(walled, clock=walled.clock) as server,
        Courier(walled.emulator.outbox, is_allowed=True),
    ):
        yield server.url, walled
