"""Scripts and tests that show a failure: no server and no file chooses a program or a receiver in them."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.checks.catalogue import CATALOGUE
from harness.engine.events import Observation, Reproduction, Result, Verdict
from harness.engine.targets import TargetOptions, resolve_target
from harness.interactions.servers import SERVERS
from harness.outcome import Outcome
from harness.report.commands.fuzz import pytest_module
from harness.report.evidence.curl import Display, curl_lines
from harness.strategies.operations import ClientCommand
from harness.wire import COMPLETE, Chunk, Exchange, ExchangeBuilder, Headers, Length, Request
from harness.wire.mask import Mask
from tests.foreign.answering import AnsweringHandler
from tests.foreign.listening import listening
from tests.in_one_test import in_one_test

CREATE = "/v1beta/interactions"
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@contextmanager
def lying(ids: dict[str, str]) -> Iterator[str]:
    """The URL of a server that answers everything with these ids."""

    class Liar(AnsweringHandler):
        def dispatch(self, data: bytes) -> dict[str, str]:
            return {**ids, "status": "completed"}

    with listening(Liar) as url:
        yield url


def exchange(sent: Any, got: Any, method: str = "POST", target: str = CREATE) -> Exchange:
    """A request, of JSON unless its body is given, and its answer."""
    body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    answer = json.dumps(got).encode()
    builder = ExchangeBuilder(Request(method, target, Headers([("content-type", "x")]), body))
    builder.head(200, Headers(()), Length(len(answer)))
    builder.chunk(Chunk(answer), 0.0)
    return builder.finish(COMPLETE, 0.0)


@needs_curl
@pytest.mark.parametrize(
    "word", ["curl", "printf", "tr", "echo", "base64", "POST", "content-type: application/json"]
)
@pytest.mark.parametrize("body", ["plain", "a" * 600, "\x00"])
def test_an_id_is_no_program(word: str, body: str, tmp_path: Path) -> None:
    """A server whose id was a word of the command does not choose with its next id what runs."""
    marker = tmp_path / "ran"
    trail = [
        exchange({"input": "a"}, {"id": word, "turn_id": "zz-2"}),
        exchange(f"{body} zz-2 {word}".encode(), {"id": "zz-3"}),
    ]
    with lying({"id": "eval", "turn_id": f"$(touch {marker})"}) as url:
        lines = curl_lines(trail, Display(SERVERS, url, Mask({})))
        script = ["sh", "-c", "\n".join(lines)]
        done = subprocess.run(script, capture_output=True, text=True, cwd=tmp_path, timeout=30, check=True)
    assert not marker.exists()
    assert done.stdout.count(" 200 OK") == 2


@in_one_test(
    host=["h:1", "[::1]", "h."],
    value=["v1beta", "/v1beta", "http", "http://", "h:1", "[::1]", "ID0", "id", "${ID0}"],
)
def test_an_id_is_no_part_of_the_host(host: str, value: str) -> None:
    """The next id chooses no other server, no option and no file of headers."""
    trail = [
        exchange({"input": "a"}, {"id": value, "turn_id": "ID0"}),
        exchange(b"", {}, "GET", f"{CREATE}/{value}?a={value}&b=ID0"),
    ]
    line = curl_lines(trail, Display(SERVERS, f"http://{host}", Mask({})))[1].replace("'", "")
    assert line.replace(" -g ", " ").startswith(f"curl -sS -N -i -X GET http://{host}/")
    assert "${${" not in line
    assert "-H content-type: x" in line


@pytest.mark.parametrize("name", ["LD-PRELOAD", "ld_preload", "PATH", "Sslkeylogfile", "Bash-Env"])
def test_a_header_sets_no_variable_that_a_program_obeys(name: str) -> None:
    """The secret of a header reaches the shell in a variable of its own."""
    options = TargetOptions(headers=((name, "/tmp/hT9x2kLmQ8vZ3rW7.so"),))
    secrets = resolve_target(SERVERS, "http://127.0.0.1:1", options).info.secrets
    assert list(secrets) == [f"HEADER_{name.upper().replace('-', '_')}"]


EVIL = '"""\nimport os; os.system("id")\n"""'


@pytest.mark.parametrize("field", ["subject", "count"])
def test_a_stored_step_is_not_text(field: str) -> None:
    """A failure that a folder stores has numbers where a step has numbers."""
    with pytest.raises(ValueError, match="must be numbers"):
        ClientCommand(**{"kind": "poll", field: EVIL})


def test_a_test_that_is_written_holds_no_code_of_a_stranger() -> None:
    """What a report says of a rule and its steps is a literal of the test that shows it."""
    step = ClientCommand("create", mode="plain", body={EVIL: EVIL})
    rule = msgspec.structs.replace(CATALOGUE[0].rule, statement=EVIL)
    again = Reproduction(key=EVIL, steps=(step,))
    seen = Observation(Outcome.NOT_MET)
    evil = Result(id=EVIL, rule=rule, title="", observation=seen, verdict=Verdict.FAIL, reproduction=again)
    info = resolve_target(SERVERS, "emulator", TargetOptions()).info
    module = ast.parse(pytest_module(evil, info, SERVERS))
    kinds = [type(one).__name__ for one in module.body]
    assert kinds == [
        "Expr",
        "Import",
        "ImportFrom",
        "ImportFrom",
        "ImportFrom",
        "ImportFrom",
        "Assign",
        "FunctionDef",
    ]
