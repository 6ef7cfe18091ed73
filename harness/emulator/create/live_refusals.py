"""What the live service refuses although its schemas allow it, as third parties found out.

Layer 2. One function per rule, each with its witnesses in the docstring; nothing here is documented, so all of it
applies only on a strict platform (`values/platform.py`). Must not know what the schemas or the documents rule out;
`validation` does that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from harness.contract.data.input import results
from harness.emulator.values.call import Refusal, invalid
from harness.emulator.values.create_request import CreateRequest
from harness.emulator.values.platform import Platform

Json = dict[str, Any]

_LATEST = re.compile(r"(models/)?gemini-[a-z-]+-latest")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)s")
_SHORTEST, _LONGEST = 3.0, 10.0
"""Seconds of a video."""
_ANY_VERSION = "(The emulator's setting platform=any takes it.)"


def judge(order: CreateRequest, platform: Platform, version: str) -> None:
    """Raise Refusal for the first thing in a create that this surface refuses."""
    body = order.body
    for name in platform.refuses.keys() & body.keys():
        raise invalid(f"Unknown parameter '{name}'; {platform.refuses[name]}. {_ANY_VERSION}")
    if not platform.strict:
        return
    if version == "v1" and _LATEST.fullmatch(order.model or ""):  # README of google-genai 3
        raise Refusal(404, "model_not_found", f"Model '{order.model}' not found: only /v1beta serves this name.")
    if "response_format" in body or "generation_config" in body:
        _judge_formats(order)
        _judge_transcription(body)
    if "tools" in body:
        _judge_tools(order)
    if body.get("service_tier") == "deferred":
        raise invalid(f"Invalid value at 'service_tier': this surface has no tier 'deferred'. {_ANY_VERSION}")
    if not isinstance(body.get("input"), str):
        _judge_input(order)


def _judge_input(order: CreateRequest) -> None:
    """A result needs its name (four witnesses and all recordings), a text its words (five witnesses).

    A turn without content is empty, and a content outside of a step has no `processing` (a witness each).
    """
    given = order.body.get("input")
    for number, item in enumerate(given if isinstance(given, list) else ()):
        if item.get("type") == "user_input" and item.get("content") == []:
            raise invalid(f"Request has empty input. ('input[{number}].content' holds nothing.)")
        if item.get("type") == "video" and "processing" in item:
            raise invalid(
                f"Unknown parameter 'processing' at 'input[{number}]'. "
                '(A content of a step may have it: {"type": "user_input", "content": […]}.)'
            )
    for result in results(order.given):
        if not result.get("name"):
            raise invalid("Missing name in content of type function_result.")
    for text in _list_texts(order.given):
        if text == "":
            raise invalid("Missing text in content of type text.")


def _judge_tools(order: CreateRequest) -> None:
    """Some tools exclude each other, or exist elsewhere (tests of genai-rs against the service, July and August).

    Some models do not take a search beside functions (two issues of July); the field it asks for is unknown.
    """
    kinds = {tool.get("type") for tool in order.tools}
    for kind in sorted(order.platform.refuses_tools & kinds):
        raise invalid(f"Invalid value at 'tools': this surface has no tool '{kind}'. {_ANY_VERSION}")
    for kind in sorted({"google_search", "url_context"} & kinds):
        if "file_search" in kinds:
            raise invalid(
                f"Invalid value at 'tools': file_search cannot be combined with {kind}. Send one of them."
            )
    if any("enable_bigquery_tool" in tool for tool in order.tools):
        raise invalid(f"Unknown parameter 'enable_bigquery_tool' at 'tools'. {_ANY_VERSION}")
    if {"google_search", "function"} <= kinds and order.profile.value("search_with_functions") == "refused":
        raise invalid(
            "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with Function "
            f"calling. (There is no such field here: '{order.model}' takes one of the two, others take both.)"
        )


def _judge_formats(order: CreateRequest) -> None:
    """Only video is delivered by uri, and stored; it lasts some seconds; speakers are a list (a witness each).

    Speech of 2.5 has a type of its own (tests of genai-rs, July).
    """
    body = order.body
    wanted = body.get("response_format")
    for item in wanted if isinstance(wanted, list) else [wanted]:
        if not isinstance(item, dict):
            continue
        kind = item.get("type")
        if "gcs_uri" in item and order.platform.refuses_tools:
            raise invalid(f"Unknown parameter 'gcs_uri' at 'response_format'. {_ANY_VERSION}")
        if kind in ("image", "audio") and item.get("delivery") is not None:
            raise invalid(f"Invalid input at 'response_format': 'delivery' is for video, not for {kind}.")
        if kind == "audio" and "mime_type" in item and (order.model or "").startswith("gemini-2.5-"):
            raise invalid(
                f"Invalid input at 'response_format': '{order.model}' takes no 'mime_type' for audio. "
                "Leave it out."
            )
        if kind == "video":
            _judge_video(item, body)
    config = body.get("generation_config")
    if isinstance(config, dict) and isinstance(config.get("speech_config"), dict):
        raise invalid("Invalid value at 'generation_config.speech_config': Expected an array, got object.")


def _judge_video(wanted: Json, body: Json) -> None:
    if wanted.get("delivery") == "uri" and body.get("store") is False:
        raise invalid("store=true is required when response format has video delivery set to URI")
    duration = wanted.get("duration")
    seconds = _DURATION.fullmatch(duration) if isinstance(duration, str) else None
    if duration is not None and (seconds is None or not _SHORTEST <= float(seconds[1]) <= _LONGEST):
        raise invalid(
            f"Invalid input at 'response_format'. The duration {duration!r} is none from "
            f"'{_SHORTEST:g}s' to '{_LONGEST:g}s'."
        )


def _judge_transcription(body: Json) -> None:
    """Words to expect and speakers told apart exclude each other (one witness, who quotes the refusal)."""
    generation = body.get("generation_config")
    config = generation.get("transcription_config") if isinstance(generation, dict) else None
    if not isinstance(config, dict) or not config.get("custom_vocabulary"):
        return
    mode = config.get("mode")
    if config.get("diarization_mode") or (isinstance(mode, dict) and mode.get("diarization_mode")):
        raise invalid("custom_vocabulary is incompatible with diarization.")


def _list_texts(steps: list[Json]) -> Iterator[object]:
    """Yield the texts of what the client itself says: its input and its results; history may be empty."""
    for step in steps:
        if step.get("type") not in ("user_input", "function_result"):
            continue
        parts = step.get("content", step.get("result"))
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict) and part.get("type") == "text":
                yield part.get("text")
