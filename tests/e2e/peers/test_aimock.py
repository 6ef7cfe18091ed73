"""aimock: the defects of its Interactions API that a client can see are found by name.

D9 … D11 number the known defects of version 1.43.0; those of its recorder are no client's to see.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from tests.e2e.peers import installing
from tests.e2e.peers.judging import Judged, judge

pytestmark = [pytest.mark.e2e, pytest.mark.peers]

FIXTURES = {"fixtures": [{"match": {"userMessage": "."}, "response": {"content": "a 19 byte prefix:  😀😀😀😀"}}]}
FOUND = [
    ("D9", "create.no-stream-json", "a create without `stream` is answered with a stream"),
    ("route", "get.ok", "a stored interaction cannot be read"),
    ("route", "del.ok", "nor deleted"),
    ("background", "bg.result", "a background run cannot be polled"),
    ("chaining", "chain.unknown", "a made-up previous_interaction_id is taken"),
    ("validation", "create.model-xor-agent", "neither model nor agent is fine"),
    ("validation", "err.wrong-type", "wrong types are fine"),
    ("errors", "err.shape", "errors have another shape"),
    ("D10", "stream.surrogates", "an emoji is torn into two lone surrogates"),
    ("D11", "create.times", "created and updated are missing"),
]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    """One run of the catalogue against aimock, which is told that it promises everything."""
    folder = tmp_path_factory.mktemp("aimock")
    node, script = installing.aimock()
    fixtures = folder / "fixtures.json"
    fixtures.write_text(json.dumps(FIXTURES))
    port = installing.free_port()
    command = [node, str(script), "-p", str(port), "-f", str(fixtures), "--log-level", "warn"]
    claims = [part for name in ("store", "stream", "background") for part in ("--capability", f"+{name}")]
    with installing.running(command, port, log=folder / "log", environment=os.environ) as url:
        yield judge(url, "--api-key", "any", *claims)


@pytest.mark.parametrize(("defect", "check", "what"), FOUND, ids=[f"{d}-{c}" for d, c, _ in FOUND])
def test_known_defects_are_found_by_name(judged: Judged, defect: str, check: str, what: str) -> None:
    """Each known defect makes its check fail or warn."""
    assert check in judged.noticed(), f"{defect} ({what}): {check} says {judged.verdict(check)}"
