"""A user's module adds rules, checks, mutants and faults: the example of `docs/extending.md`, as written."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest

from harness.cli import main
from harness.errors import UsageFault
from harness.extend import Extension
from harness.interactions.clients import CLIENTS
from harness.interactions.mutants import load_mutants
from harness.interactions.servers import SERVERS
from harness.kit.api import EXTENSION_VARIABLE, load_beside_installed, load_extensions

PAGE = Path(__file__).resolve().parents[1].joinpath("docs", "extending.md").read_text("utf-8")
EXAMPLE, DEPENDENT, TABLE_CALL = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(TABLE,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

Extend = Callable[[str], None]


@pytest.fixture
def extend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Extend]:
    """Loads the extension with this source for one test."""

    def load(source: str) -> None:
        (tmp_path / "acme.py").write_text(source, encoding="utf-8")
        monkeypatch.setenv(EXTENSION_VARIABLE, str(tmp_path / "acme.py"))
        load_beside_installed.cache_clear()

    monkeypatch.chdir(tmp_path)
    yield load
    monkeypatch.undo()
    load_beside_installed.cache_clear()


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """The exit code of a command and what it printed."""
    code = main(list(words))
    shown = capsys.readouterr()
    return code, shown.out + shown.err


def test_the_example_has_few_lines() -> None:
    """A rule with its check, a mutant and a fault take 15 lines."""
    assert len([line for line in EXAMPLE.splitlines() if line.strip()]) <= 15


def test_the_example_stands_beside_what_is_built_in(extend: Extend, capsys: pytest.CaptureFixture[str]) -> None:
    """What it adds is listed, explained and judged, its mutant is known, and its cases are a set."""
    extend(EXAMPLE)
    code, listed = run(capsys, "list", "acme.*")
    assert (code, listed.splitlines()[-1]) == (0, "1 check")
    assert "Acme handbook, 3 (documented)" in run(capsys, "explain", "acme.id")[1]
    assert run(capsys, "check", "emulator", "-c", "acme.*")[0] == 0
    assert [kind.name for kind in CLIENTS.load_client_model().sets["acme"]] == ["acme-proxy"]
    assert load_mutants()["acme-no-id"].area == "acme"
    assert SERVERS.load_areas()["acme"] == "Rules of Acme"
    assert SERVERS.load_rules()["acme.id"].level == "SHOULD"


def test_a_request_depends_on_a_response(extend: Extend, capsys: pytest.CaptureFixture[str]) -> None:
    """The page's example of two requests passes, and is not offered where the first one is rejected."""
    extend(f"{EXAMPLE}\n{DEPENDENT}")
    code, shown = run(capsys, "check", "emulator", "-c", "acme.*")
    assert code == 0
    assert re.search(r" checks in [\d.]+ s: 2 passed, ", shown)
    extend(f"{EXAMPLE}\n{DEPENDENT}".replace('t.create(input="Hi")', "t.create(input=7)"))
    assert "1 not offered, " in run(capsys, "check", "emulator", "-c", "acme.model")[1]


@pytest.mark.slow
def test_an_error_of_an_extension_is_its_own(extend: Extend, capsys: pytest.CaptureFixture[str]) -> None:
    """What raises in a user's exercise, judge or mutant is a defect of the user's module, and is called so."""
    extend(EXAMPLE.replace("created.body", "created.json"))
    for words in (("check", "emulator", "-c", "acme.id"), ("mutants", "acme-*")):
        code, shown = run(capsys, *words)
        assert code == 5
        assert "AttributeError: 'Exchange' object has no attribute 'json'" in shown
        assert "of the extension acme is a defect of its module" in shown
        assert "defect of the harness" not in shown


@pytest.mark.slow
def test_its_own_checks_come_first(extend: Extend, capsys: pytest.CaptureFixture[str]) -> None:
    """A mutant of an extension names the checks of the extension first; those that kill none are named below."""
    extend(EXAMPLE)
    code, shown = run(capsys, "mutants", "acme-*")
    assert code == 0
    assert shown.startswith("acme-no-id  acme.id, ")
    assert shown.endswith("PASSED: 1 mutant killed.\n")
    extend(EXAMPLE.replace("lambda *_: {}", "lambda body, _: {**body, 'status': 'odd'}"))
    idle = "\nchecks that kill none of these mutants, or that a finding blocks: acme.id\n"
    assert idle in run(capsys, "mutants", "acme-*")[1]


def test_a_table_of_rules_is_read(extend: Extend, capsys: pytest.CaptureFixture[str]) -> None:
    """The rows of the page's table are checks, judged by functions of the module or by shared judges."""
    shared = TABLE.replace("acme.terse", "acme.ok").replace("is_short", "{expect_status: created, accepts: [200]}")
    Path("acme.yaml").write_text(TABLE + shared, encoding="utf-8")
    extend(EXAMPLE + TABLE_CALL)
    code, shown = run(capsys, "check", "emulator", "-c", "acme.*", "--level", "may")
    assert code == 0
    total = len(SERVERS.load_catalogue())
    assert re.search(rf"^{total} checks in [\d.]+ s: 3 passed, {total - 3} excluded\.$", shown, re.MULTILINE)
    assert [check.id for check in SERVERS.load_catalogue()[-3:]] == [
        "acme.id",
        "acme.terse",
        "acme.ok",
    ]


def test_a_wrong_row_is_named_with_its_line(extend: Extend, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake in a table of an extension is reported with file and line, and ends the command."""
    Path("acme.yaml").write_text(TABLE.replace("MAY", "WILL"), encoding="utf-8")
    extend(EXAMPLE + TABLE_CALL)
    code, shown = run(capsys, "list")
    assert code == 2
    assert "acme.yaml:2: acme.terse: " in shown


IMPORT = "from harness.extend import Extension\n"


@pytest.mark.parametrize(("source", "says"), [
    ("import nowhere", "cannot be loaded: ModuleNotFoundError: No module named 'nowhere'"),
    ("x = 1", "makes no extension: write `acme = Extension('acme')` in it"),
    (IMPORT + "a = Extension('get')", "cannot be called 'get': the built-in rules have that name"),
    (IMPORT + "a = Extension('a b')", "a name is lower-case letters"),
    (IMPORT + "a, b = Extension('acme'), Extension('acme')", "the extension 'acme' is defined twice"),
    (EXAMPLE.replace("acme.id", "get.ok"), "the id of a rule begins with the name of its extension"),
    (EXAMPLE.replace('"""A', '"A"; """A').replace('"A"', "0"), "no statement: write the requirement"),
    (EXAMPLE + "acme.checks *= 2", "the rule 'acme.id' is defined twice"),
    (EXAMPLE.replace("acme-no-id", "cancel-noop"), "cancel-noop: a built-in mutant has this name"),
    (EXAMPLE.replace("breaks=", 'level="WILL", breaks='), "there is no level 'WILL': known are MUST, SHOULD, MAY"),
    (EXAMPLE.replace("breaks=", 'profile="cores", breaks='), "'acme': acme.id: there is no profile 'cores'"),
    (EXAMPLE.replace("breaks=", 'requires=["streem"], breaks='), "no capability 'streem': did you mean 'stream'?"),
    (EXAMPLE.replace("{late}", "{lat}"), "the plan 'event:{lat},end' names no place of a stream with 'lat'"),
    (EXAMPLE.replace(",end", ",endd"), "acme-proxy: "),
], ids=[
    "import", "none", "taken", "name", "twice", "id", "bare", "rule", "mutant", "level", "group", "capability",
    "place", "plan",
])  # fmt: skip
def test_what_is_wrong_is_said(extend: Extend, capsys: pytest.CaptureFixture[str], source: str, says: str) -> None:
    """An extension that cannot be used ends the command with exit code 2 and the reason."""
    extend(source)
    code, shown = run(capsys, "list")
    assert code == 2
    assert says in shown


def test_a_file_that_is_not_there_is_named(extend: Extend, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is no file and no module is refused."""
    monkeypatch.setenv(EXTENSION_VARIABLE, "/elsewhere.py")
    load_beside_installed.cache_clear()
    with pytest.raises(UsageFault, match=r"there is no file '/elsewhere\.py'"):
        load_extensions()


@pytest.mark.parametrize("named", ["acme.py", "json, x/../acme.py"])
def test_the_variable_names_no_file_of_the_current_folder(
    named: str, extend: Extend, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be set for a whole shell, which then visits a folder of somebody else."""
    extend("raise SystemExit('the file ran')\n")
    monkeypatch.setenv(EXTENSION_VARIABLE, named)
    for words in (["list"], ["check", "emulator"]):
        code, shown = run(capsys, *words)
        assert (code, "the file ran" in shown) == (2, False)
        assert "which depends on the current folder: write an absolute path, or pass --extension" in shown


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("list", "acme.*"), "acme.id"),
        (("explain", "acme.id"), "Acme handbook"),
        (("mutants", "acme-*", "--list"), "acme-no-id"),
        (("check", "emulator", "-c", "acme.id"), "1 passed"),
        (("torture", "--set", "acme", "--dry-run", "--", "client"), "acme-proxy"),
        (("serve", "--mutant", "acme-no-id", "--port", "0", "--", sys.executable, "-c", ""), ""),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
@pytest.mark.parametrize("is_option", [True, False], ids=["option", "variable"])
def test_an_option_and_the_variable_name_it(
    is_option: bool,
    extend: Extend,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    shown: str,
) -> None:
    """Every command that knows rules or mutants knows those of an extension."""
    extend(EXAMPLE)
    load_beside_installed.cache_clear()
    monkeypatch.setenv(EXTENSION_VARIABLE, "" if is_option else str(tmp_path / "acme.py"))
    option = ("--extension", "acme.py") if is_option else ()
    code, said = run(capsys, words[0], *option, *words[1:])
    assert (code, shown in said) == (0, True), said


def test_a_configuration_file_names_no_extension(
    extend: Extend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would run code of a folder that the user only entered: `check` refuses it, others do not read it."""
    extend("raise SystemExit('the file ran')\n")
    monkeypatch.setenv(EXTENSION_VARIABLE, "")
    (tmp_path / "pyproject.toml").write_text('[tool.harness]\nextension = ["acme.py"]\n', encoding="utf-8")
    code, said = run(capsys, "check", "emulator")
    assert (code, "the file ran" in said, "pass --extension on the command line" in said) == (2, False, True)
    code, said = run(capsys, "list", "create.*")
    assert (code, "the file ran" in said) == (0, False)


def test_the_entry_point_of_a_package_is_loaded(extend: Extend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The group `harness.extensions` names modules, or extensions in them."""
    installed = Extension("installed")
    point = metadata.EntryPoint("acme", "tests.test_extend:nothing", "harness.extensions")
    monkeypatch.setattr(metadata.EntryPoint, "load", lambda self: installed)
    monkeypatch.setattr(metadata, "entry_points", lambda group: [point] if group == "harness.extensions" else [])
    load_beside_installed.cache_clear()
    assert load_extensions() == (installed,)
