"""LiteLLM's proxy seen from both sides: the rules find defects that a client alone cannot see.

One run of `harness gateway`, which acts as the upstream, too. The ids L1 … L12 number the known defects of version
1.106.2.
"""

from __future__ import annotations

import re

import pytest

from tests.e2e.peers import installing
from tests.e2e.peers.judging import BothSides, judge_gateway
from tests.e2e.peers.known import LITELLM_GATEWAY, Seen
from tests.transport.peers import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.peers]

PASSED_ON = ("gw.status", "gw.body", "gw.events", "gw.utf8", "gw.isolated", "gw.live", "gw.hang-up")
"""Rules that LiteLLM's proxy keeps."""


@pytest.fixture(scope="module")
def both_sides(tmp_path_factory: pytest.TempPathFactory) -> BothSides:
    """One run of `harness gateway`."""
    port = free_port()
    with installing.litellm(tmp_path_factory.mktemp("litellm"), f"http://127.0.0.1:{port}") as url:
        return judge_gateway(url, port)


@pytest.mark.parametrize("seen", LITELLM_GATEWAY, ids=str)
def test_known_defects_are_found_by_name(both_sides: BothSides, seen: Seen) -> None:
    """For each known defect, its rule has the expected verdict, and the findings match the description."""
    assert both_sides.verdict(seen.rule) in seen.verdicts
    assert re.search(seen.says, both_sides.findings(seen.rule)), both_sides.findings(seen.rule)


@pytest.mark.parametrize("rule", PASSED_ON)
def test_what_it_passes_on(both_sides: BothSides, rule: str) -> None:
    """The rules that the proxy keeps have no findings."""
    assert both_sides.verdict(rule) == "pass", both_sides.findings(rule)
