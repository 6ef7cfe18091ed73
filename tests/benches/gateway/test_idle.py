"""A stream that stands still for a while: what is said of a gateway that does not wait, and with `--idle 0`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.benches.gateway import GatewayOptions, judge_gateway
from harness.checks.gateway import CATALOGUE
from harness.checks.gateway.mutants import MUTANTS, Gateway
from harness.engine.events import RunFinished
from harness.outcome import Accounted, Exit
from harness.wire import Body, Pause, Piece, PieceBody, Request
from tests.benches.gateway.inprocess import bench_through, judged, noticing


def test_the_finding_says_how_and_when_it_ended() -> None:
    """What came, how and when the stream ended is told, with the settings that would mend it."""
    (finding,) = judged(MUTANTS["idle.ended"].build)["gw.idle"].observation.findings
    assert finding.stable_code == "gw.idle/clean-end"
    assert finding.actual.startswith("5 events, then ")
    assert finding.actual.endswith(" after 0.0 s")
    assert "proxy_read_timeout" in finding.cure


class AsksAgain(Gateway):
    """Sends a create again when its stream stands still, and goes on with the answer to that."""

    def relay_stream(self, request: Request, body: Body) -> Body:
        return PieceBody(self._pieces(request, body), on_close=body.close)

    def _pieces(self, request: Request, body: Body) -> Iterator[Piece]:
        for piece in body:
            if isinstance(piece, Pause) and piece.seconds > 1:
                yield from self.upstream(request).body
                return
            yield piece


def test_a_create_that_is_sent_again_is_named() -> None:
    """A gateway that does not wait but asks again breaks this rule, though each of its creates got an answer."""
    results = judged(AsksAgain)
    assert noticing(results) == {"gw.idle"}
    assert "gw.idle/repeated" in {finding.stable_code for finding in results["gw.idle"].observation.findings}


@pytest.mark.slow
def test_without_it_nothing_is_said_of_the_rule() -> None:
    """With no seconds the rule was not asked for; the run says so, is green, and sends one create less."""
    counts = {}
    for idle in (11.0, 0.0):
        bench = bench_through(MUTANTS["idle.ended"].build if not idle else Gateway, idle=idle)
        *_, finished = judge_gateway(bench, CATALOGUE, GatewayOptions())
        assert isinstance(finished, RunFinished)
        assert finished.exit is Exit.OK
        counts[idle] = len(bench.upstream.calls)
    (left,) = [result for result in finished.results if result.id == "gw.idle"]
    assert (left.outcome, left.observation.reason) == (Accounted.EXCLUDED, "excluded by --idle 0")
    assert counts[11.0] == counts[0.0] + 1
