"""One client's attempt at one case: the service it talks to, what it received, and what it did wrong.

A client is whatever sends requests to `service`: code under test in this process, or a command.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import count, pairwise, takewhile
from time import monotonic
from typing import Any
from urllib.parse import unquote_plus

from harness.benches.client.cases import Case, StreamSource
from harness.benches.client.judgement.received_responses import ReceivedResponse, merge_equal_lines, watch
from harness.faults import Cut, Garble, Raw, Status, cut
from harness.faults.grammar import LEGAL_NOISE
from harness.kit import client_model
from harness.outcome.words import format_count, shorten
from harness.wire import How, Request, Response
from harness.wire.bodies import object_or_none

_REFUSED = frozenset({429, 503})
"""Statuses of a create after which it can be sent again: nothing was created."""


class ClientAttempt:
    """A `case` applied to a source; give the client `service`, and `id` as the run to read."""

    def __init__(self, source: StreamSource, case: Case) -> None:
        self.case = case
        self.id = source.id
        self.api = source.api
        self.contract = source.contract
        self._source = source
        self.model = source.api.load_client_model()
        self._protocol = source.api.load_protocol()
        self._undisturbed: list[ReceivedResponse] = []
        """The answers to creates before any fault: nobody can ask again for one that is not stored."""
        self.received: list[ReceivedResponse] = []
        """All responses in the order of their requests."""
        self._faulty = cut(self._serve, case.plan, self._protocol)
        self._numbers = count(1)
        self.asked_for_ever = False
        """Whether the client was stopped for its many requests."""
        self._on_its_way = False
        """Whether the completion was about to come when the client left its last stream."""
        self.begun = monotonic()

    def _serve(self, request: Request) -> Response:
        if request.method == "DELETE":  # a client may clean up behind itself: note the run while it can be read
            self._source.whole_of(request.raw_path.rpartition("/")[2])
        response = self._source.service(request)
        if self.case.mode.creates and request.method == "POST":
            self._undisturbed.append(watch(self.api, request, response))
        return response

    def service(self, request: Request) -> Response:
        """Answer a request of the client, and record what it receives."""
        response, suffered = self._faulty.answer(request)
        self.received.append(watch(self.api, request, response, suffered))
        return response

    def answer(self, request: Request) -> Response:
        """Answer a request of a client in another process, which nothing but a refusal stops."""
        if next(self._numbers) <= (most := self.case.most_requests):
            return self.service(request)
        self.asked_for_ever = True
        return self._protocol.refuse(400, "invalid_request", f"More than {most} requests in one case.")

    def note_left(self) -> None:
        """Note what was about to come when a client in another process (`answer`) left its last stream.

        How much of it had been written then depends on the socket. So that the verdict does not, the stream is
        read again, with the same faults, to its end or to a silence. Another look at the run would complete it.
        """
        last = self.received[-1] if self.received else None
        if next(self._numbers) == 1 or last is None or not last.was_left or not (run := last.find_run_id()):
            return
        request = last.request if last.is_read else self._protocol.resume(last.request, run, None)
        again = self._faulty.repeat(request, last.suffered)
        seen = watch(self.api, request, again)
        # pauses between events take a fiftieth of this silence at most
        self._source.read(again.body, lambda: seen.waited >= 0.1 and len(seen.data) >= len(last.data))
        self._on_its_way = seen.completes

    def was_served(self, seconds: float) -> bool:
        """Whether a stream was arriving so long after the begin: a client that was stopped then only read it."""
        return any(one.was_left and self.begun + seconds - one.took < 3.0 for one in self.received[-1:])

    @property
    def polls_after_text(self) -> list[ReceivedResponse]:
        """The polls of a client that had the whole text of a stream; how many depends on how slow the run is."""
        if not any(one.is_stream and self.text_of(one.events()) == self.text for one in self.received):
            return []
        return [one for one in self.received if one.is_read and not one.is_stream and one.status < 400]

    @property
    def streams(self) -> list[ReceivedResponse]:
        """The responses to the client's requests for streams, refusals included."""
        return [one for one in self.received if one.is_stream or one.resumes]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of the whole stream; reading them runs it to its end."""
        if (unstored := self._find_unstored()) is not None:
            return unstored.events() if unstored.is_stream else self.model.answer_events(unstored.read_json())
        return self.model.join([self._source.whole_of(hop) for hop in self._find_hops()])

    @property
    def text(self) -> str:
        """The text that the client must have at the end."""
        return self.text_of(self.events)

    def text_of(self, events: list[dict[str, Any]]) -> str:
        """The text in some of the events."""
        return self.model.text_of(events, self.contract)

    def expected_like(self, collected: object) -> object:
        """The right result in the form of `collected`: steps or text."""
        has_steps = "steps" in collected if isinstance(collected, Mapping) else hasattr(collected, "steps")
        return {"steps": self.model.steps_of(self.events, self.contract)} if has_steps else self.text

    @property
    def status(self) -> str:
        """The status in which the run ended."""
        return self.find_status(self.events)

    def find_status(self, collected: object) -> str:
        """The status in the completion of a list of events; "" for any other value, and without a completion."""
        events = collected if isinstance(collected, list) else []
        ends = (e for e in reversed(events) if isinstance(e, Mapping) and self._protocol.completes(e))
        found = next(map(self.api.read_status, ends), None)
        return found[1] if found is not None else ""

    @property
    def could_not(self) -> bool:
        """Whether reporting a failure is all that was possible: a fault destroyed the response to its only create.

        Without the id nothing can be resumed, and another create would start a second run.
        """
        turns: dict[str | None, list[ReceivedResponse]] = defaultdict(list)
        for one in self.received:
            if one.is_create:
                turns[one.continues].append(one)
        return self.case.hopeless or any(
            any(map(_is_destroyed, creates)) and not any(one.find_created_id() for one in creates)
            for creates in turns.values()
        )

    @property
    def missed_turn(self) -> bool:
        """Whether the further turn that the mode asks for never got a response that named it, or was whole."""
        made = (one for one in self.received if one.continues)
        return self.case.mode.turns and not any(one.find_created_id() or one.completes for one in made)

    @property
    def came_back(self) -> bool:
        """Whether the client got a refusal, lost a stream or a response, or needed more than one stream."""
        turns = {one.continues for one in self.received if one.continues is not None}
        return len(self.streams) - len(turns) > 1 or any(
            one.status >= 400 or one.headless or one.broke_off for one in self.received
        )

    @property
    def noise(self) -> str:
        """The special parts of whole and legal streams: faults without harm, or another text; else ""."""
        fired = dict.fromkeys(str(fault) for one in self.received if one.suffered for fault in one.suffered.fired)
        own = {} if self.case.incident or self.case.mode.turns else self.case.script or {}
        if own and not fired and self.streams and self.text and own.keys() <= {"text", "steps", "deltas", "times"}:
            return f"another text ({shorten(repr(self.text), 60)})"
        words = [f"{fault} ({LEGAL_NOISE.get(fault.partition(':')[0], '')})" for fault in fired]
        return "" if any(word.endswith("()") for word in words) else ", ".join(words)

    def explain_unread(self) -> str:
        """Why the client asked again for a legal stream, as a clause; "" if it may be able to read it."""
        if any(one.is_stream and one.asked_after is None and one.completes for one in self.received[:-1]):
            return ": it had arrived, so the client cannot read it"
        for one, after in pairwise(self.received):
            if one.was_left and after.is_read and after.find_run_id() == one.find_run_id():
                error = f" ({one.unreadable})" if one.unreadable else ""
                return f": it disconnected at event {len(one.events())}{error}, so it cannot read all of it"
        return ""

    def explain_endless(self) -> str:
        """The response that the client got again and again, as a clause; "" if its last ones differ."""
        shown = [(one.status, one.asked_after, one.find_status(), one.find_cursor()) for one in self.received]
        row = list(takewhile(lambda one: one == shown[-1], reversed(shown)))
        last = self.received[-1] if row else None
        if last is None or len(row) < 3:
            silent = last is not None and last.ending is not None and last.ending.how is How.STALL
            return ": its connection fell silent, so give each read a timeout" if silent else ""
        many = f": its last {format_count(len(row), 'response')}"
        if last.status >= 400:
            return f"{many} have the status {last.status}" + (f" ({last.error})" if last.error else "")
        if last.completes:
            return f"{many} show the terminal status {last.find_end()!r}, which never changes"
        return many + (" have no new event" if last.is_stream else f" show the status {last.find_status()!r}")

    def find_hurried(self) -> str:
        """The request that the client repeated before its `Retry-After`; a busy machine makes none seem early."""
        for refused, again in pairwise(self.received):
            wanted, paused = refused.retry_after or 0.0, again.at - refused.at
            same = (again.request.target, again.request.body) == (refused.request.target, refused.request.body)
            if same and 1 <= wanted <= 60 and paused < wanted * 0.9:  # nobody has to know `retry-after-ms`
                pause = f"a pause of {wanted:g} s (`Retry-After`)"
                return f"repeated a request {paused:.3f} s after a {refused.status} that requests {pause}"
        return ""

    def judge_knowledge(self) -> client_model.Defect | None:
        """The defect of a client that reports a result, right or not, and cannot know that it is whole."""
        if self._on_its_way or any(one.completes for one in reversed(self.received)):  # nearly always the last
            return None
        words, last = self.model.words, self.received[-1] if self.received else None
        shown = last.find_status() if last else None
        is_marked = last is not None and last.data.rstrip().endswith(self._protocol.sentinel)
        mark = f", or `{self._protocol.sentinel.decode()}`," if is_marked else ""
        ended = f"accepted the end of a connection{mark} as the end of the {words.run}"
        if last and not last.is_stream:  # a call, such as a cancel
            ended = "reported a result that no response showed"
        return client_model.Defect(
            client_model.UNFINISHED,
            f"reported a result, although the last status that it received was {shown!r}: poll until it is final"
            if shown
            else (self._explain_left() if self.received[-1:] == self.streams else "")
            or f"{ended}: it received neither {words.completion} nor a GET with a terminal status",
        )

    def describe_double_create(self) -> str:
        """Say that a second run was made in place of the first; a further turn, or going on with one, is none."""
        words = self.model.words
        made = [one for one in self.received if one.is_create and not one.goes_on and one.status < 400]
        turns = Counter(one.continues for one in made)
        # Whether the client read, before its first create, a run that it had not made.
        given = any(one.is_read and one.status < 400 for one in self.received[:1])
        times = max(turns.values(), default=0) + (given and turns[None] > 0)
        if times < 2:
            return ""
        if given and turns[None] < 2:
            return (
                f"read an {words.run} by its id, then sent a create: a second {words.run} runs and costs money; "
                "resume the first by its id"
            )
        again = [one for one in made if turns[one.continues] > 1]
        if len({one.input for one in again}) == len(again) and (parent := again[0].continues) is not None:
            return (
                f"continued one {words.run} with {times} turns ({parent}): the later turn knows nothing of the "
                "one before it; continue the last turn each time"
            )
        body = object_or_none(again[0].request.body) or {}
        if given or any(one.find_created_id() for one in again[:-1]):
            advice = "resume the first by its id"
        else:  # it cannot name what it created; `keeps_id` is the mode that can, if it did not use that one
            at_once = body.get("background") is True and not body.get("stream")
            advice = "the first response had no id, so report that it was lost"
            advice += "" if at_once else f" ({words.keeps_id})"
        turn = f" for turn {list(turns).index(again[0].continues) + 1}" if len(turns) > 1 else ""
        return f"sent the create {times} times{turn}: a second {words.run} runs and costs money; {advice}"

    def find_lost_context(self) -> client_model.Defect | None:
        """The defect of a client whose last turn sends something new without the turns before it."""
        made = [one for one in self.received if one.is_create and not one.goes_on and one.status < 400]
        if not self.case.mode.turns or len(made) < 2 or made[-1].input == made[0].input:
            return None
        if made[-1].continues is not None:
            forgotten = self.model.find_forgotten([one.request for one in made], self.contract)
            missing = (
                f"sent the earlier steps without the user's input of an earlier turn ({shorten(forgotten, 40)!r})"
            )
            return client_model.Defect(client_model.LOST_CONTEXT, missing) if forgotten else None
        return client_model.Defect(
            client_model.LOST_CONTEXT,
            f"sent its further turn without the first one: it names no previous {self.model.words.run} and "
            "includes no earlier steps",
        )

    def describe_unshown(self) -> str:
        """Why a client without a text shows nothing of the steps of an incident; "" if it has none to show.

        One that lost the arguments of a call then sends and returns what a correct one does.
        """
        if not self.case.incident or self.text:
            return ""
        unshown = self.model.compare(self.events, "", self.contract, ())
        modes = self.model.load_incidents()[self.case.incident].modes
        others = " or ".join(f"--mode {name}" for name in modes if self.model.modes[name].turns)
        return unshown.text + (f", or use {others}" if others else "") if unshown is not None else ""

    def find_wrong_call(self) -> client_model.Defect | None:
        """The defect of the results that the client returned for the calls of the model; None if there is none."""
        if not self.case.mode.turns:
            return None
        return self.model.judge_calls([one.exchange for one in self.received], self.contract)

    def find_defect(self, collected: Any) -> client_model.Defect | None:
        """The defect of a client that reports success; None if it has none.

        `collected` is its result: the text, the events, or the run's JSON.
        """
        if again := self.describe_double_create():
            return client_model.Defect(client_model.DOUBLE_CREATE, again)
        creates = [one.request for one in self.received if one.is_create]
        if (wrong := self.model.compare(self.events, collected, self.contract, creates)) is not None:
            why = self._explain(wrong.word)
            return client_model.Defect(wrong.word, f"{wrong.text}: {why}") if why else wrong
        return self.judge_knowledge()

    @property
    def was_refused_a_cursor(self) -> bool:
        """Whether the service itself, and no fault, refused a resume: a cursor of its own it takes."""
        return any(
            one.asked_after is not None and one.status >= 400 and not (one.suffered and one.suffered.fired)
            for one in self.received
        )

    def wire(self) -> list[str]:
        """The traffic, one line per request; repeated lines are merged with a count."""
        return merge_equal_lines(map(str, self.received))

    # Why a result is wrong, as its traffic shows.

    def _explain(self, word: str) -> str:
        """Why the result has the defect `word`, with `it` as the subject; "" if nothing more is to say."""
        if word == client_model.UNUSABLE:
            return ""
        if wrong := self.explain_cursor():
            return wrong
        if word == client_model.LOSS and (left := self._explain_left()):
            return f"it {left}"
        if not any(one.completes for one in self.received):
            return self._explain_unfinished()
        if word != client_model.LOSS and self._read_at_once:
            return f"two connections read the {self.model.words.run} at once, and it kept the events of both"
        if older := self._explain_older_cursor():
            return older
        return self._explain_doubled() if word == client_model.TWICE else self._explain_lost(word)

    def explain_cursor(self) -> str:
        """How the client resumed after an invalid cursor, as a clause; "" if it did not."""
        errors = {
            c
            for one in self.streams
            for e in one.events()
            if self._protocol.is_error(e)
            for c in self._list_cursors([e])
        }
        known = set(self._list_cursors(self.events))
        for after in (one.asked_after for one in self.streams if one.asked_after is not None):
            if after in errors:
                return f"it resumed after {after!r}, the id of an error event, which is not a cursor"
            if raw := next((one for one in known if one != after == unquote_plus(one)), None):
                return f"it resumed after {after!r}: it sent its cursor {raw!r} without percent-encoding"
            if after not in known:
                return f"it resumed after {after!r}, which is not the id of an event"
        return ""

    @property
    def _read_at_once(self) -> bool:
        """Whether a stream of a run went on to arrive when the client had requested the next one of it."""
        return any(
            before.took > after.at and before.find_run_id() == after.find_run_id()
            for before, after in pairwise(self.streams)
        )

    def _explain_older_cursor(self) -> str:
        """How it resumed after an event, though it had the cursor of a later one; "" if it did not."""
        places = {cursor: place for place, cursor in enumerate(self._list_cursors(self.events))}
        last = ""
        for one in self.streams:
            after = one.asked_after
            if after in places and places[after] < places.get(last, -1):
                return f"it resumed after {after!r}, though {last!r} had arrived"
            last = max(self._list_cursors(one.events()), key=lambda cursor: places.get(cursor, -1), default=last)
        return ""

    def _explain_unfinished(self) -> str:
        if not self.received:
            return "it sent no request at all"
        if (last := self.received[-1]).status >= 400:
            return f"its last request was rejected ({last.status}: {last.error})"
        if not self.streams:
            return "it never requested the stream"
        if any(map(self._protocol.is_error, self.streams[-1].events())):
            return "it took an error event for the end of the stream: resume after it"
        if len(self.streams) < 2:
            return "it did not resume after the drop"
        if all(one.asked_after is None for one in self.streams):
            return "it gave up before the end"
        return f"it stopped polling before the {self.model.words.run} had settled"

    def _explain_left(self) -> str:
        """How the client lost the end of its only stream, which no fault had ended; "" if it did not.

        A socket takes more than its client reads, so that the events that were sent do not show where it stopped.
        """
        if len(self.streams) != 1 or ((only := self.streams[0]).suffered and only.suffered.fired):
            return ""
        if only.ending is not None and not (only.ending.complete and only.completes):
            return ""
        last = "" if self.received[-1] is not only else f", and sent no other request: {self.case.mode.about}"
        return f"stopped reading the stream, or dropped a part of it, although no fault had ended it{last}"

    def _explain_doubled(self) -> str:
        for before, after in pairwise(self.streams):
            events = after.events()
            if after.is_create:
                return "it sent another create, and kept its earlier output"
            if after.asked_after is None:
                misplaced = after.describe_misplaced_cursor(before.events())
                return misplaced or "it requested the stream from the start again, and kept its earlier output"
            if events and self._protocol.cursor(events[0]) == after.asked_after:
                return "the resumed stream began with the event of its cursor (inclusive), and it kept both"
        ids = [cursor for one in self.streams for cursor in self._list_cursors(one.events())]
        if len(ids) != len(set(ids)):
            return "it did not recognize an event that arrived twice with one id"
        if len(self.streams) == 1:
            return "the server sent it once, so the client duplicated it"
        return "events after the cursor arrived again after its resume, and it kept both"

    def _explain_lost(self, word: str) -> str:
        sent = "the server sent it, so the client dropped it"
        if "\u2028" in self.text:  # `str.splitlines` ends a line there, and so do readers built on it
            sent += " (its text contains U+2028, which ends no line of a stream)"
        if word in (client_model.LOSS, client_model.HOLE) and any(
            one.completes and not one.is_stream for one in self.received
        ):
            return sent  # a whole run in one JSON answer
        delivered = {self.model.mark(event) for one in self.streams for event in one.events()}
        if delivered >= {mark for event in self.events if (mark := self.model.mark(event)) is not None}:
            return sent if word in (client_model.LOSS, client_model.HOLE) else ""
        fired = (fault for one in self.streams if one.suffered for fault in one.suffered.fired)
        if any(isinstance(fault, Garble) for fault in fired):
            return "it skipped an event with broken JSON, which it can get by a resume"
        return "it continued after events that it never received"

    def _list_cursors(self, events: Sequence[client_model.Event]) -> list[str]:
        return [cursor for event in events if (cursor := self._protocol.cursor(event)) is not None]

    def _find_unstored(self) -> ReceivedResponse | None:
        """The undisturbed answer to the last create, if that had no id: the run in it was not stored."""
        last = next((one for one in reversed(self.received) if one.is_create and one.status < 400), None)
        if last is None or last.find_created_id() is not None or not last.completes:
            return None
        return next((one for one in reversed(self._undisturbed) if one.request.body == last.request.body), None)

    def _find_hops(self) -> list[str]:
        """The ids whose streams are the result: the last created or the given one, and what it goes on with."""
        made = {found: one for one in self.received if (found := one.find_created_id())}
        hops = [next(reversed(made), self.id)]
        while (last := made.get(hops[0])) is not None and last.goes_on and last.continues in made:
            hops.insert(0, str(last.continues))
        return hops


def _is_destroyed(one: ReceivedResponse) -> bool:
    """Whether a fault kept the id of a new run from the client, so that it cannot know of the run."""
    fired = one.suffered.fired if one.suffered is not None else ()
    lost = any(
        isinstance(fault, Cut | Raw) or (isinstance(fault, Status) and fault.code not in _REFUSED)
        for fault in fired
    )
    return lost and one.find_created_id() is None
