"""`TARGETS`: this API with all that playing exercises against a target takes.

Importing it costs nothing: each function imports what it needs when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.interactions import INTERACTIONS
from harness.kit.api import LateCall, TargetApi
from harness.wire import Headers, Request
from harness.wire.message import segment

if TYPE_CHECKING:
    from harness.contract.requests import RequestBuilder


def _new_stop_request(segments: tuple[str, ...], fields: Headers) -> Request | None:
    """A run in progress may refuse its deletion until it is cancelled."""
    if "interactions" not in segments:
        return None
    return Request("POST", "/" + "/".join(map(segment, segments)) + "/cancel", fields)


def _new_requests(**known: Any) -> RequestBuilder:
    from harness.contract.requests import RequestBuilder

    return RequestBuilder(**{name: value for name, value in known.items() if value != ""})


TARGETS = TargetApi(
    **INTERACTIONS.fields(),
    default_version="v1beta",
    scope=r"projects/[^/]+/locations/[^/]+",
    new_requests=_new_requests,
    judge_roots=LateCall("harness.contract.judge.roots", "judge_roots"),
    judge_incomparable=LateCall("harness.contract.judge.roots", "judge_incomparable"),
    judge_new_id=LateCall("harness.contract.judge.agreement", "judge_new_id"),
    list_deletes=LateCall("harness.contract.runs", "list_deletes"),
    new_look_request=LateCall("harness.contract.runs", "new_look_request"),
    new_stop_request=_new_stop_request,
)
