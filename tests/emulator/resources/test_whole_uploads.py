"""Uploads in one request: the raw and the multipart protocol, as clients of file search stores send them."""

from __future__ import annotations

import base64
import hashlib

import pytest

from tests.emulator.client import Api

DATA = b"hello\r\n--not the boundary\r\n\0\xff"


@pytest.fixture
def api():
    """An emulator."""
    return Api()


def body_of(about: bytes, data: bytes = DATA) -> bytes:
    """Two parts, as a client writes them."""
    head = b"--bound\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n" + about
    return head + b"\r\n--bound\r\nContent-Type: text/markdown\r\n\r\n" + data + b"\r\n--bound--\r\n"


RAW = ("", DATA, {"x-goog-upload-protocol": "raw", "content-type": "text/markdown"})
MULTIPART = {"x-goog-upload-protocol": "multipart", "content-type": "multipart/related; boundary=bound"}
FILES = {
    "raw": RAW,
    "multipart": ("", body_of(b'{"file": {"displayName": "a"}}'), MULTIPART),
    "uploadType": (
        "?uploadType=multipart",
        body_of(b"{}"),
        {"content-type": 'multipart/related; boundary="bound"'},
    ),
}


@pytest.mark.parametrize(("query", "body", "headers"), FILES.values(), ids=FILES)
def test_a_file_is_uploaded_in_one_request(api, query, body, headers):
    """Every byte arrives, with the media type that was declared for it."""
    answer = api.call("POST", f"/upload/v1beta/files{query}", body, **headers)
    assert answer.status == 200, answer.data
    file = answer.json["file"]
    assert file["sizeBytes"] == str(len(DATA))
    assert base64.b64decode(file["sha256Hash"]) == hashlib.sha256(DATA).hexdigest().encode()
    assert file["mimeType"] == "text/markdown"


@pytest.mark.parametrize(("query", "body", "headers"), [
    ("?displayName=a", DATA, RAW[2]), ("", body_of(b'{"displayName": "a"}'), MULTIPART),
], ids=["raw", "multipart"])  # fmt: skip
def test_a_document_is_uploaded_in_one_request(api, query, body, headers):
    """A store gets the document with its title and its type."""
    store = api.call("POST", "fileSearchStores", {"displayName": "s"}).json["name"]
    answer = api.call("POST", f"/upload/v1beta/{store}:uploadToFileSearchStore{query}", body, **headers)
    assert answer.status == 200, answer.data
    (document,) = api.call("GET", f"{store}/documents").json["documents"]
    assert (document["displayName"], document["mimeType"]) == ("a", "text/markdown")


@pytest.mark.parametrize("content_type", ["multipart/related", "multipart/related; boundary=x"])
def test_a_body_without_parts_is_refused(api, content_type):
    """A multipart upload without its parts is refused, with what it has to have."""
    headers = {"x-goog-upload-protocol": "multipart", "content-type": content_type}
    answer = api.call("POST", "/upload/v1beta/files", b"hello", **headers)
    assert answer.status == 400
    assert "two parts" in answer.message
