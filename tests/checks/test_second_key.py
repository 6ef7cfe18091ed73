"""The key of another project on each route of the contract: a server that ignores it on one route is found."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing

import pytest
from msgspec.structs import replace

from harness.checks.capabilities import PROFILE_GATES
from harness.contract.requests import KEY_HEADER
from harness.contract.tables.protocol import OPERATIONS
from harness.engine.events import Capabilities, everything, parse_capabilities
from harness.engine.execute import play
from harness.engine.plan import make_plan
from harness.engine.selection import Selection
from harness.engine.targets import TargetOptions, embed_emulator
from harness.engine.traffic.ledger import CreatedResources
from harness.interactions.servers import SERVERS
from harness.kit.api import OTHER_KEY, PRIMARY_KEY
from harness.outcome import Because, Observation, Outcome
from harness.transport import ServiceDriver
from harness.wire import Request, Response

CHECKS = {check.id: check for check in SERVERS.load_catalogue() if check.id.startswith("store.isolation")}
ROUTES = [one.call for one in OPERATIONS if one.call.startswith(("GET", "PATCH", "DELETE")) or "{id}" in one.call]
PARTS = {
    "a stream": ("GET interactions/{id}", lambda request: request.target.endswith("?stream=true")),
    "a resume": ("GET interactions/{id}", lambda request: "last_event_id" in request.target),
    "a chain": ("POST interactions", lambda request: b"previous_interaction_id" in request.body),
    "the list of interactions": ("GET interactions", lambda request: request.method == "GET"),
}
"""Parts of a route, and a list that the contract of one platform alone has."""


def is_route(call: str) -> Callable[[Request], bool]:
    """Whether a request calls a route."""
    method, _, route = call.partition(" ")
    path = re.compile(r"(/upload)?/v1beta/" + re.escape(route).replace(re.escape("{id}"), "[^/:?]+"))
    return lambda request: (
        request.method == method and path.fullmatch(request.target.partition("?")[0]) is not None
    )


def judge(
    check: str,
    borrows: Callable[[Request], bool] = lambda request: False,
    rewrite: Callable[[Response], Response] = lambda response: response,
) -> tuple[Observation, list[Request], list[Request]]:
    """Judge the emulator → the observation, the requests that it names, and those that borrowed the first key.

    A request with the second key is either taken for one with the first key, or its response is rewritten.
    """
    target = embed_emulator(SERVERS, TargetOptions()).able(everything(SERVERS.load_capabilities()))
    emulator = SERVERS.new_service(target.target.contract)
    borrowed: list[Request] = []

    def service(request: Request) -> Response:
        if request.headers.get(KEY_HEADER) != OTHER_KEY:
            return emulator(request)
        if not borrows(request):
            return rewrite(emulator(request))
        borrowed.append(request)
        headers = request.headers.without(KEY_HEADER).having(KEY_HEADER, PRIMARY_KEY)
        return emulator(replace(request, headers=headers))

    with closing(ServiceDriver(service, emulator.clock)) as driver:
        chosen = CHECKS[check]
        played = play(SERVERS, chosen.exercise, target.target, driver, CreatedResources(SERVERS, deletes=False))
        found = played.observe(chosen)
    named = {finding.where.exchange for finding in found.findings}
    return found, [exchange.request for name, exchange in played.named if name in named], borrowed


@pytest.mark.parametrize("call", [*ROUTES, *PARTS])
def test_a_route_that_ignores_the_key_is_found(call: str) -> None:
    """Each call of a resource, streamed, resumed and continued, too; the finding names the route."""
    route, is_meant = PARTS.get(call, (call, lambda request: True))
    matches = is_route(route)
    check = "store.isolation" if "interactions" in route else "store.isolation-kept"
    found, accused, borrowed = judge(check, lambda request: matches(request) and is_meant(request))
    assert borrowed
    # An empty list shows no more than that the resource exists.
    expected = Outcome.NON_STRICT if call == "GET triggers/{id}/executions" else Outcome.NOT_MET
    assert found.outcome is expected, found
    assert {*map(id, borrowed)} & {*map(id, accused)}


@pytest.mark.parametrize("status", [400, 403, 404, 410])
@pytest.mark.parametrize("check", CHECKS)
def test_a_refusal_with_another_status_breaks_no_rule(check: str, status: int) -> None:
    """403 and 404 are documented; any other 4xx is at most a warning."""

    def refuse(response: Response) -> Response:
        if response.status < 400:
            return response
        response.body.close()
        return Response.json(status, b'{"error": {"code": "not_found", "message": "No."}}')

    found, *_ = judge(check, rewrite=refuse)
    assert found.outcome in ((Outcome.MET,) if status in (403, 404) else (Outcome.MET, Outcome.NON_STRICT)), found


def test_one_project_for_both_keys_is_declared() -> None:
    """A user whose keys share a project denies the second one, and neither check sends a request."""
    known = SERVERS.load_capabilities()
    able = Capabilities([*everything(known, but={"two-keys"}), *parse_capabilities(["-two-keys"], known)])
    plan = make_plan(list(CHECKS.values()), Selection(), able, PROFILE_GATES)
    assert [planned.skip.because for planned in plan.checks if planned.skip] == [Because.LEFT_OUT] * len(CHECKS)
