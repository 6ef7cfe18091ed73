"""Cases and their sets: a stream that is known in advance, its source, and the faults that it gets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import product
from typing import Any

from harness.cassette import Player, load
from harness.cassette.player import streams_of
from harness.engine.selection import Selection
from harness.faults import Cut, Spot, every_byte, every_event, parse, structural
from harness.faults.kinds import StreamShape
from harness.kit.api import ClientApi
from harness.kit.client_model import ClientIncident, ClientMode, ClockedService
from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean, list_some
from harness.wire import Body, Chunk, Clock, Decoder, Pause, Service
from harness.wire.sse import events_in

EVENT_IDS = ("all", "deltas", "sparse", "none", "odd")
_ODD_IDS: Mapping[str, Any] = {"event_ids": "all", "platform": "any"}
"""Settings of a service whose ids contain `+`, `/` and `=`, as those of other platforms do."""
_read_once = lru_cache(maxsize=8)(events_in)  # most cases of one kind share their stream, byte for byte
_UNMARKED = frozenset({"text", "times"})
"""Keys of a script that all cases of a run share, so that no case is named by them."""


MOST_REQUESTS = 60
"""Maximum requests of a client in one case; one that resumes sensibly needs three."""

OUTAGES = (
    "before-headers,rst,times:4",
    "event:5,rst/before-headers,fin,times:4",
    "event:5,end/event:0,end,times:4",
    "event:5,rst/status:503,times:4",
)
"""The plans of `cuts="outage"`: the service is away for several connections, at once or in the middle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The task of a client, and the faults that it meets: `plan` is in the grammar of docs/faults.md.

    `script` is what the service returns, and `further` what it returns to creates that continue another run;
    None: that of the mode. A `scenario` file takes the place of both. `refusal` is the response to creates
    that name a previous run, and `settings` are further ones of the service; only incidents have them.
    `contract` is the one by which the stream is served and read; None: the current one, or what the cassette
    states. `kind` names the part of a set that the case belongs to, "" for a requested one; `label` is its name if
    the plan and the script do not tell the case from those of other kinds. If it
    is `hopeless`, all that a client can do is to report a failure; only its kind or its incident states this.
    `incident` names one that the case plays; `speed` is how much faster than the machine's its clock runs.
    """

    plan: str
    mode: ClientMode = field(hash=False)
    event_ids: str = "all"
    resume: str = "exclusive"
    script: Mapping[str, Any] | None = field(default=None, hash=False)
    further: Mapping[str, Any] | None = field(default=None, hash=False)
    refusal: Mapping[str, Any] | None = field(default=None, hash=False)
    scenario: str | None = None
    cassette: str | None = None
    contract: Any = None
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    kind: str = field(default="", compare=False)
    label: str = ""
    hopeless: bool = False
    incident: str = ""
    speed: float = 1.0

    @property
    def most_requests(self) -> int:
        """The number of requests after which its client is stopped."""
        # a client with nothing to reach may try longer, so that it can end by itself: a poll each 3 s for an hour
        return MOST_REQUESTS * (20 if self.hopeless else 1)

    @property
    def answer(self) -> Mapping[str, Any]:
        """The response of the service."""
        return self.mode.script if self.script is None else self.script

    @property
    def further_answer(self) -> Mapping[str, Any] | None:
        """The response to creates that continue another run; None: the same."""
        return self.mode.further if self.further is None else self.further

    def __str__(self) -> str:
        if self.incident:
            return self.incident
        marks = [self.plan]
        if self.event_ids != "all":
            marks.append(f"ids={self.event_ids}")
        if self.resume != "exclusive":
            marks.append(self.resume)
        for key, value in self.answer.items():
            if key not in _UNMARKED and self.mode.script.get(key) != value:
                # Short, and without anything that a shell or a file of names would mind.
                if not isinstance(value, str | int | bool):
                    value = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:6]
                marks.append(f"{key}={value}")
        marks += [self.label] if self.label else []
        return "-".join(marks)

    @property
    def row(self) -> str:
        """The label that all cases with the same ending and event ids share."""
        faults = parse(self.plan).connections[-1].faults
        last = faults[-1] if faults else "pass"
        marks = [str(last.drop) if isinstance(last, Cut) else str(last)]
        if self.event_ids != "all":
            marks.append(f"ids={self.event_ids}")
        return " ".join(marks)

    def list_words(self) -> list[str]:
        """The words of a command line that select this case alone."""
        mode = [] if self.mode.usual else ["--mode", self.mode.name]
        if self.incident:
            return ["--incidents", self.incident, *mode]
        if self.hopeless or self.refusal is not None:
            return ["--set", self.mode.usual_set, "-c", self.kind, *mode]
        return ["--cuts", self.plan, *mode, *self._list_stream_options()]

    def _list_stream_options(self) -> list[str]:
        words = []
        if self.cassette is not None:
            words += ["--cassette", self.cassette]
        if self.event_ids != "all":
            words += ["--event-ids", self.event_ids]
        if self.resume != "exclusive":
            words += ["--resume", self.resume]
        if self.scenario is not None:
            words += ["--scenario", self.scenario]
        elif self.answer != self.mode.script:
            words += ["--script", json.dumps(dict(self.answer), ensure_ascii=False)]
        if self.further is not None and self.further != self.mode.further:
            words += ["--further", json.dumps(dict(self.further), ensure_ascii=False)]
        return words


# The source of a stream that will drop: a run of the reference service, or a recording.
# Knows how to begin a run and read it whole; must not know plans or clients.


class StreamSource:
    """The service and the run `id` for all cases that differ only in their plans; takes a fresh `service`.

    With a cassette it plays the first whole stream in there. Raises UsageFault if there is none.
    """

    def __init__(self, api: ClientApi, service: ClockedService, case: Case) -> None:
        self.api = api
        self._scripted = api.load_client_model().service
        self._case = case
        self._whole: dict[str, list[dict[str, Any]]] = {}
        self.contract = service.contract
        self.service: Service
        self._clock: Clock | None = None
        self._release: Callable[[], object] = lambda: None
        if case.cassette is not None:
            loaded, protocol = load(case.cassette), api.load_protocol()
            revision = loaded.provenance.revision if loaded.provenance is not None else ""
            self.contract = api.load_stated_contract(revision, service.contract)
            recordings = [recording.decode() for recording in loaded.recordings]
            whole = ((found, one) for found, one in streams_of(recordings, protocol).items() if one.whole)
            if (first := next(whole, None)) is None:
                raise UsageFault(
                    f"{case.cassette} contains no complete stream of a stored interaction: record one that was "
                    "not dropped"
                )
            # If the stream was recorded in parts, this is the whole: only the faults of a case drop it.
            self.id, stream = first
            others = [recording for recording in recordings if not recording.events]
            self.service = Player([stream.recording, *others], protocol, mode="resume")
            return
        self.service, self._clock = service, service.clock
        self._release = lambda: self._scripted.release(service)  # a run that is held and never cancelled must end
        self.id = self._scripted.prepare(
            service,
            script=case.answer,
            further=case.further_answer,
            refusal=case.refusal,
            scenario=case.scenario,
            settings={
                **(_ODD_IDS if case.event_ids == "odd" else {"event_ids": case.event_ids}),
                "resume": case.resume,
                **case.settings,
            },
        )

    def serves(self, case: Case) -> bool:
        """Whether it can serve this case as well."""
        return _build_key(self._case) == _build_key(case)

    def whole_of(self, run_id: str) -> list[dict[str, Any]]:
        """The events of the stream of a run without any fault; the run completes by it.

        An error event may end the first stream while the run goes on: the next one is whole.
        """
        if run_id not in self._whole:
            events = _read_once(self.stream(run_id))
            done = any(map(self.api.load_protocol().completes, events))
            self._whole[run_id] = events if done else _read_once(self.stream(run_id))
        return self._whole[run_id]

    def stream(self, run_id: str) -> bytes:
        """The bytes of a run's stream, without any faults."""
        self._release()
        return self.read(self.service(self._scripted.stream_request(run_id)).body)

    def read(self, body: Body, is_enough: Callable[[], bool] = lambda: False) -> bytes:
        """The bytes of a body up to its end, or to a pause if they are enough; each pause is over at once."""
        data = []
        with closing(body):
            for piece in body:
                if isinstance(piece, Chunk):
                    data.append(piece.data)
                elif isinstance(piece, Pause):
                    if is_enough():
                        break
                    if self._clock is not None:
                        self._clock.reached(self._clock.now + piece.seconds)
        return b"".join(data)


def _build_key(case: Case) -> tuple[str | None, ...]:
    """The values that two cases must share to use the same source."""
    further = case.further_answer
    scripts = json.dumps([case.answer, further, case.refusal, case.settings], sort_keys=True, default=dict)
    return case.event_ids, case.resume, case.cassette, case.scenario, scripts


def whole_stream(api: ClientApi, case: Case, seed: int = 0) -> bytes:
    """The bytes of a case's stream, without any faults."""
    service = api.load_client_model().service.new(contract=case.contract, clock=None, seed=seed)
    source = StreamSource(api, service, case)
    return source.stream(source.id)


# The cases of a stream that is known in advance: one for each cut, ending, and setting of event ids.


ENUMERATIONS = {"every-event": every_event, "structural": structural, "every-byte": every_byte}


def cases_of(
    api: ClientApi,
    base: Case,
    *,
    cuts: str | Sequence[str] = "every-event",
    first: int = 0,
    endings: str | Sequence[str] = ("rst", "end"),
    event_ids: str | Sequence[str] = "all",
    seed: int = 0,
) -> list[Case]:
    """A case for each cut, ending and setting of event ids; `cuts` names a set of plans or lists whole plans.

    `base` has what all cases share. An enumeration leaves out cuts before event `first`: code that creates its
    stream needs the first event. Raises UsageFault for an unknown set or an invalid plan, CassetteError for an
    unreadable cassette.
    """
    known = (*ENUMERATIONS, "outage")
    if isinstance(cuts, str) and cuts not in known:
        near = did_you_mean(cuts, known, otherwise=".")
        raise UsageFault(f"cuts={cuts!r} is not one of {', '.join(known)}, nor a list of fault plans{near}")
    plans = OUTAGES if cuts == "outage" else cuts
    found = []
    for ids in (event_ids,) if isinstance(event_ids, str) else event_ids:
        of_ids = replace(base, event_ids=ids)
        if not isinstance(plans, str):
            found += [replace(of_ids, plan=str(parse(plan))) for plan in plans]
            continue
        whole = whole_stream(api, of_ids, seed)
        ends = [0, *(frame.end for frame in Decoder().feed(whole))]
        if not 0 <= first < len(ends):
            raise UsageFault(f"first={first!r}: the stream has the events 0 to {len(ends) - 2}")
        for place in ENUMERATIONS[plans](whole):
            if place.at is not None and place.at >= (ends[first] if place.spot is Spot.BYTE else first):
                for ending in (endings,) if isinstance(endings, str) else endings:
                    found.append(replace(of_ids, plan=str(parse(f"{place},{ending}"))))
    return found


# The cases of a set, which are each kind's plans for the shape of a stream, and the cases of incidents.


def cases_of_set(
    api: ClientApi,
    name: str,
    base: Case,
    *,
    event_ids: Sequence[str] = ("all",),
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> list[Case]:
    """The cases of a set, of `only` these kinds, without the others. Raises UsageFault for an unknown set or kind.

    `base` has what all cases share. Kinds that fix the event ids or the script are left out for a recording, which
    brings its own.
    """
    sets = api.load_client_model().sets
    if name not in sets:
        raise UsageFault(f"no set is named {name!r}{did_you_mean(name, sets)}")
    names = [kind.name for kind in sets[name]]
    selection, known = Selection(checks=tuple(only), exclude=tuple(exclude)), f"; known are {list_some(names, 30)}"
    chosen = selection.over(names, f"kind of the set {name!r}", known=known)
    found: list[Case] = []
    for kind in (kind for kind in sets[name] if chosen.takes({kind.name}, chosen.level)):
        if base.cassette is not None and kind.needs_scripting:
            continue
        if kind.has_own_scripts and kind.calls != ("steps" in base.answer):
            continue
        shared = replace(
            base,
            kind=kind.name,
            label=kind.name if kind.refusal or (kind.further and not kind.has_own_scripts) else "",
            resume=kind.resume or base.resume,
            refusal=kind.refusal or base.refusal,
            further=base.further if kind.further is None else kind.further,
            hopeless=kind.hopeless,
        )
        own_ids = kind.event_ids if base.cassette is None else ()
        for ids, more in product(own_ids or event_ids, kind.scripts):
            script = {key: value for key, value in {**base.answer, **more}.items() if value is not None}
            case = replace(shared, event_ids=ids, script=script if more else base.script)
            further = None
            if case.mode.turns and case.further_answer is not None:
                second = replace(case, script=case.further_answer)
                further = StreamShape(whole_stream(api, second), api.load_protocol())
            shape = StreamShape(whole_stream(api, case), api.load_protocol(), further)
            found += [replace(case, plan=str(parse(plan))) for plan in kind.plans(shape)]
    return list(dict.fromkeys(found))


# The cases of incidents: documented failures, reproduced for a client.


def cases_of_incidents(api: ClientApi, base: Case, names: Sequence[str] = ()) -> list[Case]:
    """The cases of these incidents, or of all that a client meets in the mode of `base`.

    Raises UsageFault for a name that is unknown, for one that a client cannot meet in that mode, and if there is
    none to meet.
    """
    known, mode = api.load_client_model().load_incidents(), base.mode.name
    if not names:
        found = [incident_case(one, base) for one in known.values() if mode in one.modes]
        if not found:
            raise UsageFault(f"--incidents: no incident applies to a client in the mode {mode}")
        return found
    for name in names:
        if name not in known:
            raise UsageFault(
                f"--incidents: no incident is named {name!r}{did_you_mean(name, known)} (see `harness incidents`)"
            )
        if mode not in known[name].modes:
            there = " or ".join(f"--mode {one}" for one in known[name].modes)
            raise UsageFault(
                f"--incidents {name}: it does not apply to a client in the mode {mode}; "
                + (f"run it with {there}" if there else f"`harness serve --incident {name}` reproduces it")
            )
    return [incident_case(known[name], base) for name in names]


def incident_case(incident: ClientIncident, base: Case) -> Case:
    """The case that plays an incident; `base` has what all cases of a run share."""
    return replace(
        base,
        plan=incident.plan,
        script=incident.script,
        refusal=incident.refusal,
        settings=incident.settings,
        kind="incidents",
        incident=incident.name,
        hopeless=incident.hopeless,
        speed=incident.speed,
    )
