"""The source of a stream that will drop: an interaction of the emulator, or a recording.

Layer 5. Knows how to create a background interaction and read it whole; must not know plans or clients.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from harness.benches.client.drop_case import Case
from harness.benches.client.observed_streams import events_in
from harness.contract import REVISIONS, load
from harness.emulator import Emulator
from harness.outcome import UsageFault
from harness.wire import Chunk, Headers, Pause, Piece, Request, Response, Service

_HEADERS = Headers([("x-goog-api-key", "interactions-harness"), ("content-type", "application/json")])
_CREATE = {"model": "gemini-3.5-flash", "input": "Go.", "background": True}


class StreamSource:
    """The service and the interaction `id` for all cases that differ only in their plans."""

    def __init__(self, emulator: Emulator, case: Case) -> None:
        self._key = _key(case)
        self._whole: dict[str, list[dict[str, Any]]] = {}
        self.contract = emulator.contract
        self._clock = emulator.clock if case.cassette is None else None
        if case.cassette is not None:
            from harness.benches.client.recorded_source import recorded_stream, stated_revision  # slow to import

            self.service: Service
            self.service, self.id = recorded_stream(case.cassette)
            self._release: Callable[[], object] = lambda: None
            stated = stated_revision(case.cassette)
            self.contract = load(stated) if stated in REVISIONS else emulator.contract
            return
        self.service = emulator
        self._release = emulator.release  # a run that is held and was never cancelled would not end
        if case.scenario is not None:
            emulator.load_scenario(case.scenario)
        elif case.further is None:
            emulator.script({**case.script, "times": 0})
        else:
            emulator.script({**case.script, "times": 0, "match": {"previous": False}})
            emulator.script({**case.further, "times": 0, "match": {"previous": True}})
        emulator.change(event_ids=case.event_ids, resume=case.resume)
        self.id = self._create()

    def serves(self, case: Case) -> bool:
        """Whether it can serve this case as well."""
        return self._key == _key(case)

    def whole_of(self, interaction_id: str) -> list[dict[str, Any]]:
        """The events of the undisturbed stream; reading them runs the interaction to its end."""
        if interaction_id not in self._whole:
            self._whole[interaction_id] = events_in(self.stream(interaction_id))
        return self._whole[interaction_id]

    def stream(self, interaction_id: str) -> bytes:
        """The bytes of an interaction's stream, without any faults."""
        self._release()
        return self._call("GET", f"/v1beta/interactions/{interaction_id}?stream=true")

    def _create(self) -> str:
        answer = json.loads(self._call("POST", "/v1beta/interactions", json.dumps(_CREATE).encode()))
        if "error" in answer:
            raise UsageFault(f"the emulator refused to create: {answer['error']['message']}")
        return str(answer["id"])

    def _call(self, method: str, target: str, body: bytes = b"") -> bytes:
        response = self.service(Request(method, target, _HEADERS, body))
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


def _key(case: Case) -> tuple[str | None, ...]:
    """What two cases must have in common to share a source."""
    scripts = json.dumps([dict(case.script), case.further and dict(case.further)], sort_keys=True)
    return case.event_ids, case.resume, case.cassette, case.scenario, scripts


def whole_stream(case: Case, seed: int = 0) -> bytes:
    """The bytes of a case's stream, without any faults."""
    source = StreamSource(Emulator(seed=seed, contract=case.contract), case)
    return source.stream(source.id)
