"""Recordings in words: the content of one, the changes between two, and the result of a session.

The shapes of the data are published in `schemas/output/diff.schema.json` and `record-scenarios.schema.json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TextIO
from urllib.parse import unquote

from harness.benches.record.diff import ABSENT, TIME, Drift, Drifts, Seen, SeenIn, parent_of
from harness.benches.record.session import NOT_BEGUN, Recorded, RecordingSession, ScenarioState
from harness.cassette import Recording
from harness.cassette.redactor import Redactor
from harness.engine.events import format_refusal
from harness.outcome import FIRST_WORDS, Exit, Severity
from harness.outcome.words import format_count, list_some
from harness.report.screen import Line, Role, Screen
from harness.wire import Exchange, Headers, StreamProtocol
from harness.wire.bodies import json_or_none
from harness.wire.mask import Mask
from harness.wire.message import escape_controls


def drift_lines(drifts: Drifts) -> Iterator[Line]:
    """The drifts by cassette, then exchange, then subtree; one sentence for each subtree. Shape comes first."""
    blocks: dict[tuple[SeenIn, ...], list[Drift]] = {}
    for drift, places in drifts.shape.items():
        blocks.setdefault(tuple(dict.fromkeys(places)), []).append(drift)
    for wheres, group in blocks.items():
        indent = ""
        for names in ([where.file for where in wheres], [where.exchange for where in wheres]):
            if any(names):
                yield Line(escape_controls(f"{indent}{_join_names(names)}"), Role.HEADING)
                indent += "  "
        for line in describe_subtrees(group):
            yield _write_drift(f"{indent}structure  ", line, Role.FAILED)
    yield from (_write_drift("content    ", line, Role.QUIET) for line in _content_lines(drifts))
    if folded := escape_controls(_fold_volatile(drifts)):
        yield Line(f"content    {folded}", Role.QUIET, hang=11)
    for why, seen in drifts.unread.items():
        text = escape_controls(f"not read   {why}  [{_join_names(map(str, seen))}]")
        yield Line(text, Role.NOT_TESTED, hang=11)


def _write_drift(label: str, line: str, role: Role) -> Line:
    """A label in this role, and a sentence that begins with the place of a drift."""
    text = escape_controls(line)
    return Line(label + text, hang=len(label), parts=[(len(label), role), (text.find(": ") + 1, Role.ID)])


def describe_subtrees(drifts: Iterable[Drift]) -> Iterator[str]:
    """A sentence for each object or list whose members differ; a single difference keeps its own."""
    trees: dict[str, list[Drift]] = {}
    for drift in drifts:
        trees.setdefault(parent_of(drift.place) or drift.place, []).append(drift)
    for parent, members in trees.items():
        if len(members) == 1:
            yield str(members[0])
            continue
        parts = {"removed": list[str](), "added": list[str]()}
        changed = []
        for drift in members:
            name = drift.place.removeprefix(parent).lstrip(".")
            if drift.after == ABSENT:
                parts["removed"].append(name)
            elif drift.before == ABSENT:
                parts["added"].append(f"{name} ({drift.after})")
            else:
                changed.append(f"{name} {drift.change}")
        lists = [f"{word} {list_some(names, 6)}" for word, names in parts.items() if names]
        yield f"{parent}: {'; '.join((*changed, *lists))}"


def _content_lines(drifts: Drifts) -> Iterator[str]:
    """Content by subtree, each place once; what differs in any two recordings is one line."""
    places: dict[str, list[Drift]] = {}
    seen: dict[str, dict[SeenIn, None]] = {}
    for drift, wheres in drifts.content.items():
        if not drift.is_volatile:
            places.setdefault(drift.place, []).append(drift)
            seen.setdefault(drift.place, {}).update(dict.fromkeys(wheres))
    blocks: dict[tuple[SeenIn, ...], list[Drift]] = {}
    for place, found in places.items():
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        shown = replace(found[0], after=found[0].after + more)
        blocks.setdefault(tuple(seen[place]), []).append(shown)
    for where_all, group in blocks.items():
        exchanges = _join_names(where.exchange for where in where_all)
        files = {where.file for where in where_all} - {""}
        place = f"{exchanges} of {format_count(len(files), 'cassette')}" if files else exchanges
        yield from (f"{line}  [{place}]" for line in describe_subtrees(group))


def _fold_volatile(drifts: Drifts) -> str:
    """One line for all that differs in any two recordings; "" if nothing does."""
    if not (places := drifts.content_places(volatile=True)):
        return ""
    fields = f"{format_count(len(places), 'field')} differ{'s' if len(places) == 1 else ''}"
    return f"{fields} in any two recordings (ids, times, signatures, sizes): {list_some(places, 3)}"


def _join_names(names: Iterable[str]) -> str:
    return list_some(list(dict.fromkeys(names)), 3)


def drift_totals(drifts: Drifts) -> str:
    """How many exchanges were compared, and in how many places of each kind they differ."""
    places = f"{len(drifts.shape)} in structure, {len(drifts.content_places(volatile=False))} in content"
    return f"compared {format_count(drifts.compared, 'exchange')}; differences: {places}"


def drift_record(drifts: Drifts) -> dict[str, Any]:
    """The comparison as plain data; the caller adds where the recordings are."""
    return {
        "compared": drifts.compared,
        "shape": _record_all(drifts.shape),
        "content": _record_all(drifts.content),
        "unread": [
            {"why": why, "exchanges": [where.exchange for where in seen]} for why, seen in drifts.unread.items()
        ],
    }


def _record_all(drifts: Seen) -> list[dict[str, Any]]:
    return [
        {
            "place": drift.place,
            "before": drift.before,
            "after": drift.after,
            "exchanges": [where.exchange or where.file for where in seen],
            "cassettes": list(dict.fromkeys(where.file for where in seen if where.file)),
        }
        for drift, seen in drifts.items()
    ]


def exit_of_drifts(drifts: Drifts) -> Exit:
    """The exit code of a comparison."""
    if drifts.shape:
        return Exit.FAILED
    if drifts.unread:
        return Exit.INCOMPLETE
    return Exit.OK if drifts.compared else Exit.NOTHING_RAN


def write_headline(drifts: Drifts) -> str:
    """The result of a comparison, as a sentence."""
    if drifts.empty:
        return f"{drifts.empty!r} contains no recording: name a cassette of `harness record`, or a folder of them."
    if not drifts.compared:
        return "The recordings have no exchange in common: compare recordings of the same requests."
    compared, differing = format_count(drifts.compared, "exchange"), len(drifts.shape)
    if differing:
        verb = "differs" if differing == 1 else "differ"
        parts = f"{format_count(differing, 'part')} of the structure {verb}"
        return f"{parts} ({compared} compared).{_tell_unread(drifts)}"
    if drifts.unread:
        return f"No difference was found in {compared}.{_tell_unread(drifts)}"
    return f"{compared} {'has' if drifts.compared == 1 else 'have'} the same structure."


def _tell_unread(drifts: Drifts) -> str:
    """How many bodies could not be compared, and what to do, as a further sentence; "" if all were."""
    if not (count := sum(map(len, drifts.unread.values()))):
        return ""
    bodies = format_count(count, "body", "bodies")
    return f" {bodies} could not be read ({next(iter(drifts.unread))}): record with identity, gzip or deflate."


def write_verdict(drifts: Drifts) -> str:
    """The last line in a terminal."""
    headline = write_headline(drifts)
    return f"{FIRST_WORDS[exit_of_drifts(drifts)]}: {headline[0].lower()}{headline[1:]}"


# One cassette as text for `git diff`: indented bodies, one event a line, real characters.


_BLOCK = re.compile(r"(?:\r\n|\n|\r)(?:\r\n|\n|\r)+")
_LINE = re.compile(r"\r\n|\n|\r")
_PART = re.compile(r"[^/?&=]+")
_CHANGING = frozenset(
    {"accept-encoding", "host", "date", "content-length", "user-agent", "server-timing", "connection"}
)
"""Headers that differ from one recording or recorder to the next and say nothing of the API."""


def describe_cassette(recordings: Iterable[Recording], protocol: StreamProtocol) -> Iterator[str]:
    """The lines of a cassette, without the secrets that it may hold; ids and times have fixed names."""
    values = _Values(protocol)
    redactor = Redactor(protocol)
    for number, recording in enumerate(map(redactor.redact, recordings), 1):
        request = recording.request
        yield from ([""] if number > 1 else [])
        yield f"{number}. {request.method} {values.name_path(request.target)}"
        yield from _describe_headers(request.headers)
        yield from _describe_body(request.body, values, is_stream=False)
        yield f"   {recording.status or 'no response'} {recording.reason}".rstrip()
        yield from _describe_headers(recording.headers)
        yield from _describe_body(recording.body, values, is_stream=recording.events)
        yield f"   ends: {recording.ending.words}"


def _describe_headers(headers: Headers) -> Iterator[str]:
    # Recorders spell names in their own way; vcrpy sorts them.
    for plain, value in sorted(((name.lower(), value) for name, value in headers), key=lambda pair: pair[0]):
        if not (plain in _CHANGING or plain.endswith("-api-client")):
            yield f"   {plain}: {value}"


def _describe_body(body: bytes, values: _Values, *, is_stream: bool) -> Iterator[str]:
    if not body:
        return
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        yield f"     {len(body):,} bytes that are not text"
        return
    if is_stream:
        for block in filter(None, _BLOCK.split(text)):
            fields = (_describe_field(line, values) for line in filter(None, _LINE.split(block)))
            yield f"     {'  '.join(fields)}"
        return
    value = json_or_none(body)
    if value is not None:
        text = json.dumps(values.name(value), ensure_ascii=False, indent=2)
    yield from (f"     {line}" for line in text.splitlines())


def _describe_field(line: str, values: _Values) -> str:
    """A line of an event; JSON in it with real characters."""
    name, colon, text = line.partition(":")
    text = text.removeprefix(" ")
    if name == "data" and (value := json_or_none(text.encode("utf-8"))) is not None:
        text = json.dumps(values.name(value), ensure_ascii=False)
    elif name == "id":
        text = values.name_id(text)
    return f"{name}{colon} {text}".rstrip() if name else line


class _Values:
    """Names values that change with each recording by the order in which they first occur."""

    def __init__(self, protocol: StreamProtocol) -> None:
        self._ids: dict[str, str] = {}
        self._id_fields = protocol.id_fields
        self._opaque = protocol.opaque_fields

    def name_id(self, text: str) -> str:
        return self._ids.setdefault(text, f"<id {len(self._ids) + 1}>")

    def name_path(self, path: str) -> str:
        """The path with the names of the ids that occurred before."""
        return _PART.sub(lambda part: self._ids.get(unquote(part[0]), part[0]), path)

    def name(self, value: Any, field: str = "") -> Any:
        """The value with those names, and without times and opaque texts."""
        match value:
            case dict():
                return {key: self.name(item, key) for key, item in value.items()}
            case list():
                return [self.name(item, field) for item in value]
            case str() if field in self._opaque and value:
                return f"<{field}>"
            case str() if field in self._id_fields and value:
                return self.name_id(value)
            case str() if TIME.fullmatch(value):
                return "<time>"
        return value


# A session that records scenarios: text while it runs, and the session as plain data. Color and the progress line
# appear only on a terminal. Texts of a target are masked before they are shown.


_ROLES = {
    ScenarioState.UNFAITHFUL: Role.NOT_TESTED,
    ScenarioState.REFUSED: Role.FAILED,
    ScenarioState.FAILED: Role.FAILED,
    ScenarioState.STOPPED: Role.WARNED,
    ScenarioState.UNSUPPORTED: Role.QUIET,
}


class RecordingReport:
    """Writes to `out` during a session: one line per scenario, and below it what a person should look at."""

    def __init__(self, out: TextIO, mask: Mask, *, colour: bool = False) -> None:
        self._out = out
        self._screen = Screen(out, colour=colour)
        self._mask = mask
        self._told: set[str | Drift] = set()

    def begin(self, name: str, number: int, count: int) -> None:
        self._screen.draw(f"[{number}/{count}] {name} …")

    def wait(self, seconds: float, rejection: Exchange) -> None:
        self._write_line(f"waiting {seconds:g} s, as the target requests: {format_refusal(rejection)}")

    def result(self, result: Recorded) -> None:
        """Report the result of a scenario. What an earlier one showed, too, is counted but not shown again."""
        if result.reason == NOT_BEGUN:
            return
        texts = dict.fromkeys(f"{finding.rule} {finding.message}" for finding in result.findings)
        new = [text for text in texts if text not in self._told]
        drifts = [drift for drift in (result.drifts.shape if result.drifts else ()) if drift not in self._told]
        self._told.update(new, drifts)
        new += [f"structure  {line}" for line in describe_subtrees(drifts)]
        usual = Role.FAILED if result.is_news else Role.PASSED
        state = self._screen.paint(_ROLES.get(result.state, usual), result.state)
        self._write_line(_write_details(result), before=f"{result.name}: {state}")
        for text in new:
            self._write_line(f"  {text}")
        for path in result.left:
            self._write_line(f"  left behind (its deletion failed): {path}")

    def end(self, session: RecordingSession, results: Sequence[Recorded], wanted: Sequence[str]) -> None:
        """Write the totals and, if something is missing, how to record it."""
        there = [result.name for result in results if result.state is ScenarioState.RECORDED]
        self._write_line(
            f"{len(there)} of {len(wanted)} scenarios recorded in {session.folder}; "
            f"{format_count(session.spent, 'request')} sent"
        )
        unable = {result.name for result in results if result.state is ScenarioState.UNSUPPORTED}
        if missing := [name for name in wanted if name not in unable.union(there)]:
            self._write_line(f"missing; repeat the command for these: --send {' '.join(missing)}")
        if not there:
            self._write_line(
                f"help: `harness check {session.target.info.url} --profile smoke` lists what is missing"
            )

    def conclude(self, results: Sequence[Recorded], wanted: int, code: Exit) -> None:
        """Write the verdict: the first word of the exit code, and what decided it."""
        parts = (
            (sum(result.breaks_contract for result in results), "broke a rule"),
            (sum(bool(result.drifts and result.drifts.shape) for result in results), "drifted in structure"),
            (wanted - sum(result.state is ScenarioState.RECORDED for result in results), "not recorded"),
        )
        said = ", ".join(f"{number} {words}" for number, words in parts if number)
        self._write_line(f"{FIRST_WORDS[code]}: {format_count(wanted, 'scenario')}, {said or 'all recorded'}.")

    def _write_line(self, text: str, *, before: str = "") -> None:
        """Write one line; `text` is masked and made safe for a terminal, `before` is our own."""
        self._screen.line(before + self._mask.show(text))
        self._out.flush()  # a session takes minutes, and a person may follow the log


def _write_details(result: Recorded) -> str:
    parts = [format_count(result.exchanges, "exchange")] if result.exchanges else []
    if result.reason:
        parts.append(result.reason)
    notes = sum(finding.severity is Severity.INFORMATION for finding in result.findings)
    counts = ((len(result.findings) - notes, "finding"), (notes, "note"))
    parts += [format_count(number, word) for number, word in counts if number]
    if result.drifts is not None:
        shape = len(result.drifts.shape)
        parts.append(format_count(shape, "structural drift") if shape else "no structural drift")
        if unread := sum(map(len, result.drifts.unread.values())):
            parts.append(f"{format_count(unread, 'body', 'bodies')} not compared")
    elif result.had_predecessor:
        parts.append("the older recording stays")
    return "".join(f", {part}" for part in parts)


def session_record(session: RecordingSession, results: Sequence[Recorded], mask: Mask) -> dict[str, Any]:
    """The session as data."""
    return {
        "target": mask.text(session.target.info.url),
        "class": str(session.provenance.target),
        "folder": str(session.folder),
        "requests": session.spent,
        "scenarios": [
            mask.tree(
                {
                    "name": result.name,
                    "state": str(result.state),
                    "reason": result.reason,
                    "exchanges": result.exchanges,
                    "findings": [
                        {"exchange": finding.where.exchange, "rule": finding.rule, "message": finding.message}
                        for finding in result.findings
                    ],
                    "drifts": None if result.drifts is None else drift_record(result.drifts),
                    "left": list(result.left),
                }
            )
            for result in results
        ],
    }
