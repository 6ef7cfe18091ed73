"""The courier that posts the deliveries of a service over sockets, in real time.

It calls nothing but this machine.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from harness.outcome import UsageFault
from harness.transport.client.driver import UrlDriver
from harness.transport.http1.reader import Limits
from harness.wire.delivery import PATIENCE, Delivery, Outbox, is_on_this_machine

ELSEWHERE = "its host is not this machine, and nothing is ever sent to another one"
FROM_OUTSIDE = (
    "other machines can call this server, and what they name must not be called from here: start it with "
    "--deliver-webhooks if they may"
)


def post(delivery: Delivery) -> int | None:
    """Post one delivery and return the status; None if no answer came in time."""
    parts = urlsplit(delivery.uri)
    driver = UrlDriver(f"{parts.scheme}://{parts.netloc}", Limits(), environment=False)
    try:
        return driver.send(delivery.request, timeout=PATIENCE).status
    finally:
        driver.close()


class Courier:
    """`with Courier(outbox):` delivers until the block ends. Unless it `is_allowed`, every delivery is dropped.

    A receiver on this machine trusts what comes from this machine, and the client that registers it may be
    elsewhere.
    """

    def __init__(self, outbox: Outbox, *, is_allowed: bool = True) -> None:
        self._outbox = outbox
        self._reaches = is_on_this_machine if is_allowed else lambda uri: False
        self._unreached = ELSEWHERE if is_allowed else FROM_OUTSIDE
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Courier:
        self._over.clear()
        self._thread = threading.Thread(target=self._run, name="harness-courier", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        with ThreadPoolExecutor(8, thread_name_prefix="harness-courier") as threads:
            while not self._over.wait(0.1):
                self._outbox.attend(self._reaches)
                for delivery in self._outbox.take_due():
                    if self._reaches(delivery.uri):
                        threads.submit(self._deliver, delivery)
                    else:
                        self._outbox.drop(delivery, self._unreached)

    def _deliver(self, delivery: Delivery) -> None:
        try:
            status = post(delivery)
        except UsageFault as wrong:  # no address: `http://a..localhost`, or a port of 99999
            self._outbox.drop(delivery, str(wrong))
        else:
            self._outbox.note_answer(delivery, status)
