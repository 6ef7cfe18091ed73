"""Finished exchanges built by hand from only the parts that a test needs."""

from __future__ import annotations

import json
from array import array
from typing import Any

from harness.contract import load, read
from harness.wire import COMPLETE, Arrivals, Ending, Exchange, Headers, Request, UntilClose

ROOT = "/v1beta/interactions"


def exchange(
    method: str = "POST",
    target: str = ROOT,
    *,
    sent: Any = None,
    status: int | None = 200,
    label: str = "application/json",
    body: Any = b"",
    ending: Ending = COMPLETE,
    truncated: bool = False,
    key: str = "",
) -> Exchange:
    """An exchange; `sent` and `body` are JSON unless they are bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    asked = sent if isinstance(sent, bytes) else b"" if sent is None else json.dumps(sent).encode()
    made = Exchange(
        request=Request(method, target, Headers([("x-goog-api-key", key)] if key else ()), asked),
        status=status,
        headers=Headers([("content-type", label)]),
        framing=UntilClose(),
        body=data,
        size=len(data),
        sha256="",
        truncated=truncated,
        arrivals=Arrivals(array("Q"), array("d"), 0),
        ending=ending,
        seconds=0.0,
    )
    read(made, load())
    return made
