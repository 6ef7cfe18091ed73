"""A recorder: clients in any language talk to its address, and what the target answers ends up in a cassette.

Combines tap, cassette and player according to vcrpy's record modes; must not know how bytes pass or how files are
written. A finished exchange is on the disk before its client gets the last byte, unless it is so large that the
tap does not make the client wait.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from harness.benches.record.provenance import provenance_of
from harness.cassette import CassetteError, CassetteFile, Player, Provenance, Recording, load
from harness.cassette.player import answer_from
from harness.cassette.stored_bytes import Spool
from harness.files import make_folder
from harness.kit.api import Api
from harness.kit.wrong_call import explain_refusal, explain_wrong_url
from harness.outcome import UsageFault
from harness.outcome.words import list_some
from harness.transport import ServerThread
from harness.transport.client.origin import refuse_itself
from harness.transport.http1.reader import RECORDED_BYTES
from harness.transport.proxy import UpstreamServer
from harness.transport.server.server import InThread, WaitingServer
from harness.transport.tap.exchange_tracker import STOPPED
from harness.transport.tap.tap import OwnPage, Tap
from harness.wire import By, Exchange, Request, Response, Service
from harness.wire.addresses import find_in_body
from harness.wire.message import AnswerObserver

_SILENT_SECONDS = 1.5
"""After two seconds without a line, people think that a program hangs; a busy machine prints it late."""


@dataclass(slots=True)
class Summary:
    """The result of a recorder's run.

    `replaced` counts redacted secrets by kind. `unrecorded` lists what is missing and why. `unanswered` names
    requests without a response; they are recorded too, unless none had a response: these are
    `discarded`, because a file of them would be replayed the next time. `stopped` names requests whose answers
    were still coming at the end. `unsaved` is the remark that all of it is in the part file, and why.
    """

    cassette: str
    mode: str
    recorded: int = 0
    discarded: int = 0
    played: int = 0
    hung_up: int = 0
    replaced: Counter[str] = field(default_factory=Counter)
    unrecorded: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)
    interrupted: str = ""
    unsaved: str = ""
    remarks: list[str] = field(default_factory=list)

    @property
    def passed(self) -> int:
        """The number of exchanges, wherever their responses came from."""
        return self.recorded + self.discarded + self.played + len(self.unrecorded) + len(self.misses)


class Window(OwnPage, Protocol):
    """Sees what passes, and has a page of its own: an inspector."""

    def observe(self, request: Request) -> AnswerObserver | None:
        """The observer of the response to a request; None if none is registered."""

    def around(self, service: Service) -> Service:
        """The service with the page at its root, and with its answers observed."""


class Recorder:
    """A context manager; `url` is for the clients, `summary` is complete after the exit.

    `mode` is vcrpy's: `all` records again, `once` records if there is no file else only replays, `none` only
    plays, `new_episodes` plays what is there and records the rest. With `all`, or if there is no file yet, clients
    are connected directly to the tap. Exchanges that are not `wanted` pass unrecorded. So do bodies that are too
    large, and what cannot be recorded; `warn` is called with these at once, and `hear` with each request before
    any message about it. `no_answer` is called with the requests that the target does not answer, and `tell` more
    often than every two seconds while the end of a large recording is written.
    `encoding` replaces the clients' Accept-Encoding; without it, codings are removed that cannot be decoded here.
    `secrets` are values to hide that are known from the start. `window` sees what passes and has a page of its
    own. The summary names what cannot be written. Raises CassetteError and UsageFault.
    """

    def __init__(
        self,
        target: str,
        path: Path,
        api: Api,
        *,
        mode: str = "once",
        host: str = "127.0.0.1",
        port: int = 0,
        encoding: str | None = None,
        ca_file: str | None = None,
        redact: bool = True,
        like: Path | None = None,
        secrets: Iterable[str] = (),
        provenance: Provenance | None = None,
        wanted: Callable[[Exchange], bool] = lambda exchange: True,
        warn: Callable[[str], object] = lambda reason: None,
        no_answer: Callable[[str], object] = lambda what: None,
        hear: Callable[[Request], object] = lambda request: None,
        tell: Callable[[str], object] = lambda progress: None,
        window: Window | None = None,
    ) -> None:
        refuse_itself(target, host, port)
        self._wanted = wanted
        self._no_answer = no_answer
        self._tell = tell
        self._target = target
        self._path = path
        self._protocol = protocol = api.load_protocol()
        self._address: dict[str, Any] = {"host": host, "port": port}
        self._hear = hear
        self._tapping: dict[str, Any] = {
            "encoding": encoding or "",
            "ca_file": ca_file,
            "most": RECORDED_BYTES,
            "spool": partial(Spool, path.parent),  # where there must be room for it anyway
            "warn": warn,
            "hear": hear,
        }
        self._window = window
        self.adds = mode in ("all", "new_episodes") or (mode == "once" and not path.exists())
        """Whether anything can be recorded, given the mode and the existing file."""
        made = provenance or (provenance_of(target, api, ca_file=ca_file) if self.adds else None)
        self._file = CassetteFile(
            path, protocol, mode=mode, provenance=made, redact=redact, secrets=secrets, like=like
        )
        self._stack = ExitStack()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="harness-recorder")
        """One thread: the file has the exchanges in the order in which they ended."""
        self._lock = threading.Lock()
        self._named: dict[str, str] = {}
        self._tap: Tap | None = None
        self._player: Player | None = None
        self.url = ""
        self.summary = Summary(str(path), mode)

    def __enter__(self) -> Recorder:
        if self.adds:
            prepare_folder(self._path.parent)
        with ExitStack() as stack:
            window, waiting = self._window, dict[str, Any]()
            front = self.summary.mode == "new_episodes" and self._path.exists()
            stack.enter_context(self._file)
            stack.callback(self._discard_unless_answered)
            stack.callback(self._writer.shutdown)
            if not self.adds:
                self._player = Player(load(self._path).recordings, self._protocol)
                player = self._player if window is None else _behind(window, self._player)
                self.url = stack.enter_context(ServerThread(player, **self._address, hear=self._hear)).url
            elif front:
                service = self._play_known_or_ask(UpstreamServer(self._listen(stack, {})))
                if window is not None:
                    service = _behind(window, service)
                    waiting["waits"] = lambda request: not window.claims(request)
                server = WaitingServer(service, **self._address, **waiting)
                self.url = stack.enter_context(InThread(server)).url
            else:
                seen = {} if window is None else {"observe": window.observe, "page": window}
                self.url = self._listen(stack, {**self._address, **seen})
            self.summary.interrupted = str(self._file.interrupted or "")
            self._stack = stack.pop_all()
        return self

    def _listen(self, stack: ExitStack, address: dict[str, Any]) -> str:
        self._tap = stack.enter_context(InThread(Tap(self._target, self._sink, **address, **self._tapping)))
        return self._tap.url

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        written = threading.Event()
        threading.Thread(target=self._tell_until, args=(written,), daemon=True).start()
        try:
            self._stack.__exit__(kind, error, trace)
        except CassetteError as wrong:
            self.summary.unsaved = str(wrong)
            self.summary.remarks.append(str(wrong))
        finally:
            written.set()
        summary, redactor = self.summary, self._file.redactor
        summary.remarks += self._file.remarks
        if self._named:
            what, named = next(iter(self._named.values())), list_some(list(self._named), 1)
            summary.remarks.append(
                f"{what}: the body of its response names the target ({named}): bodies stay as they are, "
                "so what the client asks there goes past the recorder"
            )
        if redactor is not None:
            summary.replaced.update(item.kind for item in redactor.report)
        if self._tap is not None:
            summary.unrecorded += [*map(str, self._tap.errors), *self._tap.unrecorded]
        if self._player is not None:
            summary.misses = [str(miss) for miss in self._player.misses]
            summary.played = len(self._player.recordings) - len(self._player.unused())

    def _tell_until(self, written: threading.Event) -> None:
        seconds = 0.0
        while not written.wait(_SILENT_SECONDS):
            seconds += _SILENT_SECONDS
            self._tell(f"still redacting and writing {self._path}, {seconds:g} s so far")

    def _discard_unless_answered(self) -> None:
        """Once everything is written: keep no file in which the target answers nothing."""
        summary = self.summary
        if summary.recorded and summary.recorded == len(summary.unanswered):
            summary.discarded, summary.recorded = summary.recorded, 0
            self._file.discard()

    # On the tap's loop, and on the thread that writes.

    def _sink(self, exchange: Exchange) -> Awaitable[object]:
        return asyncio.get_running_loop().run_in_executor(self._writer, self._keep, exchange)

    def _keep(self, exchange: Exchange) -> None:
        # A 101 is no final answer, so no cassette may hold it; the tap tells that what follows it is not recorded.
        if not self._wanted(exchange) or exchange.status == 101:
            return
        recording = Recording.as_received(exchange, self._tap.origin if self._tap else "")
        if self._file.add(recording) is None:
            return
        named = list(dict.fromkeys(find_in_body(recording.body, recording.origin)))
        request, ending, summary = exchange.request, exchange.ending, self.summary
        what = f"{request.method} {request.raw_path}"
        with self._lock:
            for address in named:
                self._named.setdefault(address, what)
            summary.recorded += 1
            summary.hung_up += ending.by is By.CLIENT
            if exchange.status is None and ending.by is not By.CLIENT:
                summary.unanswered.append(f"{what}: {ending.detail or ending.words}")
                self._no_answer(summary.unanswered[-1])
            elif wrong := explain_wrong_url(exchange) or explain_refusal(exchange):
                remark = f"the target returned {exchange.status}: {wrong}"
                summary.remarks += [remark] if remark not in summary.remarks else []
            elif ending.detail == STOPPED:
                summary.stopped.append(what)

    def _play_known_or_ask(self, upstream: Service) -> Service:
        """A service that plays what is recorded and asks `upstream` for the rest."""

        def service(request: Request) -> Response:
            known = self._file.play(request)
            if known is None:
                return upstream(request)
            with self._lock:
                self.summary.played += 1
            return answer_from(known, request)

        return service


def _behind(window: Window, service: Service) -> Service:
    """The service with a window's page, and without what the window refuses."""
    seen = window.around(service)

    def serve(request: Request) -> Response:
        return window.answer(request) if window.claims(request) else seen(request)

    return serve


def prepare_folder(folder: Path) -> None:
    """Make a folder for cassettes, before any request whose answer could not be kept. Raises UsageFault."""
    try:
        make_folder(folder)
    except OSError as wrong:
        raise UsageFault(f"no cassette can be written to {folder}: {wrong.strerror}") from None
    if not os.access(folder, os.W_OK):
        raise UsageFault(f"no cassette can be written to {folder}: no permission to write there")
