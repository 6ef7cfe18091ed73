"""What several exchanges show of one webhook, file or credential: what contradicts, and what may differ."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract.judge.history.resources import ResourceRun, judge_resources
from harness.contract.judge.history.run_judge import RunJudge
from harness.wire import Exchange
from tests.contract.exchanges import exchange
from tests.in_one_test import in_one_test

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


def created(path: str, sent: dict[str, Any], body: dict[str, Any], status: int = 200) -> Exchange:
    """A create of any resource, and its answer."""
    return call("POST", path, status, sent=sent, body=body)


STORE = "fileSearchStores/s"
RUNS = "triggers/t/executions"
KEPT_STORE = [
    created("fileSearchStores", {}, {"name": STORE}),
    created("fileSearchStores", {}, {"name": "fileSearchStores/t"}),
    call("DELETE", "fileSearchStores/t"),
]
LIMITED = {"execution_timeout_seconds": 600}
PLACED = {"id": "e", "sources": [{"target": "a"}]}


@in_one_test([
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
        ([made(), delete(), made()], []),
        ([made(), made(key="two")], []),
        ([made(), call("GET", "webhooks/w1", 404, body={"error": {}})], []),
        ([call("GET", "webhooks/w1", body={"name": "mine"})], []),
        ([call("POST", "agents", sent={"id": "a"}, body={"id": "a"})] * 2, []),
        ([call("GET", "files/f1", body={"name": "files/f1"}), call("GET", "files/f1", body={"name": "files/f2"})],
         ["file.crud/another"]),
        # A create and its answer.
        ([created("agents", {"id": "a"}, {"id": "b"})], ["agents.crud/another"]),
        ([created("webhooks", {"uri": "https://a.example/y"}, hook())], ["hook.crud/changed"]),
        ([created("webhooks", {"uri": "https://a.example/x/"}, hook())], []),
        ([created("environments", {"sources": [{"target": "a", "content": "x"}]},
                  {"id": "e", "sources": [{"target": "/a", "encoding": "utf-8"}]})], []),
        ([created("environments", {"sources": [{"target": "a"}]}, {"id": "e", "sources": [{"target": "b"}]})],
         ["env.crud/changed"]),
        ([created("environments", {"sources": [{"target": "a"}]}, {"id": "e", "sources": []})],
         ["env.crud/changed"]),
        ([created("triggers", LIMITED, {"id": "t", "execution_timeout_seconds": "600"})], []),
        ([created("triggers", LIMITED, {"id": "t", "execution_timeout_seconds": 601})], ["trigger.crud/changed"]),
        ([created("agents", {"tools": [{"type": "a"}]}, {"id": "a", "tools": []})], []),
        ([created("voices", {"voice": {"type": "prompted"}, "store": True}, {"id": "v", "type": "prebuilt"})],
         ["voice.crud/changed"]),
        # Lists, and the runs of triggers.
        ([made(), listed(hook("w2")), listed(), delete()], ["hook.crud/unlisted"]),
        ([made(), listed(), listed(), listed(hook()), listed()], []),
        ([made(), delete(), listed()], []),
        ([made(), call("GET", "webhooks?page_size=1", body={"webhooks": [], "next_page_token": "t"})], []),
        ([made(), call("GET", "webhooks?page_size=1", body={"webhooks": [hook("w2")]})], []),
        ([made(), call("GET", "webhooks?type=other", body={"webhooks": []})], []),
        ([created(RUNS, {}, {"id": "r", "environment_id": "e1"}),
          call("GET", RUNS, body={"trigger_executions": [{"id": "r", "environment_id": "e2"}]})],
         ["trigger.crud/changed"]),
        # The parts of a store.
        ([call("GET", f"{STORE}/operations/o", body={"name": f"{STORE}/operations/o"})], []),
        ([call("GET", f"{STORE}/operations/o", body={"name": f"{STORE}/operations/p"})],
         ["filesearch.crud/another"]),
        ([call("GET", f"{STORE}/operations/o", body={"response": {"documentName": f"{STORE}/documents/d"}})], []),
        ([call("GET", f"{STORE}/operations/o", body={"response": {"parent": "fileSearchStores/other"}})],
         ["filesearch.crud/another"]),
    ])  # fmt: skip
def test_a_resource_is_the_same_wherever_it_is_shown(trail: list[Exchange], codes: list[str]) -> None:
    assert [finding.stable_code for _, finding in judge_resources(trail)] == codes


@in_one_test([
        ([made(), made("w2"), delete("w1"), delete("w2", 404)], ["hook.crud/lost"]),
        ([made(), made("w2"), delete("w2", 404), delete("w1")], ["hook.crud/lost"]),
        ([made(), delete("w1", 404)], []),  # a server without the route denies all
        ([made(), delete("w1"), delete("w1", 404)], []),
        ([made(), delete("w1"), delete("w9", 404)], []),
        ([made(), made("w2"), delete("w1"), delete("w2", 409)], []),
        ([made(), made()], ["hook.crud/another"]),
        ([made(), delete(), made()], []),
        ([made(), made("w2"), read(), call("GET", "webhooks/w2", 404)], ["hook.crud/lost"]),
        ([made(), call("GET", "webhooks/w1", 404)], []),
        ([listed(), call("GET", "webhooks", 404)], ["hook.crud/denied"]),
        ([call("GET", "webhooks", 404), listed()], ["hook.crud/denied"]),
        ([listed(), call("GET", "webhooks", 429), call("GET", "webhooks", 404, key="two")], []),
        ([made(), created("webhooks", {"uri": "https://a.example/x"}, {}, 400)], ["hook.crud/denied"]),
        ([made(), created("webhooks", {"uri": "no"}, {}, 400)], []),
        ([created("agents", {"id": "a"}, {"id": "a"}), created("agents", {"id": "a"}, {}, 400)], []),
        ([created("environments", {"from_environment": "e"}, {"id": "f"}),
          created("environments", {"from_environment": "e"}, {}, 404)], []),
        ([created("triggers", {}, {"id": "t"}), created(RUNS, {}, {}, 404), created(RUNS, {}, {"id": "r"})],
         ["trigger.crud/lost"]),
        ([created("environments", {"sources": [{"target": "a"}]}, PLACED),
          created("environments", {"sources": [{"target": "a"}]}, {"id": "f"})], ["env.crud/lacking"]),
        ([created("environments", {"sources": [{"target": "a"}]}, {"id": "f"}),
          created("environments", {"sources": [{"target": "a"}]}, PLACED)], ["env.crud/lacking"]),
        ([created("environments", {"sources": [{"target": "a"}]}, {"id": "f"})], []),
        ([call("GET", "webhooks?page_token=t", body={"webhooks": [hook()], "next_page_token": "t"})],
         ["hook.crud/page"]),
        ([call("GET", "webhooks?page_token=t", body={"webhooks": [hook()], "next_page_token": "u"})], []),
        ([*KEPT_STORE, call("DELETE", f"{STORE}?force=true", 400)], ["filesearch.crud/lost"]),
        ([*KEPT_STORE, call("DELETE", STORE, 400)], []),
    ])  # fmt: skip
def test_what_a_run_grants_elsewhere_is_not_denied(exchanges: list[Exchange], codes: list[str]) -> None:
    judge = ResourceRun()
    assert [finding.stable_code for one in exchanges for _, finding in judge.note(one)] == codes


@pytest.mark.parametrize(("services", "codes"), [(1, ["hook.crud/another"]), (2, [])])
def test_another_service_may_give_the_same_id(services: int, codes: list[str]) -> None:
    judge = RunJudge()
    other = judge if services == 1 else judge.for_service()
    found = [*judge.note(made()), *other.note(made())]
    assert [finding.code for _, finding in found] == codes
