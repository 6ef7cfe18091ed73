"""Foreign servers whose agents may spend so many tokens: an odd one that is right, others with one defect each."""

from __future__ import annotations

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Run


class Limited(ForeignService):
    """Odd, but right: the limit is overstepped, and what was made until then is shown."""

    def admit(self, body: Json) -> None:
        plain = {
            name: value for name, value in body.items() if name not in ("agent", "agent_config", "environment")
        }
        super().admit({"model": "gemini-agent", **plain})
        body.setdefault("model", body.get("agent"))

    def show(self, run: Run) -> Json:
        body = super().show(run)
        limit = run.body.get("agent_config", {}).get("max_total_tokens", 1000)
        return {**body, "status": self.end()} if limit < 30 and body["status"] == "completed" else body

    def end(self) -> str:
        """The status of a run that has spent its tokens."""
        return "incomplete"


class Ignoring(Limited):
    """Wrong: the limit is taken and forgotten."""

    def end(self) -> str:
        return "completed"


class Failing(Limited):
    """Wrong: a run that has spent its tokens looks like one that broke."""

    def end(self) -> str:
        return "failed"


@pytest.mark.parametrize(("service", "verdict"), [(Limited, "pass"), (Ignoring, "warn"), (Failing, "warn")])
def test_a_limit_ends_a_run_as_incomplete(service: type[Limited], verdict: str) -> None:
    """Incomplete passes, with more tokens than were allowed; every other end is a warning."""
    assert check(service(), "agent.token-limit").verdicts == {"agent.token-limit": verdict}
