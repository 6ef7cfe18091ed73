"""Servers as rows: what is changed in a server that is right, what is asked, and what has to be said of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.foreign.judging import Report, check
from tests.foreign.server import ForeignService, Json, Refused, Run

CODES = {403: "permission_denied", 404: "not_found", 409: "aborted", 500: "api_error", 501: "unimplemented"}

FAULTS = ("fail", "warn", "error")


def vary(base: type, **changes: Any) -> type:
    """A class like `base` but for some attributes.

    A function takes the place of a method: it gets the object, the method that it replaces, and its arguments.
    """

    def replace(name: str, change: Callable[..., Any]) -> Callable[..., Any]:
        def method(self: Any, *arguments: Any) -> Any:
            return change(self, getattr(super(made, self), name), *arguments)

        return method

    made = type(f"Varied{base.__name__}", (base,), {})
    for name, change in changes.items():
        is_function = callable(change) and not isinstance(change, type)
        setattr(made, name, replace(name, change) if is_function else change)
    return made


def refuse(status: int, when: Any = lambda *_: True, code: str = "", message: str = "no") -> Callable[..., Any]:
    """A change of a method: it refuses certain arguments."""

    def change(_: Any, usual: Callable[..., Any], *arguments: Any) -> Any:
        if when(*arguments):
            raise Refused(status, code or CODES.get(status, "invalid_request"), message)
        return usual(*arguments)

    return change


def add(**fields: Any) -> Callable[..., Any]:
    """A change of a method that returns an object: it has other fields, too."""
    return lambda _, usual, *arguments: {**usual(*arguments), **fields}


def each(edit: Callable[[Json], Json]) -> Callable[..., Any]:
    """A change of `events`: each is edited."""

    def change(_: Any, usual: Callable[..., Any], run: Run) -> Iterator[tuple[float, Json]]:
        yield from ((due, edit(event)) for due, event in usual(run))

    return change


def in_pages(place: Callable[[int], int] = lambda start: start, *, empty_end: bool = False) -> Callable[..., Any]:
    """A change of `neighbour`: lists come in pages, and a token is the number of items before its page.

    `place` is where the page of a token really begins. With `empty_end` the last page has nothing in it.
    """

    def change(_: Any, usual: Callable[..., Any], method: str, parts: list[str], data: bytes, query: Json) -> Any:
        whole = usual(method, parts, data, query)
        size, start = (int(query.get(name) or query.get(other) or 0) for name, other in _PAGING)
        lists = [name for name, value in whole.items() if isinstance(value, list)] if size else []
        if method != "GET" or not lists:
            return whole
        items, begin = whole[lists[0]], place(start)
        page, camel = items[begin : begin + size], "pageSize" in query
        more = begin + size < len(items) + empty_end and page
        token = {"nextPageToken" if camel else "next_page_token": str(begin + size)} if more else {}
        return {lists[0]: page, **token}

    return change


_PAGING = (("page_size", "pageSize"), ("page_token", "pageToken"))


def is_background(body: Json) -> bool:
    """Whether a create asks for a background run."""
    return bool(body.get("background"))


def is_stream(body: Json) -> bool:
    """Whether a create asks for a stream."""
    return bool(body.get("stream"))


def without(body: Json, *names: str) -> Json:
    """The fields of an object but some."""
    return {name: value for name, value in body.items() if name not in names}


@dataclass
class Row:
    """A server, the checks that it is asked, and what is said of it; what is not named is no fault.

    `rest` are the verdicts of checks that have no other, `blocked` is the least number of blocked ones, and `said`
    are parts of what the command prints, with single spaces, or of the messages of its report.
    """

    service: type[ForeignService]
    globs: list[str]
    words: list[str]
    said: Sequence[str]
    verdicts: dict[str, str] = field(default_factory=dict)
    codes: dict[str, list[str]] = field(default_factory=dict)
    rest: tuple[str, ...] = ()
    blocked: int = 0
    exit: int | None = None

    def expect(self, said: str, *words: str) -> None:
        """Take one part of an expectation, such as `fail get.ok/missing`, `rest pass`, `6 blocked` or `exit 1`."""
        if said == "exit":
            self.exit = int(words[0])
        elif said == "rest":
            self.rest = words
        elif words == ("blocked",):
            self.blocked = int(said)
        else:
            for word in words:
                rule, slash, variant = word.partition("/")
                self.verdicts[rule] = said
                if slash:
                    self.codes.setdefault(rule, []).extend([] if variant == "-" else [word if variant else rule])

    def hold(self, capsys: pytest.CaptureFixture[str]) -> Report:
        """Judge the server, and fail unless that is said which the row wants."""
        report = check(self.service(), *self.globs, words=tuple(self.words), shows=bool(self.said))
        assert report.verdicts, "the row asks for no check"
        assert report.faults == {rule: said for rule, said in self.verdicts.items() if said in FAULTS}, report
        assert {rule: report.verdicts[rule] for rule in self.verdicts} == self.verdicts
        assert {rule: list(dict.fromkeys(report.codes[rule])) for rule in self.codes} == self.codes
        others = report.verdicts.keys() - self.verdicts
        assert not self.rest or {report.verdicts[rule] for rule in others} <= {*self.rest}, report
        assert list(report.verdicts.values()).count("blocked") >= self.blocked
        assert self.exit in (None, report.exit)
        told = " ".join([*capsys.readouterr().out.split(), *itertools.chain(*report.messages.values())])
        assert [part for part in self.said if part not in told] == []
        return report


def hold_each(rows: Iterable[Any]) -> Callable[..., None]:
    """A test of a module: each of its rows holds."""

    @pytest.mark.parametrize("case", rows)
    def test(case: Row, capsys: pytest.CaptureFixture[str]) -> None:
        case.hold(capsys)

    return test


def rows_of(base: type[ForeignService]) -> Callable[..., Any]:
    """A function that makes cases of a test: servers like `base` but for changes."""

    def row(
        text: str, /, *, words: str = "", said: Sequence[str] = (), thorough: bool = False, **changes: Any
    ) -> Any:
        """`text` is `name: checks -> expectations`, such as `no-get: get.* -> fail get.ok/missing, exit 1`.

        A code after the rule is that of its finding; a slash alone stands for the code of the rule itself, `/-`
        for no finding. A thorough row is one more of a kind.
        """
        name, _, asked = text.partition(": ")
        globs, _, expectations = asked.partition("->")
        made = Row(vary(base, **changes) if changes else base, globs.split(), words.split(), said)
        for part in filter(None, expectations.strip().split(", ")):
            made.expect(*part.split())
        return pytest.param(made, id=name, marks=[pytest.mark.thorough] * thorough)

    return row
