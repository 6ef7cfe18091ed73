"""How much a search may do, by size, and the settings of Hypothesis for it.

The only module that knows Hypothesis's settings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.outcome import UsageFault

if TYPE_CHECKING:
    from hypothesis import settings
    from hypothesis.database import ExampleDatabase


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The number of histories and of their steps, of examples of the laws, and per operation of the document.

    `coverage` adds the document's systematic phase, which sends some thousand requests, nearly all of them wrong.

    `seconds` bounds a run, or the search that gets this budget. If it is None, or not reached, the same seed does
    the same.
    """

    histories: int
    steps: int
    laws: int
    schema: int
    coverage: bool = True
    seconds: float | None = None

    def with_limits(self, examples: int | None, seconds: float | None) -> Budget:
        """The budget with the user's values; examples that are named are all run, and 0 seconds are no limit."""
        if examples is not None:
            self = replace(self, histories=examples, laws=examples, schema=examples, seconds=None)
        return self if seconds is None else replace(self, seconds=seconds or None)


BUDGETS: dict[str, Budget] = {
    # Less than two minutes with its start and its reports; a fast server has had all examples long before.
    "smoke": Budget(histories=150, steps=30, laws=80, schema=20, coverage=False, seconds=100.0),
    "ci": Budget(histories=500, steps=50, laws=300, schema=40),
    "nightly": Budget(histories=20_000, steps=300, laws=5_000, schema=500, seconds=3 * 3600.0),
}


def hypothesis_settings(examples: int) -> settings:
    """Settings of one search: no output, no deadline per example, and nothing to replay or to shrink.

    Hypothesis only draws; what fails is shrunk by `shrink`, which needs fewer runs, and shared by
    `SharedHistories` of `rounds`.
    """
    from hypothesis import HealthCheck, Phase, Verbosity, settings

    return settings(
        max_examples=max(1, examples),
        database=None,
        deadline=None,
        print_blob=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
    )


def open_database(text: str | None) -> ExampleDatabase | None:
    """Open the example database `text`: a directory, or `redis://host:port`.

    Returns None for an empty text or `none`. Raises UsageFault if `text` is malformed, Redis does not answer, a
    package is missing, or a link of a folder, also one in the directory, leads what is written elsewhere.
    """
    if not text or text == "none":
        return None
    from hypothesis import database

    if text.startswith("redis://"):
        found: ExampleDatabase = _open_redis(text)
        return found
    if "://" in text:
        raise UsageFault(f"--database {text!r} has an unknown scheme: write DIR or redis://…")
    return database.DirectoryBasedExampleDatabase(text)


def _open_redis(url: str) -> Any:
    try:
        import redis  # type: ignore[import-not-found,unused-ignore]
        from hypothesis.extra.redis import RedisExampleDatabase
    except ImportError:
        raise UsageFault("--database redis://… needs the redis package: pip install 'hypothesis[redis]'") from None
    client = redis.Redis.from_url(url)
    try:
        client.ping()
    except redis.exceptions.RedisError as wrong:
        raise UsageFault(f"--database {url!r}: no Redis server responds ({wrong})") from None
    return RedisExampleDatabase(client)
