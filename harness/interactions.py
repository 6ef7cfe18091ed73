"""`INTERACTIONS`: the value that describes this API to the engine, the benches and the reports.

Layer 4. The only module below the commands that names the contract, the checks, the emulator and the strategies
together. Importing it costs nothing: each function imports what it needs when it is called.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.kit.api import (
    EXTENSION_GROUP,
    EXTENSION_VARIABLE,
    OTHER_KEY,
    PRIMARY_KEY,
    Api,
    CountsEnds,
    JudgesRun,
    RunOrder,
)
from harness.wire import Clock, Exchange, Headers, Request, StreamProtocol
from harness.wire.message import segment

if TYPE_CHECKING:
    from harness.checks.recordings import FileJudge
    from harness.contract import Contract, Reading
    from harness.contract.judge.history.history_judge import HistoryJudge
    from harness.contract.requests import RequestBuilder
    from harness.emulator import Emulator, Settings
    from harness.extend import Extension
    from harness.kit.api import Probes, Verification
    from harness.kit.check import Check
    from harness.kit.client_model import ClientIncident, ClientModel
    from harness.kit.mutant import Mutant
    from harness.kit.search import SearchModel
    from harness.outcome import Finding, Rule


def _load_contract(revision: str) -> Contract:
    from harness.contract import CURRENT, load

    return load(revision or CURRENT)


@cache
def _load_protocol() -> StreamProtocol:
    from harness.contract import PROTOCOL

    return PROTOCOL


def _read(exchange: Exchange, contract: Contract | None) -> Reading:
    return _load_reader()(exchange, contract)


@cache
def _load_reader() -> Callable[[Exchange, Contract | None], Reading]:
    from harness.contract import read

    return read


def load_named_extensions() -> tuple[Extension, ...]:
    """The extensions of the user. What they are made of is heavy, so it is imported only if one is named."""
    if not os.environ.get(EXTENSION_VARIABLE) and not _has_entry_points(tuple(sys.path)):
        return ()
    from harness.extend import load_extensions

    return load_extensions()


@cache
def _has_entry_points(path: tuple[str, ...]) -> bool:
    """Whether an installed package may bring an extension: only then `importlib.metadata` reads them.

    Most users have none. The import of that module, and its look at all packages, take a sixth of the time of
    `harness list`. So the files are only searched for the name of the group.
    """
    return any(_names_extensions(folder or os.curdir) for folder in path)


def _names_extensions(folder: str) -> bool:
    """Whether the entry points of a package in this folder may name the group of extensions."""
    if Path(folder).is_file():  # an archive of packages
        return True
    with suppress(OSError):
        for place in Path(folder).iterdir():
            if place.name.endswith((".dist-info", ".egg-info", "EGG-INFO")):
                with suppress(OSError):
                    if EXTENSION_GROUP.encode() in (place / "entry_points.txt").read_bytes():
                        return True
    return False


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


def _new_file_judge(file: str, result: Verification, contract: Contract) -> FileJudge:
    from harness.checks.recordings import FileJudge

    return FileJudge(file, result, contract)


def _new_history_judge(contract: Contract, sole_client: bool) -> HistoryJudge:
    from harness.contract.judge.history.history_judge import HistoryJudge

    return HistoryJudge(contract, sole_client=sole_client)


def _read_order(request: Request) -> RunOrder | None:
    from harness.contract.runs import summarise_create

    found = summarise_create(request)
    return None if found is None else RunOrder(*found)


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


def _read_new_id(exchange: Exchange) -> str:
    return _load_reader()(exchange, None).new_id


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


def _read_subject(request: Request) -> str:
    from harness.contract.runs import named_interaction

    return named_interaction(request)


def _read_status(value: Mapping[str, Any]) -> tuple[str, str] | None:
    from harness.contract.runs import status_of

    return status_of(value)


def _is_settled(status: str) -> bool:
    from harness.contract import is_settled

    return is_settled(status)


def _new_script(exchange: Exchange, contract: Contract) -> dict[str, Any] | None:
    from harness.contract.runs import script_for

    return script_for(exchange, contract)


def _format_request(exchange: Exchange) -> str:
    from harness.contract.judge.wording import format_request

    return format_request(exchange)


def _format_answer(exchange: Exchange) -> str:
    from harness.contract.judge.wording import format_answer

    return format_answer(exchange)


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

    build = _find_mutant(mutant).build if mutant else Emulator
    return build(embedded_settings(), contract=contract)


def _find_mutant(name: str) -> Mutant[Any]:
    """The same as `_load_mutants()[name]`, without a table of all: a kill matrix asks ten thousand times."""
    from harness.emulator.mutants import MUTANTS

    return MUTANTS[name] if name in MUTANTS else _load_mutants()[name]


def _load_mutants() -> Mapping[str, Mutant[Any]]:
    from harness.emulator.mutants import MUTANTS

    return {**MUTANTS, **{mutant.id: mutant for one in load_named_extensions() for mutant in one.mutants}}


def _new_client_service(*, contract: Contract | None, clock: Clock | None, seed: int) -> Emulator:
    from harness.emulator import Emulator

    return Emulator(contract=contract, clock=clock, seed=seed)


@cache
def _load_client_incidents() -> Mapping[str, ClientIncident]:
    from harness.incidents import load_incidents

    return {name: incident.to_client_incident() for name, incident in load_incidents().items()}


def _load_client_model() -> ClientModel:
    return _build_client_model(load_named_extensions())


@cache
def _build_client_model(extensions: tuple[Extension, ...]) -> ClientModel:
    from harness.checks.clients import result_comparison
    from harness.checks.clients.sets import MODES, SETS
    from harness.contract import is_settled
    from harness.emulator import Emulator
    from harness.emulator.service import prepare_run, stream_request
    from harness.kit.client_model import ClientModel, ClientWords, ScriptedService
    from harness.rules import rows_of

    return ClientModel(
        words=ClientWords(
            run="interaction",
            completion="interaction.completed",
            cursor="last_event_id",
            keeps_id="created with background=true and without stream, it returns its id at once",
            base_url="INTERACTIONS_BASE_URL",
        ),
        service=ScriptedService(
            new=_new_client_service, prepare=prepare_run, release=Emulator.release, stream_request=stream_request
        ),
        modes=MODES,
        sets={**SETS, **{one.name: tuple(one.kinds) for one in extensions if one.kinds}},
        load_incidents=_load_client_incidents,
        rules={row.rule.id: row.rule for row in rows_of("clients")},
        is_final=is_settled,
        quiet=frozenset({"completed", "requires_action"}),  # a text alone cannot report that it is only a part
        waiting=frozenset({"requires_action"}),
        continues=result_comparison.find_previous,
        find_input=result_comparison.find_input,
        goes_on=result_comparison.goes_on,
        find_id=result_comparison.find_id,
        find_error=result_comparison.find_error,
        join=result_comparison.join_streams,
        text_of=result_comparison.text_of,
        mark=result_comparison.mark_of,
        compare=result_comparison.compare_result,
        answer_events=result_comparison.answer_events,
        judge_calls=result_comparison.judge_calls,
        find_forgotten=result_comparison.find_forgotten,
        find_split_call=result_comparison.find_split_call,
    )


__all__ = ["INTERACTIONS"]

_COLLECTIONS = frozenset(
    ["interactions", "agents", "environments", "webhooks", "credentials", "triggers", "fileSearchStores", "voices"]
)
"""Where a POST creates what a DELETE of its id removes."""

INTERACTIONS = Api(
    name="interactions",
    title="Interactions API",
    origin="harness.interactions.INTERACTIONS",
    default_version="v1beta",
    collection="interactions",
    scope=r"projects/[^/]+/locations/[^/]+",
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
    read=_read,
    judge_roots=_judge_roots,
    judge_damage=_judge_damage,
    read_new_id=_read_new_id,
    judge_new_id=_judge_new_id,
    judge_death=_judge_death,
    load_rules=_load_rules,
    load_areas=_load_areas,
    load_extensions=_load_extension_names,
    new_file_judge=_new_file_judge,
    new_history_judge=_new_history_judge,
    judge_trail=_judge_trail,
    new_end_counter=_new_end_counter,
    new_run_judge=_new_run_judge,
    read_order=_read_order,
    read_subject=_read_subject,
    read_status=_read_status,
    is_settled=_is_settled,
    new_script=_new_script,
    format_request=_format_request,
    format_answer=_format_answer,
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
    load_mutants=_load_mutants,
    load_client_model=_load_client_model,
)
