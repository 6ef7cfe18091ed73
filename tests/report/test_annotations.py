"""Annotations for GitHub Actions: one line each, worst first, at most as many as a runner shows."""

from __future__ import annotations

from msgspec import structs

from harness.outcome import Verdict
from harness.report.annotations import list_annotations
from tests.engine import toys
from tests.report.story import told


def test_each_is_one_line_and_hides_secrets() -> None:
    """What a target sent neither ends the line nor begins a command of its own, and no key is shown."""
    lines = list(list_annotations(told()))
    assert all(line.startswith(("::error ", "::warning ", "::notice ")) for line in lines)
    assert not any({"\n", "\r", "\x1b", "\x00"} & set(line) for line in lines)
    assert not any(toys.KEY in line for line in lines)
    assert lines[-1].startswith("::notice title=Interactions API::")


def test_failures_come_before_warnings() -> None:
    """The levels of the commands are in order, and each failed check has one."""
    state = told()
    lines = list(list_annotations(state))
    levels = [line.split(" ", 1)[0] for line in lines]
    assert levels == sorted(levels, key=["::error", "::warning", "::notice"].index)
    failed = [result.id for result in state.results if result.verdict in (Verdict.FAIL, Verdict.ERROR)]
    for name in failed:
        assert sum(f"title={name} [" in line for line in lines) == 1


def test_the_tenth_names_what_a_runner_would_not_show() -> None:
    """With more than ten failures, nine are annotated and the last line of that level names the others."""
    state = told()
    _, finished = state.whole()
    worst = next(result for result in finished.results if result.verdict is Verdict.FAIL)
    many = tuple(structs.replace(worst, id=f"get.n{number}") for number in range(14))
    state.handle(structs.replace(finished, results=many))
    lines = [line for line in list_annotations(state) if line.startswith("::error")]
    assert len(lines) == 10
    assert lines[-1] == "::error title=5 more checks::get.n9, get.n10, get.n11, get.n12, get.n13"
