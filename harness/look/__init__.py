"""The look of every page: colors, type, shapes of verdicts, the parts that pages share.

Files, their loader, and the shape and color of a verdict; must not know the subject of a page. `tokens.css` names
each color and size once, for light and dark. `elements.css` has the parts: verdict words, buttons, folds, code
with Copy, theme switch. `matrix.css` is the table of cells that open a drawer. `icons.svg` has one shape for each
verdict. `theme.js`, `copy.js` and `matrix.js` are the scripts that belong to the parts. A page contains them: it
sends no request.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Mark:
    """The shape of a word (`icons.svg` has `i-SHAPE`) and its color (`elements.css` has `v-COLOUR`)."""

    shape: str
    colour: str


WORDS = {
    "failed": Mark("fail", "fail"),
    "warned": Mark("warn", "warn"),
    "passed": Mark("pass", "pass"),
    "not_tested": Mark("void", "void"),
    "not_offered": Mark("refused", "none"),
    "excluded": Mark("dash", "none"),
    "fail": Mark("fail", "fail"),
    "pass": Mark("pass", "pass"),
    "info": Mark("info", "info"),
    "wrong": Mark("fail", "fail"),
    "gave-up": Mark("flag", "warn"),
    "exact": Mark("pass", "pass"),
    "no_answer": Mark("void", "void"),
    "hung": Mark("hung", "void"),
    "refused": Mark("refused", "none"),
}
"""Shape and color of the words that a page uses for outcomes."""


def mark_of(word: str) -> Mark:
    """The mark of a word; a dash for a word that has none."""
    return WORDS.get(word, Mark("dash", "none"))


def read_style(*names: str) -> str:
    """The named style sheets in this order, `tokens` and `elements` first: `read_style("matrix")`."""
    return "\n".join(_read(f"{name}.css") for name in ("tokens", "elements", *names))


def read_sheet(name: str) -> str:
    """One style sheet alone, such as `tokens`, for a page with parts of its own."""
    return _read(f"{name}.css")


def read_script(*names: str) -> str:
    """The named scripts in this order: `read_script("theme", "copy")`."""
    return "\n".join(_read(f"{name}.js") for name in names)


def read_icons() -> str:
    """The shapes as one hidden `<svg>`; `<svg class="icon"><use href="#i-fail"/></svg>` shows one."""
    return _read("icons.svg")


def content_hash(text: str) -> str:
    """The value with which a content security policy allows an inline script: `sha256-…`."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


@cache
def _read(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")
