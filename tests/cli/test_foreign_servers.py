"""`harness check` against servers that share no code with it: each defect is reported once.

Every server shares its code with the honest one, and nothing with the harness.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import pytest

from harness.interactions import INTERACTIONS
from harness.outcome import Level
from tests.cli import foreign_defects as foreign
from tests.cli.conftest import Harness
from tests.cli.foreign_server import Handler, Refused, Service, serve_foreign

pytestmark = pytest.mark.slow

MUSTS = sum(check.rule.level is Level.MUST for check in INTERACTIONS.load_catalogue())


class Seen(NamedTuple):
    """A run: its exit code, its JSON report, and the verdicts of all checks."""

    code: int
    report: dict[str, Any]
    verdicts: dict[str, str]

    @property
    def complaints(self) -> set[str]:
        """Everything that is held against the server."""
        return {
            check for check, verdict in self.verdicts.items() if verdict in ("failed", "warned", "harness_error")
        }


def judged(harness: Harness, service: Service, *words: str, handler: type[Handler] = Handler) -> Seen:
    """The run of the whole catalogue, or of what the words select."""
    with serve_foreign(service, handler) as url:
        done = harness("check", url, "--api-key", "k", "--json", "-j", "6", *words)
    report = json.loads(done.out)
    return Seen(
        done.code, report, {check["id"]: check.get("reason", check["outcome"]) for check in report["checks"]}
    )


DEFECTS = {
    "streams ignored": (foreign.IgnoresStream, "stream.opens", {"stream.first", "resume.opens"}),
    "background blocks": (foreign.Blocks, "bg.at-once", {"bg.create", "bg.settles", "resume.no-gap"}),
    "ids never found": (foreign.Forgets, "get.ok", {"get.schema", "del.ok", "chain.ok", "bg.result"}),
    "parents ignored": (foreign.IgnoresParents, "chain.takes-effect", {"chain.unknown", "chain.history"}),
    "cancels ignored": (foreign.DeafToCancel, "cancel.state", {"cancel.stays", "cancel.stream-ends"}),
    "deletes ignored": (foreign.KeepsTheDeleted, "del.gone", {"del.gone-stream", "del.chain-after"}),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_what_is_accepted_and_not_done_is_told_once(name: str, harness: Harness) -> None:
    """A 2xx that does something else is one failure, and what falls away because of it is blocked by its code."""
    service, root, blocked = DEFECTS[name]
    seen = judged(harness, service())
    assert (seen.code, seen.complaints) == (1, {root})
    accounting = seen.report["accounting"]
    assert [item["code"] for item in accounting["accepted_not_fulfilled"]] == [root]
    assert re.match(
        rf"FAILED: 1 of \d+ MUST checks failed \(1 cause: {re.escape(root)}\); ", accounting["verdict"]
    )
    for check in seen.report["checks"]:
        if check["id"] in blocked:
            assert (check["outcome"], check["reason"], check["cause"]) == ("not_tested", "blocked", root)
    assert blocked <= seen.verdicts.keys()


def test_a_store_that_was_not_wanted_is_a_failure(harness: Harness) -> None:
    """store=false that stores is told once, at the level of its rule."""
    seen = judged(harness, foreign.StoresAnyway(), "-c", "store.*")
    assert (seen.code, seen.complaints) == (1, {"store.false-get"})
    assert seen.verdicts["store.false-chain"] == "blocked"


class KnowsKeys(Handler):
    """Lets in whoever brings no key, but nobody who brings a wrong one."""

    def dispatch(self, data: bytes) -> Any:
        if self.headers.get("x-goog-api-key") not in (None, "k"):
            raise Refused(401, "authentication", "The key is wrong.")
        return super().dispatch(data)


def test_strict_is_green_where_everything_that_is_offered_was_judged(harness: Harness) -> None:
    """--strict does not fail what the target refuses, but a MUST that nobody could look at."""
    assert judged(harness, Service(), "--strict", "-c", "create.*,auth.*").code == 0
    with serve_foreign(Service()) as url:
        done = harness("check", url, "--strict", "-c", "create.ok,auth.header")
    assert (done.code, done.out.splitlines()[-1]) == (
        0, f"PASSED: no MUST check failed; 1 of {MUSTS} passed, 1 not offered, {MUSTS - 2} excluded."
    )  # fmt: skip
    with serve_foreign(Service()) as url:
        assert harness("check", url, "--capability", "+auth", "-c", "create.ok,auth.*").code == 1
    with serve_foreign(Service(), KnowsKeys) as url:
        done = harness("check", url, "--strict", "-c", "create.ok,auth.header")
    assert done.code == 1
    assert "1 MUST check was not tested (auth.header): no key was given" in done.out
    assert "help: test it with a key (--api-key, GEMINI_API_KEY)" in done.out
    last = f"FAILED: 1 of {MUSTS} MUST checks failed (1 not tested, --strict); 1 passed, {MUSTS - 2} excluded."
    assert done.out.splitlines()[-1] == last


def test_the_root_is_judged_even_if_it_was_not_asked_for(harness: Harness) -> None:
    """Whoever selects only what is blocked is shown the finding that blocks it."""
    seen = judged(harness, foreign.IgnoresStream(), "-c", "stream.done,stream.first")
    assert (seen.code, seen.complaints) == (1, {"stream.opens"})


def test_whoever_leaves_out_the_root_is_told_that_nothing_was_judged(harness: Harness) -> None:
    """If the root is excluded by name, what it blocks is untested, and no green sentence says otherwise."""
    seen = judged(harness, foreign.IgnoresStream(), "-c", "stream.first,create.ok", "--exclude", "stream.opens")
    assert seen.verdicts["stream.first"] == "feature_not_observed"
    assert [must["id"] for must in seen.report["accounting"]["musts_not_tested"]] == ["stream.first"]
