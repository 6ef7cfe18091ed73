"""Answers and accepted requests fit the schemas, which were written independently of the emulator."""

from typing import Any

import pytest

from harness.contract import load
from tests.emulator.resources.api import Api

V = "/v1beta"
FILES = f"/upload{V}/environments/{{0}}/files/a/b.txt"
INLINE = {"type": "inline", "target": "a.txt", "content": "x"}
NETWORK = {
    "allowlist": [{"domain": "*.x.example", "transform": {"x-a": "b"}, "credential": "key"}, {"domain": "*"}]
}
KEY = {"id": "key", "type": "bearer_token", "token": "t"}
AGENT = {
    "id": "helper",
    "base_agent": "antigravity-preview-09-2026",
    "agent_config": {"type": "antigravity", "max_total_tokens": 5},
    "tools": [{"type": "mcp_server", "name": "docs", "url": "https://m.example"}],
    "base_environment": {"type": "remote", "sources": [INLINE], "network": "disabled"},
}
VARIABLE = {"type": "environment_variable", "value": "v", "injection_location": "body"}
TRIGGER = {
    "schedule": "0 9 * * *",
    "time_zone": "UTC",
    "interaction": {"agent": "helper", "input": "go", "environment": "remote"},
}
HOOK = {"uri": "https://hooks.example", "subscribed_events": ["video.generated"], "name": "n"}

CREATES = [
    ("credentials", KEY, "credentials/credential"),
    ("credentials", VARIABLE, "credentials/credential"),
    ("agents", AGENT, "agents/agent"),
    ("environments", {"sources": [INLINE], "network": NETWORK, "env": {"A": "b"}}, "environments/environment"),
    ("triggers", TRIGGER, "triggers/trigger"),
    ("webhooks", HOOK, "webhooks/webhook"),
]


def fits(name: str, value: Any) -> None:
    """Assert that `value` fits the schema and has no field that the schema does not know."""
    validator = load().schemas.validator(name, closed=True)
    assert validator.is_valid(value), validator.problems(value)


@pytest.mark.parametrize(("resource", "body", "schema"), CREATES)
def test_creates_gets_and_lists_fit(api: Api, resource: str, body: dict[str, Any], schema: str) -> None:
    """An accepted create fits the strict schema of requests, and create, get and list fit those of answers."""
    if body is not KEY:
        api.ok("POST", f"{V}/credentials", KEY)
    fits(f"requests/create-{resource.removesuffix('s')}", body)
    made = api.ok("POST", f"{V}/{resource}", body)
    fits(schema, made)
    fits(schema, api.ok("GET", f"{V}/{resource}/{made['id']}"))
    api.ok("POST", f"{V}/{resource}", {**body, **({"id": "second"} if "id" in body else {})})
    page = api.ok("GET", f"{V}/{resource}?page_size=1")
    assert page["next_page_token"]
    fits(f"{schema.partition('/')[0]}/list", page)


@pytest.mark.parametrize(
    ("resource", "first", "change"),
    [
        ("credential", KEY, {"type": "bearer_token", "prefix": ""}),
        ("trigger", TRIGGER, {"status": "paused", "display_name": "d"}),
        ("webhook", HOOK, {"state": "disabled", "uri": "http://other.example"}),
    ],
)
def test_updates_fit(api: Api, resource: str, first: dict[str, Any], change: dict[str, Any]) -> None:
    """An accepted PATCH and its answer fit their schemas."""
    fits(f"requests/update-{resource}", change)
    made = api.ok("POST", f"{V}/{resource}s", first)
    fits(f"{resource}s/{resource}", api.ok("PATCH", f"{V}/{resource}s/{made['id']}", change))


def test_files_fit(api: Api) -> None:
    """Answers to uploads and listings fit their schema."""
    environment = api.environment()
    fits("environments/files", api.ok("PUT", FILES.format(environment), b"x"))
    fits("environments/files", api.ok("GET", f"{V}/environments/{environment}/files?recursive=true"))


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_executions_fit(api: Api, status: str) -> None:
    """A run, the list of runs and the trigger fit their schemas, whether the run completed or failed."""
    api.run = lambda body, project: {"id": "v1_x", "status": status, "environment_id": "e"}
    trigger = api.ok("POST", f"{V}/triggers", TRIGGER)["id"]
    fits("triggers/execution", api.ok("POST", f"{V}/triggers/{trigger}/executions"))
    fits("triggers/executions", api.ok("GET", f"{V}/triggers/{trigger}/executions"))
    fits("triggers/trigger", api.ok("GET", f"{V}/triggers/{trigger}"))
