"""Sessions keep the workers on a scriptable target apart, and leave nothing behind."""

from __future__ import annotations

import pytest

from harness.engine.targets import TargetOptions, resolve_target
from harness.engine.workers import session_of
from harness.interactions import INTERACTIONS
from harness.outcome import TargetFault
from harness.transport import ServerThread
from tests.engine import toys


def test_two_sessions_share_nothing() -> None:
    """What one session stored is unknown in another, and gone once the sessions have ended."""
    from harness.emulator import Emulator

    emulator = Emulator()
    with ServerThread(emulator, clock=emulator.clock) as server:
        target = resolve_target(INTERACTIONS, server.url, TargetOptions(api_key="k"))
        with session_of(target) as one, session_of(target) as two:
            created = one.send(target.target.create(input="hi"))
            found = created.body.partition(b'"id":"')[2].partition(b'"')[0].decode()
            assert one.send(target.target.get(found)).status == 200
            assert two.send(target.target.get(found)).status == 404
        with session_of(target) as three:
            assert three.send(target.target.get(found)).status == 404


def test_a_target_without_sessions() -> None:
    """If a control API offers no sessions, the error suggests `-j 1`."""
    with pytest.raises(TargetFault, match="use -j 1"), session_of(toys.toy_target(toys.ToyService(announces=[]))):
        pytest.fail("there is no session to be in")
