"""Foreign servers with credentials and triggers: one that is odd but right, and others with one defect each."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Refused, Run, parse_object

FIELDS = {"id", "type", "token", "prefix"}


class Keeping(ForeignService):
    """Odd but right: a page without the array, other statuses, times in another zone, more fields."""

    def __init__(self) -> None:
        super().__init__()
        self.credentials: dict[str, Json] = {}
        self.triggers: dict[str, Json] = {}
        self.executions: dict[str, list[Json]] = {}
        self.numbers = itertools.count(1)

    def neighbour(self, method: str, parts: list[str], data: bytes, query: Json) -> Json:
        collection = {"credentials": self.credentials, "triggers": self.triggers}.get(parts[0])
        if collection is None:
            return super().neighbour(method, parts, data, query)
        if parts[1:] == []:
            return self.make(parts[0], parse_object(data)) if method == "POST" else self.list(parts[0], collection)
        if parts[1] not in collection:
            raise Refused(404, "not_found", "There is no such thing.")
        kept = collection[parts[1]]
        match method, parts[2:]:
            case "GET", []:
                return self.view(kept)
            case "PATCH", []:
                return self.view(self.change(parts[0], kept, parse_object(data)))
            case "DELETE", []:
                self.remove(collection, kept)
                return {}
            case "POST", ["executions"]:
                return self.execute(kept)
            case "GET", ["executions"]:
                return {"trigger_executions": self.executions[kept["id"]]}
        raise Refused(404, "not_found", "There is no such route.")

    def list(self, name: str, collection: dict[str, Json]) -> Json:
        """A page; an empty one has no array."""
        return {name: [self.view(kept) for kept in collection.values()]} if collection else {}

    def make(self, name: str, body: Json) -> Json:
        """Make a credential or a trigger."""
        return self.view(self.make_credential(body) if name == "credentials" else self.make_trigger(body))

    def make_credential(self, body: Json) -> Json:
        """Make a credential."""
        if strange := body.keys() - FIELDS:
            raise Refused(400, "invalid_request", f"Unknown: {sorted(strange)}.")
        if body["id"] in self.credentials:
            raise Refused(409, "aborted", "The id is in use.")
        self.credentials[body["id"]] = kept = {**body, "status": "fresh", "owner": "me"}
        return kept

    def make_trigger(self, body: Json) -> Json:
        """Make a trigger."""
        if len(body["schedule"].split()) != 5:
            raise Refused(400, "invalid_request", "The schedule has not five fields.")
        name = f"t{next(self.numbers)}"
        kept = {**body, "id": name, "status": "active", "next_run_time": self.next_run()}
        self.triggers[name] = kept
        self.executions[name] = []
        return kept

    def next_run(self) -> str:
        """When it runs next: a Monday, half past nine in UTC."""
        return "2026-11-23T11:30:00.000+02:00"

    def view(self, kept: Json) -> Json:
        """What is shown."""
        return {name: value for name, value in kept.items() if name != "token"}

    def change(self, name: str, kept: Json, body: Json) -> Json:
        """Change some fields."""
        if name == "credentials" and "type" not in body:
            raise Refused(400, "invalid_request", "The type is missing.")
        kept.update(body)
        return kept

    def remove(self, collection: dict[str, Json], kept: Json) -> None:
        """Delete one."""
        del collection[kept["id"]]

    def execute(self, kept: Json) -> Json:
        """Run a trigger by hand."""
        self.made += 1
        run = Run(f"i{self.made}", {"model": "gemini-1"}, 0.0, 4)
        self.runs[run.id] = run
        one = {"id": f"e{self.made}", "trigger_id": kept["id"], "status": "completed", "interaction_id": run.id}
        self.executions[kept["id"]].append(one)
        return one


class ShowsTheSecret(Keeping):
    """Shows the token when a credential is changed."""

    def change(self, name: str, kept: Json, body: Json) -> Json:
        super().change(name, kept, body)
        return {**kept, "value": kept.get("token")}


class AnyType(Keeping):
    """A change of a credential needs no type."""

    def change(self, name: str, kept: Json, body: Json) -> Json:
        return super().change(name, kept, {"type": "bearer_token", **body} if name == "credentials" else body)


class InLocalTime(Keeping):
    """Reads the schedule in the zone of the server."""

    def next_run(self) -> str:
        return "2026-11-23T09:30:00+09:00"


class OnSunday(Keeping):
    """Counts the days of the week from another day."""

    def next_run(self) -> str:
        return "2026-11-22T09:30:00Z"


class PauseIsFinal(Keeping):
    """A paused trigger stays paused."""

    def change(self, name: str, kept: Json, body: Json) -> Json:
        return super().change(name, kept, {} if kept["status"] == "paused" else body)


class TakesItsRunsAlong(Keeping):
    """A trigger that is deleted takes the interactions along."""

    def remove(self, collection: dict[str, Json], kept: Json) -> None:
        super().remove(collection, kept)
        for one in self.executions.pop(kept["id"], []):
            del self.runs[one["interaction_id"]]


def judge(service: Keeping) -> dict[str, str]:
    """What is not green of the rules of credentials and triggers."""
    return check(service, "cred.*", "trigger.*").faults


def test_an_odd_keeper_is_right() -> None:
    """Whatever else is shown, and in whatever zone."""
    report = check(Keeping(), "cred.*", "trigger.*")
    assert report.faults == {}
    assert sum(verdict == "pass" for verdict in report.verdicts.values()) == len(report.verdicts) - 1
    assert report.verdicts["cred.in-allowlist"] == "not_applicable"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("service", "faults"),
    [
        (ShowsTheSecret(), {"cred.secret-hidden": "fail"}),
        (AnyType(), {"cred.patch-type": "warn"}),
        (InLocalTime(), {"trigger.next-run": "warn"}),
        (OnSunday(), {"trigger.next-run": "warn"}),
        (PauseIsFinal(), {"trigger.pause-resume": "warn"}),
        (TakesItsRunsAlong(), {"trigger.keeps-runs": "warn"}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Keeping) else "",
)
def test_each_defect_is_found_once_and_nothing_else(service: Keeping, faults: Any) -> None:
    """A server with one defect has the one finding that names it."""
    assert judge(service) == faults


def test_nothing_is_left_behind() -> None:
    """What was made is deleted, and what a trigger made, too."""
    service = Keeping()
    judge(service)
    assert (service.credentials, service.triggers, service.runs) == ({}, {}, {})
