"""The schema engine: it really exercises the reference, and reports when a search exercised too little."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import pytest

from harness import resources
from harness.checks.capabilities import CAPABILITIES
from harness.contract import CURRENT
from harness.contract.requests import RequestBuilder
from harness.emulator import Emulator
from harness.engine.search import openapi
from harness.engine.search.budget import Budget
from harness.engine.search.failure import EngineRun
from harness.engine.search.openapi import document, find_families, read_links, select_paths
from harness.engine.search.search_target import SearchTarget
from harness.engine.targets import TargetOptions, embed_emulator
from harness.interactions.search import load_search
from harness.interactions.servers import SERVERS, embedded_settings
from harness.strategies.document import build_document
from harness.wire import Headers, Request, Response
from tests.engine.search.places import mutant, reference

pytestmark = pytest.mark.slow

OPENAPI = resources.folder("schemas") / CURRENT / "openapi.json"
SMALL = Budget(histories=1, steps=1, laws=1, schema=12, coverage=False)
FEW = replace(SMALL, schema=4)
"""Enough for what is broken in most answers."""
DOCUMENT = load_search().document
assert DOCUMENT is not None
FAMILIES = {family.collection: family for family in DOCUMENT.families}


@cache
def find_links() -> dict[str, dict[str, set[str]]]:
    """The links of each family in the document that is searched."""
    whole = build_document(RequestBuilder())
    return {name: read_links(select_paths(whole, family)) for name, family in FAMILIES.items()}


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
    labels = [label for links in find_links().values() for label in links]
    operations = [
        f"{method.upper()} {route}"
        for route, item in json.loads(OPENAPI.read_bytes())["paths"].items()
        for method in item.keys() & {"get", "post", "patch", "delete", "put"}
    ]
    assert sorted(labels) == sorted(operations)


def test_a_crash_is_found_with_its_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server error is found, and its trail ends with the call that failed."""
    done = searched(mutant("malformed-json-crashes"), monkeypatch, "interactions", budget=SMALL)
    found = {failure.rule: failure for failure in done.failures}
    assert found["fuzz.no-5xx"].trail[-1].status == 500


def test_what_brings_a_document_in_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways into a store are called with the id of a store that exists; a crash of each is found."""
    ways = {"importFile", "uploadToFileSearchStore"}

    class Crashing(Emulator):
        def __call__(self, request: Request) -> Response:
            answer = super().__call__(request)
            if request.segments[-1].rpartition(":")[2] not in ways or answer.status == 401:
                return answer
            return Response.whole(500, Headers([("content-type", "application/json")]), b'{"error":{}}')

    resolved = embed_emulator(SERVERS, TargetOptions(), lambda: Crashing(embedded_settings()))
    place = SearchTarget(resolved, load_search(), frozenset(CAPABILITIES))
    done = searched(place, monkeypatch, "fileSearchStores")
    crashed = [failure.trail[-1].request for failure in done.failures if failure.rule == "fuzz.no-5xx"]
    assert {request.segments[-1].rpartition(":")[2] for request in crashed} == ways


@pytest.mark.parametrize(
    "family", ["agents", *(pytest.param(one, marks=pytest.mark.thorough) for one in ("environments", "webhooks"))]
)
def test_a_neighbour_that_outlives_its_deletion_is_found(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a deleted resource can still be read, the trail of the finding includes the DELETE."""
    done = searched(mutant(f"{family}-delete-keeps"), monkeypatch, family)
    found = {failure.rule: failure for failure in done.failures}
    assert "DELETE" in [exchange.request.method for exchange in found["fuzz.kept"].trail]


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


def test_the_tailored_document_asks_for_what_the_target_has() -> None:
    """The tailored document names the target's models, and omits what only the target can supply."""
    target = reference().resolved.target
    schema = build_document(target)["$defs"]["strict.create-interaction"]
    fields = schema["$defs"]["requests.create-interaction"]["$defs"]["fields"]["properties"]
    assert fields["model"]["enum"] == [target.model]
    assert "previous_interaction_id" not in fields


def test_a_time_too_short_to_prove_anything_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search whose time was up before a create was accepted proves nothing, and names the limit."""
    monkeypatch.setattr(openapi, "_execute", lambda *arguments: None)
    done = searched(
        reference(), monkeypatch, "interactions", "agents", "files", budget=replace(FEW, seconds=0.001)
    )
    late = "searched interactions in part; agents, files not at all; give it more with --deadline"
    assert (done.late, done.vacuous) == (f"the time limit was reached after 0 s: {late}", ())
