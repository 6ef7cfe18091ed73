"""Commands of curl are run as a user would run them, and their answers are read from what they print."""

from __future__ import annotations

import pytest

from harness.benches.server.script_run import is_alike, is_runnable, run_commands
from harness.wire import COMPLETE, Exchange, ExchangeBuilder, Headers, Length, Request
from harness.wire.pieces import Chunk
from tests.engine.search import foreign_servers as foreign

pytestmark = pytest.mark.skipif(not is_runnable(), reason="curl is not installed")


def answer(status: int, body: bytes) -> Exchange:
    """An answer."""
    builder = ExchangeBuilder(Request("GET", "/"))
    builder.head(status, Headers(), Length(len(body)))
    builder.chunk(Chunk(body), 0.0)
    return builder.finish(COMPLETE, 0.0)


def test_answers_are_read_in_order() -> None:
    """Each request gets its own answer, also where a variable captures it; keys come from the environment."""
    with foreign.serving(foreign.Plain()) as url:
        create = f'curl -sS -i -X POST {url}/v1beta/interactions -H "x-goog-api-key: $KEY"'
        body = ' --data-raw \'{"model": "gemini-3", "input": "hi"}\''
        take = 'tee /dev/stderr | grep -o \'"id": *"[^"]*"\' | sed -n 1p | cut -d\'"\' -f4'
        lines = [f"ID0=$({create}{body} | {take})", f"curl -sS -i {url}/v1beta/interactions/$ID0", "true"]
        answers = run_commands(lines, [Request("GET", "/")] * 3, {"KEY": "k"})
    assert [exchange.status for exchange in answers] == [200, 200, None]
    assert answers[1].body.strip().startswith(b'{"id": "v1_foreign0001"')


def test_a_command_that_hangs_is_ended() -> None:
    """Commands that were not reached in time count as unanswered."""
    answers = run_commands(["sleep 60", "true"], [Request("GET", "/")] * 2, {}, seconds=0.2)
    assert [exchange.status for exchange in answers] == [None, None]


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ((200, b'{"id": "a1", "status": "completed"}'), (200, b'{"id": "b2", "status": "completed"}'), True),
        ((200, b'{"id": "a1", "status": "completed"}'), (200, b'{"id": "b2", "status": "cancelled"}'), False),
        ((200, b'{"id": "a1"}'), (404, b'{"id": "a1"}'), False),
        ((200, b'{"id": "a1"}'), (200, b'{"name": "a1"}'), False),
        (
            (200, b'data: {"event_type": "a"}'),
            (200, b'data: {"event_type": "a"}\ndata: {"event_type": "b"}'),
            True,
        ),
        ((200, b'data: {"event_type": "begun"}'), (200, b'data: {"event_type": "ended"}'), False),
        ((500, b"oops"), (500, b"oh dear"), True),
    ],
)
def test_answers_are_alike_if_they_mean_the_same(
    one: tuple[int, bytes], other: tuple[int, bytes], alike: bool
) -> None:
    """Ids and texts may differ; the status, the words and the form may not."""
    assert is_alike(answer(*one), answer(*other)) is alike
