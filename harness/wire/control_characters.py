"""Keeps control characters of others out of what is shown.

Layer 0.
"""

from __future__ import annotations


def escape_controls(text: str) -> str:
    """Escape the control characters that a terminal would obey: a target must not paint our report."""
    return "".join(c if c in "\n\t" or c.isprintable() else repr(c)[1:-1] for c in text.replace("\r\n", "\n"))
