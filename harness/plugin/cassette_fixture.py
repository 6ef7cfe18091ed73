"""The recording of one test: played from `cassettes/<module>/<test>.yaml`, or recorded there from a live service.

Layer 7. Uses the paths and conventions of pytest-recording (record modes, `vcr_config`), but none of vcrpy's
patches: clients reach us by transport or by URL. A request that was not recorded fails the test at its end, even
if the code under test swallows the error.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from harness.cassette import Cassette, CassetteFile, Player, Target, load
from harness.cassette.player import MODES
from harness.kit.api import Api
from harness.outcome import UsageFault
from harness.plugin.environment_variables import LIVE_HOST, PLACEHOLDER_KEY, own_key
from harness.plugin.final_checks import CALL_PASSED, check_services
from harness.plugin.observed_service import ObservedService
from harness.plugin.recording_service import RecordingService
from harness.plugin.vcr_compat import SUFFIX, cassette_name, guard_beside, is_marked
from harness.wire import LogicalClock, Service

LIVE = f"https://{LIVE_HOST}"
PROPERTY = "interactions_cassette"
"""The name of a remark on a cassette in a report's user_properties."""

HOW_TO_RECORD = (
    "To record what is missing, run this test once with a key in GEMINI_API_KEY and "
    "@pytest.mark.interactions_cassette(record_mode='new_episodes'), or with pytest-recording "
    "--record-mode=new_episodes; record_mode='rewrite' records all of it again."
)

_MODES = ("none", "once", "new_episodes", "all", "rewrite")
_OPTIONS = ("path", "record_mode", "mode", "upstream")


class CassetteFixture(ObservedService):
    """A recording that stands in for the API. After the test, `remarks` says what the user should look at."""

    def __init__(
        self, wanted: Wanted, service: Service, *, waits: bool = False, misses: Sequence[object] = ()
    ) -> None:
        super().__init__(service, LogicalClock(), wanted.api)
        self.waits = waits
        self.path = wanted.path
        self.misses = misses
        """The requests that were not recorded, as they come."""
        self.remarks: list[str] = []
        self.passed = True
        """Whether the test passed; if it did not, what it recorded does not replace an older recording."""
        self._complained = False

    def find_complaints(self) -> Iterator[str]:
        """What makes a test fail that has swallowed it: the first request that was not recorded."""
        yield from super().find_complaints()
        if self.misses and not self._complained:
            self._complained = True
            yield f"{self.path}: {self.misses[0]}\n{HOW_TO_RECORD}"

    def format_context(self) -> str:
        """What to report if this test fails: the requests and answers, and how to record what is missing."""
        advice = [HOW_TO_RECORD] if self.misses and not self._complained else []
        return "\n".join([super().format_context(), *advice])


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The settings of a test's cassette, from the marker, the options and `vcr_config`."""

    api: Api
    path: Path
    record_mode: str = "none"
    mode: str = "resume"
    upstream: str = LIVE
    dropped_headers: frozenset[str] = frozenset()
    dropped_parameters: frozenset[str] = frozenset()
    max_age: float | None = None
    today: datetime.date = field(default_factory=lambda: datetime.datetime.now(datetime.UTC).date())


@contextmanager
def cassette_of(request: pytest.FixtureRequest, api: Api) -> Iterator[CassetteFixture]:
    """The cassette of a test. Fails the test for requests that were not recorded; adds remarks to its report."""
    wanted = wanted_by(request, api)
    with open_cassette(wanted) as cassette:
        yield cassette
        cassette.passed = request.node.stash.get(CALL_PASSED, False)
    for remark in cassette.remarks:
        request.node.user_properties.append((PROPERTY, remark))
    if cassette.passed:
        check_services([cassette])


def wanted_by(request: pytest.FixtureRequest, api: Api) -> Wanted:
    """Read the marker, the options and `vcr_config`. Raises UsageFault for wrong values."""
    marker = request.node.get_closest_marker("interactions_cassette")
    if marker is not None and (mistakes := find_wrong_options(marker)):
        raise UsageFault("; ".join(mistakes))
    options = dict(marker.kwargs) if marker is not None else {}
    named = marker.args[0] if marker is not None and marker.args else options.pop("path", None)
    config = _read_vcr_config(request)
    chosen = request.config.getoption("--record-mode", None)
    mode = options.pop("record_mode", None) or chosen or config.get("record_mode") or "none"
    if mode not in _MODES:
        raise UsageFault(f"record_mode={mode!r} is none of {', '.join(_MODES)}")
    return Wanted(
        api=api,
        path=_choose_path(request, named, config),
        record_mode=str(mode),
        mode=options.pop("mode", "resume"),
        upstream=options.pop("upstream", None) or _live_url(),
        dropped_headers=_names(config.get("filter_headers")),
        dropped_parameters=_names(config.get("filter_query_parameters")),
        max_age=request.config.getoption("--interactions-max-age"),
    )


def find_wrong_options(marker: pytest.Mark) -> list[str]:
    """What is wrong with a marker that names a cassette."""
    mistakes = []
    if unknown := [name for name in marker.kwargs if name not in _OPTIONS]:
        names = " and no ".join(map(repr, unknown))
        mistakes.append(f"{marker.name} has no {names}: it takes {', '.join(_OPTIONS)}")
    for name, known in (("record_mode", _MODES), ("mode", MODES)):
        value = marker.kwargs.get(name)
        if value is not None and value not in known:
            mistakes.append(f"{marker.name}: {name}={value!r} is none of {', '.join(known)}")
    return mistakes


def open_cassette(wanted: Wanted) -> AbstractContextManager[CassetteFixture]:
    """Open a cassette, to play it or to record into it."""
    if wanted.record_mode == "rewrite" and wanted.path.exists():
        return _rewriting(wanted)
    records = wanted.record_mode in ("all", "new_episodes", "rewrite") or (
        wanted.record_mode == "once" and not wanted.path.exists()
    )
    return _recording(wanted) if records else _playing(wanted)


def outside_of(wanted: Wanted) -> str | None:
    """The host that recording must reach; None if nothing is recorded."""
    return None if wanted.record_mode == "none" else urlsplit(wanted.upstream).hostname


def guard_of(
    request: pytest.FixtureRequest, api: Api, url: str, cassette: CassetteFixture
) -> AbstractContextManager[None]:
    """The guard of a test with a cassette: allows this machine and the service to record."""
    outside = outside_of(wanted_by(request, api))
    return guard_beside(request, url, cassette, (outside,) if outside else ())


# Playing


@contextmanager
def _playing(wanted: Wanted) -> Iterator[CassetteFixture]:
    if not wanted.path.is_file():
        raise UsageFault(
            f"there is no recording at {wanted.path}: run once with --record-mode=once (pytest-recording) or "
            "@pytest.mark.interactions_cassette(record_mode='once'), and a key in GEMINI_API_KEY"
        )
    cassette = load(wanted.path)
    player = Player(cassette.recordings, wanted.api.load_protocol(), mode=wanted.mode)
    fixture = CassetteFixture(wanted, player, misses=player.misses)
    yield fixture
    unused = player.unused()
    if unused and not player.misses:
        shown = ", ".join(f"{recording.request.method} {recording.request.target}" for _, recording in unused[:3])
        fixture.remarks.append(
            f"{wanted.path.name}: {len(unused)} of {len(player.recordings)} not played: {shown}"
        )
    for number, address in player.elsewhere():
        fixture.remarks.append(
            f"{wanted.path.name}: recording {number + 1} names another address ({address}): what is sent there is "
            "not replayed"
        )
    if (stale := _say_why_stale(cassette, wanted)) is not None:
        fixture.remarks.append(stale)


def _say_why_stale(cassette: Cassette, wanted: Wanted) -> str | None:
    recorded = cassette.provenance.recorded if cassette.provenance is not None else ""
    if wanted.max_age is None or not recorded:
        return None
    age = (wanted.today - datetime.date.fromisoformat(recorded)).days
    if age <= wanted.max_age:
        return None
    return f"{wanted.path.name}: recorded {recorded}, {age} days ago (--interactions-max-age {wanted.max_age:g})"


# Recording


@contextmanager
def _recording(wanted: Wanted) -> Iterator[CassetteFixture]:
    from harness.benches.record import provenance_of  # imports the tap, which only recording needs

    provenance = provenance_of(wanted.upstream, wanted.api, recorder="harness.pytest_plugin")
    wanted.path.parent.mkdir(parents=True, exist_ok=True)
    mode = "new_episodes" if wanted.record_mode == "rewrite" else wanted.record_mode
    key = own_key() or (None if provenance.target is Target.LIVE else PLACEHOLDER_KEY)
    secrets = [key for key in wanted.api.keys_in(os.environ).values() if key != PLACEHOLDER_KEY]
    protocol = wanted.api.load_protocol()
    with CassetteFile(wanted.path, protocol, mode=mode, provenance=provenance, secrets=secrets) as file:
        service = RecordingService(
            file,
            wanted.upstream,
            wanted.api,
            key=key,
            headers=wanted.dropped_headers,
            parameters=wanted.dropped_parameters,
        )
        yield CassetteFixture(wanted, service, waits=True)


@contextmanager
def _rewriting(wanted: Wanted) -> Iterator[CassetteFixture]:
    """Record beside the older recording, and replace it only after a test that passed."""
    aside = wanted.path.with_name(f"{wanted.path.stem}.rewrite.yaml")
    aside.unlink(missing_ok=True)
    try:
        with _recording(replace(wanted, path=aside)) as fixture:
            fixture.path = wanted.path
            yield fixture
        why = _why_not_replaced(fixture, aside)
        if not why:
            aside.replace(wanted.path)
        else:
            fixture.remarks.append(
                f"{wanted.path.name}: not rewritten, because {why}; the older recording is kept"
            )
    finally:
        aside.unlink(missing_ok=True)


def _why_not_replaced(fixture: CassetteFixture, made: Path) -> str:
    """Why a new recording must not replace the older one; "" if it may."""
    if not fixture.passed:
        return "its test failed"
    if isinstance(fixture.service, RecordingService) and fixture.service.unreached:
        return "the service was not always reached"
    return "" if made.exists() else "nothing was recorded"


# Names and places


def _choose_path(request: pytest.FixtureRequest, named: object, config: Mapping[str, Any]) -> Path:
    folder = (
        Path(str(config["cassette_library_dir"]))
        if config.get("cassette_library_dir")
        else _choose_folder(request)
    )
    theirs = folder / f"{cassette_name(request.node)}.yaml"
    if named is None:
        return theirs.with_name(f"{theirs.stem}{SUFFIX}.yaml") if is_marked(request.node) else theirs
    path = Path(str(named))
    inside = not path.is_absolute() and path.parent == Path()
    if path.suffix not in (".yaml", ".yml"):
        path = path.with_name(f"{path.name}.yaml")  # `gemini-3.5` has a dot but no suffix
    chosen = (folder if inside else request.path.parent) / path
    if chosen == theirs and is_marked(request.node):
        raise UsageFault(
            f"{chosen}: the test is marked `vcr` too, and vcrpy writes to that file: name another one, or leave "
            f"`vcr` out if nothing but the Interactions API is recorded"
        )
    return chosen


def _choose_folder(request: pytest.FixtureRequest) -> Path:
    """The folder that pytest-recording uses too; its fixture `vcr_cassette_dir` changes both."""
    try:
        return Path(request.getfixturevalue("vcr_cassette_dir"))
    except pytest.FixtureLookupError:
        return request.path.parent / "cassettes" / request.path.stem


def _read_vcr_config(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    try:
        value = request.getfixturevalue("vcr_config")
    except pytest.FixtureLookupError:
        return {}
    return value if isinstance(value, Mapping) else {}


def _names(value: object) -> frozenset[str]:
    items = value if isinstance(value, list | tuple) else ()
    return frozenset(str(item[0] if isinstance(item, list | tuple) else item).lower() for item in items)


def _live_url() -> str:
    return os.environ.get("INTERACTIONS_RECORD_URL") or LIVE
