"""What a file of a folder may decide without the user's word, for every option, and how the word is given."""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import stat
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness import held_paths, resources
from harness.cli import arguments, folder_trust
from harness.cli.arguments import load_options, read_options
from harness.cli.commands import diff, fuzz
from harness.cli.folder_trust import find_file
from harness.cli.judging_options import resolve
from harness.cli.main import COMMANDS, main
from harness.cli.options import FLAG, PATH, REPORT, Option, Options, Trust
from harness.contract import CURRENT
from harness.engine.search.run import Store
from harness.outcome import UsageFault
from harness.transport.client.dial import trusting
from tests.security.test_hostile_folder import listening

KEY = "AIza" + "s3cr3t-k3y" * 3
_ASIDE = {Trust.JUDGE, Trust.CALL}
_PLACE = re.compile(
    r"\b(files?|folder|path|URL|address|certificates?|directory|install|interface|JSON reports?)\b(?! of ours)"
)
_METAVARS = {"FILE", "DIR", "FOLDER", "PATH", "URL", "HOST", "WHERE", "CMD", "REPORT"}


NO_PLACES = {
    "api-version": "a part of a path on the target",
    "empty-ok": "a flag",
    "cuts": "a fault plan",
    "offline": "a flag that installs less",
    "same-target": "a flag",
}
"""Options that only read like a place, and what they are."""


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a stranger that is the current one; a key, and a state folder of the user's own."""
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("HARNESS_GATEWAY_KEY", KEY)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("HARNESS_TRUST", "HARNESS_TARGET", "OTHER_GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return folder


def list_all() -> Iterator[tuple[str, type[Options], Option]]:
    """Each option of each command."""
    for command in COMMANDS:
        cls = load_options(command)
        for item in cls.list_options().values():
            yield command, cls, item


def write_table(folder: Path, command: str, line: str) -> Path:
    """Write a pyproject.toml whose table of the command has this line."""
    table = COMMANDS[command].table
    file = folder / "pyproject.toml"
    file.write_text(f"[tool.harness{f'.{table}' if table else ''}]\n{line}\n", encoding="utf-8")
    return file


def spell(item: Option, value: str) -> str:
    """The line of a file that gives an option this value."""
    text = value if item.kind is FLAG else json.dumps(value)
    return f"{item.key} = [{text}]" if item.repeats else f"{item.key} = {text}"


def wish(item: Option) -> str:
    """What a hostile file would like to decide."""
    if item.kind is REPORT:
        return "json=../victim.json"
    if item.kind is PATH or item.allowed in (Trust.READ, Trust.WRITE):
        return "../victim"
    if item.kind is FLAG:
        return "true"
    return {Trust.SEND: "https://keys.example", Trust.BIND: "0.0.0.0", Trust.NEVER: "evil"}[item.allowed]


GUARDED = [
    pytest.param(command, cls, item, id=f"{command}-{item.key}")
    for command, cls, item in list_all()
    if COMMANDS[command].table is not None and item.allowed not in _ASIDE
]


@pytest.mark.parametrize(("command", "cls", "item"), [(c, k, i) for c, k, i in list_all() if i.kind.is_place])
def test_a_place_says_what_a_folder_may_do(command: str, cls: type[Options], item: Option) -> None:
    """An option that names a file, a program, a server or an interface declares its trust."""
    assert item.trust is not None
    assert item.trust is not Trust.JUDGE


def test_what_reads_like_a_place_is_declared_as_one() -> None:
    """An option whose help or placeholder names a file, a URL or an interface has the kind of a place."""
    undeclared = {
        f"{command} {item.key}: {item.about}"
        for command, _, item in list_all()
        if not item.kind.is_place
        and item.key not in NO_PLACES
        and item.allowed is not Trust.CALL
        and (item.metavar in _METAVARS or _PLACE.search(item.about))
    }
    assert undeclared == set()


@pytest.mark.parametrize(("command", "cls", "item"), GUARDED)
def test_a_folder_needs_the_users_word(
    command: str, cls: type[Options], item: Option, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reaches out of the folder is refused, with what to write instead; each word lets it pass."""
    file = write_table(repository, command, spell(item, wish(item)))
    monkeypatch.setenv("HARNESS_EXTENSION", "")  # a command that takes one sets it for its children
    words = ["x"] if any(one.nargs == "+" for one in cls.list_options().values()) else []
    with pytest.raises(UsageFault) as refused:
        read_options(cls, words)
    told = str(refused.value)
    assert told.startswith(f"{file}: [tool.harness")
    assert f"{item.key} = {wish(item) if item.kind is FLAG else repr(wish(item))}" in told
    assert f"run `harness trust {file}`, or pass " in told
    assert KEY not in told
    with monkeypatch.context() as named:
        named.setenv("HARNESS_TRUST", os.pathsep.join(("/nowhere", str(repository))))
        read_options(cls, words)
    monkeypatch.setenv("HARNESS_EXTENSION", "")
    assert main(["trust"]) == 0
    read_options(cls, words)
    monkeypatch.setenv("HARNESS_EXTENSION", "")
    file.write_text(file.read_text("utf-8") + "# one more line\n", encoding="utf-8")
    with pytest.raises(UsageFault, match=r"it has changed since you trusted it"):
        read_options(cls, words)


def test_a_run_shows_the_settings_that_cost(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder may choose a dear model or more requests, which the user's key pays: the first line shows it."""
    write_table(
        repository, "check", 'model = "dear\\u001b[8m"\nagent = "a"\ncapability = ["+long-decode", "-files"]'
    )
    assert main(["check", "emulator", "-c", "get.unknown"]) in (0, 2, 4)
    told = capsys.readouterr().err
    assert "sets model = 'dear\\x1b[8m', agent = 'a', capability = '+long-decode', '-files'\n" in told
    write_table(repository, "fuzz", f'profile = "nightly{"x" * 90}"\nmax-examples = 9\ntime = 1.5\nseed = 3')
    with pytest.raises(UsageFault):
        fuzz._read_options(options := read_options(fuzz.FuzzArguments, ["emulator"]), resolve(options), [])
    assert f"profile = 'nightly{'x' * 52}…, max-examples = 9, time = 1.5, seed\n" in capsys.readouterr().err


def test_a_flag_that_a_file_leaves_off_needs_no_word(repository: Path) -> None:
    """A file may say that a key crosses no network in plain text, which is the default."""
    write_table(repository, "check", "plain-http = false")
    assert vars(read_options(load_options("check"), []))["plain_http"] is False


def test_what_is_said_is_taken(repository: Path) -> None:
    """An option on the command line or a variable is the user's word: the file is not asked."""
    write_table(repository, "check", 'target = "https://keys.example"\nreport = ["json=../victim.json"]')
    said = read_options(load_options("check"), ["https://mine.example", "--report", "json=../victim.json"])
    assert vars(said)["target"] == "https://mine.example"
    assert vars(said)["report"] == ["json=../victim.json"]


def test_a_variable_is_the_users_word(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`HARNESS_TARGET` names the target before the file does."""
    write_table(repository, "check", 'target = "https://keys.example"')
    monkeypatch.setenv("HARNESS_TARGET", "https://mine.example")
    assert vars(read_options(load_options("check"), []))["target"] == "https://mine.example"


def test_without_a_key_a_folder_names_its_target(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no request carries a key, the folder may name any target; a header of the user's is a key, too."""
    write_table(repository, "check", 'target = "https://service.example"\nca-file = "own.pem"')
    monkeypatch.delenv("GEMINI_API_KEY")
    assert vars(read_options(load_options("check"), []))["target"] == "https://service.example"
    plain = read_options(load_options("check"), ["-H", "Accept: text/event-stream"])
    assert vars(plain)["target"] == "https://service.example"
    for header in ("Authorization: Bearer abcdefghijklmnop", "X-My-Gateway: correct-horse", "X-Team: SESAME"):
        with pytest.raises(UsageFault, match="chooses who receives your key"):
            read_options(load_options("check"), ["-H", header])
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    with pytest.raises(UsageFault, match="decides who can read the requests with your key"):
        read_options(load_options("check"), ["https://mine.example"])


@pytest.mark.parametrize(
    "target",
    [
        "https://googleapis.com.evil.example",
        "https://evilgoogleapis.com",
        "https://storage.googleapis.com/bucket-of-a-stranger",
        "https://a.generativelanguage.googleapis.com",
        "https://generativelanguage-a1b2.run.app",
        "https://x.p.googleapis.com",
        "https://aiplatform.googleapis.com.evil.example",
        "https://127.0.0.1.evil.example",
        "https://localhost.evil.example",
        "https://127.0.0.1@evil.example",
        "//evil.example",
        "http://localhost.:8400",
        "https://127.0.0.1.",
        "https://localhost.localdomain",
        "http://evil.example[::1]",
        "http://evil.example\\\\@127.0.0.1:1",
        "http://[::1].evil.example",
    ],
)
def test_a_host_that_only_looks_safe_gets_no_key(target: str, repository: Path) -> None:
    """A name that begins or ends like a trusted one is another host."""
    write_table(repository, "check", f'target = "{target}"')
    assert main(["check"]) == 2


@pytest.mark.parametrize(
    "name", ["Host", "X-Forwarded-Host", "forwarded", "x-portkey-custom-host", "Helicone-Target-URL"]
)
def test_a_header_of_the_folder_routes_no_key(
    name: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each gateway has its own header that chooses the server: all need consent while a key is sent."""
    write_table(repository, "check", f'header = ["{name}: keys.example", "X-Team: a"]')
    with pytest.raises(UsageFault, match=f"'{name}: …' may choose where requests with your key go"):
        read_options(load_options("check"), ["https://mine.example"])
    monkeypatch.delenv("GEMINI_API_KEY")
    assert vars(read_options(load_options("check"), []))["header"][-1] == ("X-Team", "a")


@pytest.mark.parametrize("where", ["link.yaml", "linked/secret.yaml", "/etc/passwd", "a/../../secret.yaml"])
def test_a_baseline_is_read_in_its_folder_only(where: str, repository: Path) -> None:
    """Links, `..` and absolute paths lead out of the folder, whatever stands there."""
    secret = repository.parent / "secret.yaml"
    secret.write_text("k: s3cr3t", encoding="utf-8")
    (repository / "link.yaml").symlink_to(secret)
    (repository / "linked").symlink_to(repository.parent)
    (repository / "a").mkdir()
    write_table(repository, "check", f'baseline = "{where}"')
    with pytest.raises(UsageFault, match="out of its own folder"):
        read_options(load_options("check"), [])


def test_a_revision_of_the_folder_holds_no_link_out(repository: Path) -> None:
    """A folder of schemas is searched for links: one that leads out would be read."""
    (repository / "2027-01-01").mkdir()
    (repository / "2027-01-01" / "revision.json").symlink_to("/etc/passwd")
    write_table(repository, "verify", 'revision = "2027-01-01"')
    with pytest.raises(UsageFault, match="leads to '/etc/passwd', out of its own folder"):
        read_options(load_options("verify"), ["x"])


@pytest.mark.parametrize("word", ["$schema", "$dynamicRef", "$ref"])
def test_a_revision_of_the_folder_fetches_nothing(
    word: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An address in a schema of the folder is an error, and gets no request."""
    (repository / "2027-01-01").mkdir()
    (repository / "2027-01-01" / "revision.json").write_text('{"base": "2026-05-20"}', "utf-8")
    usage = json.loads((resources.folder("schemas") / "2026-05-20" / "usage.json").read_text("utf-8"))
    usage["$id"] = usage["$id"].replace("2026-05-20", "2027-01-01")
    write_table(repository, "check", 'revision = "2027-01-01"')
    with listening() as (url, heard):
        part = usage if word == "$schema" else usage["properties"].setdefault("more", {})
        part[word] = f"{url}/x.json"
        (repository / "2027-01-01" / "usage.json").write_text(json.dumps(usage), "utf-8")
        assert main(["check", "emulator", "-c", "get.ok"]) == 2
        assert heard == []
    assert f"usage.json{'' if word == '$schema' else ', $.properties.more'}: {word}" in capsys.readouterr().err


def write_revision(folder: Path, file: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Write the folder of a revision with one file of the shipped one, changed."""
    place = folder / "2027-01-01" / file
    place.parent.mkdir(parents=True)
    (folder / "2027-01-01" / "revision.json").write_text('{"base": "2026-05-20"}', "utf-8")
    document = json.loads((resources.folder("schemas") / "2026-05-20" / file).read_text("utf-8"))
    change(document)
    place.write_text(json.dumps(document), "utf-8")


FUZZ = ("fuzz", "emulator", "--engine", "schema", "--max-examples", "1", "--no-store", "--time", "8")


@pytest.mark.parametrize("file", ["openapi.json", "requests/create-interaction.json", "tool.json"])
def test_a_revision_of_the_folder_chooses_no_requests(
    file: str, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A search draws prompts, tools and webhooks by the schemas, and sends them with the key."""
    write_revision(repository, file, lambda document: document.update(description="Of a stranger."))
    (repository / "pyproject.toml").write_text('[tool.harness]\nrevision = "2027-01-01"\n', encoding="utf-8")
    assert main(list(FUZZ)) == 2
    said = capsys.readouterr().err
    assert "revision = '2027-01-01' chooses the requests of a search" in said
    assert "or pass --revision 2027-01-01 on the command line" in said
    code = main(["check", "emulator", "-c", "get.unknown"])
    assert (code, "openapi.json chooses the requests" in capsys.readouterr().err) == (
        (2, True) if file == "openapi.json" else (0, False)
    )
    assert main(["check", "emulator", "-c", "get.unknown", "--revision", "2027-01-01"]) == 0
    (repository / "pyproject.toml").write_text(f'[tool.harness]\nrevision = "{CURRENT}"\n', encoding="utf-8")
    assert vars(read_options(load_options("fuzz"), []))["revision"] == CURRENT


def test_a_relative_word_trusts_no_folder(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A checkout can bring a link of any name, so that the word means the checkout."""
    write_table(repository, "check", 'extension = ["x.py"]')
    (repository / "x.py").write_text("open('ran', 'w').close()\n", "utf-8")
    (repository / "work").symlink_to(".")
    for word in ("work", "~/work", "."):
        monkeypatch.setenv("HARNESS_TRUST", f"{repository.parent / 'mine'}{os.pathsep}{word}")
        assert main(["check", "emulator", "-c", "get.unknown"]) == 2
        assert f"HARNESS_TRUST: {word!r} is a relative path" in capsys.readouterr().err
    assert not (repository / "ran").exists()


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_relative_path_names_no_certificates(
    variable: str, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The current folder would choose which server gets the key."""
    monkeypatch.setenv(variable, "ca.pem")
    assert main(["check", "emulator", "-c", "get.unknown"]) == 2
    assert f"{variable}: 'ca.pem' is a relative path" in capsys.readouterr().err
    absolute = str(repository / "ca.pem")
    monkeypatch.setenv(variable, absolute)
    assert main(["list"]) == 0
    monkeypatch.setenv("SSL_CERT_DIR", f"{absolute}{os.pathsep}certs")
    assert main(["list"]) == 2
    assert "SSL_CERT_DIR: 'certs' is a relative path" in capsys.readouterr().err
    with pytest.raises(UsageFault, match="SSL_CERT_DIR: 'certs' is a relative path"):
        trusting(None)  # also where no command begins, as in pytest


@pytest.mark.parametrize(
    ("file", "place", "member", "value"),
    [
        ("openapi.json", "components", "x", {"$ref": "{url}/x.json"}),
        ("openapi.json", "components", "x", {"$ref": "file:///etc/hostname"}),
        ("openapi.json", "components", "x", {"$ref": "../../secret.json"}),
        ("openapi.json", "components", "x", {"$ref": "http://x/../../empty.json"}),
        ("openapi.json", "components", "x", {"examples": {"a": {"externalValue": "{url}/x"}}}),
        ("openapi.json", "components", "x", {"servers": [{"url": "{url}"}]}),
        ("openapi.json", "", "jsonSchemaDialect", "{url}/dialect"),
        ("usage.json", "properties", "x", {"$id": "{url}/nested.json", "$ref": "../empty.json"}),
        ("usage.json", "properties", "x", {"$id": "{url}/nested.json"}),
        ("usage.json", "", "examples", [{"$ref": "{url}/x"}]),
        ("usage.json", "properties", "x", {"enum": [{"$ref": "{url}/x"}]}),
        ("usage.json", "properties", "x", {"$ref": "http://x/../../empty.json"}),
    ],
)
def test_no_address_in_a_revision_is_followed(
    file: str, place: str, member: str, value: Any, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor by the tools that get its documents, also if the user names the revision."""
    pytest.importorskip("schemathesis")
    with listening() as (url, heard):
        filled = json.loads(json.dumps(value).replace("{url}", url))

        def change(document: dict[str, Any]) -> None:
            document.pop("$id", None)
            (document[place] if place else document)[member] = filled

        write_revision(repository, file, change)
        assert main([*FUZZ, "--revision", "2027-01-01"]) == 2
        assert heard == []
    assert re.search("leads out of|leads nowhere|may lead out|another|has not", capsys.readouterr().err)


def test_a_file_of_a_parent_decides_for_its_own_folder(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of a parent is found through a linked folder, too, and is limited to where it really is."""
    inner, link = repository / "a" / "b", repository.parent / "link"
    inner.mkdir(parents=True)
    link.symlink_to(inner)
    write_table(repository, "check", 'baseline = "../../known.yaml"\ntarget = "https://keys.example"')
    monkeypatch.chdir(link)
    file = find_file()
    assert file is not None
    assert file.path == repository / "pyproject.toml"
    with pytest.raises(UsageFault, match="chooses who receives your key"):
        read_options(load_options("check"), [])
    write_table(repository, "check", 'baseline = "../../known.yaml"')
    assert vars(read_options(load_options("check"), []))["baseline"] == "../../known.yaml"
    write_table(repository, "check", 'baseline = "../../../known.yaml"')
    with pytest.raises(UsageFault, match="out of its own folder"):
        read_options(load_options("check"), [])


def test_what_is_judged_is_what_is_trusted(repository: Path) -> None:
    """The file is read once: text that is put in its place meanwhile is neither trusted nor used."""
    write_table(repository, "check", 'model = "a"')
    file = find_file()
    assert file is not None
    write_table(repository, "check", 'model = "b"')
    assert file.table == {"model": "a"}


def test_a_bomb_is_no_configuration(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A baseline that stands for gigabytes is refused before it is built, with the file's name."""
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))
    (repository / "known.yaml").write_text(f"a0: &a0 lol\n{levels}\n", encoding="utf-8")
    write_table(repository, "check", 'baseline = "known.yaml"')
    assert main(["check", "emulator", "-c", "get.unknown"]) == 2
    told = capsys.readouterr().err
    assert "known.yaml" in told
    assert "its aliases make" in told


def test_trust_lists_what_a_file_sets(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`harness trust` shows each setting, keeps the word for its owner alone, and takes it back."""
    file = write_table(repository, "torture", 'client = "openai"')
    assert main(["trust"]) == 0
    assert capsys.readouterr().out == f"trusted: {file}\n  [tool.harness.torture] client = 'openai'\n"
    store = repository.parent / "state" / "harness" / "trusted.json"
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    store.chmod(0o666)
    assert main(["trust"]) == 0
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    capsys.readouterr()
    assert main(["trust", "--list"]) == 0
    assert capsys.readouterr().out == f"{file}\n"
    file.write_text("", encoding="utf-8")
    assert main(["trust", "--list"]) == 1
    assert main(["trust", "--remove", str(repository)]) == 0
    assert main(["trust", "--remove"]) == 2
    assert "pyproject.toml is not trusted" in capsys.readouterr().err


def test_a_full_disk_keeps_the_list_as_it_was(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A list that cannot be written is no empty one, and an old one stays."""
    write_table(repository, "torture", 'client = "openai"')
    store = repository.parent / "state" / "harness" / "trusted.json"

    def fails(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for old in (False, True):
        with monkeypatch.context() as full:
            full.setattr(os, "fsync", fails)
            before = store.read_bytes() if old else None
            assert main(["trust", *(["--remove"] if old else [])]) == 2
            assert "cannot be written: No space left on device" in capsys.readouterr().err
        assert [path.read_bytes() for path in store.parent.iterdir()] == ([before] if old else [])
        assert main(["trust"]) == 0
    assert stat.S_IMODE(store.stat().st_mode) == 0o600


def test_a_planted_store_trusts_nothing(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is damaged trusts no file, and a folder brings no store of its own."""
    file = write_table(repository, "check", 'baseline = "../known.yaml"')
    digest = find_file()
    assert digest is not None
    for planted in (repository / ".harness", repository / ".local" / "state" / "harness"):
        planted.mkdir(parents=True)
        (planted / "trusted.json").write_text(json.dumps({"files": {str(file): digest.digest}}), encoding="utf-8")
    store = repository.parent / "state" / "harness" / "trusted.json"
    store.parent.mkdir(parents=True)
    store.touch(mode=0o600)
    for damaged in ("", "[]", '{"files": []}', '{"files": {"x": 1}}', "[" * 100_000):
        store.write_text(damaged, encoding="utf-8")
        with pytest.raises(UsageFault, match="out of its own folder"):
            read_options(load_options("check"), [])


@pytest.mark.parametrize("mark", ["", ".git", "state/pyproject.toml"])
@pytest.mark.parametrize("below", ["", "packages/app"])
def test_a_checked_out_store_trusts_nothing(
    below: str, mark: str, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A home in the folder, as of some CI systems: git brings a store there, with any mode."""
    known = repository.parent / "known.yaml"
    known.write_text("[]\n", encoding="utf-8")
    file = write_table(repository, "check", f'baseline = "{known}"')
    monkeypatch.setenv("XDG_STATE_HOME", str(repository / "state"))
    digest = find_file()
    assert digest is not None
    store = repository / "state" / "harness" / "trusted.json"
    store.parent.mkdir(parents=True)
    store.write_text(json.dumps({"files": {str(file): digest.digest}}), encoding="utf-8")
    if mark:
        (repository / mark).touch()
    (repository / below).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(repository / below)
    for mode in (0o600, 0o700, 0o644, 0o664, 0o755, 0o604):
        store.chmod(mode)
        for home in (repository, repository.parent):
            monkeypatch.setenv("HOME", str(home))
            with pytest.raises(UsageFault, match="out of its own folder"):
                read_options(load_options("check"), [])
    assert main(["trust"]) == main(["trust", "--list"]) == 2, "it would count for nothing"
    assert "set XDG_STATE_HOME to a folder outside, or set HARNESS_TRUST=" in " ".join(
        capsys.readouterr().err.split()
    )
    monkeypatch.setenv("HARNESS_TRUST", str(repository))
    assert vars(read_options(load_options("check"), []))["baseline"] == str(known)


def test_a_home_under_version_control_keeps_the_list_of_a_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many keep their settings in a repository at home: what they trust in another repository below stays so."""
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    project = tmp_path / "work" / "project"
    (project / ".git").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    write_table(project, "check", 'baseline = "../known.yaml"')
    (project.parent / "known.yaml").write_text("[]\n", encoding="utf-8")
    monkeypatch.chdir(project)
    assert main(["trust"]) == 0
    assert (tmp_path / ".local" / "state" / "harness" / "trusted.json").is_file()
    assert vars(read_options(load_options("check"), []))["baseline"] == "../known.yaml"


def test_a_relative_state_folder_is_none(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a relative `XDG_STATE_HOME` the folder could bring a store that trusts it."""
    file = write_table(repository, "check", 'baseline = "../known.yaml"')
    digest = find_file()
    assert digest is not None
    for state in ("", "state", "."):
        monkeypatch.setenv("XDG_STATE_HOME", state)
        monkeypatch.setenv("HOME", str(repository.parent / "home"))
        planted = repository / state / "harness"
        planted.mkdir(parents=True, exist_ok=True)
        (planted / "trusted.json").write_text(json.dumps({"files": {str(file): digest.digest}}), encoding="utf-8")
        with pytest.raises(UsageFault, match="out of its own folder"):
            read_options(load_options("check"), [])


def test_trust_holds_for_one_path(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of a trusted file in another folder is not trusted: its paths lead elsewhere."""
    file = write_table(repository, "check", 'baseline = "../known.yaml"')
    assert main(["trust"]) == 0
    read_options(load_options("check"), [])
    other = repository.parent / "other" / "folder"
    other.mkdir(parents=True)
    (other / "pyproject.toml").write_bytes(file.read_bytes())
    monkeypatch.chdir(other)
    with pytest.raises(UsageFault, match="out of its own folder"):
        read_options(load_options("check"), [])


@pytest.mark.parametrize("how", ["store", "folder"])
def test_trust_covers_no_file_of_a_folder_below(
    how: str, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A checkout below a trusted file has a file of that name, too: that of the trusted folder is meant."""
    monkeypatch.setenv("HARNESS_EXTENSION", "")  # a command that takes one sets it for its children
    lines = 'extension = ["checks.py", "json"]\nca-file = "ca.pem"\n[tool.harness.fuzz]\n'
    write_table(repository, "check", lines + 'database = "d"\nstore = "s"')
    below = repository / "vendor, inc" / "checkout"
    below.mkdir(parents=True)
    for folder, name in ((repository, "mine"), (below, "theirs")):
        ran = repository.parent / name
        (folder / "checks.py").write_text(f"open({str(ran)!r}, 'w').close()\n", "utf-8")
    if how == "store":
        assert main(["trust"]) == 0
    else:
        monkeypatch.setenv("HARNESS_TRUST", str(repository))
    monkeypatch.chdir(below)
    (below / ".git").mkdir()
    assert main(["list"]) == main(["check", "emulator"]) == 2
    assert "makes no extension" in capsys.readouterr().err
    assert {path.name for path in repository.parent.iterdir()} & {"mine", "theirs"} == {"mine"}
    paths = vars(read_options(load_options("fuzz"), []))
    assert [paths[name] for name in ("store", "database", "ca_file")] == ["../../s", "../../d", "../../ca.pem"]
    for folder, path in ((below, "../../checks.py"), (repository, "checks.py")):
        monkeypatch.chdir(folder)
        monkeypatch.setenv("HARNESS_EXTENSION", "")
        assert vars(read_options(load_options("check"), []))["extension"] == [path, "json"]


@pytest.mark.parametrize("how", ["store", "folder"])
def test_trust_covers_no_revision_of_a_folder_below(
    how: str, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A checkout below a trusted file has a revision of that name, too: it would choose requests with the key."""
    (repository / "pyproject.toml").write_text('[tool.harness]\nrevision = "2027-01-01"\n', encoding="utf-8")
    write_revision(repository, "openapi.json", lambda document: document["paths"].pop("/agents"))
    below = repository / "vendor" / "checkout"
    (below / ".git").mkdir(parents=True)
    write_revision(below, "openapi.json", lambda document: document["paths"].clear())
    if how == "store":
        assert main(["trust"]) == 0
    else:
        monkeypatch.setenv("HARNESS_TRUST", str(repository))
    monkeypatch.chdir(below)
    assert vars(read_options(load_options("fuzz"), []))["revision"] == "../../2027-01-01"
    assert main(["check", "emulator", "-c", "get.unknown"]) == 0
    assert "sets revision, trusted" in capsys.readouterr().err


def test_a_baseline_of_a_folder_below_is_read_inside_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The trusted file above names a path of the current folder, which is another's checkout: links stay in."""
    write_table(repository, "check", 'baseline = "known.yaml"')
    (repository / "secret.yaml").write_text("a secret of the user: [", encoding="utf-8")
    below = repository / "vendor" / "checkout"
    (below / ".git").mkdir(parents=True)
    (below / "known.yaml").symlink_to(repository / "secret.yaml")
    assert main(["trust"]) == 0
    monkeypatch.chdir(below)
    assert main(["check", "emulator", "-c", "get.unknown"]) == 2
    shown = capsys.readouterr()
    assert "a secret" not in shown.out + shown.err


@pytest.mark.parametrize("path", ["../../ca.pem", "link.pem"])
def test_certificates_of_a_parent_stay_in_its_folder(
    path: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path that is judged is the one that is read, however far below the file the user is."""
    monkeypatch.delenv("GEMINI_API_KEY")
    write_table(repository, "check", f'ca-file = "{path}"')
    (repository / "link.pem").symlink_to("../../ca.pem")
    below = repository / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    with pytest.raises(UsageFault, match="out of its own folder"):
        read_options(load_options("check"), [])


@pytest.mark.parametrize("how", ["store", "folder", "file"])
def test_a_link_to_a_trusted_file_is_not_trusted(
    how: str, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its paths would lead from the folder of the link, in which a stranger has put other files of these names."""
    monkeypatch.setenv("HARNESS_EXTENSION", "")  # a command that takes one sets it for its children
    mine = repository.parent / "mine"
    mine.mkdir()
    file = mine / "pyproject.toml"
    file.write_text('[tool.harness]\nextension = ["checks.py"]\n', "utf-8")
    (repository / "checks.py").write_text("open('ran', 'w').close()\n", "utf-8")
    (repository / "pyproject.toml").symlink_to(Path("..", "mine", "pyproject.toml"))
    if how == "store":
        assert main(["trust", str(mine)]) == 0
    else:
        monkeypatch.setenv("HARNESS_TRUST", str(mine if how == "folder" else file))
    assert main(["check", "emulator", "-c", "get.unknown"]) == 2
    assert "extension" in capsys.readouterr().err
    assert not (repository / "ran").exists()
    assert main(["trust"]) == 0, "the word of the user for the link itself counts"
    assert main(["check", "emulator", "-c", "get.unknown"]) == 2
    assert (repository / "ran").exists()


def test_a_file_of_another_user_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any user of a machine may put one into /tmp, above the folders of others."""
    work = tmp_path / "work"
    work.mkdir()
    above = write_table(tmp_path, "check", "deadline = 1")
    found = folder_trust.find_file(work)
    assert found is not None
    assert found.path == above
    monkeypatch.setattr(folder_trust, "find_owner", lambda path: 5 if path == above else os.geteuid())
    found = folder_trust.find_file(work)
    assert found is None or found.path != above
    monkeypatch.setattr(folder_trust, "find_owner", lambda path: 5)  # as in a container with a mounted checkout
    found = folder_trust.find_file(work)
    assert found is not None


def test_a_command_to_copy_holds_the_name_of_a_folder_as_a_word(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The name of a folder that a stranger chose is no command of the shell into which a user copies it."""
    folder = repository / "a; touch ran #`touch ran`$(touch ran)"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    file = write_table(folder, "check", 'baseline = "../known.yaml"')
    with pytest.raises(UsageFault) as refused:
        read_options(load_options("check"), [])
    assert f"`harness trust {shlex.quote(str(file))}`" in str(refused.value)
    write_table(folder, "fuzz", 'store = "x; touch ran"')
    words = ["https://gateway.invalid"]
    assert main(["trust"]) == 0
    arguments = read_options(fuzz.FuzzArguments, words)
    kept = Store(folder / "x; touch ran", resolve(arguments)).folder
    kept.mkdir(parents=True)
    (kept / "a.json").write_text("{}", encoding="utf-8")
    assert not fuzz._read_options(arguments, resolve(arguments), words).replays
    assert "add --store 'x; touch ran' to replay them" in capsys.readouterr().err


def test_a_link_in_a_folder_of_recordings_reads_nothing_else(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that the user names is read, and no file that a link in it leads to."""
    secret = repository.parent / "secret.yaml"
    secret.write_text("s3cr3t: [", encoding="utf-8")
    (repository / "cassettes").mkdir()
    (repository / "cassettes" / "a.yaml").symlink_to(secret)
    for words in (
        ["verify", "cassettes"],
        ["verify", "--secrets", "cassettes"],
        ["diff", "cassettes", "emulator"],
    ):
        assert main(words) == 2
        told = capsys.readouterr()
        assert "it is a link that leads out of the folder" in told.err
        assert "s3cr3t" not in told.out + told.err


def test_a_link_to_a_folder_hides_no_recording(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tests read the recordings behind it, so a judgment without them would be about other files."""
    for name in ("cassettes", "recordings"):
        (repository / name).mkdir()
        (repository / name / "a.json").write_text('{"id": 5}', encoding="utf-8")
    (repository / "cassettes" / "live").symlink_to("../recordings")
    for words in (["verify", "cassettes"], ["diff", "cassettes", "emulator"]):
        assert main(words) == 2
        assert "cassettes/live cannot be read: it is a link that leads out" in capsys.readouterr().err
    main(["verify", "--secrets", "cassettes"])
    assert "left out, as they are links to elsewhere: cassettes/live (" in "".join(capsys.readouterr())
    (repository / "cassettes" / "live").unlink()
    (repository / "cassettes" / "gone.yaml").symlink_to("nothing")
    main(["verify", "--empty-ok", "cassettes"])
    assert "gone.yaml" in "".join(capsys.readouterr())


def test_a_link_beside_a_request_reads_nothing_else(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A hook names the files of requests; their responses lie beside them."""
    secret = repository.parent / "secret.json"
    secret.write_text(json.dumps({"id": "s3cr3t", "status": "s3cr3t"}), encoding="utf-8")
    (repository / "a.request.json").write_text('{"model": "m", "input": "x"}', encoding="utf-8")
    (repository / "a.json").symlink_to(secret)
    assert main(["verify", "a.request.json"]) == 2
    told = capsys.readouterr()
    assert f"it leads to {str(secret)!r}, out of {str(repository)!r}" in told.err
    assert "s3cr3t" not in told.out + told.err


def swap_after(look: str, of: ModuleType, place: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a function of a module has returned, put a link in the place of a file or a folder."""
    real = getattr(of, look)

    def look_and_swap(*args: Any, **named: Any) -> Any:
        seen = real(*args, **named)
        if not place.is_symlink():
            place.rename(place.with_name("moved"))
            place.symlink_to(elsewhere)
        return seen

    monkeypatch.setattr(of, look, look_and_swap)


SCENARIO = "responses:\n  - text: s3cr3t\n"
SWAPS = [
    (["check", "emulator", "-c", "get.unknown"], "baseline", "b.yaml", "", "get.unknown: s3cr3t\n"),
    (
        ["check", "emulator", "-c", "get.unknown"],
        "revision",
        "2027-01-01",
        "revision.json",
        '{"base": "2026-05-20"}',
    ),
    (["check", "https://127.0.0.1:1", "--wait", "0"], "ca-file", "c.pem", "", ""),
    (["torture", "--kinds", "reset", "--", "true"], "scenario", "s.yaml", "", SCENARIO),
    (
        ["torture", "--kinds", "reset", "--", "true"],
        "cassette",
        "c.yaml",
        "",
        "interactions: []\nversion: 1\n",
    ),
]


@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.parametrize(
    ("words", "key", "name", "inner", "text"), SWAPS, ids=[f"{words[0]}-{key}" for words, key, *_ in SWAPS]
)
def test_a_link_that_comes_after_the_look_leads_no_read_elsewhere(
    words: list[str], key: str, name: str, inner: str, text: str, holds: bool, repository: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """A path of the folder is judged first and read later; another program may swap what is there meanwhile."""
    elsewhere = repository.parent / "elsewhere"
    for folder in (repository, elsewhere):
        place = folder / name / inner if inner else folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    write_table(repository, words[0], f'{key} = "{name}"')
    monkeypatch.setattr(held_paths, "_HOLDS_FOLDERS", holds and held_paths._HOLDS_FOLDERS)
    monkeypatch.delenv("GEMINI_API_KEY")
    swap_after("require_allowed", arguments, repository / name, elsewhere / name, monkeypatch)
    assert main(words) == 2
    told = capsys.readouterr()
    assert f"it leads to {str(elsewhere / name)!r}, out of {str(repository)!r}" in told.err.replace(
        "/revision.json", ""
    )
    assert "s3cr3t" not in told.out + told.err


@pytest.mark.parametrize("swapped", ["cassettes/a.yaml", "cassettes"])
@pytest.mark.parametrize("words", ["verify cassettes", "verify --secrets cassettes", "diff cassettes other"])
def test_a_link_that_comes_after_the_list_leads_no_read_elsewhere(
    swapped: str, words: str, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files of a folder are listed first and read later."""
    elsewhere = repository.parent / "elsewhere"
    for folder, text in ((repository, "x"), (elsewhere, f"s3cr3t: {KEY}")):
        for name in ("cassettes", "other"):
            (folder / name).mkdir(parents=True)
            (folder / name / "a.yaml").write_text(text, encoding="utf-8")
    module = import_module(f"harness.benches.record.{words.split()[0]}")
    swap_after("list_files", module, repository / swapped, elsewhere / swapped, monkeypatch)
    assert main(words.split()) == 2
    told = capsys.readouterr()
    assert f"it leads to {str(elsewhere / 'cassettes' / 'a.yaml')!r}, out of" in told.err
    assert "s3cr3t" not in told.out + told.err


def test_a_link_that_comes_after_the_look_shows_no_text_of_another_file(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`git diff` shows the text of a file that was swapped while it asked for it."""
    (repository / "a.yaml").write_text("x", encoding="utf-8")
    (repository.parent / "secret").write_text("s3cr3t", encoding="utf-8")
    swap_after("find_link_out", diff, repository / "a.yaml", repository.parent / "secret", monkeypatch)
    main(["diff", "--textconv", "a.yaml"])
    assert "s3cr3t" not in "".join(capsys.readouterr())


def test_a_link_that_comes_after_the_look_reads_and_deletes_no_failure_elsewhere(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The failures in `.harness` are read, and deleted when they are gone, in the folder that was judged."""
    pytest.importorskip("schemathesis")
    options = read_options(fuzz.FuzzArguments, ["emulator"])
    inside = Store(Path(".harness/fuzz"), resolve(options)).folder
    elsewhere = repository.parent / "elsewhere"
    for root in (repository, elsewhere):
        (root / inside).mkdir(parents=True)
    planted = elsewhere / inside / "s3cr3t.json"
    planted.write_text("{}", encoding="utf-8")
    swap_after("require_own", fuzz, repository / ".harness", elsewhere / ".harness", monkeypatch)
    assert main(["fuzz", "emulator", "--max-examples", "1"]) == 2
    told = capsys.readouterr()
    assert "out of" in told.err
    assert "s3cr3t" not in told.out + told.err
    assert planted.exists()


def test_planted_failures_stay_in_the_folder(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A `.harness` that leads elsewhere is refused: `fuzz` would write and remove files there."""
    pytest.importorskip("schemathesis")
    (repository.parent / "elsewhere" / "fuzz").mkdir(parents=True)
    (repository / ".harness").symlink_to(repository.parent / "elsewhere")
    assert main(["fuzz", "emulator", "--max-examples", "1"]) == 2
    assert "out of its own folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "settings", "variable", "replays"),
    [
        (["https://gateway.invalid"], "", False, False),
        (["https://gateway.invalid"], 'store = "planted"', False, False),
        (["https://gateway.invalid", "--store", ".harness/fuzz"], "", False, True),
        (["https://gateway.invalid"], "", True, True),
        (["http://127.0.0.1:1"], "", False, True),
        (["emulator"], "", False, True),
    ],
)
def test_planted_failures_are_not_sent_with_a_key(
    words: list[str],
    settings: str,
    variable: bool,
    replays: bool,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Requests that a folder brings could delete what a key gives access to: that needs the user's word."""
    (repository / "pyproject.toml").write_text(f"[tool.harness.fuzz]\n{settings}\n", encoding="utf-8")
    if variable:
        monkeypatch.setenv("HARNESS_TRUST", str(repository))
    elif settings:
        assert main(["trust"]) == 0
    arguments = read_options(fuzz.FuzzArguments, words)
    for name in (".harness/fuzz", "planted"):
        folder = Store(Path(name), resolve(arguments)).folder
        folder.mkdir(parents=True)
        (folder / "planted.json").write_text("{}", encoding="utf-8")
    assert fuzz._read_options(arguments, resolve(arguments), words).replays is replays
    said = capsys.readouterr().err
    assert ("not replaying 1 earlier failure of this target" in said) is not replays
    assert "replaying 1 earlier failure of this target" in said


@pytest.mark.parametrize(("text", "mode", "why"), [("{", 0o600, "no valid JSON"), ("{}", 0o666, "other users")])
def test_a_damaged_list_of_trusted_files_is_named(
    repository: Path, capsys: pytest.CaptureFixture[str], text: str, mode: int, why: str
) -> None:
    """It trusts nothing: a person learns that from the list, and when the next file replaces it."""
    write_table(repository, "check", "rate = 5")
    store = repository.parent / "state" / "harness" / "trusted.json"
    store.parent.mkdir(parents=True)
    store.write_text(text, encoding="utf-8")
    store.chmod(mode)
    assert main(["trust", "--list"]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert why in error
    assert "`harness trust PATH` replaces it" in error
    assert main(["trust"]) == 0
    assert "it is replaced" in " ".join(capsys.readouterr().err.split())
    assert main(["trust", "--list"]) == 0


def test_the_list_of_trusted_files_names_the_next_step(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that changed is not trusted: its reader learns the next step. A path beside --list is an error."""
    file = write_table(repository, "check", "rate = 5")
    assert main(["trust"]) == 0
    assert main(["trust", "--list"]) == 0
    assert "help:" not in capsys.readouterr().err
    file.write_text(file.read_text("utf-8") + "# changed\n", encoding="utf-8")
    assert main(["trust", "--list"]) == 1
    captured = capsys.readouterr()
    assert "(changed since: not trusted)" in captured.out
    assert "harness trust --remove PATH" in captured.err
    assert main(["trust", "--list", "here"]) == 2
    assert "without 'here'" in capsys.readouterr().err
