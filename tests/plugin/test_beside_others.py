"""The plugin in one session with pytest-xdist, pytest-randomly, pytest-socket and pytest-recording.

Each claim runs in a toy repository, with the plugins loaded by entry point, as a user has them; and in a separate
process if the other plugin patches global state. Plugins that other claims are about are disabled, so that a
failure has one cause.
"""

from __future__ import annotations

import importlib.util

import pytest

from harness import resources
from harness.emulator import Emulator
from tests.plugin.toys import run

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

OTHERS = {
    "xdist": "xdist",
    "randomly": "pytest_randomly",
    "socket": "pytest_socket",
    "recording": "pytest_recording",
}
"""The name of each plugin for `-p no:`, and its package."""


def beside(pytester: pytest.Pytester, other: str, *arguments: str, process: bool = True) -> pytest.RunResult:
    """Run the toy repository with only this other plugin; skip the test if it is not installed."""
    pytest.importorskip(OTHERS[other], reason=f"pytest-{other} is not installed: pip install -e '.[dev]'")
    installed = (name for name, package in OTHERS.items() if importlib.util.find_spec(package))
    off = (argument for name in installed if name != other for argument in ("-p", f"no:{name}"))
    return run(pytester, *off, *arguments, process=process)


CROWD = """
import os
from pathlib import Path
from urllib.parse import urlsplit

import httpx, pytest

KEY = {"x-goog-api-key": "k"}

@pytest.mark.parametrize("number", range(40))
def test_one_of_many(number, interactions_emulator, worker_id):
    url, mine = interactions_emulator.base_url, f"Mine is {number}."
    parts = urlsplit(url)
    assert os.environ["GOOGLE_GEMINI_BASE_URL"] == f"{parts.scheme}://{parts.netloc}"
    interactions_emulator.reply(mine)
    with httpx.Client(base_url=url + "/v1beta", headers=KEY) as client:
        made = client.post("/interactions", json={"model": "gemini-3.8-flash", "input": f"Number {number}"}).json()
        found = client.get(f"/interactions/{made['id']}").json()
    assert found["steps"][-1]["content"][0]["text"] == mine
    interactions_emulator.requests.assert_calls("create", "get")
    interactions_emulator.requests.assert_created({"input": f"Number {number}"})
    seen = f"{worker_id} {parts.port} {parts.path} {made['id']}"
    Path(__file__).with_name(f"seen-{number}.txt").write_text(seen)
"""


def test_workers_of_xdist(pytester: pytest.Pytester) -> None:
    """Two workers serve at the same time, each on its own port, and a test sees only its own requests.

    In the same run, the suite's items are distributed among the workers.
    """
    crowd = pytester.makepyfile(CROWD)
    suite = ("--pyargs", "harness.suite", "--interactions-url", "emulator", "--interactions-profile", "chaining")
    outcomes = beside(pytester, "xdist", "-n", "2", "--dist", "loadgroup", crowd.name, *suite).parseoutcomes()
    assert set(outcomes) <= {"passed", "skipped"}
    assert outcomes["passed"] >= 40 + 5
    wrong = beside(pytester, "xdist", "-n", "1", *suite, "--interactions-level", "very")
    assert wrong.ret == pytest.ExitCode.USAGE_ERROR, "a wrong option is no failed test"
    wrong.stderr.fnmatch_lines(["ERROR: *must, should, may*"])
    seen = [tuple(file.read_text().split()) for file in pytester.path.glob("seen-*.txt")]
    assert len(set(seen)) == 40
    assert len({identity for *_, identity in seen}) == 1, "an emulator was not fresh"
    served = {(worker, port) for worker, port, *_ in seen}
    assert {worker for worker, _ in served} == {"gw0", "gw1"}
    assert len(served) == len({port for _, port in served}) == 2


MIXED = """
import os

import httpx, pytest

BODY = {"model": "gemini-3.8-flash", "input": "Hi"}
KEY = {"x-goog-api-key": "k"}
ids = set()

@pytest.mark.parametrize("number", range(5))
def test_ids_do_not_depend_on_the_order(number, interactions_emulator):
    ids.add(interactions_emulator.create()["id"])
    assert len(ids) == 1

@pytest.mark.parametrize("number", range(5))
def test_socket(number, interactions_emulator):
    interactions_emulator.reply(f"Answer {number}.")
    made = httpx.post(interactions_emulator.base_url + "/v1beta/interactions", json=BODY, headers=KEY).json()
    assert made["steps"][-1]["content"][0]["text"] == f"Answer {number}."
    interactions_emulator.requests.assert_calls("create")

@pytest.mark.interactions_emulator(event_ids="none")
def test_settings_stay_here(interactions_emulator):
    assert interactions_emulator.emulator.settings.event_ids == "none"

def test_defaults(interactions_emulator):
    assert interactions_emulator.emulator.settings.event_ids != "none"

def test_chain(interactions_chain):
    assert len(interactions_chain.build(3).history) == 6

def test_no_sleep(interactions_no_sleep):
    import time
    time.sleep(1000)
    assert interactions_no_sleep == [1000]

def test_without_a_fixture():
    assert "GOOGLE_GEMINI_BASE_URL" not in os.environ
"""


def test_any_order(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """In two shuffled orders all tests pass, and the ids are the same in each place."""
    monkeypatch.delenv("GOOGLE_GEMINI_BASE_URL", raising=False)
    pytester.makepyfile(MIXED)
    orders = []
    for seed in ("1", "2"):
        result = beside(pytester, "randomly", "-p", "randomly", "-v", f"--randomly-seed={seed}", process=False)
        result.assert_outcomes(passed=15)
        orders.append([line.split()[0] for line in result.outlines if "PASSED" in line])
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]


ALLOWED = """
import httpx, pytest, socket

BODY = {"model": "gemini-3.8-flash", "input": "Hi"}
KEY = {"x-goog-api-key": "k"}

def go_outside():
    with socket.socket() as one:
        one.settimeout(1)
        one.connect(("192.0.2.1", 80))

def test_before():
    with pytest.raises(Exception, match=GUARD):
        go_outside()

@pytest.mark.parametrize("time", ["first", "second"])
def test_socket(time, interactions_emulator):
    answer = httpx.post(interactions_emulator.base_url + "/v1beta/interactions", json=BODY, headers=KEY)
    assert answer.json()["status"] == "completed"

def test_in_process(interactions_emulator):
    with httpx.Client(transport=interactions_emulator.transport, base_url="http://x.test") as client:
        assert client.post("/v1beta/interactions", json=BODY, headers=KEY).status_code == 200

def test_outside(interactions_emulator):
    with pytest.raises(RuntimeError, match="only this machine can be reached"):
        go_outside()
    with pytest.raises(RuntimeError, match="only this machine can be reached"):
        httpx.get("https://example.org/")

def test_after():
    with pytest.raises(Exception, match=GUARD):
        go_outside()
"""


def allowed(pytester: pytest.Pytester, guard: str) -> None:
    """A toy repository where loopback is allowed; `guard` is the other plugin's message about outside hosts."""
    pytester.makepyfile(ALLOWED.replace("GUARD", repr(guard)))


LET_OUT = """
import pytest, socket

def test_ours(interactions_emulator):
    pass

@pytest.mark.enable_socket
def test_no_guard_is_left():
    assert not hasattr(socket.socket.connect, "__code__"), "connect is still patched"
"""


def test_socket_allows_loopback(pytester: pytest.Pytester) -> None:
    """Under pytest-socket the emulator can be reached, outside hosts are refused, and its guard stays in place."""
    allowed(pytester, "tried to use socket.socket.connect")
    pytester.makepyfile(test_z_last=LET_OUT)
    beside(pytester, "socket", "--disable-socket", "--allow-hosts=127.0.0.1").assert_outcomes(passed=8)


def test_recording_allows_loopback(pytester: pytest.Pytester) -> None:
    """Under `--block-network`, a client on a socket fails with the option that it lacks, and passes with it."""
    allowed(pytester, "Network is disabled for host")
    result = beside(pytester, "recording", "--block-network")
    result.assert_outcomes(passed=4, failed=2)
    result.stdout.fnmatch_lines(["E*another plugin refused*`--allowed-hosts=127.0.0.1` of pytest-recording*"])
    result = beside(pytester, "recording", "--block-network", r"--allowed-hosts=127\.0\.0\.1")
    result.assert_outcomes(passed=6)


TOGETHER = """
import os

import httpx, pytest

BODY = {"model": "gemini-3.8-flash", "input": "Hi"}
KEY = {"x-goog-api-key": "AIzaSyVerySecretKeyOfMine0123456789abcdef"}
LIVE = os.environ["INTERACTIONS_RECORD_URL"]

def asked(url, transport=None):
    with httpx.Client(base_url=url, transport=transport, headers=KEY) as client:
        assert client.post("/v1beta/interactions", json=BODY).json()["status"] == "completed"

def test_ours(interactions_cassette):
    asked("http://x.test", interactions_cassette.transport)

@pytest.mark.vcr
def test_theirs():
    asked(LIVE)

def test_neither(interactions_emulator):
    asked("http://x.test", interactions_emulator.transport)

@pytest.mark.vcr
class TestMarked:
    def test_in_process(self, interactions_cassette):
        asked("http://x.test", interactions_cassette.transport)

    def test_socket(self, interactions_cassette):
        asked(interactions_cassette.base_url)

    def test_environment(self, interactions_emulator):
        asked(os.environ["GOOGLE_GEMINI_BASE_URL"])

    def test_another_service_too(self, interactions_cassette):
        asked(interactions_cassette.base_url)
        asked(LIVE)
"""
RECORDED = {
    "test_ours.yaml": 1,
    "test_theirs.yaml": 1,
    "TestMarked.test_in_process.interactions.yaml": 1,
    "TestMarked.test_socket.interactions.yaml": 1,
    "TestMarked.test_another_service_too.interactions.yaml": 1,
    "TestMarked.test_another_service_too.yaml": 1,
}
"""The files that the run writes, and the number of exchanges in each."""


def test_recording_together(pytester: pytest.Pytester, live: Emulator) -> None:
    """`--record-mode` governs our recordings and vcrpy's in one session; then both play without a network.

    In a test with both, our recording has a separate file, and vcrpy records other services but never our server.
    """
    pytest.importorskip("vcr", reason="cassettes need vcrpy: pip install -e '.[record]'")
    pytester.makepyfile(test_app=TOGETHER)
    beside(pytester, "recording", "--record-mode=once").assert_outcomes(passed=7)
    files = {path.name: path.read_text("utf-8") for path in (pytester.path / "cassettes" / "test_app").iterdir()}
    assert {name: text.count("uri:") for name, text in files.items()} == RECORDED
    ours = [text for name, text in files.items() if "x-stream" in text or name.endswith(".interactions.yaml")]
    assert not any("AIzaSyVerySecret" in text for text in ours)
    asked = len(live.requests)
    beside(pytester, "recording", "--block-network", r"--allowed-hosts=127\.0\.0\.1").assert_outcomes(passed=7)
    assert len(live.requests) == asked


OURS_MARKED = """
import os

import httpx, pytest

def plays(cassette):
    first = cassette.requests[0]
    assert httpx.request(first.method, first.uri, content=first.body).status_code == 200

@pytest.mark.vcr
def test_alone(vcr):
    plays(vcr)

@pytest.mark.vcr("other.yaml")
def test_joined(vcr):
    plays(vcr)

@pytest.mark.vcr("test_alone.yaml")
def test_only_the_extra_file(vcr):
    plays(vcr)

@pytest.mark.vcr(record_mode="new_episodes")
def test_more(vcr):
    plays(vcr)
    httpx.get(os.environ["INTERACTIONS_RECORD_URL"] + "/__harness__/")
"""


def test_a_file_of_ours_under_the_marker_of_vcrpy(pytester: pytest.Pytester, live: Emulator) -> None:
    """pytest-recording plays our cassette without drops, alone or joined, and keeps its provenance."""
    pytest.importorskip("vcr", reason="cassettes need vcrpy: pip install -e '.[record]'")
    pytester.makepyfile(test_app=OURS_MARKED)
    folder = pytester.path / "cassettes" / "test_app"
    folder.mkdir(parents=True)
    ours = (resources.folder("cassettes") / "emulator" / "lifecycle.yaml").read_text("utf-8")
    for name in ("test_alone", "test_joined", "test_more"):
        (folder / f"{name}.yaml").write_text(ours, "utf-8")
    (folder / "other.yaml").write_text("version: 1\ninteractions: []\n", "utf-8")
    beside(pytester, "recording", process=False).assert_outcomes(passed=4)
    written = (folder / "test_more.yaml").read_text("utf-8")
    assert written.count("uri:") == ours.count("uri:") + 1
    assert "recorder: harness tap" in written


VCR_RECORDS = """
import socket
import pytest
from harness.plugin import OutsideConnection

def go_outside():
    with socket.socket() as one:
        one.setblocking(False)
        one.connect(("192.0.2.1", 9))

@pytest.mark.vcr
def test_marked(interactions_emulator):
    with pytest.raises(EXPECTED):
        go_outside()

def test_not_marked(interactions_emulator):
    with pytest.raises(OutsideConnection):
        go_outside()
"""


@pytest.mark.parametrize(("mode", "expected"), [("once", "OSError"), ("none", "OutsideConnection")])
def test_the_guard_lets_vcrpy_record(pytester: pytest.Pytester, mode: str, expected: str) -> None:
    """While vcrpy records, it can reach outside hosts; while it plays, and in other tests, nothing can."""
    pytest.importorskip("vcr", reason="cassettes need vcrpy: pip install -e '.[record]'")
    pytester.makepyfile(VCR_RECORDS.replace("EXPECTED", expected))
    beside(pytester, "recording", f"--record-mode={mode}", process=False).assert_outcomes(passed=2)


def test_one_file_for_two(pytester: pytest.Pytester) -> None:
    """A cassette name that vcrpy's recording also uses is refused, before either writes."""
    pytest.importorskip("vcr", reason="cassettes need vcrpy: pip install -e '.[record]'")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.vcr
        @pytest.mark.interactions_cassette("test_it")
        def test_it(interactions_cassette):
            pass
        """
    )
    result = beside(pytester, "recording", "--record-mode=once", process=False)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*test_it.yaml: the test is marked `vcr` too*name another one*"])
    assert not list(pytester.path.glob("cassettes/*/*.yaml"))


PLAIN = """
import sys

def test_emulator(interactions_emulator):
    loaders = {type(module.__spec__.loader).__name__ for name, module in sys.modules.items()
               if name.startswith(("harness.emulator", "harness.transport"))}
    assert loaders == {"SourceFileLoader"}

def test_own_package():
    from harness import of_user
    assert type(of_user.__spec__.loader).__name__ == "AssertionRewritingHook"
"""

REGISTERED = """
import pathlib, pytest, harness
harness.__path__.append(str(pathlib.Path(__file__).parent / "mine"))
pytest.register_assert_rewrite("harness.emulator", "harness.transport", "harness.of_user")
"""


def test_no_module_of_ours_is_rewritten(pytester: pytest.Pytester) -> None:
    """An installed wheel registers its whole package with pytest; a new environment does not parse it again."""
    pytester.makeconftest(REGISTERED)
    pytester.mkdir("mine").joinpath("of_user.py").write_text("")
    pytester.makepyfile(PLAIN)
    run(pytester, process=True).assert_outcomes(passed=2)
