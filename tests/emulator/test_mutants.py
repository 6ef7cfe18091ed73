"""Mutants: each can be built, has a name and a summary, and visibly differs from the reference.

The kill matrix proves that every mutant is noticed by a check and that every check notices a mutant.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from harness.checks.areas.environments import pack
from harness.emulator import Emulator, Settings
from harness.emulator.mutants import MUTANTS, hooks, parts
from harness.emulator.mutants.changes import answer, put, skip, turn
from harness.emulator.mutants.rows import row
from harness.emulator.run.interaction_body import Bodies
from harness.kit.mutant import table
from harness.wire import Headers

from .client import AGENT, Answer, Api, read

TOOL = {"type": "function", "name": "f", "parameters": {"properties": {"city": {"type": "string"}}}}
FORM = {"type": "text", "mime_type": "application/json", "schema": {"type": "object"}}
SETTINGS = Settings(platform="any", keys={"a": "one", "b": "two"})
SCRIPTS = [
    {}, {"queued": 1}, {"status": "failed"}, {"status": "incomplete"}, {"error_event": {"after": 3}},
    {"continuation_token": "dDE="},
]  # fmt: skip
START = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
RESEARCH = "deep-research-preview-04-2026"


class Tour:
    """One tour of everything that a mutant may do wrong; `seen` collects what came back in its present part."""

    def __init__(self, emulator: Emulator) -> None:
        self.api = Api(emulator, key="a")
        self.seen: list[Any] = []

    def note(self, answer: Answer) -> Any:
        """Record an answer and return its JSON object, or `{}` if it has none."""
        self.seen.append((answer.status, answer.headers.items(), answer.data, answer.ending, answer.chunks))
        try:
            value = answer.json
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send one request."""
        return self.note(self.api.call(method, path, body, **headers))

    def new(self, text: Any = "Hello", **fields: Any) -> str:
        """Create an interaction and return its id, or an id that does not exist if the answer has none."""
        return str(self.note(self.api.create(text, **fields)).get("id") or "none")

    def keys(self) -> None:
        """Call with a good, a bad and no key, in every place where a key may stand."""
        found = self.new()
        for headers in ({}, {"x-goog-api-key": "bad"}, {"authorization": "Bearer a"}, {"x-goog-api-key": "a"}):
            self.api.key = ""
            self.ask("GET", f"interactions/{found}", **headers)
            self.ask("GET", f"interactions/{found}?key=a", **headers)
            self.api.key = "a"
        self.api.key = "b"
        self.ask("GET", f"interactions/{found}")
        self.ask("DELETE", f"interactions/{found}")
        self.api.key = "a"

    def creates(self) -> None:
        """Send creates that are answered."""
        for fields in (
            {"tools": [{"type": "google_search"}]}, {"tools": [TOOL]}, {"response_format": FORM},
            {"tools": [TOOL], "generation_config": {"tool_choice": "none"}},
            {"generation_config": {"max_output_tokens": 1}}, {"labels": {"a": "b"}}, {"store": False},
            {"stream": False}, {"stream": True}, {"stream": True, "background": True}, {"agent": AGENT},
            {"stream": True, "tools": [TOOL]}, {"model": AGENT}, {"stream": True, "store": False},
            {"stream": True, "generation_config": {"thinking_summaries": "auto"}},
            {"stream": True, "response_format": FORM},
            {"tools": [TOOL], "generation_config": {"tool_choice": "any"}},
            {"agent": AGENT, "agent_config": {"type": "antigravity", "max_total_tokens": 1}},
            {"model": "gemini-3-pro-image", "response_format": {"type": "image"}},
            {"model": "gemini-3.8-flash-tts", "response_format": {"type": "audio"}},
        ):  # fmt: skip
            self.new(**fields)
        for given in ({"type": "text", "text": "x"}, [{"type": "text", "text": "x"}],
                      [{"type": "user_input", "content": "x"}], "a\tb \n é 🦊", "x" * 600_000):  # fmt: skip
            self.ask("GET", f"interactions/{self.new(given)}")
        self.new(text="Hi", input="Hi")
        self.api.emulator.reply("One, two.", hops=2)
        self.ask("GET", f"interactions/{self.new()}")
        for revision in ("2026-05-07", "odd"):
            body = {"model": "gemini-3.5-flash", "input": "x"}
            self.ask("POST", "interactions", body, **{"api-revision": revision})
            self.ask("POST", "interactions", body, **{"content-type": "text/plain"})
        self.ask("POST", "interactions?alt=sse", {**body, "stream": True})
        self.new([{"role": "user", "content": "x"}])
        self.new(agent=AGENT, agent_config={"type": "antigravity"}, environment="remote")
        allowed = {"tool_choice": {"allowed_tools": {"mode": "any", "tools": ["f"]}}}
        self.new("What time is it?", tools=[{**TOOL, "name": "g"}, TOOL], generation_config=allowed)

    def refusals(self) -> None:
        """Send creates and paths that are refused."""
        for fields in (
            {"zzz": 1}, {"model": None}, {"agent": AGENT, "model": "gemini-3.5-flash"}, {"input": ""},
            {"input": None}, {"model": "nope"}, {"agent": "nope"}, {"store": 5}, {"tools": [{"type": "nope"}]},
            {"generation_config": {"thinking_level": "nope"}}, {"agent_config": {"type": "antigravity"}},
            {"agent": AGENT, "generation_config": {}}, {"webhook_config": {"uris": []}},
            {"stream": True, "zzz": 1}, {"labels": {"BAD": "x"}}, {"background": True, "store": False},
            {"systemInstruction": "x"},
            {"previous_interaction_id": "nope"}, {"agent": RESEARCH}, {"agent": AGENT, "environment": "f" * 32},
            {"input": [{"type": "function_result", "call_id": "x", "name": "f", "result": "x"}]},
        ):  # fmt: skip
            self.new(**fields)
        for data in (b"{", b"[]", b"", b'{"model":"gemini-3.5-flash","input":"\xff"}', b"[" * 10_000):
            self.ask("POST", "interactions", data)
            self.new()
        for method, path in (
            ("GET", "nope"), ("PUT", "interactions"), ("GET", "interactions/nope"),
            ("DELETE", "interactions/nope"), ("POST", "interactions/nope/cancel"),
            ("GET", "interactions/nope?stream=true"),
            ("GET", "interactions/a%2Fb"), ("GET", "interactions/" + "x" * 2000), ("POST", "/v1/interactions"),
        ):  # fmt: skip
            self.ask(method, path)
        self.api.emulator.reply(refuse={"status": 429, "code": "rate_limit_exceeded", "message": "x"})
        self.new()

    def reads(self) -> None:
        """Read a stored interaction in every way, delete it, and read it again."""
        first, found = self.new("One"), self.new("Two")
        self.ask("DELETE", f"interactions/{first}")
        for query in ("", "", "?include_input=true", "?stream=false", "?stream=true", "?last_event_id=x", "?odd=1",
                      "?stream=true&last_event_id=nope"):  # fmt: skip
            self.ask("GET", f"interactions/{found}{query}")
        for method in ("DELETE", "GET", "DELETE"):
            self.ask(method, f"interactions/{found}")
        self.ask("GET", f"interactions/{found}?stream=true")
        self.new(previous_interaction_id=found)
        running = self.new(background=True)
        self.ask("DELETE", f"interactions/{running}")
        self.api.emulator.clock.reached(self.api.emulator.clock.now + 5)
        for deleted in (found, running):
            self.ask("GET", f"interactions/{deleted}")
        body = {"model": "gemini-3.5-flash", "input": "Hi", "stream": True}
        self.ask("POST", "interactions", body, **{"accept-encoding": "gzip"})

    def runs(self) -> None:
        """Poll, cancel, delete and stream background runs."""
        for script in SCRIPTS:
            for fields in ({"background": True}, {"background": True, "stream": True}):
                self.api.emulator.script(script)
                answer = self.api.create(**fields)
                self.note(answer)
                found = id_in(answer)
                for _ in range(6):
                    self.ask("GET", f"interactions/{found}")
                self.resumes(found)
                self.ask("POST", f"interactions/{found}/cancel")
                self.ask("GET", f"interactions/{found}")
                self.new(previous_interaction_id=found)
        self.stopped_runs()
        found = self.new()
        self.ask("POST", f"interactions/{found}/cancel")
        self.ask("POST", f"interactions/{found}:cancel")
        self.ask("GET", f"interactions/{found}")

    def resumes(self, found: str) -> None:
        """Resume a run's stream after each of its events."""
        answer = self.api.get(found, stream="true")
        self.note(answer)
        if answer.headers.media_type() != "text/event-stream":
            return
        for event in answer.events:
            cursor = event.get("event_id") if isinstance(event, dict) else None
            if isinstance(cursor, str):
                self.note(self.api.get(found, stream="true", last_event_id=cursor))
                escaped = "".join(f"%{ord(character):02X}" for character in cursor)
                self.ask("GET", f"interactions/{found}?stream=true&last_event_id={escaped}")

    def stopped_runs(self) -> None:
        """Cancel, delete and disconnect from runs while they are being read."""
        for method, path in (("POST", "/cancel"), ("DELETE", ""), ("GET", "")):
            found = self.new(background=True)
            bodies = [self.api.open(found) for _ in range(2)]
            self.seen += [read(body, 3) for body in bodies]
            self.new(previous_interaction_id=found)
            self.ask(method, f"interactions/{found}{path}")
            self.seen += [read(body, 40) for body in bodies]
            self.ask(method, f"interactions/{found}{path}")
            for _ in range(3):
                self.ask("GET", f"interactions/{found}")
        found = self.new(background=True)
        body = self.api.open(found)
        seen = read(body, 5)
        body.close()
        if seen and isinstance(seen[0], dict):
            self.note(self.api.get(found, stream="true", last_event_id=str(seen[0].get("event_id"))))
        streamed = self.api.request("POST", "/v1beta/interactions",
                                    {"model": "gemini-3.5-flash", "input": "x", "stream": True})  # fmt: skip
        self.api.emulator(streamed).body.close()
        self.ask("GET", f"interactions/{found}")

    def turns(self) -> None:
        """Chain turns, send results, send steps back, continue paused answers, give agents a second turn."""
        first = self.new(tools=[{"type": "google_search"}])
        children = [self.new(previous_interaction_id=first) for _ in range(2)]
        for each in (*children, first):
            self.ask("GET", f"interactions/{each}")
        for fields in ({}, {"stream": True}):
            self.new(previous_interaction_id=children[0], **fields)
        bodies = [self.api.open(each) for each in children]
        self.seen += [read(body, 6) for body in bodies]
        self.seen += [read(body, 40) for body in bodies]
        call = {"type": "function_call", "id": "c1", "name": "f", "arguments": {}}
        for values in (["x"], [{"a": 1}], [[{"type": "text", "text": "x"}]], ["x", "y"]):
            steps = [{**call, "id": f"c{number}"} for number in range(len(values))]
            self.api.emulator.reply(steps=steps)
            parent = self.new(tools=[TOOL])
            self.ask("GET", f"interactions/{parent}")
            given = [{"type": "function_result", "call_id": f"c{number}", "name": "f", "result": value}
                     for number, value in enumerate(values)]  # fmt: skip
            self.new(given, previous_interaction_id=parent)
            self.new([{**given[0], "call_id": "c9"}], previous_interaction_id=parent)
            self.new([{**one, "is_error": True} for one in given], previous_interaction_id=parent)
        searched = self.note(
            self.api.create("x", tools=[{"type": "tool_search"}, {**TOOL, "defer_loading": True}])
        )
        given = {"type": "function_result", "call_id": searched["steps"][-1]["id"], "name": "f", "result": "x"}
        self.new([given], previous_interaction_id=searched["id"])
        said = {"type": "user_input", "content": "x"}
        for step in ({"type": "thought", "signature": "c2ln"}, {"type": "thought"},
                     {"type": "model_output", "content": [{"type": "text", "text": "x"}]}):  # fmt: skip
            self.new([said, step, said])
        self.api.emulator.reply("x", continuation_token="dDE=")
        self.new(store=False)
        self.new(store=False, continuation_token="dDE=")
        for token in ("dDE=", "nope"):
            self.api.emulator.reply("x", continuation_token="dDE=")
            parent = self.new()
            self.new(None, previous_interaction_id=parent, continuation_token=token)
        self.api.emulator.reply("x y z", hops=3, checkpoints=True)
        streamed = self.api.create("x", stream=True)
        self.note(streamed)
        tokens = (event.get("continuation_token") for event in streamed.events if isinstance(event, dict))
        parent = self.new()
        self.new(None, previous_interaction_id=parent, continuation_token=next(filter(None, tokens), "nope"))
        for fields in ({}, {"environment": "remote"}):
            agent = self.new(agent=AGENT, environment="remote")
            self.new(agent=AGENT, previous_interaction_id=agent, **fields)
            self.new(previous_interaction_id=agent)
        research: dict[str, Any] = {"agent": RESEARCH, "background": True}
        plan = self.new(**research, agent_config={"type": "deep-research", "collaborative_planning": True})
        for _ in range(6):
            self.ask("GET", f"interactions/{plan}")
        self.new(**research, previous_interaction_id=plan)
        here = self.note(self.api.create(agent=AGENT, environment="remote")).get("environment_id")
        self.new(agent=AGENT, environment=here)

    def resources(self) -> None:
        """Use every neighbouring collection."""
        for number in (1, 2, 1):
            self.ask("POST", "agents", {"id": f"helper-{number}", "base_agent": AGENT})
        self.ask("POST", "agents", {"id": "gemini-x", "base_agent": AGENT})
        self.ask("PATCH", "agents/helper-2?update_mask=description", {"description": "Helps."})
        ran = self.new(agent="helper-1", environment="remote")
        self.collection("agents", "helper-1")
        self.ask("GET", f"interactions/{ran}")
        self.ask("POST", "environments", {"network": "disabled"})
        source = {"type": "inline", "target": "a.txt", "content": "x\ny\n"}
        made = [str(self.ask("POST", "environments", {"sources": [source]}).get("id")) for _ in range(2)]
        self.ask("POST", "environments", {"from_environment": made[0], "sources": [source]})
        fork = str(self.ask("POST", "environments", {"from_environment": made[0]}).get("id"))
        self.ask("GET", f"environments/{fork}/files/a.txt")
        put = f"/upload/v1beta/environments/{made[0]}/files"
        self.ask("PUT", f"{put}/x?extract=true", pack("d/e.txt", b"x"))
        self.ask("PUT", f"{put}/y?uploadType=resumable", b"")
        self.ask("PUT", f"{put}/z", b"", **START)
        self.ask("PUT", f"{put}/new/directory/f.txt", b"x")
        self.new(agent=AGENT, environment={"environment_id": fork, "network": {"allowlist": [{"domain": "a.b"}]}})
        self.ask("GET", f"environments/{fork}")
        tools = [TOOL, {"type": "mcp_server", "name": "m", "url": "https://m.example"}]
        self.ask("POST", "agents", {"id": "based", "base_agent": AGENT, "base_environment": fork, "tools": tools})
        based = self.note(self.api.create(agent="based", environment="remote")).get("environment_id")
        self.ask("GET", f"environments/{based}/files?recursive=true")
        for path in ("", "?recursive=true", "/a.txt", "/nope", "/a.txt?alt=media", "?alt=media"):
            self.ask("GET", f"environments/{made[0]}/files{path}")
        for query in ("", "", "?overwrite=true"):
            self.ask("PUT", f"/upload/v1beta/environments/{made[0]}/files/b.txt{query}", b"x")
            self.ask("GET", f"environments/{made[0]}/files/b.txt?alt=media")
        self.collection("environments", made[0])
        hook = {"uri": "https://example.org/h", "subscribed_events": ["interaction.completed"], "name": "n"}
        self.ask("POST", "webhooks", {**hook, "subscribed_events": ["nope"]})
        found = str(self.ask("POST", "webhooks", hook).get("id"))
        self.ask("PATCH", f"webhooks/{found}", {"name": "m"})
        for verb in ("ping", "rotateSigningSecret"):
            self.ask("POST", f"webhooks/{found}:{verb}", {})
        self.collection("webhooks", found)

    def kept(self) -> None:
        """Store and change credentials, run and pause triggers."""
        secret = {"id": "mine", "type": "bearer_token", "token": "s3cret"}
        for body in (secret, secret, {**secret, "id": "other", "headerName": "x"}):
            self.ask("POST", "credentials", body)
        self.ask("POST", "environments", {"network": {"allowlist": [{"domain": "a.b", "credential": "mine"}]}})
        self.ask("PATCH", "credentials/mine", {"type": "bearer_token", "token": "n3w"})
        self.ask("PATCH", "credentials/mine", {"token": "n3w"})
        self.collection("credentials", "mine")
        trigger = {"schedule": "30 9 * * 1-5", "time_zone": "UTC", "interaction": {"agent": AGENT, "input": "x"}}
        self.ask("POST", "triggers", {**trigger, "schedule": "daily"})
        found = str(self.ask("POST", "triggers", trigger).get("id"))
        self.ask("PATCH", f"triggers/{found}", {"status": "paused"})
        ran = self.ask("POST", f"triggers/{found}/executions", {})
        self.ask("GET", f"triggers/{found}/executions")
        self.collection("triggers", found)
        self.ask("GET", f"interactions/{ran.get('interaction_id')}")

    def delivered(self) -> None:
        """Let runs be reported to webhooks, refuse the first attempt, rotate the secret."""
        outbox = self.api.emulator.outbox
        hook = {"uri": "http://localhost/h", "subscribed_events": ["interaction.completed",
                                                                   "interaction.requires_action"]}  # fmt: skip
        found = str(self.ask("POST", "webhooks", hook).get("id"))
        self.ask("GET", "/.well-known/jwks.json")
        self.ask("POST", f"webhooks/{found}:rotateSigningSecret", {})
        for fields in ({}, {"tools": [TOOL]}, {"webhook_config": {"uris": ["http://localhost/d"]}}):
            self.new(background=True, **fields)
            for _ in range(20):  # a mutant's run may never settle
                outbox.attend()
            for status in (503, 200):
                for delivery in outbox.take_due():
                    self.seen.append((delivery.uri, delivery.request, delivery.number, status))
                    outbox.note_answer(delivery, status)
                self.api.emulator.clock.reached(outbox.next_due or 0.0)

    def upload(self, path: str, data: bytes) -> Any:
        """Upload in the resumable form, query on the way, and return the last answer's value."""
        started = self.api.call("POST", f"/upload/v1beta/{path}", b"", **START)
        self.note(started)
        address = started.headers.get("x-goog-upload-url") or f"/upload/v1beta/{path}?upload_id=none"
        self.api.key, key = "", self.api.key
        self.note(self.api.call("POST", address, b"", **{"x-goog-upload-command": "query"}))
        done = self.api.call("POST", address, data, **{"x-goog-upload-command": "upload, finalize"})
        self.note(done)
        self.api.key = key
        return done.json

    def storage(self) -> None:
        """Upload files and documents, use and delete them."""
        file = self.upload("files", b"text")["file"]
        content = {"type": "document", "uri": file["uri"], "mime_type": "text/csv"}
        self.new([content])
        self.collection("files", file["name"].partition("/")[2])
        self.new([content])
        store = self.ask("POST", "fileSearchStores", {"displayName": "S"})["name"]
        brought = {"fileName": self.upload("files", b"text")["file"]["name"]}
        self.api.emulator.clock.reached(self.api.emulator.clock.now + 5)
        imported = self.ask("POST", f"{store}:importFile", brought)
        self.api.emulator.clock.reached(self.api.emulator.clock.now + 5)
        self.ask("GET", str(imported.get("name", f"{store}/operations/none")))
        self.new(tools=[{"type": "file_search", "file_search_store_names": [store]}])
        operation = self.upload(f"{store}:uploadToFileSearchStore", b"text")
        self.api.emulator.clock.reached(self.api.emulator.clock.now + 5)
        ended = self.ask("GET", str(operation.get("name", f"{store}/operations/none")))
        self.ask("GET", str(ended.get("response", {}).get("documentName", f"{store}/documents/none")))
        self.collection("fileSearchStores", store.partition("/")[2])

    def voices(self) -> None:
        """Make voices, stored and not, and decide."""
        voice = {"type": "prompted", "prompted": {"input": "deep"}}
        self.ask("POST", "voices", {"voice": voice})
        self.collection("voices", str(self.ask("POST", "voices", {"voice": voice, "store": True}).get("id")))
        questions = {
            "a": {"type": "noul", "instructions": "Is it?"},
            "b": {"type": "choice", "instructions": "Which?", "criteria": {"x": "", "y": ""}},
        }
        self.ask("POST", "decisions", {"model": "gemini-decision-1", "input": "x", "questions": questions})

    def collection(self, name: str, found: str) -> None:
        """Read, page, delete and read again."""
        page = self.ask("GET", f"{name}?page_size=1")
        self.ask("GET", f"{name}?page_size=1&page_token={page.get('next_page_token', '')}")
        for method, path in (("GET", ""), ("GET", f"/{found}"), ("GET", "/nope"), ("DELETE", f"/{found}"),
                             ("GET", f"/{found}")):  # fmt: skip
            self.ask(method, f"{name}{path}")

    def walk(self) -> Iterator[list[Any]]:
        """Do the tour part by part, short ones first, and yield what came back in each.

        An exception caused by a mutant is recorded as part of the result.
        """
        parts = (self.keys, self.reads, self.resources, self.storage, self.voices, self.kept, self.delivered)
        for part in (*parts, self.refusals, self.turns, self.creates, self.runs):
            self.api.emulator.reset()
            self.seen = []
            try:
                part()
            except (AssertionError, AttributeError, KeyError, TypeError, ValueError, IndexError) as stumbled:
                self.seen.append((part.__name__, type(stumbled).__name__, len(self.seen)))
            yield self.seen


def id_in(answer: Answer) -> str:
    """Return the id in a JSON answer or in a stream's first event, or an id that does not exist."""
    try:
        value = answer.json
    except ValueError:
        value = next(iter(answer.events), {})
        value = value.get("interaction", {}) if isinstance(value, dict) else {}
    return str(value.get("id", "none")) if isinstance(value, dict) else "none"


@pytest.fixture(scope="module")
def reference() -> list[list[Any]]:
    """What the reference answers on each part of the tour."""
    return list(Tour(Emulator(SETTINGS)).walk())


def test_the_reference_does_not_stumble(reference):
    """The tour raises nothing on the reference and gives the same result twice."""
    assert not [entry for part in reference for entry in part if len(entry) == 3 and isinstance(entry[0], str)]
    assert list(Tour(Emulator(SETTINGS)).walk()) == reference


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_differ(name, reference):
    """Each mutant can be built and gives a different answer than the reference somewhere on the tour."""
    tour = Tour(MUTANTS[name].build(SETTINGS)).walk()
    assert any(part != expected for part, expected in zip(tour, reference, strict=True))


def test_mutants_are_many_and_described():
    """There are mutants in every area, each with a one-line summary that ends with a full stop."""
    assert len(MUTANTS) >= 420
    assert len({mutant.area for mutant in MUTANTS.values()}) >= 17
    for name, mutant in MUTANTS.items():
        assert mutant.id == name
        assert mutant.summary.endswith(".")
        assert "\n" not in mutant.summary


def test_summaries_differ():
    """No two mutants have the same summary."""
    summaries = [mutant.summary for mutant in MUTANTS.values()]
    assert len(set(summaries)) == len(summaries)


def test_a_part_of_nothing_is_refused():
    """A defect in what is not a part of the emulator, or a mutant without a summary, raises ValueError."""
    with pytest.raises(ValueError, match="Odd is no part of the emulator: derive it from one of Emulator, Engine"):
        parts.part(type("Odd", (), {}))
    with pytest.raises(ValueError, match="is no method of a part of the emulator"):
        parts.before(Headers.get, skip)
    with pytest.raises(ValueError, match="'a' has the summary '': say in one sentence"):
        table("x", row("a", "", hooks.status(turn(queued="completed"))))


@pytest.mark.parametrize(("build", "message"), [
    (lambda: row("a", "A."), "'a' has no defect: write a hook of"),
    (lambda: row("a", "A.", "status"), "'a' has the defect 'status': write a hook of"),
    (lambda: hooks.admit("need_input", skip), "no step 'need_input': did you mean 'needs_input'"),
    (lambda: hooks.event("step.begin", skip), "no type of event 'step.begin': use one of interaction.created"),
    (lambda: hooks.deltas("image", skip), "no kind of deltas 'image': use one of text, thought, arguments"),
    (lambda: hooks.request("GET interaction/*", skip), "no call is written 'GET interaction/*': give a method"),
    (lambda: hooks.response("interactions", skip), "no call is written 'interactions': give a method"),
])  # fmt: skip
def test_a_row_that_acts_nowhere_says_what_to_do(build, message):
    """A row without a hook, or with one that does not exist, raises ValueError and says which ones there are."""
    with pytest.raises(ValueError) as caught:
        build()
    assert message in str(caught.value)


def test_two_defects_of_one_part_add_up():
    """An emulator may have several defects, also in the same method and on top of a class of one part."""

    class Loud(Bodies):
        def status(self, run):
            return super().status(run).upper()

    defects = [parts.part(Loud), hooks.status(turn(COMPLETED="x")), hooks.status(turn(x="y"))]
    for order in (defects, [hooks.body(put(object="z")), *defects]):
        api = Api(row("a", "A.", *order).build(SETTINGS), key="a")
        assert api.create("Hello").json["status"] == "y"
    assert api.create("Hello").json["object"] == "z"


@pytest.mark.parametrize(("calls", "target", "concerned"), [
    ("GET interactions/*", "interactions/a", True),
    ("GET interactions/*", "interactions/a/", True),
    ("GET interactions/*", "interactions/a:b", False),
    ("GET interactions/*", "interactions", False),
    ("POST interactions/*", "interactions/a", False),
    ("* interactions/**", "interactions", True),
    ("* interactions/**", "interactions/a/cancel", True),
    ("GET webhooks/*:ping", "webhooks/a:ping", True),
    ("GET webhooks/*:ping", "webhooks/a", False),
    (hooks.EVERY, "nope/nope", True),
])  # fmt: skip
def test_a_hook_concerns_the_calls_it_names(calls, target, concerned):
    """`*` stands for one segment without a colon, `*:verb` for one that ends so, `**` for any rest."""
    api = Api(row("a", "A.", hooks.request(calls, answer({"noticed": True}))).build(SETTINGS), key="a")
    reply = api.call("GET", target)
    assert (reply.json == {"noticed": True}) is concerned
