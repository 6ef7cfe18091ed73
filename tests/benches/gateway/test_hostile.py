"""Gateways that break HTTP: each gets a sentence and a verdict that is not green, and no run hangs or breaks."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from harness.cli import main
from harness.outcome import Exit
from tests.benches.gateway.foreign_gateway import Faithful, serving
from tests.transport.hostile_peers import ENDING, PEERS
from tests.transport.peers import RawConnection, RawServer, free_port

BRIEF = ["--patience", "1", "--timeout", "1", "--deadline", "20", "--watch", "0", "--idle", "0.5"]


@pytest.mark.slow
@pytest.mark.parametrize("name", PEERS)
def test_what_is_no_gateway_gets_a_sentence(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run through a peer that breaks HTTP ends, says why, and writes its reports."""
    path = tmp_path / "report.json"
    with RawServer(PEERS[name]) as peer:
        code = main(["gateway", peer.url, "--upstream-port", "0", *BRIEF, "--report", f"json={path}"])
    said = capsys.readouterr().err
    assert code == Exit.UNREACHABLE
    assert said.startswith("harness: ")
    assert "Traceback" not in said
    report = json.loads(path.read_text("utf-8"))
    assert report["exit"] == code
    assert " ".join(report["accounting"]["halted"].split()) in " ".join(said.split())


class Turns(Faithful):
    """Passes on three requests, and then breaks HTTP in the way that `hostile` names."""

    hostile = ""
    asked = 0
    over = threading.Event()

    def relay(self) -> None:
        type(self).asked += 1
        if self.asked <= 3:
            super().relay()
            return
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.close_connection = True
        PEERS[self.hostile](RawConnection(self.connection, self.over))

    do_GET = do_POST = do_DELETE = relay


@pytest.mark.slow
@pytest.mark.parametrize("name", [*ENDING, "fields that drip", "a flood of interim answers"])
def test_a_gateway_that_goes_bad_is_never_green(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What no longer relays is not called a refusal: the run fails, or says that no check ran."""
    path = tmp_path / "report.json"
    kind = type("Turned", (Turns,), {"hostile": name, "asked": 0, "over": threading.Event()})
    port = free_port()
    with serving(kind, f"http://127.0.0.1:{port}") as url:
        code = main(["gateway", url, "--upstream-port", str(port), *BRIEF, "--report", f"json={path}"])
        kind.over.set()
    assert code in (Exit.FAILED, Exit.UNREACHABLE)
    assert "Traceback" not in "".join(capsys.readouterr())
    assert json.loads(path.read_text("utf-8"))["exit"] == code
