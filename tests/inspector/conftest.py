"""An emulator behind its inspector, in this process, and a page that reads the feed as a browser would."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.benches.server.fault_control import Faulty
from harness.benches.server.page_guard import PageGuard
from harness.cassette import Provenance, Target
from harness.contract import CURRENT, PROTOCOL, load
from harness.emulator import Emulator
from harness.emulator.mutants import MUTANTS
from harness.inspector import Actions, Inspector
from harness.inspector.inspector import ROOT, describe_sessions
from harness.interactions.traffic import TRAFFIC
from harness.transport import ServiceDriver
from harness.wire import Body, Chunk, Exchange, Headers, Pause, Request

SECRET = "AIzaSyA-very-secret-key-0123456789abcdef"
KEYED = Headers((("host", "127.0.0.1:8000"), ("x-goog-api-key", SECRET), ("content-type", "application/json")))
CREATE = {"model": "gemini-3.8-flash", "input": "Say hi."}


class OpenPage:
    """A page: it reads the feed until nothing new is there, and keeps all changes."""

    def __init__(self, feed: Body) -> None:
        self.feed = feed
        self.changes: list[dict[str, Any]] = []
        self.read()

    def read(self) -> list[dict[str, Any]]:
        """Read what is new, as if the page had rested."""
        fresh: list[dict[str, Any]] = []
        vars(self.feed)["_rest"] = 0.0
        while not isinstance(piece := next(self.feed), Pause):
            assert isinstance(piece, Chunk)
            if piece.data.startswith(b"data: "):
                fresh += json.loads(piece.data.removeprefix(b"data: "))
        self.changes += fresh
        return fresh

    def all(self, kind: str) -> list[dict[str, Any]]:
        """All changes of a kind, after another look; one of two rests may have had the look of another page."""
        while self.read() or self.read():
            pass
        return [change for change in self.changes if change["is"] == kind]


class Bench:
    """An emulator, or a mutant of it, behind faults, guard and inspector."""

    def __init__(self, mutant: str = "", *, token: str = "", **options: Any) -> None:
        self.emulator = MUTANTS[mutant].build() if mutant else Emulator()
        self.faulty = Faulty(self.emulator, PROTOCOL, control=self.emulator)
        guard = PageGuard(PROTOCOL, token=token)
        self.inspector = Inspector(
            TRAFFIC,
            load(CURRENT),
            guard,
            command="serve",
            to_curl=lambda request, root: f"curl {root}{request.target}",
            actions=Actions(
                drop=True,
                script=True,
                state=lambda: describe_sessions(self.faulty, self.emulator.state, self.emulator.session_states),
            ),
            provenance=lambda: Provenance(
                recorder="harness inspector", target=Target.EMULATOR, api="interactions", revision=CURRENT
            ),
            secrets={"GEMINI_API_KEY": SECRET},
            **{"sees_all": True, **options},
        )
        self.service = self.inspector.around(guard.around(self.faulty))
        self.driver = ServiceDriver(self.service, clock=self.emulator.clock)

    def send(self, method: str, target: str, value: Any = None) -> Exchange:
        """Send a request as a client and read its whole answer."""
        body = b"" if value is None else json.dumps(value).encode()
        return self.driver.send(Request(method, target, KEYED, body))

    def create(self, **fields: Any) -> Exchange:
        """Create an interaction."""
        return self.send("POST", "/v1beta/interactions", {**CREATE, **fields})

    def control(self, method: str, name: str, value: Any = None) -> Any:
        """A control call, and the JSON of its answer."""
        return json.loads(self.send(method, f"/__harness__/{name}", value).body)

    def ask(self, name: str) -> Any:
        """What the page asks for, as JSON."""
        return json.loads(self.send("GET", ROOT + name).body)

    def open(self) -> OpenPage:
        """Open a page."""
        return OpenPage(self.service(Request("GET", f"{ROOT}feed", KEYED)).body)


@pytest.fixture
def new_bench() -> Iterator[Callable[..., Bench]]:
    """Make benches."""
    benches: list[Bench] = []

    def make(mutant: str = "", **options: Any) -> Bench:
        benches.append(Bench(mutant, **options))
        return benches[-1]

    yield make
    for bench in benches:
        bench.driver.close()


@pytest.fixture
def bench(new_bench: Callable[..., Bench]) -> Bench:
    """An emulator behind its inspector."""
    return new_bench()
