"""One key in sixty places of every answer: no command writes it, in no spelling, to no file and no screen."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from harness.transport import ServerThread
from harness.transport.proxy import UpstreamServer
from tests.cli.canary import KEY, TENANT, Cuts, Repeats, leaks, repeat, spell
from tests.cli.conftest import Harness
from tests.transport.peers import RawConnection, RawServer, free_port

pytestmark = pytest.mark.slow

pytest.importorskip("vcr", reason="cassettes need vcrpy: pip install -e '.[record]'")

REPORTS = [
    word
    for report in ("json=r.json", "junit=r.xml", "html=r.html", "markdown=r.md", "badge=b.json")
    for word in ("--report", report)
]
TARGET = ["-H", f"X-Tenant: {TENANT}"]
CLIENT = f"""
import json, os, sys, urllib.request
url = os.environ["GEMINI_BASE_URL"] + "/v1beta/interactions"
def send(headers, **more):
    body = json.dumps({{"model": "gemini-3.8-flash", "input": "hi", **more}}).encode()
    request = urllib.request.Request(url, body, {{"content-type": "application/json", **headers}})
    return urllib.request.urlopen(request).read()
send({{"x-goog-api-key": "another-0123456789"}})
send({{"x-goog-api-key": "another-0123456789"}}, stream=True)
send({{"x-goog-api-key": sys.argv[1], "x-tenant-secret": "{TENANT}"}})
"""
"""The first two requests carry another key: their answers quote one that nothing has named yet."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The server that repeats keys."""
    with ServerThread(Repeats()) as server:
        yield server.url


def test_there_are_sixty_places() -> None:
    """The answers repeat the key in as many places as the tests of this file claim."""
    assert len(repeat(KEY)) + 9 + 11 >= 60


@pytest.mark.parametrize(
    "words",
    [
        ["check", "URL", *TARGET, *REPORTS, "-c", "create.*", "-c", "err.*", "-v"],
        ["check", "URL", *TARGET, "--json", "-c", "stream.*"],
        ["check", "URL", *TARGET, "--profile", "smoke"],
        pytest.param(
            ["fuzz", "URL", *TARGET, *REPORTS, "-e", "laws", "--max-examples", "3", "--store", "st", "-o", "out"],
            marks=pytest.mark.thorough,  # `test_stored_failures` has the same files of a shorter search
        ),
    ],
    ids=lambda words: " ".join(words[:1] + words[-1:]),
)
def test_judges(harness: Harness, url: str, words: list[str], tmp_path: Path) -> None:
    """Neither a judge's screen nor its reports, nor its stored failures, show what the target repeats."""
    done = harness(*((word == "URL" and url) or word for word in words), "--api-key", KEY)
    assert done.code in (0, 1)
    assert leaks(done.out, done.err, folder=tmp_path) == []


def test_stored_failures(harness: Harness, tmp_path: Path) -> None:
    """A failure whose message quotes the key is stored without it, and still known to the next run."""
    with ServerThread(Repeats(wrong=True)) as server:
        words = [server.url, *TARGET, "-e", "history", "--max-examples", "3", "--api-key", KEY]
        first = harness("fuzz", *words, *REPORTS, "-o", "out", "--database", "examples")
        kept = list(Path(".harness").rglob("*.json"))
        again = harness("fuzz", *words)
    assert (first.code, again.code) == (1, 1)
    assert any("quota of ***" in path.read_text("utf-8") for path in kept)
    assert leaks(first.out, first.err, again.out, again.err, folder=tmp_path) == []
    assert "does not fail any more" not in again.out


@pytest.mark.parametrize("known", [True, False], ids=["known from the start", "learned late"])
def test_recordings(
    harness: Harness, url: str, tmp_path: Path, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording of a client, and all that is said about it, is free of the key; `verify --secrets` agrees."""
    if known:
        monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    program = tmp_path.parent / "client.py"
    program.write_text(CLIENT)
    texts: list[str] = []
    for words in (
        ["record", "--target", url, "--cassette", "a.yaml", "--", sys.executable, str(program), KEY],
        ["record", "--target", url, "--cassette", "b.yaml", "--json", "--", sys.executable, str(program), KEY],
        ["verify", "a.yaml", *REPORTS],
        ["verify", "a.yaml", "--json"],
        ["diff", "a.yaml", "b.yaml"],
        ["replay", "a.yaml", "--", sys.executable, str(program), KEY],
    ):
        done = harness(*words)
        texts += [done.out, done.err]
    assert "REDACTED-1" in Path("a.yaml").read_text("utf-8")
    assert leaks(*texts, folder=tmp_path) == []
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    done = harness("verify", "--secrets", "a.yaml", "b.yaml")
    assert (done.code, done.out) == (0, "PASSED: no possible secret in 2 files.\n")


def test_the_gate_finds_what_a_recorder_would_remove(harness: Harness, url: str) -> None:
    """In a recording without redaction `verify --secrets` finds the user's key in every spelling."""
    program = Path("client.py")
    program.write_text(CLIENT)
    command = ["--", sys.executable, str(program), KEY]
    harness("record", "--target", url, "--cassette", "a.yaml", "--no-redaction", *command)
    raw = harness("verify", "--secrets", "a.yaml").out
    assert leaks(raw, folder=Path("none")) == []
    missed = [place for place in repeat(KEY) if place.startswith("as ") and f"echo.{place}" not in raw]
    found = re.search(r"^FAILED: (\d+) possible secrets in ", raw, re.MULTILINE)
    assert found is not None, raw
    assert int(found[1]) > 2 * len(repeat(KEY)), missed


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both keys are in the user's environment."""
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GOOGLE_API_KEY", TENANT)


@pytest.mark.parametrize(
    "output",
    [[*REPORTS, "-vv"], pytest.param(["--json"], marks=pytest.mark.thorough)],  # a report has the same JSON
    ids=["reports", "json"],
)
def test_gateways(harness: Harness, tmp_path: Path, output: list[str]) -> None:
    """A gateway that repeats keys in all it passes on: nothing of that is shown, though its evidence is."""
    port = free_port()
    with ServerThread(Repeats(UpstreamServer(f"http://127.0.0.1:{port}"))) as gateway:
        words = ["gateway", gateway.url, "--upstream-port", str(port), *TARGET, *output, "--only", "gw.[a-e]*"]
        done = harness(*words, "--api-key", KEY)
    assert done.code in (0, 1)
    assert "***" in done.out
    assert leaks(done.out, done.err, folder=tmp_path) == []


BAD_CLIENT = f"""
import json, os, sys, urllib.parse, urllib.request
url = os.environ["GEMINI_BASE_URL"] + "/v1beta/interactions/" + os.environ["INTERACTION_ID"]
query = urllib.parse.urlencode({{"stream": "true", "key": {KEY!r}}})
for place in {list(spell(KEY).values())!r}:
    print("could not log in with", place, file=sys.stderr)
try:
    lines = urllib.request.urlopen(urllib.request.Request(url + "?" + query, headers={{"x-t": "{TENANT}"}}))
    events = [json.loads(line[5:]) for line in lines if line.startswith(b"data: {{")]
except Exception as broken:
    sys.exit("my key is {KEY}")
print("".join(event.get("delta", {{}}).get("text", "") for event in events), end="")
if "always" in sys.argv:
    sys.exit("my key is {KEY}")
"""


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("output", [[*REPORTS, "-vv"], ["--json"]], ids=["reports", "json"])
@pytest.mark.parametrize(("breaks", "code"), [("always", 2), ("when dropped", 1)])
def test_clients(harness: Harness, tmp_path: Path, output: list[str], breaks: str, code: int) -> None:
    """A client that prints its key, and sends it in a URL: neither its words nor the wire are shown with it."""
    program = tmp_path.parent / "bad.py"
    program.write_text(BAD_CLIENT)
    words = ["torture", "--set", "quick", "--kinds", "reset,clean-end", *output]
    done = harness(*words, "--", sys.executable, str(program), breaks)
    assert done.code == code
    said = [done.out, done.err, *(path.read_text("utf-8") for path in tmp_path.rglob("*"))]
    assert any("could not log in" in text for text in said)
    assert leaks(done.out, done.err, folder=tmp_path) == []


@pytest.mark.usefixtures("known")
def test_reports_of_others(harness: Harness, tmp_path: Path) -> None:
    """Reports that were made without a mask are shown with one: their evidence quotes the user's own keys."""
    quoted = json.dumps(f"{KEY} {quote(KEY)} {TENANT}")[1:-1]
    folder = tmp_path.parent / "reports"
    folder.mkdir(exist_ok=True)
    with ServerThread(Repeats(wrong=True)) as server:
        report = f"json={folder / '1.json'}"
        assert harness("check", server.url, *TARGET, "-c", "create.*", "--report", report).code in (0, 1)
    for path in folder.iterdir():
        masked = path.read_text("utf-8")
        assert "***" in masked
        assert '"message": "' in masked
        path.write_text(masked.replace("***", quoted).replace('"message": "', f'"message": "{KEY} '))
        assert leaks(folder=folder)
    for output in ([*REPORTS[:2], *REPORTS[4:8]], ["--json"]):
        done = harness("diff", *[str(folder / "1.json")] * 2, *output)
        assert done.code in (0, 1), done.err
        assert leaks(done.out, done.err, folder=tmp_path) == []


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    "words",
    [
        *(
            ["doctor"],
            ["doctor", "--json"],
            ["incidents"],
            ["incidents", "--json"],
        ),
        *(["mutants", "json-cut-short", "-vv", "-j", "1", *REPORTS], ["mutants", "json-cut-short", "--json"]),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_what_asks_no_server(
    harness: Harness, tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys in the environment, in the URL of a proxy, and in the configuration are not shown."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{quote(KEY, safe='')}@127.0.0.1:9")
    monkeypatch.setenv("GEMINI_BASE_URL", f"http://me:{quote(KEY, safe='')}@127.0.0.1:9/{KEY}")
    Path("pyproject.toml").write_text(f'[tool.harness]\nheader = "x-tenant: {TENANT}"\nurl = "{KEY}"\n')
    done = harness(*words)
    assert done.out + done.err
    Path("pyproject.toml").unlink()
    assert leaks(done.out, done.err, folder=tmp_path) == []


CUTTING = (
    ["check", "URL", *TARGET, *REPORTS, "-c", "create.*", "-c", "get.*", "-vv", "--api-key", KEY],
    ["record", "--target", "URL", "--cassette", "a.yaml"],
)


@pytest.mark.parametrize("words", CUTTING, ids=lambda words: str(words[0]))
def test_answers_that_end_inside_the_key(harness: Harness, tmp_path: Path, words: list[str]) -> None:
    """Of a key inside which an answer was cut, in any spelling, nothing is shown or stored, either."""
    program = tmp_path.parent / "asker.py"
    program.write_text(ASKER)
    with ServerThread(Cuts()) as server:
        command = [server.url if word == "URL" else word for word in words]
        if words[0] == "record":
            command += ["--", sys.executable, str(program), KEY, str(2 * len(spell(KEY)))]
        done = harness(*command)
    said = done.out + done.err + "".join(path.read_text("utf-8") for path in tmp_path.iterdir())
    assert "***" in said or "REDACTED-1" in said
    assert leaks(done.out, done.err, folder=tmp_path, parts=True) == []


COMMANDS = ("proxy", "faulty proxy", "record", "record again", "replay", "serve")
BROKEN = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nKEY\r\n{}",
    b"HTTP/1.1 abc KEY\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/PERCENT?key=KEY\r\nContent-Length: 0\r\n\r\n",
    b"",
)
"""Answers that a recorder and a proxy speak about."""

ASKER = """
import contextlib, http.client, os, sys, urllib.parse
root = urllib.parse.urlsplit(os.environ["GEMINI_BASE_URL"])
for number in range(int(sys.argv[2])):
    path = "/v1beta/interactions/" + sys.argv[1].replace("/", "%2F")
    asked = http.client.HTTPConnection(root.netloc, timeout=30)
    with contextlib.suppress(OSError, http.client.HTTPException):
        asked.request("GET", path, headers={"x-goog-api-key": sys.argv[1]})
        asked.getresponse().read()
    asked.close()
"""


@pytest.mark.parametrize("output", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_said_of_broken_answers(harness: Harness, tmp_path: Path, command: str, output: list[str]) -> None:
    """A key that only the client's requests name is in nothing that is said of answers which break."""
    program, handlers = tmp_path.parent / "asker.py", iter(BROKEN * 2)
    program.write_text(ASKER)

    def answer(connection: RawConnection) -> None:
        said = next(handlers, b"").replace(b"KEY", KEY.encode())
        connection.send(said.replace(b"PERCENT", quote(KEY, safe="").encode()))

    with RawServer(answer) as server:
        words = {
            "proxy": ["proxy", "--target", server.url],
            "faulty proxy": ["proxy", "--target", server.url, "--fault", "all=status:500,times:all"],
            "record": ["record", "--target", server.url, "--cassette", "a.yaml"],
            "record again": ["record", "--target", server.url, "--cassette", "b.yaml"],
            "replay": ["replay", "b.yaml", "--fault", "all=status:500,times:all"],
            "serve": ["serve", "--fault", "all=status:500,times:all"],
        }
        if command in ("replay", "record again"):
            Path("b.yaml").write_text(_ONE)
        client = [sys.executable, str(program), KEY, str(len(BROKEN))]
        done = harness(*words[command], *output, "--", *client)
    assert any(hidden in done.out + done.err for hidden in ("***", "<secret>"))
    assert leaks(done.out, done.err, folder=tmp_path) == []


_ONE = """\
version: 1
interactions:
- request: {method: GET, uri: 'http://h/v1beta/interactions/v1_a', body: null, headers: {}}
  response:
    status: {code: 200, message: OK}
    headers: {content-type: [application/json]}
    body: {string: '{"id": "v1_a"}'}
"""

LOOKER = """
import json, os, sys, threading, urllib.error, urllib.request
root, key, tenant = os.environ["GEMINI_BASE_URL"], sys.argv[1], sys.argv[2]
page = root + "/__harness__/inspector/"
feed = urllib.request.urlopen(page + "feed")
def keep(name, text):
    with open(name, "w") as file:
        file.write(text)
def ask(url, body=None, **headers):
    request = urllib.request.Request(url, body, {"content-type": "application/json", **headers})
    try:
        return urllib.request.urlopen(request).read().decode("utf-8", "replace")
    except urllib.error.HTTPError as refusal:
        return refusal.read().decode("utf-8", "replace")
for more in ({}, {"stream": True}, {"model": "no " + key + " model"}, {"x " + key: [key]}):
    body = json.dumps({"model": "gemini-3.8-flash", "input": "hi " + key, **more}).encode()
    keys = {"x-goog-api-key": key, "x-tenant-secret": tenant}
    ask(root + "/v1beta/interactions?note=" + key.encode().hex(), body, **keys)
seen, number = "", 0
while number < 4:
    line = feed.readline().decode("utf-8", "replace")
    seen += line
    number += line.count('"is":"end"') + line.count('"is": "end"')
keep("feed.txt", seen)
for one in range(1, 5):
    for part in ("", *(f"/{event}" for event in range(12)), "/curl", "/pytest", "/scenario"):
        keep(f"page-{one}{part.replace('/', '-')}.txt", ask(f"{page}exchanges/{one}{part}"))
keep("cassette.txt", ask(page + "cassette"))
if sys.argv[3] == "serve":
    for name in ("", "requests", "faults"):
        keep(f"control-{name}.txt", ask(root + "/__harness__/" + name, accept="application/json"))
"""


@pytest.mark.parametrize("output", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize("command", ["proxy", "record", "serve", "replay"])
def test_servers_and_their_inspectors(
    harness: Harness, url: str, tmp_path: Path, command: str, output: list[str]
) -> None:
    """What stands in front of clients shows no key, known only from their headers.

    Neither on the screen nor in the page's feed, details and copies, nor in the log of requests.
    """
    program, cassette = tmp_path.parent / "looker.py", tmp_path / "a.yaml"
    program.write_text(LOOKER)
    before = {"proxy": ["--target", url], "record": ["--target", url, "--cassette", "a.yaml"], "serve": []}
    if command == "replay":
        client = tmp_path.parent / "client.py"
        client.write_text(CLIENT)
        record = ["record", "--target", url, "--cassette", "a.yaml"]
        assert harness(*record, "--", sys.executable, str(client), KEY).code == 0
        before["replay"] = [str(cassette)]
    done = harness(command, *before[command], *output, "--", sys.executable, str(program), KEY, TENANT, command)
    assert (tmp_path / "feed.txt").stat().st_size > 1000, done.err
    assert leaks(done.out, done.err, folder=tmp_path) == []
