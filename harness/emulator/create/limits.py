"""Limits of models, agents and surfaces that the schemas do not have.

One function per kind of limit. A rejection begins with the words of the service where they are known, and ends
with the fix. Of models: the tables of models decide, and no model is known here by its name. Of agents: a table
with the limits of each kind of agent; sources: the Antigravity guide for managed agents, the deep research guide,
third-party observations where a comment names them; values that no guide mentions are accepted. Of surfaces:
findings of third parties about the live service, each with its witnesses in the docstring; nothing of it is
documented, so it applies only on a strict platform (`values/settings.py`).

Of contents: the types of the SDK (an offset is decimal seconds and an "s", an end comes after its start, pages and
sheets are counted from 1, a last page may be the first one), and a recording of the service, which names the place
and not the reason.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from harness.contract.models.profiles import CELLS_OF_KINDS, ModelProfile, find_profile, list_media_types
from harness.contract.transcript import count_transcript, items, results
from harness.emulator.values.call import Refusal, invalid
from harness.emulator.values.create_request import CreateRequest
from harness.emulator.values.samples import makes_media, read_schema
from harness.emulator.values.settings import Platform, Settings
from harness.wire.bodies import as_object, objects_in

Json = dict[str, Any]

_LEVELS = ("minimal", "low", "medium", "high", "xhigh")


def judge_model(order: CreateRequest, settings: Settings) -> None:
    """Raise Refusal for the first thing that the model of `order` does not accept on this surface."""
    if settings.models == "any":
        return
    if settings.lifecycle is not None:
        judge_life(order, settings.lifecycle)
    body, profile, strict = order.body, order.profile, order.platform.strict
    if strict and profile.served_elsewhere is not None:
        # models of other operations, and those that were shut down, do not run here
        refused, instead = profile.served_elsewhere, profile.value("instead")
        where = f" Use {instead.format(name=profile.name)} for it." if instead else ""
        message = refused["message"].format(name=profile.name) + where
        raise Refusal(refused["status"], refused["code"], message)
    if generation := body.get("generation_config"):
        _refuse_first(_find_setting_faults(generation, profile, strict=strict, newer=settings.unknown == "accept"))
    if not strict:
        return
    if "response_format" in body or "response_modalities" in body:
        _refuse_first(_find_output_faults(body, profile))
    if not isinstance(body.get("input"), str):
        _refuse_first(_find_input_faults(order, settings))


def _refuse_first(faults: Iterator[str]) -> None:
    """Raise Refusal 400 for the first fault, if there is one."""
    fault = next(faults, None)
    if fault is not None:
        raise invalid(fault)


def judge_life(order: CreateRequest, day: str) -> None:
    """Let a model count as it did then, and the successor of a retired one answer; without one refuse, as agents.

    Only on the day that the setting `lifecycle` names: without it no test changes with the date.
    """
    life = order.profile.value("lifecycle")
    if life is None:
        return
    if life.get("prompt_counted", "") > day:
        counted = order.profile.cells["usage"]
        fields = [field for field in counted.value if field != "raw_prompt_token"]
        order.profile = replace(
            order.profile, cells={**order.profile.cells, "usage": replace(counted, value=fields)}
        )
    if life.get("retired", "9999") > day:
        return
    if "then" not in life:
        name = f"Agent '{order.agent}'" if order.agent else f"Model '{order.model}'"
        raise Refusal(404, "not_found", f"{name} not found. It was retired on {life['retired']}.")
    order.profile = find_profile(life["then"])
    judge_life(order, day)


def _find_setting_faults(generation: Json, profile: ModelProfile, *, strict: bool, newer: bool) -> Iterator[str]:
    """A setting that the model does not have, more output than it writes, and a level that is none of its own.

    Every platform has the limit on levels (wording: seen on 3.7-flash and 3.1-pro-preview); `newer` ones are those
    that no table knows.
    """
    if strict:
        for name in profile.value("refused") or ():
            if name in generation:
                yield f"'{name}' is not supported by the model '{profile.name}': leave it out."
        most, wanted = profile.value("largest_output"), generation.get("max_output_tokens")
        if wanted is not None and most is not None and profile.value("long_decode") and wanted > most:
            yield (
                f"Invalid value at 'generation_config.max_output_tokens': '{profile.name}' writes at most "
                f"{most} tokens, but {wanted} were requested."
            )
    # guides give `xhigh` to Gemini 4 Hydrogen and Neon only
    levels = _LEVELS[:-1] if profile.levels is None else profile.levels
    level = generation.get("thinking_level")
    if levels and level is not None and level not in levels and not (newer and level not in _LEVELS):
        # the default comes first in both messages that were seen
        listed = ", ".join(sorted(levels, key=lambda known: known != profile.value("default_level")))
        yield f"'{level}' is not a supported thinking level for this model. Allowed values are: {listed}."


def _find_output_faults(body: Json, profile: ModelProfile) -> Iterator[str]:
    """A model makes only its own kinds of output; beside a text it may leave out an image (one witness)."""
    formats = (item for item in _as_list(body.get("response_format")) if isinstance(item, dict))
    asked = [("response_format", str(item.get("type", "text"))) for item in formats]
    asked += [("response_modalities", str(kind)) for kind in body.get("response_modalities") or ()]
    for field, kind in asked:
        makes = profile.value("output")
        makes_another = kind == "image" and any(other in makes for _, other in asked)
        if makes_media(kind) and kind not in makes and not makes_another:
            yield (
                f"Invalid input at '{field}'. The model '{profile.name}' makes {' and '.join(makes)}, "
                f"not {kind}: name a model that does."
            )


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _find_input_faults(order: CreateRequest, settings: Settings) -> Iterator[str]:
    """A last turn of the model's, kinds of input that its page excludes, and media types that it does not read.

    The first has the wording of GenerateContent, that of the second is unknown. The schemas reject a type that no
    model is known to read, unless the user accepts newer ones.
    """
    profile, reads = order.profile, order.profile.media_types
    last = order.given[-1].get("type") if order.given else None
    is_models = last in ("model_output", "thought", "function_call")
    if profile.value("model_turn_last") == "refused" and is_models and "continuation_token" not in order.body:
        yield (
            "Requests ending with a model turn are not supported. "
            f"(The last step of 'input' is a {last}: end with a user_input or a function_result.)"
        )
    parts: list[Json] = []
    for item in items(order.given):
        parts += [item, *objects_in(item.get("result"))]
    for item in parts:
        if item.get("type") in profile.value("refused_input"):
            known, kind = ", ".join(profile.value("input")), item["type"]
            yield f"Invalid input at 'input'. The model '{profile.name}' reads {known}, not {kind}."
    for item in parts:
        kind, mime = str(item.get("type")), item.get("mime_type")
        if kind not in reads or not isinstance(mime, str):
            continue
        essence = mime.partition(";")[0].strip().lower()
        if not {essence, f"{essence.partition('/')[0]}/*"}.isdisjoint(reads[kind]):
            continue
        if kind == "document" or settings.unknown != "accept" or essence in list_media_types()[kind]:
            yield (
                f"Unsupported MIME type: {mime} ('{profile.name}' reads {CELLS_OF_KINDS[kind]} of the types "
                f"{', '.join(sorted(reads[kind]))}.)"
            )


class AgentLimits(Struct, frozen=True, kw_only=True):
    """The limits of one kind of agent.

    config           the type of its agent_config
    tools, fields    types of tools, and fields of a create, that it refuses
    contents         types of content that it accepts in the input; empty: all
    structured       whether it can answer in JSON on request
    """

    config: str
    tools: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    contents: frozenset[str] = frozenset()
    structured: bool = True


MANAGED = AgentLimits(
    config="antigravity",
    tools=frozenset({"computer_use", "file_search", "google_maps"}),
    contents=frozenset({"text", "image"}),
    structured=False,
)
"""Antigravity and the agents saved from it. They take images as data only, names of mcp_server in small letters,
and results of functions only with previous_interaction_id."""

RESEARCH = AgentLimits(
    config="deep-research",
    # retrieval: Google's notebook for Vertex uses it; the Gemini API refuses it for all agents
    tools=frozenset({"computer_use", "function", "google_maps"}),
    # system_instruction: a third party's observation; environment: inferred, because it has none
    fields=frozenset({"system_instruction", "environment"}),
    contents=frozenset({"text", "image", "document"}),
    structured=False,
)

_BY_PREFIX = {"deep-research": RESEARCH, "code-mender": AgentLimits(config="code-mender")}
"""By how the names of agents begin; all others, saved ones among them, are managed agents."""


def judge_agent(order: CreateRequest, media: Container[str]) -> None:
    """Raise Refusal 400 for the first thing that the agent of `order` does not accept.

    `media` are the types of contents that hold bytes, or the place of them.
    """
    name = order.agent or ""
    limits = next((kind for prefix, kind in _BY_PREFIX.items() if name.startswith(prefix)), MANAGED)
    faults = _find_agent_faults(order, limits, media)
    _refuse_first(f"The agent '{order.agent}' {fault}" for fault in faults)


def _find_agent_faults(order: CreateRequest, limits: AgentLimits, media: Container[str]) -> Iterator[str]:
    """Yield what is wrong, each as the rest of a sentence that begins with the agent."""
    for setting in order.generation:
        # refused according to the Antigravity guide
        if setting in ("temperature", "top_p", "top_k", "stop_sequences", "max_output_tokens"):
            yield f"takes no '{setting}': sampling is a setting of models, leave it out."
    for name in order.body:
        # a sample of Google's sends an environment on Vertex
        if name in limits.fields and (name != "environment" or order.platform.gemini):
            yield f"takes no '{name}': leave it out."
    config = order.body.get("agent_config")
    kind = (config or {}).get("type")
    configs = ("antigravity", "deep-research", "code-mender")  # each is of one kind of agent, `dynamic` of none
    if config is not None and kind not in (*configs, "dynamic"):
        kinds = "antigravity, code-mender, deep-research or dynamic"
        yield f"takes an agent_config of the type {kinds}, not '{kind}'."
    if kind in configs and kind != limits.config:
        yield f"has an agent_config of the type '{limits.config}', not '{kind}'."
    for tool in order.tools:
        kind, name = tool.get("type"), str(tool.get("name", ""))
        if kind in limits.tools:
            yield f"takes no {kind} tool: leave it out, or ask a model."
        if kind == "mcp_server" and name.lower() != name and limits is MANAGED:
            yield f"takes no mcp_server with capitals in its name: '{name}' must be written '{name.lower()}'."
    formats = _as_list(order.body.get("response_format") or [])
    in_json = order.body.get("response_mime_type") == "application/json"  # the deprecated form
    if not limits.structured and (in_json or any(read_schema(item) is not None for item in formats)):
        yield "has no structured output: leave 'response_format' out and ask for the form in the input."
    yield from _find_content_faults(order.given, limits, media)
    new = results(order.given[count_transcript(order.given) :])  # those before are of the agent's own tools
    if limits is MANAGED and new and "previous_interaction_id" not in order.body:
        yield "takes a function_result only together with 'previous_interaction_id'."


def _find_content_faults(given: list[Json], limits: AgentLimits, media: Container[str]) -> Iterator[str]:
    for item in items(given):
        kind = item.get("type")
        if kind not in media:
            continue
        if limits.contents and kind not in limits.contents:
            yield f"takes no {kind} in its input, only {' and '.join(sorted(limits.contents))}."
        elif limits is MANAGED and "uri" in item:
            yield f"takes images inline only: send the bytes as base64 in 'data' instead of the uri of the {kind}."


_LATEST = re.compile(r"(models/)?gemini-[a-z-]+-latest")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)s")
_ANY_VERSION = "(The emulator's setting platform=any takes it.)"


def judge_surface(order: CreateRequest, platform: Platform, version: str) -> None:
    """Raise Refusal for the first thing in a create that this surface refuses."""
    body = order.body
    fields = body.keys()
    if not fields.isdisjoint(platform.refuses):  # hot: nearly every create has none
        for name in (name for name in platform.refuses if name in body):
            raise invalid(f"Unknown parameter '{name}'; {platform.refuses[name]}. {_ANY_VERSION}")
    if not platform.strict:
        return
    if version == "v1" and _LATEST.fullmatch(order.model or ""):  # README of google-genai 3
        raise Refusal(404, "model_not_found", f"Model '{order.model}' not found: only /v1beta serves this name.")
    if not fields.isdisjoint(("response_format", "generation_config", "tools", "agent_config", "service_tier")):
        _refuse_first(_find_field_faults(order, platform))
    if not isinstance(body.get("input"), str):
        _refuse_first(_find_turn_faults(order))


def _find_field_faults(order: CreateRequest, platform: Platform) -> Iterator[str]:
    """The fields that a strict surface takes only with some values.

    Speakers are a list; a vocabulary and the diarization of speakers exclude each other (one witness, who quotes
    the refusal).
    """
    body = order.body
    for wanted in _as_list(body.get("response_format")):
        if isinstance(wanted, dict):
            yield from _find_format_faults(wanted, order)
    generation = as_object(body.get("generation_config"))
    if isinstance(generation.get("speech_config"), dict):
        yield "Invalid value at 'generation_config.speech_config': Expected an array, got object."
    config = as_object(generation.get("transcription_config"))
    separates = config.get("diarization_mode") or as_object(config.get("mode")).get("diarization_mode")
    if config.get("custom_vocabulary") and separates:
        yield "custom_vocabulary is incompatible with diarization."
    if "tools" in body:
        yield from _find_tool_faults(order)
    if platform.refuses_tools and "enable_bigquery_tool" in (body.get("agent_config") or ()):  # a witness
        yield f"Unknown parameter 'enable_bigquery_tool' at 'agent_config'. {_ANY_VERSION}"
    if body.get("service_tier") == "deferred":
        yield f"Invalid value at 'service_tier': this surface has no tier 'deferred'. {_ANY_VERSION}"


def _find_turn_faults(order: CreateRequest) -> Iterator[str]:
    """A result needs its name (four witnesses and all recordings), a text its words (five witnesses).

    The developer guide of Vertex sends results without one.

    A turn without content is empty, and a content outside of a step has no `processing` (a witness each). Only the
    client's own texts need words, those of its input and its results: history may be empty.
    """
    given = order.body.get("input")
    for number, item in enumerate(given if isinstance(given, list) else ()):
        if item.get("type") == "user_input" and item.get("content") == []:
            yield f"Request has empty input. ('input[{number}].content' is empty.)"
        if item.get("type") == "video" and "processing" in item:
            yield (
                f"Unknown parameter 'processing' at 'input[{number}]'. "
                '(A content of a step may have it: {"type": "user_input", "content": […]}.)'
            )
    if order.platform.gemini and not all(result.get("name") for result in results(order.given)):
        yield "Missing name in content of type function_result."
    for step in order.given:
        parts = step.get("content", step.get("result"))
        is_clients = step.get("type") in ("user_input", "function_result")
        for part in parts if is_clients and isinstance(parts, list) else ():
            if isinstance(part, dict) and part.get("type") == "text" and part.get("text") == "":
                yield "Missing text in content of type text."


def _find_tool_faults(order: CreateRequest) -> Iterator[str]:
    """Some tools exclude each other, or exist elsewhere (tests of genai-rs against the service, July and August).

    Some models do not take a search beside functions (two issues of July); the field it asks for is unknown.
    """
    kinds = {tool.get("type") for tool in order.tools}
    for kind in sorted(order.platform.refuses_tools & kinds):
        yield f"Invalid value at 'tools': this surface has no tool '{kind}'. {_ANY_VERSION}"
    for kind in sorted({"google_search", "url_context"} & kinds):
        if "file_search" in kinds:
            yield f"Invalid value at 'tools': file_search cannot be combined with {kind}. Send one of them."
    if {"google_search", "function"} <= kinds and order.profile.value("search_with_functions") == "refused":
        yield (
            "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with Function "
            f"calling. (There is no such field here: '{order.model}' takes one of the two, others take both.)"
        )


def _find_format_faults(wanted: Json, order: CreateRequest) -> Iterator[str]:
    """Only video is delivered by uri, and stored; it lasts some seconds; images have sizes (a witness each).

    Speech of 2.5 has a type of its own (tests of genai-rs, July).
    """
    kind, duration = wanted.get("type"), wanted.get("duration")
    if "gcs_uri" in wanted and order.platform.refuses_tools:
        yield f"Unknown parameter 'gcs_uri' at 'response_format'. {_ANY_VERSION}"
    if kind in ("image", "audio") and wanted.get("delivery") is not None:
        yield f"Invalid input at 'response_format': 'delivery' is for video, not for {kind}."
    if kind == "audio" and "mime_type" in wanted and (order.model or "").startswith("gemini-2.5-"):
        yield f"Invalid input at 'response_format': '{order.model}' takes no 'mime_type' for audio. Leave it out."
    sizes = order.profile.value("image_sizes")
    if kind == "image" and sizes and wanted.get("image_size", sizes[0]) not in sizes:
        yield f"Invalid input at 'response_format'. '{order.model}' makes images of the sizes {', '.join(sizes)}."
    if kind != "video":
        return
    if wanted.get("delivery") == "uri" and order.body.get("store") is False:
        yield "store=true is required when response format has video delivery set to URI"
    limits: Mapping[str, int] | None = order.profile.value("video_seconds")
    if duration is None or limits is None:
        return
    seconds = _DURATION.fullmatch(duration) if isinstance(duration, str) else None
    if seconds is None or not limits["least"] <= float(seconds[1]) <= limits["most"]:
        yield (
            f"Invalid input at 'response_format'. The duration {duration!r} is none from "
            f"'{limits['least']}s' to '{limits['most']}s'."
        )


# --- contents that cannot be: media without bytes or place, and windows of time, pages and sheets


def find_media_fault(content: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a content that holds media, or None; `{place}` in it stands for where that is.

    Source: the schema's byte format of `data`; that one of data and uri is required is inferred.
    """
    data = content.get("data")
    if data is None and not content.get("uri") and not content.get("name"):
        return (
            f"Invalid content in 'input': the {content['type']} has neither 'data' nor 'uri': "
            "send its bytes as base64, or where they are."
        )
    if data is not None and not is_base64(data):
        return (
            "The value is invalid for '{place}.data'. Expected string, corrupt base64 "
            f"('data' of the {content['type']} is not base64: encode its bytes, without a data: prefix.)"
        )
    return None


def is_base64(text: str) -> bool:
    """Whether `text` decodes to bytes; a last group of a single character cannot hold a byte."""
    # both alphabets, padding optional: what proto3 JSON accepts as bytes
    return re.fullmatch(r"[A-Za-z0-9+/_-]*={0,2}", text) is not None and len(text.rstrip("=")) % 4 != 1


def judge_media(given: Any, media: Container[str]) -> None:
    """Raise Refusal for the first part of a medium in `input` that cannot be, or medium without bytes or place."""
    contents = list(_list_contents(given))
    for place, content in contents:
        processing = content.get("processing")
        fault = _find_fault(processing) if isinstance(processing, dict) else None
        if fault is not None:
            raise invalid(f"Invalid input at '{place}.processing'. {fault}")
    for place, content in contents:
        fault = find_media_fault(content) if content.get("type") in media else None
        if fault is not None:
            raise invalid(fault.format(place=place))


def _list_contents(given: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the items of `input`, each with its place, and after one of the user's its contents."""
    for number, item in enumerate(given if isinstance(given, list) else [given]):
        if not isinstance(item, dict):
            continue
        place = f"input[{number}]" if isinstance(given, list) else "input"
        yield place, item
        inner = item.get("content") if item.get("type") == "user_input" else None
        if isinstance(inner, dict):
            yield f"{place}.content", inner
        for at, part in enumerate(inner if isinstance(inner, list) else ()):
            if isinstance(part, dict):
                yield f"{place}.content[{at}]", part


def _find_fault(processing: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a way of processing: its offsets, the pages and the sheet; or None."""
    offsets = [processing.get(name) for name in ("start_offset", "end_offset")]
    for offset in offsets:
        if isinstance(offset, str) and _DURATION.fullmatch(offset) is None:
            return f"The offset {offset!r} is not a number of seconds: write it as '10.5s'."
    start, end = (float(offset[:-1]) if isinstance(offset, str) else None for offset in offsets)
    options = (processing.get(name) for name in ("page_options", "spreadsheet_options"))
    pages, sheet = (given if isinstance(given, dict) else {} for given in options)
    first, last = pages.get("start_page", 1), pages.get("end_page")
    for is_wrong, fault in (
        (end is not None and end <= (start or 0.0), "'end_offset' has to come after 'start_offset'."),
        (first < 1 or (last is not None and last < 1), "Pages are counted from 1."),
        (last is not None and last < first, "'end_page' is before 'start_page'."),
        (sheet.get("sheet_index", 1) < 1, "Sheets are counted from 1; leave 'sheet_index' out for all of them."),
    ):
        if is_wrong:
            return fault
    return None
