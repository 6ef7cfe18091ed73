"""The judges of the checks on environments, on hand-made exchanges."""

from __future__ import annotations

from tests.checks._play import answer, case, refusal


def place(found="env1", **fields):
    """An environment."""
    return answer(body={"id": found, "status": "active", "file_count": "1", "size_bytes": 14, **fields})


def shapes(environment):
    """Answers that all show the same environment."""
    shown = answer(body=environment, target="/v1beta/environments/e")
    listed = answer(body={"environments": [environment]}, target="/v1beta/environments?page_size=1000")
    return {"made": shown, "fetched": shown, "listed": listed}


def page(*names, token=None):
    """One page of the list of environments."""
    listed = {"environments": [{"id": name} for name in names]}
    return answer(body={**listed, "next_page_token": token} if token else listed)


ONE = place()
EMPTY = answer(body={})
MISSING = refusal(404, "not_found")
BOTH = ["env1", "env2"]
LIFE = {"made": ONE, "fetched": ONE, "listed": page("env1"), "deleted": EMPTY, "gone": MISSING}

CASES = [
    case("env.create", "met", "with its id", made=ONE),
    case("env.create", "not_met", "no id", made=answer(body={"status": "active"})),
    case("env.create", "not_met", "refused", made=refusal(403)),
    case("env.create", "not_met", "a list", made=answer(body=[{"id": "env1"}])),
    case("env.network", "met", "with its id", second=ONE),
    case("env.network", "not_met", "refused", second=refusal(400)),
    case("env.crud", "met", "a whole life", **LIFE),
    case("env.crud", "met", "on a later page", **{**LIFE, "listed": page("other", token="p2")}),
    case("env.crud", "not_met", "not listed", **{**LIFE, "listed": EMPTY}),
    case("env.crud", "not_met", "another is read", **{**LIFE, "fetched": place("env2")}),
    case("env.crud", "not_met", "still there", **{**LIFE, "gone": ONE}),
    case("env.crud", "not_met", "a bare list", **{**LIFE, "listed": answer(body=[{"id": "env1"}])}),
    case("env.schema", "met", "counts as digits", **shapes({"id": "e", "file_count": "1", "size_bytes": 14})),
    case("env.schema", "not_met", "sources that are a word", **shapes({"id": "e", "sources": "none"})),
    case("env.schema", "not_met", "no id", **shapes({"status": "active"})),
    case("env.status", "met", "active", made=ONE, fetched=ONE),
    case("env.status", "met", "expired", made=ONE, fetched=place(status="expired")),
    case("env.status", "met", "unlisted", made=ONE, fetched=place(status="creating")),
    case("env.status", "not_met", "a number", made=ONE, fetched=place(status=1)),
    case("env.status", "not_met", "none", made=answer(body={"id": "env1"}), fetched=ONE),
    case("env.fork", "met", "400", forked=refusal(400)),
    case("env.fork", "non_strict", "422", forked=refusal(422)),
    case("env.fork", "not_met", "accepted", forked=ONE),
    case("env.int64", "met", "digits and numbers", fetched=ONE),
    case("env.int64", "met", "absent", fetched=answer(body={"id": "env1"})),
    case("env.int64", "not_met", "a fraction", fetched=place(size_bytes=1.5)),
    case("env.int64", "not_met", "words", fetched=place(file_count="one")),
    case("env.int64", "not_met", "below nothing", fetched=place(file_count=-1)),
    case("env.int64", "not_met", "a truth", fetched=place(file_count=True)),
    case("env.unknown", "met", "404", unknown=MISSING),
    case("env.unknown", "not_met", "made up", unknown=ONE),
    case("page.token", "met", "one each", paged=[page("env1", token="p2"), page("env2")], expected=BOTH),
    case("page.token", "met", "older ones too", paged=[page("old", "env1", "env2")], expected=BOTH),
    case("page.token", "not_met", "one twice", paged=[page("env1", token="p2"), page(*BOTH)], expected=BOTH),
    case("page.token", "not_met", "one lost", paged=[page("env1")], expected=BOTH),
    case("page.token", "not_met", "a bare list", paged=[answer(body=[{"id": "env1"}])], expected=BOTH),
]  # fmt: skip
