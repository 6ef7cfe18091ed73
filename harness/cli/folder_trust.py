"""The one place that reads `[tool.harness]` and limits what a file of a folder may decide.

Layer 8. People run `harness` in folders that they did not write, with a key in the environment. A file there may
say how things are judged. It needs the user's word to choose who receives a key, what is read or written
elsewhere, which program runs, and who can connect. The word is an option, an environment variable, or `harness
trust`, which keeps path and digest of the file outside the folder: a changed file has no trust. What each option
needs is declared with it (`options.Trust`).
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Collection, Mapping
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.cli.options import FLAG, FOLDER, HEADER, LINE_END, MODULE, PATH, REPORT, REVISION, Option, Trust
from harness.contract import REVISIONS
from harness.documents import explain_unread, load_toml, open_file, read_file
from harness.foreign_folders import bind, find_foreign, find_shared, identify, is_named, resolve
from harness.outcome import UsageFault
from harness.wire.addresses import is_loopback, split_url
from harness.written_files import find_owner, find_way_out, make_folder, write_file

FILE = "pyproject.toml"

_START = 4_096
"""How many bytes of a file show whether it is a report."""
REPORTS = "reports"
"""The folder of the current one in which reports of a file may be; they may also be in the current one itself."""


class FolderFile(Struct, frozen=True, dict=True):
    """A file that a folder brings, read once: what is judged, trusted and used are the same bytes."""

    path: Path
    data: bytes

    @property
    def digest(self) -> str:
        """The digest of the content that trust is bound to, beside the path."""
        import hashlib  # late: it loads OpenSSL

        return f"sha256:{hashlib.sha256(self.data).hexdigest()}"

    @cached_property
    def trusted(self) -> bool:
        """Whether the user gave their word for the file as it is."""
        return is_named(self.path) or read_trusted().get(identify(self.path)) == self.digest

    @cached_property
    def table(self) -> dict[str, Any]:
        """The table `[tool.harness]`. Raises UsageFault."""
        try:
            whole = load_toml(self.data)
        except (ValueError, RecursionError) as wrong:
            raise UsageFault(f"{self.path} is not valid TOML: {wrong}: correct that line") from None
        tool = whole.get("tool")
        table = tool.get("harness", {}) if isinstance(tool, dict) else {}
        if not isinstance(table, dict):
            raise UsageFault(f"{self.path}: tool.harness must be a table")
        return table

    def explain_word(self, instead: str) -> str:
        """Advice on how to apply a setting that needs consent."""
        why = " (it has changed since you trusted it)" if identify(self.path) in read_trusted() else ""
        command = f"harness trust {shlex.quote(str(self.path))}"
        return f"read the file; to allow its settings, run `{command}`{why}, or {instead}"


def find_file(folder: Path | None = None) -> FolderFile | None:
    """The nearest file of the folder (default: the current one) and its parents. Raises UsageFault.

    One that another user of the machine put into a shared folder above, such as /tmp, does not count.
    """
    here = folder or Path.cwd()
    own = {getattr(os, "geteuid", int)(), 0, find_owner(here)}
    files = (path for path in (place / FILE for place in (here, *here.parents)) if path.is_file())
    path = next((path for path in files if find_owner(path) in own), None)
    return None if path is None else read_folder_file(path)


def read_folder_file(path: Path) -> FolderFile:
    """A file that may be trusted. Raises UsageFault if it cannot be read."""
    try:
        return FolderFile(path, read_file(path))
    except OSError as wrong:
        raise UsageFault(f"{path} cannot be read: {explain_unread(wrong)}") from None


def require_allowed(option: Option, value: Any, file: FolderFile, place: str, *, sends_key: bool) -> None:
    """Raise UsageFault for a value of an untrusted file that needs the user's word.

    `place` names table and key. `sends_key`: requests carry a key that the user gave. What a trusted file names in
    a checkout below it is read inside that checkout.
    """
    if file.trusted:
        below = find_foreign(resolve(Path.cwd()))
        if option.allowed is Trust.READ and below not in (None, resolve(file.path.parent)):
            find_link_out(_path_of(option, value))
        return
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str) and LINE_END.search(one):  # which the command in an error message would repeat
            raise UsageFault(f"{place} = {one!r} contains a line feed: delete it")
        why = _find_objection(option, one, file.path.parent, sends_key=sends_key)
        if why:
            shown = f"{one[0]}: …" if option.kind is HEADER else str(one)
            if option.allowed is Trust.WRITE and (link := find_way_out(_path_of(option, one))):
                raise UsageFault(f"{place} = {shown!r}: {link}")
            words = " ".join((*option.list_flags()[-1:], *(() if option.kind is FLAG else (shlex.quote(shown),))))
            word = file.explain_word(f"pass {words} on the command line")
            raise UsageFault(f"{place} = {'true' if option.kind is FLAG else repr(shown)} {why}; {word}")


def place_value(option: Option, value: Any, file: FolderFile) -> Any:
    """The value of a file, whose paths are those of the current folder, but not where only the user's word counts.

    A code file, certificates or a store then lead from the folder of the file: the user trusted that one, and may
    be in another checkout below it, which has a file of the same name. So does the revision of a trusted file.
    """
    is_revision = option.kind is REVISION and file.trusted and value not in REVISIONS
    if not (is_revision or option.allowed in (Trust.NEVER, Trust.SEND)) or file.path.parent == Path.cwd():
        return value
    if isinstance(value, (list, tuple)):
        return [place_value(option, one, file) for one in value]
    is_path = is_revision or option.kind in (PATH, FOLDER) or (option.kind is MODULE and value.endswith(".py"))
    if not (is_path or (option.name == "database" and ":" not in value)) or Path(value).is_absolute():
        return value
    return os.path.relpath(file.path.parent / value)


def require_own(path: Path, folder: Path, advice: str) -> None:
    """Raise UsageFault if a default path in a folder, which the user did not name, leads out of the folder.

    It is read inside that folder from now on.
    """
    if why := _find_way_out(path, folder):
        raise UsageFault(f"{path} {why}: {advice}")
    bind(path, folder)


def find_link_out(path: Path) -> str:
    """How a link leads a path out of the current folder, in which it is named; "" if none does."""
    here = Path.cwd()
    named = Path(os.path.normpath(here / path))  # as it is written: only afterwards are links followed
    if not named.is_relative_to(here):
        return ""
    bind(path, here)
    return _find_way_out(path, here)


def _find_objection(option: Option, value: Any, folder: Path, *, sends_key: bool) -> str:
    """Why a folder may not decide this; "" if it may."""
    trust = option.allowed
    if option.kind is REVISION and value in REVISIONS:
        return ""
    if option.kind is HEADER:  # each gateway has names of its own for the server that it forwards to
        return "may choose where requests with your key go" if sends_key else ""
    if trust is Trust.NEVER:
        if option.kind is REVISION:
            return "chooses the requests of a search"
        return "" if value is False else "changes a setting that needs your consent"
    if trust is Trust.BIND:
        return "" if is_loopback(value) else "lets other machines connect"
    if trust is Trust.SEND and option.kind is not PATH:
        return "chooses who receives your key" if sends_key and not _is_safe_target(value) else ""
    if trust not in (Trust.READ, Trust.WRITE, Trust.SEND):
        return ""
    return _find_objection_to_path(option, value, folder, sends_key=sends_key)


def _find_objection_to_path(option: Option, value: str, folder: Path, *, sends_key: bool) -> str:
    path = _path_of(option, value)
    if why := _find_way_out(path, folder):
        return why
    bind(path, folder)
    if option.allowed is Trust.SEND:
        return "decides who can read the requests with your key" if sends_key else ""
    return _find_foreign_report(value, path) if option.allowed is Trust.WRITE else ""


def _path_of(option: Option, value: str) -> Path:
    return Path(value.partition("=")[2] if option.kind is REPORT else value)


def _find_way_out(path: Path, folder: Path) -> str:
    """How a path, or a file below it, leaves a folder or enters its `.git`; "" if it does not."""
    inside = resolve(folder)
    for one in chain((path,), path.rglob("*") if path.is_dir() else ()):  # outside, nothing more is listed
        real = resolve(one)
        if not real.is_relative_to(inside):
            return f"leads to {str(real)!r}, out of its own folder"
        if ".git" in (part.casefold() for part in real.relative_to(inside).parts):  # disks may fold case
            return f"leads to {str(real)!r}, into the repository's own data"
    return ""


def _find_foreign_report(word: str, path: Path) -> str:
    """Why a report must not be written there; "" if it is in place of no file or an earlier report.

    A program may run or obey what has another suffix, is hidden, or is in a folder that a tool fills.
    """
    from harness.report.formats import FORMATS

    name = word.partition("=")[0]
    if name not in FORMATS or path.is_dir():
        return ""  # the report is refused where it is read
    if path.suffix.lower() not in FORMATS[name].suffixes or path.name.startswith("."):
        return f"names no visible file that ends with {' or '.join(FORMATS[name].suffixes)}"
    here = resolve(Path.cwd())
    if resolve(path).parent not in (here, here / REPORTS):
        return f"is not directly in the current folder or in its folder `{REPORTS}`"
    if not os.path.lexists(path):
        return ""
    try:
        with open_file(path) as old:
            start = old.read(_START)
    except OSError as wrong:
        return f"names a file that cannot be read ({wrong.strerror})"
    if start and FORMATS[name].mark.match(start) is None:
        return f"would overwrite {str(path)!r}, which is not a {name} report of harness"
    return ""


def _is_safe_target(text: str) -> bool:
    """Whether a folder may send a key there: this machine, and the live service."""
    from harness.engine.targets import EMULATOR
    from harness.interactions import INTERACTIONS

    if text.strip() == EMULATOR:
        return True
    try:
        host = split_url(text.strip()).hostname or ""
    except ValueError:
        return True  # no URL: the resolver refuses it
    # A name server answers for `localhost.`, so its dot stays.
    return is_loopback(host) or INTERACTIONS.is_live_host(host.rstrip("."))


def read_trusted() -> dict[str, str]:
    """The digest of each trusted file by its path; a store that cannot be read trusts nothing."""
    try:
        return _read_store()
    except (OSError, ValueError, RecursionError):
        return {}


def find_damage() -> str:
    """Why the list of trusted files trusts nothing, for a person; "" if it is whole, or does not exist."""
    try:
        _read_store()
    except FileNotFoundError:
        return ""
    except _SharedStore:
        why = "other users may read or change it"
    except OSError as wrong:
        why = str(wrong.strerror)
    except (ValueError, RecursionError):
        why = "no valid JSON"
    else:
        return ""
    return f"{_find_store()} trusts no file ({why})"


class _SharedStore(ValueError):
    """The list was not written here: on some systems the home of a job is in the checked-out folder."""


def require_own_store() -> None:
    """Raise UsageFault if the list of trusted files is where the folder itself could bring one."""
    store = _find_store()
    if shared := find_shared(store):
        folder, allowed_by = shared
        raise UsageFault(
            f"the list of trusted files, {store}, is in {folder}, which could bring one of its own: set "
            f"XDG_STATE_HOME to a folder outside, or {allowed_by}"
        )


def _read_store() -> dict[str, str]:
    store = _find_store()
    if os.name == "posix" and store.stat().st_mode & 0o077:
        raise _SharedStore
    if find_shared(store):
        return {}
    value = json.loads(store.read_bytes())
    files = value.get("files") if isinstance(value, dict) else None
    return {str(path): str(digest) for path, digest in files.items()} if isinstance(files, dict) else {}


def change_trusted(add: Collection[FolderFile] = (), remove: Collection[Path] = ()) -> None:
    """Trust files as they are now, and no longer trust others. Raises UsageFault."""
    kept = read_trusted() | {identify(file.path): file.digest for file in add}
    for path in remove:
        kept.pop(identify(path), None)
    _write_store(kept)


def _write_store(files: Mapping[str, str]) -> None:
    store = _find_store()
    try:
        make_folder(store.parent, mode=0o700)
        text = json.dumps({"files": dict(sorted(files.items()))}, indent=1)
        write_file(store, text, mode=0o600)  # no other user may add consent
    except OSError as wrong:
        raise UsageFault(
            f"{store} cannot be written: {wrong.strerror}; set XDG_STATE_HOME to another folder"
        ) from None


def _find_store() -> Path:
    named = Path(
        os.environ.get("XDG_STATE_HOME", "")
    )  # one that is relative does not count: a folder could bring it
    return (named if named.is_absolute() else Path.home() / ".local" / "state") / "harness" / "trusted.json"
