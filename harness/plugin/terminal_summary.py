"""Remarks in the terminal summary: recordings not played or old, SHOULD rules that a judged server breaks.

Layer 7. Standard library only. Remarks travel in the reports' user_properties, so that they also arrive from
workers of xdist.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

TITLES = {"interactions_cassette": "interactions cassettes", "interactions_remark": "interactions warnings"}


def sections(reports: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """(title, lines) for each kind of remark found in the reports."""
    properties = [pair for report in reports for pair in getattr(report, "user_properties", ())]
    for name, title in TITLES.items():
        remarks = dict.fromkeys(str(value) for found, value in properties if found == name)
        if remarks:
            yield title, "\n".join(remarks)
