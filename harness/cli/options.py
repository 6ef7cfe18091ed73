"""The options of the commands: each is declared once, as a field of the dataclass of its command.

The command line, the environment, `[tool.harness]`, the tables of the documentation and the JSON Schema for
editors all come from these fields. `arguments` turns them into values. A value passes the same reader whichever
way it comes in.

Every option that names a place declares what a configuration file may do with it (`Trust`), because people run
the harness in folders that they did not write. `arguments` judges the paths in it.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Literal

from harness.cli.output import mask_text
from harness.outcome import Level, UsageFault
from harness.outcome.words import did_you_mean, list_some
from harness.wire.message import is_sendable
from harness.wire.secrets import SCHEME, is_personal_header, name_secret_variable


class Trust(StrEnum):
    """The values that a configuration file may give to an option, or the reason why it may not set the option.

    A file may set how results are judged. Only the command line and the environment choose the receiver of a key,
    code that runs, and files outside the folder of the file.
    """

    JUDGE = "any value"
    INSIDE = "only a path in its own folder"
    SEND = "it decides who receives your key"
    RUN = "it chooses code that runs"
    WRITE = "it chooses where data is stored"
    BIND = "it decides which machines can connect"
    CALL = "it is for one run"


@dataclass(frozen=True, slots=True)
class ValueKind:
    """The values that an option takes: how a text is read, and what a file holds instead of a text.

    `read` raises ValueError with a sentence that repeats the value. `is_place`: a value names a file, a program, a
    server or an interface, so its option must say what a configuration file may do with it.
    """

    words: str
    read: Callable[[str], Any]
    schema: Mapping[str, Any] = dataclasses.field(default_factory=lambda: {"type": "string"})
    metavar: str = ""
    is_place: bool = False


_VERSION = re.compile(r"(?:/?[\w-][\w.-]*(?:/[\w-][\w.-]*)*/?)?", re.ASCII)
"""Segments of a path, and none that leads up: a host may serve several people, each below a path."""

_WHOLE = re.compile(r"-?[0-9]+")
_MOST = 1e9
"""The largest number that an option takes, and its inverse the smallest: no clock waits for 1e300 seconds."""


def _number(words: str, lowest: float, metavar: str = "S") -> ValueKind:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a number: write one such as 30 or 0.5") from None
        if not lowest <= value <= _MOST:
            raise ValueError(f"{text!r} must be {words}, from {lowest:g} to {_MOST:g}")
        return value

    return ValueKind(words, read, {"type": "number", "minimum": lowest, "maximum": _MOST}, metavar)


def _whole(words: str, lowest: float, most: float = math.inf) -> ValueKind:
    def read(text: str) -> int:
        if _WHOLE.fullmatch(text) is None or not lowest <= int(text) <= most:
            raise ValueError(f"{text!r} must be {words}")
        return int(text)

    bounds = {name: bound for name, bound in (("minimum", lowest), ("maximum", most)) if math.isfinite(bound)}
    return ValueKind(words, read, {"type": "integer", **bounds}, "N")


def _read_version(text: str) -> str:
    if _VERSION.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not an API version: write letters, digits and dashes, such as v1beta")
    return text.strip("/")


def _read_header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not is_sendable(name.strip(), value):
        # The intended value may be a key, so the message does not repeat it.
        what = f"the value of {name.strip()!r}" if colon else "this"
        raise ValueError(f"{what} is not a header: write it as 'Name: value'")
    return name.strip(), value.strip()


def _read_folder(text: str) -> str:
    if not text:
        raise ValueError("the name of the folder is empty (is a variable unset?): name a folder")
    return text


def _read_key(text: str) -> str:
    key = text.strip()
    if not (key.isascii() and key.isprintable()):
        raise ValueError("the key contains characters that a header cannot contain")
    return key


def _read_level(text: str) -> Level:
    levels = {level.lower(): level for level in Level}
    if text.lower() not in levels:
        raise ValueError(f"unknown level {text!r}{did_you_mean(text, levels)}")
    return levels[text.lower()]


TEXT = ValueKind("a string", str)
LEVEL = ValueKind(
    "must, should or may", _read_level, {"type": "string", "enum": ["must", "should", "may"]}, "LEVEL"
)
FLAG = ValueKind("true or false", str, {"type": "boolean"})
TALLY = ValueKind("a number of repetitions", str, {"type": "integer"})
"""A flag that counts how often it is given."""
COUNT = _whole("a whole number, 1 or more", 1)
WHOLE = _whole("a whole number, 0 or more", 0)
SEED = _whole("a whole number", -math.inf)
SECONDS = _number("a number of seconds", 0)
POSITIVE_SECONDS = _number("a positive number of seconds", 1 / _MOST)
POSITIVE_NUMBER = _number("a number above 0", 1 / _MOST, "N")
PORT = _whole("a port, 0 to 65535", 0, 65_535)
VERSION = ValueKind("an API version", _read_version, {"type": "string", "pattern": f"^{_VERSION.pattern}$"}, "V")
HEADER = ValueKind("a header, 'Name: value'", _read_header, metavar="'N: V'")
KEY = ValueKind("an API key", _read_key, metavar="KEY")
LINE_END = re.compile(r"[\r\n]")
PATH = ValueKind("the path of a file", str, metavar="FILE", is_place=True)
REVISION = ValueKind("a revision, or the folder of one", str, metavar="DATE", is_place=True)
FOLDER = ValueKind("the path of a folder", _read_folder, metavar="DIR", is_place=True)
REPORT = ValueKind("FORMAT=PATH", str, metavar="FORMAT=PATH", is_place=True)
URL = ValueKind("a URL", str, metavar="URL", is_place=True)
HOST = ValueKind("the address of an interface", str, metavar="HOST", is_place=True)
MODULE = ValueKind("a module, or a file that ends in .py", str, metavar="MODULE", is_place=True)
PROGRAM = ValueKind("the name of a program", str, metavar="NAME", is_place=True)


@dataclass(frozen=True, slots=True)
class Option:
    """One declared option or argument."""

    about: str
    """One phrase without a period; the default is added."""
    kind: ValueKind
    default: Any
    flags: tuple[str, ...] | None = None
    """None: `--` and the field's name. Empty: an argument without a flag."""
    nargs: str | None = None
    const: Any = None
    """The value of an option that is given without one."""
    repeats: bool = False
    metavar: str = ""
    choices: Sequence[str] = ()
    variable: str = ""
    """The environment variable that holds the value."""
    trust: Trust | None = None
    group: str = ""
    shown: str = ""
    """The default in words, where it is no single value."""
    only_in_file: bool = False
    """Whether it is no option of the command line: a key of the command's table that other commands read."""
    once: Literal["", "selects", "reports"] = ""
    """Why a line that repeats a result leaves it out: it selects the results of a run, or reports them."""
    name: str = ""

    @property
    def long_flag(self) -> str:
        """The name that messages use."""
        flags = self.list_flags()
        return flags[-1] if flags else self.metavar or self.name

    @property
    def key(self) -> str:
        flags = self.list_flags()
        return flags[-1].removeprefix("--") if flags else self.name.replace("_", "-")

    @property
    def is_key(self) -> bool:
        """Whether a configuration file may have this key."""
        return self.allowed in (Trust.JUDGE, Trust.INSIDE)

    @property
    def allowed(self) -> Trust:
        """The values that a configuration file may give to it; open only if the kind of the option is no place."""
        if self.trust is None:
            assert not self.kind.is_place, f"{self.name} names a place, but has no trust"
            return Trust.JUDGE
        return self.trust

    def list_flags(self) -> tuple[str, ...]:
        """Its flags, the long one last."""
        return (f"--{self.name.replace('_', '-')}",) if self.flags is None else self.flags

    @property
    def default_text(self) -> str:
        """The default as help and documentation show it, "" if there is none to show."""
        if self.shown:
            return self.shown
        if self.variable:
            return f"${self.variable}"
        if self.kind in (FLAG, TALLY) or self.default is None or self.default == ():
            return ""
        return f"{self.default:g}" if isinstance(self.default, float) else str(self.default)

    @property
    def help(self) -> str:
        """The phrase with the default."""
        return f"{self.about} (default: {self.default_text})" if self.default_text else self.about

    def read(self, value: Any, source: str, *, of_file: bool = False) -> Any:
        """Read a value, or each of several. Raises UsageFault that names the source."""
        if self.repeats or self.nargs in ("*", "+"):
            if of_file and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
                raise UsageFault(f"{source}{self._repeat(value)} must be a list of strings")
            return [self._read_one(item, source) for item in value]
        if of_file:
            self._require_type(value, source)
            if self.kind is not FLAG:
                return self._read_one(str(value), source)
        return value if self.kind in (FLAG, TALLY) else self._read_one(value, source)

    def _read_one(self, given: Any, source: str) -> Any:
        text = "--" if given == [] else given  # argparse takes the value of `--port=--` for the end of the options
        if self.choices and text not in self.choices:
            if len(self.choices) == 1:
                raise UsageFault(f"{source}: {text!r} is not known: write {self.choices[0]}")
            near = did_you_mean(text, self.choices, otherwise=" ").rstrip()
            raise UsageFault(f"{source}: {text!r} is not one of {', '.join(self.choices)}{near}")
        if self.kind.is_place and LINE_END.search(text):  # it would write lines of its own into the output
            raise UsageFault(f"{source}: {text!r} contains a line feed: use another name")
        try:
            return self.kind.read(text)
        except ValueError as wrong:
            raise UsageFault(f"{source}: {wrong}") from None

    def _require_type(self, value: Any, source: str) -> None:
        kinds: dict[str, Any] = {"string": str, "boolean": bool, "integer": int, "number": (int, float)}
        wanted = self.kind.schema["type"]
        if not isinstance(value, kinds[wanted]) or (isinstance(value, bool) and wanted != "boolean"):
            raise UsageFault(f"{source}{self._repeat(value)} must be {self.kind.words}")

    def _repeat(self, value: Any) -> str:
        return "" if self.kind in (HEADER, KEY) else f" = {value!r}"  # a header may hold a key


def option(about: str, kind: ValueKind = TEXT, default: Any = None, **more: Any) -> Any:
    """Declare an option: the value of a field in an `Options` class; `more` are further fields of `Option`."""
    more.setdefault("metavar", kind.metavar)
    return dataclasses.field(default=default, metadata={"option": Option(about, kind, default, **more)})


def flag(about: str, **more: Any) -> Any:
    """Declare an option without a value, which is false unless it is given."""
    return option(about, FLAG, False, **more)


def argument(about: str, kind: ValueKind = TEXT, **more: Any) -> Any:
    """Declare an argument that has no flag."""
    return option(about, kind, flags=(), **more)


LOOKED_UP = "exit codes: 0 printed · 2 usage, or nothing has this name"
"""The exit codes of a command that only prints what is known."""


@dataclass(frozen=True, slots=True)
class Page:
    """The parts of a command's help beside its options.

    `regrouped` gives groups other titles. `shares` are
    the keys that it takes from `[tool.harness]` beside its own table, because they mean the same to it.
    """

    name: str
    examples: tuple[str, str]
    usage: str = ""
    groups: tuple[str, ...] = ()
    notes: str = ""
    regrouped: Mapping[str, str] = dataclasses.field(default_factory=dict)
    shares: frozenset[str] = frozenset()


@dataclass(kw_only=True)
class Options:
    """The values of a command's options. Subclasses declare them, and `page` has the other parts of the help."""

    page: ClassVar[Page]

    def __post_init__(self) -> None:
        self.given: Mapping[str, Any] = {}
        """The options that the command line has, as they are written there."""
        self.child: list[str] | None = None
        """The words after `--`: a command to run beside this one."""
        self.of_file: dict[str, Any] = {}
        """The values that a configuration file has set, by key."""

    @classmethod
    def list_options(cls) -> dict[str, Option]:
        """The options by name: those of the command itself, then those of each group that it has."""
        found: dict[str, Option] = {}
        fields = {field.name: field for field in dataclasses.fields(cls)}
        for base in cls.__mro__:
            for name in inspect.get_annotations(base):
                if name in fields and name not in found:
                    item: Option = fields[name].metadata["option"]
                    group = cls.page.regrouped.get(item.group, item.group)
                    found[name] = dataclasses.replace(item, name=name, group=group)
        return found

    def refuse(self, names: Sequence[str], why: str) -> None:
        """Raise UsageFault for the first of these options that was given, because it would be ignored."""
        declared = self.list_options()
        for name in names:
            if name in self.given and getattr(self, name) != declared[name].default:
                raise UsageFault(f"{declared[name].long_flag} {why}")

    def repeat(self, *narrowed: str, child: Sequence[str] | None = None) -> str:
        """The line that runs this command again, narrowed by these words to some of its results, or `-v` for all.

        It has all other options that were given, keys as variables; the environment and a configuration file give
        theirs again. `child` takes the place of the command that it started. Below `harness serve -- CMD`, whose
        server ends with CMD, the line starts such a server, too.
        """
        left_out = ("reports",) if narrowed == ("-v",) else ("selects", "reports")
        arguments, flags = [], []
        for name, item in self.list_options().items():
            if not item.list_flags():
                arguments += [shlex.quote(mask_text(value)) for value in (getattr(self, name),) if value]
            elif name in self.given and item.once not in left_out:
                given = self.given[name]
                flags += [_write_flag(item, text) for text in (given if isinstance(given, list) else [given])]
        own = self.child if child is None else child
        words = ["harness", self.page.name, *arguments, shlex.join(narrowed), *flags]
        line = " ".join(filter(None, [*words, f"-- {shlex.join(map(mask_text, own))}" if own else ""]))
        served, url = os.environ.get(SERVED_BY), os.environ.get("INTERACTIONS_BASE_URL")
        if not (served and url and any(word.startswith(url) for word in arguments)):
            return line
        return f"{served} -- sh -c {shlex.quote(line.replace(url, '$INTERACTIONS_BASE_URL', 1))}"


SERVED_BY = "HARNESS_SERVED_BY"
"""The variable in which the command below `harness serve -- CMD` finds the line of its server."""


def _write_flag(item: Option, text: str) -> str:
    """A flag with its value as a shell reads it."""
    if item.kind is FLAG:
        return item.long_flag
    if item.kind is KEY:
        return f'{item.long_flag} "${item.variable}"'
    if item.kind is HEADER and is_personal_header(*(header := item.kind.read(text))):
        name, value = header
        scheme = found[0] if (found := SCHEME.match(value)) else ""
        return f"{item.long_flag} {shlex.quote(f'{name}: {scheme}')}" + f'"${name_secret_variable(name)}"'
    return f"{item.long_flag}{'=' if text.startswith('-') else ' '}{shlex.quote(mask_text(text))}"


def parse_list(flag: str, text: str | None, known: Sequence[str]) -> list[str]:
    """The words between commas in the value of a flag. Raises UsageFault for one that is not `known`."""
    words = [word.strip() for word in (text or "").split(",") if word.strip()]
    for word in words:
        if word not in known:
            few = f"; known are {list_some(known, 30)}"
            raise UsageFault(f"{flag}: {word!r} is not known{did_you_mean(word, known, otherwise=few)}")
    if text is not None and not words:
        raise UsageFault(f"{flag} is empty: name one or more of {', '.join(known)}")
    return words
