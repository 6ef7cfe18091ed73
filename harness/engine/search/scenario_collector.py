"""Judges the calls of schemathesis, and collects the results of one search, and whether it proves anything.

`judging` adds the project's own judgment to the tool as a check, and our time limit as a hook. The tool keeps both
in global registries. Ours are registered once; while an engine runs, `judging` sets the place to use.

Every run is checked for vacuity, because one wrong link in the document makes the tool's stateful phase silently
test nothing. Requests without a response are findings, not noise.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from harness.engine.events import Replays
from harness.engine.search.failure import ANSWERED, AnswerCounts, Failure, SeenDefect
from harness.engine.search.search_target import SearchTarget
from harness.engine.traffic.deadline import MIN_TIMEOUT, Timer
from harness.engine.traffic.ledger import CreatedResources
from harness.kit.search import Family, SearchDocument
from harness.outcome import Finding, Severity
from harness.outcome.words import shorten
from harness.wire import COMPLETE, At, By, Ending, Exchange, ExchangeBuilder, Headers, How, Length, Request
from harness.wire.message import BUSY, EVENT_STREAM, Chunk

OURS = "harness_contract"

MOST_SECONDS = 30.0
"""Longest timeout of one call in seconds."""


_places: list[SearchTarget] = []
_kinds: dict[str, type] = {}


@contextmanager
def judging(place: SearchTarget) -> Iterator[None]:
    """Within this context, judge the tool's calls by the contract and bound them by the place's timer."""
    import schemathesis
    from schemathesis.checks import CHECKS

    if OURS not in CHECKS.get_all_names():
        schemathesis.check(harness_contract)
        schemathesis.hook(before_call)
    _places.append(place)
    try:
        yield
    finally:
        _places.pop()


def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Set the timeout of a call, by the time left and by earlier calls like it; send uploads to their address."""
    if _places:
        place = _places[-1]
        # The tool does not honour a server of the operation's own: `{origin}/upload/{version}`.
        called, version = case.operation, place.resolved.info.version
        servers, below = called.definition.raw.get("servers"), f"/upload/{version}"
        if servers and servers[0]["url"].endswith("/upload/{version}") and not called.base_url.endswith(below):
            called.base_url = called.base_url.removesuffix(f"/{version}") + below
        bounds = [MOST_SECONDS, place.resolved.target.wait, place.timer.left]
        if place.patience is not None:
            bounds.append(place.patience.timeout(case.operation.label.replace(" /", " ")))
        kwargs["timeout"] = max(MIN_TIMEOUT, min(bounds))
        kwargs["hooks"] = {"response": partial(_read_in_time, kwargs["timeout"], Timer(kwargs["timeout"]))}


def _read_in_time(seconds: float, timer: Timer, response: Any, **_: Any) -> None:
    """Read a body within the time of its call: `requests` bounds only the wait for each piece of it.

    Raises what `requests` does. Streams of events are left to the tool, which bounds them.
    """
    from urllib3.exceptions import HTTPError, ReadTimeoutError

    if response.headers.get("content-type", "").startswith(EVENT_STREAM):
        return
    pieces = []
    try:
        while piece := response.raw.read1(65_536, decode_content=True):
            pieces.append(piece)
            if timer.over():
                raise ReadTimeoutError(response.raw, response.url, "the response did not end")
    except HTTPError as wrong:
        response.close()
        raise _to_requests_error(wrong, seconds, response.request) from None
    response._content = b"".join(pieces)


def _to_requests_error(wrong: Exception, seconds: float, request: Any) -> Exception:
    """The error that `requests` raises for one of urllib3; the tool takes the words of a timeout apart."""
    import requests
    from urllib3 import exceptions

    if isinstance(wrong, exceptions.ReadTimeoutError):
        error = exceptions.HTTPError(f"the response did not end (read timeout={seconds})")
        return requests.ReadTimeout(error, request=request)
    kinds: dict[type[Exception], type[requests.RequestException]] = {
        exceptions.ProtocolError: requests.exceptions.ChunkedEncodingError,
        exceptions.DecodeError: requests.exceptions.ContentDecodingError,
    }
    kind = next((kind for cause, kind in kinds.items() if isinstance(wrong, cause)), requests.ConnectionError)
    return kind(wrong, request=request)


def harness_contract(ctx: Any, response: Any, case: Any) -> None:
    """Judge one response by the contract: shape, order, errors, leaks. Raises the tool's own kind of failure."""
    from schemathesis.core.failures import Failure as ToolFailure

    place = _places[-1]
    exchange = exchange_of(response.request, response, "")
    place.resolved.api.read(exchange, place.requests.contract)
    model = place.model
    call = model.name_call(exchange.request)
    echoed = model.document.echoed if model.document is not None and call != model.create else frozenset()
    if place.patience is not None:
        place.patience.note(call, response.elapsed, hung=False)
    for defect in place.judge.judge(exchange, place.requests.key):
        if place.judged(defect) and defect.rule not in echoed:
            if (kind := _kinds.get(defect.key)) is None:  # the tool distinguishes failures only by their class
                kind = _kinds[defect.key] = type(f"Broken[{defect.key}]", (ToolFailure,), {})
            title, message = defect.rule, defect.finding.message
            failure = kind(operation=case.operation.label, title=title, message=message, case_id=case.id)
            failure.defect = defect
            raise failure


# Converts exchanges of the `requests` library into our own.


_THE_TOOLS = frozenset({"user-agent", "accept", "accept-encoding", "connection", "x-schemathesis-testcaseid"})
"""Header fields that the library and the tool add, on which no response depends."""


def exchange_of(request: Any, response: Any, root: str) -> Exchange:
    """The exchange of one call, its URL without `root`. A stream that was cut short was ended by us."""
    recorder = ExchangeBuilder(request_of(request, root))
    headers = Headers((name, value) for name, values in response.headers.items() for value in values)
    content = response.content or b""
    recorder.head(response.status_code, headers, Length(len(content)))
    recorder.chunk(Chunk(content), response.elapsed)
    ending = Ending(by=By.CLIENT, how=How.FIN) if response.stream_cut_short else COMPLETE
    return recorder.finish(ending, response.elapsed)


def request_of(request: Any, root: str) -> Request:
    """The request, with its target relative to `root`."""
    headers = Headers(
        (str(name), value.decode("latin-1") if isinstance(value, bytes) else str(value))
        for name, value in request.headers.items()
        if name.lower() not in _THE_TOOLS
    )
    body = request.body or b""
    data = body.encode() if isinstance(body, str) else bytes(body)
    return Request(str(request.method), target_of(str(request.url), root), headers, data)


def target_of(url: str, root: str) -> str:
    """Path and query as sent, relative to `root`."""
    parts = urlsplit(url)
    path = parts.path.removeprefix(urlsplit(root).path.rstrip("/")) if root else parts.path
    return path + (f"?{parts.query}" if parts.query else "")


ENGINE = "schema"

_REFUSALS = frozenset({400, 403, 404, 409, 422, 501})
"""Statuses with which a target declines what it does not offer."""


LEAST_SUCCESS = 0.1
"""If a smaller share of the calls that were meant to succeed did so, the run has tested only refusals."""


TOOLS_OWN = "only schemathesis, which drew it, can tell"
"""Why a failure is not played again: a check of the tool found it, for which there is no judge of ours."""


class ScenarioCollector:
    """The calls of one family. `links` are the declared ones by operation; chains may begin at `first_calls`."""

    def __init__(
        self,
        place: SearchTarget,
        family: Family,
        document: SearchDocument,
        links: Mapping[str, set[str]],
        *,
        root: str = "",
        strict: bool = False,
        passed_over: frozenset[str] = frozenset(),
    ) -> None:
        self.family = family
        self.declared = links
        self.is_first = family == document.families[0]
        with_keys = document.with_keys if "auth" in place.able else {}
        self.checks = {**family.checks, **with_keys, **(document.strict if strict else {})}
        self.calls = self.meant = self.successes = self.busy = self.mute = 0
        self.lenient = False
        self.succeeded: set[str] = set()
        self.reached: set[str] = set()
        self.links: Counter[str] = Counter()
        self.first_calls: set[str] = set()
        self.failures: dict[str, Failure] = {}
        self.seen: Counter[str] = Counter()
        self.answers = AnswerCounts()
        self.refusals: Counter[str] = Counter()
        self._tool_errors: list[str] = []
        self.ledger = CreatedResources(place.resolved.api)
        self._place = place
        self._root = root
        self._document = document
        self._passed_over = passed_over

    def scenario(self, recorder: Any) -> None:
        """Record one scenario: a call, or a chain of calls."""
        for case_id, interaction in recorder.interactions.items():
            node = recorder.cases.get(case_id)
            status = interaction.response.status_code if interaction.response is not None else 0
            self._count(node, status)
            self.answers.add(self._call(interaction.request), status or None)
            if status and interaction.request.method in ("POST", "DELETE"):
                exchange = exchange_of(interaction.response.request, interaction.response, self._root)
                self.ledger.note(exchange)
                if node is not None and status in _REFUSALS and _was_meant(node.value):
                    self.refusals[self._place.resolved.api.format_answer(exchange)] += 1
        for case_id, checks in recorder.checks.items():
            for check in checks:
                if check.failure_info is not None:
                    self._note_failure(recorder, case_id, check.name, check.failure_info.failure)
        left = self._place.timer.left
        counts = {f"calls below /{self.family.collection}": self.calls}
        self._place.progress(counts, len(self.failures), 0.0 if left == math.inf else left)

    def _call(self, request: Any) -> str:
        sent = Request(str(request.method).upper(), target_of(str(request.uri), self._root))
        return self._place.model.name_call(sent)

    def _count(self, node: Any, status: int) -> None:
        self.calls += 1
        self.busy += status in BUSY
        success = 200 <= status < 300
        if node is None:
            return
        if success and node.value.operation.method in ("post", "patch") and not _was_meant(node.value):
            self.lenient = True
        if _was_meant(node.value):
            self.meant += 1
            self.successes += success
        if status:
            self.reached.add(node.value.operation.label)
        if success:
            self.succeeded.add(node.value.operation.label)
        if node.is_transition_applied and node.transition is not None:
            # The tool's `POST /interactions -> [200] get -> GET …` is the link `POST /interactions: get`.
            source, _, rest = str(node.transition.id).partition(" -> [")
            self.links[f"{source}: {rest.partition('] ')[2].partition(' -> ')[0]}"] += 1

    def _note_failure(self, recorder: Any, case_id: str, name: str, failure: Any) -> None:
        defect = getattr(failure, "defect", None)
        ours = defect is not None
        chain = list(recorder.iter_chain_cases(case_id=case_id, related_case_ids=failure.related_case_ids()))
        if defect is None:
            rule = self.checks.get(name)
            method = str(recorder.interactions[case_id].request.method).upper()
            # Only a GET tells that a resource is missing: it may lack a cancel, for example, and still exist.
            if rule is None or (name == "ensure_resource_availability" and method != "GET"):
                return
            severity: Severity | None = Severity.BROKEN
            probe = recorder.interactions.get(failure.case_id)
            # The tool accepts fewer statuses than the rule of a wrong key.
            if name in self._document.with_keys and probe is not None and probe.response is not None:
                severity = self._document.weigh_wrong_key(probe.response.status_code)
            if severity is None:
                return
            lines = [line.strip() for line in str(failure.message).splitlines() if line.strip()]
            message = f"{failure.title}: {lines[0] if lines else ''}".strip(": ")
            finding = Finding(rule, message, severity=severity)
            defect = SeenDefect(finding, self._call(recorder.interactions[case_id].request))
        if defect.rule in self._document.shapes and (self.lenient or not all(map(_was_meant, chain))):
            return
        order = [*(case.id for case in chain if case.id != case_id), case_id]
        seen = (made for each in order if (made := recorder.interactions.get(each)) and made.response is not None)
        exchanges = tuple(exchange_of(made.response.request, made.response, self._root) for made in seen)
        self._keep(defect, exchanges, why_not="" if ours else TOOLS_OWN)

    def _keep(self, defect: SeenDefect, trail: tuple[Exchange, ...], *, why_not: str = "") -> None:
        """Count a failure, and keep the one of each kind that has the fewest requests."""
        key = defect.key
        if not self._place.judged(defect) or key in self._passed_over:
            return
        self.seen[key] += 1
        kept = self.failures.get(key)
        if kept is None or len(trail) < len(kept.trail):
            replays = Replays(why_not=why_not)
            self.failures[key] = Failure(engine=ENGINE, defect=defect, trail=trail, replays=replays)

    def note_error(self, event: Any) -> None:
        """Record a network error: it is a finding in itself, unless our own time limit caused it.

        Any other error is the tool's own, and is reported to the user.
        """
        import requests

        error = getattr(event, "value", None) or getattr(event, "exception", None)
        if not isinstance(error, OSError):  # as all errors of `requests` are
            self._tool_errors.append(" ".join(_describe_error(event).split()))
            return
        late = isinstance(error, requests.Timeout)
        if late and self._place.timer.over():
            return
        self.mute += 1
        request = getattr(error, "request", None)
        trail: tuple[Exchange, ...] = ()
        if request is not None:
            sent = ExchangeBuilder(request_of(request, self._root))
            trail = (sent.finish(Ending(by=By.SERVER, how=How.FIN, at=At.BEFORE_HEADERS), 0.0),)
        call = self._place.model.name_call(trail[0].request) if trail else ""
        patience = self._place.patience
        if late and patience is not None and patience.note(call, patience.timeout(call), hung=True):
            return
        finding = Finding(ANSWERED, "a request got no response", "a response", _describe_error(event))
        self._keep(SeenDefect(finding, call), trail)

    # --- what it proves

    @property
    def began(self) -> bool:
        """Whether a create was accepted: without one, no link can be followed."""
        return self.family.beginning in self.succeeded

    @property
    def has_links(self) -> bool:
        """Whether the document declares any, so that chains can be drawn."""
        return any(self.declared.values())

    @property
    def is_rejected(self) -> bool:
        """Whether too few of the calls that were meant to succeed did so."""
        return self.successes < LEAST_SUCCESS * self.meant or not self.meant

    def missing_links(self) -> list[str]:
        """Links that the document declares and schemathesis, which draws them, has not followed between calls."""
        return sorted({link for links in self.declared.values() for link in links} - self.links.keys())

    def vacuity(self) -> Iterator[str]:
        """Reasons why the run proves nothing; none if it does."""
        if not self.calls:
            yield "no request was sent"
            return
        if missing := sorted(self.declared.keys() - self.reached):
            yield f"never reached: {', '.join(missing)}"
        if self.has_links and self.family.beginning not in self.first_calls:
            yield f"the stateful phase does not begin with {self.family.beginning}"
        if missing := self.missing_links():
            every = len(missing) == sum(map(len, self.declared.values()))
            yield f"links never applied: {f'all {len(missing)}' if every else ', '.join(missing)}"
        if self.is_rejected:
            busy = f" ({self.busy} were rejected for now)" if self.busy else ""
            yield f"only {self.successes} of {self.meant} requests succeeded{busy}{self._explain_refusals()}"

    def _explain_refusals(self) -> str:
        """The meaning of rejected calls, and the next step; `""` if there were none."""
        if not self.refusals:
            return ""
        number = self.refusals.total()
        most_common = shorten(self.refusals.most_common(1)[0][0], 100)
        return (
            f". The document allows more than this target accepts: it rejected {number} valid requests, "
            f"most often with {most_common!r}. Use `-e history` and `-e laws` instead"
        )

    def notes(self) -> Iterator[str]:
        """Notes on a search that proves something."""
        if refused := sorted((self.declared.keys() & self.reached) - self.succeeded):
            yield f"never succeeded: {', '.join(refused)}"
        for error in dict.fromkeys(self._tool_errors):
            yield f"schemathesis gave up something below /{self.family.collection}: {error}"
        if self.mute > 1:
            yield f"{self.mute} calls below /{self.family.collection} got no response"


def _was_meant(case: Any) -> bool:
    """Whether the call was generated to be valid: invalid calls do not count towards the share of successes."""
    return case.meta is None or case.meta.generation.mode.is_positive


def _describe_error(event: Any) -> str:
    """The message of an error event; not all of them have the same fields."""
    info = getattr(event, "info", None)
    return str(getattr(info, "message", info or getattr(event, "exception", event))).strip()[:300]
