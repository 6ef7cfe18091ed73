"""The facts about this API that a search needs. Importing it costs nothing."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from msgspec.structs import replace

from harness.interactions import INTERACTIONS

if TYPE_CHECKING:
    from harness.kit.search import SearchModel


def load_search() -> SearchModel:
    """The operations, their player and their rules, those of the user's extensions included. Needs Hypothesis."""
    model = _build_model()
    return replace(model, rules={**INTERACTIONS.load_rules(), **model.rules})


@cache
def _build_model() -> SearchModel:
    from harness.checks.capabilities import RESTS_ON
    from harness.strategies.search_model import build_model

    return build_model(RESTS_ON)
