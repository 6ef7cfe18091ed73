"""Where the harness's own control API is: below `/__harness__/`, of a server or of one of its sessions.

Layer 0. Knows paths; must not know what a control call does.
"""

from __future__ import annotations

from urllib.parse import unquote

from harness.wire.message import Request

CONTROL = "__harness__"


def split_session(segments: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """Split the segments of a path into the session, None if the path names none, and the rest."""
    if segments[:2] == (CONTROL, "sessions") and len(segments) > 3:
        return segments[2], segments[3:]
    return None, segments


def split_path(request: Request) -> tuple[str | None, tuple[str, ...]]:
    """Split the path of a request into the session, None if it names none, and the other segments, decoded."""
    return split_session(tuple(unquote(part) for part in request.raw_path.split("/")[1:]))


def is_control(request: Request) -> bool:
    """Whether a request is for the control API, of the server or of a session."""
    target = request.target
    if CONTROL not in target and "%" not in target:  # hot: only an escape could hide the word
        return False
    return split_path(request)[1][:1] == (CONTROL,)


def is_for_service(request: Request) -> bool:
    """Whether a request is for what is served, not for the control API."""
    target = request.target
    return (CONTROL not in target and "%" not in target) or not is_control(request)
