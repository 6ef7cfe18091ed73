"""The words that are out, and the length of sentences: no page, no help, no rule, no sentence of the output and no
docstring of the package has a word of the list, and a sentence of a page or a rule has at most 25 words.

Identifiers in backticks, code blocks and addresses may have them. A word that is missing here is one that also has
a plain use, such as "refused" in "connection refused".
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.rules import ROWS, SUBJECTS
from tests.in_one_test import in_one_test

ROOT = Path(__file__).resolve().parents[2]
USE_INSTEAD = {
    "nobody": "no client, no check",
    "whoever": "the client that",
    "anew": "again",
    "told|tells": "reports",
    "said|says": "reports, states",
    "accuses?|accused": "report",
    "befell|befall": "affected",
    "not asked": "excluded",
    "nothing is said": "delete it",
    "made of it|ends? up with|ended up with": "result",
    "in the way": "problem",
    "promises?": "rule",
    "judged MUSTs": "MUST checks",
    "untestable|untested": "not tested",
    "not applicable": "not offered",
    "answered": "returned",
    "asked for": "requested",
    "played": "run",
    "for want of": "because … is missing",
    "blames?|blamed": "names",
    "without a word": "silently",
    "hang up|hangs up|hung up": "disconnect",
    "dies|died": "stops, ends",
    "somebody|anybody|everybody": "a client, a user, a person",
    "br(?:eak|eaks|oke|oken|eaking) off": "is dropped, was dropped",
    "catalogue": "catalog",
    "unauthorised|authorised": "authorized",
    "labelled": "labeled",
    "colours?": "color",
    "behaviour": "behavior",
    "judgement": "judgment",
    "(?:recogn|normal|canonical|local|organ)is(?:e|ed|es|ing|ation)": "-ize",
}
"""The words, and what to write in their place."""

PAGES = sorted(
    [
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("javascript/*.md"),
        *(
            ROOT / name
            for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "harness/README.md", "lab/README.md")
        ),
    ]
)
SILENT = {"look", "resources", "strategies", "__init__", "__main__"}
"""What prints nothing."""
PACKAGES = sorted({path.relative_to(ROOT / "harness").parts[0] for path in (ROOT / "harness").rglob("*.py")})
"""The packages, and the modules beside them."""
KEYS = {", says: "}
"""The name of a member in a file of sentences, and no sentence."""
SCRIPTS = sorted(path for kind in ("js", "jinja", "html") for path in ROOT.glob(f"harness/*/page/**/*.{kind}"))
"""The pages of reports and of the inspector."""
_COMMENT = re.compile(r"/\*.*?\*/|(?m:^\s*//.*$|\s//\s.*$)|{[#%{].*?[#%}]}|<script.*?</script>", re.DOTALL)
_QUOTED = re.compile(r""""[^"\n]*"|'[^'\n]*'|`[^`]*`|>[^<>{}]+<""")
SCHEMAS = [
    path for path in sorted(ROOT.glob("schemas/**/*.json")) if path.parent.name not in ("bundled", "strict")
]
"""The published schemas, without those that are generated from them."""
DECLARATIONS = sorted(ROOT.glob("javascript/*.d.ts"))
TABLES = [ROOT / "action.yml", *sorted(ROOT.glob("harness/contract/models/*.yaml"))]
"""Files with descriptions and notes that users read."""
DESCRIBES = frozenset({"title", "summary", "description", "note"})
"""The members of schemas and tables that are sentences."""
PROMPTS = {
    "Search the files: in which year was the lighthouse of Harness Point painted, and in which colour?",
    "The first turn is over.",
    "What another user asked.",
    "This is no output.",
    "This summary of a thought is no output.",
}
"""Texts that a model gets or returns."""

MOST_WORDS = 25
"""Of one sentence; a piece of code is one word, and a semicolon in a table ends a sentence."""
_FENCED = re.compile(r"```.*?```|<!--.*?-->", re.DOTALL)
_CODE = re.compile(r"`[^`]*`")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_BLOCK = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*|#<]|\d+\.)\s)|(?<=\|)\s*\n")
_ENDS_SENTENCE = re.compile(r"(?<=[.!?])[)*]*\s+")
_ENDS_IN_TABLE = re.compile(r"(?<=[.!?])[)*]*\s+|[;|]")

_OUT = re.compile(rf"(?<![\w-])({'|'.join(USE_INSTEAD)})(?![\w-])", re.IGNORECASE)
_NO_PROSE = re.compile(r"```.*?```|~~~.*?~~~|`[^`\n]*`|\]\([^)]*\)|https?://\S+", re.DOTALL)


_VAGUE = re.compile(
    r"(?:\A[*\s]*|\n\n|[.!?]\s+)(?:What|Whoever|Whatever|How many)\b[^.?|:*]*(?=\.)"
    r"|(?<!\*)\b(?:[Ww]e|us|[Oo]urs?|[Hh]olds|for good|(?:is|are|was|were) over)\b"
    r"|(?<![Tt]here )\b(?:is|are|was) no (?!longer\b|more\b)\w+"
)
"""Out of the sentences for users: a clause as a subject, such as "What is gone is listed.", vague words, and "is
no number" for "is not a number". A question and the head of a column may begin so."""


def find_words(text: str, *searches: re.Pattern[str]) -> list[str]:
    """The words of the list in a text, and the vague ones, outside of code and addresses."""
    prose = _NO_PROSE.sub(" ", text)
    return [match[0] for search in searches or (_OUT, _VAGUE) for match in search.finditer(prose)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Nobody said so.", ["Nobody", "said"]),
        ("Write `told` or [told](told.md).", ["told"]),
        ("```\nnobody\n```\nA foretold, well-said thing.", []),
        ("'x' is no number; there is no y, and it is no longer z.", ["is no number"]),
        ("It ends. What is gone is listed.", [". What is gone is listed"]),
        ("What is gone? The column has it: ours.", ["ours"]),
        ("What breaks: the text.", []),
        ("| What | What the client sees |", []),
    ],
)
def test_the_search_finds_whole_words_outside_of_code(text: str, found: list[str]) -> None:
    """A word counts wherever prose has it, also at the beginning of a sentence."""
    assert find_words(text) == found


@in_one_test(page=PAGES)
def test_a_page_has_none(page: Path) -> None:
    """No page of the documentation has a word of the list."""
    text = _NO_PROSE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), page.read_text("utf-8"))
    assert [f"{n}: {words}" for n, line in enumerate(text.splitlines(), 1) if (words := find_words(line))] == []


def find_long_sentences(text: str) -> list[str]:
    """The sentences of a page that have more words than a reader takes in at once."""
    prose = _LINK.sub(r"\1", _CODE.sub("CODE", _FENCED.sub("\n\n", text)))
    sentences = (
        sentence
        for block in _BLOCK.split(prose)
        if not block.lstrip(" ").startswith(("#", "<")) and not block.startswith(" " * 4)
        for sentence in (_ENDS_IN_TABLE if block.lstrip().startswith("|") else _ENDS_SENTENCE).split(block)
    )
    return [s for s in sentences if sum(bool(re.search(r"\w", word)) for word in s.split()) > MOST_WORDS]


_LONG = " ".join(["word"] * MOST_WORDS)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (f"{_LONG} more.", 1),
        (f"{_LONG}. {_LONG}.", 0),
        (f"{_LONG}\nmore.", 1),
        (f"{_LONG}\n\nmore.", 0),
        (f"- {_LONG}\n- more", 0),
        (f"| {_LONG}; more | {_LONG} |", 0),
        (f"| {_LONG} more |", 1),
        (f"{_LONG[5:]} `{_LONG}`.", 0),
        (f"```\n{_LONG} more\n```\n", 0),
        (f"## {_LONG} more", 0),
    ],
)
def test_the_count_of_words_follows_sentences(text: str, count: int) -> None:
    """A sentence ends at its period, with its paragraph, item or cell, and code has no words."""
    assert len(find_long_sentences(text)) == count


@in_one_test(page=PAGES)
def test_a_page_has_short_sentences(page: Path) -> None:
    """No sentence of the documentation has more than 25 words."""
    assert find_long_sentences(page.read_text("utf-8")) == []


@in_one_test(rule=ROWS)
def test_a_rule_has_none(rule: str) -> None:
    """No sentence of a rule has a word of the list, and its title has at most 70 characters."""
    row = ROWS[rule]
    assert find_words(" ".join([row.title, row.rule.statement, row.rule.breaks, *row.accepts])) == []
    assert len(row.title) <= 70
    assert not re.match("[A-Z][a-z]* ", row.title), "a title begins as those beside it, without a capital"
    assert not re.match(r"(?:what|whoever|how many)\b", row.title)
    assert find_long_sentences("\n\n".join([row.rule.statement, row.rule.breaks, *row.accepts])) == []


def test_no_two_rules_have_the_same_title() -> None:
    """A title says which rule is broken, and so do the titles of areas."""
    titles = [row.title.lower() for row in ROWS.values()]
    assert sorted({title for title in titles if titles.count(title) > 1}) == []
    assert find_words(" ".join(SUBJECTS.values())) == []


_NO_BEGIN = re.compile(r"(?:What|Whoever|Whatever|Who|The same(?=[,.]| (?:as|by|for|in|of|on|with|without)))\b")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_none(package: str) -> None:
    """No string with several words has a word of the list: no finding, help text, error or hint, and no docstring.

    No docstring begins with "What" or "Whoever", or with "The same" of a neighbor: each is read alone.
    """
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    place = ROOT / "harness" / package
    prints = place.stem not in SILENT
    found = []
    for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
        nodes = list(ast.walk(ast.parse(path.read_bytes())))
        docs = [_INDENTED.sub("", ast.get_docstring(node) or "") for node in nodes if isinstance(node, documented)]
        texts = [text for text in _strings(nodes) if text not in PROMPTS | KEYS] if prints else []
        wrong = [text for text in docs if _NO_BEGIN.match(text)]
        wrong += [text for text in docs if find_words(text, _OUT)]
        wrong += [text for text in texts if find_words(text)]
        found += [f"{path.relative_to(ROOT)}: {text}" for text in wrong]
    assert found == []


@in_one_test(script=SCRIPTS)
def test_a_page_in_the_browser_has_none(script: Path) -> None:
    """No text that a script or a template of a page shows has a word of the list."""
    quoted = _QUOTED.findall(_COMMENT.sub("", script.read_text("utf-8")))
    texts = [text.strip("\"'`><") for text in quoted]
    shown = [text for text in texts if " " in text.strip() and text[0] not in "#."]  # no selectors
    assert {text: words for text in shown if (words := find_words(text))} == {}


@in_one_test(path=[*SCHEMAS, *TABLES])
def test_a_description_has_none(path: Path) -> None:
    """No description of a schema, of the action or of a table of models has a word of the list."""
    value = json.loads(path.read_bytes()) if path.suffix == ".json" else yaml.safe_load(path.read_bytes())
    assert {text: words for text in _descriptions(value) if (words := find_words(text))} == {}


def _descriptions(value: Any) -> Iterator[str]:
    """The sentences in a schema or a table; the title of a page on the web is none."""
    match value:
        case dict():
            for name, part in value.items():
                if name in DESCRIBES and isinstance(part, str):
                    yield from () if "url" in value else (part,)
                else:
                    yield from _descriptions(part)
        case list():
            for part in value:
                yield from _descriptions(part)


@in_one_test(path=DECLARATIONS)
def test_a_declaration_has_none(path: Path) -> None:
    """No comment of the npm package's declarations, which editors show, has a word of the list."""
    comments = re.findall(r"/\*\*.*?\*/", path.read_text("utf-8"), re.DOTALL)
    assert {text: words for text in comments if (words := find_words(text))} == {}


def _strings(nodes: list[Any]) -> Iterator[str]:
    """The strings of several words; docstrings are not among them."""
    bodies = (node.body for node in nodes if isinstance(getattr(node, "body", None), list))
    docs = {id(one.value) for body in bodies for one in body if isinstance(one, ast.Expr)}
    for node in nodes:
        value = node.value if isinstance(node, ast.Constant) and id(node) not in docs else None
        if isinstance(value, str) and " " in value.strip():
            yield value


_INDENTED = re.compile(r"^ {4}.*$", re.MULTILINE)
"""A table or an example in a docstring."""

MODULES = re.findall(r"^## (harness[\w.]*)$", (ROOT / "docs" / "api.md").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("module", MODULES)
def test_a_public_docstring_has_none(module: str) -> None:
    """No docstring that the site shows has a word of the list."""
    found = {name: words for name, text in _docstrings(module) if (words := find_words(text))}
    assert found == {}


def _docstrings(module: str) -> Iterator[tuple[str, str]]:
    value = importlib.import_module(module)
    yield module, value.__doc__ or ""
    for name in getattr(value, "__all__", ()):
        member = getattr(value, name)
        if getattr(member, "__module__", "").startswith("harness.") and callable(member):
            yield name, inspect.getdoc(member) or ""
            yield from ((f"{name}.{part}", text) for part, text in _parts(member))


def _parts(member: Any) -> Iterator[tuple[str, str]]:
    for name, part in vars(member).items() if inspect.isclass(member) else ():
        inner = getattr(part, "fget", None) or getattr(part, "__func__", part)
        if not name.startswith("_") and inspect.isfunction(inner):
            yield name, inspect.getdoc(inner) or ""
