"""The requests that the code under test sent, with assertions that show what differs.

Knows how the API names its requests; must not know where the requests were logged.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args
from urllib.parse import parse_qs

from harness.benches.client.judgement.received_responses import ReceivedResponse, merge_equal_lines
from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean, format_count, nearest
from harness.wire import Request
from harness.wire.message import escape_controls

if TYPE_CHECKING:
    from harness.wire.secrets import SecretFields

CallName: TypeAlias = Literal["create", "create stream", "get", "stream", "stream after …", "cancel", "delete"]
"""The kinds of calls that a client makes."""

KINDS: tuple[CallName, ...] = get_args(CallName)


class OtherCall(str):
    """A call that has no name of its own: `OtherCall("GET /v1beta/files")`, or a resume with its very cursor."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class SentRequest:
    """One request, with secrets masked.

    `body` is decoded if it is JSON, text otherwise, None if there was none. `interaction` is what a create has
    made, as it is now; None if it made none, or if it is gone. `refusal` is the status and the error that a create
    got; "" if it was accepted.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: Any
    interaction: Mapping[str, Any] | None = field(default=None, repr=False)
    refusal: str = ""

    @property
    def path(self) -> str:
        """The path, without the query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the query; of one that came several times, the last."""
        return {name: values[-1] for name, values in parse_qs(self.target.partition("?")[2]).items()}

    @property
    def call(self) -> str:
        """The call that it makes: one of `CallName`, `stream after <last_event_id>`, or its method and path."""
        return call_of({"method": self.method, "target": self.target, "body": self.body})


class SentRequests(list[SentRequest]):
    """Requests, oldest first."""

    @property
    def calls(self) -> list[str]:
        """The call that each request made."""
        return [request.call for request in self]

    def bodies(self, call: CallName | OtherCall = "create") -> list[Any]:
        """The bodies of the requests of one kind; `create` includes streamed ones."""
        kind = _require_kind(call)
        return [request.body for request in self if request.call.startswith(kind)]

    def assert_calls(self, *calls: CallName | OtherCall) -> None:
        """Assert that exactly these calls were made, in this order; `stream after …` matches any cursor."""
        __tracebackhide__ = True
        for call in calls:
            _require_kind(call)
        made = [
            "stream after …" if "stream after …" in calls and c.startswith("stream after") else c
            for c in self.calls
        ]
        if made != list(calls):
            raise AssertionError("the client made other calls than expected:\n" + _diff(list(calls), made))

    def assert_created(self, *bodies: Mapping[str, Any]) -> None:
        """Assert as many creates as given, each with at least these fields, at any depth."""
        __tracebackhide__ = True
        if wrong := next((body for body in bodies if not isinstance(body, Mapping)), None):
            raise UsageFault(
                f"assert_created takes fields of each create, such as {{'input': 'Hi.'}}, not {wrong!r}"
            )
        sent = self.bodies("create")
        shown = [_part(body, wanted) for body, wanted in zip(sent, bodies, strict=False)] + sent[len(bodies) :]
        if shown != list(bodies):
            had = {name: None for body in sent if isinstance(body, Mapping) for name in body}
            missing = dict.fromkeys(name for body in bodies for name in body if name not in had)
            hints = "".join(
                f"\nno create has a field {name!r}: did you mean {near[0]!r}?"
                for name in missing
                if (near := nearest(name, had, most=1))
            )
            raise AssertionError(
                f"the client created something else than expected:\n{_diff(list(bodies), shown)}{hints}"
            )

    def assert_count(
        self,
        call: CallName | OtherCall,
        *,
        exactly: int | None = None,
        at_most: int | None = None,
        at_least: int = 0,
    ) -> None:
        """Assert how many requests of one kind were made: `exactly` so many, or from `at_least` to `at_most`."""
        __tracebackhide__ = True
        if exactly is not None and (at_most is not None or at_least):
            raise UsageFault("assert_count takes either exactly, or at_least and at_most")
        if exactly is None and at_most is None and not at_least:
            raise UsageFault("assert_count needs a number: exactly, at_most or at_least")
        low, high = (exactly, exactly) if exactly is not None else (at_least, at_most)
        kind = _require_kind(call)
        count = sum(made.startswith(kind) for made in self.calls)
        if count < low or (high is not None and count > high):
            bounds = f"exactly {low}" if low == high else f"from {low} to {high}"
            bounds = f"at least {low}" if high is None else bounds
            raise AssertionError(
                f"the client made {format_count(count, 'call')} of the kind {call!r}, expected {bounds}:\n  "
                + "\n  ".join(merge_equal_lines(self.calls))
            )


def call_of(request: Mapping[str, Any]) -> str:
    """The call that a logged request makes: create, create stream, get, stream, cancel, delete.

    A resumed stream is `stream after <last_event_id>`; any other request is its method and path.
    """
    below, _, parameters = request["target"].partition("?")
    path = [segment for segment in below.split("/") if segment]
    method, body = request["method"], request["body"]
    if path[-1:] == ["interactions"] and method == "POST":
        return "create stream" if isinstance(body, Mapping) and body.get("stream") is True else "create"
    if path[-1:] == ["cancel"] and method == "POST":
        return "cancel"
    if path[-2:-1] != ["interactions"] or method not in ("GET", "DELETE"):
        return f"{method} {below}"
    if method == "DELETE":
        return "delete"
    query = parse_qs(parameters)
    if query.get("stream", [""])[-1].lower() != "true":
        return "get"
    cursor = query.get("last_event_id")
    return f"stream after {cursor[-1]}" if cursor else "stream"


_OTHER = re.compile(r"[A-Z]+ /")


def _require_kind(call: str) -> str:
    """How calls of this kind begin. Raises UsageFault for an unknown kind, which nothing would ever match."""
    if call in KINDS or call.startswith("stream after ") or _OTHER.match(call):
        return call.removesuffix(" …")
    raise UsageFault(
        f"{call!r} is not a kind of call (an unusual one is its method and path, such as 'GET /v1beta/files')"
        f"{did_you_mean(call, KINDS)}"
    )


def _part(sent: Any, wanted: Any) -> Any:
    """The part of what was sent that `wanted` names; lists of equal length are reduced item by item."""
    if isinstance(sent, list) and isinstance(wanted, list) and len(sent) == len(wanted):
        return [_part(one, asked) for one, asked in zip(sent, wanted, strict=True)]
    if not isinstance(sent, Mapping) or not isinstance(wanted, Mapping):
        return sent
    return {name: _part(sent[name], wanted[name]) for name in wanted if name in sent}


def _diff(expected: Iterable[Any], actual: Iterable[Any]) -> str:
    import difflib  # late, as below: only a test that fails, or that looks, needs it

    wanted, sent = _split_lines(expected), _split_lines(actual)
    lines = [f"  {line}" for line in difflib.ndiff(wanted, sent) if not line.startswith("?")]
    shown = merge_equal_lines(lines) if _is_list_of_calls(expected) and _is_list_of_calls(actual) else lines
    return escape_controls("\n".join(["  (- expected, + sent)", *shown]))


def _is_list_of_calls(value: Iterable[Any]) -> bool:
    """Whether each item is a line of its own; equal lines of a body are different places in it."""
    return all(isinstance(item, str) for item in value)


def _split_lines(value: Iterable[Any]) -> list[str]:
    """A value line by line, without the commas that differ only because something else comes last."""
    if _is_list_of_calls(value):
        return [str(item) for item in value]
    shown = _shorten_texts(list(value))
    text = json.dumps(shown, indent=2, ensure_ascii=False, sort_keys=True, default=str)
    return [line.removesuffix(",") for line in text.splitlines()]


def _shorten_texts(value: Any) -> Any:
    """Cut long texts, so that an inline image fits on a screen; a digest still distinguishes two of them."""
    if isinstance(value, str) and len(value) > 1000:
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        return f"{value[:60]}… ({len(value)} characters, sha256 {digest}…)"
    if isinstance(value, Mapping):
        return {name: _shorten_texts(inner) for name, inner in value.items()}
    return [_shorten_texts(item) for item in value] if isinstance(value, list) else value


# The requests and answers of a test in a few lines, for the report of a failing test.


class ObservedCall:
    """A request, and its response as far as the client has read it; None until there is one.

    `loop` is the event loop that sends it; None for one over a socket, and without a loop. `skipped` is the time
    on the clock that skipped sleeps move; not a number while none is skipped.
    """

    def __init__(self, request: Request, *, by_socket: bool, loop: object = None, skipped: float = nan) -> None:
        self.request = request
        self.skipped = skipped
        self.by_socket = by_socket
        self.loop = loop
        streamed = {"stream": b'"stream":true' in request.body.replace(b" ", b"")}
        self.name = call_of({"method": request.method, "target": request.target, "body": streamed})
        self.received: ReceivedResponse | None = None

    @property
    def is_of_run(self) -> bool:
        """Whether it makes or reads an interaction."""
        return self.name.startswith(("create", "stream", "get"))

    def find_id(self) -> str | None:
        """The id of the interaction that it made; None if it made none."""
        if self.received is None or self.received.status >= 400:
            return None
        return self.received.find_created_id()

    def find_refusal(self) -> str:
        """The status and the error that a create was refused with; "" if it was not."""
        if self.received is None or not self.received.is_create or self.received.status < 400:
            return ""
        return f"{self.received.status}: {self.received.error}".rstrip(": ")

    def describe(self, received: ReceivedResponse, fields: SecretFields) -> str:
        """A line: the call, and the status, the error or the ending of its response; how its run ended."""
        ending = received.ending
        if ending is None or ending.complete:
            if not received.error:
                early = f"then {received.early_end}" if ending and received.early_end else ""
                told = (f"{self.name} → {received.status}", received.find_other_end(), early)
                return ", ".join(filter(None, told))
            from harness.wire.mask import Mask, keys_in

            # A service's text may repeat the secrets of the client's request.
            mask = Mask({str(n): secret for n, secret in enumerate(keys_in(self.request))}, fields)
            return f"{self.name} → {received.status}: {mask.text(received.error)}"
        how = f"{ending.words} ({ending.detail})" if ending.detail else ending.words
        return f"{self.name} → {'no response,' if received.headless else f'{received.status}, then'} {how}"


def find_hurried(calls: Sequence[ObservedCall]) -> str:
    """The first request that was sent again before its `Retry-After`, and not after it; "" if none was.

    That is seen only where sleeps are skipped: elsewhere a test may replace the sleep of its client by its own. An
    SDK before version 2 waits for no more than a minute.
    """
    for place, refused in enumerate(calls):
        wanted = getattr(refused.received, "retry_after", None)
        if wanted is None or not 1 <= wanted <= 60:
            continue
        sent = refused.request
        waits = [
            one.skipped - refused.skipped
            for one in calls[place + 1 :]
            if one.name == refused.name and (one.request.target, one.request.body) == (sent.target, sent.body)
        ]
        if waits and max(waits) < wanted - 0.1:  # a timer is due a trifle earlier than a sleep
            return (
                f"{refused.name} was sent again after {waits[0]:.1f} s, although its response requests a "
                f"pause of {wanted:g} s (`Retry-After`)"
            )
    return ""


def describe_calls(calls: Iterable[ObservedCall], fields: SecretFields) -> list[str]:
    """The latest calls in a line each, oldest first; repeated ones once."""
    merged = merge_equal_lines(call.describe(call.received, fields) for call in calls if call.received is not None)
    most = 15
    left_out = [f"… {len(merged) - most} more before"] if len(merged) > most else []
    return [*left_out, *merged[-most:]]
