"""`SERVERS`: this API with all that judging a server takes: requests, checks, and a service that speaks it.

Layer 4. Importing it costs nothing: each function imports what it needs when it is called.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from harness.interactions import INTERACTIONS
from harness.interactions.mutants import load_mutants
from harness.kit.api import OTHER_KEY, PRIMARY_KEY, CountsEnds, JudgesRun, ServerApi
from harness.kit.extension import load_named_extensions
from harness.wire import Exchange, Headers, Request
from harness.wire.message import segment

if TYPE_CHECKING:
    from harness.contract import Contract
    from harness.contract.requests import RequestBuilder
    from harness.emulator import Emulator, Settings
    from harness.kit.api import Probes
    from harness.kit.check import Check
    from harness.kit.search import SearchModel
    from harness.outcome import Finding


def _judge_trail(
    trail: Sequence[Exchange], contract: Contract, judged: Counter[tuple[str, str]]
) -> Iterator[tuple[Exchange, Finding]]:
    from harness.contract.judge.history.history_judge import judge_trail

    return judge_trail(trail, contract, judged)


def _judge_roots(exchange: Exchange, before: Sequence[Exchange]) -> Iterator[Finding]:
    from harness.contract.judge.roots import judge_roots

    return judge_roots(exchange, before)


def _judge_damage(exchange: Exchange) -> Iterator[Finding]:
    from harness.contract.judge.roots import judge_damage

    return judge_damage(exchange)


def _judge_death(exchange: Exchange, lives: bool) -> Iterator[Finding]:
    from harness.contract import read
    from harness.contract.judge.errors import judge_death, judge_silence

    return (judge_silence if lives else judge_death)(exchange, read(exchange).call)


def _judge_new_id(given: Container[object], identity: object) -> Iterator[Finding]:
    from harness.contract.judge.agreement import judge_new_id

    return judge_new_id(given, identity)


def _new_end_counter() -> CountsEnds:
    from harness.contract.runs import RunEnds

    return RunEnds()


def _new_run_judge() -> JudgesRun:
    from harness.contract.judge.history.run_judge import RunJudge

    return RunJudge()


def _list_deletes(exchange: Exchange) -> Iterable[Request]:
    from harness.contract.runs import list_deletes

    return list_deletes(exchange)


def _new_look_request(exchange: Exchange) -> Request | None:
    from harness.contract.runs import new_look_request

    return new_look_request(exchange)


def _new_stop_request(segments: tuple[str, ...], fields: Headers) -> Request | None:
    """A run in progress may refuse its deletion until it is cancelled."""
    if "interactions" not in segments:
        return None
    return Request("POST", "/" + "/".join(map(segment, segments)) + "/cancel", fields)


def _new_requests(**known: Any) -> RequestBuilder:
    from harness.contract.requests import RequestBuilder

    return RequestBuilder(**{name: value for name, value in known.items() if value != ""})


def _load_capabilities() -> Mapping[str, str]:
    from harness.checks.capabilities import CAPABILITIES

    return CAPABILITIES


def _load_profiles() -> Mapping[str, frozenset[str]]:
    from harness.checks.capabilities import PROFILE_GATES

    return PROFILE_GATES


def _load_probes() -> Probes:
    from harness.checks.probes import PROBES

    return PROBES


def _load_catalogue() -> tuple[Check, ...]:
    from harness.checks.catalogue import CATALOGUE

    return (*CATALOGUE, *(check for one in load_named_extensions() for check in one.checks))


@cache
def _load_search() -> SearchModel:
    from harness.checks.capabilities import RESTS_ON
    from harness.strategies.search_model import build_model

    return build_model(RESTS_ON)


def embedded_settings() -> Settings:
    """The settings of every emulator in this process; it accepts only the two keys that checks use."""
    from harness.emulator import Settings

    return Settings(platform="any", keys={PRIMARY_KEY: "primary", OTHER_KEY: "other"})


def _new_service(contract: Contract, mutant: str) -> Emulator:
    from harness.emulator import Emulator

    build = load_mutants()[mutant].build if mutant else Emulator
    return build(embedded_settings(), contract=contract)


SERVERS = ServerApi(
    **INTERACTIONS.fields(),
    default_version="v1beta",
    scope=r"projects/[^/]+/locations/[^/]+",
    judge_roots=_judge_roots,
    judge_damage=_judge_damage,
    judge_new_id=_judge_new_id,
    judge_death=_judge_death,
    judge_trail=_judge_trail,
    new_end_counter=_new_end_counter,
    new_run_judge=_new_run_judge,
    list_deletes=_list_deletes,
    new_look_request=_new_look_request,
    new_stop_request=_new_stop_request,
    new_requests=_new_requests,
    load_capabilities=_load_capabilities,
    load_profiles=_load_profiles,
    load_probes=_load_probes,
    load_catalogue=_load_catalogue,
    load_search=_load_search,
    new_service=_new_service,
    load_mutants=load_mutants,
)
