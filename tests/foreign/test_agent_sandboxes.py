"""Foreign servers that run agents in sandboxes: one that is odd but right, others with one defect each."""

from __future__ import annotations

from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.server import Json, Refused, Run, parse_object
from tests.foreign.test_environments import Sandboxes

CHECKS = ("agent.base-fork", "env.update-network", "agent.env-kept")
SUPPORTS = ("--capability", "+environments", "--capability", "+agents-crud")


class Workshop(Sandboxes):
    """Odd, but right: rules are shown as a list of hosts, and the sandbox is told when the run has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.agents: dict[str, Json] = {}
        self.rules: dict[str, Any] = {}

    def admit(self, body: Json) -> None:
        agent = body.get("agent", "")
        saved = self.agents.get(agent, {})
        if agent and not saved and not agent.startswith("antigravity"):
            raise Refused(404, "not_found", "There is no such agent.")
        plain = {name: value for name, value in body.items() if name not in ("agent", "environment")}
        super().admit({**plain, "model": "gemini-agent"} if agent else plain)
        if "environment" in body:
            body["environment_id"] = self.enter(body["environment"], saved.get("base_environment"))
        body.setdefault("model", "gemini-agent")

    def enter(self, wanted: Any, base: str | None) -> str:
        """The sandbox that a run gets."""
        if isinstance(wanted, dict) and "environment_id" in wanted:
            return self.change(wanted["environment_id"], wanted.get("network"))
        if wanted != "remote":
            if wanted not in self.boxes:
                raise Refused(404, "not_found", "There is no such environment.")
            return str(wanted)
        return self.fork(base)

    def fork(self, base: str | None) -> str:
        """A new sandbox, with the files of a base if there is one."""
        return str(self.open({"from_environment": base} if base else {})["id"])

    def change(self, box: str, network: Any) -> str:
        """Give a sandbox other rules."""
        self.rules[box] = [rule["domain"] for rule in network["allowlist"]]
        return box

    def open(self, body: Json) -> Json:
        made = super().open(body)
        self.rules[made["id"]] = body.get("network")
        return {**made, "network": body.get("network")}

    def show(self, run: Run) -> Json:
        body = super().show(run)
        if run.status != "in_progress" and "environment_id" in run.body:
            body["environment_id"] = run.body["environment_id"]
        return body

    def neighbour(self, method: str, parts: list[str], data: bytes, query: Json) -> Any:
        if parts[0] == "agents":
            return self.keep(method, parts, data)
        answer = super().neighbour(method, parts, data, query)
        shown = method == "GET" and parts[0] == "environments" and len(parts) == 2
        return {**answer, "network": self.rules[parts[1]]} if shown else answer

    def keep(self, method: str, parts: list[str], data: bytes) -> Json:
        """Keep agents."""
        if method == "POST":
            body = parse_object(data)
            self.agents[body["id"]] = body
            return body
        if len(parts) == 1:
            return {"agents": list(self.agents.values())}
        if parts[1] not in self.agents:
            raise Refused(404, "not_found", "There is no such agent.")
        return self.agents.pop(parts[1]) and {} if method == "DELETE" else self.agents[parts[1]]


class WorksInBase(Workshop):
    """Wrong: the base of a saved agent is where it works."""

    def fork(self, base: str | None) -> str:
        return base or super().fork(base)


class SharesCopy(Workshop):
    """Wrong: the first run copies the base, and later runs go on in the copy."""

    copies: dict[str, str]

    def fork(self, base: str | None) -> str:
        self.copies = getattr(self, "copies", {})
        if base and base not in self.copies:
            self.copies[base] = super().fork(base)
        return self.copies[base] if base else super().fork(base)


class ForgetsBase(Workshop):
    """Wrong: a saved agent begins in an empty sandbox."""

    def fork(self, base: str | None) -> str:
        return super().fork(None)


class KeepsRules(Workshop):
    """Wrong: new rules are taken and forgotten."""

    def change(self, box: str, network: Any) -> str:
        return box


class ClearsFiles(Workshop):
    """Wrong: with the rules of a sandbox its files go, too."""

    def change(self, box: str, network: Any) -> str:
        self.boxes[box] = {}
        return super().change(box, network)


class OpensAnother(Workshop):
    """Wrong: who gives rules gets another sandbox."""

    def change(self, box: str, network: Any) -> str:
        return super().change(str(self.open({"from_environment": box})["id"]), network)


class HidesRules(Workshop):
    """Odd, but right: nobody is shown what a sandbox may reach."""

    def neighbour(self, method: str, parts: list[str], data: bytes, query: Json) -> Any:
        answer = super().neighbour(method, parts, data, query)
        return (
            {name: value for name, value in answer.items() if name != "network"}
            if type(answer) is dict
            else answer
        )


def test_odd_sandboxes_are_right() -> None:
    """A list of hosts is as good as an object, and the end of a run is early enough to tell its sandbox."""
    report = check(Workshop(), *CHECKS, words=SUPPORTS)
    assert report.verdicts == dict.fromkeys(CHECKS, "pass")


def test_rules_that_are_not_shown_are_not_judged() -> None:
    """Without a look at the rules before, nothing is said of those after."""
    report = check(HidesRules(), "env.update-network")
    assert (report.faults, report.verdicts["env.update-network"]) == ({}, "untestable")


@pytest.mark.parametrize(
    ("defect", "fault"),
    [
        (WorksInBase, "agent.base-fork"), (SharesCopy, "agent.base-fork"), (ForgetsBase, "agent.base-fork"),
        (KeepsRules, "env.update-network"), (ClearsFiles, "env.update-network"),
        (OpensAnother, "env.update-network"),
    ],
)  # fmt: skip
def test_each_defect_is_found_where_it_is(defect: type[Workshop], fault: str) -> None:
    """Each defect is a warning of the promise that it breaks, and of no other."""
    assert check(defect(), *CHECKS, words=SUPPORTS).faults == {fault: "warn"}
