"""Foreign servers that search for tools: one that is odd but right, and others with one defect each."""

from __future__ import annotations

from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Refused, Run

TOOL = {"type": "function", "name": "get_weather", "parameters": {}}


class Searching(ForeignService):
    """Odd, but right: it searches twice, finds nothing the first time, and streams no tools."""

    def admit(self, body: Json) -> None:
        if "tools" in body and body.get("stream"):
            raise Refused(400, "invalid_request", "Tools are not streamed.")
        given = body.get("input")
        is_result = isinstance(given, list) and any(part.get("type") == "function_result" for part in given)
        plain = {name: value for name, value in body.items() if name not in ("tools", "generation_config")}
        super().admit({**plain, "input": "a result"} if is_result else plain)

    def create(self, body: Json) -> Any:
        answer = super().create(body)
        run = self.runs.get(f"i{self.made}")
        if run is None or "tools" not in body or isinstance(body["input"], list):
            return answer
        call = {"type": "function_call", "id": "c1", "name": "get_weather", "arguments": {"location": "Paris"}}
        search = self.search() if any(tool["type"] == "tool_search" for tool in body["tools"]) else []
        run.steps = [*search, call]
        return self.show(run)

    def search(self) -> list[Json]:
        """The steps of a search."""
        return [
            {"type": "tool_search_call", "id": "s1", "arguments": {"function_names": ["weather"]}},
            {"type": "tool_search_call", "id": "s2", "arguments": {"function_names": ["get_weather"]}},
            {"type": "tool_search_result", "call_id": "s2", "result": [TOOL]},
            {"type": "tool_search_result", "call_id": "s1", "result": []},
        ]

    def show(self, run: Run) -> Json:
        body = super().show(run)
        waits = any(step["type"] == "function_call" for step in run.steps)
        return {**body, "status": "requires_action"} if waits else body


class LosesResult(Searching):
    """Wrong: one of the searches has no result."""

    def search(self) -> list[Json]:
        return super().search()[:-1]


class NamesNoSearch(Searching):
    """Wrong: a result names a search that was not made."""

    def search(self) -> list[Json]:
        *most, last = super().search()
        return [*most, {**last, "call_id": "s3"}]


class LoadsAnother(Searching):
    """Wrong: a search loads a function that nobody declared."""

    def search(self) -> list[Json]:
        *most, last = super().search()
        return [*most, {**last, "result": [{**TOOL, "name": "delete_all"}]}]


class WantsTheSearchAnswered(Searching):
    """Wrong: the results of the calls alone are refused, as if the client had to answer the search, too."""

    def admit(self, body: Json) -> None:
        if isinstance(body.get("input"), list) and "tools" in body:
            raise Refused(400, "invalid_request", "The call s1 has no result.")
        super().admit(body)


def test_an_odd_search_is_right() -> None:
    """Two searches at once, results in another order, and one that found nothing are no faults."""
    report = check(Searching(), "toolsearch.*")
    assert report.verdicts == dict.fromkeys(report.verdicts, "pass")
    assert len(report.verdicts) == 3


@pytest.mark.parametrize(
    ("defect", "faults"),
    [
        (LosesResult, ["toolsearch.pair-matched"]),
        (NamesNoSearch, ["toolsearch.pair-matched"]),
        (LoadsAnother, ["toolsearch.names-declared"]),
        (WantsTheSearchAnswered, ["toolsearch.not-pending"]),
    ],
)
def test_each_defect_is_found_where_it_is(defect: type[Searching], faults: list[str]) -> None:
    """Each defect is reported by the check of the promise that it breaks, and by no other."""
    assert [*check(defect(), "toolsearch.*").faults] == faults


def test_what_is_not_offered_is_no_fault() -> None:
    """A server without tools is not judged."""
    assert check(ForeignService(), "toolsearch.*").faults == {}
