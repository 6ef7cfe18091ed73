"""The settings of the emulator, validated on construction, and the two surfaces that serve the API.

Knows names, defaults and bounds; must not know what the engine does with them, or how an answer is built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import chain
from typing import Annotated, Any, Literal, get_args, get_type_hints

from msgspec import Meta, Struct, ValidationError, convert, field
from msgspec.structs import replace

from harness.errors import UsageFault
from harness.outcome.words import did_you_mean


class Platform(Struct, frozen=True, kw_only=True):
    """The behavior of one surface; where a flag is asked, a comment or the next line states what differs.

    event_ids        which events of a background run carry an id when the setting `event_ids` is `auto`
    echoes           the fields of a create that the interaction repeats
    refuses          fields of a create that it refuses although the schema lists them, with what to do instead
    refuses_tools    types of tools that it refuses although the schema lists them
    strict           whether it is as live: it refuses what probes saw refused although no document refuses it
    gemini, vertex   whether it is the Gemini API or Vertex
    """

    event_ids: str
    echoes: tuple[str, ...]
    refuses: Mapping[str, str] = field(default_factory=dict)
    refuses_tools: frozenset[str] = frozenset()
    strict: bool = True
    gemini: bool = False
    vertex: bool = False


_ALONE = "this surface has no such field: leave it out"

_VERTEX = "it is not available on the Gemini API, but Vertex has it: leave it out"

GEMINI = Platform(
    event_ids="some",
    echoes=("webhook_config", "agent_config"),
    refuses={
        "labels": _VERTEX,
        "safety_settings": _VERTEX,
        "cached_content": _ALONE,
        "response_mime_type": "use 'response_format' with its 'mime_type'",
    },
    refuses_tools=frozenset({"retrieval"}),
    gemini=True,
)
VERTEX = Platform(event_ids="none", echoes=("labels", "webhook_config", "agent_config"), vertex=True)
ANY = Platform(
    event_ids="all", echoes=("previous_interaction_id", "labels", "webhook_config", "agent_config"), strict=False
)

PLATFORMS: Mapping[str, Platform] = {"gemini": GEMINI, "vertex": VERTEX, "any": ANY}
"""By the value of the setting `platform`."""


_Whole = Annotated[int, Meta(ge=0, description="must be a whole number, at least 0")]
_Positive = Annotated[int, Meta(ge=1, description="must be a whole number, at least 1")]
_Seconds = Annotated[float, Meta(ge=0, lt=1e9, description="must be a number of seconds, 0 or more")]
_Lasting = Annotated[float, Meta(gt=0, description="must be a positive number of seconds, or null")]
_Day = Annotated[date, Meta(description="must be a day such as 2026-12-01, or null")]
_Switch = Annotated[bool, Meta(description="must be true or false")]
_Name = Annotated[str, Meta(min_length=1)]
_OWNERS = "must map each key to its project's name, or be null to take any key"
_Keys = Annotated[Mapping[_Name, _Name], Meta(description=_OWNERS)]


class Settings(Struct, frozen=True, kw_only=True):
    """The settings of one emulator, or of one session of it; `docs/emulator-reference.md` explains each."""

    platform: Literal["gemini", "vertex", "any"] = "gemini"
    unknown: Literal["refuse", "accept"] = "refuse"
    event_ids: Literal["auto", "all", "deltas", "some", "sparse", "none"] = "auto"
    resume: Literal["exclusive", "inclusive", "start"] = "exclusive"
    keys: _Keys | None = None
    require_key: _Switch = True
    models: Literal["known", "any"] = "known"
    lifecycle: str | None = None  # a `_Day`
    files: Literal["known", "any"] = "known"
    processing: _Seconds = 0.3
    ticks: _Whole = 2
    lasts: _Lasting | None = None
    chunking: Literal["event", "ready"] | _Positive = "event"
    stream_refusals: Literal["http", "event"] = "http"
    pace: _Lasting | None = None
    compression: Literal["none", "gzip", "deflate"] = "none"
    delete_stops: _Switch = True  # live it was seen not to
    max_runs: _Positive = 5_000
    max_requests: _Whole = 1_000
    max_queued: _Positive = 10_000
    max_sessions: _Positive = 1_000  # each test may open one and never delete it; so many empty ones take 6 MB
    max_run_bytes: _Whole = 256 * 2**20
    max_request_bytes: _Whole = 16 * 2**20
    max_file_bytes: _Whole = 128 * 2**20

    @property
    def bounds(self) -> dict[str, int]:
        """The bounds on memory, by the names of their settings."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name.startswith("max_")}

    def __post_init__(self) -> None:
        if mistakes := list(self._find_mistakes()):
            raise UsageFault("; ".join(mistakes))

    def _find_mistakes(self) -> Iterator[str]:
        # A default is right, and almost every emulator of a test leaves almost all as it is.
        for name, default in zip(self.__struct_fields__, self.__struct_defaults__, strict=True):
            if (value := getattr(self, name)) is not default:
                hint = _HINTS[name]
                try:
                    convert(value, hint)
                except ValidationError:
                    yield f"{name}{'' if name == 'keys' else f'={value!r}'} {_describe(hint)}"

    def with_values(self, values: Mapping[str, Any]) -> Settings:
        """Return a copy with some values replaced. Raises UsageFault that names what is unknown or wrong."""
        if not values:
            return self
        names = self.__struct_fields__
        known = {name: value for name, value in values.items() if name in names}
        if isinstance(known.get("lifecycle"), date):  # as YAML, and with it `--setting`, reads a day
            known["lifecycle"] = known["lifecycle"].isoformat()
        mistakes = [
            f"there is no setting {name!r}"
            + did_you_mean(str(name), names, otherwise=": docs/emulator-reference.md lists them")
            for name in values
            if name not in names
        ]
        try:
            changed = replace(self, **known)
        except UsageFault as wrong:
            mistakes.append(str(wrong))
        if mistakes:
            raise UsageFault("; ".join(mistakes))
        return changed


UNCHANGED = Settings()
"""The settings of an emulator of which nobody sets any."""


_HINTS: dict[str, Any] = {**get_type_hints(Settings, include_extras=True), "lifecycle": _Day | None}


def _describe(hint: Any) -> str:
    """The end of the sentence that refuses a value which is not of this type."""
    parts = [*get_args(hint), *chain.from_iterable(map(get_args, get_args(hint)))]
    choices = ", ".join(part for part in parts if isinstance(part, str))
    rule = next((part.description for part in parts if isinstance(part, Meta)), None)
    return f"is not one of {choices}" if choices else str(rule)
