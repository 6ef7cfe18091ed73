"""What media a model makes, and of which type: what was asked for, unless the model has a mind of its own.

Layer 2. Sources: recordings and probes of third parties, named with each type; none of it is documented.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.emulator.values import media

SPEECH = "audio/l16; rate=24000; channels=1"
"""What models that speak answer unless asked for another type: samples without a header (recorded in August)."""

_USUAL: dict[str, tuple[str, Callable[[], str]]] = {
    "image": ("image/jpeg", media.photo),
    "audio": (SPEECH, media.samples),
    "video": ("video/mp4", media.clip),
}
_BUILDERS: dict[str, Callable[[], str]] = {"image/png": media.picture, "audio/wav": media.sound}
_SOUNDS = (
    (re.compile(r"gemini-2\.5-.*-tts\b"), "audio/L16;codec=pcm;rate=24000"),  # two observers
    (re.compile(r"gemini-3\.8-.*-tts\b"), "audio/wav"),  # an observer here, another one of generateContent
)
_STUBBORN = (("lyria", "audio/mpeg"),)
"""Models that make one type whatever was asked for: Lyria makes MP3 (one observer)."""


def makes_media(kind: str) -> bool:
    """Whether a kind of content is a medium that models make."""
    return kind in _USUAL


def choose_type(kind: str, asked: str | None, model: str) -> str:
    """Return the media type in which a model makes a kind of content, `asked` for or not."""
    if kind != "audio":
        return asked or _USUAL[kind][0]
    for name, stubborn in _STUBBORN:
        if name in model:
            return stubborn
    if asked is not None:
        return SPEECH if asked == "audio/l16" else asked
    return next((mime for pattern, mime in _SOUNDS if pattern.search(model)), SPEECH)


def make_medium(kind: str, mime: str) -> str:
    """Return a tiny medium of a kind in base64, in the type if it can be built."""
    return _BUILDERS.get(mime, _USUAL[kind][1])()
