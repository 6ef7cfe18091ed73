"""A gateway process that a run starts: it ends with the run, together with all its child processes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.benches.gateway.run import run_command
from harness.outcome import Outcome, Verdict
from lab.gateways.mutant import GatewayBuild, change_answer, change_create, change_events
from tests.benches.gateway.inprocess import judged
from tests.transport.peers import until

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1], "w").write(str(child.pid))
time.sleep(60)
"""


def test_it_ends_with_its_children(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with run_command([sys.executable, "-c", PARENT, str(note)], os.environ):
        until(lambda: note.exists() and bool(note.read_text()))
        pid = int(note.read_text())
    until(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


# --- tool traffic through a gateway: parallel calls, their results in another order, numbers that doubles round


Json = dict[str, Any]


def edit_results(change: Callable[[list[Json]], list[Json]]) -> GatewayBuild:
    """A gateway that changes the function results among the input of a create."""

    def edit(body: Json) -> Json:
        given = body.get("input")
        if not isinstance(given, list) or not any(item.get("type") == "function_result" for item in given):
            return body
        return {**body, "input": change(given)}

    return change_create(edit)


def without(field: str) -> Callable[[list[Json]], list[Json]]:
    """Lose a field of each result."""
    return lambda items: [{name: value for name, value in item.items() if name != field} for item in items]


@pytest.mark.parametrize(
    "change",
    [
        without("signature"),
        without("is_error"),
        without("name"),
        lambda items: items[::-1],
        lambda items: items[:1],
        lambda items: [{**item, "result": str(item["result"])} for item in items],
    ],
    ids=["signature", "is_error", "name", "order", "one of two", "text instead of media"],
)
def test_a_changed_tool_result_is_found(change: Callable[[list[Json]], list[Json]]) -> None:
    """Each field of a result arrives upstream, and the results in the order of the client."""
    results = judged(edit_results(change), "gw.body-fields")
    assert results["gw.body-fields"].verdict is Verdict.FAIL
    (finding,) = results["gw.body-fields"].observation.findings
    assert finding.where.exchange == "tools.results"


@pytest.mark.parametrize("body", [[], "text", None, 7])
def test_a_create_that_is_no_object_upstream_is_found(body: Any) -> None:
    """A gateway may send anything upstream: the finding names the whole body."""
    results = judged(change_create(lambda _: body))
    assert results["gw.body-fields"].verdict is Verdict.FAIL
    (finding,) = results["gw.body-fields"].observation.findings
    assert (finding.message, finding.where.pointer) == ("the whole body of a create was changed", "$")


def drop_second_call(body: Json) -> Json:
    """An interaction with at most one function call."""
    calls = [step for step in body.get("steps", ()) if step.get("type") == "function_call"]
    return {**body, "steps": [step for step in body["steps"] if step not in calls[1:]]} if calls else body


def test_a_lost_parallel_call_of_a_background_run_is_found() -> None:
    """It only shows in the reads of a run that waits for two results."""
    results = judged(change_answer(drop_second_call), "gw.body")
    assert results["gw.body"].verdict is Verdict.FAIL
    assert results["gw.body"].observation.findings[0].where.exchange == "tools.get-again"


def as_doubles(value: Json) -> Json:
    """The same JSON, as a program without integers writes it."""
    read: Json = json.loads(json.dumps(value), parse_int=float)
    return read


@pytest.mark.parametrize(
    ("gateway", "rule"),
    [
        (change_create(as_doubles), "gw.body-fields"),
        (change_answer(as_doubles), "gw.body"),
        (change_events(as_doubles), "gw.events"),
    ],
)
def test_a_rounded_number_is_a_warning(gateway: GatewayBuild, rule: str) -> None:
    """Not every JSON reader has integers, so a gateway that writes 5.0 for 5 does not fail, but it is reported."""
    observed = judged(gateway, rule)[rule].observation
    assert observed.outcome is Outcome.NON_STRICT
    assert {finding.stable_code for finding in observed.findings} == {f"{rule}/rounded"}
