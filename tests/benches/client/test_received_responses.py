"""What a client can know from the bytes that reached it."""

from __future__ import annotations

import pytest

from harness.benches.client.judgement.received_responses import ReceivedResponse
from harness.interactions import INTERACTIONS
from harness.wire import COMPLETE, Chunked, Headers, PieceBody, Request, Response

STREAM = (
    b'event: step.stop\ndata: {"event_type": "step.stop", "index": 0}\n\n'
    b'event: interaction.completed\ndata: {"event_type": "interaction.completed", "interaction": {}}\n\n'
)


def receive(data: bytes) -> ReceivedResponse:
    """The record of a stream of which the client received `data`."""
    response = Response(200, Headers([("content-type", "text/event-stream")]), Chunked(), PieceBody([COMPLETE]))
    record = ReceivedResponse(INTERACTIONS, Request("GET", "/v1beta/interactions/a?stream=true"), response)
    record.data += data
    return record


@pytest.mark.parametrize(("missing", "completes"), [(0, True), (1, True), (2, True), (3, False), (40, False)])
def test_a_completion_without_its_blank_line_can_be_known(missing: int, completes: bool) -> None:
    """A client can know the completion once its data is whole, even without its line ends, but no byte earlier."""
    record = receive(STREAM[: len(STREAM) - missing])
    assert record.completes is completes
    assert len(record.events()) == (2 if missing == 0 else 1)
