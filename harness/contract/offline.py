"""Judges recorded traffic: what `harness verify` does. Nothing is sent.

Layer 1; reads the files it is given. Everything ends in one of two lists: judged, or left out with the reason.
Recordings of the generation before steps are recognised and left out: they were right in their time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.contract import json_read
from harness.contract.body import is_legacy, judge_interaction
from harness.contract.errors import error_of, judge_error
from harness.contract.history import judge_history
from harness.contract.protocol import COLLECTION
from harness.contract.reading import read
from harness.contract.recorded import Unreadable, exchanges_in, load_yaml
from harness.contract.schemas import load
from harness.contract.stream import StreamJudge
from harness.contract.stream_reading import StreamReading
from harness.outcome import Finding, Where
from harness.wire import Exchange, Frame

LEGACY = "of the `outputs` generation, which the service removed in June 2026"
_LEGACY_EVENTS = frozenset(
    {"interaction.start", "interaction.complete", "content.start", "content.delta", "content.stop"}
)
_READ = 1024 * 1024
_ANSWERS = (".json", ".sse", ".events.jsonl")


@dataclass(slots=True)
class Verification:
    """What was looked at and what was found; `left_out` pairs a file with the reason."""

    judged: dict[str, int] = field(default_factory=lambda: {"streams": 0, "bodies": 0, "requests": 0})
    left_out: list[tuple[str, str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def verify(paths: Iterable[Path]) -> Verification:
    """Judge files, and in folders every file but hidden ones. Raises OSError when one cannot be read."""
    result = Verification()
    for path in paths:
        for file in _files(path):
            _File(file, result).judge()
    return result


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for file in sorted(path.rglob("*")):
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts):
            yield file


class _File:
    """One file on its way into a verification."""

    def __init__(self, path: Path, result: Verification) -> None:
        self._path = path
        self._result = result

    def judge(self) -> None:
        name = self._path.name
        try:
            if name.endswith(".sse"):
                self._stream(_judge_bytes(self._path))
            elif name.endswith(".events.jsonl"):
                self._stream(_judge_lines(self._path.read_bytes()))
            elif name.endswith(".request.json"):
                self._request_file()
            elif name.endswith((".json", ".har")):
                self._json(_json(self._path.read_bytes()))
            elif name.endswith((".yaml", ".yml")):
                self._documents(load_yaml(self._path.read_bytes()))
            else:
                self._leave_out("not a kind of file that holds recorded traffic")
        except Unreadable as wrong:
            self._leave_out(str(wrong))

    def _leave_out(self, reason: str) -> None:
        self._result.left_out.append((str(self._path), reason))

    def _found(self, kind: str, findings: Iterable[Finding], exchange: str = "") -> None:
        self._result.judged[kind] += 1
        self._add(findings, exchange)

    def _add(self, findings: Iterable[Finding], exchange: str = "") -> None:
        for finding in findings:
            place = {"exchange": exchange} if exchange else {}
            self._result.findings.append(finding.at(file=str(self._path), **place))

    def _stream(self, reading: StreamReading) -> None:
        if _is_legacy_stream(reading):
            self._leave_out(f"a stream {LEGACY}")
        else:
            self._found("streams", reading.findings)

    def _json(self, value: Any) -> None:
        exchanges = exchanges_in([value])
        if exchanges is not None:
            self._exchanges(exchanges)
        elif is_legacy(value):
            self._leave_out(f"a body {LEGACY}")
        elif error_of(value) is not None:
            self._found("bodies", judge_error(value, None))
        elif _looks_like_one(value):
            self._found("bodies", judge_interaction(value))
        else:
            self._leave_out("JSON, but neither an interaction, an error body, a cassette nor a HAR file")

    def _request_file(self) -> None:
        reason = self._why_no_request()
        if reason:
            self._leave_out(reason)
        else:
            self._found("requests", _judge_request(_json(self._path.read_bytes())))

    def _why_no_request(self) -> str:
        """A request is judged unless the answer beside it shows that it was refused or is history."""
        stem = self._path.name.removesuffix(".request.json")
        for answer in (self._path.with_name(stem + suffix) for suffix in _ANSWERS):
            if answer.is_file():
                data = answer.read_bytes()
                value = json_read.loads(data).value if answer.suffix == ".json" else None
                if is_legacy(value) or any(f'"{kind}"'.encode() in data for kind in _LEGACY_EVENTS):
                    return f"the request of an answer {LEGACY}"
                if error_of(value) is not None:
                    return "a request that was refused"
        return ""

    def _documents(self, documents: list[Any]) -> None:
        exchanges = exchanges_in(documents)
        if exchanges is None:
            self._leave_out("YAML, but no cassette")
        else:
            self._exchanges(exchanges)

    def _exchanges(self, exchanges: list[tuple[str, Exchange]]) -> None:
        judged = []
        for name, exchange in exchanges:
            reason = _why_not(exchange)
            if reason:
                self._leave_out(f"{name}: {reason}")
            else:
                self._exchange(name, exchange)
                judged.append((name, exchange))
        self._add(judge_history(judged))

    def _exchange(self, name: str, exchange: Exchange) -> None:
        reading = read(exchange)
        request = exchange.request
        accepted = exchange.status is not None and exchange.status < 300
        if accepted and request.method == "POST" and request.segments[-1:] == (COLLECTION,):
            self._found("requests", _judge_request(json_read.loads(request.body).value), name)
        if reading.stream is not None:
            self._found("streams", reading.findings, name)
        elif exchange.body:
            self._found("bodies", reading.findings, name)


def _looks_like_one(value: Any) -> bool:
    """Whether JSON without its request is an interaction, also one that lacks a field it must have."""
    if not isinstance(value, Mapping):
        return False
    names = value.keys()
    return (
        value.get("object") == "interaction"
        or ("steps" in names and bool(names & {"id", "status", "usage", "model"}))
        or ("status" in names and bool(names & {"id", "usage"}))
    )


def _why_not(exchange: Exchange) -> str:
    """Why a recorded exchange is not judged, "" when it is."""
    request, reading = exchange.request, read(exchange)
    if COLLECTION not in request.segments:
        return f"{request.method} {request.raw_path} is no call of the Interactions API"
    if reading.stream is not None and _is_legacy_stream(reading.stream):
        return f"a stream {LEGACY}"
    return f"a body {LEGACY}" if is_legacy(reading.json) else ""


def _judge_bytes(path: Path) -> StreamReading:
    judge = StreamJudge()
    with path.open("rb") as stream:
        while data := stream.read(_READ):
            judge.feed(data)
    return judge.finish()


def _judge_lines(data: bytes) -> StreamReading:
    """One payload a line, the framing lost: its rules do not apply. Spans are those of the lines."""
    judge = StreamJudge(framed=False)
    judge.frames(_frames(data))
    return judge.finish()


def _frames(data: bytes) -> Iterator[Frame]:
    start = 0
    for line in data.splitlines(keepends=True):
        if line.strip():
            yield Frame(line.strip(), None, None, start, start + len(line))
        start += len(line)


def _is_legacy_stream(reading: StreamReading) -> bool:
    return bool(_LEGACY_EVENTS & reading.counts.keys()) and not reading.counts.get("step.start")


def _judge_request(value: Any) -> list[Finding]:
    problems = load().validator("requests/create-interaction", closed=True).problems(value)
    return [
        Finding(
            "request.schema", problem.message, problem.expected, problem.actual, Where(pointer=problem.pointer)
        )
        for problem in problems
    ]


def _json(data: bytes) -> Any:
    read_ = json_read.loads(data)
    if read_.fault not in ("", "surrogate"):
        raise Unreadable(f"not JSON: {read_.detail}")
    return read_.value
