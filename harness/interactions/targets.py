"""`TARGETS`: this API with all that playing exercises against a target takes.

Importing it costs nothing: each function imports what it needs when it is called.
"""

from __future__ import annotations

from harness.interactions import INTERACTIONS
from harness.kit.api import LateCall, TargetApi
from harness.wire import Headers, Request
from harness.wire.message import segment


def _new_stop_request(segments: tuple[str, ...], fields: Headers) -> Request | None:
    """A run in progress may refuse its deletion until it is cancelled."""
    if "interactions" not in segments:
        return None
    return Request("POST", "/" + "/".join(map(segment, segments)) + "/cancel", fields)


TARGETS = TargetApi(
    **INTERACTIONS.fields(),
    default_version="v1beta",
    scope=r"projects/[^/]+/locations/[^/]+",
    new_requests=LateCall("harness.contract.requests", "RequestBuilder"),
    judge_causes=LateCall("harness.contract.judge.answer", "judge_causes"),
    judge_incomparable=LateCall("harness.contract.judge.answer", "judge_incomparable"),
    judge_new_id=LateCall("harness.contract.judge.agreement", "judge_new_id"),
    list_deletes=LateCall("harness.contract.requests", "list_deletes"),
    new_naming_request=LateCall("harness.contract.requests", "new_naming_request"),
    new_stop_request=_new_stop_request,
)
