"""What was created is told from the answer: the right path, with what its deletion needs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from harness.contract.runs import list_deletes
from harness.wire import Exchange, Headers
from tests.contract.exchanges import exchange


def answered(target: str, body: Any, sent: Any = None, **more: Any) -> Exchange:
    """A POST and its answer."""
    return exchange("POST", target, sent=sent or {}, body=body, **more)


@pytest.mark.parametrize(
    ("target", "body", "deleted"),
    [
        ("/v1beta/interactions", {"id": "v1_a"}, ["/v1beta/interactions/v1_a"]),
        ("/v1beta/interactions", {"id": "a/b?"}, ["/v1beta/interactions/a%2Fb%3F"]),
        ("/v1beta/interactions", {"id": "\ud800"}, ["/v1beta/interactions/%ED%A0%80"]),
        ("/v1beta1/projects/p/locations/l/agents",
         {"name": "projects/p/locations/l/agents/helper/operations/7"},
         ["/v1beta1/projects/p/locations/l/agents/helper"]),
        ("/v1beta/fileSearchStores", {"name": "fileSearchStores/s"}, ["/v1beta/fileSearchStores/s?force=true"]),
        ("/upload/v1beta/files?upload_id=u", {"file": {"name": "files/f"}}, ["/v1beta/files/f"]),
        ("/__harness__/sessions/s1/upload/v1beta/files", {"file": {"name": "files/f"}},
         ["/__harness__/sessions/s1/v1beta/files/f"]),
        ("/upload/v1beta/fileSearchStores/s:uploadToFileSearchStore",
         {"name": "fileSearchStores/s/upload/operations/o"}, []),
        ("/v1beta/fileSearchStores/s:importFile", {"name": "fileSearchStores/s/operations/o"}, []),
        ("/v1beta/webhooks/w:ping", {}, []),
        ("/v1beta/decisions", {"answers": {}}, []),
        ("/v1beta/triggers/t/executions", {"id": "x", "interaction_id": "v1_a", "environment_id": "e"},
         ["/v1beta/environments/e", "/v1beta/interactions/v1_a"]),
        ("/v1beta/interactions", {"status": "completed"}, []),
        ("/v1beta/interactions", [], []),
    ],
)  # fmt: skip
def test_each_kind_of_thing_has_its_delete(target: str, body: Any, deleted: list[str]) -> None:
    """The path has the version and the session of the create, the escaped id, and `force` where it is needed."""
    assert [request.target for request in list_deletes(answered(target, body))] == deleted
    assert list(list_deletes(answered(target, body, status=400))) == []


@pytest.mark.parametrize(
    ("environment", "is_new"),
    [("remote", True), ({"type": "remote", "network": "disabled"}, True), ("mine", False),
     ({"environment_id": "mine"}, False), (None, False)],
)  # fmt: skip
def test_only_a_new_sandbox_is_deleted(environment: Any, is_new: bool) -> None:
    """An environment that the request named was there before."""
    sent = {"agent": "a", "input": "x", **({"environment": environment} if environment else {})}
    created = answered("/v1beta/interactions", {"id": "v1_a", "environment_id": "e"}, sent)
    targets = [request.target for request in list_deletes(created)]
    assert targets == [*(["/v1beta/environments/e"] if is_new else []), "/v1beta/interactions/v1_a"]


def test_a_stream_tells_its_ids() -> None:
    """The ids of the interaction and its sandbox are read from the first events."""
    event = {"interaction": {"id": "v1_a", "environment_id": "e"}, "event_type": "interaction.created"}
    data = b"data: " + json.dumps(event).encode() + b"\n\n"
    sent = {"input": "x", "environment": "remote", "stream": True}
    created = answered("/v1beta/interactions", data, sent, label="text/event-stream")
    assert [request.target for request in list_deletes(created)] == [
        "/v1beta/environments/e",
        "/v1beta/interactions/v1_a",
    ]


def test_the_delete_has_the_headers_of_the_create() -> None:
    """All but those that describe a body or an upload."""
    sent = Headers([("x-goog-api-key", "k"), ("x-team", "t"), ("content-type", "application/json"),
                    ("X-Goog-Upload-Command", "upload, finalize")])  # fmt: skip
    created = answered("/upload/v1beta/files", {"file": {"name": "files/f"}})
    (delete,) = list_deletes(replace(created, request=replace(created.request, headers=sent)))
    assert (delete.method, delete.headers.items()) == ("DELETE", (("x-goog-api-key", "k"), ("x-team", "t")))
