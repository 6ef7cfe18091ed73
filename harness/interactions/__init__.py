"""`INTERACTIONS`: the value that describes this API to everything that reads or shows its traffic.

The values of a purpose have more: `recordings.RECORDINGS` judges recordings, `traffic.TRAFFIC` passing traffic,
`servers.SERVERS` a server, `clients.CLIENTS` a client. So no purpose loads the parts of another. Importing it
costs nothing: each function imports what it needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from harness.kit.api import Api, LateCall, load_named_extensions
from harness.wire import StreamProtocol

if TYPE_CHECKING:
    from harness.contract import Contract
    from harness.outcome import Rule


def _load_contract(revision: str) -> Contract:
    from harness.contract import CURRENT, load

    return load(revision or CURRENT)


@cache
def _load_protocol() -> StreamProtocol:  # asked for with each response
    from harness.contract import PROTOCOL

    return PROTOCOL


def _load_rules() -> Mapping[str, Rule]:
    from harness.rules import BY_ID

    extensions = load_named_extensions()
    if not extensions:  # an audit asks for each finding
        return BY_ID
    return {**BY_ID, **{check.id: check.rule for one in extensions for check in one.checks}}


def _load_areas() -> Mapping[str, str]:
    from harness.rules import SUBJECTS

    return {**SUBJECTS, **{one.name: one.title for one in load_named_extensions()}}


def _load_extension_names() -> tuple[str, ...]:
    return tuple(one.name for one in load_named_extensions())


__all__ = ["INTERACTIONS"]


_COLLECTIONS = frozenset([
    "agents", "credentials", "environments", "files", "fileSearchStores", "interactions", "triggers", "voices",
    "webhooks",
])  # fmt: skip
"""Where a POST creates what a DELETE of its id removes."""

INTERACTIONS = Api(
    name="interactions",
    title="Interactions API",
    server_origin="harness.interactions.servers.SERVERS",
    search_origin="harness.interactions.search.load_search",
    collection="interactions",
    collections=_COLLECTIONS,
    reference_fields=("previous_interaction_id", "environment", "agent"),
    live_hosts=(
        "generativelanguage.googleapis.com",
        "*-generativelanguage.googleapis.com",
        "aiplatform.googleapis.com",
        "*-aiplatform.googleapis.com",
        "aiplatform.*.rep.googleapis.com",
    ),
    key_header="x-goog-api-key",
    key_variable="GEMINI_API_KEY",
    other_key_variable="OTHER_GEMINI_API_KEY",
    key_aliases=("GOOGLE_API_KEY",),
    load_contract=_load_contract,
    load_protocol=_load_protocol,
    read=LateCall("harness.contract.judge.reading", "read"),
    load_rules=_load_rules,
    load_areas=_load_areas,
    load_extensions=_load_extension_names,
    read_new_id=LateCall("harness.contract.requests", "read_new_id"),
    read_order=LateCall("harness.contract.requests", "summarise_create"),
    read_subject=LateCall("harness.contract.requests", "named_interaction"),
    read_status=LateCall("harness.contract.requests", "status_of"),
    is_settled=LateCall("harness.contract.tables.protocol", "is_settled"),
    new_script=LateCall("harness.contract.requests", "script_for"),
    format_request=LateCall("harness.contract.judge.reading", "format_request"),
    format_answer=LateCall("harness.contract.judge.reading", "format_answer"),
)
