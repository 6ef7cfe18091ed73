"""Words for messages: shortened texts, nouns with a number, suggestions, the body of a request in a few words.

Knows text; must not know what it is about.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

import msgspec


def shorten(text: str, most: int) -> str:
    """The text; if it is longer than `most` characters, shortened to that many, which end in an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def shorten_with_length(text: str, most: int) -> str:
    """The text; if it is longer than `most` characters, that many of them and its length."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


_PAGE = re.compile(r"\s*<(?:!doctype html|html|head|title|body|h1|center)\b", re.IGNORECASE)
_UNREAD = re.compile(
    r"<(script|style)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)|<[^>]*(?:>|\Z)", re.IGNORECASE | re.DOTALL
)
"""What a browser does not show of a page."""
_TITLE_TWICE = re.compile(r"^(.{3,60}) \1(?!\w)")


def quote_body(body: bytes, most: int, *, complete: bool = True) -> str:
    """The beginning of a body, in one line of at most `most` characters; of a page of HTML, the words on it."""
    text = body[:4_000].decode("utf-8", "replace") + ("" if complete else "…")
    kind = ""
    if _PAGE.match(text):
        import html  # late: few answers are pages

        kind, text = "an HTML page: ", html.unescape(_UNREAD.sub(" ", text))
    text = " ".join(text.split())
    return kind + shorten(_TITLE_TWICE.sub(r"\1", text) if kind else text, most - len(kind))


UNSEEN = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
"""Characters, for a class of a pattern, that change how a viewer shows a text: controls of C1, marks of direction,
separators that break a line, and a mark of byte order."""

_UNSEEN = re.compile(f"[{UNSEEN}]")


def escape_letters(text: str) -> str:
    """Write every character as `\\uXXXX`, which JSON reads back."""
    return "".join(f"\\u{ord(letter):04x}" for letter in text)


def escape_unseen(text: str) -> str:
    """Write so the characters that change how a viewer shows the text."""
    return _UNSEEN.sub(lambda found: escape_letters(found[0]), text)


_OBEYED = re.compile(rf"\r\n|[\x00-\x08\x0b-\x1f{UNSEEN}]")


def escape_obeyed(text: str) -> str:
    """Write so all that a terminal or an editor would obey, in a file that keeps its lines."""
    return _OBEYED.sub(lambda found: found[0] if found[0] == "\r\n" else escape_letters(found[0]), text)


_COMMAND = re.compile(r"(##[^\s\[]{0,60})\[")
"""`##[`, `##vso[` or `##teamcity[`, which runners of CI systems look for anywhere; unseen letters may be in it."""
_LINE_COMMAND = re.compile(r"(?m)^([^\S\n]*+):(?=:)")


def break_commands(text: str) -> str:
    """Write a text so that no runner of a CI system, nor a reader of JUnit files, finds a command in it."""
    return _COMMAND.sub(lambda found: found[1] + escape_letters("["), break_attachments(text))


_ATTACHED = re.compile(r"\[(?=\[\s*ATTACHMENT)", re.IGNORECASE)


def break_attachments(text: str) -> str:
    """Write a text so that no CI system attaches the file of the machine that `[[ATTACHMENT|path]]` names."""
    return _ATTACHED.sub(escape_letters("[").replace("\\", r"\\"), text)


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")


def write_harmless(text: str) -> str:
    """Write a text so that neither a terminal nor a runner of a CI system obeys any part of it."""
    shown = break_commands(_CONTROL.sub(lambda found: escape_letters(found[0]), escape_unseen(text)))
    return _LINE_COMMAND.sub(lambda found: found[1] + escape_letters(":"), shown)


def to_one_line(text: str) -> str:
    """The text in one line, so that no word of a stranger begins a line of its own."""
    if text.splitlines() == [text]:  # the JSON of an event, which has thousands of blanks
        return text
    return re.sub(r"\s+", lambda found: found[0] if found[0].splitlines() == [found[0]] else " ", text)


def list_some(names: Sequence[str], most: int, *, hint: str = "") -> str:
    """`a, b and 3 more (hint)`: the first `most` names, and how many there are besides."""
    left = len(names) - most
    return ", ".join(names[:most]) + (f" and {left} more" + (f" ({hint})" if hint else "") if left > 0 else "")


def format_count(number: int, noun: str, plural: str = "") -> str:
    """`1 event`, `2 events`; pass `plural` if it is not the noun plus an s."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


# Suggestions for an unknown word: the known words that were probably meant.


def nearest(word: str, known: Iterable[str], *, most: int = 3) -> list[str]:
    """The known word in other capitals, else those spelled almost like `word`, else those that begin with it or
    have it as a part, else one that is similar.
    """
    import difflib  # its import costs more than the rest of this module, and only an error needs it

    words = list(known)
    if len(word) > 3 * max(map(len, words), default=0):  # similar to none; a target once sent one of 3 MB
        return []
    if word.startswith("--") and all(candidate.startswith("--") for candidate in words):  # dashes are no likeness
        return [f"--{near}" for near in nearest(word[2:], [candidate[2:] for candidate in words], most=most)]
    if same := [candidate for candidate in words if candidate.lower() == word.lower()]:
        return same[:most]
    close = difflib.get_close_matches(word, words, n=most, cutoff=0.75)
    shares = [difflib.SequenceMatcher(None, candidate, word).ratio() for candidate in close]
    return (
        [candidate for candidate, share in zip(close, shares, strict=True) if share > shares[0] - 0.15]
        or [candidate for candidate in words if word and candidate.startswith(word)][:most]
        or [candidate for candidate in words if word in candidate.split(".")][:most]
        or difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    )


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """`: did you mean 'x' or 'y'?`; if nothing is similar, `otherwise`, or else the known words if few."""
    words = list(known)
    near = nearest(word, words)
    if near:
        return f": did you mean {' or '.join(map(repr, near))}?"
    return otherwise or (": known are " + ", ".join(words) if 0 < len(words) <= 30 else "")


_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]+")


def describe_body(body: bytes) -> str:
    """`with a body of 20,040 bytes that is nested 10,000 deep`; `""` for no body."""
    if not body:
        return ""
    odd = _name_what_is_odd(body)
    return f"with a body of {len(body):,} bytes{f' that is {odd}' if odd else ''}"


def _name_what_is_odd(body: bytes) -> str:
    if (depth := count_depth(body)) >= 100:
        return f"nested {depth:,} deep"
    try:
        json.loads(body.decode("utf-8"))
    except UnicodeDecodeError:
        return "not UTF-8"
    except (ValueError, RecursionError):
        return "not JSON"
    return ""


def count_depth(body: bytes) -> int:
    """How deep arrays and objects are nested in a text of JSON, without parsing it."""
    depth = deepest = 0
    for run in _BRACKETS.findall(_TEXT.sub(b"", body)):
        for byte in run:
            depth += 1 if byte in b"[{" else -1
            deepest = max(deepest, depth)
    return deepest


def write_docstring(text: str) -> str:
    """A docstring, as a person writes it unless the text would end it: a stranger may have chosen it."""
    return repr(text) if set(text) & {'"', "\\"} or not text.isprintable() else f'"""{text}"""'


def dump(value: object) -> str:
    """Format JSON as every command prints it: what a viewer would obey is escaped, and so are lone surrogates."""
    line = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    try:  # many times as fast as `indent=2`, which json does in Python
        text = msgspec.json.format(line, indent=2).decode("utf-8", "surrogatepass")
    except msgspec.DecodeError:  # an infinite number, which a target may spell 1e999
        text = json.dumps(value, ensure_ascii=False, indent=2)
    return escape_unseen(text).encode("utf-8", "backslashreplace").decode("utf-8") + "\n"
