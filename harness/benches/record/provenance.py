"""Where recordings come from: the kind of their target, the day, the API and its revision."""

from __future__ import annotations

import datetime

from harness.cassette import Provenance, Target
from harness.kit.api import Api
from harness.transport import UrlDriver
from harness.transport.client.origin import Origin
from harness.wire import Request
from harness.wire.addresses import is_loopback


def provenance_of(
    target: str, api: Api, *, recorder: str = "harness record", ca_file: str | None = None, revision: str = ""
) -> Provenance:
    """The provenance of recordings of `target`, of the current revision if none is named.

    A request asks a server on this machine whether it is the emulator.
    """
    return Provenance(
        recorder=recorder,
        target=target_class(target, api, ca_file=ca_file),
        recorded=datetime.datetime.now(datetime.UTC).date().isoformat(),
        api=api.name,
        revision=revision or api.load_contract("").revision,
    )


def target_class(target: str, api: Api, *, ca_file: str | None = None) -> Target:
    """Whether `target` is the live service, the emulator or another. Only a server on this machine is asked."""
    host = Origin.parse(target).host
    if api.is_live_host(host):
        return Target.LIVE
    if not is_loopback(host):
        return Target.OTHER
    driver = UrlDriver(target, ca_file=ca_file)
    try:
        answer = driver.send(Request("GET", "/__harness__/"), timeout=2.0)
    finally:
        driver.close()
    return Target.EMULATOR if b'"emulator"' in answer.body else Target.OTHER
