"""What several exchanges say of one webhook, file or credential: what contradicts, and what may differ."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract.judge.history.resources import Deletions, judge_resources
from harness.wire import Exchange
from tests.contract.exchanges import exchange

BASE = "/v1beta"


def call(
    method: str, path: str, status: int = 200, sent: Any = None, body: Any = None, key: str = "one"
) -> Exchange:
    """An exchange of one caller."""
    shown = {} if body is None else body
    return exchange(method=method, target=f"{BASE}/{path}", status=status, sent=sent, body=shown, key=key)


def hook(identity: str = "w1", **fields: Any) -> dict[str, Any]:
    """A webhook as it is shown."""
    return {"id": identity, "uri": "https://a.example/x", "name": "mine", "update_time": "1", **fields}


def made(identity: str = "w1", key: str = "one", **fields: Any) -> Exchange:
    """A create of a webhook, and its answer."""
    return call("POST", "webhooks", sent={"uri": "https://a.example/x"}, body=hook(identity, **fields), key=key)


def read(identity: str = "w1", **fields: Any) -> Exchange:
    """A GET of a webhook, and its answer."""
    return call("GET", "webhooks/w1", body=hook(identity, **fields))


def delete(identity: str = "w1", status: int = 200) -> Exchange:
    """A delete of a webhook, and its answer."""
    return call("DELETE", f"webhooks/{identity}", status)


def patched(sent: dict[str, Any], **fields: Any) -> Exchange:
    """A change of a webhook, and its answer."""
    return call("PATCH", "webhooks/w1", sent=sent, body=hook(**fields))


def listed(*hooks: dict[str, Any]) -> Exchange:
    """A list of webhooks."""
    return call("GET", "webhooks", body={"webhooks": [*hooks]})


@pytest.mark.parametrize(
    ("trail", "codes"),
    [
        ([made(), read(), patched({"name": "new"}, name="new"), read(name="new"), listed(hook(name="new"))], []),
        ([made(), read(update_time="2", state="disabled")], []),
        ([made(), call("GET", "webhooks/w1", body={"id": "w1"})], []),
        ([made(born="2026-11-20T10:00:00Z"), read(born="2026-11-20T11:00:00.000+01:00")], []),
        ([made(born="2026-11-20T10:00:00Z"), read(born="2026-11-20T10:00:01Z")], ["hook.crud/changed"]),
        ([made(), read(uri="https://b.example")], ["hook.crud/changed"]),
        ([made(), read("w2")], ["hook.crud/another"]),
        ([made(), read(uri="https://b.example"), read()], ["hook.crud/changed"] * 2),
        ([listed(hook(name="a")), listed(hook(name="b"))], []),
        ([made(), patched({"name": "new"}, name="new", uri="https://b.example")], ["hook.crud/changed"]),
        ([made(), listed(hook(name="other"), hook("w2"))], ["hook.crud/changed"]),
        ([made(), made()], ["hook.crud/another"]),
        ([made(), delete(), made()], []),
        ([made(), made(key="two")], []),
        ([made(), call("GET", "webhooks/w1", 404, body={"error": {}})], []),
        ([call("GET", "webhooks/w1", body={"name": "mine"})], []),
        ([call("POST", "agents", sent={"id": "a"}, body={"id": "a"})] * 2, []),
        ([call("GET", "files/f1", body={"name": "files/f1"}), call("GET", "files/f1", body={"name": "files/f2"})],
         ["file.crud/another"]),
    ],
)  # fmt: skip
def test_a_resource_is_the_same_wherever_it_is_shown(trail: list[Exchange], codes: list[str]) -> None:
    assert [finding.stable_code for _, finding in judge_resources(trail)] == codes


@pytest.mark.parametrize(
    ("exchanges", "codes"),
    [
        ([made(), made("w2"), delete("w1"), delete("w2", 404)], ["hook.crud/lost"]),
        ([made(), made("w2"), delete("w2", 404), delete("w1")], ["hook.crud/lost"]),
        ([made(), delete("w1", 404)], []),  # a server without the route denies all
        ([made(), delete("w1"), delete("w1", 404)], []),
        ([made(), delete("w1"), delete("w9", 404)], []),
        ([made(), made("w2"), delete("w1"), delete("w2", 409)], []),
    ],
)
def test_a_delete_that_does_not_find_what_was_made_is_told(exchanges: list[Exchange], codes: list[str]) -> None:
    judge = Deletions()
    assert [finding.stable_code for one in exchanges for _, finding in judge.note(one)] == codes
