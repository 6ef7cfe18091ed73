"""What was seen as a cassette: the finished exchanges, without their secrets.

Layer 6. Recordings are redacted as any recorder's are; must not know who asks.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from harness.benches.record.recorder import recording_of
from harness.cassette import CassetteError, Provenance, Recording, Redactor, save
from harness.wire import Exchange, StreamProtocol


def write_cassette(
    exchanges: Iterable[Exchange],
    protocol: StreamProtocol,
    provenance: Provenance,
    *,
    origin: str,
    secrets: Iterable[str] = (),
) -> bytes:
    """The text of the cassette. Raises CassetteError if there is nothing to keep, or no vcrpy."""
    redactor = Redactor(protocol, secrets=secrets)
    recordings: list[Recording] = []
    for exchange in exchanges:
        if not exchange.truncated:
            recordings.append(recording_of(exchange, origin))
            redactor.learn(recordings[-1].decode())
    if not recordings:
        raise CassetteError("no exchange has ended yet that could be saved")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seen.yaml"
        save(path, [redactor.redact(recording) for recording in recordings], provenance)
        return path.read_bytes()
