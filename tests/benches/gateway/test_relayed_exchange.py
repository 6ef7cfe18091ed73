"""Recognizing the operation of a request, whatever the version or form of its path."""

from __future__ import annotations

import pytest

from harness.benches.gateway.relayed_exchange import Operation, operation_of
from harness.wire import Request


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("POST", "/v1beta/interactions", Operation.CREATE),
        ("POST", "/v1beta/interactions/", Operation.CREATE),
        ("POST", "/v1/interactions?alt=sse", Operation.CREATE),
        ("POST", "/v1beta1/projects/p/locations/l/interactions", Operation.CREATE),
        ("GET", "/v1beta/interactions/a%2Fb?stream=true", Operation.GET),
        ("DELETE", "/v1beta/interactions/a", Operation.DELETE),
        ("POST", "/v1beta/interactions/a/cancel", Operation.CANCEL),
        ("POST", "/v1beta/interactions/a:cancel", Operation.OTHER),
        ("GET", "/v1beta/interactions/a/cancel", Operation.OTHER),
        ("GET", "/v1beta/interactions", Operation.OTHER),
        ("PATCH", "/v1beta/interactions/a", Operation.OTHER),
        ("GET", "/v1beta/models", Operation.OTHER),
        ("POST", "/interactions", Operation.OTHER),
        ("POST", "/v1beta/models/m:generateContent", Operation.OTHER),
    ],
)
def test_operation_of(method: str, target: str, expected: Operation) -> None:
    """Method and path together determine the operation."""
    assert operation_of(Request(method, target)) is expected
