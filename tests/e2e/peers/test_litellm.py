"""LiteLLM's proxy in front of our emulator: the defects that a client can see are found by name.

The upstream is the emulator, so whatever a check notices here is the gateway's doing: the same catalogue finds
nothing on the upstream itself. The ids L1 … L12 number the known defects of version 1.106.2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from harness.contract import read
from harness.emulator import Emulator
from harness.emulator.settings import Settings
from harness.transport import Limits, ServerThread, UrlDriver
from harness.wire import COMPLETE, At, Chunk, Chunked, Ending, Headers, How, PieceBody, Request, Response, encode
from tests.e2e.peers import installing
from tests.e2e.peers.judging import LITELLM_OPTIONS, Judged, judge
from tests.e2e.peers.known import LITELLM, Known, curl

pytestmark = [pytest.mark.e2e, pytest.mark.peers]

UPSTREAM = Settings(ticks=12)
"""Background runs that last long enough to act on them through a gateway."""


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
    return Upstream(Emulator(UPSTREAM))


@pytest.fixture(scope="module")
def proxy(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a LiteLLM proxy in front of the upstream."""
    folder = tmp_path_factory.mktemp("litellm")
    with ServerThread(upstream) as server, installing.litellm(folder, server.url) as url:
        yield url


@pytest.fixture(scope="module")
def judged(proxy: str) -> Judged:
    """One run of the catalogue through the gateway."""
    return judge(proxy, *LITELLM_OPTIONS)


@pytest.mark.parametrize("known", LITELLM, ids=str)
def test_known_defects_are_found_by_name(judged: Judged, known: Known) -> None:
    """Each known defect makes its check fail or warn."""
    assert known.check in judged.noticed(), f"{known.what}: {known.check} says {judged.verdict(known.check)}"


@pytest.mark.parametrize("known", LITELLM, ids=str)
def test_curl_confirms(proxy: str, known: Known) -> None:
    """What the check says can be seen without us."""
    _, printed = curl(proxy, installing.KEY, known.steps)
    assert re.search(known.shows, printed, re.MULTILINE), printed


def test_the_upstream_alone_is_clean() -> None:
    """What the gateway is blamed for is not the emulator's doing."""
    with (
        ServerThread(Emulator(Settings(ticks=12, keys={installing.KEY: "one"}))) as server,
        pytest.raises(AssertionError) as said,
    ):
        judge(server.url, "--api-key", installing.KEY)
    assert "exit code 0" in str(said.value)


def broken_stream(ending: Ending) -> Response:
    """A stream that is fine up to its first delta, and then ends like this."""
    created = {"id": "v1_a", "status": "in_progress", "object": "interaction", "model": "gemini-3.5-flash"}
    events: list[dict[str, Any]] = [
        {"interaction": created, "event_type": "interaction.created"},
        {"index": 0, "step": {"type": "model_output"}, "event_type": "step.start"},
        {"index": 0, "delta": {"text": "a", "type": "text"}, "event_type": "step.delta"},
    ]
    head = [encode(event["event_type"], json.dumps(event).encode()) for event in events]
    pieces = (*map(Chunk, head), ending)
    return Response(200, Headers((("content-type", "text/event-stream"),)), Chunked(), PieceBody(pieces))


def through(proxy: str) -> set[str]:
    """The rules that a streamed create through the gateway breaks."""
    body = b'{"model":"gemini-3.5-flash","input":"Say hi.","stream":true}'
    headers = Headers((("content-type", "application/json"), ("x-goog-api-key", installing.KEY)))
    driver = UrlDriver(proxy, limits=Limits(total_seconds=30))
    try:
        exchange = driver.send(Request("POST", "/v1beta/interactions", headers, body))
    finally:
        driver.close()
    return {finding.rule for finding in read(exchange).findings}


def test_a_cut_upstream_is_served_as_a_clean_end(proxy: str, upstream: Upstream) -> None:
    """L4: the upstream stops after a delta; the gateway says [DONE], and the judge misses the completion."""
    upstream.answer = broken_stream(COMPLETE)
    assert "stream.terminal" in through(proxy)


def test_a_dropped_upstream_becomes_no_event_of_this_api(proxy: str, upstream: Upstream) -> None:
    """L6: a drop inside the stream becomes a payload without event_type, or an error whose code is a number.

    Which of the two depends on whether the gateway had passed on anything when the drop reached it.
    """
    upstream.answer = broken_stream(Ending(how=How.FIN, at=At.IN_BODY))
    assert through(proxy) & {"stream.event-type", "err.code-string"}


def test_a_reset_before_the_headers_posts_twice(proxy: str, upstream: Upstream) -> None:
    """L7: one create of the client is two billable creates upstream, though retries are off."""
    before = upstream.posts
    upstream.answer = Response.dead(Ending(how=How.RST, at=At.BEFORE_HEADERS))
    through(proxy)
    assert upstream.posts - before == 2
