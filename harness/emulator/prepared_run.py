"""An emulator for one case of a client: told what to answer, with a run in the background that can be followed.

Layer 2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from harness.emulator.service import Emulator
from harness.outcome import UsageFault
from harness.wire import Chunk, Headers, Request

_COLLECTION = "/v1beta/interactions"
_HEADERS = Headers([("x-goog-api-key", "interactions-harness"), ("content-type", "application/json")])
_CREATE = {"model": "gemini-3.5-flash", "input": "Go.", "background": True}


def prepare_run(
    emulator: Emulator,
    *,
    script: Mapping[str, Any],
    further: Mapping[str, Any] | None,
    refusal: Mapping[str, Any] | None,
    scenario: str | None,
    settings: Mapping[str, Any],
) -> str:
    """Script the emulator and begin a run; return its id. Raises UsageFault if the emulator refuses.

    If the script refuses every create, the run is one from before.
    """
    emulator.change(**settings)
    if refusal is not None:
        emulator.script({**refusal, "times": 0, "match": {"previous": True}})
    if "refuse" in script and scenario is None:
        found = _begin_run(emulator)
        emulator.script({**script, "times": 0})
        return found
    if scenario is not None:
        emulator.load_scenario(scenario)
    elif further is None:
        emulator.script({**script, "times": 0})
    else:
        emulator.script({**script, "times": 0, "match": {"further": False}})
        emulator.script({**further, "times": 0, "match": {"further": True}})
    return _begin_run(emulator)


def _begin_run(emulator: Emulator) -> str:
    response = emulator(Request("POST", _COLLECTION, _HEADERS, json.dumps(_CREATE).encode()))
    answer = json.loads(b"".join(piece.data for piece in response.body if isinstance(piece, Chunk)))
    if "error" in answer:
        raise UsageFault(f"the emulator refused to create: {answer['error']['message']}")
    return str(answer["id"])


def stream_request(run_id: str) -> Request:
    """The request that streams the whole of a run."""
    return Request("GET", f"{_COLLECTION}/{quote(run_id, safe='')}?stream=true", _HEADERS)
