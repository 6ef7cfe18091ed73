"""The one judge of several exchanges: all responses of a target to a client must agree.

Pure and incremental. Takes exchanges in the order in which they ended, with the caller's intent where the exchange
does not show it, and keeps a model of each interaction. Beside other clients (`sole_client=False`, as in
recordings) it judges only two bodies of one interaction. With runs that advance by themselves
(`deterministic=False`) it withholds what a race would explain, until the next look settles it.

`judge_history` judges a recording in the order of its requests: other clients may have acted in between.
`judge_trail` judges the exchanges of an exercise, which one client of the harness sent.

A response without a statement, such as a 503, is not judged: it is a defect in itself, or none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from harness.contract.contract import Contract
from harness.contract.judge.answer import is_no_answer, is_success, judge_endless
from harness.contract.judge.history import interactions
from harness.contract.judge.history.interactions import (
    PLAIN,
    HistoryState,
    Intent,
    InteractionModel,
    PartialReading,
    judge_cancel,
    judge_cancel_view,
    judge_create,
    judge_delete,
)
from harness.contract.judge.history.resources import judge_resources
from harness.contract.judge.reading import read
from harness.contract.requests import caller_of, named_interaction, read_new_id, summarise_create
from harness.contract.tables.protocol import CANCEL, CREATE, DELETE, GET, is_resume, is_settled
from harness.outcome import Finding, Judgement, Severity
from harness.wire import By, Exchange, Request


class HistoryJudge:
    """Judges a history; see the module. `stores=False`: the target keeps nothing that a GET could find."""

    def __init__(
        self, contract: Contract, *, sole_client: bool, deterministic: bool = False, stores: bool = True
    ) -> None:
        self._state = HistoryState(contract, sole_client, deterministic, stores)

    @property
    def interactions(self) -> list[InteractionModel]:
        """The model of each interaction, in the order of their first responses."""
        return self._state.interactions

    def is_certain(self, model: InteractionModel) -> bool:
        """Whether the last status seen of an interaction still holds."""
        return self._state.is_certain(model)

    def note(self, exchange: Exchange, intent: Intent = PLAIN) -> Judgement:
        judgement = self._begin(is_cut=exchange.ending.by is By.LIMIT)
        reading = read(exchange, self._state.contract)
        if (
            is_no_answer(exchange) or reading.says_error
        ):  # a defect in itself, which reports nothing of the history
            return judgement
        if reading.operation is None:
            return judgement
        if reading.call == CREATE:
            judge_create(self._state, exchange, intent)
        elif intent.foreign:
            model = self._state.find(named_interaction(exchange.request))
            if model is not None and model.there:
                self._state.decide_reply("store.isolation", exchange)
        elif intent.refused_by:
            self._state.decide_reply(intent.refused_by, exchange)
        elif reading.call in _ABOUT_ONE:
            self._judge_one(reading.call, exchange, intent)
        return judgement

    # --- streams that are read in parts

    def open(self, model: InteractionModel, cursor: str | None) -> PartialReading:
        """A stream that was opened to be read in parts: hand its events to `take`, its exchange to `finish`."""
        return interactions.open_reading(model, cursor)

    def take(self, model: InteractionModel, reading: PartialReading, events: list[dict[str, Any]]) -> Judgement:
        """Judge the next events of a stream that is read in parts."""
        judgement = self._begin()
        interactions.judge_part(self._state, model, reading, events)
        return judgement

    def finish(self, model: InteractionModel, reading: PartialReading, exchange: Exchange) -> Judgement:
        """Judge how a stream ended that was read in parts; `take` has had all its events."""
        judgement = self._begin()
        read(exchange, self._state.contract)
        if exchange.complete and not exchange.truncated and read(exchange).stream is None:
            interactions.judge_unopened(self._state, model, exchange, reading.after, PLAIN)
        elif exchange.ending.complete:
            interactions.judge_end(self._state, model, reading, exchange)
        return judgement

    def follow(self, request: Request) -> Callable[[list[dict[str, Any]]], Judgement] | None:
        """Return a judge of the events that come after this resume; None if nothing is known of its stream.

        It compares them with those that are known, so that a gap is found before the stream ends. Events that are
        new wait for `note`, which is to have the whole exchange: another stream may bring them otherwise.
        """
        resumed, model = is_resume(request), self._state.find(named_interaction(request))
        if resumed is None or model is None or not model.there:
            return None
        reading = self.open(model, resumed[1])

        def judge(events: list[dict[str, Any]]) -> Judgement:
            known = len(model.timeline.events) - 1 - (reading.position or 0)
            judgement = self.take(model, reading, events[: max(0, known)])
            if len(events) > known:
                reading.position = None
            return judgement

        return judge

    def refuse(self, model: InteractionModel, cursor: str | None, exchange: Exchange) -> Judgement:
        """Judge the answer to a GET with stream=true that opened no stream."""
        judgement = self._begin()
        read(exchange, self._state.contract)
        if not is_no_answer(exchange):
            interactions.judge_unopened(self._state, model, exchange, cursor, PLAIN)
        return judgement

    # --- which judge

    def _begin(self, *, is_cut: bool = False) -> Judgement:
        self._state.judgement, self._state.is_cut = Judgement(), is_cut
        return self._state.judgement

    def knows(self, identity: str) -> bool:
        """Whether a create brought this id, or an exchange about it was noted."""
        return self._state.find(identity) is not None

    def note_early(self, exchange: Exchange) -> Judgement:
        """Judge a look at an interaction whose create returned later, because its stream was still open."""
        judgement = self._begin()
        model = self._find(exchange)
        if model is not None and model.there:
            interactions.judge_early_get(self._state, model, exchange)
        return judgement

    def _judge_one(self, call: str, exchange: Exchange, intent: Intent) -> None:
        model = self._find(exchange)
        if model is None:
            return
        streamed = is_resume(exchange.request)
        if call == GET and streamed is not None:
            interactions.judge_stream_get(self._state, model, exchange, streamed[1], intent)
        elif exchange.began is not None and exchange.began < model.seen_until:
            return  # it was asked before another answer came, and may show what was before
        elif call == GET:
            interactions.judge_get(self._state, model, exchange, intent)
        elif judge_ending := _ENDINGS.get((call, self._state.sole_client)):
            judge_ending(self._state, model, exchange)
        if exchange.began is not None and streamed is None:
            # Seconds by which the sum of two readings of a clock may exceed the next one.
            model.seen_until = exchange.began + exchange.seconds - 1e-6

    def _find(self, exchange: Exchange) -> InteractionModel | None:
        """The interaction that a request names; a recording may begin in the middle, so it may be new there."""
        identity = named_interaction(exchange.request)
        model = self._state.find(identity)
        if model is None and not self._state.sole_client and is_success(exchange):
            model = self._state.learn(InteractionModel(identity))
        return model


_ABOUT_ONE = frozenset({GET, DELETE, CANCEL})
_ENDINGS = {(DELETE, True): judge_delete, (CANCEL, True): judge_cancel, (CANCEL, False): judge_cancel_view}
"""The judges of calls that end an interaction, by whether no other client may have ended it before."""


Named = tuple[str, Exchange]


def judge_history(exchanges: Iterable[Named], contract: Contract) -> list[Finding]:
    """Findings about all the named exchanges of a recording, which may be about several interactions."""
    return judge_recorded(exchanges, contract).findings


def judge_recorded(exchanges: Iterable[Named], contract: Contract) -> Judgement:
    """Findings about all the named exchanges of a recording, and how often each rule was looked at."""
    judge = HistoryJudge(contract, sole_client=False)
    whole = Judgement()
    for name, exchange in exchanges:
        judgement = judge.note(exchange)
        defects = (found for found in judgement.findings if found.severity is not Severity.INFORMATION)
        whole.findings += [finding.at(exchange=name) for finding in defects]
        whole.judged.update(judgement.judged)
    return whole


HEARD = frozenset(
    [
        "bg.create",
        "bg.grows",
        "bg.no-regress",
        "bg.result",
        "bg.same-id",
        "bg.transition",
        "bg.updated",
        "cancel.keeps-background-result",
        "cancel.keeps-result",
        "cancel.state",
        "cancel.stays",
        "cancel.stream-ends",
        "chain.own-steps",
        "create.completed-has-output",
        "create.cut-short",
        "create.final",
        "create.id",
        "create.no-stream-json",
        "get.constant",
        "get.matches-post",
        "get.own-input",
        "get.same",
        "get.usage",
        "http.ct-stream",
        "resume.ends",
        "resume.exclusive",
        "resume.ids-stable",
        "resume.live",
        "resume.no-gap",
        "resume.opens",
        "resume.replay",
        "resume.same-id",
        "store.false-get",
        "stream.end-matches-get",
        "stream.equals-get",
        "stream.signature",
        "stream.text",
        "tool.call-fields",
        "tool.choice-any",
        "tool.declared",
        "tool.ids-unique",
        "tool.requires-action",
        "tool.stream-call",
        "tool.stream-status",
    ]
)
"""The rules by which a trail is judged: what the answers show, never whether a request had to be accepted."""

_HEARD_KINDS = frozenset({"cancel.ok/another"})
"""Kinds of findings by which a trail is judged, while others of their rules are about acceptance."""

_UNDECIDED = Intent(final=False)
"""Nobody says what a request meant, nor whether what it asks about has had the time to be visible."""


def judge_trail(
    trail: Sequence[Exchange], contract: Contract, judged: Counter[tuple[str, str]]
) -> Iterator[tuple[Exchange, Finding]]:
    """The contradictions between the exchanges of one exercise, each with the exchange that shows it.

    They come in the order in which they ended. Each caller has a history: another key may see other values.
    `judged` counts the exchanges that a rule judged, by rule and call.
    """
    found = [*_judge_each(trail, contract, judged)]
    found += [*_judge_uncanceled(trail), *_judge_endless(trail), *judge_resources(trail)]
    late = {named_interaction(exchange.request) for exchange, finding in found if finding.code == "bg.result/late"}
    # A run that a cancel stopped promises no output, whatever end is written over that (`cancel.stays`).
    cancels = [one for one in trail if (read(one).call, read(one).status) == (CANCEL, "cancelled")]
    stopped = {named_interaction(one.request) for one in cancels}
    for exchange, finding in found:
        names = {named_interaction(exchange.request), read(exchange).id}
        follows = finding.rule in _FOLLOWS_FROM_LATE and finding.code != "bg.result/late" and names & late
        if not follows and not (finding.rule == "bg.result" and names & stopped):
            yield exchange, finding


_FOLLOWS_FROM_LATE = frozenset(
    {"bg.result", "bg.grows", "get.same", "stream.text", "stream.equals-get", "stream.end-matches-get"}
)
"""What else is wrong with a look that shows a run as completed before its output is stored."""


def _judge_uncanceled(trail: Sequence[Exchange]) -> Iterator[tuple[Exchange, Finding]]:
    """A background run that no client cancels or deletes must not end as `cancelled`.

    A client that leaves the stream of the create may seem to give the run up (`bg.survives-hangup`); one that
    leaves another stream of it does not.
    """
    begun: set[str] = set()
    stopped = {""}
    for exchange in trail:
        call, order = read(exchange).call, summarise_create(exchange.request)
        if order is not None and order.background:
            begun.add(read_new_id(exchange))
        left = call == CREATE and not exchange.ending.complete
        if left or call in (CANCEL, DELETE) or exchange.request.path.endswith(_COLON):
            stopped.add(named_interaction(exchange.request).removesuffix(_COLON) or read(exchange).id or "")
    begun -= stopped
    for exchange in trail:
        shown = read(exchange).id if is_success(exchange) else None
        if read(exchange).status == "cancelled" and shown in begun:
            begun.discard(shown)
            message, expected = "a run ends as `cancelled` without a cancel", "another settled status"
            yield exchange, Finding.from_code("bg.transition/uncanceled", message, expected, "cancelled")


_LIVE_SILENCE = 20.0
"""Seconds without a word after the end of a run: a server that looks for it now and then is faster."""


def _judge_endless(trail: Sequence[Exchange]) -> Iterator[tuple[Exchange, Finding]]:
    """A stream by GET must end if a GET before its end showed the run as settled: nothing more can come.

    One silence may be the connection's. A run sends such a request again, so that a target has two. Of streams
    that were opened during their run many have to be silent: what is sent again is a stream of one that has ended.
    """
    settled: dict[str, tuple[float, object]] = {}
    silences: Counter[str] = Counter()
    for exchange in trail:
        identity, reading = named_interaction(exchange.request), read(exchange)
        streamed = is_resume(exchange.request) is not None
        if reading.call != GET or exchange.excuse:
            continue
        if streamed and exchange.hung and exchange.succeeded and identity in settled:
            since, status = settled[identity]
            place, code, least, times = exchange.request.target, "resume.ends/replay", exchange.seconds / 2, 2
            message = "the stream of a run that has settled does not end"
            if (began := exchange.began or 0.0) < since:
                place, code, least, times = "", "resume.ends/live", _LIVE_SILENCE, 8
                message = "a stream that is read during its run does not end"
                if reading.stream is None or reading.stream.completed is not None:
                    continue
            elif status == "cancelled":
                code, message = "cancel.stream-ends/hangs", "the stream of a canceled run does not end"
            if min(exchange.silence, began + exchange.seconds - since) >= least:
                silences[place] += 1
                if silences[place] == times:
                    yield from ((exchange, found) for found in judge_endless(code, message, exchange))
        elif not streamed and exchange.succeeded and not exchange.truncated and is_settled(reading.status):
            settled.setdefault(identity, (exchange.began or 0.0, reading.status))


_COLON = ":cancel"
"""How one sample spells a cancel; a target may take it for one."""


def _judge_each(
    trail: Sequence[Exchange], contract: Contract, judged: Counter[tuple[str, str]]
) -> Iterator[tuple[Exchange, Finding]]:
    judges: defaultdict[tuple[str, str], HistoryJudge] = defaultdict(
        lambda: HistoryJudge(contract, sole_client=True)
    )
    early: list[tuple[HistoryJudge, Exchange]] = []
    torn: set[str] = set()  # interactions whose events contradict each other: later readings follow from that
    for exchange in trail:
        call = read(exchange).call
        if exchange.excuse or exchange.truncated or not call:
            continue
        judge, identity = judges[caller_of(exchange.request)], named_interaction(exchange.request)
        if call == GET and is_resume(exchange.request) is None and not judge.knows(identity):
            early.append((judge, exchange))
        judgement = judge.note(exchange, _UNDECIDED)
        judged.update((rule, call) for rule in judgement.judged)
        for finding in _list_heard(judgement):
            if finding.rule.startswith("resume."):
                if identity in torn:
                    continue
                torn.add(identity)
            yield exchange, finding
    for judge, exchange in early:
        judgement = judge.note_early(exchange)
        judged.update((rule, GET) for rule in judgement.judged)
        yield from ((exchange, finding) for finding in _list_heard(judgement))


def _list_heard(judgement: Judgement) -> Iterator[Finding]:
    """The findings by which a trail is judged."""
    for finding in judgement.findings:
        is_heard = finding.rule in HEARD or finding.code in _HEARD_KINDS
        if is_heard and finding.severity is not Severity.INFORMATION:
            yield finding
