"""Requests of this API: a server chooses names in their paths, and no path by them."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from harness.checks.vocabulary.resources import continue_upload
from harness.contract.requests import RequestBuilder
from harness.wire import COMPLETE, ExchangeBuilder, Headers, Request, UntilClose

UP = {
    "fileSearchStores/../../../team-b/x": "fileSearchStores/__/__/__/team-b/x",
    "fileSearchStores/a/..": "fileSearchStores/a/__",
    "fileSearchStores/%2e%2E/.%2e/x:upload": "fileSearchStores/__/__/x:upload",
    "../x": "__/x",
    "a/./x": "a/__/x",
    "a\\..\\x": "a/__/x",
    "interactions/..%2F..%2f..%5Cteam-b": "interactions/__/__/__/team-b",
    "interactions/%252e%25252e%252Fteam-b": "interactions/__/team-b",
    "interactions/..;x=y/..;/team-b": "interactions/__/__/team-b",
    "interactions/%c0%ae./%u002e%EF%BC%8E/team-b": "interactions/__/__/team-b",
    "interactions/..%09/%20../team-b": "interactions/__/__/team-b",
    "interactions/v1.2/...": "interactions/v1.2/...",
    "interactions/v1..2%2F...": "interactions/v1..2%2F...",
    "models/gemini-3.8-flash:x": "models/gemini-3.8-flash:x",
}


@pytest.mark.parametrize(("path", "sent"), UP.items(), ids=UP)
@pytest.mark.parametrize("version", ["", "upload/v1beta"])
def test_no_name_of_a_server_leads_up(path: str, sent: str, version: str) -> None:
    """A gateway resolves no path above the target's, however many escapes it decodes."""
    request = RequestBuilder(model="m").request("GET", path, version=version or None)
    assert request.target == f"/{version or 'v1beta'}/{sent}"


def test_our_own_path_is_sent_as_it_is() -> None:
    request = RequestBuilder(model="m").request("GET", "interactions/..%2F..", own_path=True)
    assert request.target == "/v1beta/interactions/..%2F.."


@pytest.mark.parametrize(
    "path", ["/upload/../../../team-b/x", "/upload/%2e%2e/..;/..%2fteam-b/x", "/upload/..\\x"]
)
def test_the_address_of_an_upload_leads_nowhere_up(path: str) -> None:
    """It has the headers of the user, which are secrets of a gateway."""
    builder = ExchangeBuilder(Request("POST", "/upload/v1beta/files"))
    builder.head(200, Headers([("x-goog-upload-url", f"{path}?y=1")]), UntilClose())
    sent = continue_upload(RequestBuilder(model="m"), builder.finish(COMPLETE, 0.0), "finalize", b"x")
    assert sent.raw_path.startswith("/upload/__/")
    assert ".." not in unquote(sent.raw_path)
    assert sent.target.endswith("?y=1")
