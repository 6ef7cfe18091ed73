"""What the table of clients says is true of another server, too, one on `http.server` behind the proxy.

Here is counted and compared in a few lines, without the judges that made the table. google-genai is tried in this
environment; `make peers` installs and tries the others.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from harness.benches.client.client_commands import ClientResult, CommandClient, LoopClient, Task
from harness.benches.client.ready import READY, Language, ReadyClient, install
from harness.contract import PROTOCOL
from harness.faults import cut
from harness.resources import folder
from harness.transport.proxy import UpstreamServer
from harness.transport.server.server import InThread, WaitingServer
from lab.clients.table import expand
from tests.foreign.server import WORDS, ForeignService, Handler, Run, serving

pytestmark = pytest.mark.e2e

WHOLE = "".join(WORDS)
FAULTS = {
    "no-fault": "pass",
    "noise": "ping:all,glue,members,unknown:all,crlf,chunks:5",
    "reset": "event:5,rst",
    "broken-framing": "event:5,fin",
    "clean-end": "event:5,end",
    "half-event": "event:5+40,end",
    "no-completion": "no-completion",
    "broken-json": "garble:5",
    "twice": "dup:5",
    "error-event": "error:5,event:6,end",
    "bare-error": "bare-error:5",
    "reset-no-ids": "ids:none,event:5,rst/ids:none,times:all",
    "always-reset": "event:2,rst,times:all",
    "resume-503": "event:5,rst/status:503",
    "lost-head": "before-headers,rst",
    "503": "status:503",
}
"""The faults that the proxy can apply, by their names in the table; the text goes on after the fifth event."""

POLLED = {
    "no-fault": "pass",
    "lost-create": "calls=before-headers,rst",
    "create-503": "calls=status:503",
    "404-at-first": "calls=pass/status:404",
    "lost-poll": "calls=pass/before-headers,rst",
    "half-poll": "calls=pass/byte:60,end",
    "poll-503": "calls=pass/status:503",
}
CHAINED = {
    "no-fault": "pass",
    "first-reset": "event:5,rst",
    "first-clean-end": "event:5,end",
    "further-reset": "pass/event:5,rst",
    "further-clean-end": "pass/event:5,end",
    "further-twice": "pass/dup:5",
    "lost-answer": "pass/before-headers,rst",
    "further-503": "pass/status:503",
    "further-400": "pass/status:400,times:all",
}
FAULTS_OF = {"poll": POLLED, "chain": CHAINED}
"""Those of modes that do more than to read one stream."""

TURNS = {"chain": 2}
"""How many interactions a mode makes if all goes well; the others make one."""

SAME = {"recovered": "exact", "could-not": "reported", "crashed": "reported"}
"""Outcomes that cannot be told apart without the judges."""

HERE = "google-genai"
"""What this environment has anyway."""


class AnyRoot(Handler):
    """Serves Vertex's root as well, where a project and a place stand before the collection."""

    def dispatch(self, data: bytes) -> Any:
        """Call the operation."""
        self.path = re.sub(r"^/v1beta1/projects/[^/]+/locations/[^/]+/", "/v1beta/", self.path)
        return super().dispatch(data)


class QuickService(ForeignService):
    """A server whose runs keep nobody waiting, and that takes whatever else a client sends with a create."""

    lasts = 0.05
    handler = AnyRoot

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[dict[str, Any]] = []
        self.reads = 0

    def create(self, body: dict[str, Any]) -> Any:
        """Keep what was asked, if it made an interaction; an agent is answered like a model."""
        made = super().create({"model": "gemini-3.8-flash", **body})
        self.asked.append(body)
        return made

    def get(self, run: Run, query: dict[str, Any]) -> Any:
        """Count what is read again."""
        self.reads += 1
        return super().get(run, query)

    def admit(self, body: Any) -> None:
        """Refuse nothing: some clients send tools and settings that change no answer here."""


def published(name: str, mode: str) -> dict[str, str]:
    """The outcomes of a client's newest version in the table, by fault."""
    table = expand(json.loads((folder("docs/clients") / "table.json").read_text("utf-8")))
    (client,) = (one for one in READY if one.name == name)
    wanted = (name, client.version, mode)
    (row,) = (row for row in table["clients"] if (row["client"], row["version"], row["mode"]) == wanted)
    faults = [cell for cell in row["cells"] if "fault" in cell]
    return {cell["fault"]: SAME.get(cell["outcome"], cell["outcome"]) for cell in faults}


def environment(url: str, task: Task) -> dict[str, str]:
    """What a client finds in its environment."""
    told = {"INTERACTIONS_BASE_URL": url, "INTERACTION_ID": task.interaction, "HARNESS_MODE": task.mode}
    return {**os.environ, **told, "GEMINI_API_KEY": "any", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


@contextmanager
def behind(service: ForeignService, plan: str) -> Iterator[str]:
    """The URL of a proxy in front of a new server."""
    with ExitStack() as stack:
        upstream = UpstreamServer(stack.enter_context(serving(service)))
        server = WaitingServer(cut(upstream, plan, PROTOCOL), host="127.0.0.1", port=0)
        stack.enter_context(InThread(server))
        yield server.url


def is_forgetful(further: dict[str, Any]) -> bool:
    """Whether a second turn neither names the first nor repeats what the model said in it."""
    return "previous_interaction_id" not in further and '"model_output"' not in json.dumps(further["input"])


def outcome(ended: ClientResult, asked: list[dict[str, Any]], turns: int = 1, *, untold: bool = False) -> str:
    """In the words of the table: what a client ended up with that asked for these interactions.

    `untold`: nothing that it read says how the interaction ended, so a status that it reports is a guess.
    """
    if len(asked) > turns:
        return "double-create"
    if ended.stopped:
        return "hung"
    if ended.error:
        return "reported"
    if len(asked) > 1 and is_forgetful(asked[-1]):
        return "lost-context"
    text = str(ended.collected if not isinstance(ended.collected, list) else joined(ended.collected))
    if text == WHOLE:
        return "wrong-status" if untold else "exact"
    if WHOLE.startswith(text):
        return "silent-loss"
    return "duplicated" if len(text) > len(WHOLE) else "hole"


def joined(events: list[Any]) -> str:
    """The text of events."""
    return "".join(event.get("delta", {}).get("text", "") for event in events)


def try_all(client: ReadyClient, command: list[str], mode: str) -> dict[str, str]:
    """What the client makes of each fault, started once if it can be."""
    found = {}
    talking = LoopClient(command, environment("http://127.0.0.1:9", Task("", "", "", mode)), starting=60.0)
    try:
        for fault, plan in FAULTS_OF.get(mode, FAULTS).items():
            service = QuickService()
            given = service.create({"model": "gemini-3.8-flash", "input": "Go.", "background": True})["id"]
            with behind(service, plan) as url:
                shot = CommandClient(command, lambda task, url=url: environment(url, task))
                ended = (talking if client.loops else shot).read(Task(url, given, fault, mode), 10)
            untold = fault == "no-completion" and service.reads == (mode == "follow")
            found[fault] = outcome(ended, service.asked[1:], TURNS.get(mode, 1), untold=untold)
    finally:
        talking.close()
    return found


def confirm(client: ReadyClient, command: list[str], mode: str) -> None:
    """The client does here what the table says."""
    told = published(client.name, mode)
    found = try_all(client, command, mode)
    if client.language is Language.SHELL:  # a script without a JSON parser: it depends on where the JSON breaks
        del found["broken-json"]
    assert found == {fault: told[fault] for fault in found}


PAIRS = [(one, mode) for one in READY for mode in one.modes if mode in ("create", "follow", *FAULTS_OF)]


@pytest.mark.slow
def test_google_genai() -> None:
    """The SDK, in the version that is installed for the tests."""
    (client,) = (one for one in READY if one.name == HERE)
    genai = pytest.importorskip("google.genai", reason="pip install -e '.[sdk]'")
    if genai.__version__ != client.version:
        pytest.skip(f"google-genai {genai.__version__} is installed, the table is about {client.version}")
    program = folder("docs/clients") / "drivers" / client.driver
    confirm(client, [sys.executable, str(program)], "follow")


@pytest.mark.peers
@pytest.mark.parametrize(("client", "mode"), PAIRS, ids=str)
def test_installed(client: ReadyClient, mode: str) -> None:
    """Every client, as the table installs it."""
    needed = {"node": "npm", "sh": "curl"}.get(client.language, "python3")
    if shutil.which(needed) is None:
        pytest.skip(f"no {needed} on PATH")
    confirm(client, install(client), mode)
