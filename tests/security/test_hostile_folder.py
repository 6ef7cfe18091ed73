"""A folder that the user did not write: its files choose no receiver of a key, no file elsewhere, no program."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import pytest

from harness import child_processes
from harness.cli.arguments import load_options
from harness.cli.main import COMMANDS, main
from harness.emulator import Emulator
from harness.emulator.mutants import MUTANTS
from harness.engine.targets import TargetOptions, resolve_target
from harness.interactions.servers import SERVERS
from harness.transport import ServerThread
from harness.wire import Request, Response
from tests.foreign.answering import AnsweringHandler, Refused
from tests.foreign.listening import listening

KEY = "AIza" + "s3cr3t-k3y" * 3


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hostile folder that is the current one, with a key in the environment."""
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("HARNESS_GATEWAY_KEY", KEY)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return folder


def configure(folder: Path, text: str) -> None:
    """Write a pyproject.toml with this table of the harness."""
    (folder / "pyproject.toml").write_text(f"[tool.harness]\n{text}\n", encoding="utf-8")


@contextmanager
def hearing() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A server on loopback: its URL, and the path and headers of each request that it got."""
    heard: list[tuple[str, str]] = []

    class Listener(AnsweringHandler):
        def dispatch(self, data: bytes) -> None:
            heard.append((self.path, str(self.headers)))
            raise Refused(404, "not_found")

    with listening(Listener) as url:
        yield url, heard


@pytest.mark.parametrize(
    "version",
    ["../../theirs", "..", "v1/../../theirs", "%2e%2e/theirs", "v1?x=", "#", "\\\\theirs", ".", "v1\\r\\nx"],
)
def test_a_version_leads_no_key_above_the_path_of_the_target(
    version: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gateway serves several people, each below a path: the file of a folder does not choose another one."""
    configure(repository, f'api-version = "{version}"')
    with hearing() as (url, heard):
        assert main(["check", f"{url}/mine", "-c", "create.ok"]) == 2
        assert heard == []
        assert "is not an API version" in capsys.readouterr().err
        configure(repository, 'api-version = "v1/projects/x"')
        assert main(["check", f"{url}/mine", "-c", "create.ok"]) == 4
        assert {path for path, _ in heard} == {"/mine/v1/projects/x/interactions"}


CARRIES_KEY = ("check", "fuzz", "gateway", "record --send errors --cassette out", "proxy")


@pytest.mark.parametrize("command", CARRIES_KEY)
@pytest.mark.parametrize("inside", [".", "deep/er"])
def test_no_target_of_the_folder_gets_the_key(
    command: str,
    inside: str,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A pyproject.toml here or above names no server, for any command; the error says what to write."""
    (repository / inside).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(repository / inside)
    with hearing() as (url, heard):
        name = command.split()[0]
        for table in ("", f".{name}"):
            (repository / "pyproject.toml").write_text(f'[tool.harness{table}]\ntarget = "{url}"\n', "utf-8")
            assert main(command.split()) == 2
            capsys.readouterr()
    assert heard == []


CHECK = ("check", "emulator", "-c", "get.unknown")


def test_a_link_leads_no_store_of_failures_elsewhere(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The default place of `fuzz` is inside the current folder; another one is written if the user names it."""
    pytest.importorskip("schemathesis")
    (repository.parent / "outside").mkdir()
    (repository / ".harness").symlink_to(repository.parent / "outside")
    assert main(["fuzz", "emulator", "--engine", "laws", "--max-examples", "1"]) == 2
    assert "remove the link, or name the folder with --store" in capsys.readouterr().err
    assert list((repository.parent / "outside").iterdir()) == []


PLANTED = {
    "manifest.json": {
        "format_version": 1, "schemathesis_version": "x", "schema_location": "", "base_url": "", "created_at": "",
        "next_run_id": 1, "auth_identities": {},
    },
    "entries.jsonl": {
        "id": 1, "kind": "method_not_allowed", "operation": "DELETE /interactions/{id}", "observation_keys": [],
        "last_replayed_run": 0,
        "request": {
            "method": "DELETE", "path_parameters": {"id": "../../../planted"},
            "headers": {"x-portkey-custom-host": "https://planted.example"},
        },
    },
}  # fmt: skip
"""What schemathesis would send first."""

OPENED = """
import os, sys
here, opened = os.getcwd() + os.sep, set()
events = ("open", "os.listdir", "os.scandir", "os.rename", "os.remove", "os.mkdir")

def note(event, given):
    if event in events and isinstance(given[0], str):
        path = os.path.abspath(given[0])  # a name in another folder that is held is none of this one
        if path.startswith(here) and os.path.lexists(path) and path != here + "pyproject.toml":
            opened.add(path)

sys.addaudithook(note)
from harness.cli.main import main
for words in sys.argv[1:]:
    main(words.split())
    print("OPENED", words, sorted(opened))
"""


LURES = (
    "schemathesis.toml", "hypothesis.ini", "setup.cfg", "tox.ini", "pytest.ini", "conftest.py", "hooks.py", ".env",
    ".netrc", ".curlrc", ".npmrc", ".coveragerc", "package.json", "pip.conf", "logging.conf", "openssl.cnf",
    "json.py", "ssl.py", "httpx.py", "yaml.py", "sitecustomize.py",
)  # fmt: skip
"""Files that a library or a tool may look for in the current folder, and modules that Python may."""
FUZZ = "fuzz emulator --max-examples 1 --no-store --deadline 8"
QUIET = (
    f"{FUZZ} --engine laws --engine history --engine schema", "check emulator -c get.unknown",
    "mutants resume-skips-one", "torture -c reset -- true", "serve --port 0 -- true", "incidents", "list",
    "explain get.ok", "gateway http://127.0.0.1:1 --upstream-port 0",
)  # fmt: skip


@pytest.mark.slow
def test_a_command_opens_nothing_in_the_folder(repository: Path) -> None:
    """Nor do its libraries: a folder could bring requests, settings or code for them, which would meet the key."""
    pytest.importorskip("schemathesis")
    cache = repository / ".schemathesis" / "default" / "cache"
    cache.mkdir(parents=True)
    for name, value in PLANTED.items():
        (cache / name).write_text(f"{json.dumps(value)}\n", encoding="utf-8")
    for name in LURES:
        (repository / name).write_text("hooks", encoding="utf-8")
    (repository / ".hypothesis").mkdir()
    before = {path: path.is_file() and path.read_bytes() for path in repository.rglob("*")}
    done = subprocess.run(
        [sys.executable, "-I", "-c", OPENED, *QUIET],
        env={**os.environ, "XDG_CACHE_HOME": str(repository.parent / "cache"), "SCHEMATHESIS_HOOKS": "hooks"},
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line for line in done.stdout.splitlines() if line.startswith("OPENED ")]
    assert told == [f"OPENED {words} []" for words in QUIET], done.stderr
    assert {path: path.is_file() and path.read_bytes() for path in repository.rglob("*")} == before


@pytest.mark.slow
def test_fuzz_follows_no_redirect(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server could lead a request with the key to any path of its host, where somebody else may be served."""
    pytest.importorskip("schemathesis")
    from harness.engine.search import openapi

    monkeypatch.setattr(openapi, "find_families", lambda _, document, __: document.families[:1])
    emulator, heard, led, statuses = Emulator(), list[str](), list[str](), cycle((301, 303, 307))

    def lead(request: Request) -> Response:
        heard.append(request.target)
        if "schemathesis" in request.headers.get("user-agent"):
            led.append(request.target)
            return Response.json(next(statuses), b"{}", [("location", "/team-b/steal")])
        return emulator(request)

    with ServerThread(lead, clock=emulator.clock) as server:
        main(["fuzz", server.url, "--engine", "schema", "--max-examples", "1", "--no-store"])
    assert len(led) > 10
    assert not [target for target in heard if "team-b" in target]


@pytest.mark.parametrize(
    "url", ["http://service.example:8000", "http://10.0.0.7", "http://localhost.:8400", "http://127.0.0.1.:8400"]
)
def test_a_key_crosses_no_network_in_plain_text(
    url: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key is not sent over plain HTTP to another machine, even if the user names it."""
    assert main(["check", url]) == 2
    assert f"the key would be sent in plain text to {url}" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("fuzz", "--engine", "schema", "--max-examples", "1", "--deadline", "3", "--no-store"),
        ("fuzz", "--engine", "history", "--seed", "1", "--max-examples", "8", "--no-store"),
        ("check", "-c", "get.ok"),
    ],
    ids=" ".join,
)
def test_no_setting_of_the_user_changes_a_request(
    words: tuple[str, ...], repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither schemathesis nor curl, which `fuzz` runs, sends the key to a proxy, or a password of `~/.netrc`."""
    pytest.importorskip("schemathesis")
    emulator = MUTANTS["delete-twice-crashes"].build()  # to shrink what shows no wait takes a second
    sent: list[str] = []

    def note(request: Request) -> Response:
        sent.append(request.headers.get("authorization"))
        return emulator(request)

    (repository.parent / ".netrc").write_text("default login victim password s3cr3t\n", encoding="utf-8")
    (repository.parent / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(repository.parent))
    monkeypatch.delenv("NETRC", raising=False)
    with hearing() as (proxy, heard), ServerThread(note, clock=emulator.clock) as server:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        assert main([words[0], server.url, *words[1:]]) in (0, 1, 3)
        assert heard == []
        assert sent
        assert not [value for value in sent if value.startswith("Basic")]
        assert "no_proxy" not in os.environ
    if "history" in words and shutil.which("curl"):
        assert "curl" in capsys.readouterr().out


TAKES_HEADERS = sorted(name for name in COMMANDS if "header" in load_options(name).list_options())


@pytest.mark.parametrize("header", ["Authorization: Bearer s3cret", "X-My-Gateway: s3cret", "Cookie: a=s3cret"])
@pytest.mark.parametrize("command", TAKES_HEADERS)
def test_a_header_crosses_no_network_in_plain_text(
    command: str,
    header: str,
    repository: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A header of the user's own counts as a key; the word that lets a key pass lets the header pass."""
    for variable in ("GEMINI_API_KEY", "HARNESS_GATEWAY_KEY"):
        monkeypatch.delenv(variable)
    url = "http://service.example:8000"
    words = [
        command,
        *(("--target", url, "--send", "limits") if command == "record" else (url,)),
        "-H",
        header,
    ]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert f"the header '{header.partition(':')[0]}' would be sent in plain text to {url}" in said
    assert "--plain-http" in said
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("url", "header", "plain"),
    [
        ("http://service.example", "Accept: a/b", False),
        ("http://service.example", "Authorization: x", True),
        ("http://127.0.0.1:1", "Authorization: x", False),
        ("http://localhost:1", "Authorization: x", False),
        ("https://service.example", "Authorization: x", False),
    ],
)
def test_a_header_passes_where_a_key_does(url: str, header: str, plain: bool) -> None:
    """Nothing is refused to this machine, over TLS, with the user's word, or for a header that holds no secret."""
    name, _, value = header.partition(": ")
    options = TargetOptions(headers=((name, value),), plain_http=plain)
    assert resolve_target(SERVERS, url, options).info.url == url


SENDS_NOTHING: dict[str, tuple[int | str, ...]] = {
    "verify": (1, "verify", "a.yaml", "a.har"),
    "search": (0, "verify", "--secrets", "a.yaml", "a.har"),
    "diff": (0, "diff", "a.yaml", "b.yaml"),
    "diff with the emulator": (1, "diff", "a.yaml", "emulator"),
    "text of a diff": (0, "diff", "--textconv", "a.yaml"),
    "replay": (3, "replay", "a.yaml", "--port", "0", "--", "true"),
    "torture": (2, "torture", "--cassette", "a.yaml", "--deadline", "1", "--", "true"),
    "scenario": (2, "serve", "--scenario", "scenario.yaml", "--port", "0", "--", "true"),
    "compare": (0, "diff", "report.json", "report.json", "--report", "html=out.html"),
}


@pytest.mark.parametrize("name", SENDS_NOTHING)
def test_an_address_in_a_file_gets_no_request(name: str, repository: Path) -> None:
    """Cassettes, HAR files, scenarios and reports may hold any URL: no command sends anything there."""
    with hearing() as (url, heard):
        assert main((*CHECK, "--report", "json=report.json")) == 0
        report = json.loads((repository / "report.json").read_text("utf-8"))
        report["target"] = {**report["target"], "url": url, "name": url}
        (repository / "report.json").write_text(json.dumps(report), encoding="utf-8")
        create = {"method": "POST", "uri": f"{url}/v1beta/interactions", "body": '{"model": "m", "input": "hi"}'}
        create["headers"] = {"content-type": ["application/json"]}  # type: ignore[assignment]
        reply = {
            "status": {"code": 200, "message": "OK"},
            "headers": {"location": [url]},
            "body": {"string": '{"id": "x"}'},
        }
        recorded = {
            "version": 1,
            "interactions": [{"request": create, "response": reply}],
            "metadata": {"url": url},
        }
        for cassette in ("a.yaml", "b.yaml"):
            (repository / cassette).write_text(json.dumps(recorded), encoding="utf-8")
        sent = {"method": "POST", "url": f"{url}/v1beta/interactions", "headers": [], "postData": {"text": "{}"}}
        back = {"status": 302, "headers": [], "content": {"text": "{}"}, "redirectURL": url}
        har = {"log": {"entries": [{"request": sent, "response": back}]}}
        (repository / "a.har").write_text(json.dumps(har), encoding="utf-8")
        scenario = f"- text: hi\n  webhook_config: {{uris: ['{url}']}}\n"
        (repository / "scenario.yaml").write_text(scenario, encoding="utf-8")
        code, *words = SENDS_NOTHING[name]
        assert main([str(word) for word in words]) == code
    assert heard == []


def plant(folder: Path, marker: Path) -> None:
    """Put files into a folder that Python would run or read if it looked for its own modules there."""
    code = f"open({str(marker)!r}, 'a').write(__file__ + chr(10))\n"
    for name in ("pip", "venv", "ensurepip", "harness"):
        (folder / name).mkdir(exist_ok=True)
        for file in ("__init__.py", "__main__.py"):
            (folder / name / file).write_text(code, encoding="utf-8")
    for name in ("sitecustomize.py", "usercustomize.py", "json.py", "subprocess.py"):
        (folder / name).write_text(code, encoding="utf-8")


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_npx_runs_no_program_of_the_folder(repository: Path) -> None:
    """The npm package starts no `harness` that the folder brings, but one on PATH, with the PATH as it is."""
    node = child_processes.find_program("node")
    script = Path(__file__).parents[2] / "javascript" / "bin.js"
    own = repository.parent / "own"
    places = (
        repository / ".venv" / "bin",
        repository / "node_modules" / ".bin",
        repository / "bin",
        repository,
        own,
    )
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
        (place / "harness").write_text(f'#!/bin/sh\necho "$0" >> {repository.parent / "ran"}\n', encoding="utf-8")
        (place / "harness").chmod(0o755)
    inside = repository / "node_modules" / ".bin"
    path = ["", ".", "bin", str(inside), f"{inside}/"]
    for last, code in (([], 127), ([str(own)], 0)):
        environment = {"PATH": os.pathsep.join((*path, *last)), "HOME": str(repository.parent)}
        done = subprocess.run([str(node), str(script)], env=environment, capture_output=True, check=False)
        assert done.returncode == code, done.stderr
    assert (repository.parent / "ran").read_text("utf-8").splitlines() == [str(own / "harness")]
