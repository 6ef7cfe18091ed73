"""Whether an answer comes from a route: compared with one to a path that is none, without what varies in both."""

from __future__ import annotations

import json

import pytest

from harness.checks.vocabulary.routes import NOWHERE, is_like_nowhere, is_no_route
from harness.contract.requests import RequestBuilder
from harness.wire import COMPLETE, Chunk, Exchange, ExchangeBuilder, Headers, Request, UntilClose

JSON = Headers([("content-type", "application/json")])


def answered(path: str, **error: str) -> Exchange:
    """A 404 to a request for a path, with these fields in its error."""
    builder = ExchangeBuilder(Request("POST", f"/v1beta/{path}"))
    builder.head(404, JSON, UntilClose())
    builder.chunk(Chunk(json.dumps({"error": {"code": "not_found", **error}}).encode()), 0.0)
    return builder.finish(COMPLETE, 0.0)


@pytest.mark.parametrize(
    ("there", "nowhere", "alike"),
    [
        ({"message": "Nothing here.", "trace": "a1"}, {"message": "Nothing here.", "trace": "b2"}, True),
        ({"message": "Nothing here (id 4f1)"}, {"message": "Nothing here (id 77c)"}, True),
        ({"message": "No POST /v1/decisions", "id": "x"}, {"message": "No POST /v1/none", "id": "y"}, True),
        ({"message": "No such model.", "trace": "a1"}, {"message": "Nothing here.", "trace": "b2"}, False),
    ],
)
def test_what_varies_in_every_404_makes_no_route(
    there: dict[str, str], nowhere: dict[str, str], alike: bool
) -> None:
    """A trace, the id of a request or the path differ at each call; another message is another answer."""
    answer = answered("decisions", **there)
    assert is_like_nowhere(answer, answered(f"{NOWHERE}/decisions", **nowhere)) is alike


def test_an_error_without_a_message_is_compared_as_a_whole() -> None:
    assert is_like_nowhere(answered("decisions"), answered(f"{NOWHERE}/decisions"))
    assert not is_like_nowhere(answered("decisions", trace="a"), answered(f"{NOWHERE}/decisions", trace="b"))


@pytest.mark.parametrize(("path", "compared"), [("decisions", NOWHERE), ("interactions/x", f"{NOWHERE}/x")])
def test_a_path_is_compared_with_an_unknown_one_of_its_length(path: str, compared: str) -> None:
    """A server that routes by the number of segments may have another 404 for each number."""
    steps = is_no_route(RequestBuilder(), answered(path, message="Nothing here."))
    assert next(steps).request.raw_path == f"/v1beta/{compared}"
    with pytest.raises(StopIteration) as end:
        steps.send(answered(compared, message="Nothing here."))
    assert end.value.value
