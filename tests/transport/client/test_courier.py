"""Deliveries over sockets, to this machine and to nobody else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from harness.transport import UrlDriver
from harness.transport.client.courier import ELSEWHERE, FROM_OUTSIDE, Courier
from harness.transport.server.server import SocketReceiver
from harness.wire import Headers, Request
from harness.wire.delivery import Delivery, NoReply, is_on_this_machine


class Outbox:
    """Deliveries that are due at once, and again until they are answered with 2xx."""

    next_due = None

    def __init__(self, *uris: str) -> None:
        self.due = [Delivery(uri, Request("POST", f"{urlsplit(uri).path}?a=1", Headers(), b"{}")) for uri in uris]
        self.statuses: list[int | None] = []
        self.dropped: list[str] = []
        self.over = threading.Event()

    def attend(self, reaches: Callable[[str], bool]) -> bool:
        return False

    def take_due(self) -> list[Delivery]:
        due, self.due = self.due, []
        return due

    def note_answer(self, delivery: Delivery, status: int | None) -> None:
        self.statuses.append(status)
        self.due += [delivery] if status != 200 else []
        if status == 200:
            self.over.set()

    def drop(self, delivery: Delivery, reason: str) -> None:
        self.dropped.append(reason)
        self.over.set()


def test_a_delivery_reaches_a_receiver_on_a_port() -> None:
    """With its path, query and body; a hang-up is no answer, so it comes again."""
    receiver = SocketReceiver()
    receiver.answer(503, NoReply.HANG_UP)
    outbox = Outbox(receiver.uri)
    with Courier(outbox):
        arrivals = receiver.collect(3, 60)
        assert outbox.over.wait(60)
    receiver.close()
    assert outbox.statuses == [503, None, 200]
    path = urlsplit(receiver.uri).path
    assert {(a.exchange.request.target, a.exchange.request.body) for a in arrivals} == {(f"{path}?a=1", b"{}")}


def test_a_receiver_keeps_no_delivery_of_a_stranger() -> None:
    """A web page can post to a port of this machine: only who was given the path delivers there."""
    receiver = SocketReceiver()
    with closing(UrlDriver(receiver.uri.partition("/deliveries/")[0])) as driver:
        statuses = [driver.send(Request("POST", path, Headers(), b"{}")).status for path in ("/", "/deliveries")]
    assert (statuses, receiver.collect(1, 0)) == ([404, 404], [])
    receiver.close()


def test_nothing_is_sent_to_another_machine() -> None:
    """It is given up before any name is looked up."""
    outbox = Outbox("https://example.com/hook")
    with Courier(outbox):
        assert outbox.over.wait(60)
    assert (outbox.dropped, outbox.statuses) == ([ELSEWHERE], [])


@pytest.mark.parametrize("uri", ["http://a..localhost/hook", "http://localhost:99999/hook"])
def test_what_is_no_address_is_given_up(uri: str) -> None:
    """A delivery that cannot be posted does not stay under way for ever."""
    outbox = Outbox(uri)
    with Courier(outbox):
        assert outbox.over.wait(60)
    assert outbox.statuses == []
    assert [uri.removesuffix("/hook") in reason for reason in outbox.dropped] == [True]


def test_a_resolver_leads_no_name_below_localhost_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a name is this machine by definition (RFC 6761, 6.3); what answers for it may say something else."""
    receiver, asked = SocketReceiver(), list[str]()
    look_up = socket.getaddrinfo

    def lead_elsewhere(host: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(host)
        return look_up("192.0.2.1" if str(host).endswith(".localhost") else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", lead_elsewhere)
    outbox = Outbox(receiver.uri.replace("127.0.0.1", "hooks.localhost"))
    with Courier(outbox):
        arrivals = receiver.collect(1, 60)
        assert outbox.over.wait(60)
    receiver.close()
    assert (outbox.statuses, asked) == ([200], ["localhost"])
    assert arrivals[0].exchange.request.headers.get("host", "").startswith("hooks.localhost:")


def test_a_server_for_other_machines_delivers_nothing_to_this_one() -> None:
    """Whoever may call the server from outside cannot have it call a receiver on this machine."""
    receiver = SocketReceiver()
    outbox = Outbox(receiver.uri)
    with Courier(outbox, is_allowed=False):
        assert outbox.over.wait(60)
    receiver.close()
    assert (outbox.dropped, outbox.statuses) == ([FROM_OUTSIDE], [])


def test_this_machine_is_known_by_its_names() -> None:
    """Loopback addresses and localhost, and no name that only begins so."""
    here = ("http://127.0.0.1:1/x", "http://127.3.2.1", "http://[::1]:8", "http://localhost", "http://a.localhost")
    there = ("http://127.0.0.1.example.com", "http://localhost.example.com", "http://10.0.0.1", "http://[", "x")
    assert all(map(is_on_this_machine, here))
    assert not any(map(is_on_this_machine, there))
