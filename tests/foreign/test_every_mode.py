"""Foreign servers that break a rule where two modes meet, for each rule of a create's response in each such pair.

One table says when a mode is on, another how a server loses each option of a create; each cell is a server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.foreign.answering import Json, Refused
from tests.foreign.rows import hold_each, refuse, rows_of, vary
from tests.foreign.server import WORDS, ForeignService, Handler, Run, say
from tests.foreign.test_modes import Calling, Limits
from tests.foreign.test_pairs import Searches
from tests.foreign.test_turns import Reciting

pytestmark = pytest.mark.slow

MODES = {
    "streams": ("stream",),
    "runs": ("background",),
    "streamed-runs": ("background", "stream"),
    "unstored": ("store",),
    "turns": ("previous_interaction_id",),
    "streamed-turns": ("previous_interaction_id", "stream"),
    "run-turns": ("previous_interaction_id", "background"),
}
"""The fields that are set in each mode, or in each pair of modes."""


def is_on(run: Run, *names: str) -> bool:
    """Whether the create of a run has these fields; `store` is one if it is false."""
    return all(run.body.get(name) is False if name == "store" else run.body.get(name) for name in names)


class Choosing(Calling):
    """Odd, but right: it calls its first function unless it may not; of several the one that is allowed."""

    late = 0.0

    def choice_of(self, run: Run) -> Any:
        """What the create lets it choose."""
        return (run.body.get("generation_config") or {}).get("tool_choice")

    def waits(self, run: Run) -> bool:
        return super().waits(run) and self.choice_of(run) != "none"

    def call_of(self, run: Run) -> Json:
        call, choice = super().call_of(run), self.choice_of(run)
        named = choice["allowed_tools"]["tools"] if isinstance(choice, dict) else []
        return {**call, "name": named[0]} if named else call


class Thinking(ForeignService):
    """Odd, but right: it thinks in every mode, and sums that up unless it may not."""

    takes = frozenset({"generation_config"})

    def summarizes(self, run: Run) -> bool:
        """Whether the thought has a summary."""
        return (run.body.get("generation_config") or {}).get("thinking_summaries") != "none"

    def prepare(self, run: Run) -> None:
        summary = [{"type": "text", "text": "Numbers."}] if self.summarizes(run) else []
        run.steps = [{"type": "thought", "signature": "c2ln", "summary": summary}, *run.steps]


class Waiting(Searches):
    """Odd, but right: it searches, and has a status for that."""

    def end_of(self, run: Run) -> str:
        """The status with which a run ends."""
        return "completed"

    def prepare(self, run: Run) -> None:
        super().prepare(run)
        run.end = self.end_of(run)


class Talking(Limits):
    """Odd, but right: it talks until its limit."""

    def prepare(self, run: Run) -> None:
        run.steps = [say("Hello there. " * 20)]
        super().prepare(run)

    def usage(self, run: Run) -> Json:
        written = len(run.steps[0]["content"][0]["text"].split())
        return {**super().usage(run), "total_output_tokens": written, "total_tokens": run.tokens + written}


class Stopping(ForeignService):
    """Odd, but right: it ends its text with the word before the first stop, where there is one."""

    takes = frozenset({"generation_config"})

    def stops_of(self, run: Run) -> list[str]:
        """The texts that end the output of a run."""
        return (run.body.get("generation_config") or {}).get("stop_sequences") or []

    def words_of(self, run: Run) -> list[str]:
        """The words that a run writes."""
        ends = [number for number, word in enumerate(WORDS) if any(stop in word for stop in self.stops_of(run))]
        return WORDS[: min(ends, default=len(WORDS))]

    def prepare(self, run: Run) -> None:
        run.steps = [say("".join(self.words_of(run)))]


def where(*names: str, change: Callable[..., Any]) -> Callable[..., Any]:
    """A change of a method of a run, where a mode is on."""
    return lambda self, usual, run: change(self, usual, run) if is_on(run, *names) else usual(run)


def give(value: Any) -> Callable[..., Any]:
    """A change of a method: it returns this."""
    return lambda *_: value


FORMATS = "create.response-format create.format-streamed"
DEFECTS: dict[str, tuple[type[ForeignService], str, str, dict[str, Any]]] = {
    "formats": (Reciting, FORMATS, "", {"format_of": give(None)}),
    "instructions": (Reciting, "create.system-instruction", "", {"instruction_of": give("")}),
    "limits": (Talking, "create.max-tokens", "", {"limits": give(False)}),
    "forbidden-calls": (Choosing, "tool.choice-none", "", {"choice_of": give("any")}),
    "allowed-calls": (Choosing, "tool.choice-allowed", "", {"choice_of": give("any")}),
    "forced-calls": (Choosing, "tool.choice-any", "/mode", {"waits": give(False)}),
    "thoughts": (Thinking, "create.no-summaries", "", {"summarizes": give(True)}),
    "searches": (Waiting, "tool.search", "", {"end_of": give("requires_action")}),
}
"""How each option is lost: the server, the checks, the code of the finding, and the changed method."""


def skip_after_a_thought(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Skip the first event after a cursor, if it is in a thought."""
    rest = usual(run, query)
    return rest[1:] if "last_event_id" in query and rest and rest[0][1].get("index") == 0 else rest


def say_nothing_twice(self: Handler, usual: Any, data: bytes) -> Any:
    """Say nothing to the second cancel of a run."""
    run = self.service.runs.get(self.parts[-2]) if self.parts[-1] == "cancel" else None
    if run is not None and run.cancelled_at is not None:
        self.closed.wait(60)
        raise ConnectionAbortedError
    return usual(data)


def fail_at_streamed_images(self: ForeignService, usual: Any, body: Json) -> Any:
    """Fail at an image in the input of a stream."""
    if body.get("stream") and "image/png" in json.dumps(body["input"]):
        raise Refused(500, "api_error", "There is no text.")
    return usual(body)


CITATION = {"type": "url_citation", "url": "https://example.org/", "start_index": 0, "end_index": 2}


class Citing(Waiting):
    """Odd, but right: it cites what it found, in an event of its own, and its output has one more part."""

    def prepare(self, run: Run) -> None:
        super().prepare(run)
        if self.searches(run):
            run.steps[-1]["content"][0]["annotations"] = [CITATION]

    def cites(self, run: Run) -> bool:
        """Whether a stream has the citation."""
        return bool(self.searches(run))

    def stream_step(self, run: Run, step: Json) -> Iterator[Json]:
        *events, stop = super().stream_step(run, step)
        yield from events
        if step["type"] == "model_output" and self.cites(run):
            delta = {"type": "text_annotation_delta", "annotations": [CITATION]}
            yield {"delta": delta, "event_type": "step.delta"}
        yield stop


class Viewing(ForeignService):
    """Odd, but right: it takes files of all kinds, says the same of each, and shows them in GET."""

    def admit(self, body: Json) -> None:
        super().admit({**body, "input": "Look."})

    def get(self, run: Run, query: Json) -> Any:
        shown = super().get(run, query)
        return {**shown, "steps": [*self.show_input(run), *shown["steps"]]} if "steps" in shown else shown

    def show_input(self, run: Run) -> list[Json]:
        """The steps of the input."""
        given: list[Json] = run.body["input"]
        return given


def have_kinds(*kinds: str) -> Callable[..., bool]:
    """Whether the input of a create has files of all these kinds."""
    return lambda body: all(kind in json.dumps(body["input"]) for kind in kinds)


def lose_the_page(self: Viewing, usual: Any, run: Run) -> Any:
    """Show no bytes of a document."""
    return json.loads(re.sub(r'"data": "JVBER[^"]*"', '"data": ""', json.dumps(usual(run))))


service = rows_of(ForeignService)
RUNS = "cancel.* chain.running chain.after-settled err.no-crash"
DELETES = "del.gone del.stays-gone del.running"
MEETINGS = [
    # What is done to a run in progress, or to one that was canceled, is done to a run of this mode as well.
    service(f"runs: {RUNS} -> exit 0", lasts=3.0),
    service(
        f"says-nothing-twice: {RUNS} -> fail cancel.ok/silent, exit 1",
        words="--timeout 6",
        lasts=3.0,
        handler=vary(Handler, dispatch=say_nothing_twice),
    ),
    service(f"deletes-runs: {DELETES} -> rest pass"),
    service(
        f"keeps-runs: {DELETES} -> fail del.stays-gone/kept, exit 1",
        delete=lambda self, usual, run: {} if run.body.get("background") else usual(run),
    ),
    service("reads-images: create.input-image err.no-crash stream.done -> exit 0"),
    service(
        "fails-at-streamed-images: create.input-image err.no-crash stream.done -> fail err.no-crash, exit 1",
        create=fail_at_streamed_images,
    ),
    # Files of all kinds are sent at once: what a server refuses of that is asked alone.
    rows_of(Viewing)("views-all: create.input-image create.input-kinds create.ok -> rest pass, exit 0"),
    rows_of(Viewing)(
        "views-one-at-a-time: create.input-image create.input-video create.input-kinds -> rest pass untestable",
        admit=refuse(400, have_kinds("image/png", "video/mp4")),
    ),
    rows_of(Viewing)(
        "fails-at-videos: create.input-image create.input-video -> warn create.input-video, rest pass",
        admit=refuse(500, have_kinds("video/mp4")),
    ),
    rows_of(Viewing)(
        "loses-pages: create.input-image create.input-document -> warn create.input-document, rest pass",
        show_input=lose_the_page,
    ),
    # So are modes where they meet.
    rows_of(Reciting)(
        f"refuses-meetings: {FORMATS} create.system-instruction bg.create chain.ok -> rest pass, exit 0",
        admit=refuse(400, lambda body: len({"stream", "background", "previous_interaction_id"} & body.keys()) > 1),
    ),
    rows_of(Reciting)(
        f"streams-no-format: {FORMATS} -> fail create.format-streamed, exit 1",
        said=["the streamed text is not JSON in a stream"],
        format_of=where("stream", change=give(None)),
    ),
    # A text ends at its stop in every mode, with the stop or without it.
    rows_of(Stopping)("stops: create.stop-sequences stream.text -> rest pass"),
    rows_of(Stopping)(
        "stops-behind: create.stop-sequences stream.text -> rest pass",
        words_of=lambda self, usual, run: WORDS[: len(usual(run)) + bool(self.stops_of(run))],
    ),
    rows_of(ForeignService)("takes-no-stop: create.stop-sequences -> rest not_applicable"),
    rows_of(Stopping)(
        "writes-other-words: create.stop-sequences -> untestable create.stop-sequences",
        words_of=lambda self, usual, run: WORDS[1:2] if self.stops_of(run) else usual(run),
    ),
    # A search is a part of each response, and a thought is a part of each stream.
    rows_of(Waiting)("searches-in-streams: tool.search stream.equals-get -> rest pass"),
    rows_of(Waiting)(
        "searches-in-no-stream: tool.search stream.equals-get bg.create chain.ok -> fail tool.search/lost, exit 1",
        searches=where("stream", change=give([])),
    ),
    rows_of(Waiting)(
        "streams-no-search: tool.search stream.equals-get"
        " -> fail stream.equals-get/steps tool.search/lost, exit 1",
        events=lambda self, usual, run: usual(replace(run, steps=run.steps[-1:])),
    ),
    rows_of(Citing)("cites: tool.search stream.equals-get stream.text -> rest pass"),
    rows_of(Citing)(
        "cites-in-no-stream: tool.search stream.equals-get stream.text -> fail stream.equals-get/lost, exit 1",
        said=["the stream lacks $.steps[2].content[0].annotations, which GET shows"],
        cites=give(False),
    ),
    rows_of(Citing)(
        "cites-not-in-turns: tool.search stream.equals-get chain.ok -> fail stream.equals-get/lost, exit 1",
        cites=lambda self, usual, run: usual(run) and not is_on(run, "previous_interaction_id"),
    ),
    rows_of(Waiting)(
        "renames-searches-in-streams: tool.search stream.equals-get -> fail stream.equals-get/id, exit 1",
        stream_step=lambda self, usual, run, step: usual(
            run, {**step, **{name: "s2" for name in ("id", "call_id") if name in step}}
        ),
    ),
    rows_of(Waiting)(
        "searches-for-else-in-streams: tool.search stream.equals-get -> fail stream.equals-get/data, exit 1",
        said=["a tool step has other data in the stream than in GET"],
        stream_step=lambda self, usual, run, step: usual(
            run, {**step, **({"arguments": {"queries": ["go"]}} if "arguments" in step else {})}
        ),
    ),
    rows_of(Thinking)(
        "resumes-thoughts: resume.no-gap resume.exclusive stream.text create.no-summaries -> rest pass"
    ),
    rows_of(Thinking)(
        "skips-after-thoughts: resume.no-gap stream.text create.no-summaries -> fail resume.no-gap, exit 1",
        get=skip_after_a_thought,
    ),
]

OTHERS = "bg.create stream.done chain.ok err.no-crash"


def find_broken(checks: str, names: tuple[str, ...]) -> str:
    """The check that a loss in a mode breaks: a format has one for streams alone, which rests on the other."""
    plain, *streamed = checks.split()
    return streamed[0] if streamed and (names == ("stream",) or len(names) > 1) else plain


def list_rows() -> Iterator[Any]:
    """A server for each option and mode. All modes of an option but one are thorough."""
    for number, (option, (base, checks, word, change)) in enumerate(DEFECTS.items()):
        yield rows_of(base)(f"keeps-{option}: {checks} {OTHERS} -> rest pass, exit 0")
        [(method, lost)] = change.items()
        for place, (mode, names) in enumerate(MODES.items()):
            yield rows_of(base)(
                f"loses-{option}-in-{mode}: {checks} {OTHERS} -> fail {find_broken(checks, names)}{word}, exit 1",
                thorough=place != number % len(MODES),
                **{method: where(*names, change=lost)},
            )


test_an_option_has_its_effect_in_each_mode = hold_each([*list_rows(), *MEETINGS])
"""An option that is lost where modes meet is found there, by the rule of the option alone."""
