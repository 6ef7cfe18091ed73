"""The OpenAPI document as a search needs it: tailored to one target, and divided into resources.

Must not know which tool reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.contract.requests import RequestBuilder
from harness.contract.schema.openness import close
from harness.contract.schema.schemas import Schemas
from harness.kit.search import Family

# The resources of the document, and which checks of the tool count for each.


_OWN_CHECKS: Mapping[str, str] = {"use_after_free": "del.gone", "ensure_resource_availability": "get.ok"}

_NEIGHBOUR_CHECKS: Mapping[str, str] = {"use_after_free": "fuzz.kept", "ensure_resource_availability": "fuzz.kept"}

WITH_KEYS: Mapping[str, str] = {"ignored_auth": "auth.wrong"}
"""Checks for targets that are known to check keys; many gateways on a loopback address do not."""

STRICT: Mapping[str, str] = {"negative_data_rejection": "err.unknown-field"}
"""Checks that real services fail because they are lenient; only in the strict profile."""

ECHOED = frozenset({"steps.base64", "steps.annotation-range", "steps.result-match", "steps.discriminator"})
"""Rules on the content of steps, judged only on creates: a read also shows the caller's generated input."""

SHAPES = frozenset(
    {
        "agents.schema", "env.schema", "hook.schema", "cred.schema", "trigger.schema", "file.schema",
        "filesearch.schema", "voice.schema", "decision.schema",
    }
)  # fmt: skip
"""Rules on what neighbours show, much of which is the caller's own input.

A service that accepts an invalid value shows it again later. That is leniency and not a second mistake, so these
rules are no longer judged once an invalid request was accepted.
"""

INTERACTIONS = Family(collection="interactions", checks=_OWN_CHECKS, weight=3)

NEIGHBOURS = tuple(
    Family(collection=collection, capability=capability, checks=_NEIGHBOUR_CHECKS, keeps=collection != "decisions")
    for collection, capability in (
        ("agents", "agents-crud"),
        ("environments", "environments"),
        ("credentials", "credentials"),
        ("webhooks", "webhooks"),
        ("triggers", "triggers"),
        ("files", "files"),
        ("fileSearchStores", "file-search-stores"),
        ("voices", "voices"),
        ("decisions", "decisions"),
    )
)


# A copy of the OpenAPI document that is tailored to one target, with all schemas in it.
# The schemas leave many names open, so a generator would invent names that do not exist, and every request
# would be refused. Here models and agents are the target's own, other names are few and valid, and references
# to things that do not exist are left out. No third party is named: the hosts that a target may call back are
# under `.invalid`, which never resolves.


Json = dict[str, Any]

_LEFT_OUT = ("continuation_token", "previous_interaction_id", "cached_content", "safety_settings")
"""Fields that a generated create leaves out: they need values that only the target can issue, or are refused."""

_NOBODY = "https://harness.invalid/hook"
_NAME = {"type": "string", "minLength": 1, "maxLength": 12, "not": {"pattern": "[^a-z0-9]"}}


def build_document(target: RequestBuilder, plain: bool = False) -> Json:
    """The document, with all schemas under its `$defs`; of the requests those that are closed.

    If it is `plain`, a create of an interaction has a model and a text, and nothing that a target may decline.
    """
    schemas, patches = target.contract.schemas, _list_patches(target)
    parts: Json = {}

    def embed(part: Any) -> Any:
        if isinstance(part, list):
            return [embed(item) for item in part]
        if not isinstance(part, dict):
            return part
        copy = {key: embed(value) for key, value in part.items()}
        if isinstance(copy.get("$ref"), str) and not copy["$ref"].startswith("#"):
            name = copy["$ref"].removesuffix(".json")
            copy["$ref"] = f"#/$defs/{name.replace('/', '.')}"
            if name.startswith("strict/"):
                parts[name.replace("/", ".")] = _close_request(schemas, name.removeprefix("strict/"), patches)
            else:
                parts.update(schemas.bundle(name)["$defs"])
        return copy

    document: Json = embed(schemas.openapi())
    _adapt(document)
    if plain:
        parts["strict.create-interaction"] = _object(model=_one_of(target.model), input=_NAME)
    return {**document, "$defs": parts}


def _close_request(schemas: Schemas, name: str, patches: Mapping[str, Json]) -> Json:
    """The closed schema of a request as a part of the document, which has its own parts below it."""
    own, root = f"requests.{name}", f"#/$defs/strict.{name}/$defs/"
    closed = close(schemas.bundle(f"requests/{name}"))["$defs"]
    parts: Json = json.loads(json.dumps(closed).replace('"#/$defs/', f'"{root}'))
    _keep_small(parts)
    _merge(parts[own], patches.get(name, {}))
    if name == "create-credential":
        _invent_secrets(parts[own])
    return {"$ref": f"{root}{own}", "$defs": parts}


def _keep_small(part: Any) -> None:
    """Limit lists and free texts: the shape of a request breaks a server far more often than its length."""
    for inner in part if isinstance(part, list) else part.values() if isinstance(part, dict) else ():
        _keep_small(inner)
    if isinstance(part, dict) and part.get("type") == "array":
        part.setdefault("maxItems", max(2, part.get("minItems", 0)))
    if isinstance(part, dict) and part.get("type") == "string" and not part.keys() & _NARROWED:
        part["maxLength"] = 20


_NARROWED = frozenset({"const", "enum", "format", "minLength", "maxLength", "pattern", "not"})


def _adapt(document: Json) -> None:
    """Keep only the way to send a key that all our calls use, and add the links that OpenAPI has no words for.

    They lead from the create of something to its reads and its delete, and from a delete to what is gone.
    """
    document["security"] = [{"apiKeyHeader": []}]
    paths = document["paths"]
    for collection, pointer in _NAMED.items():
        one = paths[f"/{collection}/{{id}}"]
        created = f"$response.body#{pointer}#regex:^{collection}/(.+)"
        targets = {"get": one["get"], "delete": one["delete"]}
        for name, path, method in _BELOW.get(collection, ()):
            targets[name] = paths[f"/{collection}/{{id}}{path}"][method]
        for operation, given, names in (
            (paths[f"/{collection}"]["post"], created, targets.keys()),
            (one["get"], "$request.path.id", {"delete"}),
            (one["delete"], "$request.path.id", targets.keys()),
        ):
            operation["responses"]["200"]["links"] = {
                name: {"operationId": target["operationId"], "parameters": {"id": given}}
                for name, target in targets.items()
                if name in names
            }


_NAMED = {"files": "/file/name", "fileSearchStores": "/name"}
"""Where the answers of a collection give a name such as `files/x`. Only an extension of the tool can say that
`x` is the id."""


_BELOW = {
    "fileSearchStores": (
        ("documents", "/documents", "get"),
        ("import", ":importFile", "post"),
        ("upload", ":uploadToFileSearchStore", "post"),
    )
}
"""What else the id of something leads to: a name, the rest of the path, a method."""


def _one_of(*words: str) -> Json:
    return {"type": "string", "enum": list(words)}


def _object(**properties: Json) -> Json:
    """A closed object with these properties, all of them required."""
    return {
        "type": "object", "required": list(properties), "properties": properties, "additionalProperties": False,
    }  # fmt: skip


class _Instead(dict[str, Any]):
    """Takes the place of an object, with which others are merged."""


def _list_patches(target: RequestBuilder) -> dict[str, Json]:
    """The changes of each request, as a JSON merge patch (RFC 7396): null removes a member."""
    text = {"type": "string", "minLength": 1}
    nothing = dict.fromkeys(_LEFT_OUT)
    hook = {"properties": {"uri": _Instead(_one_of(_NOBODY)), "subscribed_events": {"minItems": 1}}}
    count = _Instead(type="integer", minimum=1, maximum=600)
    return {
        "create-interaction": {
            "$defs": {
                "fields": {
                    "properties": {
                        **nothing,
                        "model": _Instead(_one_of(target.model)),
                        "agent": _Instead(_one_of(target.agent)),
                        "environment": _Instead(_one_of("remote")),
                    }
                }
            },
            "required": ["input"],
            "dependentRequired": nothing,
        },
        "create-agent": {
            "properties": {
                "id": _Instead(_NAME),
                "base_agent": _Instead(_one_of(target.agent)),
                "base_environment": _Instead(_one_of("remote")),
                "tools": None,
            },
            "required": ["id", "base_agent"],
        },
        # only inline files, and no fork of invented ids: the link `fork` makes real ones
        "create-environment": {
            "properties": {
                "sources": _Instead(
                    type="array",
                    maxItems=2,
                    items=_object(type={"const": "inline"}, target=_NAME, content={"type": "string"}),
                ),
                "env": _Instead(type="object", maxProperties=0),
                "network": _Instead(_one_of("disabled")),
                "from_environment": _Instead(_NAME),
            }
        },
        "create-webhook": hook,
        "update-webhook": hook,
        "create-trigger": {
            "properties": {
                "schedule": _Instead(_one_of("0 9 * * 1-5", "*/5 * * * *")),
                "time_zone": _Instead(_one_of("UTC", "Europe/Berlin")),
                "interaction": _Instead(_object(model=_one_of(target.model), input=text)),
                "max_consecutive_failures": count,
                "execution_timeout_seconds": count,
                "environment_id": None,
            }
        },
        # only prompted voices, which need no recording of a speaker, and are based on no other
        "create-voice": {
            "properties": {"store": _Instead(const=True)},
            "required": ["voice", "store"],
            "$defs": {
                "voice": {
                    "properties": _Instead(
                        type=_one_of("prompted"), display_name=_NAME, prompted=_object(input=_NAME)
                    ),
                    "required": ["type", "prompted"],
                }
            },
        },
        "create-file-search-store": {"properties": {"embeddingModel": None}},
        # any questions about a text; contents are searched in creates of interactions
        "create-decision": {
            "properties": {
                "model": _Instead(_one_of("gemini-decision-1")),
                "input": _Instead(text),
                "questions": {"maxProperties": 3},
            }
        },
    }


def _merge(document: Json, patch: Json) -> None:
    for name, value in patch.items():
        if value is None:
            document.pop(name, None)
        elif isinstance(value, dict) and not isinstance(value, _Instead):
            _merge(document.setdefault(name, {}), value)
        else:
            document[name] = value


def _invent_secrets(document: Json) -> None:
    """Give the texts of a credential few and valid values, and its token a host that never resolves."""
    for name in ("bearer_token", "oauth2", "environment_variable"):
        fields = document["$defs"][name]["properties"]
        fields |= {field: _NAME for field in fields if fields[field].get("type") == "string"}
        if "token_url" in fields:
            fields["token_url"] = _one_of("https://harness.invalid/token")
