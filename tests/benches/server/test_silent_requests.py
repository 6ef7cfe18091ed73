"""Reporting requests that a service leaves unanswered."""

from __future__ import annotations

import pytest

from harness.benches.server.reachability import report_silent_requests
from harness.wire import (
    COMPLETE,
    At,
    By,
    Chunk,
    Ending,
    Headers,
    How,
    PieceBody,
    Request,
    Response,
    UntilClose,
)


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (Ending(how=How.REFUSED, at=At.BEFORE_HEADERS), True),
        (Ending(how=How.RST, at=At.BEFORE_HEADERS), True),
        (Ending(by=By.CLIENT, how=How.FIN, at=At.BEFORE_HEADERS), False),
        (Ending(how=How.RST, at=At.IN_BODY), False),
        (COMPLETE, False),
    ],
)
def test_only_an_answer_that_never_came_is_told(ending: Ending, told: bool) -> None:
    """Only a connection that the server drops before the head is reported; pieces and `close` pass unchanged."""
    heard, closed = list[Ending](), list[bool]()
    body = PieceBody((Chunk(b"x"), ending), lambda: closed.append(True))
    service = report_silent_requests(
        lambda request: Response(200, Headers(), UntilClose(), body), lambda request, died: heard.append(died)
    )
    response = service(Request("GET", "/x"))
    assert list(response.body) == [Chunk(b"x"), ending]
    response.body.close()
    assert (heard, closed) == ([ending] if told else [], [True])
