"""What media a model makes, and of which type: what was asked for, unless the model has a mind of its own.

Layer 2. Which model makes which sound is in the tables of models; none of it is documented.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.contract.models.profiles import ModelProfile
from harness.emulator.values import media

SPEECH = "audio/l16; rate=24000; channels=1"
"""What models that speak answer unless asked for another type: samples without a header (recorded in August)."""

_USUAL: dict[str, tuple[str, Callable[[], str]]] = {
    "image": ("image/jpeg", media.photo),
    "audio": (SPEECH, media.samples),
    "video": ("video/mp4", media.clip),
}
_BUILDERS: dict[str, Callable[[], str]] = {"image/png": media.picture, "audio/wav": media.sound}
_STUBBORN = ("music",)
"""Families that make one type whatever was asked for: Lyria makes MP3 (one observer)."""


def makes_media(kind: str) -> bool:
    """Whether a kind of content is a medium that models make."""
    return kind in _USUAL


def choose_type(kind: str, asked: str | None, profile: ModelProfile) -> str:
    """Return the media type in which a model makes a kind of content, `asked` for or not."""
    if kind != "audio":
        return asked or _USUAL[kind][0]
    usual = str(profile.value("audio_type") or SPEECH)
    if asked is None or profile.family in _STUBBORN:
        return usual
    return SPEECH if asked == "audio/l16" else asked


def make_medium(kind: str, mime: str) -> str:
    """Return a tiny medium of a kind in base64, in the type if it can be built."""
    return _BUILDERS.get(mime, _USUAL[kind][1])()
