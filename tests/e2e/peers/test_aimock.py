"""aimock: the checks that are expected to find the defects of its Interactions API do so.

D9 … D11 number the known defects of version 1.43.0 that a client can see; those of its recorder are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.e2e.peers import installing
from tests.e2e.peers.judging import AIMOCK_OPTIONS, Judged, judge
from tests.e2e.peers.known import AIMOCK, Known, curl

pytestmark = [pytest.mark.e2e, pytest.mark.peers]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a new aimock."""
    with installing.aimock(tmp_path_factory.mktemp("aimock")) as url:
        yield url


@pytest.fixture(scope="module")
def judged(url: str) -> Judged:
    """One run of the catalogue, with the capabilities declared that a recorder of this API must have."""
    return judge(url, *AIMOCK_OPTIONS)


@pytest.mark.parametrize("known", AIMOCK, ids=str)
def test_known_defects_are_found_by_name(judged: Judged, known: Known) -> None:
    """Each known defect makes its check fail or warn."""
    assert known.check in judged.noticed(), f"{known.what}: {known.check} says {judged.verdict(known.check)}"


@pytest.mark.parametrize("known", AIMOCK, ids=str)
def test_curl_confirms(url: str, known: Known) -> None:
    """curl alone shows the same defect that the check reports."""
    _, printed = curl(url, "any", known.steps)
    assert re.search(known.shows, printed, re.MULTILINE), printed
