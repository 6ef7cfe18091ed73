"""Verifies recordings: judges the traffic in files by the contract, and reports facts about the files.

Opens each file once. The facts are how the streams in a cassette ended, which entries were edited since, and what
looks like a secret. A recorded drop is a fact, never a finding. The pieces and times of an edited entry are only a
guess. A file that is not what it claims to be is a fault, whatever else is right in it.
"""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from harness.cassette import CassetteError, Hit, Recording, scan_file
from harness.cassette.har import decode_body, name_entry
from harness.cassette.layout import RESTORE, SUFFIXES, Layout, parse_all
from harness.cassette.redactor import SHORTEST_LEARNED
from harness.engine import events
from harness.engine.decide import Policy, decide, decide_finding, exit_of
from harness.engine.events import RecordedPlace, Result
from harness.errors import Unreadable
from harness.files import list_files, read_file
from harness.kit.api import ANSWERS, Answer, ApiContract, RecordingsApi, UnjudgedEntry, Verification
from harness.outcome import Exit, Finding, Observation, Rule, Verdict
from harness.outcome.words import format_count, list_some
from harness.wire import COMPLETE, Arrivals, Exchange, Length, StreamProtocol
from harness.wire.bodies import is_part_of_json, json_or_none

_REQUEST = ".request.json"
_SPLIT = "delete what follows its `---`, or put it in a file of its own"
_HIDDEN = "hidden: name it to judge it"


@dataclass(slots=True)
class Verified:
    """The result for all files. `unusable` pairs each file that is not what it claims to be with the reason.

    `notes` are facts about cassettes, and `revisions` counts the files that were judged by each revision.
    """

    traffic: Verification = field(default_factory=Verification)
    notes: list[str] = field(default_factory=list)
    unusable: list[tuple[str, str]] = field(default_factory=list)
    revisions: Counter[str] = field(default_factory=Counter)

    def add(self, other: Verified) -> None:
        """Add the result for further files."""
        own, new = self.traffic, other.traffic
        own.entries += new.entries
        own.judged = {kind: number + new.judged[kind] for kind, number in own.judged.items()}
        own.rules.update(new.rules)
        own.unrecognized += new.unrecognized
        own.unjudged += new.unjudged
        own.left_out += new.left_out
        own.findings += new.findings
        own.shown = new.shown | own.shown
        self.notes += other.notes
        self.unusable += other.unusable
        self.revisions.update(other.revisions)


def verify_each(
    paths: Iterable[Path], contract: ApiContract, api: RecordingsApi
) -> Iterator[tuple[Path, Verified]]:
    """Judge files, and in folders every file except hidden ones. Raises OSError if one cannot be read.

    A cassette that states a known revision is judged by that one, all other files by `contract`.
    """
    hidden: list[Path] = []
    for file in _list_named(paths, hidden, hidden=False):
        result = Verified()
        try:
            _verify(file, result, contract, api)
        except CassetteError as wrong:
            result.unusable.append((str(file), str(wrong).removeprefix(str(file)).lstrip(":, ")))
        except Unreadable as wrong:
            result.unusable.append((str(file), str(wrong)))
        yield file, result
    for path in sorted(hidden):
        why = _HIDDEN if path.name.startswith(".") else "no file: remove it"
        yield path, Verified(Verification(left_out=[UnjudgedEntry(str(path), "", why)]))


def verify(paths: Iterable[Path], contract: ApiContract, api: RecordingsApi) -> Verified:
    """Judge files as `verify_each` does; the results of all together."""
    whole = Verified()
    for _, part in verify_each(paths, contract, api):
        whole.add(part)
    return whole


def _verify(path: Path, result: Verified, contract: ApiContract, api: RecordingsApi) -> None:
    judge = api.new_file_judge(str(path), result.traffic, contract)
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        documents = parse_all(path, read_file(path))
        if any(map(_claims_to_be_a_cassette, documents)):
            if len(documents) > 1:
                raise CassetteError(f"{path}: {len(documents)} YAML documents, but a cassette is one: {_SPLIT}")
            _judge_cassette(path, documents[0], contract, result, api)
            return
        judge.documents(documents)
    elif suffix == ".json" and _claims_to_be_a_cassette(document := json_or_none(read_file(path))):
        _judge_cassette(path, document, contract, result, api)  # vcrpy's JSON serializer wrote it
        return
    else:
        is_request = path.name.lower().endswith(_REQUEST)
        beside = [path.with_name(path.name[: -len(_REQUEST)] + end) for end in ANSWERS if is_request]
        # The recorded answers that lie beside the file of a request.
        judge.judge(
            read_file(path), [Answer(read_file(one), one.suffix == ".json") for one in beside if one.is_file()]
        )
    result.revisions[contract.revision] += 1


def _claims_to_be_a_cassette(document: object) -> bool:
    return isinstance(document, Mapping) and "interactions" in document and "version" in document


def _judge_cassette(
    path: Path, document: Any, contract: ApiContract, result: Verified, api: RecordingsApi
) -> None:
    """Judge the readable entries of a cassette, then raise CassetteError for the first unreadable one."""
    layout = Layout(path)
    written = layout.check(document)
    entries = list(layout.readings(written))
    written.clear()  # the bodies of a long recording are not kept twice
    provenance = None
    with suppress(CassetteError):  # reported after its entries
        provenance = layout.provenance()
    stated = provenance.revision if provenance is not None else ""
    contract = api.load_stated_contract(stated, contract)
    result.revisions[contract.revision] += 1
    judge = api.new_file_judge(str(path), result.traffic, contract)
    exchanges = [_read_exchange(entry) for entry in entries]
    cut = sum(
        isinstance(one, Exchange) and not one.complete and one.status is not None and not one.is_stream
        for one in exchanges
    )
    judge.exchanges(name_entry(number, exchange) for number, exchange in enumerate(exchanges, 1))
    good = [(number, entry) for number, entry in enumerate(entries, 1) if isinstance(entry, Recording)]
    if provenance is not None and provenance.note:
        result.notes.append(f"note: {' '.join(provenance.note.split())}")
    if contract.revision != stated and stated:
        result.notes.append(f"it names the unknown revision {stated}")
    if edited := [str(number) for number, entry in good if entry.approximate]:
        entries_were = f"entry {edited[0]} was" if len(edited) == 1 else f"entries {list_some(edited, 6)} were"
        guess = "edited, or recorded without chunks: the boundaries of the chunks are a guess"
        result.notes.append(f"{entries_were} {guess}")
    endings = Counter(entry.ending.words for _, entry in good if not entry.complete)
    for ending, times in sorted(endings.items()):
        many = format_count(times, "response was", "responses were")
        result.notes.append(f"{many} dropped in the recording ({ending}), which breaks no rule")
    if cut:
        result.notes.append(f"{format_count(cut, 'dropped body', 'dropped bodies')} not judged")
    layout.provenance()
    for position, entry in enumerate(entries):
        if isinstance(entry, ValueError):
            raise layout.entry_error(position, entry)


def _read_exchange(entry: Recording | ValueError) -> Exchange | Unreadable:
    """An entry as judges read it, with its body decoded, or why that is impossible."""
    if isinstance(entry, ValueError):
        return Unreadable(str(entry))
    exchange = entry.exchange()
    try:
        body = decode_body(exchange.body, exchange.headers)
    except Unreadable as wrong:
        return wrong
    if not exchange.complete and exchange.status is not None:
        # Whole although it is recorded as dropped: as long as promised, or no part of JSON.
        is_whole = isinstance(exchange.framing, Length) and exchange.framing.size == exchange.size
        if is_whole or (not exchange.is_stream and not is_part_of_json(body)):
            exchange = replace(exchange, ending=COMPLETE)
    if body is exchange.body:
        return exchange
    whole = Arrivals(array("Q"), array("d"), 0)
    return replace(exchange, body=body, size=len(body), sha256=sha256(body).hexdigest(), arrivals=whole)


def _list_named(paths: Iterable[Path], left_out: list[Path], **which: bool) -> Iterator[Path]:
    """The files that are named, and those of the folders that are named, as `list_files` chooses them."""
    for path in paths:
        yield from list_files(path, left_out=left_out, **which) if path.is_dir() else (path,)


def secrets_in(
    paths: Iterable[Path], protocol: StreamProtocol, *, secrets: Collection[str] = ()
) -> tuple[int, list[tuple[str, Hit]], list[Path]]:
    """How many files were looked at, what looks like a secret in them, or is one of these, and what was left out.

    In folders that is every file, hidden ones too, but those that git, virtual environments and caches fill. The
    names of files are searched for `secrets`, too.
    """
    left_out: list[Path] = []
    files = [*_list_named(paths, left_out, of_tools=False)]
    hits = [(str(path), hit) for path in files for hit in scan_file(path, protocol, secrets=secrets)]
    named = [path for path in files if any(secret in str(path) for secret in secrets)]
    hits += [(str(path), Hit("known secret", "the name of the file")) for path in named]
    return len(files), hits, sorted(left_out)


# A run over recordings: judge the files one by one, then decide each rule that was looked at.
# Knows the order of things; must not know how anything is printed.


UNRECOGNIZED = "unrecognized"
"""The count of exchanges that are no call of the API."""
UNJUDGED = "unjudged"
"""The count of calls of the API that are left out, but for transfers of files."""
REVISION = "revision "
"""How the count of the files begins that were judged by a revision."""


def judge_recordings(
    paths: Sequence[Path], policy: Policy, recordings: events.TargetInfo, contract: ApiContract, api: RecordingsApi
) -> Generator[events.RunEvent, None, None]:
    """Judge files, and in folders every file except hidden ones. Raises OSError if one cannot be read."""
    begun = time.perf_counter()
    yield events.RunStarted(recordings)
    whole = Verified()
    for path, part in verify_each(paths, contract, api):
        whole.add(part)
        yield _finish_phase(path, part)
    results = _decide_rules(whole.traffic, policy, api.load_rules())
    yield events.Planned(len(results), 0)
    yield from map(events.CheckFinished, results)
    code = exit_of(results)
    if whole.unusable and code in (Exit.OK, Exit.NOTHING_RAN):
        code = Exit.USAGE  # such a file is no broken rule, but its name claims a recording
    holes = [
        f"{file} is not a readable recording: {reason.removesuffix(f': {RESTORE}')}: {RESTORE}"
        for file, reason in whole.unusable[:5]
    ]
    if (more := len(whole.unusable) - len(holes)) > 0:
        holes.append(f"{format_count(more, 'more file')} cannot be read (the JSON report names all)")
    yield events.RunFinished(tuple(results), time.perf_counter() - begun, code, holes=tuple(holes))


def _finish_phase(path: Path, part: Verified) -> events.PhaseFinished:
    traffic = part.traffic
    left_out: dict[str, list[str]] = {}
    for _, entry, reason in traffic.left_out:
        left_out.setdefault(reason, []).append(entry)
    return events.PhaseFinished(
        name=str(path),
        counts={
            "entries": traffic.entries,
            UNRECOGNIZED: traffic.unrecognized,
            UNJUDGED: traffic.unjudged,
            **traffic.judged,
            **{f"{REVISION}{revision}": files for revision, files in part.revisions.items()},
        },
        findings=len(traffic.findings),
        notes=tuple(part.notes),
        vacuous=tuple(reason for _, reason in part.unusable),
        left_out={reason: tuple(names) for reason, names in left_out.items()},
        keys=tuple(sorted(key for key in traffic.keys if len(key) >= SHORTEST_LEARNED)),
    )


def _decide_rules(traffic: Verification, policy: Policy, rules: Mapping[str, Rule]) -> list[Result]:
    """A result for each rule that was looked at, in the order of the contract."""
    times = Counter(finding.kind() for finding in traffic.findings if finding.subject)
    found: dict[str, list[tuple[int, Finding]]] = {}
    number = 0
    for finding in traffic.findings:  # those of one subject are told once, where it is first met, with a count
        met = times.pop(finding.kind(), 0) if finding.subject else 1
        if met:
            found.setdefault(finding.rule, []).append((number, finding.repeat(met)))
            number += 1

    def decide_rule(rule: Rule) -> Result:
        shown, streams = traffic.shown.get(rule.id, (None, ()))
        places = tuple(
            RecordedPlace(
                number,
                finding.where,
                decide_finding(finding, rule, policy),
                streams if finding.where == shown else (),
            )
            for number, finding in found.get(rule.id, ())
        )
        observation = Observation.of(finding for _, finding in found.get(rule.id, ()))
        return decide(rule, observation, policy, show=lambda as_: () if as_ is Verdict.EXCLUDED else places)

    return [decide_rule(rule) for rule in rules.values() if rule.id in found or traffic.rules[rule.id]]
