"""A known key and the shape of one: no command writes them to a file or a screen, plain or encoded once."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from harness.transport import ServerThread
from harness.transport.proxy import UpstreamServer
from tests.cli.canary import KEY, SHAPE, TENANT, Repeats, leaks, spell
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
KEYED = ["--api-key", KEY]

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

BAD_CLIENT = f"""
import json, os, sys, urllib.parse, urllib.request
url = os.environ["GEMINI_BASE_URL"] + "/v1beta/interactions/" + os.environ["INTERACTION_ID"]
query = urllib.parse.urlencode({{"stream": "true", "key": {KEY!r}}})
for place in {[*spell(KEY).values(), *spell(SHAPE).values()]!r}:
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
    ask(root + "/v1beta/interactions", body, **keys)
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

BROKEN = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nKEY\r\n{}",
    b"HTTP/1.1 abc KEY\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/PERCENT?key=KEY\r\nContent-Length: 0\r\n\r\n",
    b"",
)
"""Answers that a recorder and a proxy speak about."""


ONE_CALL = """\
version: 1
interactions:
- request: {method: GET, uri: 'http://h/v1beta/interactions/v1_a', body: null, headers: {}}
  response:
    status: {code: 200, message: OK}
    headers: {content-type: [application/json]}
    body: {string: '{"id": "v1_a"}'}
"""


@pytest.fixture
def run(harness: Harness, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Runs a command and returns what it printed; in the end nothing that was printed or written has a secret."""
    said: list[str] = []

    def run(*words: str, codes: tuple[int, ...] = (0, 1)) -> str:
        done = harness(*words)
        assert done.code in codes, done.err
        said.extend((done.out, done.err))
        return done.out + done.err

    yield run
    assert said
    assert leaks(*said, folder=tmp_path) == []


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], list[str]]:
    """Writes a client outside of the folder that is searched, and returns the command that runs it."""

    def write(text: str) -> list[str]:
        path = tmp_path.parent / f"{tmp_path.name}-client.py"
        path.write_text(text)
        return ["--", sys.executable, str(path)]

    return write


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The server that repeats keys."""
    with ServerThread(Repeats()) as server:
        yield server.url


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both keys are in the user's environment."""
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GOOGLE_API_KEY", TENANT)


@pytest.mark.parametrize(
    "words",
    [
        ["check", "URL", *TARGET, *REPORTS, "-c", "create.*", "-c", "err.*", "-v"],
        ["check", "URL", *TARGET, "--json", "-c", "stream.*"],
        ["check", "URL", *TARGET, "--profile", "smoke"],
    ],
    ids=lambda words: " ".join(words[:1] + words[-1:]),
)
def test_judges(run: Callable[..., str], url: str, words: list[str]) -> None:
    """Neither a judge's screen nor its reports show what the target repeats."""
    run(*((word == "URL" and url) or word for word in words), *KEYED)


def test_stored_failures(run: Callable[..., str]) -> None:
    """A failure whose message quotes the key is stored without it, and still known to the next run."""
    with ServerThread(Repeats(wrong=True)) as server:
        words = ["fuzz", server.url, *TARGET, "-e", "history", "--max-examples", "3", *KEYED]
        run(*words, *REPORTS, "-o", "out", "--database", "examples", codes=(1,))
        kept = list(Path(".harness").rglob("*.json"))
        again = run(*words, codes=(1,))
    assert any("quota of ***" in path.read_text("utf-8") for path in kept)
    assert "does not fail any more" not in again


@pytest.mark.parametrize("known", [True, False], ids=["known from the start", "learned late"])
def test_recordings(
    run: Callable[..., str],
    program: Callable[[str], list[str]],
    url: str,
    known: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A recording of a client, and all that is said about it, is free of the keys; `verify --secrets` agrees."""
    if known:
        monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    client = [*program(CLIENT), KEY]
    for words in (
        ["record", "--target", url, "--cassette", "a.yaml", *client],
        ["record", "--target", url, "--cassette", "b.yaml", "--json", *client],
        ["verify", "a.yaml", *REPORTS],
        ["verify", "a.yaml", "--json"],
        ["diff", "a.yaml", "b.yaml"],
        ["replay", "a.yaml", *client],
    ):
        run(*words, codes=(0, 1, 3))
    assert "REDACTED-1" in Path("a.yaml").read_text("utf-8")
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    assert run("verify", "--secrets", "a.yaml", "b.yaml") == "PASSED: no possible secret in 2 files.\n"


def test_the_gate_finds_what_a_recorder_would_remove(
    harness: Harness, program: Callable[[str], list[str]], url: str
) -> None:
    """In a recording without redaction `verify --secrets` finds the keys, and shows none."""
    client = [*program(CLIENT), KEY]
    harness("record", "--target", url, "--cassette", "a.yaml", "--no-redaction", *client)
    raw = harness("verify", "--secrets", "a.yaml").out
    assert leaks(raw, folder=Path("none")) == []
    found = re.search(r"^FAILED: (\d+) possible secrets in ", raw, re.MULTILINE)
    assert found is not None, raw
    assert int(found[1]) > 2 * len(spell(KEY))


def test_gateways(run: Callable[..., str]) -> None:
    """A gateway that repeats keys in all it passes on: nothing of that is shown, though its evidence is."""
    port = free_port()
    with ServerThread(Repeats(UpstreamServer(f"http://127.0.0.1:{port}"))) as gateway:
        words = ["gateway", gateway.url, "--upstream-port", str(port), *TARGET, *REPORTS, "-vv"]
        words += ["-c", "gw.[a-e]*", "--watch", "0", "--idle", "0.5", "--patience", "1"]
        assert "***" in run(*words, *KEYED)


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("output", [[*REPORTS, "-vv"], ["--json"]], ids=["reports", "json"])
@pytest.mark.parametrize(("breaks", "code"), [("always", 2), ("when dropped", 1)])
def test_clients(
    run: Callable[..., str],
    program: Callable[[str], list[str]],
    tmp_path: Path,
    output: list[str],
    breaks: str,
    code: int,
) -> None:
    """A client that prints its key, and sends it in a URL: neither its words nor the wire are shown with it."""
    words = ["torture", "--set", "quick", "-c", "reset,clean-end", *output]
    said = run(*words, *program(BAD_CLIENT), breaks, codes=(code,))
    written = [path.read_text("utf-8") for path in tmp_path.rglob("*") if path.is_file()]
    assert any("could not log in" in text for text in (said, *written))


@pytest.mark.usefixtures("known")
def test_reports_of_others(run: Callable[..., str], harness: Harness, tmp_path: Path) -> None:
    """Reports that were made without a mask are shown with one: their evidence quotes the user's own keys."""
    report = tmp_path.parent / f"{tmp_path.name}.json"
    with ServerThread(Repeats(wrong=True)) as server:
        assert harness("check", server.url, *TARGET, "-c", "create.*", "--report", f"json={report}").code == 1
    masked = report.read_text("utf-8")
    assert "***" in masked
    quoted = json.dumps(f"{KEY} {quote(KEY)} {TENANT} {SHAPE}")[1:-1]
    report.write_text(masked.replace("***", quoted).replace('"message": "', f'"message": "{KEY} '))
    for output in ([*REPORTS[:2], *REPORTS[4:8]], ["--json"]):
        run("diff", str(report), str(report), *output)


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    "words",
    [["incidents"], ["incidents", "--json"], ["mutants", "json-cut-short"]],
    ids=lambda words: " ".join(words[:2]),
)
def test_what_asks_no_server(run: Callable[..., str], words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in the environment, in the URL of a proxy, and in the configuration are not shown."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{quote(KEY, safe='')}@127.0.0.1:9")
    monkeypatch.setenv("GEMINI_BASE_URL", f"http://me:{quote(KEY, safe='')}@127.0.0.1:9/{KEY}")
    Path("pyproject.toml").write_text(f'[tool.harness]\nheader = "x-tenant: {TENANT}"\nurl = "{KEY}"\n')
    run(*words, codes=(0, 1, 2))
    Path("pyproject.toml").unlink()


@pytest.mark.parametrize("output", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize(
    "words",
    [
        ["proxy", "--target", "URL"],
        ["proxy", "--target", "URL", "--fault", "all=status:500,times:all"],
        ["record", "--target", "URL", "--cassette", "a.yaml"],
        ["replay", "b.yaml", "--fault", "all=status:500,times:all"],
        ["serve", "--fault", "all=status:500,times:all"],
    ],
    ids=lambda words: f"{words[0]} {len(words)}",
)
def test_what_is_said_of_broken_answers(
    run: Callable[..., str], program: Callable[[str], list[str]], words: list[str], output: list[str]
) -> None:
    """A key that only the client's requests name is in nothing that is said of answers which break."""
    handlers = iter(BROKEN * 2)

    def answer(connection: RawConnection) -> None:
        said = next(handlers, b"").replace(b"KEY", KEY.encode())
        connection.send(said.replace(b"PERCENT", quote(KEY, safe="").encode()))

    if words[0] == "replay":
        Path("b.yaml").write_text(ONE_CALL)
    with RawServer(answer) as server:
        command = [server.url if word == "URL" else word for word in words]
        said = run(*command, *output, *program(ASKER), KEY, str(len(BROKEN)), codes=(0, 1, 2, 3, 4))
    assert any(hidden in said for hidden in ("***", "<secret>"))


@pytest.mark.parametrize("output", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize("command", ["proxy", "record", "serve", "replay"])
def test_servers_and_their_inspectors(
    run: Callable[..., str],
    program: Callable[[str], list[str]],
    url: str,
    tmp_path: Path,
    command: str,
    output: list[str],
) -> None:
    """What stands in front of clients shows no key, known only from their headers.

    Neither on the screen nor in the page's feed, details and copies, nor in the log of requests.
    """
    before = {"proxy": ["--target", url], "record": ["--target", url, "--cassette", "a.yaml"], "serve": []}
    if command == "replay":
        run("record", "--target", url, "--cassette", "a.yaml", *program(CLIENT), KEY, codes=(0,))
        before["replay"] = ["a.yaml"]
    run(command, *before[command], *output, *program(LOOKER), KEY, TENANT, command, codes=(0, 1, 2, 3, 4))
    assert (tmp_path / "feed.txt").stat().st_size > 1000
