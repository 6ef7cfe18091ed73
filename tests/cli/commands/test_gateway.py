"""Tests of `harness gateway` over real sockets: its output, its exit codes, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from harness.checks.gateway.exercises import EXERCISES
from harness.emulator import Emulator
from harness.transport import ServerThread
from tests.cli.conftest import Harness, fits
from tests.transport.peers import free_port

PROGRAM = """
import os, sys, threading
from lab.gateways import MUTANTS, Gateway
from harness.transport.server.server import InThread
from harness.transport.server.server import WaitingServer
from harness.transport.proxy import UpstreamServer

kind = Gateway if sys.argv[2] == "faithful" else MUTANTS[sys.argv[2]].build
with InThread(WaitingServer(kind(UpstreamServer(os.environ["HARNESS_UPSTREAM_URL"])), port=int(sys.argv[1]))):
    threading.Event().wait()
"""


@pytest.fixture
def port() -> int:
    """A port that nobody listens on now."""
    return free_port()


def words(port: int, kind: str, *options: str) -> list[str]:
    """Return the command line that starts a gateway and judges it."""
    times = ("--watch", "0", "--idle", "0.5", "--patience", "1")
    own = ["gateway", f"http://127.0.0.1:{port}", "--upstream-port", "0", *times, *options]
    return [*own, "--", sys.executable, "-c", PROGRAM, str(port), kind]


@pytest.mark.slow
def test_a_gateway_that_passes_everything_on(harness: Harness, port: int) -> None:
    """A correct gateway exits with 0; the upstream's address is printed first, and no process is left behind."""
    done = harness(*words(port, "faithful"))
    assert done.code == 0, done.out + done.err
    assert done.out.startswith("upstream: http://127.0.0.1:")
    assert f"waiting up to 120 s for a response of http://127.0.0.1:{port}" in done.err
    assert re.search(r"^33 checks in \d+\.\d s: 31 passed, 2 not offered\.$", done.out, re.MULTILINE)
    assert re.fullmatch(r"PASSED: .+", done.out.splitlines()[-1])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.slow
def test_the_projects_own_proxy_has_no_finding(harness: Harness, port: int) -> None:
    """`harness proxy` without faults passes every rule, so it is as transparent as we claim."""
    upstream = free_port()
    times = ("--watch", "0", "--idle", "0.5")
    own = ["gateway", f"http://127.0.0.1:{port}", "--upstream-port", str(upstream), *times]
    proxy = ["-m", "harness", "proxy", "--target", f"http://127.0.0.1:{upstream}", "--port", str(port)]
    done = harness(*own, "--", sys.executable, *proxy)
    assert done.code == 0, done.out + done.err
    assert ": 31 passed, 2 not offered." in done.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mutant", "said"),
    [
        ("once.lost", "one create became 2 upstream"),
        ("cut.done", "the gateway invented the end of a truncated stream"),
    ],
)
def test_a_gateway_that_does_not(harness: Harness, port: int, mutant: str, said: str) -> None:
    """A failure shows source, all four sides of the passage, and a command that repeats the rule."""
    done = harness(*words(port, mutant))
    assert done.code == 1, done.out + done.err
    assert f"finding: {said}" in done.out
    fixes = re.findall("known fix: .*", done.out)
    assert len(fixes) == len(set(fixes)), "each is printed once"
    for line in ("source: ", "client → gateway    POST /v1beta/", "gateway → upstream  POST /v1beta/"):
        assert line in done.out
    for line in ("upstream → gateway  ", "gateway → client    "):
        assert line in done.out
    alone = re.search(r"this check alone: (.+)", done.out)
    assert alone is not None
    head, _, repeated = alone[1].partition(" --upstream-port ")
    assert re.fullmatch(rf"harness gateway http://127.0.0.1:{port} -c gw\.[\w-]+", head)
    assert repeated.startswith(f"0 --patience 1 --idle 0.5 --watch 0 -- {sys.executable} -c ")
    assert re.search(r"33 checks in .*: [12] failed, (\d+ warned, )?(2[0-9]|30) passed, ", done.out)


@pytest.mark.slow
def test_the_request_that_a_finding_names_is_shown(harness: Harness, port: int) -> None:
    """Of a stream that is resumed, that is not the request with which it began."""
    done = harness(*words(port, "query.cursor", "-c", "gw.query"))
    assert re.search(r"client → gateway .*last_event_id=.*\n +gateway → upstream .*\?stream=true\n", done.out)


@pytest.mark.slow
@pytest.mark.parametrize(("mutant", "rule"), [("live.buffered", "gw.live"), ("hang-up.ignored", "gw.hang-up")])
def test_what_depends_on_time_is_noticed_over_sockets(harness: Harness, port: int, mutant: str, rule: str) -> None:
    """Buffering and ignored hang-ups are noticed over real sockets, with threads and kernels in between."""
    done = harness(*words(port, mutant, "--json", "-c", f"{rule},gw.route", "--exclude", "gw.r*", "--strict"))
    assert (done.code, [each["outcome"] for each in json.loads(done.out)["rules"]]) == (1, ["failed"])


@pytest.mark.slow
def test_the_worst_warning_is_explained(harness: Harness, port: int) -> None:
    """A broken SHOULD does not fail the run; without a failure it is explained, as `check` does."""
    done = harness(*words(port, "names.dropped", "-c", "gw.event-names"))
    assert done.code == 0
    assert done.out.count("WARNED      gw.event-names [SHOULD]") == 1
    assert re.search(r"finding: (\d+) of \1 events lost their event: line", done.out), done.out
    assert "client → gateway" in done.out


@pytest.mark.slow
def test_a_baseline(harness: Harness, port: int, tmp_path: Path) -> None:
    """A failure in the baseline is excused with its reason; an id that is not a rule's is told as stale."""
    path = tmp_path / "baseline.yaml"
    path.write_text("- {id: gw.events, reason: issue 7}\n")
    done = harness(*words(port, "events.uncompleted", "-c", "gw.events", "--baseline", str(path)))
    assert done.code == 0
    assert "WARNED" in done.out
    assert " in the baseline)" in done.out
    assert "issue 7" in done.out
    path.write_text("- {id: gw.evnts, reason: issue 7}\n")
    done = harness(*words(port, "faithful", "-c", "gw.events", "--baseline", str(path)))
    assert (done.code, "'gw.evnts'" in done.out) == (1, True)


NGINX = """
daemon off; master_process off; pid {0}/pid; error_log {0}/log; events {{}}
http {{
    access_log off; client_body_temp_path {0}/a; proxy_temp_path {0}/b; fastcgi_temp_path {0}/c;
    uwsgi_temp_path {0}/d; scgi_temp_path {0}/e;
    {1}
}}
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx: apt-get install nginx")
@pytest.mark.parametrize(
    ("left_out", "codes"),
    [
        ((), set()),
        (
            ("proxy_http_version 1.1;", "proxy_buffering off;"),
            {"gw.live/buffered", "gw.truncated/clean-end-http10"},
        ),
        (("client_max_body_size 20m;",), {"gw.body-fields/too-large"}),
    ],
    ids=["whole", "buffers", "small-bodies"],
)
def test_the_configuration_of_nginx(
    harness: Harness, port: int, tmp_path: Path, left_out: tuple[str, ...], codes: set[str]
) -> None:
    """That of the guide has no finding; without a line that it explains, nginx has the finding that it names."""
    page = (Path(__file__).parents[3] / "docs" / "gateway.md").read_text("utf-8")
    server = page.partition("```nginx\n")[2].partition("```")[0]
    upstream = free_port()
    for old, new in (("4000", str(port)), ("9100", str(upstream)), *((line, "") for line in left_out)):
        assert old in server
        server = server.replace(old, new)
    (tmp_path / "nginx.conf").write_text(NGINX.format(tmp_path, server))
    own = [
        "gateway",
        f"http://127.0.0.1:{port}",
        "--upstream-port",
        str(upstream),
        "--watch",
        "0",
        "--idle",
        "0.5",
    ]
    done = harness(*own, "--json", "--", "nginx", "-c", str(tmp_path / "nginx.conf"), "-e", str(tmp_path / "log"))
    assert done.code == 0, done.out + done.err
    assert {found["code"] for rule in json.loads(done.out)["rules"] for found in rule["findings"]} == codes


NOTING = """
import os, sys, threading
from lab.gateways import Gateway
from harness.transport.proxy import UpstreamServer
from harness.transport.server.server import InThread, WaitingServer

class Noting(Gateway):
    def __call__(self, request):
        with open(sys.argv[2], "ab") as notes:
            notes.write(repr((request.target, *request.headers)).encode() + b"\\n")
        return super().__call__(request)

with InThread(WaitingServer(Noting(UpstreamServer(os.environ["HARNESS_UPSTREAM_URL"])), port=int(sys.argv[1]))):
    threading.Event().wait()
"""


@pytest.mark.parametrize(
    ("options", "variable", "sent"),
    [
        ((), "", "('x-goog-api-key', 'harness-dummy-key')"),
        (("--api-key", "gateway-own-key-1"), "", "('x-goog-api-key', 'gateway-own-key-1')"),
        ((), "gateway-own-key-2", "('x-goog-api-key', 'gateway-own-key-2')"),
        (("-H", "Authorization: Bearer gateway-own-key-3"), "", "'Bearer gateway-own-key-3'"),
    ],
    ids=["nothing", "option", "variable", "header"],
)
def test_a_gateway_gets_no_real_key(
    harness: Harness, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...], variable: str, sent: str,
) -> None:  # fmt: skip
    """No request to a gateway has the key of the environment; the first has a random one, the others its own."""
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "OTHER_GEMINI_API_KEY"):
        monkeypatch.setenv(name, "AIzaSyRealKeyOfTheUser" + "x" * 17)
    monkeypatch.setenv("HARNESS_GATEWAY_KEY", variable)
    notes = tmp_path / "notes"
    own = words(port, "", "-c", "gw.route", *options)[:-3]
    done = harness(*own, NOTING, str(port), str(notes))
    assert done.code == 0, done.out + done.err
    noted = [line for line in notes.read_text("utf-8").splitlines() if "/interactions" in line]
    assert len(noted) > 3
    assert [line for number, line in enumerate(noted) if (number and sent not in line) or "AIzaSy" in line] == []
    assert "dummy" in sent or "dummy" not in str(noted)


PAGES = """
import http.client, json
from urllib.parse import urlsplit

where = urlsplit(os.environ["HARNESS_UPSTREAM_URL"])
asked = []
for fields in json.loads(sys.argv[3]):
    called = http.client.HTTPConnection(where.hostname, where.port)
    called.request("GET", "/v1beta/interactions/x", headers={"x-goog-api-key": "k", **fields})
    asked.append(called.getresponse().status)
open(sys.argv[4], "w").write(json.dumps(asked))
"""


def test_a_page_does_not_reach_the_upstream(harness: Harness, port: int, tmp_path: Path) -> None:
    """What a web page of another origin sends there changes no verdict; what a gateway may name it by passes."""
    refused = [
        {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Host": "generativelanguage.googleapis.com", "Sec-Fetch-Site": "same-origin"},
    ]  # fmt: skip
    passes = [{}, {"Host": "generativelanguage.googleapis.com"}, {"Host": f"127.0.0.1:{port}"}, {"Host": "mine"}]
    own = words(port, "faithful", "-c", "gw.nothing-else", "--strict", "--allow-host", "mine")
    own[own.index(PROGRAM)] = PROGRAM.replace("kind = ", f"{PAGES}\nkind = ")
    notes = tmp_path / "notes"
    done = harness(*own, json.dumps([*refused, *passes]), str(notes))
    assert json.loads(notes.read_text("utf-8")) == [403] * len(refused) + [404] * len(passes)
    assert done.code == 0, done.out + done.err


LEAVES = """
class Leaves(Gateway):
    def relay_request(self, request):
        if request.method == "DELETE":
            LAST_DEED
        return request

kind = Leaves if sys.argv[2] == "leaves" else """


def leaving(port: int, deed: str, *options: str) -> list[str]:
    """Return the command line for a gateway that does something else instead of passing on a DELETE."""
    program = PROGRAM.replace("kind = ", LEAVES.replace("LAST_DEED", deed).lstrip())
    return [program if word == PROGRAM else word for word in words(port, "leaves", *options)]


@pytest.mark.slow
def test_a_gateway_that_dies_on_the_way(harness: Harness, port: int) -> None:
    """If the gateway dies, the run stops with 4 and shows the first unanswered passage and the last output."""
    deed = "os.write(2, b'out of memory'), os._exit(9)"
    done = harness(*leaving(port, deed, "-c", "gw.route", "-c", "gw.status"))
    assert done.code == 4, done.out + done.err
    [why] = [line for line in done.out.splitlines() if line.startswith("stopped early: ")]
    assert "has ended (exit code 9): the exchange plain.delete was its last (" in why
    assert why.endswith("); 3 of 3 exercises not run, or not completed")
    assert "2 not reached: gw.route, gw.status" in done.out
    assert "help: test it when the gateway no longer ends by itself; its log has the reason" in done.out
    assert "has ended (exit code 9)\nout of memory" in done.err


@pytest.mark.slow
def test_a_gateway_that_hangs_on_the_way(harness: Harness, port: int, tmp_path: Path) -> None:
    """A gateway that hangs costs only a few time-outs; JSON has the passage, JUnit an error per untried rule."""
    files = ("--report", f"junit={tmp_path}/x.xml", "--json")
    hangs = "type(self).__call__ = lambda self, request: threading.Event().wait()"
    done = harness(*leaving(port, hangs, "--timeout", "2", *files))
    assert done.code == 4, done.out + done.err
    value = fits("gateway", done.out)
    stopped = value["stopped"]
    assert (stopped["passage"]["name"], stopped["silent"]) == ("cancel.create", 3)
    assert "the time limit was reached before the headers" in stopped["reason"]
    assert len(stopped["unfinished"]) == len(EXERCISES) - 1
    left = [rule["id"] for rule in value["rules"] if rule.get("unanswered") == "not tried"]
    assert value["not_judged"] == left
    errors = list(ET.parse(tmp_path / "x.xml").iter("error"))
    assert len(errors) == len(left) > 20
    assert stopped["reason"] in errors[0].get("message", "")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "no gateway was given"),
        (["emulator"], "the emulator is the upstream here"),
        (["127.0.0.1:4000"], "'127.0.0.1:4000' is not the URL of a gateway: write it like http://127.0.0.1:4000"),
        (["http://127.0.0.1:1", "-c", "x"], "no rule has the id 'x': `harness list 'gw.*'` shows all ids"),
        (["http://127.0.0.1:1", "--"], "nothing follows `--`"),
        (["http://127.0.0.1:1", "--baseline", "missing.yaml"], "no baseline at 'missing.yaml'"),
        (
            ["http://127.0.0.1:1", "--upstream-port", "0", "--", "/no/such/gateway"],
            "cannot run '/no/such/gateway'",
        ),
    ],
)
def test_what_is_refused(harness: Harness, given: list[str], said: str) -> None:
    """Each mistake on the command line is a usage error that says what to do."""
    done = harness("gateway", *given)
    assert (done.code, said in done.err) == (2, True), done.err


@pytest.mark.slow
def test_the_line_that_repeats_a_rule_tells_no_key(harness: Harness, port: int) -> None:
    """Neither a key given as an option nor one in a header or in the command is in any output."""
    keys = ("--api-key", "first-hidden-key-1", "-H", "Authorization: Bearer second-hidden-key-2")
    line = words(port, "once.lost", "-c", "gw.once", "--model", "mine", *keys)
    done = harness(*line, "first-hidden-key-1")
    assert '-c gw.once --api-key "$HARNESS_GATEWAY_KEY" --model mine --upstream-port 0 ' in done.out
    assert """ --header 'Authorization: Bearer '"$AUTHORIZATION" """ in done.out
    assert "-hidden-key-" not in done.out + done.err


def test_a_port_that_is_taken_names_the_options_of_this_command(harness: Harness) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = harness("gateway", "http://127.0.0.1:9", "--upstream-port", port)
    assert done.code == 2
    assert "(--upstream-host, --upstream-port; 0 takes a free one)" in done.err


def test_a_gateway_of_an_earlier_run_is_not_judged_in_place_of_the_command(
    harness: Harness, tmp_path: Path
) -> None:
    """It still has the port, so CMD could not start; the old one would pass in its place."""
    started = tmp_path / "started"
    with ServerThread(Emulator()) as old:
        done = harness("gateway", old.url, "--upstream-port", "0", "--", "touch", str(started))
    assert (done.code, started.exists()) == (2, False)
    assert f"{old.url} returns a response before CMD has started: stop the program" in done.err
