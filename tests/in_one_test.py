"""Many small cases of one claim as one test, which names each case that fails.

A test costs pytest about four milliseconds of the processor: each worker collects it, then it is set up and
reported. Where a case costs a tenth of that, hundreds of them take longer to administer than to run.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

Claim = Callable[..., None]


def in_one_test(rows: Iterable[Any] = (), **columns: Iterable[Any]) -> Callable[[Claim], Claim]:
    """Make a claim about one case a test of all: rows of arguments, or all combinations of columns."""
    cases: list[tuple[Any, tuple[Any, ...], dict[str, Any]]]
    if columns:
        cases = [
            (cells, (), dict(zip(columns, cells, strict=True))) for cells in itertools.product(*columns.values())
        ]
    else:
        named = rows.items() if isinstance(rows, Mapping) else ((row, row) for row in rows)
        cases = [(name, row, {}) for name, row in named]
    assert cases, "a test of no case proves nothing"

    def make(claim: Claim) -> Claim:
        def test() -> None:
            failures = []
            for name, arguments, cells in cases:
                try:
                    claim(*arguments, **cells)
                except (Exception, pytest.fail.Exception) as failure:
                    failure.add_note(f"case: {name!r}"[:300])
                    failures.append(failure)
            if failures:
                raise BaseExceptionGroup(f"{len(failures)} of {len(cases)} cases", failures)

        test.__name__, test.__doc__, test.__module__ = claim.__name__, claim.__doc__, claim.__module__
        return test

    return make
