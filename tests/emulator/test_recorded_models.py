"""Each recording of a model is reproduced: steps, fields, events, usage, errors.

What differs is listed in `reproduction.py`, with the reason; a reason that is not needed any more fails, too.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.corpus import FOLDER, needs_corpus
from tests.emulator.client import Api
from tests.emulator.reproduction import DIFFERENT, compare, explain, recordings

Json = dict[str, Any]


@needs_corpus
def test_every_recording_is_reproduced() -> None:
    """What differs is listed with its reason, and every reason is needed."""
    found = [difference for path in recordings() for difference in compare(path)]
    assert len(recordings()) > 60
    assert [line for line in found if explain(line) is None] == []
    assert DIFFERENT.keys() - {explain(line) for line in found} == set()


WORD = {"type": "audio", "data": "%%%", "mime_type": "audio/wav"}
VIDEO = {"type": "video", "data": "AAAA", "mime_type": "video/mp4"}
OFFSETS = {"type": "static", "start_offset": "10s", "end_offset": "5s"}
VOCABULARY = {"custom_vocabulary": ["word"], "diarization_mode": "speaker"}
ERRORS: dict[str, Json] = {
    "stt-error-corrupt-base64.json": {"model": "gemini-3.5-transcribe", "input": [WORD]},
    "stt-error-custom-vocabulary.json": {
        "model": "gemini-3.5-transcribe",
        "generation_config": {"transcription_config": VOCABULARY},
    },
    "missing-text.json": {"input": [{"type": "text", "text": ""}]},
    "vercel-v3-video-static-processing-invalid-offsets.json": {
        "model": "gemini-3.8-flash",
        "input": [{"type": "user_input", "content": [{**VIDEO, "processing": OFFSETS}]}],
    },
}
"""Recorded refusals, and requests that lead to them."""


@needs_corpus
@pytest.mark.parametrize("name", ERRORS)
def test_refusals_are_the_recorded_ones(name: str) -> None:
    """A refusal has the recorded code, and its message begins with the recorded one."""
    recorded = json.loads((FOLDER / "files" / name).read_text("utf-8"))["error"]
    body = {"model": "gemini-3.5-flash", "input": "Hi.", **ERRORS[name]}
    answer = Api().call("POST", "interactions", body)
    assert answer.error == (400, recorded["code"])
    assert answer.message.startswith(recorded["message"])
