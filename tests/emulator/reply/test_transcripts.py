"""Transcripts: a time and a speaker for each word, for those who ask."""

from __future__ import annotations

import pytest

from harness.contract import judge_interaction, load

MODEL = "gemini-3.5-transcribe"
SPEECH = [{"type": "audio", "data": "AAAA", "mime_type": "audio/wav"}]
TIMED = {"type": "verbatim", "timestamp_granularities": ["word"]}
SPOKEN = {"type": "verbatim", "diarization_mode": "speaker"}


def words(api, **config):
    """The annotations of a transcript, and its text."""
    answer = api.create(SPEECH, model=MODEL, generation_config={"transcription_config": config}).json
    assert judge_interaction(answer, load()) == []
    content = answer["steps"][-1]["content"][0]
    return content.get("annotations", []), content["text"]


def test_every_word_has_its_time(api):
    """The spans are byte offsets into the text, and the times follow each other in the recorded form."""
    infos, text = words(api, mode=TIMED)
    assert [info["text"] for info in infos] == text.split()
    assert [text.encode()[info["start_index"] : info["end_index"]].decode() for info in infos] == text.split()
    assert [infos[0][name] for name in ("start_offset", "end_offset")] == ["0.000s", "0.300s"]
    assert [info["end_offset"] for info in infos[:-1]] == [info["start_offset"] for info in infos[1:]]
    assert {info["type"] for info in infos} == {"word_info"}


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({"mode": SPOKEN}, {"speaker"}),
        ({"mode": {**TIMED, **SPOKEN}}, {"speaker", "start_offset", "end_offset"}),
        ({"timestamp_granularities": ["word"]}, {"start_offset", "end_offset"}),
        ({"mode": "verbatim"}, None),
        ({}, None),
    ],
)
def test_only_what_was_asked_for_is_told(api, config, names):
    """Speakers and times are asked for separately, also by the older names; without either there are no words."""
    infos, _ = words(api, **config)
    told = {name for info in infos for name in info} - {"type", "text", "start_index", "end_index"}
    assert (told, bool(infos)) == (names or set(), names is not None)


def test_expected_words_and_speakers_exclude_each_other(api):
    """The live service says so, in these words."""
    config = {"mode": SPOKEN, "custom_vocabulary": ["harness"]}
    refused = api.create(SPEECH, model=MODEL, generation_config={"transcription_config": config})
    assert (refused.error, refused.message) == (
        (400, "invalid_request"),
        "custom_vocabulary is incompatible with diarization.",
    )
    api.emulator.change(platform="any")
    assert api.create(SPEECH, model=MODEL, generation_config={"transcription_config": config}).status == 200
