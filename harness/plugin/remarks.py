"""What is told at the end of a run beside failures: recordings nobody played, rules a judged server should keep.

Layer 6. Standard library only. Remarks travel in the reports' user_properties, so that workers of xdist have them
too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

TITLES = {"interactions_cassette": "interactions cassettes", "interactions_remark": "interactions warnings"}


def sections(reports: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """(title, lines) of each kind of remark that there is."""
    properties = [pair for report in reports for pair in getattr(report, "user_properties", ())]
    for name, title in TITLES.items():
        remarks = dict.fromkeys(str(value) for found, value in properties if found == name)
        if remarks:
            yield title, "\n".join(remarks)
