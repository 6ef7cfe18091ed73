"""LiteLLM's proxy in front of our emulator: the checks find the defects that a client can see.

The upstream is the emulator, in which the same catalogue finds nothing, so every finding here is caused by the
proxy. The ids L1 … L12 number the known defects of version 1.106.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from harness.emulator import Emulator
from harness.emulator.values.settings import Settings
from harness.transport import ServerThread
from tests.e2e.peers import installing
from tests.e2e.peers.judging import LITELLM_OPTIONS, Judged, judge
from tests.e2e.peers.known import LITELLM, Known, curl

pytestmark = [pytest.mark.e2e, pytest.mark.peers]

UPSTREAM = Settings(ticks=12)
"""Makes background runs long enough to act on them through a gateway."""


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
    """curl alone shows the same defect that the check reports."""
    _, printed = curl(proxy, installing.KEY, known.steps)
    assert re.search(known.shows, printed, re.MULTILINE), printed


def test_the_upstream_alone_is_clean() -> None:
    """The emulator alone has none of the defects that the gateway is blamed for."""
    with (
        ServerThread(Emulator(Settings(ticks=12, keys={installing.KEY: "one"}))) as server,
        pytest.raises(AssertionError) as said,
    ):
        judge(server.url, "--api-key", installing.KEY)
    assert "exit code 0" in str(said.value)
