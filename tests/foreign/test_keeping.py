"""Foreign servers that hang, refuse, wait or forget in one mode, each beside an odd one that is right."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from typing import Any

import pytest

from harness.contract.judge.history import history_judge
from tests.foreign.rows import Row, hold_each, refuse, rows_of, vary
from tests.foreign.server import ForeignService, Handler, Json, Keyed, Run

pytestmark = pytest.mark.slow

LARGE = 320


class Compresses(Handler):
    """Compresses a large body for clients that accept gzip."""

    def send(self, status: int, kind: str, data: bytes, headers: Json) -> None:
        if len(data) > LARGE and "gzip" in self.headers.get("accept-encoding", ""):
            data, headers = gzip.compress(data), {**headers, "content-encoding": "gzip"}
        super().send(status, kind, data, headers)


class Bearers(Keyed):
    """Takes the key as a bearer token, too, for every call or for some: what begins with `token`."""

    takes_bearer: tuple[str, ...] = ("GET", "POST", "DELETE")
    token = "Bearer k"

    def dispatch(self, data: bytes) -> Any:
        given = self.headers.get("authorization", "")
        is_token = given.startswith(self.token) and self.command in self.takes_bearer
        return Handler.dispatch(self, data) if is_token else super().dispatch(data)


class Holds(ForeignService):
    """Correct: a resume at the final event is open for a moment, and ends without an event."""

    holds = 0.3

    def get(self, run: Run, query: Json) -> Any:
        rest = super().get(run, query)
        return self.hold() if query.get("last_event_id") and not rest else rest

    def hold(self) -> Iterator[tuple[float, Json]]:
        """Wait, and send nothing."""
        for _ in range(round(self.holds / 0.05)):
            if self.closed.wait(0.05):
                return
        yield from ()


class Withholds(Handler):
    """The first streams of canceled runs are silent from the cancel on; a single one may be the connection's."""

    silent, word, age, late = 1, b'"cancelled"', 0.0, 1e5

    def encode_due(self, events: Iterator[tuple[float, Json]]) -> Iterator[bytes]:
        began = time.monotonic()
        for frame in super().encode_due(events):
            noted, is_old = self.service.noted, time.monotonic() - began >= self.age
            if self.word in frame and is_old and noted.get("silent", 0) < self.silent:
                noted["silent"] = noted.get("silent", 0) + 1
                if self.closed.wait(self.late):
                    raise ConnectionAbortedError
            yield frame


UNHEARD = vary(Withholds, silent=999, word=b'"interaction.completed"', age=0.2)
"""Every reader that comes during a run misses its end."""


class ShowsInput(ForeignService):
    """Correct: GET shows the input before the output, and with `include_input` in a field, too."""

    lasts = 3.0

    def get(self, run: Run, query: Json) -> Any:
        answer = super().get(run, query)
        if query.get("stream") == "true":
            return answer
        text = self.shown_input(run)
        told = [{"type": "user_input", "content": [{"type": "text", "text": text}]}] if text else []
        given = {"input": run.body["input"]} if query.get("include_input") == "true" else {}
        return {**answer, **given, "steps": [*told, *answer.get("steps", [])]}

    def shown_input(self, run: Run) -> str:
        """The text of the input that a GET shows."""
        given = run.body["input"]
        while not isinstance(given, str):
            given = given[0] if isinstance(given, list) else given.get("text") or given["content"]
        return given


class Ticks(ForeignService):
    """Wrong: two creates without another call between them get one id, and one interaction."""

    lasts = 0.8
    last = ""

    def prepare(self, run: Run) -> None:
        if self.last:
            self.runs.pop(run.id, None)
            run.id = self.last
            self.runs[run.id] = run
        self.last = run.id

    def find(self, identity: str) -> Run:
        self.last = ""
        return super().find(identity)


def forget_cursors(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Give the second resume with a cursor no event."""
    cursor = query.get("last_event_id", "")
    again, self.noted[cursor] = self.noted.get(cursor, False), True
    return [] if cursor and again else usual(run, query)


KEY = {"words": "--api-key k"}
BRIEF = {"words": "--timeout 8"}
service, shows = map(rows_of, (ForeignService, ShowsInput))
ROWS = [
    service("compresses-on-request: http.gzip get.ok -> rest pass", handler=Compresses),
    service("takes-bearers: auth.* -> rest pass info", handler=Bearers, **KEY),
    service(
        "takes-no-bearers: auth.* -> not_applicable auth.bearer-reads, rest pass info",
        handler=vary(Bearers, takes_bearer=()),
        **KEY,
    ),
    service(
        "takes-any-bearer: auth.* -> fail auth.wrong/bearer, rest pass info",
        said=("a wrong key is accepted as a bearer token",),
        handler=vary(Bearers, token="Bearer "),
        **KEY,
    ),
    rows_of(Holds)("holds-a-moment: resume.ends resume.last -> rest pass"),
    service("refuses-at-the-end: resume.ends resume.last -> rest pass", get=lambda self, usual, run, query: (
        usual(run, query) if not str(query.get("last_event_id")).endswith("-end") else refuse(400)(self, usual)
    )),
    service("continues-at-once: chain.at-once -> rest pass", lasts=3.0),
    service("ends-canceled-streams: cancel.stream-ends -> rest pass", lasts=3.0),
    service("silent-once: cancel.* -> rest pass", lasts=3.0, handler=Withholds, **BRIEF),
    service(
        "silent-always: cancel.* -> fail cancel.stream-ends/hangs",
        lasts=3.0,
        handler=vary(Withholds, silent=99),
        **BRIEF,
    ),
    shows("shows-input: get.own-input get.include-input cancel.get-after -> rest pass"),
    shows(
        "loses-input-of-canceled-runs: get.own-input cancel.get-after -> fail get.own-input/lost",
        shown_input=lambda self, usual, run: "" if run.status == "cancelled" else usual(run),
    ),
    shows(
        "shows-input-of-settled-runs: get.own-input cancel.get-after -> rest pass",
        shown_input=lambda self, usual, run: "" if run.status == "in_progress" else usual(run),
    ),
    service(
        "forgets-cursors: resume.no-gap resume.ends -> fail resume.no-gap",
        said=["second resume after event"],
        get=forget_cursors,
    ),
    rows_of(Ticks)("shares-ids: create.id-unique bg.* rob.concurrent -> fail create.id-unique"),
]  # fmt: skip


test_what_a_client_waits_for_comes = hold_each(ROWS)
"""The defect fails the run under its own rule, and what is odd but right does not."""

READ = "resume.live resume.ends -> "
SILENT = [
    service(f"unheard: {READ}fail resume.ends/live", lasts=2.0, handler=UNHEARD, words="--timeout 8"),
    service(f"late: {READ}rest pass", lasts=1.0, handler=vary(UNHEARD, late=1.2), words="--timeout 5"),
]


@pytest.mark.parametrize("case", SILENT)
def test_readers_of_a_run_hear_its_end(
    case: Row, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers that are read one after the other are silent at the same time; one that is late is no defect."""
    monkeypatch.setattr(history_judge, "_LIVE_SILENCE", 1.0)
    case.hold(capsys)
