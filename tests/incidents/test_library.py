"""The library of incidents is whole, its page is current, and commands and servers play it."""

from __future__ import annotations

import json
import re

import pytest

from harness.benches.server.fault_control import Faulty
from harness.cli.main import main
from harness.contract import PROTOCOL
from harness.emulator import Emulator
from harness.incidents import Incident, find_incident, load_incidents
from harness.incidents.incident import IncidentControl
from harness.outcome import UsageFault
from harness.transport import ServiceDriver
from harness.wire import Headers, Request
from tests.docs.site import format_library
from tests.in_one_test import in_one_test

INCIDENTS = load_incidents().values()
OUTCOMES = {"survives", "reports", "failed", "cancelled", "requires_action", "completed", "in_progress", None}


def test_the_page_has_every_incident() -> None:
    page = format_library()
    names = [incident.name for incident in INCIDENTS]
    assert re.findall(r"^\| \[`(.+?)`\]", page, re.MULTILINE) == names
    assert re.findall(r"^### (.+)$", page, re.MULTILINE) == names
    assert re.findall(r"\]\(#(.+?)\)", page) == names
    for incident in INCIDENTS:
        assert f"\n- On the wire: {incident.wire}\n- What goes wrong: {incident.mistake}\n" in page


@in_one_test(incident=INCIDENTS)
def test_an_incident_is_whole(incident: Incident) -> None:
    """An incident has everything, uses every text it brings, and can be played."""
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", incident.name)
    for text in (incident.title, incident.wire, incident.mistake, incident.client):
        assert text.endswith(".")
        assert len(text) > 15
    assert incident.client[0].islower()
    assert incident.sources
    assert incident.certainty in ("verbatim", "described", "seen in code")
    assert re.search(r"20\d\d", incident.when)
    assert incident.follow in OUTCOMES
    assert incident.answer or incident.follow != "survives"
    assert bool(incident.modes) != bool(incident.unplayed), "it is played to clients, or says why not"
    played = incident.to_client_incident()
    goes_on = played.refusal or incident.follow == "requires_action"
    assert len(incident.scripts) <= 1 or goes_on or not incident.modes
    used = set(re.findall(r"\$(\w+)", incident.fault + json.dumps(incident.replies)))
    assert used == set(incident.texts)
    incident.apply_to(Emulator())
    assert str(incident.plan or "") == str(incident.plan or "").strip()


def test_an_unknown_name_gets_a_proposal() -> None:
    with pytest.raises(UsageFault, match="did you mean 'stale-chain-id'"):
        find_incident("stale-chain")


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """`harness incidents` lists every name, explains one, and writes all as JSON."""
    assert main(["incidents"]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {name} " in listed for name in load_incidents())
    assert main(["incidents", "stale-chain-id"]) == 0
    explained = capsys.readouterr().out
    assert "a correct client" in explained
    assert "harness serve --incident stale-chain-id" in explained
    assert main(["incidents", "--json"]) == 0
    assert {one["name"] for one in json.loads(capsys.readouterr().out)} == set(load_incidents())


def ask(server: IncidentControl, method: str, path: str, body: object = None) -> tuple[int, dict[str, object]]:
    """Status and body of one answer."""
    data = b"" if body is None else json.dumps(body).encode()
    headers = Headers([("x-goog-api-key", "k"), ("content-type", "application/json")])
    exchange = ServiceDriver(server).send(Request(method, path, headers, data))
    return exchange.status or 0, json.loads(exchange.body)


def test_over_http() -> None:
    """A session behaves as in an incident; the server itself and other sessions do not."""
    emulator = Emulator()
    server = IncidentControl(Faulty(emulator, PROTOCOL, control=emulator))
    _, session = ask(server, "POST", "/__harness__/sessions")
    root = str(session["base_url_path"])
    status, played = ask(server, "POST", f"{root}/__harness__/incidents", {"name": "cancel-method-not-found"})
    assert status == 200
    assert played["fault"]
    _, made = ask(server, "POST", f"{root}/v1beta/interactions", played["request"])
    assert ask(server, "POST", f"{root}/v1beta/interactions/{made['id']}/cancel", {})[0] == 404
    _, other = ask(server, "POST", "/v1beta/interactions", played["request"])
    assert ask(server, "POST", f"/v1beta/interactions/{other['id']}/cancel", {})[0] == 200
    assert ask(server, "GET", "/__harness__/incidents")[0] == 200


@pytest.mark.parametrize(
    ("method", "body", "status", "told"),
    [
        ("POST", {"name": "stale-chain"}, 400, "did you mean"),
        ("POST", {"nam": "x"}, 400, 'Write {"name"'),
        ("POST", [], 400, 'Write {"name"'),
        ("PUT", {}, 405, "use POST or GET"),
    ],
)
def test_wrong_requests(method: str, body: object, status: int, told: str) -> None:
    """A wrong request is told what to write."""
    emulator = Emulator()
    server = IncidentControl(Faulty(emulator, PROTOCOL, control=emulator))
    answered, error = ask(server, method, "/__harness__/incidents", body)
    assert answered == status
    assert told in json.dumps(error).replace('\\"', '"')


def test_incidents_as_cases(capsys: pytest.CaptureFixture[str]) -> None:
    """`harness torture --incidents` plays those that can be followed, and refuses others with a reason."""
    assert main(["torture", "--incidents", "--dry-run", "--", "true"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[1:] == [incident.name for incident in INCIDENTS if "follow" in incident.modes]
    assert len(told) > 20
    assert main(["torture", "--incidents", "--mode", "create", "--dry-run", "--", "true"]) == 0
    assert "id-not-on-deltas" in capsys.readouterr().out.splitlines()
    assert main(["torture", "--incidents", "id-not-on-deltas", "--", "true"]) == 2
    told = "it does not apply to a client in the mode follow; run it with --mode create\n"
    assert capsys.readouterr().err == f"harness: --incidents id-not-on-deltas: {told}"
    for mode, name in {
        "create": "legacy-schema-switched-off",
        "background": "environment-still-being-made",
        "poll": "answer-lost-before-headers",
        "chain": "stale-chain-id",
        "tools": "function-result-without-name",
        "cancel": "cancel-method-not-found",
        "follow": "arguments-in-fragments",
    }.items():
        assert main(["torture", "--incidents", "--mode", mode, "--dry-run", "--", "true"]) == 0
        assert name in capsys.readouterr().out.splitlines()
    assert main(["torture", "--incidents", "sdk-retries-501", "--", "true"]) == 2
    assert "harness serve --incident sdk-retries-501" in capsys.readouterr().err
    assert main(["torture", "--incidents", "--set", "quick", "--", "true"]) == 2
