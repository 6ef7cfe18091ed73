"""Recognizing the operation of a request, whatever the version or form of its path."""

from __future__ import annotations

import pytest

from harness.checks.gateway.client import OperationName, operation_of
from harness.wire import Request


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("POST", "/v1beta/interactions", OperationName.CREATE),
        ("POST", "/v1beta/interactions/", OperationName.CREATE),
        ("POST", "/v1/interactions?alt=sse", OperationName.CREATE),
        ("POST", "/v1beta1/projects/p/locations/l/interactions", OperationName.CREATE),
        ("GET", "/v1beta/interactions/a%2Fb?stream=true", OperationName.GET),
        ("DELETE", "/v1beta/interactions/a", OperationName.DELETE),
        ("POST", "/v1beta/interactions/a/cancel", OperationName.CANCEL),
        ("POST", "/v1beta/interactions/a:cancel", OperationName.OTHER),
        ("GET", "/v1beta/interactions/a/cancel", OperationName.OTHER),
        ("GET", "/v1beta/interactions", OperationName.OTHER),
        ("PATCH", "/v1beta/interactions/a", OperationName.OTHER),
        ("GET", "/v1beta/models", OperationName.OTHER),
        ("POST", "/interactions", OperationName.OTHER),
        ("POST", "/v1beta/models/m:generateContent", OperationName.OTHER),
    ],
)
def test_operation_of(method: str, target: str, expected: OperationName) -> None:
    """Method and path together determine the operation."""
    assert operation_of(Request(method, target)) is expected
