"""A rehearsal of recording the live service again, with the real commands and `harness serve` behind TLS."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import jsonschema
import pytest

from harness.cassette import load
from harness.checks.scenarios import SCENARIOS
from harness.resources import folder
from tests.transport.certificates import Certificate

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

KEY = "AIzaSyHarnessRehearsal0123456789abcdefg"
QUOTA = "all=pass,times:15/status:429,retry-after:3600,times:all"
HANGS = "starts=pass/event:1,stall,times:all"
CREATE = "POST /v1beta/interactions"


class Service:
    """A process of `harness serve` behind TLS."""

    def __init__(self, url: str, process: subprocess.Popen[str], ca_file: str) -> None:
        self.url = url
        self.process = process
        self._client = httpx.Client(
            base_url=f"{url}/__harness__", verify=ssl.create_default_context(cafile=ca_file), trust_env=False
        )

    def suffer(self, plan: str) -> None:
        """Set a fault plan."""
        self._client.post("/faults", json={"plan": plan}).raise_for_status()

    def recover(self) -> None:
        """Remove the fault plan."""
        self._client.delete("/faults").raise_for_status()

    def requests(self) -> list[str]:
        """Return method and target of every request so far, oldest first."""
        return [f"{r['method']} {r['target']}" for r in self._client.get("/requests").json()["requests"]]

    def close(self) -> None:
        """Close the control connection and stop the process."""
        self._client.close()
        self.process.terminate()
        self.process.wait(timeout=60)


@contextmanager
def service(certificate: Certificate, *words: str) -> Iterator[Service]:
    """A fresh service."""
    here = Path(certificate.ca_file).parent
    files = ("--tls-cert", str(here / "cert.pem"), "--tls-key", str(here / "key.pem"))
    command = [sys.executable, "-m", "harness", "serve", "--port", "0", "--json", *files, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        served = Service(json.loads(process.stdout.readline())["base_url"], process, certificate.ca_file)
        try:
            yield served
        finally:
            served.close()


class Done(NamedTuple):
    """Exit code and output of a session."""

    code: int
    out: str
    err: str


class Maintainer:
    """A user with a key who records into a folder; `said` collects the output of all sessions."""

    def __init__(self, folder: Path, ca_file: str) -> None:
        self.folder = folder
        self.said = ""
        self._ca_file = ca_file

    def start(self, url: str, *words: str, missing: str = "") -> subprocess.Popen[str]:
        """Start an unattended session, for what an output names as missing, or for all scenarios."""
        found = re.search("for these: --send (.*)", missing)
        names = found[1].split() if found else ["all"]
        command = [sys.executable, "-m", "harness", "record", "--send", *names, "--target", url]
        command += ["--ca-file", self._ca_file, "--cassette", str(self.folder), "--max-requests", "120"]
        environment = {**os.environ, "GEMINI_API_KEY": KEY, "NO_PROXY": "*"}
        pipe = subprocess.PIPE
        return subprocess.Popen([*command, *words], stdout=pipe, stderr=pipe, text=True, env=environment)

    def record(self, url: str, *words: str, missing: str = "") -> Done:
        """Run a session to its end."""
        return self.end(self.start(url, *words, missing=missing))

    def end(self, process: subprocess.Popen[str], said: str = "") -> Done:
        """Wait for the end of a session whose output was read as far as `said`."""
        with process:
            out, err = process.communicate(timeout=120)
        self.said += said + out + err
        return Done(process.returncode, said + out, err)

    def cassettes(self) -> dict[str, bytes]:
        """Return the content of every file in the folder, hidden ones included."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir()} if self.folder.exists() else {}


@pytest.fixture
def maintainer(certificate: Certificate, tmp_path: Path) -> Iterator[Maintainer]:
    """A maintainer with an empty folder; afterwards the key is in neither output nor files."""
    maintainer = Maintainer(tmp_path / "recordings", certificate.ca_file)
    yield maintainer
    assert KEY not in maintainer.said
    assert [name for name, data in maintainer.cassettes().items() if KEY.encode() in data] == []


WHOLE = {f"{name}.yaml" for name in SCENARIOS}


def test_a_month_of_recordings(certificate: Certificate, maintainer: Maintainer) -> None:
    """A whole recording; one that a quota cuts short; one of the rest; one that finds a changed field."""
    with service(certificate) as served:
        first = maintainer.record(served.url)
        assert (first.code, first.err) == (0, "")
        before = maintainer.cassettes()
        assert set(before) == WHOLE

        served.suffer(QUOTA)
        stopped = maintainer.record(served.url)
        assert stopped.code == 1
        assert "the quota is exhausted: POST /v1beta/interactions returned 429" in stopped.out
        assert "4 of 12 scenarios recorded" in stopped.out
        assert (
            "missing; repeat the command for these: "
            "--send resume chaining tools agent errors waiting limits inputs\n" in stopped.out
        )
        between = maintainer.cassettes()
        assert {name for name in WHOLE if between[name] != before[name]} == {
            "lifecycle.yaml", "background.yaml", "cancel.yaml", "streaming.yaml",
        }  # fmt: skip

        served.recover()
        went_on = maintainer.record(served.url, missing=stopped.out)
        assert (went_on.code, went_on.out.count(": recorded")) == (0, 8), went_on.out
        assert set(maintainer.cassettes()) == WHOLE
        assert all(maintainer.cassettes()[name] != before[name] for name in WHOLE - {"errors.yaml"})

    with service(certificate, "--mutant", "usage-openai") as changed:
        drifted = maintainer.record(changed.url)
    assert drifted.code == 1
    structure = [line for line in drifted.out.splitlines() if line.startswith("  structure  ")]
    [whole] = [line for line in structure if line.startswith("  structure  body.usage: ")]
    assert "removed total_input_tokens, " in whole
    assert whole.endswith("added prompt_tokens (integer)")
    assert [line for line in structure if "total_input_tokens" in line or "prompt_tokens" in line] == [whole]
    assert b"prompt_tokens" in maintainer.cassettes()["lifecycle.yaml"]


def test_a_short_wait_is_waited_out(certificate: Certificate, maintainer: Maintainer) -> None:
    """A session obeys a short rate limit and reports it, and no recording contains it."""
    with service(certificate) as served:
        served.suffer("all=pass,times:1/status:429,retry-after-ms:20,times:2")
        done = maintainer.record(served.url, "--json")
    assert done.code == 0
    assert done.err.count("waiting 0.02 s, as the target requests: GET /v1beta/interactions/") == 2
    schema = json.loads((folder("schemas") / "output" / "record-scenarios.schema.json").read_text("utf-8"))
    jsonschema.validate(told := json.loads(done.out), schema)
    assert {scenario["state"] for scenario in told["scenarios"]} == {"recorded"}
    assert [r.status for r in load(maintainer.folder / "lifecycle.yaml").recordings] == [200, 200, 200, 404]


def half_way(maintainer: Maintainer, url: str) -> tuple[subprocess.Popen[str], str]:
    """Start a session; return it and its output once three scenarios are done and the fourth is about to hang."""
    process = maintainer.start(url)
    assert process.stdout is not None
    said = ""
    while "cancel: recorded" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return process, said


def kept(maintainer: Maintainer) -> set[str]:
    """Return the cassettes in the folder, after asserting that there is no unfinished file beside them."""
    names = set(maintainer.cassettes())
    assert names <= WHOLE
    return names & WHOLE


def test_interrupted_half_way(certificate: Certificate, maintainer: Maintainer) -> None:
    """After an interruption, finished scenarios stay, interactions are deleted, the named rest can be recorded."""
    with service(certificate) as served:
        served.suffer(HANGS)
        process, said = half_way(maintainer, served.url)
        while served.requests().count(CREATE) < 5:
            pass
        process.send_signal(signal.SIGINT)
        done = maintainer.end(process, said)
        assert done.code == 130
        assert kept(maintainer) == {"lifecycle.yaml", "background.yaml", "cancel.yaml"}
        deleted = {line for line in served.requests() if line.startswith("DELETE ")}
        assert len(deleted) >= 4, "only the last of five may not have come far enough to be known"

        served.recover()
        assert maintainer.record(served.url, missing=done.out).code == 0
    assert kept(maintainer) == WHOLE


def test_a_service_that_goes_away_half_way(certificate: Certificate, maintainer: Maintainer) -> None:
    """If the service dies, the session says what is missing, and calls nothing unsupported.

    The test of an interruption continues one.
    """
    with service(certificate) as served:
        served.suffer(HANGS)
        process, said = half_way(maintainer, served.url)
        served.process.kill()
        done = maintainer.end(process, said)
    assert done.code == 1
    assert "unsupported" not in done.out
    assert "the connection to the target was lost" in done.out
    assert "--send streaming resume chaining tools agent errors" in done.out
    assert kept(maintainer) == {"lifecycle.yaml", "background.yaml", "cancel.yaml"}
