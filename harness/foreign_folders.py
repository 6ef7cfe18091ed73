"""The folders that another person may have filled: each checkout around a path, and the current folder.

Layer 0. People run the harness inside folders that they did not write. What is in one leads no output elsewhere,
is no program that we run, and gives no consent, unless the user allows it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.errors import UsageFault

_TRIES = 100
_PROJECT = "pyproject.toml"
_MARKS = (".git", _PROJECT)
"""What the root of a checked-out folder has."""

_current: Path | None = None
"""The folder in which a command runs, links followed; None outside a command."""
Bound = tuple[Path, bool]
"""The folder, without links, inside which a path is read, and whether what is in a `.git` there is read, too."""
_bounds: dict[Path, Bound] = {}
_ask_user: Callable[[Path], str] = str


def resolve(path: Path) -> Path:
    """The path without links. `os.path.realpath` itself fails if another program replaces one meanwhile."""
    for _ in range(_TRIES):
        with suppress(OSError):
            return Path(os.path.realpath(path))
    return Path(os.path.realpath(path))


CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""The variables by which OpenSSL finds the certificates that it trusts."""


def find_relative_certificates(variables: Iterable[str] = CERTIFICATES) -> str:
    """Why a variable may not name certificates, "" if each may: a relative path is in the current folder."""
    for variable in variables:
        named = os.environ.get(variable, "")
        paths = named.split(os.pathsep) if variable == "SSL_CERT_DIR" else [named]
        if relative := next((path for path in paths if path and not Path(path).is_absolute()), None):
            return (
                f"{variable}: {relative!r} is a relative path, so the current folder would choose who gets a key: "
                "write an absolute path"
            )
    return ""


@contextmanager
def working_in(folder: Path, ask_user: Callable[[Path], str]) -> Iterator[None]:
    """While the block runs, trust what is in `folder`, or in another foreign folder, only as the user allows.

    `ask_user` is called when that matters, with the foreign folder: it returns how to allow it, or "" if it is
    allowed.
    """
    global _current, _ask_user, _bounds
    before = _current, _ask_user, _bounds
    _current, _bounds = resolve(folder), {}
    _ask_user = ask_user
    try:
        yield
    finally:
        _current, _ask_user, _bounds = before


def bind(path: str | Path, folder: str | Path, *, with_git: bool = False) -> None:
    """While the command runs, read a path, and what is below it, inside a folder only (`held_paths`).

    A look that allows a path binds it, because a link may take its place before the path is opened. Outside a
    command, it binds nothing.
    """
    if _current is not None:
        _bounds[Path.cwd() / path] = resolve(Path(folder)), with_git


def bind_like(path: Path, other: str | Path) -> None:
    """Read a path that follows from another one, such as a file beside it, inside the same folder."""
    if (bound := find_bound(other)) is not None:
        _bounds[Path.cwd() / path] = bound


def find_bound(path: str | Path) -> Bound | None:
    """The folder inside which a path is read; None if it may be anywhere."""
    if not _bounds:
        return None
    whole = Path.cwd() / path
    return next((_bounds[place] for place in (whole, *whole.parents) if place in _bounds), None)


def find_current() -> Path | None:
    """The folder in which a command runs; None outside a command."""
    return _current


def ask_user(folder: Path) -> str:
    """How to allow what is in a foreign folder; "" if it is allowed."""
    return _ask_user(folder)


def find_foreign(folder: Path) -> Path | None:
    """The nearest folder around this one that another person may have filled; None if there is none."""
    return next(_list_foreign(folder), None)


def find_shared(path: Path) -> tuple[Path, str] | None:
    """The foreign folder with the current one in it that a path leads through, and how to allow what is there.

    None if there is none, or if it is allowed. A checkout beside the current folder is a tool of the user, such as
    `~/.nvm`, and does not count. So a mark beside a file does not hide that the file is in the current checkout.
    """
    here = _find_here()
    ways = dict.fromkeys(resolve(place) for place in (path, *path.parents))
    around = (folder for place in ways for folder in _list_foreign(place) if folder != Path(folder.anchor))
    shared = next((folder for folder in around if here.is_relative_to(folder)), None)
    return None if shared is None or not (allowed_by := _ask_user(shared)) else (shared, allowed_by)


def _find_here() -> Path:
    return _current or resolve(Path.cwd())


def _list_foreign(folder: Path) -> Iterator[Path]:
    """Each checkout around a folder, the nearest first, and the current folder."""
    here = _find_here()
    home = resolve(Path("~").expanduser())
    places = (folder, *folder.parents)
    for place in places:
        if (place != home or _is_checkout_of(home, here)) and any(
            os.path.lexists(place / mark) for mark in _MARKS
        ):
            yield place
    is_mine = folder.is_relative_to(home) and home.is_relative_to(here)
    if here in places[:-1] and not is_mine:  # the last one is the root
        yield here


def _is_checkout_of(home: Path, here: Path) -> bool:
    """Whether the home of the user may be the checkout in which they are, as on some CI systems.

    It is theirs, also with settings under version control, if a repository between it and them is the checkout. A
    mark in a folder of a repository is no such repository, nor is the `.git` of a module of one, which is a file.
    """
    between = (place for place in (here, *here.parents) if place != home and place.is_relative_to(home))
    return here.is_relative_to(home) and not any((place / ".git").is_dir() for place in between)


# How the environment allows what a folder has. `harness trust` (cli/folder_trust.py) allows the content of a file.

TRUST_VARIABLE = "HARNESS_TRUST"
"""Folders and files that the user trusts for this environment, whatever they hold; separated as in `PATH`."""


def identify(path: Path) -> str:
    """The one path of a file: of a link, that of the link, because the paths in the file lead from its folder."""
    return str(resolve(path.parent) / path.name)


def say_how_to_trust_links(folder: Path) -> str:
    """How to allow a command to write through links of the folder; "" if it is allowed."""
    if is_named_folder(folder):
        return ""
    return f"set {TRUST_VARIABLE}={shlex.quote(str(folder))} if the folder is yours"


def is_named_folder(folder: Path) -> bool:
    """Whether the environment names the folder, with whatever is in it."""
    return is_named(folder / _PROJECT)


def is_named(path: Path) -> bool:
    """Whether the environment names the file or its folder."""
    words = [Path(word) for word in os.environ.get(TRUST_VARIABLE, "").split(os.pathsep) if word]
    if relative := next((word for word in words if not word.is_absolute()), None):
        raise UsageFault(
            f"{TRUST_VARIABLE}: {str(relative)!r} is a relative path, and any folder may have a link of that "
            "name: write an absolute path"
        )
    named = {str(resolve(word)) if word.is_dir() else identify(word) for word in words}
    return not named.isdisjoint({identify(path), str(resolve(path.parent))})
