"""The code of the site, which is outside the package: `docs/.site` is a folder of scripts."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs" / ".site"))

from incident_pages import format_library  # type: ignore[import-not-found]
from rule_pages import (  # type: ignore[import-not-found]
    mutation_page,
    rule_index,
    rule_pages,
    sentences_page,
)

__all__ = ["format_library", "sentences_page", "mutation_page", "rule_index", "rule_pages"]
