"""`harness check` against a server that shares no code with it: what is blocked, not offered or not tested."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.interactions.servers import SERVERS
from harness.outcome import Level
from tests.cli.conftest import Harness
from tests.foreign.rows import vary, without
from tests.foreign.server import ForeignService, Keyed, serving

pytestmark = pytest.mark.slow

MUSTS = sum(check.rule.level is Level.MUST for check in SERVERS.load_catalogue())
IgnoresStream = vary(ForeignService, create=lambda self, usual, body: usual(without(body, "stream")))


def judged(harness: Harness, *words: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    """The exit code of a run on a server that ignores `stream`, its report, and the outcome of each check."""
    with serving(IgnoresStream()) as url:
        done = harness("check", url, "--json", *words)
    report = json.loads(done.out)
    return done.code, report, {check["id"]: check.get("reason", check["outcome"]) for check in report["checks"]}


def test_what_is_accepted_and_not_done_is_told_once(harness: Harness) -> None:
    """A 2xx that does something else is one failure, also for who selects only what is blocked by it."""
    code, report, outcomes = judged(harness, "-c", "stream.done,stream.first")
    assert (code, [name for name, outcome in outcomes.items() if outcome in ("failed", "warned")]) == (
        1, ["stream.opens"]
    )  # fmt: skip
    assert [item["code"] for item in report["accounting"]["accepted_not_fulfilled"]] == ["stream.opens"]
    [first] = [check for check in report["checks"] if check["id"] == "stream.first"]
    assert (first["outcome"], first["reason"], first["cause"]) == ("not_tested", "blocked", "stream.opens")


def test_whoever_leaves_out_the_root_is_told_that_nothing_was_judged(harness: Harness) -> None:
    """If the root is excluded by name, what it blocks is untested, and no green sentence says otherwise."""
    _, report, outcomes = judged(harness, "-c", "stream.first,create.ok", "--exclude", "stream.opens")
    assert outcomes["stream.first"] == "feature_not_observed"
    assert [must["id"] for must in report["accounting"]["musts_not_tested"]] == ["stream.first"]


def test_strict_is_green_where_everything_that_is_offered_was_judged(harness: Harness) -> None:
    """--strict does not fail what the target refuses, but a MUST that nobody could look at."""
    with serving(ForeignService()) as url:
        done = harness("check", url, "--strict", "-c", "create.ok,auth.header")
        assert harness("check", url, "--capability", "+auth", "-c", "create.ok,auth.*").code == 1
    assert (done.code, done.out.splitlines()[-1]) == (
        0, f"PASSED: no MUST check failed; 1 of {MUSTS} passed, 1 not offered, {MUSTS - 2} excluded."
    )  # fmt: skip
    with serving(vary(ForeignService, handler=vary(Keyed, keys=(None, "k")))()) as url:
        done = harness("check", url, "--strict", "-v", "-c", "create.ok,auth.header")
    assert done.code == 1
    assert "1 MUST check was not tested (auth.header): no key was given" in done.out
    assert "help: test it with a key (--api-key, GEMINI_API_KEY)" in done.out
    last = f"FAILED: 1 of {MUSTS} MUST checks failed (1 not tested, --strict); 1 passed, {MUSTS - 2} excluded."
    assert done.out.splitlines()[-1] == last
