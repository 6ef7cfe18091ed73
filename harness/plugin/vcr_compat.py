"""Support for tests that are also marked `vcr`: vcrpy plays other services, and is kept away from ours.

Knows pytest-recording's paths, fixture and persister, and the open vcrpy cassette that the fixture returns. Of a
file, it knows only the metadata and each dropped stream.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.plugin.network_guard import loopback_only
from harness.plugin.observed_service import ObservedService
from harness.wire import Headers, Request

if TYPE_CHECKING:
    from harness.cassette import Recording  # late, as below: few tests have a recording

SUFFIX = ".interactions"
"""Added to the test's name to name our recording, if vcrpy's cassette already has that name."""


def is_marked(item: Any) -> bool:
    """Whether a test is marked `vcr`."""
    return item.get_closest_marker("vcr") is not None


def cassette_name(item: Any) -> str:
    """`test_name`, or `Class.test_name`, as pytest-recording names its files."""
    name = f"{item.cls.__name__}.{item.name}" if getattr(item, "cls", None) else str(item.name)
    return re.sub(r"[<>:\"/\\|?*\x00-\x1f]", "-", name)


def name_apart(item: Any) -> str:
    """`cassette_name`, with a digest of the test's name where characters were replaced."""
    name, cleaned = str(item.name), cassette_name(item)
    if cleaned.endswith(name):
        return cleaned
    return f"{cleaned}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def guard_beside(
    request: pytest.FixtureRequest, url: str, service: ObservedService, allow: tuple[str, ...] = ()
) -> AbstractContextManager[None]:
    """The guard of a test with one of our fixtures, whose server is at `url`; `service` notes each refusal.

    There is no guard while vcrpy records, as with pytest-recording's own. vcrpy ignores requests to our server.
    """
    cassette: Any = None
    with suppress(pytest.FixtureLookupError):
        cassette = request.getfixturevalue("vcr") if is_marked(request.node) else None
    if hasattr(cassette, "filter_request"):
        # There is no public way: `ignore_hosts` does not support ports, and the user's own filters come first.
        filtered = cassette._before_record_request
        cassette._before_record_request = lambda sent: None if sent.uri.startswith(url) else filtered(sent)
        if not cassette.write_protected:
            return nullcontext()
    hosts = (*allow, *request.config.getini("interactions_allowed_hosts"))
    return loopback_only(
        allow=hosts,
        tell=service.note_refusal,
        before=service.refuse_runaway,
        proxies=bool(allow),  # the service that is recorded may be reached through one only
    )


def edit_request(request: Request, origin: str, edit: Callable[[Any], Any]) -> Request | None:
    """The request as a `before_record_request` of `vcr_config` makes it; None if it leaves the request out."""
    from vcr.request import Request as Sent  # type: ignore[import-untyped]

    given = dict(request.headers)
    sent = edit(Sent(request.method, origin + request.target, request.body or None, given))
    if sent is None:
        return None
    body = sent.body.encode() if isinstance(sent.body, str) else bytes(sent.body or b"")
    headers = request.headers if dict(sent.headers) == given else Headers(sent.headers.items())
    return Request(sent.method, sent.uri.removeprefix(origin), headers.with_length(len(body)), body)


def edit_response(recording: Recording, edit: Callable[[Any], Any]) -> Recording | None:
    """The recording as a `before_record_response` makes it; None if it leaves the exchange out."""
    from harness.cassette.entry import KEY, as_entry, from_entry

    entry = as_entry(recording)
    ours = entry["response"].pop(KEY)
    came = edit(entry["response"])
    return None if came is None else from_entry({**entry, "response": {**came, KEY: ours}})


def bear_metadata(vcr: Any) -> None:
    """Let pytest-recording, which owns `vcr`, play files with a top-level `metadata`, as ours have.

    A test that would play a dropped stream with it fails, wherever its files are.
    """
    vcr.register_persister(_MetadataAside(vcr.persister))


class _MetadataAside:
    """Wraps pytest-recording's persister, which cannot handle the metadata that vcrpy passes on since 9.4.

    That persister expects (requests, responses) from each file, however many it joins. If vcrpy supports metadata,
    that of the test's own file is added again; otherwise it would be lost when vcrpy rewrites the file.
    """

    def __init__(self, persister: Any) -> None:
        self._persister = persister

    def load_cassette(self, path: str, serializer: Any) -> tuple[Any, ...]:
        from vcr.cassette import Cassette  # type: ignore[import-untyped]

        aside = _Aside(serializer)
        loaded = tuple(self._persister.load_cassette(path, aside))
        for drop in aside.drops:
            where = ", ".join([path, *getattr(self._persister, "extra_paths", ())])
            pytest.fail(
                f"{where}: {drop}, and plain vcrpy would replay it as a clean end: "
                "mark the test with interactions_cassette instead of vcr",
                pytrace=False,
            )
        own = aside.found[0] if aside.found and Path(path).is_file() else None
        return (*loaded[:2], own) if own and hasattr(Cassette, "get_metadata") else loaded

    def save_cassette(self, path: str, contents: Any, serializer: Any) -> None:
        self._persister.save_cassette(path, contents, serializer)


class _Aside:
    """A serializer that moves the metadata of each file it reads to `found`, and notes its drops."""

    def __init__(self, serializer: Any) -> None:
        self._serializer = serializer
        self.found: list[Any] = []
        self.drops: list[str] = []

    def deserialize(self, text: str) -> Any:
        from harness.cassette.entry import KEY, from_entry

        data = self._serializer.deserialize(text)
        if isinstance(data, dict):
            self.found.append(data.pop("metadata", None))
            for entry in data.get("interactions") or ():
                came = entry.get("response") if isinstance(entry, dict) else None
                # An entry without `x-stream` has no dropped stream.
                if isinstance(came, dict) and KEY in came and not (recording := from_entry(entry)).complete:
                    asked = f"{recording.request.method} {recording.request.target}"
                    drop = f"{asked} was dropped when it was recorded ({recording.ending.words})"
                    self.drops.append(drop)
        else:
            self.found.append(None)
        return data
