"""The recording of one test: replayed from `cassettes/<module>/<test>.yaml`, or recorded there live.

Uses the paths and conventions of pytest-recording (record modes, `vcr_config`), but none of vcrpy's patches:
clients reach us by transport or by URL. A request that was not recorded fails the test at its end, even if the
code under test swallows the error.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from harness.cassette import CassetteFile, Player, Recording, Target, load
from harness.cassette.layout import mention_part
from harness.files import make_folder
from harness.kit.api import ClientApi
from harness.outcome import UsageFault
from harness.outcome.words import format_count
from harness.plugin.after_test import CALL_PASSED, check_services
from harness.plugin.cassette_files import (
    PROPERTY,
    RECORDER,
    RECORDING_MODES,
    Wanted,
    describe_unused,
    find_uses,
    wanted_by,
)
from harness.plugin.environment_variables import PLACEHOLDER_KEY, own_key
from harness.plugin.observed_service import ObservedService
from harness.plugin.vcr_compat import edit_request
from harness.wire import LogicalClock, Request, Response, Service
from harness.wire.addresses import is_readable_on_the_way, read_host, stand_in_url

HOW_TO_RECORD = (
    "To record what is missing, run this test once with a key in GEMINI_API_KEY and "
    "@pytest.mark.interactions_cassette(record_mode='new_episodes'), or with pytest-recording "
    "--record-mode=new_episodes; record_mode='rewrite' records all of it again, which a chain, a tool loop or a "
    "poll needs: the service does not know the ids of the recording."
)


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
        self.unwritten: Sequence[str] = ()
        """Why calls are not in the record, as they come."""
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
        self.made: set[bytes] = set()
        """Those that it recorded."""
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
        if self.unwritten:
            yield f"{self.path} has not all calls: {self.unwritten[0]}"
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


@contextmanager
def cassette_of(request: pytest.FixtureRequest, api: ClientApi) -> Iterator[CassetteFixture]:
    """The cassette of a test. Fails the test for requests that were not recorded; adds remarks to its report."""
    wanted = wanted_by(request, api)
    with open_cassette(wanted) as cassette:
        yield cassette
        cassette.passed = request.node.stash.get(CALL_PASSED, None)
    use = find_uses(request.config)[wanted.path.resolve()]
    use.used[request.node.nodeid], use.made[request.node.nodeid] = cassette.used, cassette.made
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


def open_cassette(wanted: Wanted) -> AbstractContextManager[CassetteFixture]:
    """Open a cassette, to play it or to record into it."""
    records = wanted.record_mode in RECORDING_MODES and not (wanted.record_mode == "once" and wanted.path.exists())
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
    from harness.benches.record.provenance import provenance_of  # both import a driver, which no replay needs
    from harness.plugin.recording_service import RecordingService

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
        is_new=wanted.is_new,
        wait=wanted.wait,
    ) as file:
        replaces = wanted.record_mode in ("all", "rewrite") and path.exists()
        service = RecordingService(file, wanted, key)
        fixture = CassetteFixture(wanted, service, waits=True)
        fixture.unwritten = service.unwritten
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
                elif not (service.kept or file.used):
                    why = "nothing was recorded"
            if why:
                file.discard()
                fixture.is_discarded = True
                again, stays = (" again", "; the older recording is kept") if path.exists() else ("", "")
                fixture.remarks.append(f"{path.name}: not recorded{again}, because {why}{stays}")
    fixture.used, fixture.made = file.used | file.made, file.made
    fixture.remarks += file.remarks
    if file.interrupted is not None:
        fixture.remarks.append(f"{path.name}: what a killed run recorded is in {file.interrupted}")
