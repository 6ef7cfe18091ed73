"""A test that is marked `vcr` too: vcrpy plays other services there, and keeps away from ours.

Layer 6. Knows pytest-recording's places, fixture and persister, and the open cassette of vcrpy that it gives; of a
file no more than its metadata and whether it holds a dropped stream.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from harness.plugin.guard import loopback_only

SUFFIX = ".interactions"
"""Follows the test's name in the name of our recording, where vcrpy's bears that name already."""

_STREAM = re.compile(rb"^\s*[\"']?x-stream[\"']?:", re.MULTILINE)


def is_marked(item: Any) -> bool:
    """Whether vcrpy takes part in a test."""
    return item.get_closest_marker("vcr") is not None


def cassette_name(item: Any) -> str:
    """`test_name`, or `Class.test_name`, as pytest-recording names its files."""
    name = f"{item.cls.__name__}.{item.name}" if getattr(item, "cls", None) else str(item.name)
    return re.sub(r"[<>:\"/\\|?*\x00-\x1f]", "-", name)


def guard_beside(
    request: pytest.FixtureRequest, url: str, tell: Callable[[str], object], allow: tuple[str, ...] = ()
) -> AbstractContextManager[None]:
    """The guard of a test with a fixture of ours, whose server is at `url`; it `tell`s what it refuses.

    It is lifted while vcrpy records, as pytest-recording lifts its own. What goes to our server is not vcrpy's.
    """
    cassette = _open_cassette(request)
    if cassette is not None:
        _leave_out(cassette, url)
        if not cassette.write_protected:
            return nullcontext()
    return loopback_only(allow=allow, tell=tell)


def _open_cassette(request: pytest.FixtureRequest) -> Any:
    if not is_marked(request.node):
        return None
    try:
        found = request.getfixturevalue("vcr")
    except pytest.FixtureLookupError:
        return None
    return found if hasattr(found, "filter_request") else None


def _leave_out(cassette: Any, url: str) -> None:
    """There is no public way: `ignore_hosts` knows no ports, and the user's own filters come first."""
    filtered = cassette._before_record_request
    cassette._before_record_request = lambda request: None if request.uri.startswith(url) else filtered(request)


def bear_metadata(vcr: Any) -> None:
    """Let pytest-recording, whose `VCR` this is, play files with a top-level `metadata`, as ours have."""
    vcr.register_persister(_MetadataAside(vcr.persister))


class _MetadataAside:
    """pytest-recording's persister, without the metadata that vcrpy hands on since 9.4 and that it cannot take.

    It expects (requests, responses) of each file, however many it joins. What the test's own file says is put back
    where vcrpy knows of metadata, or would be lost when vcrpy writes that file again.
    """

    def __init__(self, persister: Any) -> None:
        self._persister = persister

    def load_cassette(self, path: str, serializer: Any) -> tuple[Any, ...]:
        from vcr.cassette import Cassette  # type: ignore[import-untyped]

        aside = _Aside(serializer)
        loaded = tuple(self._persister.load_cassette(path, aside))
        own = aside.found[0] if aside.found and Path(path).is_file() else None
        return (*loaded[:2], own) if own and hasattr(Cassette, "get_metadata") else loaded

    def save_cassette(self, path: str, contents: Any, serializer: Any) -> None:
        self._persister.save_cassette(path, contents, serializer)


class _Aside:
    """A serializer that keeps the metadata of each file it reads in `found`, and says nothing of it."""

    def __init__(self, serializer: Any) -> None:
        self._serializer = serializer
        self.found: list[Any] = []

    def deserialize(self, text: str) -> Any:
        data = self._serializer.deserialize(text)
        self.found.append(data.pop("metadata", None) if isinstance(data, dict) else None)
        return data


def refuse_plain_replay(item: Any) -> None:
    """Fail a test that is marked for plain vcrpy, if its cassette holds a drop: there it would end in order."""
    folder = item.path.parent / "cassettes" / item.path.stem
    markers = [str(arg) for marker in item.iter_markers("vcr") for arg in marker.args]
    for path in [folder / f"{cassette_name(item)}.yaml", *(folder / name for name in markers)]:
        if (drop := _drop_in(path)) is not None:
            pytest.fail(
                f"{path}: {drop}, and plain vcrpy would play it as a clean end: "
                "mark the test with interactions_cassette instead of vcr",
                pytrace=False,
            )


def _drop_in(path: Path) -> str | None:
    if not path.is_file() or not _STREAM.search(path.read_bytes()):
        return None
    from harness.cassette import load

    for recording in load(path).recordings:
        if not recording.complete:
            asked = f"{recording.request.method} {recording.request.target}"
            return f"{asked} was dropped when it was recorded ({recording.ending.how})"
    return None
