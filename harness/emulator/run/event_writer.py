"""The events of a run: their payloads, order, ids and bytes.

Source: the streaming guide's examples and recordings (order of events and of fields, what step.start shows of a
step, the closing `done` frame). Each event is encoded once, for all readers; the run decides how many of the
frames a reader may have. Mutants override one method per event.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Any
from weakref import proxy

import msgspec

from harness.contract import Contract
from harness.contract.tables.stream_order import DeltaEffect, DeltaType, Shown, StepTable
from harness.emulator.reply.forms import pieces
from harness.emulator.run.run import Run
from harness.emulator.scripts import Script
from harness.outcome import HarnessFault
from harness.wire import Chunk

Json = dict[str, Any]

DONE = b"event: done\ndata: [DONE]\n\n"
_OF_TOOLS, _SIGNED_EMPTY = ("_call", "_result"), "with an empty signature"

_encode = msgspec.json.Encoder().encode


class SharedEvent(Json):
    """An event that several runs share. Must not be modified; the first of its deltas knows them all."""

    __slots__ = ("deltas",)

    def __init__(self, payload: Json) -> None:
        super().__init__(payload)
        self.deltas: SharedDeltas | None = None


class SharedDeltas(list[SharedEvent]):
    """All deltas of one output that several runs share, and their frames once a run without event ids had them."""

    def __init__(self, deltas: Iterable[SharedEvent]) -> None:
        super().__init__(deltas)
        self.chunks: list[Chunk] = []
        if self:
            self[0].deltas = self

    @classmethod
    def at(cls, events: list[Json], index: int) -> SharedDeltas | None:
        """The deltas that stand whole and in order at this place among events, if their first is there."""
        first = events[index]
        deltas = first.deltas if type(first) is SharedEvent else None
        return deltas if deltas is not None and events[index : index + len(deltas)] == deltas else None


class EventWriter:
    """Builds and encodes the events of a run."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._told: dict[tuple[int, int], tuple[Script, Json, SharedDeltas]] = {}

    def frames_of(self, run: Run) -> Frames:
        return Frames(run, self)

    def sequence(self, run: Run) -> list[Json]:
        """Return all payloads before the closing one."""
        events = [*self.opening(run)]
        for index, step in enumerate(run.steps):
            events += self.step(run, index, step)
            if index in run.checkpoints:
                events.append(self.checkpoint(run, run.checkpoints[index]))
        return events

    def opening(self, run: Run) -> list[Json]:
        """Return interaction.created, then the first status."""
        return [self.build_created(run), self.status_update(run, "in_progress")]

    def build_created(self, run: Run) -> Json:
        interaction = {
            "id": run.public_id,
            "status": run.created_status,
            "object": "interaction",
            **run.announced_author,
        }
        if run.environment_id is not None and not run.platform.vertex:
            interaction["environment_id"] = run.environment_id
        interaction.update(run.script.extra)
        return {"interaction": interaction, "event_type": "interaction.created"}

    def status_update(self, run: Run, status: str) -> Json:
        return {"interaction_id": run.public_id, "status": status, "event_type": "interaction.status_update"}

    def checkpoint(self, run: Run, token: str) -> Json:
        """A status update with a token from which the rest can be requested (types of the SDK)."""
        update = self.status_update(run, "in_progress")
        return {"interaction_id": update.pop("interaction_id"), "continuation_token": token, **update}

    def step(self, run: Run, index: int, step: Json) -> list[Json]:
        start = self.start(index, step)
        if step["type"].endswith(_OF_TOOLS) and run.profile.value("function_call_start") == _SIGNED_EMPTY:
            start["step"] = {**start["step"], "signature": step.get("signature", "")}
        events = [start]
        if run.script.says_output and step["type"] == "model_output":
            events += self.shared_deltas(run, index, step)
        else:
            for delta in self.deltas(run, step):
                events.append(self.delta(index, delta))
        events.append(self.stop(run, index))
        return events

    def shared_deltas(self, run: Run, index: int, step: Json) -> SharedDeltas:
        """Return the deltas of an output that the script fixes word for word, built once for all of its runs.

        The cache is keyed by the identity of the script, so it keeps the script alive as long as its deltas.
        """
        key = (id(run.script), index)
        kept = self._told.get(key)
        if kept is None or kept[1] != step:
            if len(self._told) >= 64:
                self._told.clear()
            made = (SharedEvent(self.delta(index, delta)) for delta in self.deltas(run, step))
            kept = run.script, step, SharedDeltas(made)
            self._told[key] = kept
        return kept[2]

    def start(self, index: int, step: Json) -> Json:
        """step.start, with the shell of the step."""
        return {"index": index, "step": self.shell(step), "event_type": "step.start"}

    def delta(self, index: int, delta: Json) -> Json:
        return {"index": index, "delta": delta, "event_type": "step.delta"}

    def stop(self, run: Run, index: int) -> Json:
        """step.stop; for an agent with the usage so far."""
        stop: Json = {"index": index}
        if run.agent is not None and not run.platform.vertex:
            stop["usage"] = run.usage_after(index + 1)
        return {**stop, "event_type": "step.stop"}

    def build_completed(self, run: Run) -> Json:
        """interaction.completed, whatever status the run ended in; without steps, which came as deltas."""
        interaction: Json = {"id": run.public_id, "status": run.status}
        if run.token is not None:
            interaction["continuation_token"] = run.token
        interaction["usage"] = run.usage
        interaction["created"] = run.created
        interaction["updated"] = run.updated
        if not run.platform.vertex:
            interaction["service_tier"] = run.service_tier
        interaction["object"] = "interaction"
        interaction.update(run.announced_author)
        if run.environment_id is not None and run.platform.vertex:
            interaction["environment_id"] = run.environment_id
        interaction.update(run.script.extra)
        return {"interaction": interaction, "event_type": "interaction.completed"}

    def error(self, code: str | None, message: str | None) -> Json:
        """error; empty without code and message, as third parties have observed."""
        if code is None and message is None:
            return {"event_type": "error"}
        error = {"message": message or "The stream broke.", "code": code or "api_error"}
        return {"error": error, "event_type": "error"}

    def shell(self, step: Json) -> Json:
        """Return the shell of a step, which step.start shows: ids and names; the rest comes in deltas.

        Fields that no schema lists are in it, too, unless a delta carries the whole step.
        """
        kind = self._steps.steps.get(step["type"])
        if kind is None or not kind.deltas:
            return step  # other types arrive whole (third-party observation)
        shell: Json = {}
        for name, shown in kind.in_start.items():
            if name in step:
                shell[name] = step[name] if shown is Shown.WHOLE else type(step[name])()
            elif name in kind.required and shown is Shown.EMPTY:
                shell[name] = {}
        unlisted = step.keys() - kind.fields
        if unlisted and all(way is not DeltaEffect.MERGE for way in self._ways(step["type"])):
            shell |= {name: step[name] for name in step if name in unlisted}
        shell["type"] = kind.name
        return shell

    def _ways(self, kind: str) -> frozenset[DeltaEffect]:
        """The ways in which the deltas of a type of step grow it."""
        return frozenset(delta.grows.how for delta in self._steps.deltas_of(kind))

    def deltas(self, run: Run, step: Json) -> list[Json]:
        """Return the deltas that complete the shell to the step."""
        ways = self._ways(step["type"])
        if not ways:
            return []
        write = _WRITERS.get(ways)
        if write is None:
            raise HarnessFault(f"no writer streams a {step['type']}, whose deltas grow it by {', '.join(ways)}")
        found: list[Json] = getattr(self, write)(run, step)
        return found

    def build_thought_deltas(self, run: Run, step: Json) -> list[Json]:
        """Return the deltas of a thought: first its summaries, then the signature."""
        part, text = self._find_delta(step, DeltaEffect.PARTS), self._find_delta(step, DeltaEffect.APPEND)
        items, signature = step.get(part.grows.field) or (), step.get(text.grows.field)
        deltas: list[Json] = [{part.grows.of: item, "type": part.name} for item in items]
        if signature:
            deltas.append({text.grows.field: signature, "type": text.name})
        return deltas

    def output(self, run: Run, step: Json) -> list[Json]:
        """Return the deltas of an output: each text in pieces, then its annotations; other contents whole."""
        deltas: list[Json] = []
        for content in step.get("content") or ():
            if content.get("type") != "text":
                deltas += _split_data(content, run.script.fragments)
                continue
            deltas += [{"text": piece, "type": "text"} for piece in self.text_pieces(run, content["text"])]
            if content.get("annotations"):
                deltas.append({"annotations": content["annotations"], "type": "text_annotation_delta"})
        return deltas

    def text_pieces(self, run: Run, text: str) -> list[str]:
        """Return the pieces of one text; pieces that a script lists are used if they join to it."""
        plan = run.script.deltas
        if isinstance(plan, list):
            return plan if "".join(plan) == text else [text]
        return pieces(text, plan or 5) or [""]

    def arguments(self, run: Run, step: Json) -> list[Json]:
        """Return the deltas of the arguments as JSON text, in two fragments unless the text is very short."""
        delta = self._find_delta(step, DeltaEffect.JSON)
        text = _encode(step.get(delta.grows.field) or {}).decode()
        size = run.script.fragments
        if size is not None:
            cuts = [text[at : at + size] for at in range(0, len(text), size)]
        else:
            cuts = pieces(text, 2) if len(text) > 12 else [text]
        return [{delta.grows.field: cut, "type": delta.name} for cut in cuts]

    def whole(self, run: Run, step: Json) -> list[Json]:
        """Return one delta with the fields of the step, except those that only the step's schema lists."""
        merged = self._find_delta(step, DeltaEffect.MERGE)
        stay = self._steps.steps[step["type"]].fields - merged.fields
        delta: Json = {**{key: value for key, value in step.items() if key not in stay}, "type": merged.name}
        if step["type"] == "file_search_result":
            delta.setdefault("result", [])
        return [delta]

    @property
    def _steps(self) -> StepTable:
        return self._contract.steps_table

    def _find_delta(self, step: Json, how: DeltaEffect) -> DeltaType:
        """The first type of delta that changes the step in this way."""
        return next(delta for delta in self._steps.deltas_of(step["type"]) if delta.grows.how is how)

    def with_id(self, payload: Json, event_id: str | None) -> Json:
        """Return the payload with its event id, placed before `event_type` as in official examples."""
        if event_id is None:
            return payload
        rest = {key: value for key, value in payload.items() if key != "event_type"}
        return {**rest, "event_id": event_id, "event_type": payload["event_type"]}

    def event_id(self, run: Run, index: int, payload: Json) -> str | None:
        """Return the id of event number `index`, or None by policy; opaque, needs percent-encoding in a URL.

        The Gemini API spells where the event is, such as `0_thought_15`, in base64 (one report, two equal ids).
        """
        if not _CARRIES[run.event_ids](index, payload):
            return None
        if run.platform.strict:
            number = payload.get("index")
            # A mutant may number a step that the run does not have.
            if isinstance(number, int) and number < len(run.steps):
                where = f"{number}_{run.steps[number]['type']}"
            else:
                where = payload["event_type"]
            return "v1_" + binascii.b2a_base64(f"{where}_{index}".encode(), newline=False).decode("ascii")
        return f"{run.tag}/{index:03x}+{(run.number >> 7) + index * 0x9E37 & 0xFFF:03x}="

    def frame(self, payload: Json) -> bytes:
        return self.encode_frame(payload["event_type"].encode(), _encode(payload))

    def encode_frame(self, name: bytes, data: bytes) -> bytes:
        """Return one frame: a line with the name, a line with the data, a blank line, each ending in LF."""
        return b"event: %b\ndata: %b\n\n" % (name, data)

    def encode_done(self) -> bytes:
        return DONE


def _split_data(content: Json, size: int | None) -> list[Json]:
    """Inline data in deltas of `size` decoded bytes each, whatever they split; each is base64 of its own."""
    data = content.get("data")
    if size is None or not isinstance(data, str) or not data:
        return [content]
    try:
        raw = base64.b64decode(data, validate=True)
    except ValueError:
        return [content]
    parts = (raw[at : at + size] for at in range(0, len(raw), size))
    return [{**content, "data": base64.b64encode(part).decode("ascii")} for part in parts]


_WRITERS = {
    frozenset({DeltaEffect.PARTS, DeltaEffect.APPEND}): "build_thought_deltas",
    frozenset({DeltaEffect.PARTS}): "output",
    frozenset({DeltaEffect.JSON}): "arguments",
    frozenset({DeltaEffect.MERGE}): "whole",
}
"""The names of the writers of the deltas of a step, by the ways in which they grow it."""

_CARRIES: dict[str, Callable[[int, Json], bool]] = {
    "all": lambda index, payload: True,
    "none": lambda index, payload: False,
    "deltas": lambda index, payload: payload["event_type"] == "step.delta",
    "some": lambda index, payload: payload["event_type"] == "step.delta" and index % 2 == 1,
    "sparse": lambda index, payload: index % 3 == 0,
}


class Frames:
    """Frames by number. The frame after the last event closes the stream."""

    __slots__ = ("_chunks", "_run", "_writer", "cursors")

    def __init__(self, run: Run, writer: EventWriter) -> None:
        # The run holds its frames: held in turn, a run of a megabyte would wait for the garbage collector.
        self._run: Run = proxy(run)
        self._writer = writer
        self._chunks: list[Chunk] = []
        self.cursors: list[str | None] = []

    def chunk(self, index: int) -> Chunk:
        if len(self._chunks) <= index:
            self._encode(index + 1)
        return self._chunks[index]

    def all(self) -> list[Chunk]:
        """Return every frame that can be read now."""
        if self._run.readable:
            self.chunk(self._run.readable - 1)
        return self._chunks

    def interrupting(self) -> Chunk:
        """Return the error event that ends one stream while the run goes on; its id is not a valid cursor."""
        wanted, writer = self._run.script.error_event, self._writer
        assert wanted is not None
        payload = writer.error(wanted.code or "gateway_timeout", wanted.message)
        return Chunk(writer.frame(writer.with_id(payload, f"{self._run.tag}/error=" if wanted.id else None)))

    def _encode(self, count: int) -> None:
        """Encode events until there are `count` frames."""
        chunks, events, writer = self._chunks, self._run.events, self._writer
        marked, last = self._run.event_ids != "none", min(count, len(events))
        while len(chunks) < last:
            index = len(chunks)
            payload = events[index]
            if not marked and (deltas := SharedDeltas.at(events, index)) is not None:
                if not deltas.chunks:  # the first run that needs the frames encodes them
                    deltas.chunks = [Chunk(writer.frame(delta)) for delta in deltas]
                self.cursors += [None] * len(deltas)
                chunks += deltas.chunks
                continue
            cursor = self._cursor(index, payload) if marked else None
            self.cursors.append(cursor)
            chunks.append(Chunk(writer.frame(payload if cursor is None else writer.with_id(payload, cursor))))
        if count > len(events):
            chunks.append(Chunk(writer.encode_done()))

    def _cursor(self, index: int, payload: Json) -> str | None:
        wanted = self._run.script.error_event
        if payload["event_type"] == "error" and wanted is not None and not wanted.id:
            return None
        return self._writer.event_id(self._run, index, payload)
