"""Isolated sessions of a scriptable target, so that exercises that run at the same time share no scripts.

Layer 4. Knows `POST` and `DELETE /__harness__/sessions`, and nothing else of the control API.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from harness.engine.targets import ResolvedTarget
from harness.outcome import TargetFault
from harness.wire import Driver


@contextmanager
def session_of(target: ResolvedTarget) -> Iterator[Driver]:
    """A driver to a fresh session of the target; the session is deleted afterwards.

    Raises TargetFault if the target announced a control API and gives no session.
    """
    owner = target.connect()
    try:
        prefix = _open(target, owner)
        driver = target.connect(session=prefix)
        try:
            yield driver
        finally:
            driver.close()
            owner.send(target.target.control("DELETE", f"sessions/{prefix.rpartition('/')[2]}"))
    finally:
        owner.close()


def _open(target: ResolvedTarget, owner: Driver) -> str:
    exchange = owner.send(target.target.control("POST", "sessions", {}))
    try:
        prefix = json.loads(exchange.body)["base_url_path"]
    except (ValueError, KeyError, TypeError):
        prefix = None
    if not isinstance(prefix, str) or not prefix.startswith("/"):
        raise TargetFault(f"the target has a control API but gave no session (status {exchange.status}): use -j 1")
    return prefix.rstrip("/")
