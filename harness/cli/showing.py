"""`harness verify FILE --open`: the inspector with the exchanges of a report or a cassette.

Sends no request.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import convert

from harness.cli.common_options import contract_of
from harness.cli.guarding import access
from harness.cli.inspecting import ShowsPage, new_inspector, serve_with_page
from harness.outcome import Finding, UsageFault
from harness.outcome.words import format_count

if TYPE_CHECKING:
    from harness.wire import Exchange, Request, Response


def show_file(path: Path, arguments: ShowsPage, revision: str | None) -> int:
    """Serve the inspector with the exchanges of a file on a free port of this machine, until the user stops it."""
    from harness.cli.output import FORMATS
    from harness.contract import PROTOCOL
    from harness.transport import ServerThread
    from harness.wire import Response

    is_report = any(path.suffix.lower() in entry.suffixes for entry in FORMATS.values())
    exchanges = list(_read_report(path) if is_report else _read_cassette(path))
    granted = access("127.0.0.1")
    inspector = new_inspector(
        arguments, granted, contract_of(revision), command="verify", target=None,
        facts={"words": f"These are requests of {path}; nothing is sent.", "target": path.name, "past": True},
    )  # fmt: skip
    inspector.traffic.is_open = True
    # A stream of a million events takes longer than a person waits for the page, which grows meanwhile.
    reading = threading.Thread(target=inspector.show, args=(exchanges,), daemon=True)
    reading.start()
    reading.join(timeout=1.0)

    def refuse(request: Request) -> Response:
        message = f"harness verify shows {path.name} and serves nothing else: run harness replay for that."
        return Response.json(404, PROTOCOL.error_body(404, "not_found", message))

    server = ServerThread(inspector.around(granted.guard.around(refuse)))
    return serve_with_page(
        server,
        arguments,
        granted,
        inspector,
        welcome=lambda url: f"showing {format_count(len(exchanges), 'request')} of {path}",
        environment=lambda url: {},  # no command runs beside it
    )


def _read_cassette(path: Path) -> Iterator[tuple[Exchange, Sequence[Finding]]]:
    from harness.cassette import load

    cassette = load(path)
    if not cassette.recordings:
        raise UsageFault(f"{path} contains no recordings to show: name a cassette of `harness record`")
    yield from ((recording.exchange(), ()) for recording in cassette.recordings)


def _read_report(path: Path) -> Iterator[tuple[Exchange, Sequence[Finding]]]:
    """The exchanges of the failures in a report, each with the findings about it."""
    from harness.report.side_by_side.run_file import kind_of, read_record

    record = read_record(path)
    kind = kind_of(record, path)
    try:
        failures = [item for item in record.get("checks", ()) if item.get("wire")]
        found = [pair for item in failures for pair in _read_failure(item)]
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise UsageFault(
            f"{str(path)!r} is not a whole report of `harness {kind}` ({type(wrong).__name__}: {wrong}): "
            "write it again with --report json=FILE"
        ) from None
    if not found:
        raise UsageFault(
            f"{str(path)!r}, a report of `harness {kind}`, has no failure with requests: name one "
            "of a failed `harness check`, from --report json=FILE"
        )
    yield from found


def _read_failure(item: Mapping[str, Any]) -> Iterator[tuple[Exchange, Sequence[Finding]]]:
    wire = item["wire"]
    named = {one["name"] for one in wire if one["name"]}
    for number, one in enumerate(wire):
        is_last = number == len(wire) - 1
        about = [
            finding
            for finding in item["findings"]
            if (place := finding.get("where", {}).get("exchange", "")) == one["name"] != ""
            or (is_last and place not in named)
        ]
        yield _read_exchange(one), convert(about, list[Finding])


def _read_exchange(record: Mapping[str, Any]) -> Exchange:
    from harness.wire import At, By, Chunk, Ending, ExchangeBuilder, Headers, How, Request, UntilClose
    from harness.wire.message import TOKEN, is_sendable

    method, target = str(record["method"]), str(record["target"])
    if TOKEN.fullmatch(method) is None or re.search(r"[\0-\x20\x7f]", target):
        raise ValueError(f"no client sends {method[:60]!r} {target[:60]!r}")
    headers = Headers([(str(name), str(value)) for name, value in record["request_headers"]])
    if odd := next((name for name, value in headers if not is_sendable(name, value)), None):
        raise ValueError(f"no client sends the header {odd[:60]!r}")
    request = Request(method, target, headers, str(record["request_body"]).encode())
    builder = ExchangeBuilder(request)
    if record["status"] is not None:
        given = Headers([(str(name), str(value)) for name, value in record["headers"]])
        builder.head(int(record["status"]), given, UntilClose())
        builder.chunk(Chunk(str(record["body"]).encode()), 0.0)
    by, how, at = record["ending"]
    return builder.finish(Ending(by=By(by), how=How(how), at=At(at)), 0.0)
