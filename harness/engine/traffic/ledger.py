"""The ledger of a run: what its requests created and have to delete, and the ids that they were given.

Reads exchanges, and knows no checks: an exercise never cleans up. Must not know what is judged.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from harness.engine.origins import referenced_ids
from harness.kit.api import TargetApi
from harness.outcome import Finding
from harness.wire import Exchange, Request
from harness.wire.bodies import object_or_none


class CreatedResources:
    """Created resources by path; several threads may note exchanges at once.

    Unless it `deletes` them at all, no interrupt has to wait for the response that names one.
    """

    def __init__(self, api: TargetApi, *, deletes: bool = True) -> None:
        self.deletes = deletes
        self._api = api
        self._owed: dict[tuple[str, ...], Request] = {}
        self._open: dict[tuple[str, ...], tuple[Request, Request]] = {}
        self._keys: dict[str, str] = {}
        self._lock = threading.Lock()
        self.sent: list[Exchange] = []
        """The deletions of the last clean-up."""

    @property
    def owed(self) -> list[str]:
        """Paths of the resources that were created and not deleted."""
        return ["/" + "/".join(segments) for segments in self._owed]

    def owes_all_of(self, request: Request) -> bool:
        """Whether all that a request refers to was created here, and is not deleted."""
        return {path[-1] for path in self._owed}.issuperset(referenced_ids(request, self._api))

    def note(self, exchange: Exchange) -> None:
        """Record what one finished exchange created or deleted."""
        request = exchange.request
        with self._lock:
            if key := request.headers.get(self._api.key_header):
                self._keys[request.raw_path] = key
            if request.method == "DELETE" and _is_deleted(exchange):
                self._owed.pop(request.segments, None)
            for delete in self._api.list_deletes(exchange):
                fields, known = delete.headers, self._keys.get(request.raw_path)
                if known and not fields.get(self._api.key_header) and "authorization" not in fields:
                    # The last part of an upload has no key, but a request for its path had one.
                    fields = fields.having(self._api.key_header, known)
                self._owed[delete.segments] = Request("DELETE", delete.target, fields)
            if (naming := self._api.new_naming_request(exchange)) is not None:
                self._open[naming.segments] = (naming, request)

    def list_closing_reads(self, trail: Sequence[Exchange]) -> list[Request]:
        """The reads of all that an exercise created and left, but of what several of them have shown as settled.

        A run that was only created, or read once, is compared with nothing else; one that should not be kept must
        not be found. Where an answer did not end in time, no other one is waited for.
        """
        if any(exchange.hung for exchange in trail):
            return []
        reads: dict[tuple[str, ...], Request] = {}
        settled: Counter[tuple[str, ...]] = Counter()
        for exchange in trail:
            request = exchange.request
            if request.method == "GET" and not request.query and self._shows_settled(exchange):
                settled[request.segments] += 1
            for delete in self._api.list_deletes(exchange):
                reads[delete.segments] = Request("GET", delete.target.partition("?")[0], delete.headers)
        with self._lock:
            owed = self._owed.keys()
            # After two reads of a settled run a third one would tell nothing new: these were compared.
            return [read for path, read in reads.items() if path in owed and settled[path] < 2]

    def _shows_settled(self, exchange: Exchange) -> bool:
        if not self._is_run(exchange.request):  # what is no run does not go on
            return exchange.succeeded
        found = self._api.read_status(object_or_none(exchange.body) or {}) if exchange.succeeded else None
        return found is not None and self._api.is_settled(found[1])

    def clean(
        self, send: Callable[[Request], Exchange], at_once: Callable[..., Iterable[Exchange]] = map
    ) -> list[str]:
        """Delete what is owed, newest first, and return the paths that could not be deleted.

        A run in progress may refuse its deletion, so it is cancelled before a second attempt. If `send` raises,
        what is left is still owed. Deletions of runs may be sent `at_once`; `map` sends one after the other.
        """
        self.sent = []
        with self._lock:
            unnamed = [pair for path, pair in self._open.items() if path in self._owed]
            self._open.clear()
        for naming, request in unnamed:  # a create may have made more than its response named
            self.note(replace(send(naming), request=request))
        with self._lock:
            newest = list(self._owed.values())[::-1]
        # Nothing needs a run, and a run may need anything else: runs come first, then what is newest.
        runs, others = ([one for one in newest if self._is_run(one) is is_run] for is_run in (True, False))
        left = []
        for delete, sent in zip((*runs, *others), chain(at_once(send, runs), map(send, others)), strict=True):
            self.sent.append(sent)
            # Where it was lost on the way, `send` may have sent and noted it once more.
            is_gone = _is_deleted(sent) or delete.segments not in self._owed
            if not is_gone and sent.status is not None:
                stop = self._api.new_stop_request(delete.segments, delete.headers)
                if stop is not None:
                    send(stop)
                    is_gone = _is_deleted(send(delete))
            if not is_gone:
                left.append("/" + "/".join(delete.segments))
            with self._lock:
                self._owed.pop(delete.segments, None)
        return left

    def _is_run(self, request: Request) -> bool:
        return self._api.collection in request.segments


def _is_deleted(deleted: Exchange) -> bool:
    return deleted.succeeded or deleted.status in (404, 410)


# The ids that the creates of a run returned: one that comes again identifies nothing. All workers of a run
# share them, unless each has a session of its own, in which ids may be what they are elsewhere. If another
# create got the same id meanwhile, an exercise may have seen the effects of that one.


class GivenId(Struct, frozen=True):
    """A create that returned an id, by its caller, at a time on the clock of this process."""

    exchange: Exchange
    owner: object
    moment: float


class RepeatedId(Struct, frozen=True):
    """A create that returned an id of an earlier one, and the finding about that."""

    exchange: Exchange
    earlier: Exchange
    finding: Finding


class GivenIds:
    """The owners of all given ids; several threads may note exchanges at once."""

    def __init__(self, api: TargetApi) -> None:
        self._api = api
        self._given: dict[str, list[GivenId]] = defaultdict(list)
        self._repeats = False
        self._lock = threading.Lock()

    def note(self, exchange: Exchange, owner: object) -> RepeatedId | None:
        """Record what a finished exchange was given; what is wrong if another create was given that before.

        The owner is who deletes what it made, whenever it is through.
        """
        identity = self._api.read_new_id(exchange)
        if not identity:
            return None
        with self._lock:
            given = self._given[identity]
            if any(known.exchange is exchange for known in given):  # one of several at once is noted twice
                return None
            found = next(iter(self._api.judge_new_id([identity] if given else [], identity)), None)
            given.append(GivenId(exchange, owner, time.perf_counter()))
            self._repeats |= len(given) > 1
        return None if found is None else RepeatedId(exchange, given[0].exchange, found)

    def judge_shared(self, trail: Iterable[Exchange], owner: object, since: float) -> dict[str, Finding]:
        """The finding about each id in a trail that several creates were given: of this owner since a time, and
        of all others.
        """
        if not self._repeats:
            return {}
        shared = {}
        for identity in {self._api.read_new_id(exchange) for exchange in trail}:
            with self._lock:
                others = list(self._given.get(identity, ()))
            if sum(given.moment >= since or given.owner is not owner for given in others) > 1:
                shared[identity] = next(iter(self._api.judge_new_id([identity], identity)))
        return shared

    def forget(self) -> None:
        """Forget all ids: a target that was gone for a while may have forgotten them, too."""
        with self._lock:
            self._given.clear()
