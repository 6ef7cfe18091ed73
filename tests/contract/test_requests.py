"""Requests of this API: a server chooses names in their paths, and no path by them."""

from __future__ import annotations

import pytest

from harness.contract.requests import RequestBuilder

UP = {
    "fileSearchStores/../../../team-b/x": "fileSearchStores/%2E%2E%2F%2E%2E%2F%2E%2E%2Fteam-b/x",
    "fileSearchStores/a/..": "fileSearchStores/a/%2E%2E",
    "fileSearchStores/%2e%2E/.%2e/x:upload": "fileSearchStores/%2e%2E%2F%2E%2e%2Fx:upload",
    "../x": "%2E%2E%2Fx",
    "a/./x": "a/%2E%2Fx",
    "a\\..\\x": "a%5C..%5Cx",
    "interactions/..%2F..": "interactions/..%2F..",
    "interactions/v1.2/...": "interactions/v1.2/...",
    "models/gemini-3.8-flash:x": "models/gemini-3.8-flash:x",
}


@pytest.mark.parametrize(("path", "sent"), UP.items(), ids=UP)
@pytest.mark.parametrize("version", ["", "upload/v1beta"])
def test_no_name_of_a_server_leads_up(path: str, sent: str, version: str) -> None:
    """A segment of dots is one with the next segment, so a gateway resolves no path above the target's."""
    request = RequestBuilder(model="m").request("GET", path, version=version or None)
    assert request.target == f"/{version or 'v1beta'}/{sent}"
