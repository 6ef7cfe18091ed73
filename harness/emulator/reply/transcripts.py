"""When each word of a transcript was spoken, and by whom: the annotations that a transcription asks for.

Layer 2. Sources: the SDK's types for the fields, recordings for the form of offsets (`0.300s`) and speakers
(`spk:0`). The times are invented: words are spoken at one pace. Must not know what was said.
"""

from __future__ import annotations

import re
from typing import Any

Json = dict[str, Any]

_SECONDS = 0.3
"""Time from the start of a word to that of the next."""


def annotate_words(generation: Json, text: str) -> list[Json]:
    """Return a `word_info` for each word of a transcript if timestamps or speakers are asked for, else nothing."""
    config = generation.get("transcription_config") or {}
    mode = config.get("mode")
    wanted = {**config, **(mode if isinstance(mode, dict) else {})}
    timed, told_apart = (
        "word" in (wanted.get("timestamp_granularities") or ()),
        bool(wanted.get("diarization_mode")),
    )
    if not timed and not told_apart:
        return []
    return [
        {
            "type": "word_info",
            "text": word[0],
            "start_index": len(text[: word.start()].encode()),
            "end_index": len(text[: word.end()].encode()),
            **({"speaker": "spk:0"} if told_apart else {}),
            **(
                {"start_offset": _format_offset(number), "end_offset": _format_offset(number + 1)} if timed else {}
            ),
        }
        for number, word in enumerate(re.finditer(r"\S+", text))
    ]


def _format_offset(number: int) -> str:
    return f"{number * _SECONDS:.3f}s"
