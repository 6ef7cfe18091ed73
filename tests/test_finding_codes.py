"""The codes of findings are published, and a published code never goes away."""

from __future__ import annotations

import pytest

from harness.contract import load
from harness.contract.judge.agreement import judge_changes, judge_identity, judge_unchanged
from harness.contract.judge.body import judge_error, judge_interaction, judge_usage
from harness.resources import read_published_codes
from tests.contract.streams import ANSWER, created, delta, frames, judge
from tests.finding_codes import all_codes


def test_every_code_is_published() -> None:
    """The file has what the judges can give, nothing else (`python -m tests.finding_codes` rewrites it)."""
    codes, retired = read_published_codes()
    changed = sorted({*codes} ^ {*all_codes()})
    assert not changed, f"run `python -m tests.finding_codes`, which rewrites codes.json: {', '.join(changed)}"
    assert codes == sorted(codes)
    assert not set(codes) & set(retired)


def test_a_rule_is_a_code() -> None:
    """A finding without a word of its own has its rule's id as its code."""
    codes, _ = read_published_codes()
    assert {code.partition("/")[0] for code in codes} <= set(codes)


@pytest.mark.parametrize(
    "findings",
    [
        judge_interaction({"steps": [{"type": 5}], "created": "now", "usage": {"total_tokens": -1}}, load()),
        judge_interaction([], load()),
        judge_error({"error": 1}, 400),
        judge_usage(7),
        [*judge_identity("get.ok", "a", "b"), *judge_identity("resume.same-id", "a", "")],
        [*judge_changes(["completed", "queued"]), *judge_changes(["in_progress", "queued"], "bg.queued")],
        list(judge_unchanged("chain.siblings-apart", {"status": "completed", "steps": [{}]}, {})),
        judge(frames([created(), delta(0), *ANSWER])).findings,
        judge(b"data: {\n\n").findings,
    ],
    ids=["interaction", "array", "error", "usage", "identity", "changes", "unchanged", "stream", "json"],
)
def test_what_judges_give_is_published(findings: list[object]) -> None:
    """Codes that are put together while judging, such as those of schemas, are published, too."""
    codes, _ = read_published_codes()
    given = {finding.stable_code for finding in findings}  # type: ignore[attr-defined]
    assert given
    assert given <= set(codes)
