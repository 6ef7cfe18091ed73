"""The source of a stream that will drop: a run of the reference service, or a recording.

Layer 5. Knows how to begin a run and read it whole; must not know plans or clients.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from harness.kit.api import Api
from harness.kit.client_model import ClockedService
from harness.wire import Chunk, Clock, Decoder, Pause, Piece, Response, Service
from harness.wire.json_value import object_or_none

if TYPE_CHECKING:
    from harness.benches.client.cases.case import Case


class StreamSource:
    """The service and the run `id` for all cases that differ only in their plans; takes a fresh `service`."""

    def __init__(self, api: Api, service: ClockedService, case: Case) -> None:
        self.api = api
        self._scripted = api.load_client_model().service
        self._key = _build_key(case)
        self._whole: dict[str, list[dict[str, Any]]] = {}
        self.contract = service.contract
        self.service: Service
        self._clock: Clock | None = None
        self._release: Callable[[], object] = lambda: None
        if case.cassette is not None:
            self._play(case.cassette)
            return
        self.service, self._clock = service, service.clock
        self._release = lambda: self._scripted.release(service)  # a run that is held and never cancelled must end
        self.id = self._scripted.prepare(
            service,
            script=case.answer,
            further=case.further_answer,
            refusal=case.refusal,
            scenario=case.scenario,
            settings={"event_ids": case.event_ids, "resume": case.resume, **case.settings},
        )

    def _play(self, cassette: str) -> None:
        from harness.benches.client.cases.recorded_source import recorded_stream, stated_revision  # slow to import

        self.service, self.id = recorded_stream(cassette, self.api.load_protocol())
        self.contract = self.api.load_stated_contract(stated_revision(cassette), self.contract)

    def serves(self, case: Case) -> bool:
        """Whether it can serve this case as well."""
        return self._key == _build_key(case)

    def whole_of(self, run_id: str) -> list[dict[str, Any]]:
        """The events of the undisturbed stream; reading them runs it to its end."""
        if run_id not in self._whole:
            self._whole[run_id] = events_in(self.stream(run_id))
        return self._whole[run_id]

    def stream(self, run_id: str) -> bytes:
        """The bytes of a run's stream, without any faults."""
        self._release()
        response = self.service(self._scripted.stream_request(run_id))
        try:
            return b"".join(piece.data for piece in self._pass_pauses(response) if isinstance(piece, Chunk))
        finally:
            response.body.close()

    def _pass_pauses(self, response: Response) -> Iterator[Piece]:
        """The pieces of a body; its pauses are over at once, by the clock of the service."""
        for piece in response.body:
            if isinstance(piece, Pause) and self._clock is not None:
                self._clock.reached(self._clock.now + piece.seconds)
            yield piece


def _build_key(case: Case) -> tuple[str | None, ...]:
    """What two cases must have in common to share a source."""
    further = case.further_answer
    scripts = json.dumps([case.answer, further, case.refusal, case.settings], sort_keys=True, default=dict)
    return case.event_ids, case.resume, case.cassette, case.scenario, scripts


def events_in(data: bytes) -> list[dict[str, Any]]:
    """The decoded events in the bytes of a stream; frames that hold no JSON object are left out."""
    return [event for frame in Decoder().feed(data) if (event := object_or_none(frame.data)) is not None]


def whole_stream(api: Api, case: Case, seed: int = 0) -> bytes:
    """The bytes of a case's stream, without any faults."""
    service = api.load_client_model().service.new(contract=case.contract, clock=None, seed=seed)
    source = StreamSource(api, service, case)
    return source.stream(source.id)
