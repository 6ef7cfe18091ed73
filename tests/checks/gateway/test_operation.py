"""Recognizing the operation of a request, whatever the version or form of its path."""

from __future__ import annotations

import pytest

from harness.checks.gateway.client import name_operation
from harness.wire import Request


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("POST", "/v1beta/interactions", "create"),
        ("POST", "/v1beta/interactions/", "create"),
        ("POST", "/v1/interactions?alt=sse", "create"),
        ("POST", "/v1beta1/projects/p/locations/l/interactions", "create"),
        ("GET", "/v1beta/interactions/a%2Fb?stream=true", "get"),
        ("DELETE", "/v1beta/interactions/a", "delete"),
        ("POST", "/v1beta/interactions/a/cancel", "cancel"),
        ("POST", "/v1beta/interactions/a:cancel", "other"),
        ("GET", "/v1beta/interactions/a/cancel", "other"),
        ("GET", "/v1beta/interactions", "other"),
        ("PATCH", "/v1beta/interactions/a", "other"),
        ("GET", "/v1beta/models", "other"),
        ("POST", "/interactions", "other"),
        ("POST", "/v1beta/models/m:generateContent", "other"),
    ],
)
def test_the_operation_of_a_request(method: str, target: str, expected: str) -> None:
    """Method and path together determine the operation."""
    assert name_operation(Request(method, target)) == expected
