"""The schema engine: it really exercises the reference, and reports when a search exercised too little."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from harness import resources
from harness.checks.capabilities import CAPABILITIES
from harness.contract import CURRENT
from harness.contract.requests import RequestBuilder
from harness.emulator import Emulator
from harness.engine.search import openapi
from harness.engine.search.budget import Budget
from harness.engine.search.failure import EngineRun
from harness.engine.search.openapi import document, find_families, read_links
from harness.engine.search.scenario_collector import ScenarioCollector
from harness.engine.search.search_target import SearchTarget
from harness.engine.targets import TargetOptions, embed_emulator
from harness.interactions.servers import SERVERS, embedded_settings
from harness.kit.search import Family
from harness.strategies.document import write_document
from harness.wire import Headers, Request, Response
from tests.engine.search.places import mutant, reference

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.slow

OPENAPI = resources.folder("schemas") / CURRENT / "openapi.json"
SMALL = Budget(histories=1, steps=1, laws=1, schema=12, coverage=False)
FEW = replace(SMALL, schema=4)
"""Enough for what is broken in most answers."""
DOCUMENT = SERVERS.load_search().document
assert DOCUMENT is not None
FAMILIES = {family.collection: family for family in DOCUMENT.families}


@cache
def find_links() -> dict[str, dict[str, set[str]]]:
    """The links of each family in the document that is searched."""
    with write_document(RequestBuilder()) as path:
        return {name: read_links(path, family) for name, family in FAMILIES.items()}


def searched(
    place: SearchTarget, monkeypatch: pytest.MonkeyPatch, *families: str, budget: Budget = FEW
) -> EngineRun:
    """Search only some of the resources."""
    monkeypatch.setattr(
        openapi, "find_families", lambda place, document, mine: tuple(FAMILIES[name] for name in families)
    )
    return document(place, budget)


EACH_KIND = ("interactions", "files")  # runs and uploads


@pytest.mark.parametrize(
    "family",
    [one if one in EACH_KIND else pytest.param(one, marks=pytest.mark.thorough) for one in FAMILIES],
)
def test_the_reference_stands_and_everything_was_reached(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the reference, every operation and link is reached, enough calls succeed, and nothing is found."""
    done = searched(reference(), monkeypatch, family, budget=SMALL)
    links = find_links()[family]
    assert [(failure.finding.message, failure.trail[-1].request, failure.trail[-1].body)
            for failure in done.failures] == []  # fmt: skip
    assert done.vacuous == ()
    assert done.counts["operations"] == len(links)
    assert done.counts["links"] == sum(map(len, links.values()))


def test_the_families_are_the_document() -> None:
    """Every operation of the OpenAPI document belongs to exactly one family."""
    labels = [label for family in FAMILIES.values() for label in read_links(OPENAPI, family)]
    operations = [
        f"{method.upper()} {route}"
        for route, item in json.loads(OPENAPI.read_bytes())["paths"].items()
        for method in item.keys() & {"get", "post", "patch", "delete", "put"}
    ]
    assert sorted(labels) == sorted(operations)


def test_a_crash_is_found_with_its_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server error is found, and its trail ends with the call that failed."""
    done = searched(mutant("malformed-json-crashes"), monkeypatch, "interactions")
    found = {failure.rule: failure for failure in done.failures}
    assert found["fuzz.no-5xx"].trail[-1].status == 500


@pytest.mark.parametrize("operation", ["importFile", "uploadToFileSearchStore"])
def test_what_brings_a_document_in_is_searched(operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways into a store are called with the id of a store that exists; a crash of one is found."""

    class Crashing(Emulator):
        def __call__(self, request: Request) -> Response:
            answer = super().__call__(request)
            if not request.segments[-1].endswith(f":{operation}") or answer.status == 401:
                return answer
            return Response.whole(500, Headers([("content-type", "application/json")]), b'{"error":{}}')

    resolved = embed_emulator(SERVERS, TargetOptions(), lambda: Crashing(embedded_settings()))
    done = searched(SearchTarget(resolved, frozenset(CAPABILITIES)), monkeypatch, "fileSearchStores")
    found = {failure.rule: failure for failure in done.failures}
    assert found["fuzz.no-5xx"].trail[-1].request.segments[-1].endswith(f":{operation}")


class Deep(Emulator):
    """An emulator whose every third answer is JSON nested 100,000 levels deep."""

    def __call__(self, request: Request) -> Response:
        self.answers = getattr(self, "answers", 0) + 1
        answer = super().__call__(request)
        if self.answers % 3:
            return answer
        answer.body.close()
        return Response.whole(200, Headers([("content-type", "application/json")]), b"[" * 100_000)


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_json_that_is_too_deep_for_the_tool_is_found_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers nested too deeply for schemathesis are still judged, and cause no exception in its threads."""
    resolved = embed_emulator(SERVERS, TargetOptions(), lambda: Deep(embedded_settings()))
    done = searched(SearchTarget(resolved, frozenset(CAPABILITIES)), monkeypatch, "interactions")
    assert {failure.rule for failure in done.failures} >= {"create.schema"}
    assert "fuzz.answered" not in {failure.rule for failure in done.failures}
    assert all(failure.trail[-1].body.startswith(b"[[[") for failure in done.failures)


@pytest.mark.parametrize(
    "family", ["agents", *(pytest.param(one, marks=pytest.mark.thorough) for one in ("environments", "webhooks"))]
)
def test_a_neighbour_that_outlives_its_deletion_is_found(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a deleted resource can still be read, the trail of the finding includes the DELETE."""
    done = searched(mutant(f"{family}-delete-keeps"), monkeypatch, family)
    found = {failure.rule: failure for failure in done.failures}
    assert "DELETE" in [exchange.request.method for exchange in found["fuzz.kept"].trail]


def heard(family: Family = DOCUMENT.families[0]) -> ScenarioCollector:
    """A hearing that passes every test for vacuity."""
    hearing = ScenarioCollector(reference(), family, DOCUMENT, find_links()[family.collection])
    hearing.calls, hearing.meant, hearing.successes = 150, 100, 50
    hearing.reached = hearing.succeeded = set(hearing.declared)
    hearing.roots = {family.beginning}
    hearing.links.update(link for links in hearing.declared.values() for link in links)
    return hearing


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"calls": 0}, "no request was sent"),
        ({"reached": set()}, "never reached"),
        ({"roots": set()}, "does not begin with POST /interactions"),
        ({"links": {}}, "links never applied"),
        ({"successes": 0}, "only 0 of 100 requests succeeded"),
        ({"successes": 0, "busy": 90}, "(90 were rejected for now)"),
        (
            {"successes": 9, "refusals": Counter({"400 no_tools": 70, "404 x": 20})},
            "it rejected 90 valid requests, most often with '400 no_tools'",
        ),
    ],
)
def test_each_kind_of_vacuity_is_told(change: dict[str, object], told: str) -> None:
    """Each reason why a search proves nothing has a message of its own."""
    hearing = heard()
    assert list(hearing.vacuity()) == []
    for name, value in change.items():
        setattr(hearing, name, value)
    assert any(told in why for why in hearing.vacuity())


@pytest.mark.parametrize(("positive", "meant"), [(True, 1), (False, 0)])
def test_calls_that_are_wrong_on_purpose_count_for_no_share(positive: bool, meant: int) -> None:
    """Intentionally invalid calls do not count towards the share of successes, as their number is random."""
    hearing = heard()
    before = hearing.meant
    hearing.scenario(recorded("one", positive=positive, status=0))
    assert hearing.meant - before == meant


def recorded(
    name: str, *, positive: bool, status: int, checks: dict[str, Any] | None = None, method: str = "POST"
) -> Any:
    """What schemathesis records of one call to /agents; `status=0` means that no answer came."""
    mode = SimpleNamespace(is_positive=positive)
    meta = SimpleNamespace(generation=SimpleNamespace(mode=mode))
    operation = SimpleNamespace(label=f"{method} /agents", method=method.lower())
    case = SimpleNamespace(id=name, meta=meta, operation=operation)
    node = SimpleNamespace(value=case, is_transition_applied=False, transition=None)
    url = "http://a/v1beta/agents"
    request = SimpleNamespace(method=method, url=url, uri=url, headers={}, body=b"{}")
    elapsed, headers = 0.0, {"content-type": ["application/json"]}
    response = SimpleNamespace(
        status_code=status,
        request=request,
        headers=headers,
        content=b"{}",
        elapsed=elapsed,
        stream_cut_short=False,
    )
    interaction = SimpleNamespace(response=response if status else None, request=request)
    return SimpleNamespace(
        interactions={name: interaction},
        cases={name: node},
        checks=checks or {},
        iter_chain_cases=lambda *, case_id, related_case_ids: [case],
        find_response=lambda *, case_id: interaction.response,
    )


@pytest.mark.parametrize(("taken", "kept"), [(True, set()), (False, {"fuzz.shape"})])
def test_what_a_lenient_service_shows_again_is_not_its_mistake(taken: bool, kept: set[str]) -> None:
    """Once an invalid create was accepted, shape findings are dropped: answers may repeat its invalid value."""
    hearing = heard(FAMILIES["agents"])
    hearing.scenario(recorded("wrong", positive=False, status=200 if taken else 400))
    failure = SimpleNamespace(title="Response violates schema", message="null", related_case_ids=tuple)
    info = SimpleNamespace(failure_info=SimpleNamespace(failure=failure), name="response_schema_conformance")
    hearing.scenario(recorded("right", positive=True, status=200, checks={"right": [info]}))
    assert {failure.rule for failure in hearing.failures.values()} == kept


@pytest.mark.parametrize(("method", "kept"), [("GET", {"get.ok"}), ("POST", set())])
def test_what_is_not_offered_is_no_sign_that_it_is_not_there(method: str, kept: set[str]) -> None:
    """A 404 to a POST is no evidence that a created resource is missing; a 404 to its GET is."""
    hearing = heard()
    failure = SimpleNamespace(title="Resource is not available", message="404", related_case_ids=tuple)
    info = SimpleNamespace(failure_info=SimpleNamespace(failure=failure), name="ensure_resource_availability")
    hearing.scenario(recorded("one", positive=True, status=404, checks={"one": [info]}, method=method))
    assert {failure.rule for failure in hearing.failures.values()} == kept


def test_a_family_without_links_needs_no_chains() -> None:
    """Where nothing is kept, nothing can be linked: an accepted call for each operation is all there is to see."""
    hearing = heard(FAMILIES["decisions"])
    hearing.roots = set()
    assert (hearing.has_links, list(hearing.vacuity())) == (False, [])


def test_an_error_of_the_tool_accuses_nobody() -> None:
    """Only an error of the network is a finding; what schemathesis could not do is a note, once."""
    hearing = heard()
    own = SimpleNamespace(value=ValueError("no"), info=SimpleNamespace(message="Cannot draw\nit"))
    for _ in range(2):
        hearing.note_error(own)
    assert hearing.failures == {}
    assert list(hearing.notes()) == ["schemathesis gave up something below /interactions: Cannot draw it"]
    hearing.note_error(SimpleNamespace(value=ConnectionError(), info=SimpleNamespace(message="Connection failed")))
    assert [failure.rule for failure in hearing.failures.values()] == ["fuzz.answered"]


def test_what_is_not_served_or_denied_is_not_searched() -> None:
    """Every resource of the reference is searched, except one whose capability was denied."""
    assert find_families(reference(), DOCUMENT, DOCUMENT.families) == tuple(FAMILIES.values())
    kept = {
        family.collection
        for family in find_families(
            replace(reference(), denied=frozenset({"webhooks"})), DOCUMENT, DOCUMENT.families
        )
    }
    assert kept == FAMILIES.keys() - {"webhooks"}


@pytest.mark.parametrize("family", FAMILIES)
def test_no_link_leads_out_of_an_act(family: str) -> None:
    """Only create, read and delete have links; one from cancel would make the stateful phase useless."""
    links = find_links()[family]
    leading = {label for label in links if links[label]}
    kept = {f"POST /{family}", f"GET /{family}/{{id}}", f"DELETE /{family}/{{id}}"}
    assert leading == (kept if FAMILIES[family].keeps else set())


def test_the_tailored_document_asks_for_what_the_target_has() -> None:
    """The tailored document names the target's models, omits what only the target can supply, and is temporary."""
    before = OPENAPI.read_bytes()
    target = reference().resolved.target
    with write_document(target) as path:
        schema = json.loads((path.parent / "strict" / "create-interaction.json").read_bytes())
    fields = schema["$defs"]["requests.create-interaction"]["$defs"]["fields"]["properties"]
    assert fields["model"]["enum"] == [target.model]
    assert "previous_interaction_id" not in fields
    assert OPENAPI.read_bytes() == before
    assert not path.exists()


def test_a_time_too_short_to_prove_anything_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search whose time was up before a create was accepted proves nothing, and its first note says why."""
    monkeypatch.setattr(openapi, "_execute", lambda *arguments: None)
    done = searched(
        reference(), monkeypatch, "interactions", "agents", "files", budget=replace(FEW, seconds=0.001)
    )
    late = "searched interactions in part; agents, files not at all; give it more with --time"
    assert done.notes[0] == f"the time limit was reached after 0 s: {late}"
    assert done.vacuous == ("/interactions: no request was sent",)


def test_what_the_time_had_room_for_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a create was accepted, a search that its time ends is whole: a note names what it did not come to."""

    def accept(collector: ScenarioCollector, *arguments: object) -> None:
        collector.calls = collector.meant = collector.successes = 1
        collector.succeeded.add(collector.family.beginning)

    monkeypatch.setattr(openapi, "_execute", accept)
    budget = replace(FEW, seconds=0.001)
    done = searched(reference(), monkeypatch, "interactions", "agents", budget=budget)
    assert done.vacuous == ()
    assert "agents not at all" in done.notes[0]
    unlimited = searched(reference(), monkeypatch, "interactions", "agents", budget=replace(FEW, seconds=None))
    assert any("links never applied" in why for why in unlimited.vacuous)
