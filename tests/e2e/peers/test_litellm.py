"""LiteLLM's proxy in front of our emulator: the defects that a client can see are found by name.

The upstream is the emulator, so whatever a check notices here is the gateway's doing: the same catalogue finds
nothing on the upstream itself. The ids L1 … L12 number the known defects of version 1.106.2.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.contract import read
from harness.emulator import Emulator
from harness.emulator.settings import Settings
from harness.transport import Limits, ServerThread, UrlDriver
from harness.wire import COMPLETE, Chunk, Ending, Headers, How, PieceBody, Request, Response
from harness.wire.message import Chunked
from harness.wire.pieces import At
from tests.e2e.peers import installing
from tests.e2e.peers.judging import Judged, judge

pytestmark = [pytest.mark.e2e, pytest.mark.peers]

KEY = "sk-harness-Rk7wQz9pLm42vT8x"
CONFIG = """
model_list:
  - model_name: gemini-3.5-flash
    litellm_params: {{model: gemini/gemini-3.5-flash, api_key: upstream-key, api_base: "{upstream}"}}
general_settings: {{master_key: {key}}}
litellm_settings: {{num_retries: 0}}
"""
FOUND = [
    ("L1", "resume.opens", "GET with stream=true answers JSON"),
    ("L2", "cancel.ok", "cancel goes upstream under a path that does not exist"),
    ("L3", "http.v1", "the official SDK's default version has no route"),
    ("L8", "err.unknown-field", "unknown fields are dropped without a word"),
    ("L8", "create.both", "an agent beside a model is dropped without a word"),
    ("L9", "create.schema", "fields the API never sends, and null where it says string"),
    ("L10", "del.ok", "DELETE answers something else than an empty object"),
    ("L10", "err.code-string", "codes are HTTP numbers in strings"),
    ("L11", "err.body-array", "an array as body is a server error"),
]
"""Known defect, the check that has to notice it, what it is."""


@dataclass
class Upstream:
    """The emulator behind the gateway; `answer`, while set, replaces its answer to streaming creates."""

    emulator: Emulator
    answer: Response | None = None
    posts: int = 0

    def __call__(self, request: Request) -> Response:
        """Serve one request."""
        if request.method == "POST" and request.raw_path.endswith("/interactions"):
            self.posts += 1
            if self.answer is not None:
                answer, self.answer = self.answer, None
                return answer
        return self.emulator(request)


@pytest.fixture(scope="module")
def upstream() -> Upstream:
    """One emulator whose background runs last long enough to act on them through a gateway."""
    return Upstream(Emulator(Settings(ticks=12)))


@pytest.fixture(scope="module")
def proxy(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a LiteLLM proxy in front of the upstream."""
    folder = tmp_path_factory.mktemp("litellm")
    port = installing.free_port()
    command = installing.litellm()
    with ServerThread(upstream) as server:
        config = folder / "config.yaml"
        config.write_text(CONFIG.format(upstream=server.url, key=KEY))
        environment = {
            **os.environ,
            "GEMINI_API_KEY": "upstream-key",
            "GEMINI_API_BASE": server.url,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "NO_PROXY": "127.0.0.1",
        }
        start = [str(command), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        with installing.running(start, port, log=Path(folder / "log"), environment=environment) as url:
            yield url


@pytest.fixture(scope="module")
def judged(proxy: str) -> Judged:
    """One run of the catalogue through the gateway."""
    return judge(proxy, "--api-key", KEY, "--capability", "+v1", "--timeout", "60")


@pytest.mark.parametrize(("defect", "check", "what"), FOUND, ids=[f"{d}-{c}" for d, c, _ in FOUND])
def test_known_defects_are_found_by_name(judged: Judged, defect: str, check: str, what: str) -> None:
    """Each known defect makes its check fail or warn."""
    assert check in judged.noticed(), f"{defect} ({what}): {check} says {judged.verdict(check)}"


def test_the_upstream_alone_is_clean() -> None:
    """What the gateway is blamed for is not the emulator's doing."""
    with ServerThread(Emulator(Settings(ticks=12, keys={KEY: "one"}))) as server, pytest.raises(AssertionError) as said:
        judge(server.url, "--api-key", KEY)
    assert "exit code 0" in str(said.value)


def broken_stream(*tail: bytes, ending: Ending) -> Response:
    """A stream that is fine up to its first delta, and then is what `tail` and `ending` say."""
    head = (
        b'event: interaction.created\ndata: {"interaction":{"id":"v1_a","status":"in_progress","object":"interaction",'
        b'"model":"gemini-3.5-flash"},"event_type":"interaction.created"}\n\n',
        b'event: step.start\ndata: {"index":0,"step":{"type":"model_output"},"event_type":"step.start"}\n\n',
        b'event: step.delta\ndata: {"index":0,"delta":{"text":"a","type":"text"},"event_type":"step.delta"}\n\n',
    )
    pieces = (*map(Chunk, (*head, *tail)), ending)
    return Response(200, Headers((("content-type", "text/event-stream"),)), Chunked(), PieceBody(pieces))


def through(proxy: str) -> set[str]:
    """The rules that a streamed create through the gateway breaks."""
    body = b'{"model":"gemini-3.5-flash","input":"Say hi.","stream":true}'
    headers = Headers((("content-type", "application/json"), ("x-goog-api-key", KEY)))
    driver = UrlDriver(proxy, limits=Limits(total_seconds=30))
    try:
        exchange = driver.send(Request("POST", "/v1beta/interactions", headers, body))
    finally:
        driver.close()
    return {finding.rule for finding in read(exchange).findings}


def test_a_cut_upstream_is_served_as_a_clean_end(proxy: str, upstream: Upstream) -> None:
    """L4: the upstream stops after a delta; the gateway says [DONE], and the judge misses the completion."""
    upstream.answer = broken_stream(ending=COMPLETE)
    assert "stream.terminal" in through(proxy)


def test_a_dropped_upstream_becomes_no_event_of_this_api(proxy: str, upstream: Upstream) -> None:
    """L6: a drop inside the stream becomes a payload without event_type, or an error whose code is a number.

    Which of the two depends on whether the gateway had passed on anything when the drop reached it.
    """
    upstream.answer = broken_stream(ending=Ending(how=How.FIN, at=At.IN_BODY))
    assert through(proxy) & {"stream.event-type", "err.code-string"}


def test_a_reset_before_the_headers_posts_twice(proxy: str, upstream: Upstream) -> None:
    """L7: one create of the client is two billable creates upstream, though retries are off."""
    before = upstream.posts
    upstream.answer = Response.dead(Ending(how=How.RST, at=At.BEFORE_HEADERS))
    through(proxy)
    assert upstream.posts - before == 2
