"""The formats that a finished run can be written in, by name.

Layer 6. Each format is imported only when it is needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.report.presented_run import PresentedRun

_MODULES = {
    "json": "json_report",
    "junit": "junit",
    "markdown": "markdown",
    "html": "html_report",
    "badge": "badge",
}

FORMATS = tuple(_MODULES)


def render(name: str, state: PresentedRun) -> str:
    """Render a finished run in the named format, which must be one of FORMATS."""
    text: str = import_module(f"harness.report.{_MODULES[name]}").render(state)
    return text
