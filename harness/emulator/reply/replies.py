"""The answer of a model or an agent: that of the script, or a default for everything that can be requested.

Knows steps, tools and formats; must not know runs, streams or time. The same request always gets the same answer,
except for ids and signatures, which come from the counter.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct

from harness.contract.transcript import pending_calls, results
from harness.emulator.reply import forms
from harness.emulator.reply.forms import annotate_words
from harness.emulator.reply.tools import (
    annotation,
    call_deferred,
    client_calls,
    describe_mcp_tool,
    find_search,
    load_steps,
    loaded_by_client,
    own_call,
    server_pair,
)
from harness.emulator.scripts import Script
from harness.emulator.values import samples
from harness.emulator.values.call import invalid
from harness.emulator.values.create_request import CreateRequest
from harness.emulator.values.stamps import IdSequence, sign
from harness.emulator.values.usage import count_thought, tokens_by_modality
from harness.errors import SampleTooLarge
from harness.outcome.words import shorten

Json = dict[str, Any]

_CONTENT = "print(6 * 7)\n"
_PATH = re.compile(r"(?<![\w/:.@-])[\w-]+(?:/[\w.-]+)*\.(?:csv|html|js|json|md|py|txt|ya?ml)\b")
"""A file that the words of a user name."""
_FOLDER = re.compile(r"(?<![\w/.:@-])([\w-]+/)+(?=[\s.,;:!?]|$)")
"""A folder that they name beside it."""
_COMMAND = {"CommandLine": "python3 -c 'print(6 * 7)'", "Cwd": "/workspace", "WaitMsBeforeAsync": 5000}
_PRINTED = {"Output": "[STDOUT]\n42\n\n[STDERR]\n", "ExitCode": 0}
_TOO_LARGE = (
    "A schema in this request ('response_format' or the 'parameters' of a function) asks for a larger answer than "
    f"the emulator makes up: at most about {samples.MOST_CHARACTERS} characters for one request. "
    "Lower minLength, minItems and the numbers, let no required property lead back to its own schema, nest "
    "constants less deeply, or script the answer."
)
_TRANSCRIBES = "transcription"
"""The family of models that write down what they hear."""


_NO_CHECKPOINTS: Mapping[int, str] = MappingProxyType({})


class Reply(Struct):
    """The result of a run, unless it is cancelled.

    `checkpoints`: the token sent after a step, by its number. `rest`: the steps of the run that `token` begins.
    """

    steps: list[Json]
    status: str
    errors: Sequence[Json] = ()
    token: str | None = None
    checkpoints: Mapping[int, str] = _NO_CHECKPOINTS
    rest: Sequence[Json] = ()


class ReplyBuilder:
    """Decides what a run answers. Mutants override what the steps, the status or the texts are."""

    def __init__(self, ids: IdSequence, deliver: Callable[[bytes, str, str], str]) -> None:
        """`deliver(data, media_type, project)` keeps a medium and returns the address to download it from."""
        self._ids = ids
        self.deliver = deliver

    def reply(self, order: CreateRequest, script: Script) -> Reply:
        """Return the answer to an admitted create. Raises Refusal if a schema in it asks for too much."""
        if order.is_plain:  # hot: what the rest comes to
            content = [{"text": self.words(order), "type": "text"}]
            thought = {"signature": sign(self._ids.number()), "type": "thought"}
            return Reply([thought, {"content": content, "type": "model_output"}], "completed")
        try:
            steps, cut = self.steps(order, script)
        except SampleTooLarge:
            raise invalid(_TOO_LARGE) from None
        if script.hops > 1 or script.mcp_steps == "tool_call":
            steps = forms.reshape(steps, script)
        rest: Sequence[Json] = ()
        limits = order.profile.value("segment")
        if limits is not None and order.agent is None and script.status is None and script.hops == 1:
            limit = int(limits["streamed" if order.stream or order.background else "whole"])
            steps, rest = forms.end_segment(steps, limit, background=order.background)
        status = script.status or ("requires_continuation" if rest else self.status(steps, script, cut))
        reply = Reply(steps, status, script.errors, script.continuation_token, rest=rest)
        if status != "completed":  # hot
            self._give_reason(reply, asks=script.says_output)
        if script.checkpoints:
            ends = (at for at, step in enumerate(steps[:-1]) if step["type"] == "model_output")
            reply.checkpoints = {at: forms.make_token(self._ids) for at in ends}
        return reply

    def _give_reason(self, reply: Reply, *, asks: bool) -> None:
        """Add what a status needs that a script did not write: a call to act on, an error, or a token.

        An output that the script fixes may be a question, which the client answers in words (background page).
        """
        if reply.status == "requires_action" and not asks and not pending_calls(reply.steps):
            call = {"id": self._ids.call(), "name": "lookup", "arguments": {}, "type": "function_call"}
            reply.steps.append(call)
        elif reply.status == "failed" and not reply.errors:
            reply.errors = [{"code": "api_error", "message": "The run failed."}]
        elif reply.status == "requires_continuation" and reply.token is None:
            reply.token = forms.make_token(self._ids)

    def steps(self, order: CreateRequest, script: Script) -> tuple[list[Json], bool]:
        """Return the output steps, and whether a token limit was exceeded."""
        if script.steps is not None:
            # a function call without an id gets one for its result to name
            return [
                {"id": self._ids.call(), **step}
                if step["type"] == "function_call" and "id" not in step
                else dict(step)
                for step in script.steps
            ], False
        text = script.text
        if text is None and isinstance(script.deltas, list):
            text = "".join(script.deltas)
        if text is not None:
            content: list[Json] = [{"text": text, "type": "text"}]
            return [*self.thoughts(order, script), {"content": content, "type": "model_output"}], False
        if order.rest:
            return [dict(step) for step in order.rest], False
        if script.status == "failed":
            return self.thoughts(order, script), False
        steps = self.default_steps(order, script)
        if order.agent is not None:
            return steps, self.over_budget(order, steps)
        return self.within_limit(order, self.before_stop(order, steps))

    def status(self, steps: list[Json], script: Script, cut: bool) -> str:
        """Return the final status of a run with these steps."""
        if script.continuation_token is not None:
            return "requires_continuation"
        if cut:
            return "incomplete"
        return "requires_action" if pending_calls(steps) else "completed"

    def default_steps(self, order: CreateRequest, script: Script) -> list[Json]:
        """Return the pairs of server tools, a thought, then the client's calls or the output."""
        work = [step for tool in order.tools for step in self.server_work(order, tool)]
        searches_last = order.profile.value("search_steps") == "after the output"
        steps = [] if searches_last else work
        steps += self.thoughts(order, script)
        if order.agent is not None:
            steps += self.agent_work(order)
        calls = self._find_calls(order, script)
        if searches_last:
            return [*steps, self.output(order), *work] if not calls else [*work, *steps, *calls]
        return [*steps, *(calls or [self.output(order)])]

    def _find_calls(self, order: CreateRequest, script: Script) -> list[Json]:
        """Return the calls of a run, after the search for their functions where these are loaded late."""
        calls = self.calls(order)
        deferred = [] if results(order.given) else call_deferred(order.tools, calls)
        search = find_search(order.tools) if deferred else None
        if search is None:
            return calls
        if search.get("execution") == "client":
            named = {"type": "function", "name": search.get("name") or "tool_search"}
            return self._call_functions(order, [{**named, "parameters": search.get("parameters")}])
        found = [*load_steps(deferred, self._ids), *self.thoughts(order, script)]
        return [*found, *(calls or [self.output(order)])]

    def server_work(self, order: CreateRequest, tool: Json) -> list[Json]:
        """Return the call and the result of a server tool, unless the input brings its result back (recorded).

        A search of the service's own loads the tool of a deferred MCP server before; its place is inferred.
        """
        pair = server_pair(tool, order.text, self._ids, signed=order.profile.value("tool_signatures") == "signed")
        if not pair:  # hot: a function
            return pair
        known = {step.get("type") for step in order.given}
        if pair[-1]["type"] in known or (tool["type"] == "mcp_server" and "tool_call" in known):
            return []
        search = find_search(order.tools) if tool.get("defer_loading") is True else None
        if search is None or search.get("execution") == "client":
            return pair
        return [*load_steps([describe_mcp_tool(pair[0])], self._ids), *pair]

    def calls(self, order: CreateRequest) -> list[Json]:
        """Return the function calls that the run ends with; after results only of functions that they brought."""
        is_further = bool(results(order.given))
        return self._call_functions(order, loaded_by_client(order.given) if is_further else order.tools)

    def _call_functions(self, order: CreateRequest, tools: list[Json]) -> list[Json]:
        """Return calls of some of these functions, as `tool_choice` allows."""
        choice = order.generation.get("tool_choice")
        return client_calls(tools, choice, order.text, self._ids, order.budget)

    def thoughts(self, order: CreateRequest, script: Script) -> list[Json]:
        """Return one signed thought, with a summary if one was requested; none if the script forbids it."""
        wanted, kind, body = script.thought, order.profile.value("thought"), order.body
        if wanted is False or (wanted is None and kind == "none"):
            return []
        if order.agent is not None and order.platform.vertex:
            return []
        step: Json = {"signature": sign(self._ids.number())}
        summary = wanted if isinstance(wanted, str) else None
        config = body.get("agent_config") or body.get("generation_config")
        if summary is None and config and config.get("thinking_summaries") == "auto":
            summary = "**Reading the request**\n\nI look at what was asked and choose a short answer.\n"
        if summary is not None:
            step["summary"] = [{"text": summary, "type": "text"}]
        if wanted is None and kind == "bare":
            return [] if order.stream else [{"type": "thought"}]
        step["type"] = "thought"
        return [step]

    def agent_work(self, order: CreateRequest) -> list[Json]:
        """Return an agent's own work, without the client, in the order of recordings.

        Deep research searches; others write and run a file (Gemini API) or run a command (Vertex). Where earlier
        turns left files, they first list them, and write only a file that the input names; both are inferred. The
        names of a listing on Vertex are those of a saved answer, which lists no file.
        """
        if (order.agent or "").startswith("deep-research"):
            return server_pair({"type": "google_search"}, order.text, self._ids)
        listed: list[Json] = []
        if order.files and order.platform.vertex:
            listed = own_call("list_dir", {"DirectoryPath": "/workspace"}, {"results": order.files}, self._ids)
        elif order.files:
            listed = own_call("list_files", {"path": "."}, {"files": order.files}, self._ids)
        if order.platform.vertex:
            steps = [*listed, *own_call("run_command", _COMMAND, _PRINTED, self._ids)]
            return [{**step, "signature": ""} if step["type"] == "function_result" else step for step in steps]
        named, folder, wrote = _PATH.search(order.text), _FOLDER.search(order.text), []
        if named is not None or not order.files:
            path = named[0] if named is not None else "answer.py"
            if folder is not None and "/" not in path:
                path = folder[0] + path
            wrote = own_call("write_file", {"path": path, "content": _CONTENT}, {"success": True}, self._ids)
        return [*listed, *wrote, *server_pair({"type": "code_execution"}, order.text, self._ids)]

    def output(self, order: CreateRequest) -> Json:
        """Return the model_output step: one content for each requested format or modality, by default one text."""
        formats = _list_formats(order)
        if not formats:
            return {"content": [self.text_content(order, self.words(order))], "type": "model_output"}
        return {"content": [self.fill_format(order, wanted) for wanted in formats], "type": "model_output"}

    def fill_format(self, order: CreateRequest, wanted: Json) -> Json:
        kind = str(wanted.get("type", "text"))
        if not samples.makes_media(kind):
            schema = samples.read_schema(wanted)
            if schema is None:
                return self.text_content(order, self.words(order))
            return self.text_content(
                order, msgspec.json.encode(samples.sample(schema, budget=order.budget)).decode()
            )
        mime = samples.choose_type(kind, wanted.get("mime_type"), order.profile)
        content: Json = {"type": kind}
        if wanted.get("delivery") == "uri":
            content["uri"] = self.deliver(base64.b64decode(samples.find_medium(kind, mime)), mime, order.project)
        else:
            content["data"] = samples.find_medium(kind, mime)
        content["mime_type"] = mime
        if mime == samples.SPEECH:
            content |= {"channels": 1, "sample_rate": 24_000}
        return content

    def text_content(self, order: CreateRequest, text: str) -> Json:
        """Return a text, with the citation that a declared tool brings, or the times of a transcript's words."""
        content: Json = {"text": text}
        cited = annotation(order.tools, text, order.documents) if order.body.get("tools") else None
        spoken = annotate_words(order.generation, text) if order.profile.family == _TRANSCRIBES else []
        if cited is not None or spoken:
            content["annotations"] = spoken or [cited]
        content["type"] = "text"
        return content

    def words(self, order: CreateRequest) -> str:
        """Return the default text: short, derived from the input, with characters of every UTF-8 length."""
        prompt = order.text
        asked = prompt if len(prompt) <= 80 else shorten(prompt, 80)
        text = f"This answers “{asked}”: déjà vu, 東京, 🦊; {len(prompt)} characters were read."
        if order.files:
            text += f" The environment contains {', '.join(order.files[:10])}."
        if isinstance(order.body.get("input"), str):
            return text
        found = [read_result(result) for result in results(order.given)]
        return f"{text} The result: {shorten('; '.join(found), 400)}" if found else text

    def over_budget(self, order: CreateRequest, steps: list[Json]) -> bool:
        """Whether an agent used more than `max_total_tokens`; that limit is best effort, so all steps are kept."""
        most = (order.body.get("agent_config") or {}).get("max_total_tokens")
        return most is not None and int(most) < sum(tokens_by_modality([*order.given, *steps]).values())

    def before_stop(self, order: CreateRequest, steps: list[Json]) -> list[Json]:
        """Return the steps up to the first of the `stop_sequences` in a text of the output, without it."""
        stops = order.generation.get("stop_sequences") or ()
        for number, step in enumerate(steps) if stops else ():
            for place, content in enumerate(step.get("content") or ()):
                text = content.get("text", "")
                if ends := [at for stop in stops if stop and (at := text.find(stop)) >= 0]:
                    kept = [{"text": text[: min(ends)], "type": "text"}] if min(ends) else []
                    shown = [*step["content"][:place], *kept]
                    return [*steps[:number], *([{**step, "content": shown}] if shown else [])]
        return steps

    def within_limit(self, order: CreateRequest, steps: list[Json]) -> tuple[list[Json], bool]:
        """Return the steps that fit in `max_output_tokens`, and whether it cut any; thoughts count too.

        A limit that thinking uses up leaves no step at all, or the requested summary of the thought, as in
        recordings with 32 tokens.
        """
        generation = order.body.get("generation_config")
        most = generation.get("max_output_tokens") if generation else None
        if most is None:
            return steps, False
        thoughts = [step for step in steps if step["type"] == "thought"]
        if most < 36 and thoughts:  # a smaller limit is spent before the first step
            # its signature is empty in the body, and missing in the stream: so do two recordings
            return [{**step, "signature": ""} for step in thoughts if "summary" in step], True
        left = most - len(thoughts) * count_thought(order.generation, order.profile)
        kept: list[Json] = []
        for step in steps:
            cost = sum(tokens_by_modality([step]).values())
            if cost and cost > left:
                cut = self.shorten(step, left)
                return kept + ([cut] if cut else []), True
            left -= cost
            kept.append(step)
        return kept, False

    def shorten(self, step: Json, tokens: int) -> Json | None:
        """Return the part of a step that fits in `tokens`, or None; only texts can be cut."""
        content = step.get("content") or [{}]
        text = content[0].get("text")
        if tokens <= 0 or not isinstance(text, str):
            return None
        return {"content": [{"text": text[: tokens * 4], "type": "text"}], "type": "model_output"}


def read_result(result: Json) -> str:
    """Return the result of a function as words: its texts, or its value as JSON."""
    value = result.get("result")
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, dict) and "type" in part for part in value):
        return " ".join(str(part["text"]) for part in value if part.get("type") == "text")
    return msgspec.json.encode(value).decode()


def _list_formats(order: CreateRequest) -> list[Json]:
    """Return the requested output, as response formats; empty for plain text.

    Outputs that the model cannot make are left out: `create/limits` has rejected a request for nothing else.
    """
    formats: list[Json] = []
    body = order.body
    if wanted := body.get("response_format"):
        formats = wanted if isinstance(wanted, list) else [wanted]
    elif kinds := body.get("response_modalities"):
        formats = [{"type": kind} for kind in kinds]
    elif body.get("response_mime_type") == "application/json":
        formats = [{"type": "text", "mime_type": "application/json"}]
    made = order.profile.value("output")
    if not formats and made[0] != "text" and samples.makes_media(made[0]):
        return [{"type": made[0]}]
    if len(formats) > 1 and order.platform.strict and order.agent is None:
        return [form for form in formats if form.get("type", "text") in made]
    return formats
