"""What a model refuses although others accept it: the tables of models say what.

Layer 2. One function per kind of limit. A refusal begins with the words of the service where they are known, and
ends with what to write instead. Must not know any model by its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.contract.data.input import items
from harness.contract.models.profiles import ModelProfile, find_profile
from harness.emulator.reply.media_types import makes_media
from harness.emulator.values.call import Refusal, invalid
from harness.emulator.values.create_request import CreateRequest
from harness.emulator.values.settings import Settings

Json = dict[str, Any]

_LEVELS = ("minimal", "low", "medium", "high", "xhigh")
_MODEL_STEPS = ("model_output", "thought", "function_call")
"""Steps of the model with which a history may not end."""


def judge(order: CreateRequest, settings: Settings) -> None:
    """Raise Refusal for the first thing that the model of `order` does not accept on this surface."""
    if settings.models == "any":
        return
    if settings.lifecycle is not None:
        _judge_life(order, settings.lifecycle)
    profile = order.profile
    generation = order.body.get("generation_config") or {}
    if order.platform.strict:
        if profile.served_elsewhere is not None:
            raise _refuse_name(profile, profile.served_elsewhere)
        if generation:
            _judge_settings(generation, profile)
    if generation and profile.levels:
        _judge_level(generation, profile.levels, profile, newer=settings.unknown == "accept")
    if not order.platform.strict:
        return
    if "response_format" in order.body or "response_modalities" in order.body:
        _judge_output(order.body, profile)
    if order.given and not isinstance(order.body.get("input"), str):
        _judge_history(order, profile)
        _judge_documents(order.given, profile)


def _judge_life(order: CreateRequest, day: str) -> None:
    """Let the successor of a retired model answer, or refuse it where it has none (release notes).

    Only on the day that the setting `lifecycle` names: without it no test changes with the date.
    """
    life = order.profile.value("lifecycle")
    if life is None or life.get("retired", "9999") > day:
        return
    if "then" not in life:
        raise Refusal(404, "not_found", f"Model '{order.model}' not found. It was retired on {life['retired']}.")
    order.profile = find_profile(life["then"])
    _judge_life(order, day)


def _refuse_name(profile: ModelProfile, refused: Mapping[str, Any]) -> Refusal:
    """Models of other operations, and those that were shut down, do not run here."""
    instead = profile.value("instead")
    where = f" Use {instead.format(name=profile.name)} for it." if instead else ""
    return Refusal(refused["status"], refused["code"], refused["message"].format(name=profile.name) + where)


def _judge_level(generation: Json, levels: tuple[str, ...], profile: ModelProfile, *, newer: bool) -> None:
    """A level must be one of the model's own (wording: seen on 3.7-flash and 3.1-pro-preview).

    Every platform has this limit. `newer` levels are those that no table knows.
    """
    level = generation.get("thinking_level")
    if level is not None and level not in levels and not (newer and level not in _LEVELS):
        # the default comes first in both messages that were seen
        listed = sorted(levels, key=lambda known: known != profile.value("default_level"))
        raise invalid(
            f"'{level}' is not a supported thinking level for this model. Allowed values are: {', '.join(listed)}."
        )


def _judge_settings(generation: Json, profile: ModelProfile) -> None:
    """Refuse a setting that the model does not have, and more output than it writes."""
    for name in profile.value("refused") or ():
        if name in generation:
            raise invalid(f"'{name}' is not supported by the model '{profile.name}': leave it out.")
    most, wanted = profile.value("largest_output"), generation.get("max_output_tokens")
    if wanted is not None and most is not None and profile.value("long_decode") and wanted > most:
        raise invalid(
            f"Invalid value at 'generation_config.max_output_tokens': '{profile.name}' writes at most "
            f"{most} tokens, but {wanted} were asked for."
        )


def _judge_output(body: Json, profile: ModelProfile) -> None:
    """A model makes only its own kinds of output; beside a text it may leave out an image (one witness)."""
    asked = list(_list_kinds(body))
    for field, kind in asked:
        makes_another = kind == "image" and any(other in profile.output for _, other in asked)
        if makes_media(kind) and kind not in profile.output and not makes_another:
            raise invalid(
                f"Invalid input at '{field}'. The model '{profile.name}' makes {' and '.join(profile.output)}, "
                f"not {kind}: name a model that does."
            )


def _list_kinds(body: Json) -> Iterator[tuple[str, str]]:
    """Yield the kinds of output asked for, each with the field that asks."""
    wanted = body.get("response_format")
    for item in wanted if isinstance(wanted, list) else [wanted]:
        if isinstance(item, dict):
            yield "response_format", str(item.get("type", "text"))
    for kind in body.get("response_modalities") or ():
        yield "response_modalities", str(kind)


def _judge_history(order: CreateRequest, profile: ModelProfile) -> None:
    """The last turn must be the user's (wording: that of GenerateContent, for the one here is unknown)."""
    last = order.given[-1].get("type")
    if profile.ends_on_user and last in _MODEL_STEPS and "continuation_token" not in order.body:
        raise invalid(
            "Requests ending with a model turn are not supported. "
            f"(The last step of 'input' is a {last}: end with a user_input or a function_result.)"
        )


def _judge_documents(given: list[Json], profile: ModelProfile) -> None:
    """A document must be of a type that the model reads, in the input as in the result of a function."""
    for item in _list_parts(given):
        if item.get("type") != "document" or not isinstance(item.get("mime_type"), str):
            continue
        mime = item["mime_type"].partition(";")[0].strip().lower()
        if mime not in profile.documents and f"{mime.partition('/')[0]}/*" not in profile.documents:
            raise invalid(
                f"Unsupported MIME type: {item['mime_type']} ('{profile.name}' reads documents of the types "
                f"{', '.join(sorted(profile.documents))}.)"
            )


def _list_parts(given: list[Json]) -> Iterator[Json]:
    for item in items(given):
        yield item
        result = item.get("result")
        yield from (part for part in (result if isinstance(result, list) else ()) if isinstance(part, dict))
