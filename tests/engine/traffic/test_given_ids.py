"""The ids of a run: which are said to come again, and who used one that did."""

from __future__ import annotations

from typing import Any

import pytest

from harness.cli import main
from harness.engine.traffic.perform import GivenIds
from harness.interactions import INTERACTIONS
from harness.wire import Exchange
from tests.checks._play import answer, interaction
from tests.foreign.server import ForeignService
from tests.foreign.server import serving as serving_foreign


def made(identity: str, **sent: Any) -> Exchange:
    """A create that was answered with an id."""
    body = {"model": "m", "input": "hi", **sent}
    return answer(body=interaction(id=identity), method="POST", target="/v1beta/interactions", sent=body)


@pytest.mark.parametrize(
    ("again", "codes"),
    [
        (made("v1_one"), ["create.id-unique"]),
        (made("v1_two"), []),
        (made("v1_one", store=False), []),
        (made("v1_one", continuation_token="AAAA"), []),
        (answer(body=interaction(id="v1_one"), target="/v1beta/interactions/v1_one"), []),
    ],
    ids=["again", "another", "not stored", "goes on", "a look"],
)
def test_an_id_is_given_once(again: Exchange, codes: list[str]) -> None:
    given = GivenIds(INTERACTIONS)
    assert given.note(made("v1_one"), "a worker") is None
    found = given.note(again, "a worker")
    assert ([found.finding.stable_code] if found else []) == codes


def test_one_exchange_is_no_two_creates() -> None:
    """What was sent beside others is told of twice."""
    given, once = GivenIds(INTERACTIONS), made("v1_one")
    assert [given.note(once, "a worker"), given.note(once, "a worker")] == [None, None]


def test_what_a_target_forgot_while_it_was_gone_is_forgotten() -> None:
    """An outage is no defect, and a counter that begins again after one is none."""
    given = GivenIds(INTERACTIONS)
    given.note(made("v1_one"), "a worker")
    given.forget()
    assert given.note(made("v1_one"), "a worker") is None


def test_an_id_is_shared_with_others_and_with_what_is_at_work() -> None:
    """What the same worker is through with disturbs nobody; what another made, that one may delete."""
    given = GivenIds(INTERACTIONS)
    for worker in ("one", "two"):
        given.note(made("v1_one"), worker)
    given.note(made("v1_two"), "one")
    given.note(made("v1_two"), "one")
    late = 1e9
    assert given.list_shared(["v1_one", "v1_two"], "one", 0.0) == {"v1_one", "v1_two"}
    assert given.list_shared(["v1_one", "v1_two"], "one", late) == set()
    assert given.list_shared(["v1_one", "v1_two"], "three", late) == {"v1_one", "v1_two"}


@pytest.mark.slow
def test_workers_with_a_world_of_their_own_share_no_ids() -> None:
    """Each worker has its own emulator, or a session of one; a correct server gives each other ids."""
    assert main(["check", "emulator", "-j", "4", "-c", "create.*", "-c", "get.*"]) == 0
    with serving_foreign(ForeignService()) as url:
        assert main(["check", url, "-j", "4", "-c", "create.*", "-c", "get.*"]) == 0
