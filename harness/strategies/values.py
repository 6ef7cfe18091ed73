"""The leaves: texts, identifiers, base64, times, and small JSON values.

Layer 2. Kept small on purpose: the shape of a message breaks an implementation far more often than its length.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

SMALL = st.integers(0, 1000)

NUMBERS = st.one_of(st.integers(0, 100), st.floats(0, 1, allow_nan=False, width=32))

TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ("Say hi.", "déjà vu", "東京 🦊", "a\nb", "\u2028", '"quoted"', "\\", "data: x\n\n", "[DONE]")
    ),
)
"""Any text, including strings that often break parsers."""

WORDS = st.sampled_from(("a", "b", "lookup", "get_weather", "city", "x1"))

IDS = st.integers(0, 2**24).map(lambda number: f"v1_{number:x}")
"""Identifiers that look like those of services; clients must treat them as opaque."""

BASE64 = st.binary(max_size=9).map(lambda data: base64.b64encode(data).decode("ascii"))

_DAY_ONE = datetime(2026, 6, 9, tzinfo=UTC)


def moment(seconds: int) -> str:
    """The time `seconds` after the first day of today's API, in the service's format."""
    return (_DAY_ONE + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


MOMENTS = st.integers(0, 10**7).map(moment)

_SCALARS: SearchStrategy[Any] = st.one_of(TEXTS, SMALL, st.booleans(), st.none())

OBJECTS: SearchStrategy[dict[str, Any]] = st.dictionaries(
    WORDS, st.one_of(_SCALARS, st.lists(_SCALARS, max_size=2)), max_size=2
)
"""Free JSON objects: arguments, results, schemas, metadata."""

_LABEL_FIRST, _LABEL_REST = "abcxyzéß", "abcxyz019_-é"

LABEL_NAMES = st.builds(
    str.__add__, st.sampled_from(_LABEL_FIRST), st.text(alphabet=_LABEL_REST, max_size=5)
)  # as the published rule allows: a letter, then lower-case letters, digits, _ and -
LABEL_VALUES = st.text(alphabet=_LABEL_REST, max_size=6)
