"""Errors about malformed heads do not repeat what may be a key."""

from __future__ import annotations

import pytest

from harness.errors import BadHead
from harness.transport.http1.reader import parse_fields

KEY = "zq1canary0123456789abc"


@pytest.mark.parametrize("line", [f" {KEY}", KEY, f"X Key: {KEY}", f"\t{KEY}"])
def test_a_line_that_is_no_field_is_not_repeated(line: str) -> None:
    """The error repeats neither a folded value nor a line without a valid field name."""
    with pytest.raises(BadHead) as refused:
        parse_fields([line])
    assert KEY[:5] not in str(refused.value)
