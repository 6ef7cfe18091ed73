"""A rule of a contract: one requirement with an id, a level and a source.

Knows the vocabulary of requirements; must not know any particular rule.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

from msgspec import Struct


class Level(StrEnum):
    """The obligation of a rule, in the sense of RFC 2119."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


class Harm(IntEnum):
    """The harm of a broken rule to a user; the worst first."""

    STATUS = 0
    """A wrong end is believed in."""
    TEXT = 1
    """Something is lost, doubled or changed."""
    IDS = 2
    """One thing is taken for another."""
    TIME = 3
    """A client waits for a whole run."""
    REST = 4


class Basis(StrEnum):
    """The kind of evidence a rule is based on; it limits the level (`harness/README.md`, "Never over-read")."""

    DOCUMENTED = "documented"
    SCHEMA = "schema"
    OBSERVED = "observed"
    INFERRED = "inferred"
    GENERIC = "generic"
    COMPARED = "compared"
    """Two sides of one gateway contradict each other; no document is needed (`docs/gateway-reference.md`)."""


HIGHEST: dict[Basis, Level] = {
    Basis.DOCUMENTED: Level.MUST,
    Basis.SCHEMA: Level.MUST,
    Basis.OBSERVED: Level.SHOULD,
    Basis.INFERRED: Level.SHOULD,
    Basis.GENERIC: Level.MUST,
    Basis.COMPARED: Level.MUST,
}
"""The highest level that a rule with each basis may have."""

_RANK = {Level.MAY: 0, Level.SHOULD: 1, Level.MUST: 2}


class Subject(StrEnum):
    """The least that a judge of a rule must see."""

    EXERCISE = "exercise"
    """The exchanges of a client with a server."""

    RELAY = "relay"
    """Both sides of an intermediary."""


class Source(Struct, frozen=True):
    """Where a rule comes from: the page and its section, in words a reader can search for."""

    basis: Basis
    page: str
    section: str = ""
    url: str = ""

    def __str__(self) -> str:
        place = f"{self.page}, {self.section}" if self.section else self.page
        return f"{place} ({self.basis})"


class Rule(Struct, frozen=True, kw_only=True):
    """One rule of a contract.

    `statement` is the requirement, `broken` states in a clause what is wrong if it is not met, `broken_as` the
    same of findings with a word in their code, by that word. `breaks` is what that does to users. `since` and
    `until` are revisions of the API; `until` is the first one without the rule.
    `silent`: a client cannot notice that it is broken, because what it gets looks whole and right.
    """

    id: str
    level: Level
    statement: str
    breaks: str
    source: Source
    broken: str = ""
    broken_as: tuple[tuple[str, str], ...] = ()
    since: str = ""
    until: str | None = None
    harm: Harm = Harm.REST
    silent: bool = False
    subject: Subject = Subject.EXERCISE

    def __post_init__(self) -> None:
        if _RANK[self.level] > _RANK[HIGHEST[self.source.basis]]:
            raise ValueError(
                f"rule {self.id!r} is {self.level} but its basis is '{self.source.basis}', which carries at most "
                f"{HIGHEST[self.source.basis]}: lower the level or cite a stronger source"
            )

    @property
    def area(self) -> str:
        """The part of the id before the first dot."""
        return self.id.partition(".")[0]

    def is_stated_by(self, title: str) -> bool:
        """Whether a title states what is required, so that the statement beside it would repeat it."""
        return title.rstrip(".").lower() == self.statement.rstrip(".").lower()
