"""`CLIENTS`: this API with all that judging a client takes: scripted services, kinds of cases, comparisons.

Importing it costs nothing: each function imports what it needs when it is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from harness.interactions import INTERACTIONS
from harness.kit.api import ClientApi, load_named_extensions

if TYPE_CHECKING:
    from harness.kit.api import ExtensionParts
    from harness.kit.client_model import ClientIncident, ClientModel


@cache
def _load_client_incidents() -> Mapping[str, ClientIncident]:
    from harness.incidents import load_incidents

    return {name: incident.to_client_incident() for name, incident in load_incidents().items()}


def _load_client_model() -> ClientModel:
    return _build_client_model(load_named_extensions())


@cache
def _build_client_model(extensions: tuple[ExtensionParts, ...]) -> ClientModel:
    from harness.checks.clients import result_comparison
    from harness.checks.clients.sets import MODES, SETS
    from harness.contract import is_settled
    from harness.contract.transcript import assemble_steps
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
            new=Emulator, prepare=prepare_run, release=Emulator.release, stream_request=stream_request
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
        steps_of=assemble_steps,
        mark=result_comparison.mark_of,
        compare=result_comparison.compare_result,
        answer_events=result_comparison.answer_events,
        judge_calls=result_comparison.judge_calls,
        find_forgotten=result_comparison.find_forgotten,
        find_split_call=result_comparison.find_split_call,
    )


CLIENTS = ClientApi(**INTERACTIONS.fields(), load_client_model=_load_client_model)
