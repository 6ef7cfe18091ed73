"""Where a cassette comes from: what recorded it, from what, when, of which API. Layer 1, pure.

It is stored in the file's top-level `metadata`, the only key besides the entries that vcrpy knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from harness import __version__

KEY = "harness"
FORMAT = 1
_FIELDS = ("recorder", "recorded", "api", "api_version", "revision", "harness")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Target(StrEnum):
    """What kind of target answered; a recording of an emulator proves nothing about the live service."""

    LIVE = "live"
    EMULATOR = "emulator"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a cassette comes from. `recorded` is `YYYY-MM-DD` or "" if unknown; layer 1 has no clock to set it."""

    recorder: str
    target: Target = Target.OTHER
    recorded: str = ""
    api: str = ""
    api_version: str = ""
    revision: str = ""
    harness: str = __version__

    def __post_init__(self) -> None:
        if self.recorded and not _DATE.fullmatch(self.recorded):
            raise ValueError(f"recorded={self.recorded!r} is no date: write YYYY-MM-DD")

    def as_metadata(self) -> dict[str, Any]:
        """The value of `metadata.harness`; unknown fields are omitted."""
        known = {name: getattr(self, name) for name in _FIELDS if getattr(self, name)}
        return {"format": FORMAT, "target": str(self.target), **known}

    @classmethod
    def from_metadata(cls, metadata: object) -> Provenance | None:
        """Read the provenance in `metadata`; None if another tool made the file. Raises ValueError if wrong."""
        data = metadata.get(KEY) if isinstance(metadata, Mapping) else None
        if not isinstance(data, Mapping):
            return None
        if data.get("format") != FORMAT:
            raise ValueError(f"metadata.{KEY}.format={data.get('format')!r}: this release reads format {FORMAT}")
        if data.get("target") not in list(Target):
            raise ValueError(f"metadata.{KEY}.target={data.get('target')!r} is none of {', '.join(Target)}")
        return cls(target=Target(data["target"]), **{name: str(data.get(name, "")) for name in _FIELDS})
