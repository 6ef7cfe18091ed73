"""Every difference between our schemas and the models of the installed google-genai is known and explained.

The SDK's models are generated from a private, newer copy of the API's description, so they are a second
opinion and not the truth. A difference that is not in EXPLAINED means that one of the two has changed: find out
which, then fix the schema or explain the difference. `pytest -s` prints all differences.
"""

from __future__ import annotations

import importlib
import pkgutil
import posixpath
import re
import sys
import typing
import warnings
from typing import Any, Literal

import pytest

from harness.contract import load

PACKAGES = ("interactions", "agents", "environments", "credentials", "triggers", "webhooks", "voices", "decisions")
WORDS = {"url": "URL", "mcp": "MCP"}
SUFFIXES = {"steps": "Step", "deltas": "Delta", "contents": "Content", "tools": "", "annotations": ""}

# Schemas whose SDK model is not named as the rule in `model_of` expects.
NAMED = {
    "annotations/speech-metadata": "SpeechAnnotation",
    "deltas/arguments-delta": "ArgumentsDelta",
    "deltas/text-annotation-delta": "TextAnnotationDelta",
    "events/interaction-created": "InteractionCreatedEvent",
    "events/interaction-status-update": "InteractionStatusUpdate",
    "events/interaction-completed": "InteractionCompletedEvent",
    "events/step-start": "StepStart",
    "events/step-delta": "StepDelta",
    "events/step-stop": "StepStop",
    "events/error": "ErrorEvent",
    "interaction": "Interaction",
    "interaction-partial": "InteractionSseEventInteraction",
    "model-request": "CreateModelInteraction",
    "agent-request": "CreateAgentInteraction",
    "usage": "Usage",
    "usage#modality_tokens": "ModalityTokens",
    "usage#grounding_tool_count": "GroundingToolCount",
    "error": "Error",
    "rpc-status": "Status",
    "stream-metadata": "StepDeltaMetadata",
    "safety-setting": "SafetySetting",
    "webhook-config": "WebhookConfig",
    "payloads/code-execution#arguments": "CodeExecutionCallArguments",
    "payloads/google-search#arguments": "GoogleSearchCallArguments",
    "payloads/google-search#result_item": "GoogleSearchResult",
    "payloads/google-maps#arguments": "GoogleMapsCallArguments",
    "payloads/google-maps#result_item": "GoogleMapsResult",
    "payloads/google-maps#place": "GoogleMapsResultPlaces",
    "payloads/google-maps#review_snippet": "ReviewSnippet",
    "payloads/url-context#arguments": "URLContextCallArguments",
    "payloads/url-context#result_item": "URLContextResult",
    "payloads/retrieval#arguments": "RetrievalCallArguments",
    "payloads/tool-search#arguments": "ToolSearchCallStepArguments",
    "contents/video#static_processing": "StaticMediaProcessing",
    "contents/audio#static_processing": "AudioStaticMediaProcessing",
    "contents/document#static_processing": "DocumentStaticMediaProcessing",
    "contents/document#pages": "PageProcessingOptions",
    "contents/document#cells": "SpreadsheetProcessingOptions",
    "tools/retrieval#exa_ai_search": "ExaAISearchConfig",
    "tools/retrieval#parallel_ai_search": "ParallelAISearchConfig",
    "tools/retrieval#rag_store": "RagStoreConfig",
    "tools/retrieval#rag_resource": "RagResource",
    "tools/retrieval#rag_retrieval": "RagRetrievalConfig",
    "tools/retrieval#filter": "Filter",
    "tools/retrieval#hybrid_search": "HybridSearch",
    "tools/retrieval#ranking": "Ranking",
    "tools/retrieval#rank_service": "RankService",
    "tools/retrieval#vertex_ai_search": "VertexAISearchConfig",
    "generation-config": "GenerationConfig",
    "generation-config#tool_choice": "ToolChoiceConfig",
    "generation-config#allowed_tools": "AllowedTools",
    "generation-config#image": "ImageConfig",
    "generation-config#video": "VideoConfig",
    "generation-config#speakers": "SpeakerConfig",
    "generation-config#speech": "SpeechConfig",
    "generation-config#transcription": "TranscriptionConfig",
    "generation-config#verbatim": "VerbatimTranscriptionMode",
    "generation-config#smart": "SmartTranscriptionMode",
    "response-format#text": "TextResponseFormat",
    "response-format#audio": "AudioResponseFormat",
    "response-format#image": "ImageResponseFormat",
    "response-format#video": "VideoResponseFormat",
    "agent-config#antigravity": "AntigravityAgentConfig",
    "agent-config#code-mender": "CodeMenderAgentConfig",
    "agent-config#deep-research": "DeepResearchAgentConfig",
    "agent-config#dynamic": "DynamicAgentConfig",
    "agent-config#find_request": "FindRequest",
    "agent-config#fix_request": "FixRequest",
    "agent-config#session_config": "SessionConfig",
    "agent-config#file": "FileContent",
    "environment-config": "interactions.Environment",
    "environment-config#env_var": "EnvVar",
    "environment-config#allowlist": "EnvironmentNetworkEgressAllowlist",
    "environment-config#allowlist_entry": "AllowlistEntry",
    "environment-config#source": "Source",
    "empty": "Empty",
    "agents/agent": "Agent",
    "agents/list": "AgentListResponse",
    "environments/environment": "environments.Environment",
    "environments/list": "ListEnvironmentsResponse",
    "environments/file": "EnvironmentFile",
    "environments/files": "GetEnvironmentFilesResponse",
    "requests/create-environment": "CreateEnvironmentRequest",
    "credentials/credential": "Credential",
    "credentials/list": "CredentialListResponse",
    "requests/create-credential#bearer_token": "HTTPBearerConfig",
    "requests/create-credential#oauth2": "OAuth2Config",
    "requests/create-credential#environment_variable": "EnvironmentVariableConfig",
    "requests/update-credential#bearer_token": "HTTPBearerUpdateConfig",
    "requests/update-credential#oauth2": "OAuth2UpdateConfig",
    "requests/update-credential#environment_variable": "EnvironmentVariableUpdateConfig",
    "webhooks/webhook": "Webhook",
    "webhooks/webhook#signing_secret": "SigningSecret",
    "webhooks/list": "WebhookListResponse",
    "webhooks/secret": "WebhookRotateSigningSecretResponse",
    "requests/create-webhook": "WebhookInput",
    "requests/update-webhook": "WebhookUpdate",
    "requests/rotate-signing-secret": "RotateSigningSecretRequest",
    "triggers/trigger": "Trigger",
    "triggers/list": "ListTriggersResponse",
    "triggers/execution": "TriggerExecution",
    "triggers/executions": "ListTriggerExecutionsResponse",
    "requests/create-trigger": "TriggerCreateParams",
    "requests/update-trigger": "TriggerUpdate",
    "voices/voice": "VoiceOutput",
    "voices/voice#audio": "AudioData",
    "voices/voice#prompted": "PromptedVoice",
    "voices/list": "ListVoicesResponse",
    "requests/create-voice": "CreateVoiceRequest",
    "requests/create-voice#voice": "VoiceInput",
    "requests/create-voice#replicated": "ReplicatedVoice",
    "decisions/decision": "CreateDecisionResponse",
    "decisions/decision#noul": "NoulAnswer",
    "decisions/decision#choice": "ChoiceAnswer",
    "decisions/decision#score": "ScoreAnswer",
    "decisions/decision#prompt_feedback": "PromptFeedback",
    "requests/create-decision": "CreateDecisionRequest",
    "requests/create-decision#noul": "NoulQuestion",
    "requests/create-decision#noul_criteria": "NoulCriteria",
    "requests/create-decision#choice": "ChoiceQuestion",
    "requests/create-decision#score": "ScoreQuestion",
}

# Known differences by reason. "only ours" and "only SDK" name a property or, after a colon, a value.
EXPLAINED: dict[str, tuple[str, ...]] = {
    "one schema with rules between its fields serves both kinds of create request": (
        "agent-request: only ours: cached_content",
        "agent-request: only ours: generation_config",
        "agent-request: only ours: model",
        "model-request: only ours: agent",
        "model-request: only ours: agent_config",
    ),
    "the published example of GET agents/{id} carries them": (
        "agents/agent: only ours: created",
        "agents/agent: only ours: display_name",
        "agents/agent: only ours: object",
        "agents/agent: only ours: updated",
    ),
    "published streams leave the result out of a delta; proto3 JSON drops an empty list": (
        "deltas/file-search-result: required only by SDK: result",
        "deltas/google-search-result: required only by SDK: result",
        "deltas/url-context-result: required only by SDK: result",
    ),
    "the environments guide and live probes show upper case": (
        "environments/file: type: only ours: DIRECTORY",
        "environments/file: type: only ours: FILE",
    ),
    "the v1beta reference gives every event metadata, and recordings carry it": (
        "events/error: only ours: metadata",
        "events/interaction-completed: only ours: metadata",
        "events/interaction-created: only ours: metadata",
        "events/interaction-status-update: only ours: metadata",
        "events/step-start: only ours: metadata",
        "events/step-stop: only ours: metadata",
    ),
    "conveniences the SDK computes; never on the wire": (
        "interaction: only SDK: continuation_ids",
        "interaction: only SDK: output_audio",
        "interaction: only SDK: output_image",
        "interaction: only SDK: output_text",
        "interaction: only SDK: output_video",
    ),
    "every recorded interaction carries object": ("interaction: only ours: object",),
    "recordings and live probes show them, and stateless turns need them back": (
        "no model: contents/function-result",
        "steps/function-call: only ours: signature",
        "steps/function-result: only ours: signature",
        "steps/mcp-server-tool-call: only ours: signature",
        "steps/mcp-server-tool-result: only ours: signature",
        "deltas/mcp-server-tool-call: only ours: signature",
        "deltas/mcp-server-tool-result: only ours: signature",
    ),
    "recordings show them": (
        "contents/audio: mime_type: only ours: audio/l16; rate=24000; channels=1",
        "deltas/audio: mime_type: only ours: audio/l16; rate=24000; channels=1",
        "interaction-partial: only ours: environment_id",
        "usage#grounding_tool_count: only ours: search_query_count",
    ),
    "the streaming guide's second example assembles to a result without items": (
        "steps/google-search-result: required only by SDK: result",
    ),
    "an assembled step holds what its delta brought": ("steps/file-search-result: only ours: result",),
    "the credentials guide: the id is optional and then generated": (
        "requests/create-credential#bearer_token: required only by SDK: id",
        "requests/create-credential#environment_variable: required only by SDK: id",
        "requests/create-credential#oauth2: required only by SDK: id",
    ),
    "the credentials guide shows the field": ("tools/mcp-server: only ours: credential",),
    "the rule for forks speaks of env beside sources": ("requests/create-environment: only ours: env",),
    "the Antigravity guide lists it": ("triggers/trigger: status: only ours: disabled",),
    "empty or free objects need no file of their own": (
        "no schema: FileSearchResult",
        "no schema: FunctionResultDeltaResult",
        "no schema: FunctionResultStepResult",
        "no schema: MCPServerToolResultDeltaResult",
        "no schema: MCPServerToolResultStepResult",
        "no schema: DeleteVoiceResponse",
        "no schema: PingWebhookRequest",
        "no schema: WebhookPingResponse",
    ),
    "the SDK's wrapper of a frame; ours is in openapi.json": ("no schema: InteractionSSEStreamEvent",),
}


def model_of(location: str) -> str | None:
    """The SDK's name for a schema, by table or by rule; None if it has no model of its own."""
    folder, _, name = location.partition("/")
    if location in NAMED or folder not in SUFFIXES or not name:
        return NAMED.get(location)
    words = (WORDS.get(word, word.capitalize()) for word in name.split("-"))
    return "".join(words) + SUFFIXES[folder]


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    """The SDK's models by class name, and by package and class name."""
    pytest.importorskip("google.genai._gaos.types", reason="google-genai 3.3+ is not installed")
    from pydantic import BaseModel

    found: dict[str, Any] = {}
    for package in PACKAGES:
        module = importlib.import_module(f"google.genai._gaos.types.{package}")
        for info in pkgutil.iter_modules(module.__path__):
            part = importlib.import_module(f"{module.__name__}.{info.name}")
            for name, value in vars(part).items():
                own = isinstance(value, type) and value.__module__ == part.__name__
                if own and issubclass(value, BaseModel) and not name.startswith("Unknown"):
                    found[name] = found[f"{package}.{name}"] = value
    return found


def drift_of(location: str, model: Any) -> set[str]:
    """How a schema and a model differ, one line for each difference."""
    if model is None:
        return {f"no model: {location}"}
    schema = resolve(*locate(location))
    properties, required = schema.get("properties", {}), set(schema.get("required", ()))
    document = schema.get("file", location.partition("#")[0])
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    drift = {f"{location}: only ours: {name}" for name in properties.keys() - fields.keys()}
    drift |= {f"{location}: only SDK: {name}" for name in fields.keys() - properties.keys()}
    for name in properties.keys() & fields.keys():
        if "const" not in properties[name] and (name in required) != fields[name].is_required():
            drift.add(f"{location}: required only by {'us' if name in required else 'SDK'}: {name}")
        ours, theirs = ours_of(document, properties[name]), set(literals(fields[name].annotation))
        drift |= {f"{location}: {name}: only ours: {value}" for value in ours - theirs if theirs}
        drift |= {f"{location}: {name}: only SDK: {value}" for value in theirs - ours if ours or theirs}
    return drift


def locate(location: str) -> tuple[str, Any]:
    """The file and the part of it that a location such as `usage#modality_tokens` names."""
    name, _, part = location.partition("#")
    document = load().schemas.document(name)
    return name, document["$defs"][part] if part else document


def resolve(name: str, schema: Any) -> Any:
    """The schema with its `$ref` resolved and merged with the keywords beside it."""
    if "$ref" not in schema:
        return schema
    file, part = follow(name, schema["$ref"])
    target = resolve(file, part)
    own = {key: value for key, value in schema.items() if key != "$ref"}
    required = [*target.get("required", ()), *schema.get("required", ())]
    return {**target, **own, "required": required, "file": target.get("file", file)}


def follow(name: str, ref: str) -> tuple[str, Any]:
    """The file and the part of it that a reference points to."""
    path, _, pointer = ref.partition("#")
    beside = posixpath.join(posixpath.dirname(name), path.removesuffix(".json"))
    file = posixpath.normpath(beside) if path else name
    part: Any = load().schemas.document(file)
    for key in pointer.split("/")[1:]:
        part = part[key]
    return file, part


def ours_of(name: str, schema: Any) -> set[Any]:
    """The values that our schema allows for a property, also inside a list."""
    full = resolve(name, schema)
    name = full.get("file", name)
    values = {full["const"]} if "const" in full else set(full.get("x-known-values", full.get("enum", ())))
    if full.get("type") == "array":
        values |= ours_of(name, full["items"])
    for branch in full.get("oneOf", ()):
        if resolve(name, branch).get("type") != "object":
            values |= ours_of(name, branch)
    return values


def literals(annotation: Any) -> typing.Iterator[Any]:
    """The literal values of an SDK annotation; nested models are compared separately."""
    if typing.get_origin(annotation) is Literal:
        yield from typing.get_args(annotation)
    elif hasattr(annotation, "__value__"):
        yield from literals(annotation.__value__)
    else:
        for part in typing.get_args(annotation):
            yield from literals(part)


def locations() -> dict[str, str]:
    """Every schema location that has a model in the SDK, with the model's name."""
    names = [*NAMED, *load().schemas.names()]
    return {name: model for name in dict.fromkeys(names) if (model := model_of(name))}


def test_every_difference_from_the_sdk_is_explained(models):
    """Names, required fields and enumerations differ from the SDK's only as EXPLAINED lists."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drift = {line for where, model in locations().items() for line in drift_of(where, models.get(model))}
    mapped = set(locations().values())
    drift |= {
        f"no schema: {name}" for name, value in models.items() if "." not in name and not is_mapped(value, mapped)
    }
    explained = {line: reason for reason, lines in EXPLAINED.items() for line in lines}
    sys.stdout.writelines(f"{line} ({explained.get(line, 'NOT EXPLAINED')})\n" for line in sorted(drift))
    assert sorted(drift - explained.keys()) == [], "new differences: mend the schema or explain them in EXPLAINED"
    assert sorted(explained.keys() - drift) == [], "differences that are gone: remove them from EXPLAINED"


def is_mapped(model: Any, mapped: set[str]) -> bool:
    """Whether a schema is compared with this model."""
    package = re.sub(r".*\.types\.(\w+)\..*", r"\1", model.__module__)
    return bool({model.__name__, f"{package}.{model.__name__}"} & mapped)
