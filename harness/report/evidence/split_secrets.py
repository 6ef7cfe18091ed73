"""Removes secrets from a stream even if their text is spread over several events.

Layer 6. Finds them as the redaction of recordings does. Secrets in one piece are left to the `Mask`.
"""

from __future__ import annotations

from harness.cassette import CassetteError
from harness.cassette.body_secrets import BodySecretFinder
from harness.cassette.framing import TextEdit, apply
from harness.cassette.placeholders import PlaceholderTable
from harness.wire import StreamProtocol
from harness.wire.mask import HIDDEN, Mask
from harness.wire.secrets import PRIVATE_URL

UNSHOWN = b"[a stream that contains a secret and cannot be shown without it]"


class _Stars(PlaceholderTable):
    """Gives all secrets the same placeholder; in a report, an address of a private network is not a secret."""

    def placeholder(self, secret: str) -> str:
        return HIDDEN

    def changes(
        self, text: str, *, cut: bool = False, resumed: bool = False, escaped: bool = True
    ) -> list[TextEdit]:
        found = super().changes(text, cut=cut, resumed=resumed, escaped=escaped)
        return [change for change in found if change.kind != PRIVATE_URL]


def without_spread_secrets(body: bytes, mask: Mask, protocol: StreamProtocol) -> bytes:
    """A stream body for display: stars replace the secrets that the mask knows and what looks like one."""
    try:
        found = BodySecretFinder(protocol, _Stars(mask.secrets)).find(body, stream=True, cut=True)
    except CassetteError:
        return UNSHOWN
    return apply(body, [item.edit for item in found])
