"""Environments: what they are made of, forks, reuse, and the storage that they share."""

import base64
from typing import Any

import pytest

from harness.emulator.resources.environments import INLINE_BYTES
from tests.emulator.resources.api import NOON, Api

ENVIRONMENTS = "/v1beta/environments"


def inline(target: str, content: str = "x", **more: str) -> dict[str, str]:
    """An inline source."""
    return {"type": "inline", "target": target, "content": content, **more}


def paths(api: Api, environment: str) -> list[str]:
    """Every path in an environment."""
    listed = api.ok("GET", f"{ENVIRONMENTS}/{environment}/files?recursive=true")
    return [entry["path"] for entry in listed.get("files", [])]


def content(api: Api, environment: str, path: str) -> bytes:
    """The bytes of a file."""
    return api.send("GET", f"{ENVIRONMENTS}/{environment}/files/{path}?alt=media").data


def test_sources_become_files_and_directories(api: Api) -> None:
    """Inline content becomes a file, decoded if encoded; a source to be fetched becomes an empty directory."""
    made = api.environment(
        sources=[
            inline("/.agents/AGENTS.md", "be kind"),
            inline("logo.png", base64.b64encode(b"\x89\xff").decode(), encoding="base64"),
            {"type": "repository", "source": "https://git.example/team/tool", "target": "src"},
            {"type": "gcs", "source": "gs://bucket/data/"},
        ]
    )
    assert paths(api, made) == [".agents", ".agents/AGENTS.md", "data", "logo.png", "src"]
    assert content(api, made, ".agents/AGENTS.md") == b"be kind"
    assert content(api, made, "logo.png") == b"\x89\xff"


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"from_environment": "x", "sources": [inline("a")]},
        {"from_environment": "x", "env": {"A": "b"}},
        {"environment_id": "x"},
        {"network": "enabled"},
        {"network": {"allowlist": [{}]}},
        {"network": {"allowlist": [{"domain": "https://packages.example.org"}]}},
        {"network": {"allowlist": [{"domain": "a.*.org"}]}},
        {"network": {"allowlist": [{"domain": "*packages.example.org"}]}},
        {"network": {"allowlist": [{"domain": "packages.example.org", "transform": {"x": 1}}]}},
        {"network": {"blocklist": []}},
        {"env": {"A": 5}},
        {"env": {"A": {"secret": "x"}}},
        {"env": {"": "x"}},
        {"sources": [inline("/")]},
        {"sources": [inline("../up")]},
        {"sources": [{"type": "inline", "target": "a"}]},
        {"sources": [inline("a", "%%%", encoding="base64")]},
        {"sources": [inline("a", "x" * (INLINE_BYTES + 1))]},
        {"sources": [inline(name, "x" * INLINE_BYTES) for name in "abc"]},
        {"sources": [{"type": "repository", "target": "src"}]},
        {"sources": [{"type": "ftp", "source": "x", "target": "src"}]},
        {"sources": [inline("a"), inline("a/b")]},
    ],
)
def test_what_cannot_be_made_is_400(api: Api, body: Any) -> None:
    """An environment that breaks the rules for sources, network or env is refused and does not exist."""
    status, code = api.refused("POST", ENVIRONMENTS, body)
    assert (status, code in ("invalid_request", "failed_precondition")) == (400, True)
    assert api.ok("GET", ENVIRONMENTS) == {}


@pytest.mark.parametrize("domain", ["*", "packages.example.org", "*.packages.example.org", "localhost"])
def test_allowlists_take_hosts_and_wildcards(api: Api, domain: str) -> None:
    """An allowlist accepts an exact host, every host, or all hosts below one; its rules are returned as given."""
    network = {"allowlist": [{"domain": domain, "transform": [{"x-team": "a"}]}]}
    assert api.ok("POST", ENVIRONMENTS, {"network": network})["network"] == network


def test_inline_limits_are_inclusive(api: Api) -> None:
    """Exactly 1 MB in a file and exactly 2 MB in total are allowed."""
    made = api.ok("POST", ENVIRONMENTS, {"sources": [inline(name, "x" * INLINE_BYTES) for name in "ab"]})
    assert made["size_bytes"] == str(2 * INLINE_BYTES)


@pytest.mark.parametrize("form", ["{}", "environments/{}"])
def test_a_fork_has_the_files_and_its_own_life(api: Api, form: str) -> None:
    """A fork has the files and rules of its origin; later changes to one do not affect the other."""
    parent = api.environment(sources=[inline("a")], network="disabled")
    child = api.ok("POST", ENVIRONMENTS, {"from_environment": form.format(parent)})
    assert (child["id"] != parent, child["network"], child["file_count"]) == (True, "disabled", "1")
    api.ok("PUT", f"/upload/v1beta/environments/{child['id']}/files/b", b"new")
    api.ok("DELETE", f"{ENVIRONMENTS}/{parent}")
    assert paths(api, child["id"]) == ["a", "b"]


def test_an_interaction_gets_a_fresh_or_an_old_environment(api: Api) -> None:
    """`remote` makes a new environment, an id reuses that one, an object with an id replaces only its rules."""
    make = api.resources.create_environment
    first, second = make("remote", "default"), make({"type": "remote"}, "default")
    assert first["id"] != second["id"]
    made = make({"type": "remote", "sources": [inline("a")], "env": {"A": "b", "C": {"value": "d"}}}, "default")
    assert make(made["id"], "default")["id"] == made["id"]
    updated = make({"type": "remote", "environment_id": made["id"], "network": "disabled"}, "default")
    assert (updated["id"], updated["network"], updated["file_count"]) == (made["id"], "disabled", "1")
    assert make(made["id"], "default")["network"] == "disabled"


def test_credentials_must_exist_to_be_named(api: Api) -> None:
    """An allowlist or variable that names an unknown credential gets 404."""
    allow = {"network": {"allowlist": [{"domain": "x.example", "credential": "key"}]}}
    for body in (allow, {"env": {"TOKEN": {"credential": "key"}}}):
        assert api.refused("POST", ENVIRONMENTS, body) == (404, "not_found")
    api.ok("POST", "/v1beta/credentials", {"id": "key", "type": "bearer_token", "token": "t"})
    assert api.ok("POST", ENVIRONMENTS, allow)["network"] == allow["network"]


def test_use_is_noted(api: Api) -> None:
    """Reading files changes only last_accessed; writing also changes updated."""
    made = api.environment()
    seen = []
    for now, method, target in (
        ("2026-09-21T13:00:00Z", "GET", f"{ENVIRONMENTS}/{made}/files"),
        ("2026-09-21T14:00:00Z", "PUT", f"/upload/v1beta/environments/{made}/files/a"),
    ):
        api.now = now
        api.ok(method, target, b"")
        shown = api.ok("GET", f"{ENVIRONMENTS}/{made}")
        seen.append((shown["created"], shown["updated"], shown["last_accessed"]))
    assert seen == [(NOON, NOON, "2026-09-21T13:00:00Z"), (NOON, "2026-09-21T14:00:00Z", "2026-09-21T14:00:00Z")]


def test_only_the_create_shows_the_key_of_a_self_hosted_environment(api: Api) -> None:
    """The mode and the configuration stay, the key does not; a configuration shows in this mode only."""
    given = {"mode": "self_hosted", "custom_config": {"team": "a"}}
    made = api.ok("POST", ENVIRONMENTS, {**given, "system_instruction": "Be brief."})
    key = made.pop("environment_key")
    assert (bool(key), made["mode"], made["custom_config"]) == (True, *given.values())
    assert api.ok("GET", f"{ENVIRONMENTS}/{made['id']}") == made
    plain = api.ok("POST", ENVIRONMENTS, {"mode": "on_demand", "custom_config": {"team": "a"}})
    assert plain["mode"] == "on_demand"
    assert not plain.keys() & {"environment_key", "custom_config"}
