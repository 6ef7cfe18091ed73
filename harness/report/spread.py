"""A stream of events without the secrets whose text is spread over several of its events.

Layer 5. Finds them as a recording is redacted; what stands in one piece is the `Mask`'s business.
"""

from __future__ import annotations

from harness.cassette import CassetteError
from harness.cassette.bodies import BodyReader
from harness.cassette.framing import apply
from harness.cassette.vault import Change, Vault
from harness.contract.protocol import PROTOCOL
from harness.wire.mask import HIDDEN, Mask

UNSHOWN = b"[a stream that holds a secret and cannot be shown without it]"


class _Stars(Vault):
    """In a report all secrets look alike, and an address of a private network is no secret."""

    def placeholder(self, secret: str) -> str:
        return HIDDEN

    def changes(self, text: str, *, cut: bool = False, resumed: bool = False) -> list[Change]:
        found = super().changes(text, cut=cut, resumed=resumed)
        return [change for change in found if change.kind != "private URL"]


def without_spread_secrets(body: bytes, mask: Mask) -> bytes:
    """The body of a stream, to be shown: what the mask knows and what looks like a secret gives way to stars."""
    try:
        found = BodyReader(PROTOCOL, _Stars(mask.secrets)).find(body, stream=True, cut=True)
    except CassetteError:
        return UNSHOWN
    return apply(body, [item.edit for item in found])
