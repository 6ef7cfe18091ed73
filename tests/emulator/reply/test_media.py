"""The media types in which models answer."""

from __future__ import annotations

import base64

import pytest

from tests.emulator.client import Api

SPEECH = "audio/l16; rate=24000; channels=1"
L16, WAV = {"type": "audio", "mime_type": "audio/l16"}, {"type": "audio", "mime_type": "audio/wav"}


@pytest.mark.parametrize(("model", "asked", "mime", "start"), [
    ("gemini-3.1-flash-tts-preview", None, SPEECH, b"\0\0"),
    ("gemini-3.1-flash-tts-preview", WAV, "audio/wav", b"RIFF"),
    ("gemini-3.8-flash-lite-tts", None, "audio/wav", b"RIFF"),
    ("gemini-3.8-flash-lite-tts", {"type": "audio"}, "audio/wav", b"RIFF"),
    ("gemini-3.8-flash-lite-tts", L16, SPEECH, b"\0\0"),
    ("gemini-2.5-flash-preview-tts", None, "audio/L16;codec=pcm;rate=24000", b"\0\0"),
    ("lyria-3-clip-preview", None, "audio/mpeg", b""),
    ("lyria-3-clip-preview", WAV, "audio/mpeg", b""),
    ("gemini-9-flash-tts", {"type": "audio"}, SPEECH, b"\0\0"),
])  # fmt: skip
def test_sound_is_of_the_type_that_the_model_makes(model, asked, mime, start):
    """Speech is bare samples up to 3.1 and WAV from 3.8 on, unless another type is asked for; Lyria makes MP3."""
    fields = {"response_format": asked} if asked else {}
    content = Api().create("Hi.", model=model, **fields).json["steps"][-1]["content"][0]
    assert content["mime_type"] == mime
    assert base64.b64decode(content["data"]).startswith(start)
    assert ("sample_rate" in content) is (mime == SPEECH)
