"""The requests and answers of a test in a few lines, for the report of a failing test.

Layer 7. Keeps only the status and ending of an answer, and the body of an error, which says what was wrong.
"""

from __future__ import annotations

from itertools import chain

from harness.benches.client.judgement.received_responses import merge_equal_lines, watch
from harness.kit.api import Api
from harness.plugin.sent_requests import call_of
from harness.wire import At, Ending, Piece, Request, Response
from harness.wire.mask import Mask
from harness.wire.message import WrappedBody
from harness.wire.secrets.forms import secrets_in_header
from harness.wire.secrets.patterns import SecretFields, is_secret_header

_SHOWN = 15


class TrafficLog:
    """Collects answers, with `note_answer`, and refused connections to other machines, with `note_refusal`."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._answers: list[_LoggedAnswer] = []
        self._refused: list[str] = []

    def note_answer(self, request: Request, response: Response) -> Response:
        """Note an answer, and return it."""
        self._answers.append(_LoggedAnswer(self._api, request, response))
        return response

    def note_refusal(self, message: str) -> None:
        """Note a refused connection to another machine."""
        self._refused.append(message)

    def lines(self) -> list[str]:
        """The latest answers, then all refusals, oldest first; empty if there were none."""
        told = merge_equal_lines(map(str, self._answers))
        left_out = [f"… {len(told) - _SHOWN} more before"] if len(told) > _SHOWN else []
        return [*left_out, *told[-_SHOWN:], *self.refusals()]

    def refusals(self) -> list[str]:
        """The refused connections, each once."""
        return list(dict.fromkeys(self._refused))


def name_call(request: Request) -> str:
    """The call that a request makes, such as `create` or `stream after …`."""
    streamed = {"stream": b'"stream":true' in request.body.replace(b" ", b"")}
    return call_of({"method": request.method, "target": request.target, "body": streamed})


class _LoggedAnswer(WrappedBody):
    """One answer, shown in a line. Wraps the response's body, to see the ending."""

    def __init__(self, api: Api, request: Request, response: Response) -> None:
        self._fields = api.load_protocol().secret_fields
        self._request = request
        self._status = response.status
        self._refusal = watch(api, request, response) if response.status >= 400 else None  # wraps the body, too
        super().__init__(response.body)
        self._ending: Ending | None = None
        response.body = self

    def __next__(self) -> Piece:
        piece = next(self._inner)
        if isinstance(piece, Ending):
            self._ending = piece
        return piece

    def __str__(self) -> str:
        what, ending = name_call(self._request), self._ending
        if ending is None or ending.complete:
            error = self._refusal.error if self._refusal is not None else ""
            return f"{what} → {self._status}" + (
                f": {_mask_secrets(self._request, error, self._fields)}" if error else ""
            )
        how = f"{ending.how} ({ending.detail})" if ending.detail else str(ending.how)
        unanswered = ending.at in (At.BEFORE_HEADERS, At.IN_HEADERS)
        return f"{what} → no answer, {how}" if unanswered else f"{what} → {self._status}, then {how}"


def _mask_secrets(request: Request, text: str, fields: SecretFields) -> str:
    """A service's text without the secrets of the client's request."""
    held = (secrets_in_header(name, value) for name, value in request.headers if is_secret_header(name))
    secrets = [*chain.from_iterable(held), *(value for name, value in request.query if name == "key")]
    return Mask({str(n): secret for n, secret in enumerate(secrets)}, fields).text(text)
