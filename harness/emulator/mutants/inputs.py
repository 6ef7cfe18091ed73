"""Mutants: what a create request may contain, and what of it is stored."""

from __future__ import annotations

from typing import Any

from harness.emulator.create.validation import Admission
from harness.emulator.engine import Engine
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json, plain_error
from harness.emulator.values.call import Call, Refusal, invalid
from harness.emulator.values.create_request import Order
from harness.wire import Response

INPUTS = Area("inputs")


@INPUTS.mutant("content-input-refused")
class _ContentInputRefused(Admission):
    """A single content is not accepted as input."""

    def needs_input(self, body: Json) -> None:
        if isinstance(body.get("input"), dict):
            raise invalid("'input' must be a string.")
        super().needs_input(body)


@INPUTS.mutant("contents-input-refused")
class _ContentsInputRefused(Admission):
    """A list of contents is not accepted as input."""

    def needs_input(self, body: Json) -> None:
        given = body.get("input")
        if isinstance(given, list) and given and given[0].get("type") in self._contract.contents:
            raise invalid("'input' must be steps.")
        super().needs_input(body)


@INPUTS.mutant("steps-input-refused")
class _StepsInputRefused(Admission):
    """A list of steps is not accepted as input."""

    def needs_input(self, body: Json) -> None:
        given = body.get("input")
        if isinstance(given, list) and any(item.get("type") not in self._contract.contents for item in given):
            raise invalid("'input' must be a string or contents.")
        super().needs_input(body)


@INPUTS.mutant("bare-step-refused")
class _BareStepRefused(Admission):
    """A bare string is not accepted as the content of a step."""

    def needs_input(self, body: Json) -> None:
        given = body.get("input")
        if isinstance(given, list) and any(isinstance(item.get("content"), str) for item in given):
            raise invalid("'content' must be a list.")
        super().needs_input(body)


@INPUTS.mutant("author-not-needed")
class _AuthorNotNeeded(Admission):
    """A create that names neither model nor agent is answered by a default model."""

    def shape(self, body: Json) -> None:
        if "model" not in body and "agent" not in body:
            body["model"] = "gemini-3.5-flash"
        super().shape(body)


@INPUTS.mutant("author-missing-crashes")
class _AuthorMissingCrashes(Admission):
    """A create that names neither model nor agent is answered with 500."""

    def one_author(self, body: Json) -> None:
        if "model" not in body and "agent" not in body:
            raise Refusal(500, "api_error", "Internal error.")
        super().one_author(body)


@INPUTS.mutant("agent-beside-model-dropped")
class _AgentBesideModelDropped(Admission):
    """A create that names both model and agent runs the model."""

    def shape(self, body: Json) -> None:
        if "model" in body:
            body.pop("agent", None)
        super().shape(body)


@INPUTS.mutant("input-not-needed")
class _InputNotNeeded(Admission):
    """A create without input is accepted."""

    def shape(self, body: Json) -> None:
        if not body.get("input"):
            body["input"] = "?"
        super().shape(body)


@INPUTS.mutant("input-missing-crashes")
class _InputMissingCrashes(Admission):
    """A create without input is answered with 500."""

    def needs_input(self, body: Json) -> None:
        if not body.get("input") and "continuation_token" not in body:
            raise Refusal(500, "api_error", "Internal error.")
        super().needs_input(body)


@INPUTS.mutant("agent-config-dropped")
class _AgentConfigDropped(Admission):
    """agent_config with a model is silently dropped."""

    def shape(self, body: Json) -> None:
        if "model" in body:
            body.pop("agent_config", None)
        super().shape(body)


@INPUTS.mutant("generation-config-dropped")
class _GenerationConfigDropped(Admission):
    """generation_config with an agent is silently dropped."""

    def shape(self, body: Json) -> None:
        if "agent" in body:
            body.pop("generation_config", None)
        super().shape(body)


@INPUTS.mutant("webhook-crashes")
class _WebhookCrashes(Admission):
    """A create with webhook_config but without background is answered with 500."""

    def webhook(self, body: Json) -> None:
        if "webhook_config" in body and body.get("background") is not True:
            raise Refusal(500, "api_error", "Internal error.")


@INPUTS.mutant("labels-refused")
class _LabelsRefused(Admission):
    """Labels are refused."""

    def between_fields(self, body: Json) -> None:
        if "labels" in body:
            raise invalid("'labels' is not supported.")
        super().between_fields(body)


@INPUTS.mutant("labels-unchecked")
class _LabelsUnchecked(Admission):
    """Labels are not validated."""

    def shape(self, body: Json) -> None:
        body.pop("labels", None)
        super().shape(body)


@INPUTS.mutant("input-ascii-only")
class _InputAsciiOnly(Admission):
    """Characters beyond ASCII in the input are stored as question marks."""

    def resolve(self, body: Json, project: str) -> Order:
        order = super().resolve(body, project)
        order.given = _each_text(order.given, lambda text: text.encode("ascii", "replace").decode())
        return order


@INPUTS.mutant("input-trimmed")
class _InputTrimmed(Admission):
    """White space around the input, and control characters in it, are not stored."""

    def resolve(self, body: Json, project: str) -> Order:
        order = super().resolve(body, project)
        order.given = _each_text(order.given, lambda text: " ".join(text.split()))
        return order


@INPUTS.mutant("large-crashes")
class _LargeCrashes(Engine):
    """A create of more than half a megabyte is answered with 500."""

    def create(self, call: Call) -> Response:
        return plain_error(500) if len(call.request.body) > 500_000 else super().create(call)


def _each_text(steps: list[Json], change: Any) -> list[Json]:
    return [
        {**step, "content": [_changed(part, change) for part in step["content"]]}
        if isinstance(step.get("content"), list)
        else step
        for step in steps
    ]


def _changed(part: Any, change: Any) -> Any:
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return {**part, "text": change(part["text"])}
    return part
