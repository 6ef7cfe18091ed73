"""LiteLLM's proxy in front of our emulator: the defects that a client can see are found by name.

The upstream is the emulator, so whatever a check notices here is the gateway's doing: the same catalogue finds
nothing on the upstream itself. The ids L1 … L12 number the known defects of version 1.106.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from harness.emulator import Emulator
from harness.emulator.settings import Settings
from harness.transport import ServerThread
from tests.e2e.peers import installing
from tests.e2e.peers.judging import LITELLM_OPTIONS, Judged, judge
from tests.e2e.peers.known import LITELLM, Known, curl

pytestmark = [pytest.mark.e2e, pytest.mark.peers]

UPSTREAM = Settings(ticks=12)
"""Background runs that last long enough to act on them through a gateway."""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a LiteLLM proxy in front of the emulator."""
    folder = tmp_path_factory.mktemp("litellm")
    with ServerThread(Emulator(UPSTREAM)) as server, installing.litellm(folder, server.url) as url:
        yield url


@pytest.fixture(scope="module")
def judged(proxy: str) -> Judged:
    """One run of the catalogue through the gateway."""
    return judge(proxy, *LITELLM_OPTIONS)


@pytest.mark.parametrize("known", LITELLM, ids=str)
def test_known_defects_are_found_by_name(judged: Judged, known: Known) -> None:
    """Each known defect makes its check fail or warn."""
    assert known.check in judged.noticed(), f"{known.what}: {known.check} says {judged.verdict(known.check)}"


@pytest.mark.parametrize("known", LITELLM, ids=str)
def test_curl_confirms(proxy: str, known: Known) -> None:
    """What the check says can be seen without us."""
    _, printed = curl(proxy, installing.KEY, known.steps)
    assert re.search(known.shows, printed, re.MULTILINE), printed


def test_the_upstream_alone_is_clean() -> None:
    """What the gateway is blamed for is not the emulator's doing."""
    with (
        ServerThread(Emulator(Settings(ticks=12, keys={installing.KEY: "one"}))) as server,
        pytest.raises(AssertionError) as said,
    ):
        judge(server.url, "--api-key", installing.KEY)
    assert "exit code 0" in str(said.value)
