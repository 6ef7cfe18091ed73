"""The shared look: contrast of the tokens, shapes for every verdict, nothing that a page would fetch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import harness.look
from harness.look import WORDS, content_hash, mark_of, read_icons, read_script, read_style
from harness.outcome import Accounted

FOLDER = Path(harness.look.__file__).parent
_PAIR = re.compile(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)")
_TEXT = ("ink", "ink-2", "ink-3", "link", "fail", "warn", "pass", "info", "void")
_FETCHES = re.compile(r"https?://|@import|url\((?!#)|fetch\(|innerHTML|insertAdjacentHTML|eval\(")
_VERDICT = ("fail", "warn", "pass", "info", "void")


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(scheme: int) -> None:
    """Each text colour has 4.5:1 on every ground it may stand on, the border of a control has 3:1."""
    colours = {name: pair[scheme] for name, *pair in _PAIR.findall(read_style())}
    grounds = ("bg", "sunk", "raised")
    for name in _TEXT:
        soft = (f"{name}-soft",) if name in _VERDICT else ()
        worst = min(_contrast(colours[name], colours[ground]) for ground in (*grounds, *soft))
        assert worst >= 4.5, f"{name} has a contrast of {worst:.2f}"
    assert min(_contrast(colours["edge"], colours[ground]) for ground in grounds) >= 3


def test_every_outcome_has_a_shape_and_a_color() -> None:
    """No outcome is shown by its colour alone: each has a shape that is drawn and a colour that is defined."""
    assert {str(outcome) for outcome in Accounted} <= set(WORDS)
    shapes, style = read_icons(), read_style()
    for mark in (*WORDS.values(), mark_of("a word of nobody")):
        assert f'id="i-{mark.shape}"' in shapes
        assert f".v-{mark.colour} " in style


def test_only_the_tokens_name_a_colour() -> None:
    """A colour outside the tokens would not follow the scheme."""
    for sheet in sorted(FOLDER.glob("*.css")):
        found = re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(", sheet.read_text("utf-8"))
        assert bool(found) == (sheet.name == "tokens.css"), f"{sheet.name} names {found}"


def test_every_variable_that_is_used_is_defined() -> None:
    """No style uses a variable that the tokens do not have."""
    text = read_style("matrix")
    assert set(re.findall(r"var\((--[\w-]+)", text + read_icons())) <= set(re.findall(r"(--[\w-]+):", text))


def test_the_parts_fetch_nothing_and_write_no_markup() -> None:
    """No file of the look asks the network, and no script makes markup out of text."""
    for path in sorted(FOLDER.glob("*.*")):
        text = path.read_text("utf-8")
        assert not _FETCHES.search(text), path


def test_a_script_is_named_by_its_hash() -> None:
    """The hash is the one that a browser computes of the text between the tags."""
    assert content_hash("alert(1)") == "sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI="
    assert "localStorage" in read_script("theme", "copy")
