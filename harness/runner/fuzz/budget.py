"""How much a search may do, by profile, and how Hypothesis is told.

Layer 4. The only module that knows Hypothesis's settings.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.outcome import UsageFault

if TYPE_CHECKING:
    from hypothesis import settings
    from hypothesis.database import ExampleDatabase


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Histories and how long they get, laws, and examples per operation of the document.

    `coverage` adds the document's systematic phase, which sends some thousand requests, nearly all of them wrong.

    `seconds` bounds each search as a whole; None: only the counts do, and the same seed does the same.
    """

    histories: int
    steps: int
    laws: int
    schema: int
    coverage: bool = True
    seconds: float | None = None

    def limited(self, examples: int | None, seconds: float | None) -> Budget:
        """The budget with what the user said in place of the profile's."""
        changed = self if seconds is None else replace(self, seconds=seconds)
        if examples is None:
            return changed
        return replace(changed, histories=examples, laws=examples, schema=examples)


BUDGETS: dict[str, Budget] = {
    "smoke": Budget(histories=150, steps=30, laws=80, schema=20, coverage=False),
    "ci": Budget(histories=500, steps=50, laws=300, schema=40),
    "nightly": Budget(histories=20_000, steps=300, laws=5_000, schema=500, seconds=3600.0),
}


class TimeUp(BaseException):
    """Ends a search at once: Hypothesis neither counts nor shrinks what is no `Exception`.

    Its message, if any, says what was being waited for, and `waited` for how many seconds.
    """

    def __init__(self, message: str = "", waited: float = 0.0) -> None:
        super().__init__(message)
        self.waited = waited


class Timer:
    """Counts down from a number of seconds; from None it never ends."""

    def __init__(self, seconds: float | None) -> None:
        self._began = time.perf_counter()
        self._seconds = seconds

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self._began

    @property
    def left(self) -> float:
        """Seconds until the end, infinite where there is none."""
        return math.inf if self._seconds is None else self._seconds - self.spent

    def over(self) -> bool:
        """Whether time is up."""
        return self.left <= 0


def hypothesis_settings(
    examples: int, *, steps: int = 50, database: ExampleDatabase | None = None, shrink: bool = True
) -> settings:
    """Settings of one search: silent, without a deadline an example.

    Hypothesis shrinks with hundreds of plays, which a target that is far away or bills for each had better be
    spared: what it does not shrink, `shrink.minimal` does with few.
    """
    from hypothesis import HealthCheck, Phase, Verbosity, settings

    return settings(
        max_examples=max(1, examples),
        stateful_step_count=steps,
        database=database,
        deadline=None,
        print_blob=False,
        verbosity=Verbosity.quiet,
        report_multiple_bugs=True,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.reuse, Phase.generate, *((Phase.shrink,) if shrink else ())),
    )


def open_database(text: str | None) -> ExampleDatabase | None:
    """The example database that `text` names: a directory, `redis://host:port`, or `github:owner/repository`.

    Raises UsageFault when it names none, or needs a package that is missing.
    """
    if not text or text == "none":
        return None
    from hypothesis import database

    if text.startswith("redis://"):
        found: ExampleDatabase = _redis(text)
        return found
    if text.startswith("github:"):
        owner, slash, name = text.removeprefix("github:").partition("/")
        if not slash or not owner or not name:
            raise UsageFault(f"--database {text!r}: write github:OWNER/REPOSITORY")
        artifact = database.GitHubArtifactDatabase(owner, name)
        return database.MultiplexedDatabase(
            database.InMemoryExampleDatabase(), database.ReadOnlyDatabase(artifact)
        )
    return database.DirectoryBasedExampleDatabase(text)


def write_only(database: ExampleDatabase | None) -> ExampleDatabase | None:
    """The database as a search must see it that passes some failures over.

    Their examples do not fail there, and Hypothesis forgets examples that do not fail: so nothing is read, and
    nothing is deleted.
    """
    if database is None:
        return None
    kept = database
    from hypothesis.database import ExampleDatabase

    class WriteOnly(ExampleDatabase):
        """Takes examples in and gives none."""

        def save(self, key: bytes, value: bytes) -> None:
            kept.save(key, value)

        def fetch(self, key: bytes) -> Iterable[bytes]:
            return ()

        def delete(self, key: bytes, value: bytes) -> None:
            return None

    return WriteOnly()


def _redis(url: str) -> Any:
    try:
        import redis  # type: ignore[import-not-found,unused-ignore]
        from hypothesis.extra.redis import RedisExampleDatabase
    except ImportError:
        raise UsageFault("--database redis://… needs the redis package: pip install 'hypothesis[redis]'") from None
    client = redis.Redis.from_url(url)
    try:
        client.ping()
    except redis.exceptions.RedisError as wrong:
        raise UsageFault(f"--database {url!r}: no Redis answers there ({wrong})") from None
    return RedisExampleDatabase(client)
