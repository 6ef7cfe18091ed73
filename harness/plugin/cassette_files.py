"""The cassettes of a session: what each test wants, which file that is, who shares it, and what none used.

A file belongs to one test, unless the marker or a fixture names it. Of one that is shared, no single test knows
what is left over: the end of the session does, in the controller of pytest-xdist if there are workers. Knows names
and fingerprints; `cassette_fixture` opens the files.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypedDict

import pytest
from msgspec import structs

from harness.cassette import Recording, load
from harness.cassette.layout import SUFFIXES
from harness.cassette.own_words import add_words, with_own_words
from harness.cassette.writer import MODES, drop_unused
from harness.errors import CassetteError
from harness.files import open_file
from harness.kit.api import ClientApi
from harness.outcome import UsageFault
from harness.outcome.words import list_some
from harness.plugin.environment_variables import LIVE_HOST
from harness.plugin.names import find_wrong_options
from harness.plugin.vcr_compat import SUFFIX, cassette_name, is_marked, name_apart

PROPERTY = "interactions_cassette"
"""The name of the marker, and of a remark on a cassette in a report's user_properties."""

RECORDER = "harness.pytest_plugin"
"""Stands in the metadata of what this plugin recorded: no other file is named as left over."""

RECORDING_MODES = frozenset(MODES) - {"none"}
LIVE = f"https://{LIVE_HOST}"
_TURN_SECONDS = 120.0
"""How long a test waits while another worker of pytest-xdist records into the same file: a test or two, live."""

USES: pytest.StashKey[defaultdict[Path, FileUse]] = pytest.StashKey()
"""How the tests of this session use each cassette."""
_FOLDER = "cassettes"
_ASIDE = re.compile(r"\.(part|before-\d+|interrupted-\d+)$")
"""The end of the name of a copy, or of what a killed run recorded."""


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
    is_new: Callable[[bytes], bool] = lambda fingerprint: False
    """Whether another test of this session recorded it."""
    wait: float = 0.0
    """The seconds to wait while another worker of pytest-xdist records into the file."""


def wanted_by(request: pytest.FixtureRequest, api: ClientApi) -> Wanted:
    """Read the marker, the options and `vcr_config`. Raises UsageFault for wrong values."""
    test = request.node.nodeid
    options, named = _read_marker(request.node)
    if mistakes := list(find_wrong_options(PROPERTY, options, MarkerOptions)):
        raise UsageFault("; ".join(mistakes))
    try:
        config = request.getfixturevalue("vcr_config")
    except pytest.FixtureLookupError:
        config = {}
    chosen = request.config.getoption("--record-mode", None)
    mode = options.pop("record_mode", None) or chosen or config.get("record_mode") or "none"
    if mode not in MODES:
        raise UsageFault(f"record_mode={mode!r} is not one of {', '.join(MODES)}")
    folder = _own_folder(request.node)
    with suppress(pytest.FixtureLookupError):  # pytest-recording's, which a user may override
        folder = Path(request.getfixturevalue("vcr_cassette_dir"))
    path, is_own = choose_path(request.node, named, Path(str(config.get("cassette_library_dir") or folder)))
    use = find_uses(request.config)[path.resolve()]
    others = [other for other in dict.fromkeys([*use.collected, *use.used]) if other != test]
    if others and named is None and mode in RECORDING_MODES:
        raise UsageFault(
            f"{path} would be the recording of {others[0]}, too: name another file for one of them with "
            "@pytest.mark.interactions_cassette(path=...), or the same one for both, to share it"
        )
    if mode == "once" and use.is_made:
        mode = "new_episodes"  # the file is of this session: `once` records all tests that share it
    elif mode in RECORDING_MODES and not path.exists():
        use.is_made = True
    in_use, made = (
        frozenset().union(*(of_test for other, of_test in found.items() if other != test))
        for found in (use.used, use.made)
    )
    replaceable = None
    if others and _is_worker(request.config):
        replaceable = use.made.get(test, set()).union(use.before or ())

    def has_come(fingerprint: bytes) -> bool:
        # Another worker does not say what its tests recorded: that is all that was not there before.
        return replaceable is not None and fingerprint not in replaceable

    marked, variable = options.pop("upstream", None), "INTERACTIONS_RECORD_URL"
    if upstream := marked or os.environ.get(variable):
        from harness.transport.client.origin import upstream_origin

        upstream_origin(upstream, f"{test}: interactions_cassette: upstream" if marked else variable)
    protocol = with_own_words(api.load_protocol(), request.config.rootpath)
    given = [options.pop(name, ()) for name in ("hide", "hide_pattern", "ignore")]
    words = [[one] if isinstance(one, str) else list(one) for one in given]
    protocol = add_words(protocol, f"{test}: {PROPERTY}", *words)
    protocol = protocol.hiding(_names(config.get("filter_post_data_parameters")))
    return Wanted(
        api=structs.replace(api, load_protocol=lambda: protocol),
        path=path,
        is_shared=bool(others) or not is_own,
        is_in_use=lambda fingerprint: fingerprint in in_use or has_come(fingerprint),
        is_new=lambda fingerprint: fingerprint in made or (use.before is not None and has_come(fingerprint)),
        wait=_TURN_SECONDS if _is_worker(request.config) else 0.0,
        record_mode=str(mode),
        mode=options.pop("mode", "resume"),
        upstream=upstream or LIVE,
        allow_unused=bool(options.pop("allow_unused", False)),
        dropped_headers=_names(config.get("filter_headers")),
        dropped_parameters=_names(config.get("filter_query_parameters")),
        edit_request=config.get("before_record_request"),
        edit_response=config.get("before_record_response"),
        max_age=request.config.getoption("--interactions-max-age"),
    )


def _names(value: object) -> frozenset[str]:
    items = value if isinstance(value, list | tuple) else ()
    return frozenset(str(item[0] if isinstance(item, list | tuple) else item).lower() for item in items)


def _read_marker(item: pytest.Item) -> tuple[dict[str, Any], object]:
    """The options of a test's marker, and the path that it names, if any."""
    marker = item.get_closest_marker(PROPERTY)
    options = dict(marker.kwargs) if marker is not None else {}
    return options, marker.args[0] if marker is not None and marker.args else options.pop("path", None)


def _own_folder(item: pytest.Item) -> Path:
    return item.path.parent / _FOLDER / item.path.stem


def choose_path(item: pytest.Item, named: object, folder: Path) -> tuple[Path, bool]:
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


# Who shares a file, and what is left over


@dataclass(slots=True)
class FileUse:
    """How the tests of one session use one cassette; tests are known by their ids."""

    collected: Sequence[str] = ()
    """Those that were collected, before any was deselected."""
    is_whole: bool = False
    """Whether no other test is likely to use it, because all that are near it were collected."""
    is_made: bool = False
    """Whether it was not there when the tests were collected: the session makes it, or another worker of xdist."""
    before: frozenset[bytes] | None = None
    """In a worker of xdist, the fingerprints of the recordings in it when tests that share it were collected."""
    used: dict[str, set[bytes]] = field(default_factory=dict)
    """By test, the fingerprints of the recordings that it recorded or replayed."""
    made: dict[str, set[bytes]] = field(default_factory=dict)
    """By test, those that it recorded."""
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
            users[choose_path(item, named, _own_folder(item))[0].resolve()][item.nodeid] = mode in RECORDING_MODES
    for item in filter(is_marked, session.items):
        find_uses(config)[(_own_folder(item) / f"{cassette_name(item)}.yaml").resolve()].collected = [item.nodeid]
    near = [(session.startpath / word).resolve() for word in config.args if "::" not in word]
    folders = [place if place.is_dir() else place.parent / _FOLDER / place.stem for place in near]
    is_all = not (session.testsfailed or config.getoption("lf", False))  # else more tests exist
    for path, tests in users.items():
        use = find_uses(config)[path]
        use.collected, use.is_made = list(tests), not path.exists()
        use.is_whole = is_all and any(map(path.is_relative_to, folders))
        if _is_worker(config) and len(tests) > 1:  # `vcr_config`, unknown yet, may have a mode that records
            with suppress(CassetteError):  # the test itself reports it
                before = [] if use.is_made else load(path).recordings
                use.before = frozenset(one.fingerprint() for one in before)
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
            for file in (file for file in sorted(folder.glob("*.yaml")) if file.resolve() not in uses):
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
