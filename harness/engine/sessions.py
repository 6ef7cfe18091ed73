"""Isolated sessions of a target with the control API, and how many workers a target gets.

Exercises that run at the same time in sessions of their own share no scripts. Knows `POST` and `DELETE
/__harness__/sessions`, and nothing else of the control API.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

from harness.engine.targets import ResolvedTarget
from harness.outcome import TargetFault
from harness.wire import Driver
from harness.wire.addresses import split_url
from harness.wire.json_value import object_or_none


@contextmanager
def session_of(target: ResolvedTarget) -> Iterator[Driver]:
    """A driver to a fresh session of the target; the session is deleted afterwards.

    Raises TargetFault if the target announced a control API and gives no session.
    """
    owner = target.connect()
    try:
        exchange = owner.send(target.target.control("POST", "sessions", {}))
        prefix = (object_or_none(exchange.body) or {}).get("base_url_path")
        if not isinstance(prefix, str) or not prefix.startswith("/"):
            raise TargetFault(
                f"the target has a control API but created no session (status {exchange.status}): use -j 1"
            )
        prefix = prefix.rstrip("/")
        driver = target.connect(session=prefix)
        try:
            yield driver
        finally:
            driver.close()
            owner.send(target.target.control("DELETE", f"sessions/{prefix.rpartition('/')[2]}"))
    finally:
        owner.close()


JOBS_WITH_SESSIONS = 8
"""Workers on a target that gives each a session: more hardly shorten a run, as one exercise takes two seconds."""

JOBS = 4
"""Workers on any other server, which share what it has: its model, its limits, its memory."""

_PATIENCE = 5.0
"""Seconds within which a server answers beside an idle connection, unless it serves one connection at a time."""


def count_jobs(target: ResolvedTarget, *, scriptable: bool) -> tuple[int, str]:
    """Return the number of workers if the user sets none, and a note for the reader, `""` without one.

    One for the live service, because of its limits, for what takes no real time, for a scripted target, whose
    scripts are for the requests of this run, and for a server that serves one connection at a time: exercises
    beside each other would report delays that they cause.
    """
    parts = split_url(target.info.url)
    if target.throwaway or not parts.hostname or target.api.is_live_host(parts.hostname):
        return 1, ""
    if scriptable:
        return (JOBS_WITH_SESSIONS if _gives_sessions(target) else 1), ""
    address = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection(address, _PATIENCE), closing(target.connect()) as driver:
            beside = driver.send(target.target.control("GET", ""), timeout=_PATIENCE)
    except OSError:  # only a proxy reaches it
        return 1, ""
    if beside.status is not None:
        return JOBS, ""
    return 1, (
        "the target serves one connection at a time (no response beside an idle connection), so one exercise runs "
        "at a time, and requests that it sends at once wait for each other"
    )


def _gives_sessions(target: ResolvedTarget) -> bool:
    """Whether each worker can have a session, which has no script or fault plan that the target has."""
    with closing(target.connect()) as driver:
        for path, name in (("scripts", "queued"), ("faults", "plan")):
            exchange = driver.send(target.target.control("GET", path))
            about = object_or_none(exchange.body)
            if exchange.status != 404 and (about is None or about.get(name)):
                return False
    try:
        with session_of(target):
            return True
    except TargetFault:
        return False
