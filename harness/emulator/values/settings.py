"""The settings of the emulator, validated on construction, and the two surfaces that serve the API.

Knows names, defaults and bounds; must not know what the engine does with them, or how an answer is built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

from msgspec import Struct, field
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


CHOICES: dict[str, tuple[str, ...]] = {
    "platform": ("gemini", "vertex", "any"),
    "unknown": ("refuse", "accept"),
    "event_ids": ("auto", "all", "every", "deltas", "some", "sparse", "none"),
    "resume": ("exclusive", "inclusive", "start"),
    "models": ("known", "any"),
    "files": ("known", "any"),
    "chunking": ("event", "ready"),
    "stream_refusals": ("http", "event"),
    "compression": ("none", "gzip", "deflate"),
}
"""Settings with a fixed set of values; `chunking` may also be a positive number of bytes."""

_LEAST = {
    "ticks": 0, "max_runs": 1, "max_requests": 0, "max_queued": 1, "max_sessions": 1, "max_run_bytes": 0,
    "max_request_bytes": 0, "max_file_bytes": 0,
}  # fmt: skip
"""Settings that are whole numbers, with the least value of each."""


class Settings(Struct, frozen=True, kw_only=True):
    """The settings of one emulator, or of one session of it; `docs/emulator-reference.md` explains each."""

    platform: str = "gemini"
    unknown: str = "refuse"
    event_ids: str = "auto"
    resume: str = "exclusive"
    keys: Mapping[str, str] | None = None
    require_key: bool = True
    models: str = "known"
    lifecycle: str | None = None
    files: str = "known"
    processing: float = 0.3
    ticks: int = 2
    lasts: float | None = None
    chunking: str | int = "event"
    stream_refusals: str = "http"
    pace: float | None = None
    compression: str = "none"
    delete_stops: bool = True  # live it was seen not to
    max_runs: int = 5_000
    max_requests: int = 1_000
    max_queued: int = 10_000
    max_sessions: int = 1_000  # each test may open one and never delete it; so many empty ones take 6 MB
    max_run_bytes: int = 256 * 2**20
    max_request_bytes: int = 16 * 2**20
    max_file_bytes: int = 128 * 2**20

    @property
    def bounds(self) -> dict[str, int]:
        """The bounds on memory, by the names of their settings."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name.startswith("max_")}

    def __post_init__(self) -> None:
        if mistakes := list(self._find_mistakes()):
            raise UsageFault("; ".join(mistakes))

    def _find_mistakes(self) -> Iterator[str]:
        # A default is right, and almost every emulator of a test leaves almost all as it is.
        given = {
            name: value
            for name, default in zip(self.__struct_fields__, self.__struct_defaults__, strict=True)
            if (value := getattr(self, name)) is not default
        }
        for name, value in given.items():
            fits, rule = _RULES.get(name, (None, ""))
            if fits is not None and not fits(value):
                yield f"{name}={value!r} {rule}"
        keys = self.keys
        is_map = isinstance(keys, Mapping) and all(isinstance(name, str) for name in (*keys, *keys.values()))
        if keys is not None and not (is_map and all(keys)):  # whose values are not for messages
            yield "keys must map each key to its project's name, or be null to take any key"

    def with_values(self, values: Mapping[str, Any]) -> Settings:
        """Return a copy with some values replaced. Raises UsageFault that names what is unknown or wrong."""
        if not values:
            return self
        names = self.__struct_fields__
        known = {name: value for name, value in values.items() if name in names}
        if isinstance(known.get("lifecycle"), date):  # as YAML, and with it `--set`, reads a day
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


def _is_whole(value: object, least: int) -> bool:
    return type(value) is int and value >= least  # a bool is no number


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_day(value: object) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


_Rule = tuple[Callable[[Any], bool], str]

_RULES: dict[str, _Rule] = {
    **{name: (choices.__contains__, f"is not one of {', '.join(choices)}") for name, choices in CHOICES.items()},
    **{
        name: (partial(_is_whole, least=least), f"must be a whole number, at least {least}")
        for name, least in _LEAST.items()
    },
    "chunking": (
        lambda value: value in CHOICES["chunking"] or _is_whole(value, 1),
        f"is not one of {', '.join(CHOICES['chunking'])}",
    ),
    "processing": (
        lambda value: _is_seconds(value) and 0 <= value < 1e9,
        "must be a number of seconds, 0 or more",
    ),
    "lifecycle": (lambda value: value is None or _is_day(value), "must be a day such as 2026-12-01, or null"),
    **dict.fromkeys(
        ("require_key", "delete_stops"), (lambda value: value in (True, False), "must be true or false")
    ),
    **dict.fromkeys(
        ("pace", "lasts"),
        (
            lambda value: value is None or (_is_seconds(value) and value > 0),
            "must be a positive number of seconds, or null",
        ),
    ),
}
"""For each setting what it may be: a test, and the end of the sentence that refuses any other value."""
