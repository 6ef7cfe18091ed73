"""An operation is identified by its method and the end of its path, whatever comes before it."""

from __future__ import annotations

import pytest

from harness.contract import load
from harness.contract.tables.operations import OPERATIONS, operation_of
from harness.rules import BY_ID
from harness.wire import Request

VERTEX = "/v1beta1/projects/p/locations/l"


@pytest.mark.parametrize(
    ("method", "target", "call"),
    [
        ("POST", "/v1beta/interactions", "POST interactions"),
        ("POST", "/v1/interactions?alt=sse", "POST interactions"),
        ("GET", f"{VERTEX}/interactions/v1_a%2Fb?stream=true", "GET interactions/{id}"),
        ("POST", "/agents/v1beta/interactions/agents/cancel", "POST interactions/{id}/cancel"),
        ("DELETE", "/v1beta/interactions/x", "DELETE interactions/{id}"),
        ("GET", "/v1beta/agents/interactions", "GET agents/{id}"),
        ("GET", "/v1beta/environments/e/files?recursive=true", "GET environments/{id}/files"),
        ("POST", "/v1beta/webhooks/w:rotateSigningSecret", "POST webhooks/{id}:rotateSigningSecret"),
        ("PUT", "/v1beta/interactions", None),
        ("GET", "/v1beta/interactions/", None),
        ("GET", "/v1beta/interactions/x/steps", None),
        ("POST", "/v1beta/interactions/x:cancel", None),
        ("GET", "/v1beta/environments/e/files?alt=media", None),
        ("GET", "/", None),
        ("POST", "/__harness__/scripts", None),
    ],
)
def test_the_tail_of_a_path_names_the_operation(method: str, target: str, call: str | None) -> None:
    """Versions, projects and prefixes do not matter; other methods, verbs and downloads are no operation."""
    found = operation_of(Request(method, target))
    assert (found.call if found else None) == call


def test_every_schema_and_rule_exists() -> None:
    for operation in OPERATIONS:
        assert bool(operation.schema) == bool(operation.rule)
        if operation.schema:
            assert load().schemas.validator(operation.schema)
            assert operation.rule in BY_ID
