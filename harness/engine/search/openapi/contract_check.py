"""Adds the project's own judgement to schemathesis as a check, and our time limit as a hook.

Layer 4. The tool keeps checks and hooks in global registries. Ours are registered once; while an engine runs,
`judging` tells them the place to use.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from harness.engine.search.answer import judge_exchange
from harness.engine.search.defect import SeenDefect
from harness.engine.search.openapi.exchanges import exchange_of
from harness.engine.search.openapi.timed_heads import timing_heads
from harness.engine.search.search_target import SearchTarget
from harness.engine.traffic.deadline import MIN_TIMEOUT, Timer
from harness.wire.message import EVENT_STREAM

OURS = "harness_contract"

MOST_SECONDS = 30.0
"""Longest timeout of one call in seconds."""

_PIECE = 65_536

_places: list[SearchTarget] = []
_kinds: dict[str, type] = {}


@contextmanager
def judging(place: SearchTarget) -> Iterator[None]:
    """Within this context, judge the tool's calls by the contract and bound them by the place's timer."""
    import schemathesis
    from schemathesis.checks import CHECKS

    if OURS not in CHECKS.get_all_names():
        schemathesis.check(harness_contract)
        schemathesis.hook(before_call)
        schemathesis.deserializer("application/json")(read_json)
    _places.append(place)
    try:
        with timing_heads():
            yield
    finally:
        _places.pop()


def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Bound each call by the time left, and by what such calls took before; send uploads to their own address."""
    if _places:
        place = _places[-1]
        _correct_address(case.operation, place.resolved.info.version)
        bounds = [MOST_SECONDS, place.resolved.target.wait, place.timer.left]
        if place.patience is not None:
            bounds.append(place.patience.timeout(case.operation.label.replace(" /", " ")))
        kwargs["timeout"] = max(MIN_TIMEOUT, min(bounds))
        kwargs["hooks"] = {"response": partial(_read_in_time, kwargs["timeout"], Timer(kwargs["timeout"]))}


def _read_in_time(seconds: float, timer: Timer, response: Any, **_: Any) -> None:
    """Read a body within the time of its call: `requests` bounds only the wait for each piece of it.

    Raises what `requests` does. Streams of events are left to the tool, which bounds them.
    """
    from urllib3.exceptions import HTTPError, ReadTimeoutError

    if response.headers.get("content-type", "").startswith(EVENT_STREAM):
        return
    pieces = []
    try:
        while piece := response.raw.read1(_PIECE, decode_content=True):
            pieces.append(piece)
            if timer.over():
                raise ReadTimeoutError(response.raw, response.url, "the answer never ended")
    except HTTPError as wrong:
        response.close()
        raise _to_requests_error(wrong, seconds, response.request) from None
    response._content = b"".join(pieces)


def _to_requests_error(wrong: Exception, seconds: float, request: Any) -> Exception:
    """The error that `requests` raises for one of urllib3; the tool takes the words of a timeout apart."""
    import requests
    from urllib3 import exceptions

    if isinstance(wrong, exceptions.ReadTimeoutError):
        told = exceptions.HTTPError(f"the answer never ended (read timeout={seconds})")
        return requests.ReadTimeout(told, request=request)
    kinds: dict[type[Exception], type[requests.RequestException]] = {
        exceptions.ProtocolError: requests.exceptions.ChunkedEncodingError,
        exceptions.DecodeError: requests.exceptions.ContentDecodingError,
    }
    kind = next((kind for cause, kind in kinds.items() if isinstance(wrong, cause)), requests.ConnectionError)
    return kind(wrong, request=request)


def _correct_address(operation: Any, version: str) -> None:
    """Honour a server of the operation's own, which the tool does not: `{origin}/upload/{version}`."""
    servers = operation.definition.raw.get("servers")
    below = f"/upload/{version}"
    if servers and servers[0]["url"].endswith("/upload/{version}") and not operation.base_url.endswith(below):
        operation.base_url = operation.base_url.removesuffix(f"/{version}") + below


def read_json(context: Any, response: Any) -> Any:
    """Decode JSON for the tool; nesting that is too deep is invalid, as a RecursionError would end its threads."""
    try:
        return response.json()
    except RecursionError:
        raise json.JSONDecodeError("nested too deep to be read", "", 0) from None


def harness_contract(ctx: Any, response: Any, case: Any) -> None:
    """Judge one response by the contract: shape, order, errors, leaks. Raises the tool's own kind of failure."""
    place = _places[-1]
    exchange = exchange_of(response.request, response, "")
    place.resolved.api.read(exchange, place.requests.contract)
    model = place.model
    call = model.name_call(exchange.request)
    echoed = model.document.echoed if model.document is not None and call != model.create else frozenset()
    if place.patience is not None:
        place.patience.note(call, response.elapsed, hung=False)
    for finding in judge_exchange(exchange, place.requests.key, model):
        defect = SeenDefect(finding, call)
        if place.judged(defect) and finding.rule not in echoed:
            raise _make_failure(defect, case)


def _make_failure(defect: SeenDefect, case: Any) -> AssertionError:
    from schemathesis.core.failures import Failure as ToolFailure

    key = defect.key
    kind = _kinds.get(key)
    if kind is None:  # the tool distinguishes failures only by their class
        kind = _kinds[key] = type(f"Broken[{key}]", (ToolFailure,), {})
    message = defect.finding.message
    failure: Any = kind(operation=case.operation.label, title=defect.rule, message=message, case_id=case.id)
    failure.defect = defect
    assert isinstance(failure, AssertionError)
    return failure
