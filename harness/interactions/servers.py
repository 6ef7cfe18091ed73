"""`SERVERS`: this API with all that judging a server takes: requests, checks, and a service that speaks it.

Importing it costs nothing: each function imports what it needs when it is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.interactions import INTERACTIONS
from harness.kit.api import OTHER_KEY, PRIMARY_KEY, LateCall, ServerApi
from harness.kit.extension import load_named_extensions
from harness.wire import Exchange, Headers, Request
from harness.wire.message import segment

if TYPE_CHECKING:
    from harness.contract import Contract
    from harness.contract.requests import RequestBuilder
    from harness.emulator import Emulator, Settings
    from harness.kit.check import Check
    from harness.outcome import Finding


def _judge_death(exchange: Exchange, lives: bool) -> Iterator[Finding]:
    from harness.contract import read
    from harness.contract.judge.errors import judge_death, judge_silence

    return (judge_silence if lives else judge_death)(exchange, read(exchange).call)


def _new_stop_request(segments: tuple[str, ...], fields: Headers) -> Request | None:
    """A run in progress may refuse its deletion until it is cancelled."""
    if "interactions" not in segments:
        return None
    return Request("POST", "/" + "/".join(map(segment, segments)) + "/cancel", fields)


def _new_requests(**known: Any) -> RequestBuilder:
    from harness.contract.requests import RequestBuilder

    return RequestBuilder(**{name: value for name, value in known.items() if value != ""})


def _load_catalogue() -> tuple[Check, ...]:
    from harness.checks.catalogue import CATALOGUE

    return (*CATALOGUE, *(check for one in load_named_extensions() for check in one.checks))


def embedded_settings() -> Settings:
    """The settings of every emulator in this process; it accepts only the two keys that checks use."""
    from harness.emulator import Settings

    return Settings(platform="any", keys={PRIMARY_KEY: "primary", OTHER_KEY: "other"})


def _new_service(contract: Contract) -> Emulator:
    from harness.emulator import Emulator

    return Emulator(embedded_settings(), contract=contract)


SERVERS = ServerApi(
    **INTERACTIONS.fields(),
    default_version="v1beta",
    scope=r"projects/[^/]+/locations/[^/]+",
    judge_roots=LateCall("harness.contract.judge.roots", "judge_roots"),
    judge_incomparable=LateCall("harness.contract.judge.roots", "judge_incomparable"),
    judge_new_id=LateCall("harness.contract.judge.agreement", "judge_new_id"),
    judge_death=_judge_death,
    judge_trail=LateCall("harness.contract.judge.history.history_judge", "judge_trail"),
    new_end_counter=LateCall("harness.contract.runs", "RunEnds"),
    new_run_judge=LateCall("harness.contract.judge.history.run_judge", "RunJudge"),
    list_deletes=LateCall("harness.contract.runs", "list_deletes"),
    new_look_request=LateCall("harness.contract.runs", "new_look_request"),
    new_stop_request=_new_stop_request,
    new_requests=_new_requests,
    load_capabilities=LateCall("harness.checks.capabilities", "CAPABILITIES"),
    load_profiles=LateCall("harness.checks.capabilities", "PROFILE_GATES"),
    load_probes=LateCall("harness.checks.probes", "PROBES"),
    load_catalogue=_load_catalogue,
    new_service=_new_service,
)
