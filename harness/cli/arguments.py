"""Turns command line, environment and `[tool.harness]` into the options of a command; argparse finds the words.

Precedence: command line, environment, the file of the folder, default. argparse only splits the line. Every value
passes the reader of its declaration, so a wrong one gets the same sentence whichever way it came, after the name
of its source. Mistakes are usage faults with suggestions. Flags cannot be abbreviated; `-x` in `--capability -x`
is a value.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from harness.cli.main import COMMANDS
from harness.cli.options import FLAG, REPORT, REVISION, TALLY, Option, Options, Trust
from harness.cli.output import paint_help, say
from harness.contract import REVISIONS
from harness.files import ProjectFile, find_project_file
from harness.kit.api import EXTENSION_VARIABLE, join_names, split_names
from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean

O = TypeVar("O", bound=Options)  # noqa: E741 - the options of a command

_LACKING = "the following arguments are required: "
_UNKNOWN = re.compile(r"unrecognized arguments: (.*)", re.DOTALL)
_NEEDLESS = re.compile(r"argument (?:\S+/)?(\S+): ignored explicit argument (.*)", re.DOTALL)
_TAKES_A_SIGN = ("--capability",)
_SECRETS = {"api-key": "GEMINI_API_KEY", "other-api-key": "OTHER_GEMINI_API_KEY"}


def read_options(cls: type[O], words: Sequence[str]) -> O:
    """Read the options of a command, given the words after its name. Raises UsageFault.

    A run that takes settings of a file names it on standard error.
    """
    parser = build_parser(cls)
    child = None
    if "-- CMD" in cls.page.usage and "--" in words:
        place = list(words).index("--")
        words, child = words[:place], list(words[place + 1 :])
        if not child:
            raise UsageFault(f"harness {cls.page.name}: nothing follows `--`: name the command to run")
    parser.words = [*_join_signed(words)]
    given = vars(parser.parse_args(parser.words))
    values = {}
    for name, item in cls.list_options().items():
        if name in given:
            values[name] = item.read(given[name], item.long_flag)
        elif text := os.environ.get(item.variable, "") if item.variable else "":
            values[name] = item.read(split_names(text) if item.repeats else text, item.variable)
    if values.get("ca_file"):  # an unreadable one is an error also where nothing is encrypted
        from harness.transport.client.origin import trusting

        trusting(values["ca_file"])
    settings: dict[str, Any] = {}
    reads_file = COMMANDS[cls.page.name].table is not None and not given.get("no_config")
    if reads_file and (file := find_project_file()) is not None:
        found = read_settings(cls, file).items()
        settings = {name: value for name, (value, _) in found if name not in values}
        if settings:
            declared = cls.list_options()
            keys = ", ".join(declared[name].key for name in settings)
            say(f"harness: {file.path} sets {keys}", to_errors=True)
        values |= settings
    if "extension" in given:
        named = [str(Path.cwd() / name) if name.endswith(".py") else name for name in values["extension"]]
        os.environ[EXTENSION_VARIABLE] = join_names(named)  # what loads the catalog reads it there
    options = cls(**values)
    options.given, options.child = given, child
    options.of_file = {options.list_options()[name].key: value for name, value in settings.items()}
    return options


def read_settings(cls: type[Options], file: ProjectFile) -> dict[str, tuple[Any, str]]:
    """The settings of a file for a command, by the name of the option: the value, and its place.

    The command's own table takes precedence over the shared keys of `[tool.harness]`.
    """
    tables = [entry.table for entry in COMMANDS.values() if entry.table]
    table = COMMANDS[cls.page.name].table
    found = {}
    if any(key not in tables for key in file.table):
        whole = cls if table == "" else load_options("check")
        found = _read_table(whole, file.table, file, "", tables)
    if not table:
        return found
    own = file.table.get(table, {})
    if not isinstance(own, dict):
        raise UsageFault(f"{file.path}: tool.harness.{table} must be a table")
    shared = {name: value for name, value in found.items() if name.replace("_", "-") in cls.page.shares}
    return shared | _read_table(cls, own, file, f".{table}", ())


def load_options(command: str) -> type[Options]:
    """The declaration of a command's options."""
    from importlib import import_module

    declared: type[Options] = import_module(f"harness.cli.commands.{command}").OPTIONS
    return declared


def _read_table(
    cls: type[Options], table: Mapping[str, Any], file: ProjectFile, section: str, tables: Collection[str]
) -> dict[str, tuple[Any, str]]:
    place = f"{file.path}: [tool.harness{section}]"
    keys = {item.key: item for item in cls.list_options().values() if item.is_key}
    values = {}
    for key, value in table.items():
        if key in tables and isinstance(value, dict):
            continue  # another command's
        if secret := _SECRETS.get(key.replace("_", "-")):
            raise UsageFault(f"{place} {key}: a file must not contain a key: set {secret} instead")
        shut = next((item for item in cls.list_options().values() if item.key == key and not item.is_key), None)
        if shut is not None and (shut.flags != () or shut.allowed is not Trust.CALL):
            how = f"pass {shut.long_flag} on the command line" + f", or set {shut.variable}" * bool(shut.variable)
            raise UsageFault(f"{place} {key}: a configuration file cannot set it, because {shut.allowed}: {how}")
        if key in COMMANDS and isinstance(value, dict):
            where = "in [tool.harness]" if COMMANDS[key].table == "" else "on the command line"
            raise UsageFault(f"{place[:-1]}.{key}]: `{key}` has no table of its own: write its options {where}")
        if key not in keys:
            where = ": docs/configuration.md lists the keys"
            raise UsageFault(f"{place} has no key {key!r}{did_you_mean(key, [*keys, *tables], otherwise=where)}")
        item = keys[key]
        read = item.read(value, f"{place} {key}", of_file=True)
        _require_inside(file, item, read, f"{place} {key}")
        values[item.name] = (read, f"{place} {key}")
    return values


def _require_inside(file: ProjectFile, option: Option, value: Any, place: str) -> None:
    """Raise UsageFault for a path of the file that leaves its folder, links followed, or enters its `.git`."""
    if option.allowed is not Trust.INSIDE or (option.kind is REVISION and value in REVISIONS):
        return
    folder = Path(os.path.realpath(file.path.parent))
    for one in value if isinstance(value, list) else [value]:
        real = Path(os.path.realpath(one.partition("=")[2] if option.kind is REPORT else one))
        if real.is_relative_to(folder) and ".git" not in real.relative_to(folder).parts:
            continue
        why = "in its `.git`" if real.is_relative_to(folder) else f"outside {str(folder)!r}"
        raise UsageFault(
            f"{place} = {one!r} is {why}, where a configuration file names no path: pass {option.long_flag} "
            "on the command line"
        )


def build_parser(cls: type[Options]) -> Parser:
    """The parser of a command, with a group for each kind of option that it declares."""
    page = cls.page
    parser = Parser(page.name, cls)
    groups: dict[str, argparse._ActionsContainer] = {"": parser}
    declared = cls.list_options()
    unnamed = [item.group for item in declared.values() if item.group not in ("", *page.groups)]
    for title in (*page.groups, *dict.fromkeys(unnamed)):
        groups[title] = parser.add_argument_group(title)
    for item in declared.values():
        if not item.only_in_file:
            _add(groups[item.group], item)
    return parser


def _add(group: argparse._ActionsContainer, item: Option) -> None:
    flags = item.list_flags()
    more: dict[str, Any] = {"help": item.help.replace("%", "%%"), "default": argparse.SUPPRESS}
    if item.kind is FLAG:
        more |= {"action": "store_const", "const": True}
    elif item.kind is TALLY:
        more |= {"action": "count"}
    else:
        more |= {"action": "append"} if item.repeats else {"nargs": item.nargs, "const": item.const}
        if metavar := item.metavar or ("{" + ",".join(item.choices) + "}" if item.choices else ""):
            more["metavar"] = metavar
    if not flags:
        more.pop("const", None)
        group.add_argument(item.name, **more)
    else:
        group.add_argument(*flags, dest=item.name, **more)


class Parser(argparse.ArgumentParser):
    """Raises UsageFault instead of exiting. The help begins with a sentence and two examples."""

    def __init__(self, command: str, options: type[Options]) -> None:
        self.words: Sequence[str] = ()
        self._page = options.page
        super().__init__(
            prog=f"harness {command}",
            usage=f"harness {command} {options.page.usage or _write_usage(options)}",
            epilog=options.page.notes,
            allow_abbrev=False,
            formatter_class=_HelpFormatter,
        )

    def format_help(self) -> str:
        """The purpose of the command, its usage, and its options."""
        about = COMMANDS[self._page.name].help
        lines = [f"{about[0].upper()}{about[1:]}.", "", "examples:"]
        lines += [f"  {example}" for example in self._page.examples]
        return "\n".join(lines) + "\n\n" + super().format_help()

    def print_help(self, file: Any = None) -> None:
        """Print the help on standard output, with color where it is wanted."""
        sys.stdout.write(paint_help(self.format_help()))

    def error(self, message: str) -> NoReturn:
        if message.startswith(_LACKING) and (stray := self._find_stray()):
            message = f"unrecognized arguments: {stray}"  # argparse misses the argument before it sees the flag
        unknown = _UNKNOWN.search(message)
        if given := _NEEDLESS.search(message):
            raise UsageFault(f"{given[1]} takes no value: write it without {given[2]}")
        if (lacking := message.removeprefix(_LACKING)) != message:
            if words := re.fullmatch(r"{(.*)}", lacking):
                raise UsageFault(f"no argument was given: write `{self.prog} {' | '.join(words[1].split(','))}`")
            raise UsageFault(f"{lacking} is missing: write `{self.usage}`")
        if unknown is None:
            raise UsageFault(f"{message.removeprefix('argument ')} (see `{self.prog} --help`)")
        word = (unknown[1].split() or [""])[0]
        flag = word.partition("=")[0]
        if not flag.startswith("-"):
            raise UsageFault(f"one argument too many: {word!r}{self._advise(word)}")
        known = [option for option in self._option_string_actions if option.startswith("--")]
        if flag == "--target" and any(own.dest == "target" and not own.option_strings for own in self._actions):
            raise UsageFault(f"unknown flag '--target': write the URL without it, as in `{self.prog} URL`")
        if flag in ("-c", "--check") and self.prog.endswith((" list", " explain")):
            raise UsageFault(f"unknown flag {flag!r}: write the id without it, as in `{self.prog} 'resume.*'`")
        hint = did_you_mean(flag, known, otherwise=f" (see `{self.prog} --help`)")
        raise UsageFault(f"unknown flag {flag!r}{hint}")

    def _find_stray(self) -> str:
        """The first flag that the command does not have."""
        for word in itertools.takewhile(lambda word: word != "--", self.words):
            flag = word.partition("=")[0] if word.startswith("--") else word[:2]
            if len(flag) > 1 and flag.startswith("-") and flag not in self._option_string_actions:
                return word
        return ""

    def _advise(self, word: str) -> str:
        """Advice about an argument too many: it may be a server, or a command whose `--` was forgotten."""
        if "://" in word and "--target" in self._option_string_actions:
            return f": write --target {word}"
        if word.endswith((".yaml", ".yml")) and "--cassette" in self._option_string_actions:
            return f": write --cassette {word}"
        if "://" in word:
            return f": `harness check {word}` judges that server (see `{self.prog} --help`)"
        dashes = ": write `--` before a command to run" if "-- CMD" in (self.usage or "") else ""
        return f"{dashes} (see `{self.prog} --help`)"


def _write_usage(options: type[Options]) -> str:
    """The arguments after the name of a command, without its flags."""
    shown = []
    for item in options.list_options().values():
        if not item.list_flags():
            name = item.metavar or ("{" + ",".join(item.choices) + "}" if item.choices else item.name.upper())
            shown.append({"?": f"[{name}]", "*": f"[{name} …]", "+": f"{name} …"}.get(item.nargs or "", name))
    return " ".join(["[options]", *shown])


class _HelpFormatter(argparse.HelpFormatter):
    """Fills prose to the width of the terminal, but a paragraph with an indented line is kept as it is."""

    def __init__(self, prog: str) -> None:
        # Wider lines are hard to read, however wide a terminal is.
        super().__init__(prog, width=min(shutil.get_terminal_size().columns - 2, 118))

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = [part.strip("\n") for part in text.split("\n\n")]
        return "\n\n".join(
            part
            if "\n " in part or part.startswith(" ")
            else "\n".join(indent + line for line in self._split_lines(part, width - len(indent)))
            for part in paragraphs
        )

    def _split_lines(self, text: str, width: int) -> list[str]:
        """As inherited, but `--event-ids` is one word."""
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)


def _join_signed(words: Sequence[str]) -> Iterator[str]:
    """Join `--capability -x` into one word: argparse would take `-x` for a flag."""
    pending = ""
    for word in words:
        if pending:
            yield from ((f"{pending}={word}",) if word.startswith("-") else (pending, word))
            pending = ""
        elif word in _TAKES_A_SIGN:
            pending = word
        else:
            yield word
    if pending:
        yield pending
