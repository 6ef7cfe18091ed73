"""Annotations for GitHub Actions: one line each, worst first, at most as many as a runner shows."""

from __future__ import annotations

from msgspec import structs

from harness.outcome import Verdict
from harness.report.annotations import list_annotations
from tests.report.story import told


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
