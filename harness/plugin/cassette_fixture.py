"""The recording of one test: replayed from `cassettes/<module>/<test>.yaml`, or recorded there live.

Uses the paths and conventions of pytest-recording (record modes, `vcr_config`), but none of vcrpy's patches:
clients reach us by transport or by URL. A request that was not recorded fails the test at its end, even if the
code under test swallows the error.
"""

from __future__ import annotations

import datetime
import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import astuple, dataclass, field
from itertools import chain
from pathlib import Path
from threading import Lock, RLock
from typing import Any, Literal, TypedDict
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from msgspec import structs

from harness.cassette import CassetteFile, Player, Recording, Target, load
from harness.cassette.layout import SUFFIXES, mention_part
from harness.cassette.own_words import add_words, with_own_words
from harness.cassette.player import MISS_CODE, MISS_STATUS, answer_from
from harness.cassette.writer import MODES as RECORD_MODES
from harness.cassette.writer import drop_unused
from harness.errors import CassetteError
from harness.files import make_folder, open_file
from harness.kit.api import ClientApi
from harness.outcome import UsageFault
from harness.outcome.words import format_count, list_some
from harness.plugin.after_test import CALL_PASSED, check_services
from harness.plugin.environment_variables import LIVE_HOST, PLACEHOLDER_KEY, own_key
from harness.plugin.names import find_wrong_options
from harness.plugin.observed_service import ObservedService
from harness.plugin.vcr_compat import SUFFIX, cassette_name, edit_request, edit_response, is_marked, name_apart
from harness.transport.http1.reader import RECORDED_BYTES
from harness.transport.proxy import UpstreamServer
from harness.wire import (  # fmt: skip
    By,
    Chunk,
    Chunked,
    Ending,
    Exchange,
    ExchangeBuilder,
    Headers,
    How,
    Length,
    LogicalClock,
    Piece,
    Request,
    Response,
    Service,
)
from harness.wire.addresses import is_readable_on_the_way, read_host, readdress, stand_in_url
from harness.wire.message import EVENT_STREAM, WrappedBody
from harness.wire.secrets import secrets_in_header
from harness.wire.sse import events_in

LIVE = f"https://{LIVE_HOST}"
PROPERTY = "interactions_cassette"
"""The name of a remark on a cassette in a report's user_properties."""

HOW_TO_RECORD = (
    "To record what is missing, run this test once with a key in GEMINI_API_KEY and "
    "@pytest.mark.interactions_cassette(record_mode='new_episodes'), or with pytest-recording "
    "--record-mode=new_episodes; record_mode='rewrite' records all of it again."
)

USES: pytest.StashKey[defaultdict[Path, FileUse]] = pytest.StashKey()
"""How the tests of this session use each cassette."""
_RECORDING = frozenset(RECORD_MODES) - {"none"}
_TURN_SECONDS = 120.0
"""How long a test waits while another worker of pytest-xdist records into the same file: a test or two, live."""
_FOLDER = "cassettes"
RECORDER = "harness.pytest_plugin"
_ASIDE = re.compile(r"\.(part|before-\d+|interrupted-\d+)$")
"""The end of the name of a copy, or of what a killed run recorded."""


@dataclass(slots=True)
class FileUse:
    """How the tests of one session use one cassette; tests are known by their ids."""

    collected: Sequence[str] = ()
    """Those that were collected, before any was deselected."""
    is_whole: bool = False
    """Whether no other test is likely to use it, because all that are near it were collected."""
    is_made: bool = False
    """Whether it was not there when the tests were collected: the session makes it, or another worker of xdist."""
    before: frozenset[bytes] = frozenset()
    """In a worker of xdist, the fingerprints of the recordings in it when tests that record were collected."""
    used: dict[str, set[bytes]] = field(default_factory=dict)
    """By test, the fingerprints of the recordings that it recorded or replayed."""
    passed: set[str] = field(default_factory=set)
    modes: set[str] = field(default_factory=set)
    """How those that ran recorded into it, if it is not the file of one test alone."""
    is_replayed: bool = False
    """Whether any of them replayed it, so that a recording may be left over."""
    origin: dict[str, Any] = field(default_factory=dict)
    """The metadata of what they recorded."""

    def add(self, other: FileUse) -> None:
        """Add how the tests of another worker of pytest-xdist use the file."""
        self.collected, self.is_whole = other.collected, other.is_whole
        self.used |= other.used
        self.passed |= other.passed
        self.modes |= other.modes
        self.is_replayed |= other.is_replayed
        self.origin |= other.origin

    def list_used(self) -> set[bytes]:
        """The fingerprints of the recordings that any test recorded or replayed."""
        return set().union(*self.used.values())


def describe_unused(path: Path, recordings: Sequence[Recording], used: AbstractSet[bytes]) -> str:
    """A line on the recordings of a file whose fingerprints are not `used`; "" if there are none."""
    unused = [one.request for one in recordings if one.fingerprint() not in used]
    asked = ", ".join(f"{one.method} {one.target}" for one in unused[:3])
    return f"{path.name}: {len(unused)} of {len(recordings)} not replayed: {asked}" if unused else ""


class MarkerOptions(TypedDict, total=False):
    """The options of the marker; the path may also be its only argument without a name."""

    path: str
    record_mode: Literal["none", "once", "new_episodes", "all", "rewrite"]
    mode: Literal["strict", "resume"]
    upstream: str
    allow_unused: bool
    hide: str | Sequence[str]
    hide_pattern: str | Sequence[str]
    ignore: str | Sequence[str]


class CassetteFixture(ObservedService):
    """A recording that responds in place of the API. After the test, `remarks` lists hints for the user."""

    def __init__(
        self, wanted: Wanted, service: Service, *, waits: bool = False, misses: Sequence[object] = ()
    ) -> None:
        super().__init__(service, LogicalClock(), wanted.api)
        self.waits = waits
        self.path = wanted.path
        self.outside: tuple[str, ...] = ()
        """The host that recording must reach."""
        self.misses = misses
        """The requests that were not recorded, as they come."""
        self.remarks: list[str] = []
        self.count_played: Callable[[], tuple[int, int]] | None = None
        """How many of how many recorded answers were played; None while recording."""
        self.recordings: Sequence[Recording] = ()
        """The recordings that the test could replay; none while recording."""
        self.origin: dict[str, Any] = {}
        """The metadata of what is recorded."""
        self.is_discarded = False
        """Whether what it recorded was worth nothing, and the older recording stays."""
        self.used: set[bytes] = set()
        """The fingerprints of the recordings that the test replayed or recorded; complete after it."""
        self._allows_unused = wanted.allow_unused
        self.passed: bool | None = True
        """Whether the test passed, None if it did not end; what decides about its recording."""
        self._complained = False

    def find_complaints(self) -> Iterator[str | Warning]:
        """The reason to fail a test that has hidden the error: the first request that was not recorded."""
        yield from super().find_complaints()
        if self.misses and not self._complained:
            self._complained = True
            yield f"{self.path}: {self.misses[0]}\n{self._advice}"
        if isinstance(self.service, RecordingService) and self.service.unwritten:
            yield f"{self.path} has not all calls: {self.service.unwritten[0]}"
        if self.count_played is None or self._complained or self._allows_unused:
            return
        played, recorded = self.count_played()
        if recorded and not played:
            self._complained = True
            yield (
                f"{self.path}: the test replayed none of its {format_count(recorded, 'recorded answer')}, so it "
                "has tested nothing with them: does the code under test send its requests through httpx, or to "
                "interactions_cassette.base_url? If that is meant, mark it "
                "interactions_cassette(allow_unused=True)"
            )

    @property
    def _advice(self) -> str:
        return f"{HOW_TO_RECORD}{mention_part(self.path)}"

    def format_context(self) -> str:
        """The context of a failure of this test: requests, responses, and the way to record the missing ones."""
        advice = [self._advice] if self.misses and not self._complained else []
        return "\n".join([super().format_context(), *advice])


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The settings of a test's cassette, from the marker, the options and `vcr_config`."""

    api: ClientApi
    path: Path
    record_mode: str = "none"
    mode: str = "resume"
    upstream: str = LIVE
    allow_unused: bool = False
    dropped_headers: frozenset[str] = frozenset()
    dropped_parameters: frozenset[str] = frozenset()
    edit_request: Callable[[Any], Any] | None = None
    """The user's function that changes a request before it is written or looked for, or leaves it out."""
    edit_response: Callable[[Any], Any] | None = None
    max_age: float | None = None
    is_shared: bool = False
    """Whether other tests may need what this one does not record again."""
    is_in_use: Callable[[bytes], bool] = lambda fingerprint: False
    """Whether another test of this session recorded or replayed the recording with this fingerprint."""
    wait: float = 0.0
    """The seconds to wait while another worker of pytest-xdist records into the file."""


@contextmanager
def cassette_of(request: pytest.FixtureRequest, api: ClientApi) -> Iterator[CassetteFixture]:
    """The cassette of a test. Fails the test for requests that were not recorded; adds remarks to its report."""
    wanted = wanted_by(request, api)
    with open_cassette(wanted) as cassette:
        yield cassette
        cassette.passed = request.node.stash.get(CALL_PASSED, None)
    use = find_uses(request.config)[wanted.path.resolve()]
    use.used[request.node.nodeid] = cassette.used
    use.origin |= cassette.origin
    if wanted.is_shared:
        use.modes.add("none" if cassette.is_discarded else wanted.record_mode)
    use.is_replayed |= bool(cassette.recordings)
    if len(use.collected) < 2 and not cassette.misses:  # of a shared file, the end of the session alone knows
        line = describe_unused(wanted.path, cassette.recordings, cassette.used)
        cassette.remarks[:0] = [line] if line else []
    if cassette.passed:
        use.passed.add(request.node.nodeid)
    for remark in cassette.remarks:
        request.node.user_properties.append((PROPERTY, remark))
    if cassette.passed:
        check_services([cassette])


def find_uses(config: pytest.Config) -> defaultdict[Path, FileUse]:
    """How the tests of this session use each cassette, by its resolved path."""
    return config.stash.setdefault(USES, defaultdict(FileUse))


def note_users(session: pytest.Session, items: Iterable[pytest.Item]) -> list[str]:
    """Note which of the collected tests use which cassette; return a line for each that several record into."""
    config, lines = session.config, []
    users: defaultdict[Path, dict[str, bool]] = defaultdict(dict)
    for item in items:
        options, named = _read_marker(item)
        mode = options.get("record_mode") or config.getoption("--record-mode", None)
        with suppress(UsageFault):  # the test itself reports it
            users[_choose_path(item, named, _own_folder(item))[0].resolve()][item.nodeid] = mode in _RECORDING
    for item in filter(is_marked, session.items):
        find_uses(config)[(_own_folder(item) / f"{cassette_name(item)}.yaml").resolve()].collected = [item.nodeid]
    near = [(session.startpath / word).resolve() for word in config.args if "::" not in word]
    folders = [place if place.is_dir() else place.parent / _FOLDER / place.stem for place in near]
    is_all = not (session.testsfailed or config.getoption("lf", False))  # else more tests exist
    for path, tests in users.items():
        use = find_uses(config)[path]
        use.collected, use.is_made = list(tests), not path.exists()
        use.is_whole = is_all and any(map(path.is_relative_to, folders))
        if _is_worker(config) and not use.is_made and len(tests) > 1 and any(tests.values()):
            with suppress(CassetteError):  # the test itself reports it
                use.before = frozenset(one.fingerprint() for one in load(path).recordings)
        if len(tests) > 1 and any(tests.values()):
            shown = path.relative_to(config.rootpath) if path.is_relative_to(config.rootpath) else path
            lines.append(f"{shown}: {len(tests)} tests share this recording: {list_some(use.collected, 3)}")
    return lines


def finish_files(config: pytest.Config) -> list[str]:
    """At the end of a session, drop what no test used of each file that was recorded again as a whole.

    Return the remarks on files that several tests share. A worker of pytest-xdist leaves that to its controller.
    """
    lines, uses = [], find_uses(config)
    if _is_worker(config):
        config.workeroutput[PROPERTY] = {str(path): astuple(use) for path, use in uses.items()}  # type: ignore[attr-defined]
        return []
    for path, use in uses.items():
        if not use.collected or not use.passed.issuperset(use.collected):
            continue
        try:
            if use.modes == {"rewrite"} and use.is_whole and use.origin:
                lines.append(drop_unused(path, use.list_used(), use.origin))
            elif len(use.collected) > 1 and use.is_replayed:
                lines.append(describe_unused(path, load(path).recordings, use.list_used()))
        except (CassetteError, OSError) as wrong:
            lines.append(f"{path} may have recordings that no test used: it could not be read or written: {wrong}")
    return [*filter(None, lines), *_list_left_over(uses)]


def _list_left_over(uses: Mapping[Path, FileUse]) -> Iterator[str]:
    """A line for each folder with cassettes that this plugin recorded and no test has."""
    if any(use.used and not use.collected for use in uses.values()):
        return  # the user's own fixture chooses the folder, also for tests that did not run
    whole = {path.parent for path, use in uses.items() if use.is_whole}
    for folder in sorted({near for own in whole if own.parent.name == _FOLDER for near in own.parent.glob("*/")}):
        left = []
        if folder in whole or not folder.parent.with_name(f"{folder.name}.py").exists():
            for file in (file for file in sorted(folder.glob("*.yaml")) if file not in uses):
                with suppress(OSError), open_file(file) as opened:
                    if RECORDER.encode() in opened.read(1024) and not _ASIDE.search(file.stem):
                        left.append(file.name)
        if left:
            yield f"{folder.name}: of no test, as after one was renamed or deleted: {list_some(left, 3)}"


def take_over(config: pytest.Config, uses: Mapping[str, tuple[Any, ...]]) -> None:
    """Take over how the tests of a worker of pytest-xdist used recordings."""
    for path, fields in uses.items():
        find_uses(config)[Path(path)].add(FileUse(*fields))


def _is_worker(config: pytest.Config) -> bool:
    """Whether other workers of pytest-xdist run tests of this session, too."""
    return hasattr(config, "workerinput")


def _read_marker(item: pytest.Item) -> tuple[dict[str, Any], object]:
    """The options of a test's marker, and the path that it names, if any."""
    marker = item.get_closest_marker(PROPERTY)
    options = dict(marker.kwargs) if marker is not None else {}
    return options, marker.args[0] if marker is not None and marker.args else options.pop("path", None)


def wanted_by(request: pytest.FixtureRequest, api: ClientApi) -> Wanted:
    """Read the marker, the options and `vcr_config`. Raises UsageFault for wrong values."""
    test = request.node.nodeid
    options, named = _read_marker(request.node)
    if mistakes := list(find_wrong_options("interactions_cassette", options, MarkerOptions)):
        raise UsageFault("; ".join(mistakes))
    try:
        config = request.getfixturevalue("vcr_config")
    except pytest.FixtureLookupError:
        config = {}
    chosen = request.config.getoption("--record-mode", None)
    mode = options.pop("record_mode", None) or chosen or config.get("record_mode") or "none"
    if mode not in RECORD_MODES:
        raise UsageFault(f"record_mode={mode!r} is not one of {', '.join(RECORD_MODES)}")
    folder = _own_folder(request.node)
    with suppress(pytest.FixtureLookupError):  # pytest-recording's, which a user may override
        folder = Path(request.getfixturevalue("vcr_cassette_dir"))
    path, is_own = _choose_path(request.node, named, Path(str(config.get("cassette_library_dir") or folder)))
    use = find_uses(request.config)[path.resolve()]
    others = [other for other in dict.fromkeys([*use.collected, *use.used]) if other != test]
    if others and named is None and mode in _RECORDING:
        raise UsageFault(
            f"{path} would be the recording of {others[0]}, too: name another file for one of them with "
            "@pytest.mark.interactions_cassette(path=...), or the same one for both, to share it"
        )
    if mode == "once" and use.is_made:
        mode = "new_episodes"  # the file is of this session: `once` records all tests that share it
    elif mode in _RECORDING and not path.exists():
        use.is_made = True
    in_use = frozenset().union(*(found for other, found in use.used.items() if other != test))
    replaceable = use.before.union(use.used.get(test, ())) if others and _is_worker(request.config) else None

    def is_in_use(fingerprint: bytes) -> bool:
        # Another worker does not say what its tests recorded: that is all that was not there before.
        return fingerprint in in_use or (replaceable is not None and fingerprint not in replaceable)

    protocol = with_own_words(api.load_protocol(), request.config.rootpath)
    given = [options.pop(name, ()) for name in ("hide", "hide_pattern", "ignore")]
    words = [[one] if isinstance(one, str) else list(one) for one in given]
    protocol = add_words(protocol, f"{test}: interactions_cassette", *words)
    protocol = protocol.hiding(_names(config.get("filter_post_data_parameters")))
    return Wanted(
        api=structs.replace(api, load_protocol=lambda: protocol),
        path=path,
        is_shared=bool(others) or not is_own,
        is_in_use=is_in_use,
        wait=_TURN_SECONDS if _is_worker(request.config) else 0.0,
        record_mode=str(mode),
        mode=options.pop("mode", "resume"),
        upstream=options.pop("upstream", None) or os.environ.get("INTERACTIONS_RECORD_URL") or LIVE,
        allow_unused=bool(options.pop("allow_unused", False)),
        dropped_headers=_names(config.get("filter_headers")),
        dropped_parameters=_names(config.get("filter_query_parameters")),
        edit_request=config.get("before_record_request"),
        edit_response=config.get("before_record_response"),
        max_age=request.config.getoption("--interactions-max-age"),
    )


def open_cassette(wanted: Wanted) -> AbstractContextManager[CassetteFixture]:
    """Open a cassette, to play it or to record into it."""
    records = wanted.record_mode in _RECORDING and not (wanted.record_mode == "once" and wanted.path.exists())
    return _recording(wanted) if records else _playing(wanted)


# Playing


@contextmanager
def _playing(wanted: Wanted) -> Iterator[CassetteFixture]:
    if not wanted.path.is_file():
        raise UsageFault(
            f"there is no recording at {wanted.path}: run once with --record-mode=once (pytest-recording) or "
            "@pytest.mark.interactions_cassette(record_mode='once'), and a key in GEMINI_API_KEY"
            f"{mention_part(wanted.path)}"
        )
    cassette = load(wanted.path)
    player = Player(cassette.recordings, wanted.api.load_protocol(), mode=wanted.mode)

    def play(request: Request) -> Response:
        edited = edit_request(request, stand_in_url(request), wanted.edit_request) if wanted.edit_request else None
        return player(edited or request)

    fixture = CassetteFixture(wanted, play, misses=player.misses)
    fixture.count_played = lambda: (len(player.recordings) - len(player.unused()), len(player.recordings))
    yield fixture
    fixture.recordings = cassette.recordings
    unused = {number for number, _ in player.unused()}
    # As the file has them, and not decoded. Those that it did not play are left to the end of the session.
    fixture.used = {one.fingerprint() for n, one in enumerate(cassette.recordings) if n not in unused}
    for number, address in player.elsewhere():
        fixture.remarks.append(
            f"{wanted.path.name}: recording {number + 1} names another address ({address}): what is sent there is "
            "not replayed"
        )
    recorded = cassette.provenance.recorded if cassette.provenance is not None else ""
    if wanted.max_age is not None and recorded:
        age = (datetime.datetime.now(datetime.UTC).date() - datetime.date.fromisoformat(recorded)).days
        if age > wanted.max_age:
            allowed = f"--interactions-max-age {wanted.max_age:g}"
            fixture.remarks.append(f"{wanted.path.name}: recorded {recorded}, {age} days ago ({allowed})")


# Recording


@contextmanager
def _recording(wanted: Wanted) -> Iterator[CassetteFixture]:
    from harness.benches.record.provenance import provenance_of  # imports a driver, which only recording needs

    path = wanted.path
    provenance = provenance_of(wanted.upstream, wanted.api, recorder=RECORDER)
    make_folder(path.parent)
    # In a shared file, other tests may need what this one does not record again: `all` leaves that.
    mode = "all" if wanted.record_mode == "rewrite" and wanted.is_shared else wanted.record_mode
    own, is_readable = own_key(), is_readable_on_the_way(wanted.upstream)
    key = (None if is_readable else own) or (None if provenance.target is Target.LIVE else PLACEHOLDER_KEY)
    secrets = [key for key in wanted.api.keys_in(os.environ).values() if key != PLACEHOLDER_KEY]
    protocol = wanted.api.load_protocol()
    with CassetteFile(
        path,
        protocol,
        mode=mode,
        provenance=provenance,
        secrets=secrets,
        is_own=wanted.is_in_use,
        wait=wanted.wait,
    ) as file:
        replaces = wanted.record_mode in ("all", "rewrite") and path.exists()
        service = RecordingService(file, wanted, key)
        fixture = CassetteFixture(wanted, service, waits=True)
        fixture.origin = provenance.as_metadata()
        fixture.outside = (read_host(wanted.upstream),)
        if is_readable and own:
            fixture.remarks.append(
                f"{path.name}: {wanted.api.key_variable} is not sent to {wanted.upstream}, because others "
                "could read it: use https, or give your client a key"
            )
        try:
            yield fixture
        finally:
            service.close()
            why = ""
            if replaces and service.unwritten:
                why = "some calls were not written"
            elif fixture.passed is None:
                why = "the test did not end"
            elif not fixture.passed and service.rejected:
                status, method, target = next(iter(service.rejected.values()))
                why = f"the test failed after {method} {target} was rejected with {status}"
            elif replaces and wanted.record_mode == "rewrite":  # `all` takes those of a failed test, too
                if not fixture.passed:
                    why = "the test failed"
                elif service.unreached:
                    why = "some requests did not reach the service"
                elif not service.kept:
                    why = "nothing was recorded"
            if why:
                file.discard()
                fixture.is_discarded = True
                again, stays = (" again", "; the older recording is kept") if path.exists() else ("", "")
                fixture.remarks.append(f"{path.name}: not recorded{again}, because {why}{stays}")
    fixture.used = file.used
    fixture.remarks += file.remarks
    if file.interrupted is not None:
        fixture.remarks.append(f"{path.name}: what a killed run recorded is in {file.interrupted}")


# Names and places


def _own_folder(item: pytest.Item) -> Path:
    return item.path.parent / _FOLDER / item.path.stem


def _choose_path(item: pytest.Item, named: object, folder: Path) -> tuple[Path, bool]:
    """The cassette of a test, and whether its name belongs to this test alone."""
    if named is None:
        end = f"{SUFFIX}.yaml" if is_marked(item) else ".yaml"
        return folder / f"{name_apart(item)}{end}", folder == _own_folder(item)
    path = Path(str(named))
    inside = not path.is_absolute() and path.parent == Path()
    if path.suffix not in SUFFIXES:
        path = path.with_name(f"{path.name}.yaml")  # `gemini-3.5` has a dot but no suffix
    chosen = (folder if inside else item.path.parent) / path
    if chosen == folder / f"{cassette_name(item)}.yaml" and is_marked(item):
        raise UsageFault(
            f"{chosen}: the test is marked `vcr` too, and vcrpy writes to that file: name another one, or leave "
            f"`vcr` out if nothing but the Interactions API is recorded"
        )
    return chosen, False


def _names(value: object) -> frozenset[str]:
    items = value if isinstance(value, list | tuple) else ()
    return frozenset(str(item[0] if isinstance(item, list | tuple) else item).lower() for item in items)


# Record a service while it answers: each piece is forwarded at once, and the record is kept before the last one.


_UNREACHED = (How.REFUSED, How.TLS)
"""Endings not recorded: the service was not reached, and a replay would hide that nothing was recorded."""
_HOP = ("host", "connection", "content-length", "transfer-encoding", "accept-encoding")


class RecordingService:
    """A `Service` that answers from the file if it can, and otherwise asks the upstream server and records.

    `key` replaces the placeholder that ready-made clients send; without a key, their requests are refused. The
    headers and query parameters that are `wanted` out of files are sent but not written.
    """

    def __init__(self, file: CassetteFile, wanted: Wanted, key: str | None) -> None:
        self._api = wanted.api
        self.protocol = self._api.load_protocol()
        parts = urlsplit(wanted.upstream)
        self._file = file
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._prefix = parts.path.rstrip("/")
        self._upstream = UpstreamServer(self._origin)
        self._key = key
        self._headers = wanted.dropped_headers
        self._parameters = wanted.dropped_parameters
        self._edit_request, self._edit_response = wanted.edit_request, wanted.edit_response
        self.kept = 0
        """How many exchanges were recorded."""
        self.unreached = 0
        """How many requests did not reach the server, so that the record lacks them."""
        self.rejected: dict[tuple[str, str, bytes], tuple[int, str, str]] = {}
        """The requests that got 429 or 5xx at last, with the status: it says nothing of the code under test."""
        self.unwritten: list[str] = []
        """Why calls that reached it are not in the record."""
        self.open: set[_Kept] = set()
        self._is_over = False

    def close(self) -> None:
        """Record what the code under test left open, as far as it was read: later the file takes nothing."""
        for body in tuple(self.open):
            if body.reading.acquire(timeout=1.0):  # in less, a server notices that its client has left
                with suppress(CassetteError):  # `unwritten` has it
                    body.close()
                body.reading.release()
            else:
                self.unwritten.append("a response was still being read when the test had ended")
        self._is_over = True

    def __call__(self, request: Request) -> Response:
        """Answer a request, forwarding each piece as it arrives."""
        asked = request
        headers = request.headers.without(*_HOP)
        if self._key is not None and headers.get(self._api.key_header) == PLACEHOLDER_KEY:
            headers = headers.having(self._api.key_header, self._key)
        request = Request(request.method, request.target, headers, request.body)
        written: Request | None = self._without_filtered(request)
        if written is not None and self._edit_request is not None:
            written = edit_request(written, self._origin, self._edit_request)
        known = self._file.play(written or request)
        if known is not None:
            return answer_from(known, asked)
        if not self._file.may_record:
            return self._miss(f"not recorded: {request.method} {request.raw_path}")
        if self._key is None and request.headers.get(self._api.key_header) == PLACEHOLDER_KEY:
            return self._miss(f"there is no key to record with: set {self._api.key_variable}")
        target = request.below(self._prefix)
        response = self._upstream(Request(request.method, target, request.headers, request.body))
        response.headers = readdress(response.headers, self._origin + self._prefix, self._origin)
        # The values that `vcr_config` keeps out of files; the service may repeat them in its answer.
        held = [secrets_in_header(n, v) for n, v in request.headers if n.lower() in self._headers]
        left_out = [*chain.from_iterable(held), *(v for n, v in request.query if n.lower() in self._parameters)]
        if written is not None:
            response.body = _Kept(response, written, self, left_out)
        fields = readdress(response.headers, self._origin, stand_in_url(asked))
        return Response(response.status, fields, response.framing, response.body, response.reason)

    def keep(self, secrets: Sequence[str], exchange: Exchange) -> None:
        """Write an exchange that is over; of one that ends after the test, nothing."""
        if exchange.ending.how in _UNREACHED:
            self.unreached += 1
        elif not self._is_over:
            asked, status = exchange.request, exchange.status or 0
            self.rejected.pop(key := (asked.method, asked.target, asked.body), None)
            if status == 429 or status >= 500:
                self.rejected[key] = status, asked.method, asked.raw_path
            try:
                recording: Recording | None = Recording.of(exchange, origin=self._origin)
                if recording is not None and self._edit_response is not None:
                    recording = edit_response(recording, self._edit_response)
                if recording is None:
                    return
                self._file.add(recording, secrets=secrets)
                self.kept += 1
            except CassetteError as wrong:  # the client gets a reset, and may hide it
                self.unwritten.append(str(wrong))
                raise

    def _without_filtered(self, request: Request) -> Request:
        """The request without what `vcr_config` keeps out of files; secrets are redacted separately."""
        headers = Headers((n, v) for n, v in request.headers if n.lower() not in self._headers)
        path, mark, query = request.target.partition("?")
        if mark and self._parameters:
            pairs = parse_qsl(query, keep_blank_values=True)
            query = urlencode([pair for pair in pairs if pair[0].lower() not in self._parameters])
        return Request(request.method, f"{path}?{query}" if query else path, headers, request.body)

    def _miss(self, reason: str) -> Response:
        return self.protocol.refuse(MISS_STATUS, MISS_CODE, reason)


class _Kept(WrappedBody):
    """A body that is recorded while it is read.

    If the client leaves after its interaction has completed, the rest of the body is read for the record.
    """

    def __init__(
        self, response: Response, request: Request, service: RecordingService, secrets: Sequence[str]
    ) -> None:
        super().__init__(response.body)
        self._service, self._secrets = service, secrets
        service.open.add(self)
        self._began = time.monotonic()
        self._is_stream = response.headers.media_type() == EVENT_STREAM
        self._response = response
        self._recorder = ExchangeBuilder(request, most=RECORDED_BYTES)
        self._over = False
        self.reading, self._ending = RLock(), Lock()  # the server may read on one thread, and close on another

    def __next__(self) -> Piece:
        with self.reading:
            piece = next(self._inner)
            if isinstance(piece, Ending):
                self._finish(piece)
            elif isinstance(piece, Chunk):
                self._head()
                self._recorder.chunk(piece, time.monotonic() - self._began)
            return piece

    def close(self) -> None:
        if not self._over and (
            not self._is_stream
            or any(map(self._service.protocol.completes, events_in(self._recorder.span(0, self._recorder.size))))
        ):
            for _ in self:
                pass
        self._inner.close()
        self._finish(Ending(By.CLIENT, How.FIN))

    def _head(self) -> None:
        if self._recorder.status is None:
            headers, framing = self._response.headers, self._response.framing
            # The fields that the framing implies are for other tools that read the file.
            if isinstance(framing, Length) and "content-length" not in headers:
                headers = Headers([*headers, ("content-length", str(framing.size))])
            if isinstance(framing, Chunked) and "transfer-encoding" not in headers:
                headers = Headers([*headers, ("transfer-encoding", "chunked")])
            self._recorder.head(self._response.status, headers, framing, self._response.reason)

    def _finish(self, ending: Ending) -> None:
        with self._ending:
            if self._over:
                return
            self._over = True
            if not ending.headless:
                self._head()
            try:
                self._service.keep(self._secrets, self._recorder.finish(ending, time.monotonic() - self._began))
            finally:
                self._service.open.discard(self)
