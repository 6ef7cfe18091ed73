"""The steps of a request sequence that a search found; a result shows them, also where nothing searches."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias


class Step(Protocol):
    """One step of a history: words for people, plain data for files. It holds no id, so it fits any target."""

    @property
    def kind(self) -> str:
        """The operation, in a word."""

    @property
    def label(self) -> str:
        """The operation and its mode, in two words; without its object."""

    def __str__(self) -> str: ...

    def record(self) -> dict[str, Any]:
        """The step as plain data."""


History: TypeAlias = tuple[Step, ...]
