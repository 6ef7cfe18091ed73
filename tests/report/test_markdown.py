"""Markdown text: what is not Markdown already is escaped where it is put into some."""

from __future__ import annotations

import ast
import re

from harness.report.markdown import Markdown, fence, join_lines, write_code, write_html, write_plain
from tests.packages import PACKAGE, parse_package

_SYNTAX = re.compile(r"\|\s?---|\A#{2,4} |<details>")
"""A table, a heading, and a part that is folded away."""
_SYNTAX_OF_A_FILE = r"\|\s?---|#{2,4} |<details>"


def test_what_is_put_into_markdown_is_plain_text() -> None:
    """Whether it is formatted, joined or a line; Markdown stays as it is, and numbers keep their format."""
    assert Markdown("**{}** {:,} {x}").format("*a*", 1234, x=Markdown("*b*")) == r"**\*a\*** 1,234 *b*"
    assert Markdown(" | ").join(["a | b", write_code("c | d")]) == r"a \| b | `c \| d`"
    assert join_lines([Markdown("# a"), "*b*\n# c", "", fence("d\n```")]) == (
        "# a\n\\*b\\* # c\n\n````text\nd\n```\n````"
    )


def test_each_writer_returns_markdown() -> None:
    """Nothing is escaped twice."""
    for written in (write_plain("*"), write_code("*"), write_html("<"), fence("*"), Markdown("{}").format("*")):
        assert isinstance(written, Markdown)
        assert Markdown("{}").format(written) == written


def test_every_writer_of_markdown_uses_the_type() -> None:
    """A module with a heading or a table of Markdown among its texts writes it with `Markdown`."""
    writing = {}
    for path, tree in parse_package(_SYNTAX_OF_A_FILE).items():
        nodes = list(ast.walk(tree))
        texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        if any(map(_SYNTAX.search, texts)):
            used = {node.id for node in nodes if isinstance(node, ast.Name)}
            writing[path.relative_to(PACKAGE).as_posix()] = used
    assert {name for name, used in writing.items() if "Markdown" not in used} == set()
