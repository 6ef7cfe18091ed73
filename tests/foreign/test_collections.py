"""Foreign servers that keep credentials, triggers and agents: odd ones that are right, and such with a defect."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from zoneinfo import available_timezones

import pytest

from tests.foreign.judging import check, check_at
from tests.foreign.rows import hold_each, in_pages, refuse, rows_of, vary, without
from tests.foreign.server import ForeignService, Handler, Json, Keyed, Refused, Run, parse_object, serving

pytestmark = pytest.mark.slow

FIELDS = {"id", "type", "token", "prefix"}
NEXT_RUN = "2026-11-23T11:30:00.000+02:00"
"""A Monday, half past nine in UTC."""


class Keeping(ForeignService):
    """Odd but right: a page without the array, other statuses, times in another zone, more fields."""

    def __init__(self) -> None:
        super().__init__()
        self.credentials: dict[str, Json] = {}
        self.triggers: dict[str, Json] = {}
        self.executions: dict[str, list[Json]] = {}

    def neighbour(self, method: str, parts: list[str], data: bytes, query: Json) -> Json:
        collection = {"credentials": self.credentials, "triggers": self.triggers}.get(parts[0])
        if collection is None:
            return super().neighbour(method, parts, data, query)
        if parts[1:] == []:
            return self.make(parts[0], parse_object(data)) if method == "POST" else self.list(parts[0], collection)
        if parts[1] not in collection:
            raise Refused(404, "not_found", "There is no such thing.")
        kept = collection[parts[1]]
        match method, parts[2:]:
            case "GET", []:
                return self.view(kept)
            case "PATCH", []:
                return self.view(self.change(parts[0], kept, parse_object(data)))
            case "DELETE", []:
                self.remove(collection, kept)
                return {}
            case "POST", ["executions"]:
                return self.execute(kept)
            case "GET", ["executions"]:
                return {"trigger_executions": self.executions[kept["id"]]}
        raise Refused(404, "not_found", "There is no such route.")

    def list(self, name: str, collection: dict[str, Json]) -> Json:
        """A page; an empty one has no array."""
        return {name: [self.view(kept) for kept in list(collection.values())]} if collection else {}

    def make(self, name: str, body: Json) -> Json:
        """Make a credential or a trigger."""
        return self.view(self.make_credential(body) if name == "credentials" else self.make_trigger(body))

    def make_credential(self, body: Json) -> Json:
        """Make a credential."""
        if strange := body.keys() - FIELDS:
            raise Refused(400, "invalid_request", f"Unknown: {sorted(strange)}.")
        if "token" not in body:
            raise Refused(400, "invalid_request", "There is no token.")
        if body["id"] in self.credentials:
            raise Refused(409, "aborted", "The id is in use.")
        self.credentials[body["id"]] = kept = {**body, "status": "fresh", "owner": "me"}
        return kept

    def make_trigger(self, body: Json) -> Json:
        """Make a trigger."""
        if len(body["schedule"].split()) != 5:
            raise Refused(400, "invalid_request", "The schedule has not five fields.")
        if body["time_zone"] not in available_timezones():
            raise Refused(400, "invalid_request", "There is no such zone.")
        name = f"t{next(self.numbers)}"
        kept = {**body, "id": name, "status": "active", "next_run_time": NEXT_RUN}
        self.triggers[name] = kept
        self.executions[name] = []
        return kept

    def view(self, kept: Json) -> Json:
        """What is shown."""
        return without(kept, "token")

    def change(self, name: str, kept: Json, body: Json) -> Json:
        """Change some fields."""
        if name == "credentials" and "type" not in body:
            raise Refused(400, "invalid_request", "The type is missing.")
        kept.update(body)
        return kept

    def remove(self, collection: dict[str, Json], kept: Json) -> None:
        """Delete one."""
        del collection[kept["id"]]

    def execute(self, kept: Json) -> Json:
        """Run a trigger by hand."""
        number = next(self.numbers)
        run = Run(f"i{number}", {"model": "gemini-1"}, 0.0, 4)
        self.runs[run.id] = run
        one = {"id": f"e{number}", "trigger_id": kept["id"], "status": "completed", "interaction_id": run.id}
        self.executions[kept["id"]].append(one)
        return one


class KeepsAgents(ForeignService):
    """Odd, but right: pages are larger than asked for, and a change answers more than was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.agents: dict[str, Json] = {}

    def neighbour(self, method: str, parts: list[str], data: bytes, query: Json) -> Json:
        if parts[0] != "agents" or len(parts) > 2:
            return super().neighbour(method, parts, data, query)
        if len(parts) == 1:
            return self.make(parse_object(data)) if method == "POST" else {"agents": list(self.agents.values())}
        if parts[1] not in self.agents:
            raise Refused(404, "not_found", "There is no such agent.")
        if method == "PATCH":
            self.agents[parts[1]] = self.change(self.agents[parts[1]], parse_object(data), query)
        return self.agents.pop(parts[1]) and {} if method == "DELETE" else self.agents[parts[1]]

    def make(self, body: Json) -> Json:
        """Keep an agent."""
        if body["id"] in self.agents or body["id"].startswith("gemini-"):
            raise Refused(409, "aborted", "The id is taken or reserved.")
        self.agents[body["id"]] = {**body, "object": "agent"}
        return self.agents[body["id"]]

    def change(self, agent: Json, body: Json, query: Json) -> Json:
        """An agent after a change."""
        return {**agent, **body, "changed_by": "nobody"}


class NumbersHooks(ForeignService):
    """Odd, but right: the webhooks of each project are numbered from 1, and the other project has one, too."""

    OTHERS = {"id": "1", "uri": "https://example.com/theirs", "subscribed_events": ["batch.succeeded"]}

    def __init__(self) -> None:
        super().__init__()
        self.hooks: dict[tuple[str, str], Json] = {("B", "1"): self.OTHERS}

    def neighbour(self, method: str, parts: list[str], data: bytes, query: Json) -> Json:
        if parts[0] != "webhooks":
            return super().neighbour(method, parts, data, query)
        mine = [hook for (owner, _), hook in self.hooks.items() if owner == self.key]
        if len(parts) == 1 and method == "POST":
            hook = {"id": str(len(mine) + 1), **parse_object(data)}
            self.hooks[self.key, hook["id"]] = hook
            return hook
        if len(parts) == 1:
            return {"webhooks": mine}
        found = self.find_hook(parts[1])
        if found not in self.hooks:
            raise Refused(404, "not_found", "There is no such webhook.")
        if method == "PATCH":
            self.hooks[found] = {**self.hooks[found], **parse_object(data)}
        return self.hooks.pop(found) and {} if method == "DELETE" else self.hooks[found]

    def find_hook(self, identity: str) -> tuple[str, str]:
        """The owner and the id of the webhook that a caller may use."""
        return self.key, identity


TakesTwoKeys = vary(Keyed, keys=("A", "B"))
NumbersHooks.handler = TakesTwoKeys


class OwnsAgents(KeepsAgents):
    """Correct: each project has agents of its own."""

    handler = TakesTwoKeys
    agents: Any = property(lambda self: self.noted.setdefault(self.key, {}), lambda self, value: None)


def take_once(status: int, mine: bool) -> Any:
    """A change of `make`: an id is refused that this project, or another one, had before."""

    def make(self: OwnsAgents, usual: Any, body: Json) -> Any:
        had, who = self.noted.setdefault("had", {}).setdefault(body["id"], set()), self.key
        if body["id"] not in self.agents and (who in had if mine else had - {who}):
            raise Refused(status, "aborted" if status == 409 else "api_error", "The id is in use.")
        had.add(who)
        return usual(body)

    return make


class IgnoresAgents(ForeignService):
    """Wrong: whatever agent is named, the usual model runs."""

    def admit(self, body: Json) -> None:
        for name in ("environment", "agent_config"):
            body.pop(name, None)
        self.check_agent(body.get("agent"))
        if body.pop("agent", None) is not None:
            body["model"] = "gemini-usual"
        super().admit(body)

    def check_agent(self, name: str | None) -> None:
        """Refuse an agent that cannot be run."""


def name_the_model(self: IgnoresAgents, usual: Any, name: str | None) -> None:
    """Refuse an agent that cannot be run."""
    if name is not None and not name.startswith("antigravity-"):
        raise Refused(404, "not_found", "There is no such agent.")


def remove_the_next_one(self: Keeping, usual: Any, collection: dict[str, Json], kept: Json) -> None:
    """Remove the second of several credentials together with the first."""
    for one in filter(None, (kept, self.credentials.get(f"{kept['id']}-2"))):
        usual(collection, one)


def leave_listed(**changes: str) -> Json:
    """Changes of a server: what was deleted stays in its lists, with these `changes`."""

    def bury(self: Keeping, usual: Any, collection: dict[str, Json], kept: Json) -> None:
        self.noted[kept["id"]] = {**self.view(kept), **changes}
        usual(collection, kept)

    def list_all(self: Keeping, usual: Any, name: str, collection: dict[str, Json]) -> Json:
        return {name: [*usual(name, collection).get(name, ()), *list(self.noted.values())]}

    return {"remove": bury, "list": list_all}


def list_late(self: Keeping, usual: Any, name: str, collection: dict[str, Json]) -> Json:
    """A list that shows what is there a moment after it could, as a search index does."""
    now = time.monotonic()
    seen = {key: self.noted.setdefault(key, now) for key in collection}
    return usual(name, {key: one for key, one in collection.items() if now - seen[key] > 0.7})


def move_once(start: int, moved: list[int] = []) -> int:  # noqa: B006 - it has to remember
    """Where a page begins: one entry later than its token says, the first time that a second page is asked for."""
    if start == 0 or moved:
        return start
    moved.append(start)
    return start + 1


def has_tools(*kinds: str) -> Callable[[Json], bool]:
    """Whether an agent has a tool of these kinds."""
    return lambda body: any(tool["type"] in kinds or not kinds for tool in body.get("tools", ()))


PAGED = "page.credentials page.triggers page.executions"
KEPT = f"cred.* trigger.* {PAGED}"
CRUD = {"words": "--capability +agents-crud"}
AGENTS = "agent.* create.both create.config-* err.*"
PATCHED = "agents.* -> pass agents.patch"

NAMES = "agents.crud err.no-crash store.isolation-kept"
KEYS = {"words": f"--api-key A --other-api-key B --capability +auth --capability +webhooks {CRUD['words']}"}
row, agents, hooks, owns = map(rows_of, (Keeping, KeepsAgents, NumbersHooks, OwnsAgents))
ROWS = [
    # Whatever else is shown, and in whatever zone.
    row(f"keeps: {KEPT} -> not_applicable cred.in-allowlist, rest pass"),
    row(f"loses-a-page: {KEPT} -> fail page.credentials", list=lambda self, usual, name, kept: usual(
        name, {key: one for key, one in kept.items() if f"{key}-2" not in kept})),
    row(f"lists-late: {KEPT} -> not_applicable cred.in-allowlist, rest pass", list=list_late),
    row("lists-no-trigger: trigger.* -> warn trigger.crud/",
        list=lambda self, usual, name, kept: usual(name, {} if name == "triggers" else kept)),
    row("lists-what-is-gone: cred.crud -> warn cred.crud", said=["still contains"], **leave_listed()),
    row("lists-it-as-revoked: cred.crud -> rest pass", **leave_listed(status="revoked")),
    # Tokens count what came before, and the last page is empty, which is right.
    row(f"in-pages: {PAGED} -> rest pass", neighbour=in_pages(empty_end=True)),
    # While the list is read for the first time, somebody deletes what came before.
    row("moves-once: page.triggers -> rest pass", neighbour=in_pages(move_once)),
    # One after another: beside it the entry that is skipped may be the one of another exercise.
    row(f"skips-one: {PAGED} -> fail page.credentials page.triggers, warn page.executions", words="-j 1",
        neighbour=in_pages(lambda start: start + 1 if start == 1 else start)),
    # A DELETE that removes the next one shows when that one is deleted; a change shows what was not changed.
    row(f"removes-a-neighbor: {KEPT} -> warn cred.crud/lost", remove=remove_the_next_one),
    row(f"changes-more: {KEPT} -> warn trigger.crud/changed", change=lambda self, usual, name, kept, body: (
        {**usual(name, kept, body), **({"schedule": "0 0 * * *"} if name == "triggers" else {})})),
    # All five kinds of tools are taken, kept, refused, or kept and not shown: all of it is right.
    agents(f"keeps-agents: {PATCHED} agents.tools", **CRUD),
    agents("takes-none: agents.* -> not_applicable agents.tools", make=refuse(400, has_tools()), **CRUD),
    agents("hides-tools: agents.* -> pass agents.tools", **CRUD,
           make=lambda self, usual, body: usual(without(body, "tools"))),
    # Agents that cannot be changed are no fault.
    agents("refuses-changes: agents.* -> not_applicable agents.patch, rest pass not_applicable", **CRUD,
           change=refuse(404)),
    # An id may be taken for good, and by one project for all of them, but that is no crash.
    owns(f"owns-agents: {NAMES} -> rest pass", **KEYS),
    *(owns(f"refuses-what-is-{word}: {NAMES} -> rest pass", make=take_once(409, mine), **KEYS)
      for word, mine in (("deleted", True), ("another's", False))),
    *(owns(f"crashes-at-what-is-{word}: {NAMES} -> fail err.no-crash, exit 1", make=take_once(500, mine), **KEYS)
      for word, mine in (("deleted", True), ("another's", False))),
    owns("caches-lists: store.isolation-kept -> fail store.isolation-kept/listed, exit 1",
         neighbour=lambda self, usual, method, parts, *rest: self.noted.setdefault("list", usual(
             method, parts, *rest)) if (method, parts) == ("GET", ["agents"]) else usual(method, parts, *rest),
         **KEYS),
    # Two projects may both own the webhook 1.
    hooks("numbers-hooks: store.isolation-kept -> rest pass", **KEYS),
    hooks("shares-hooks: store.isolation-kept -> fail store.isolation-kept", **KEYS,
          find_hook=lambda self, usual, identity: ("A", identity)),
    hooks("hides-a-part: store.isolation-kept -> fail store.isolation-kept", **KEYS,
          find_hook=lambda self, usual, identity: ("A", identity),
          neighbour=lambda self, usual, method, *rest: (
              {**shown, "uri": "https://hidden.invalid", "id": shown["id"]}
              if "uri" in (shown := usual(method, *rest)) and self.key == "B" else shown)),
    # It is told once; what needs agents, or a server that knows what an agent is, is blocked by it.
    rows_of(IgnoresAgents)(
        f"ignores-agents: {AGENTS} -> warn agent.field/model,"
        " blocked agent.unknown agent.settles create.both create.config-mismatch"
    ),
    # Where an unknown agent is refused, an answer that names a model is one of the agent.
    rows_of(IgnoresAgents)(
        "names-the-model: agent.field agent.settles agent.unknown -> rest pass", check_agent=name_the_model
    ),
]  # fmt: skip


class ListsInteractions(ForeignService):
    """As Vertex: below a project and a location, and with a list. Odd but right: newest first, three at a time.

    `older` interactions are listed last, as on a server that is in use; later pages begin `off` entries away.
    """

    most, usual, older, off = 3, 0, 0, 0

    def list(self, query: Json) -> Json:
        """A page of the list."""
        start, size = int(query.get("page_token", 0)), int(query.get("page_size", self.usual or self.most))
        whole = [{"id": name} for name in (*reversed(self.runs), *(f"old{n}" for n in range(self.older)))]
        begin, end = start + self.off if start else 0, start + min(size, self.most)
        token = {"next_page_token": str(end)} if end < len(whole) else {}
        return {"interaction_metadatas": whole[begin : begin + end - start], **token}


def lose_last(self: ListsInteractions, usual: Any, query: Json) -> Json:
    """A page without its last entry, unless it is the last page."""
    page = usual(query)
    return {**page, "interaction_metadatas": page["interaction_metadatas"][:-1]} if len(page) > 1 else page


def keep_five(self: ListsInteractions, usual: Any, run: Run) -> None:
    """Lose all but the newest interactions."""
    usual(run)
    self.runs = {name: self.runs[name] for name in [*self.runs][-5:]}


def shrink(times: int = 1) -> Callable[..., Any]:
    """Sixty entries of another client are gone after each of the first large pages."""

    def change(self: ListsInteractions, usual: Any, asked: Json) -> Json:
        page: Json = usual(asked)
        if asked.get("page_size") == "1000" and (seen := self.noted.setdefault("seen", 0)) < times:
            self.noted["seen"] += 1
            page["interaction_metadatas"] += [{"id": f"o{seen}-{n}"} for n in range(60)]
        return page

    return change


def repeat_the_last(self: ListsInteractions, usual: Any, query: Json) -> Json:
    """The last entry of a page begins the next one, too; another client creates one while pages are first read."""
    page: Json = usual({**query, "page_token": max(0, int(query.get("page_token", 0)) - 1)})
    if query.get("page_size") == "1000":
        self.noted["large"] = number = self.noted.get("large", 0) + 1
        page["interaction_metadatas"][:0] = [{"id": "of-another-client"}] * (number > 2)
    return page


class VertexHandler(Handler):
    """Takes the paths of Vertex, and no others."""

    def dispatch(self, data: bytes) -> Any:
        if not self.path.startswith("/v1/projects/p/locations/l/"):
            raise Refused(404, "not_found", "There is no such route.")
        self.path = self.path.replace("projects/p/locations/l/", "", 1)
        if self.command == "GET" and self.path.partition("?")[0] == "/v1/interactions":
            return self.service.list(self.query)
        return super().dispatch(data)


class ListsForGemini(Handler):
    """Has a list of its own at the path where the Gemini API has none."""

    def dispatch(self, data: bytes) -> Any:
        if self.command == "GET" and self.path.partition("?")[0] == "/v1beta/interactions":
            return {"data": []}
        return super().dispatch(data)


ListsInteractions.handler = VertexHandler
LISTED = "page.interactions* get.ok create.ok"
UNOFFERED = "not_applicable page.interactions page.interactions-size"
IN_A_PROJECT = "--api-version v1/projects/p/locations/l"

lists = rows_of(ListsInteractions)
many = rows_of(vary(ListsInteractions, most=500, usual=10, older=60))
LISTS = [
    many(f"many: {LISTED} -> rest pass, exit 0", words=IN_A_PROJECT),
    many(f"loses-between-pages-of-many: {LISTED} -> fail page.interactions/", words=IN_A_PROJECT, list=lose_last),
    lists(f"three-a-page: {LISTED} -> rest pass, exit 0", words=IN_A_PROJECT),
    lists(
        f"refuses-the-most: {LISTED} -> rest pass",
        words=IN_A_PROJECT,
        most=10,
        list=refuse(400, lambda query: int(query.get("page_size", 0)) > 500),
    ),
    lists(
        f"more-than-the-most: {LISTED} -> warn page.interactions-size/",
        words=IN_A_PROJECT,
        most=10,
        list=lambda self, usual, query: (
            {"interaction_metadatas": [*({"id": f"o{n}"} for n in range(501)), *({"id": n} for n in self.runs)]}
            if query.get("page_size") == "1000"
            else usual(query)
        ),
    ),
    # A list shows the loss of interactions, and causes none.
    lists(
        f"keeps-five: {LISTED} -> fail get.ok/denied, blocked page.interactions",
        words=IN_A_PROJECT,
        prepare=keep_five,
    ),
    # A list that is shorter than a page by then is read again.
    lists("shrinks: page.interactions -> rest pass", words=IN_A_PROJECT, most=500, list=shrink()),
    lists(
        "shrinks-always: page.interactions -> untestable page.interactions",
        words=IN_A_PROJECT,
        most=500,
        list=shrink(times=99),
    ),
    rows_of(vary(ListsInteractions, most=500, list=repeat_the_last))(
        "repeats-and-grows: page.interactions -> fail page.interactions", words=IN_A_PROJECT
    ),
    # Where nothing is listed, or something else at the same path, there is nothing to judge.
    lists(f"no-list: {LISTED} -> {UNOFFERED}", words=IN_A_PROJECT, list=refuse(404)),
    rows_of(ForeignService)(f"another-list: {LISTED} -> {UNOFFERED}", handler=ListsForGemini),
]


def test_the_path_of_vertex_is_part_of_the_address() -> None:
    """A URL with project and location names a target, with and without its last segment."""
    for end in ("", "/interactions"):
        with serving(vary(ListsInteractions, most=10)()) as url:
            report = check_at(f"{url}/v1/projects/p/locations/l{end}", *LISTED.split())
        assert (set(report.verdicts.values()), len(report.verdicts)) == ({"pass"}, 4)


test_each_defect_is_found_once_and_nothing_else = hold_each([*ROWS, *LISTS])
"""A server with one defect has the one finding that names it."""


def test_nothing_is_left_behind() -> None:
    """What was made is deleted, and what a trigger made, too."""
    service = Keeping()
    check(service, *KEPT.split())
    assert (service.credentials, service.triggers, service.runs) == ({}, {}, {})
