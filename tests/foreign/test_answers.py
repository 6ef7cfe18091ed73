"""Foreign servers with tools, formats, media, levels and hops: odd ones that are right, and such with a defect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.foreign.rows import hold_each, is_background, refuse, rows_of, without
from tests.foreign.server import ForeignService, Headed, Json, Refused, Run, say, stream_parts

pytestmark = pytest.mark.slow

Events = Iterator[tuple[float, Json]]
JSON_TEXT = ' {\n "word": "hi"}\n'


def call_of(name: str, **arguments: str) -> Json:
    """A step that calls a function."""
    return {"type": "function_call", "id": "c1", "name": name, "arguments": arguments}


def always(value: Any) -> Callable[..., Any]:
    """A change of a method: it returns this."""
    return lambda *_: value


class Obliging(ForeignService):
    """Odd, but right: JSON is spread over lines, summaries are empty lists, usage stays as it is between steps.

    It calls functions, but not in streams.
    """

    takes = frozenset({"tools", "generation_config", "response_format"})

    def admit(self, body: Json) -> None:
        super().admit(body)
        if body.get("stream") and body.get("tools"):
            raise Refused(400, "invalid_request", "No function is called in a stream.")

    def create(self, body: Json) -> Any:
        answer = super().create(body)
        return answer if body.get("stream") else Headed(answer, x_gemini_service_tier="flex")

    def prepare(self, run: Run) -> None:
        body = run.body
        if body.get("tools") and body.get("generation_config", {}).get("tool_choice") == "any":
            run.steps, run.end = [call_of(body["tools"][0]["name"])], "requires_action"
        elif "response_format" in body:
            run.steps = [say(JSON_TEXT)]
        elif "generation_config" in body and not body.get("stream"):
            run.steps = [{"type": "thought", "signature": "c2ln", "summary": []}, *run.steps]

    def show(self, run: Run) -> Json:
        return {**super().show(run), "service_tier": "flex"}

    def events(self, run: Run) -> Events:
        for due, event in super().events(run):
            if event["event_type"] != "step.stop" or event["index"] + 1 < len(run.steps):
                yield due, event
                continue
            yield due, {**event, "usage": {"total_tokens": 8}}
            more = event["index"] + 1
            yield due, {"index": more, "step": {"type": "thought"}, "event_type": "step.start"}
            yield due, {"index": more, "usage": {"total_tokens": 8}, "event_type": "step.stop"}


class Painter(ForeignService):
    """Odd, but right: every medium is a file that some other host serves, and a text comes with it."""

    takes = frozenset({"response_format"})

    def show(self, run: Run) -> Json:
        body = super().show(run)
        if "steps" in body and (wanted := run.body.get("response_format", {}).get("type")) in ("image", "audio"):
            body["steps"] = [*body["steps"], {"type": "model_output", "content": [self.make(wanted)]}]
        return body

    def make(self, kind: str) -> Json:
        """The content for what was asked."""
        return {"type": kind, "uri": "https://media.example/1"}


class RunsAgents(ForeignService):
    """Any agent answers, in any environment."""

    def admit(self, body: Json) -> None:
        super().admit({"model": "gemini-agent", **without(body, "agent", "agent_config", "environment")})
        body.setdefault("model", body.get("agent"))

    def show(self, run: Run) -> Json:
        body = super().show(run)
        config = run.body.get("agent_config", {})
        return {**body, **self.end(config)} if config and body["status"] == "completed" else body

    def end(self, config: Json) -> Json:
        """What the end of a run with this configuration shows differently: the limit is overstepped, and told."""
        return {"status": "incomplete"} if config.get("max_total_tokens", 1000) < 30 else {}


TOOL = {"type": "function", "name": "get_weather", "parameters": {}}
SEARCH = [
    {"type": "tool_search_call", "id": "s1", "arguments": {"function_names": ["weather"]}},
    {"type": "tool_search_call", "id": "s2", "arguments": {"function_names": ["get_weather"]}},
    {"type": "tool_search_result", "call_id": "s2", "result": [TOOL]},
    {"type": "tool_search_result", "call_id": "s1", "result": []},
]


class Searching(ForeignService):
    """Odd, but right: it searches twice, finds nothing the first time, and streams no tools."""

    def admit(self, body: Json) -> None:
        if "tools" in body and body.get("stream"):
            raise Refused(400, "invalid_request", "Tools are not streamed.")
        given = body.get("input")
        is_result = isinstance(given, list) and any(part.get("type") == "function_result" for part in given)
        plain = without(body, "tools", "generation_config")
        super().admit({**plain, "input": "a result"} if is_result else plain)

    def prepare(self, run: Run) -> None:
        if "tools" in run.body and not isinstance(run.body["input"], list):
            searches = any(tool["type"] == "tool_search" for tool in run.body["tools"])
            call = call_of("get_weather", location="Paris")
            run.steps, run.end = [*(SEARCH if searches else []), call], "requires_action"


HOPS = ["Once there was", " a server ", "that hopped."]


def hop(text: str) -> list[Json]:
    """The steps of one hop."""
    return [{"type": "thought", "signature": "c2ln"}, say(text)]


class Hopping(ForeignService):
    """Odd, but right: a thought comes before each hop, and looks show the hops that are over."""

    takes = frozenset({"generation_config"})
    streamed = tuple(HOPS)

    def prepare(self, run: Run) -> None:
        run.steps = [say(text) for text in self.streamed]

    def show(self, run: Run) -> Json:
        body = super().show(run)
        over = len(HOPS) if body["status"] == "completed" else int(run.age / run.lasts * len(HOPS))
        return {**body, "steps": self.stored(over)}

    def stored(self, over: int) -> list[Json]:
        """The steps of the hops that are over."""
        return [step for text in HOPS[:over] for step in hop(text)]


class Reads(ForeignService):
    """Odd, but right: it reads pictures and documents only, and gives the bytes of a stored input in no answer."""

    kinds = ("text", "image", "document")

    def admit(self, body: Json) -> None:
        given = body.get("input")
        parts = [part for step in given for part in step.get("content", ())] if self.is_steps(given) else []
        if wrong := [part["type"] for part in parts if part["type"] not in self.kinds]:
            raise Refused(400, "invalid_request", f"This model does not read {wrong[0]}.")
        super().admit(body)

    @staticmethod
    def is_steps(given: Any) -> bool:
        """Whether an input is a list of steps of the user."""
        return isinstance(given, list) and all(
            isinstance(step, dict) and step.get("type") == "user_input" and isinstance(step.get("content"), list)
            for step in given
        )

    def get(self, run: Run, query: Json) -> Any:
        shown = super().get(run, query)
        given = run.body["input"]
        if isinstance(shown, dict) and "steps" in shown and self.is_steps(given):
            kept = ({**step, "content": self.keep(step["content"])} for step in given)
            shown["steps"] = [*kept, *shown["steps"]]
        return shown

    def keep(self, contents: list[Json]) -> list[Json]:
        """The contents as the stored input shows them."""
        return [without(part, "data") for part in contents]


class ReadsAll(Reads):
    """Reads each kind, and shows the bytes in the alphabet of URLs."""

    kinds = ("text", "image", "audio", "video", "document")

    def keep(self, contents: list[Json]) -> list[Json]:
        return [{**part, **self.recode(part)} for part in contents]

    def recode(self, part: Json) -> Json:
        """The bytes of a part."""
        return {"data": part["data"].replace("+", "-").replace("/", "_")} if "data" in part else {}


class ReadsParts(ReadsAll):
    """Odd, but right: reads parts of videos and of documents, and says with 422 that a part cannot be."""

    status = 400

    def admit(self, body: Json) -> None:
        given = body.get("input")
        if self.is_steps(given):
            for part in (part for step in given for part in step["content"]):
                if isinstance(way := part.get("processing"), dict) and not self.can_be(way):
                    raise Refused(self.status, "invalid_request", "There is no such part.")
            given = [
                {**step, "content": [without(one, "processing") for one in step["content"]]} for step in given
            ]
        super().admit({**body, "input": given})

    def can_be(self, way: Json) -> bool:
        """Whether a part can be read."""
        start, end = (
            float(way.get(name, other)[:-1]) for name, other in (("start_offset", "0s"), ("end_offset", "9s"))
        )
        pages = way.get("page_options", {})
        return start < end and 1 <= pages.get("start_page", 1) <= pages.get("end_page", 9)


class Formats(ForeignService):
    """Odd, but right: JSON is spread over lines, also after the result of a function."""

    takes = frozenset({"tools", "generation_config", "response_format"})

    def admit(self, body: Json) -> None:
        super().admit({**body, "input": "a result"} if self.is_result(body) else body)

    @staticmethod
    def is_result(body: Json) -> bool:
        """Whether a create brings the result of a function."""
        given = body.get("input")
        return isinstance(given, list) and given[:1] != [] and given[0].get("type") == "function_result"

    def prepare(self, run: Run) -> None:
        forced = run.body.get("generation_config", {}).get("tool_choice") == "any"
        if run.body.get("tools") and forced and not self.is_result(run.body):
            run.steps, run.end = [call_of(run.body["tools"][0]["name"])], "requires_action"
        elif "response_format" in run.body:
            run.steps = [say(JSON_TEXT)]


def tell_thoughts(self: Formats, usual: Any, run: Run) -> None:
    """Think before JSON; of a run that is not plain, the thought is the beginning of its text."""
    usual(run)
    if "response_format" in run.body and (is_background(run.body) or run.body.get("stream")):
        run.steps = [say("A word is asked for." + JSON_TEXT)]
    elif "response_format" in run.body:
        run.steps = [{"type": "thought", "signature": "c2ln"}, *run.steps]


def halve_films(self: ReadsAll, usual: Any, part: Json) -> Json:
    """Keep half of a video."""
    return {"data": part["data"][: len(part["data"]) // 8 * 4]} if part["type"] == "video" else usual(part)


LISTED = ("minimal", "low", "medium", "high")


class Thinks(ForeignService):
    """Odd, but right: refuses a level with another status than the service."""

    takes = frozenset({"generation_config"})
    levels: tuple[str, ...] = LISTED

    def admit(self, body: Json) -> None:
        level = body.get("generation_config", {}).get("thinking_level")
        if level is not None and level not in self.levels:
            raise Refused(422, "invalid_request", "There is no such level.")
        super().admit(body)


class Calls(ForeignService):
    """Odd, but right: calls the last function, also in the background; a stream has the call in one event."""

    takes = frozenset({"tools", "generation_config"})

    def admit(self, body: Json) -> None:
        given = body.get("input")
        if isinstance(given, list) and any(part.get("type") == "function_result" for part in given):
            body = {**body, "input": "The result is here."}
        super().admit(body)

    def prepare(self, run: Run) -> None:
        if run.body.get("tools") and "previous_interaction_id" not in run.body:
            called = call_of(run.body["tools"][-1]["name"], location="Paris")
            run.steps, run.end = [{**called, "id": f"c-{run.id}"}], "requires_action"

    def stream_step(self, run: Run, step: Json) -> Iterator[Json]:
        return stream_parts(step) if step["type"] == "function_call" else super().stream_step(run, step)


def refuse_results(refused: Callable[[Json, Json], Any]) -> Any:
    """Refuse turns that follow a streamed call; `refused` gets the creates of both."""

    def admit(self: Calls, usual: Any, body: Json) -> None:
        parent = self.parent_of(body)
        if parent is not None and parent.body.get("stream") and refused(parent.body, body):
            raise Refused(400, "failed_precondition", "No function call has this id.")
        usual(body)

    return admit


def is_mixed(body: Json) -> bool:
    """Whether a built-in tool stands beside a function."""
    return len({tool["type"] == "function" for tool in body.get("tools", ())}) == 2


ASKED = "tool.choice-any create.format-streamed create.no-summaries tier.* stream.stop-usage"
MEDIA = "create.format-image create.format-audio"
DECLARED = {"words": "--capability +image-answers --capability +audio-answers"}
RESEARCH = {"words": "--capability +deep-research"}
LONG = {"words": "--capability +long-decode"}
INPUTS = "create.input-image create.input-audio create.input-video create.input-document create.input-kinds"
LEVELS = "create.level-listed create.level-refused"
KNOWN = {"words": "--model gemini-3.8-flash"}
WAITING = "bg.requires-action bg.requires-action-streamed bg.result-ok"

PARTS = "create.part-backwards create.page-range"
FORMATS = "create.response-format create.format-list tool.format"

parts, formats = map(rows_of, (ReadsParts, Formats))
row, obliging, painter, agents = map(rows_of, (ForeignService, Obliging, Painter, RunsAgents))
searching, hopping, reads_all, thinks, calls = map(rows_of, (Searching, Hopping, ReadsAll, Thinks, Calls))
ROWS = [
    # White space around JSON, empty summaries, an unasked tier and a usage that stays are no faults.
    obliging(f"obliging: {ASKED} -> rest pass"),
    row(f"offers-none: {ASKED}"),
    # An image by its uri is one.
    painter(f"paints: {MEDIA} -> rest pass", **DECLARED),
    # A model that answers text is not accused.
    painter(f"declares-nothing: {MEDIA} -> rest untestable", make=lambda self, usual, kind: {"type": "text"}),
    # A plan is an answer like another one, and a turn continues it.
    agents("plans: agent.plan-flow -> rest pass", **RESEARCH),
    agents("plans-and-waits: agent.plan-flow -> warn agent.plan-flow", end=lambda self, usual,
        config: ({"status": "requires_action"} if config.get("collaborative_planning") else {}), **RESEARCH),
    # What runs in the foreground only is warned of, unless nothing runs in the background.
    agents("in-the-foreground: agent.field agent.settles -> warn agent.field, rest blocked",
        create=refuse(400, lambda body: "agent" in body and is_background(body))),
    agents("no-background: agent.field agent.settles -> rest not_applicable", create=refuse(400, is_background)),
    # Incomplete passes, with more tokens than were allowed.
    agents("limited: agent.token-limit -> rest pass"),
    # Two searches at once, results in another order, and one that found nothing are no faults.
    searching("searches: toolsearch.* -> rest pass"),
    row("no-tools: toolsearch.*"),
    # Thoughts between the hops and looks in the middle are no faults.
    hopping("hops: long.same-id long.join -> pass long.same-id long.join", **LONG),
    hopping("loses-spaces: long.* -> warn long.join", stored=lambda self, usual,
        over: [step for text in HOPS[:over] for step in hop(text.strip())], **LONG),
    # An answer with one output breaks nothing, but a run that was to judge hops warns that it saw none.
    hopping("one-hop: long.* -> warn long.same-id/- long.join/-", streamed=["".join(HOPS)], stored=lambda self,
        usual, over: hop("".join(HOPS)) if over == len(HOPS) else [], **LONG),
    row("no-hops: long.*"),
    # A kind that the model does not read is not offered; one that is lost breaks its rule.
    rows_of(Reads)(
        f"reads: get.own-input {INPUTS}"
        " -> untestable create.input-audio create.input-video create.input-kinds, rest pass"
    ),
    reads_all(f"reads-all: {INPUTS} -> rest pass"),
    reads_all(f"keeps-texts: get.own-input {INPUTS} -> warn get.own-input/files {INPUTS}, exit 0",
        keep=lambda self, usual, contents: [part for part in contents if part["type"] == "text"]),
    reads_all(f"halves-films: {INPUTS} -> warn create.input-video create.input-kinds, rest pass",
        recode=halve_films),
    # A part that cannot be is refused in any way; a server that takes it breaks the rule of its kind.
    parts(f"reads-parts: {PARTS} -> rest pass"),
    parts(f"reads-parts-422: {PARTS} -> warn {PARTS}", status=422),
    reads_all(f"reads-no-parts: {PARTS} -> rest not_applicable"),
    # A format alone, in a list and beside a tool; who refuses a list, or both together, offers less.
    formats(f"formats: {FORMATS} -> rest pass"),
    formats("tells-thoughts: create.response-format -> fail create.response-format/thought",
        prepare=tell_thoughts),
    formats(f"refuses-lists: {FORMATS} -> not_applicable create.format-list, rest pass",
        admit=refuse(400, lambda body: isinstance(body.get("response_format"), list))),
    formats(f"either-or: {FORMATS} -> not_applicable tool.format, rest pass",
        admit=refuse(400, lambda body: "response_format" in body and "tools" in body)),
    # What the guide of the model lists is taken, and nothing else; the guide of another model accuses nobody.
    thinks(f"thinks: {LEVELS} -> pass create.level-listed, warn create.level-refused", **KNOWN),
    thinks(f"own-model: {LEVELS} -> rest untestable", levels=(*LISTED, "xhigh"), words="--model gemini-own-model"),
    # GET, both streams and the next turn agree that a call is pending.
    calls(f"calls: {WAITING} -> rest pass"),
    calls("no-streamed: tool.result-ok bg.requires-action-streamed -> fail tool.result-ok/streamed",
        admit=refuse_results(lambda call, turn: turn.get("stream")),
        said=["the result of a call that was streamed is not accepted in a stream"]),
    calls("no-background-streamed: tool.result-ok bg.requires-action-streamed -> fail tool.result-ok/streamed",
        admit=refuse_results(lambda call, turn: call.get("background")),
        said=["the result of a call that was streamed in the background is not accepted"]),
    # A refusal is a note, since some models of the service refuse; a crash is one everywhere.
    calls("mixes: tool.mixed err.no-crash -> rest pass"),
    calls("mixes-nothing: tool.mixed err.no-crash -> info tool.mixed, rest pass", admit=refuse(400, is_mixed)),
]  # fmt: skip


test_each_defect_is_found_where_it_is = hold_each(ROWS)
"""Each defect is reported by the check of the promise that it breaks, and by no other."""
