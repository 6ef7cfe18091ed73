"""Credentials: three types, partial updates, and secrets that are never returned."""

import re
from typing import Any

import pytest

from tests.emulator.client import Api as Client
from tests.emulator.resources.api import Api

CREDENTIALS = "/v1beta/credentials"
SECRET = "s3cr3t-value"
BODIES: dict[str, dict[str, Any]] = {
    "bearer_token": {"type": "bearer_token", "token": SECRET, "header_name": "X-Key", "prefix": ""},
    "oauth2": {
        "type": "oauth2",
        "client_id": "c",
        "client_secret": SECRET,
        "refresh_token": SECRET,
        "token_url": "https://auth.example/token",
        "scopes": ["read"],
    },
    "environment_variable": {
        "type": "environment_variable",
        "value": SECRET,
        "injection_location": ["header", "query"],
        "trusted_domains": ["api.example"],
    },
}


@pytest.mark.parametrize("kind", BODIES)
def test_a_credential_lives_and_goes_without_its_secret(api: Api, kind: str) -> None:
    """Create, get, list and patch return five fields and never a secret; times have nine decimals."""
    created = api.ok("POST", CREDENTIALS, {"id": "mine", **BODIES[kind]})
    assert created == {
        "id": "mine",
        "type": kind,
        "status": "active",
        "create_time": "2026-09-21T12:00:00.000000000Z",
        "update_time": "2026-09-21T12:00:00.000000000Z",
    }
    assert api.ok("GET", f"{CREDENTIALS}/mine") == created
    assert api.ok("GET", CREDENTIALS) == {"credentials": [created]}
    api.now = "2026-09-21T13:00:00Z"
    patched = api.ok("PATCH", f"{CREDENTIALS}/mine", {"type": kind})
    assert patched == {**created, "update_time": "2026-09-21T13:00:00.000000000Z"}
    assert api.ok("DELETE", f"{CREDENTIALS}/mine") == {}
    assert api.refused("GET", f"{CREDENTIALS}/mine") == (404, "not_found")


def test_an_id_is_made_when_none_is_wished(api: Api) -> None:
    """A credential created without an id gets a UUID of its own."""
    made = {api.ok("POST", CREDENTIALS, BODIES["oauth2"])["id"] for _ in range(2)}
    assert len(made) == 2
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", one) for one in made)


def test_a_taken_id_is_aborted(api: Api) -> None:
    """An id that is in use gets 409 `aborted`, unlike agents, which get `already_exists`."""
    body = {"id": "mine", **BODIES["bearer_token"]}
    api.ok("POST", CREDENTIALS, body)
    assert api.refused("POST", CREDENTIALS, body) == (409, "aborted")


def without(kind: str, name: str) -> dict[str, Any]:
    """A valid body without one of its fields."""
    return {key: value for key, value in BODIES[kind].items() if key != name}


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"type": "basic", "token": "x"},
        {"type": ["oauth2"]},
        without("bearer_token", "type"),
        without("bearer_token", "token"),
        without("oauth2", "client_secret"),
        without("oauth2", "token_url"),
        without("environment_variable", "injection_location"),
        BODIES["bearer_token"] | {"headerName": "X"},
        BODIES["bearer_token"] | {"scopes": []},
        BODIES["oauth2"] | {"scopes": "read"},
        BODIES["oauth2"] | {"token_url": "auth.example"},
        BODIES["oauth2"] | {"token_url": "https://auth.invalid/token"},
        BODIES["environment_variable"] | {"injection_location": "cookie"},
        BODIES["environment_variable"] | {"injection_location": ["header", "cookie"]},
        BODIES["environment_variable"] | {"trusted_domains": [1]},
    ],
)
def test_what_does_not_fit_its_type_is_400(api: Api, body: Any) -> None:
    """Missing, unknown and invalid fields and a failed token exchange are refused without repeating the secret."""
    answer = api.send("POST", CREDENTIALS, body)
    assert answer.error == (400, "invalid_request")
    assert SECRET not in answer.message
    assert api.ok("GET", CREDENTIALS) == {}


@pytest.mark.parametrize(
    ("body", "query", "status"),
    [
        ({"type": "bearer_token", "prefix": "Token "}, "", 200),
        ({"type": "bearer_token", "token": "new"}, "?update_mask=token", 200),
        ({"type": "bearer_token", "token": "new"}, "?update_mask=secret", 400),
        ({"token": "new"}, "", 400),
        ({"type": "oauth2", "client_id": "x"}, "", 400),
        ({"type": "bearer_token", "token": ""}, "", 400),
        ({"type": "bearer_token", "id": "other"}, "", 400),
    ],
)
def test_a_patch_is_partial_and_names_the_type(api: Api, body: Any, query: str, status: int) -> None:
    """A patch must name the type and can change neither type nor id; the result must still be complete."""
    api.ok("POST", CREDENTIALS, {"id": "mine", **BODIES["bearer_token"]})
    assert api.send("PATCH", f"{CREDENTIALS}/mine{query}", body).status == status


@pytest.fixture
def tokens() -> tuple[Client, str]:
    """A client, and the path of the tokens of a stored interaction."""
    client = Client()
    return client, f"interactions/{client.create().json['id']}/auth_tokens"


def test_a_token_is_made_and_revoked(tokens: tuple[Client, str]) -> None:
    client, path = tokens
    made = client.call("POST", path).json
    prefix, _, digits = made["auth_token"].partition("/")
    assert (prefix, bool(re.fullmatch("[0-9a-f]+", digits))) == ("auth_tokens", True)
    assert made["expires_at"] > client.create().json["created"]
    late = client.call("POST", path, {"expire_time": "2099-01-01T00:00:00Z"}).json
    assert late["expires_at"] == "2099-01-01T00:00:00Z"
    assert client.call("DELETE", f"{path}/{digits}").json == {}
    assert client.call("DELETE", f"{path}/{digits}").error == (404, "not_found")


@pytest.mark.parametrize("ends", ["2001-01-01T00:00:00Z", "2099-01-01T00:00:00", "2099-01-01T99:00:00Z", 1])
def test_a_time_that_is_none_is_refused(tokens: tuple[Client, str], ends: object) -> None:
    """One that is over, has no zone or does not exist."""
    client, path = tokens
    assert client.call("POST", path, {"expire_time": ends}).error == (400, "invalid_request")
