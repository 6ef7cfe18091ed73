"""Claims about probing: few requests, honest words, nothing left behind, and no judging of a dead target."""

from __future__ import annotations

import pytest

from harness.checks import CAPABILITIES, Target
from harness.outcome import TargetFault
from harness.runner.capabilities import Capabilities, How, parse_capabilities
from harness.runner.probe import MOST_REQUESTS, Prober, probe
from harness.transport import ServiceDriver
from harness.wire import At, Ending, Request, Response
from harness.wire import How as EndedHow
from tests.runner.toys import ToyService

ALL = frozenset(CAPABILITIES)


def probed(service: ToyService, *said: str, target: Target | None = None) -> tuple[Capabilities, int]:
    """Everything asked of a toy."""
    return probe(ServiceDriver(service), target or Target(), parse_capabilities(said), ALL)[:2]


def test_finds_what_the_toy_can_do() -> None:
    """What was seen decides: the toy stores, streams, thinks and runs in the background, and calls no function."""
    found, _ = probed(ToyService())
    present = {item.name for item in found if item.present}
    assert {"store", "stream", "thoughts", "background"} <= present
    assert not present & {"functions", "search", "script", "event-ids", "environments", "webhooks", "two-keys"}
    assert len(found) == len(CAPABILITIES)


def test_never_more_requests_than_promised() -> None:
    """All questions together stay within the bound, and the count is true."""
    service = ToyService()
    prober = Prober(ServiceDriver(service), Target(), (), ALL)
    prober.run()
    sent = [line for line in service.log if not line.startswith("DELETE")]
    assert prober.requests == len(sent) <= MOST_REQUESTS


def test_leaves_nothing_behind() -> None:
    """What a probe created is deleted."""
    service = ToyService()
    probed(service)
    assert service.stored == {}


def test_declared_capabilities_are_not_asked() -> None:
    """The user's word skips the question and stands."""
    service = ToyService()
    found, requests = probed(service, *(f"+{name}" for name in CAPABILITIES))
    assert requests == 2
    assert {item.how for item in found if item.name != "script"} == {How.DECLARED}


def test_announced_capabilities_are_taken() -> None:
    """A control API's list answers for the probes."""
    found, requests = probed(ToyService(announces=["stream", "continuation"]))
    assert requests == 2
    assert "continuation" in found
    assert "search" not in found
    assert (item := found.get("stream")) is not None
    assert item.how is How.ANNOUNCED


def test_a_second_key_is_a_declaration() -> None:
    """`two-keys` is present exactly when another key was given."""
    found, _ = probed(ToyService(), target=Target(other_key="k2"))
    assert "two-keys" in found


@pytest.mark.parametrize(("status", "word"), [(401, "unauthorised"), (403, "may not"), (429, "quota")])
def test_refused_altogether(status: int, word: str) -> None:
    """A target that refuses a plain create is not judged."""
    with pytest.raises(TargetFault, match=word):
        probed(ToyService(refuse=status))


def test_unreachable() -> None:
    """No answer at all is a fault that says how it failed, after one request."""

    def dead(request: Request) -> Response:
        return Response.dead(Ending(how=EndedHow.REFUSED, at=At.BEFORE_HEADERS, detail="nobody listens"))

    with pytest.raises(TargetFault, match="nobody listens"):
        probe(ServiceDriver(dead), Target(), (), ALL)


def test_a_web_page_has_no_capability() -> None:
    """200 with HTML is no interaction: nothing is present, and no more questions are asked."""
    found, requests = probed(ToyService(page=True))
    assert not [item for item in found if item.present]
    assert requests <= 2


def test_a_target_that_streams_unasked_is_asked_aloud() -> None:
    """Where a create without `stream` brings a stream, all other creates say false, and the probe goes on."""
    found, _, says_stream = probe(ServiceDriver(ToyService(unasked=True)), Target(), (), ALL)
    assert says_stream
    assert "store" in found
    assert not probe(ServiceDriver(ToyService()), Target(), (), ALL).says_stream
