"""`harness drift`: how the types of an official SDK differ from the schemas of a revision.

Layer 8.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.cli.arguments import read_options
from harness.cli.common_options import contract_of, json_option, report_option, revision_option
from harness.cli.folder_trust import find_link_out
from harness.cli.options import FOLDER, PATH, Options, Page, Trust, flag, option
from harness.cli.output import ReportFiles, format_patch, say, write_json
from harness.documents import explain_unread
from harness.outcome import Exit, UsageFault
from harness.outcome.words import did_you_mean, format_count, to_one_line
from harness.written_files import find_way_out, make_folder, write_file

if TYPE_CHECKING:
    from harness.benches.packages import Package
    from harness.contract import Contract
    from harness.contract.schema.schemas import Schemas
    from harness.drift.comparison import Explained
    from harness.drift.proposal import Proposal
    from harness.drift.type_model import TypeModel

PYTHON, TYPESCRIPT = "google-genai", "@google/genai"
_FORMATS = ("html", "json", "markdown")


class _Wanted(NamedTuple):
    """The SDK that --sdk names, and a version or ""."""

    name: str
    version: str


@dataclass(kw_only=True)
class DriftArguments(Options):
    """The options of `harness drift`."""

    sdk: str = option("SDK to compare with", PATH, PYTHON, metavar="SDK", trust=Trust.CALL)
    revision: str | None = revision_option()
    strict: bool = flag("treat explained differences as drift")
    json: bool = json_option()
    report: Sequence[str] | None = report_option(_FORMATS)
    propose: str | None = option(
        "write a revision that follows the SDK (only the differing files)", FOLDER, trust=Trust.CALL
    )
    propose_patch: str | None = option(
        "write it as a patch of a checkout: schemas, rule rows and sentences", PATH, trust=Trust.CALL
    )
    requests: bool = flag(
        "also send a create for each field, value and kind that the SDK declares to the emulator", trust=Trust.CALL
    )
    verbose: bool = flag("also list the explained differences", flags=("-v", "--verbose"), trust=Trust.CALL)

    page = Page(
        "drift",
        ("harness drift", "harness drift --sdk @google/genai==latest --report html=drift.html"),
        notes="""\
It compares calls, fields, required fields, listed values and kinds. It neither imports nor runs the SDK.

SDK is google-genai or @google/genai, with ==VERSION or @VERSION (latest: the newest), or the folder of an unpacked
SDK. google-genai without a version is the installed one. pip or npm downloads a missing SDK to a temporary folder.

exit codes: 0 no unexplained difference · 1 drift, or a rejected request · 2 usage, or no network""",
    )


OPTIONS = DriftArguments


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code: 0 nothing unexplained, 1 drift."""
    arguments = read_options(DriftArguments, words)
    _refuse_what_cannot_be_written(arguments)
    schemas = contract_of(arguments).schemas
    reports = ReportFiles(arguments.report or ())

    from harness.drift.comparison import compare, explain, load_explanations
    from harness.drift.schema_types import read_schemas
    from harness.report.formats import dump
    from harness.report.sdk_drift import (
        drift_lines,
        drift_markdown,
        drift_page,
        drift_record,
        drift_totals,
        drift_verdict,
    )

    older = read_schemas(schemas)
    with tempfile.TemporaryDirectory(prefix="harness-drift-") as folder:
        package = _obtain(arguments.sdk, Path(folder))
        newer = _read(package)
    explained = explain(compare(older, newer), load_explanations(), package.name, package.version)
    record = drift_record(older, newer, package.name, package.version, schemas.revision, explained)
    if arguments.json:
        write_json(record)
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 100
        for line in (*drift_lines(explained, verbose=arguments.verbose, width=width),):
            say(line)
        say(drift_totals(older, newer, explained))
    if arguments.propose or arguments.propose_patch:
        _write_proposal(arguments.propose, arguments.propose_patch, schemas, older, newer, explained, package)
    rejected = arguments.requests and _send_requests(newer, contract_of(arguments), to_errors=arguments.json)
    verdict = drift_verdict(explained, strict=arguments.strict, rejected=rejected)
    if not arguments.json:
        say(verdict)
    writers = {
        "html": lambda: drift_page(older, newer, explained, verdict),
        "json": lambda: dump(record),
        "markdown": lambda: drift_markdown(older, newer, explained, verdict),
    }
    reports.write(lambda name: writers[name]())
    drift = explained.differences if arguments.strict else explained.unexplained
    return Exit.FAILED if drift or rejected else Exit.OK


def _send_requests(model: TypeModel, contract: Contract, *, to_errors: bool) -> bool:
    """Report which drawn requests the emulator refuses; return whether something is to be mended."""
    from harness.cli.drawn_requests import send_drawn

    taken = send_drawn(model, contract)
    for line in taken.lines():
        say(line, to_errors=to_errors)
    return taken.failed


def _refuse_what_cannot_be_written(arguments: DriftArguments) -> None:
    for word in arguments.report or ():
        name = word.partition("=")[0]
        if name not in _FORMATS:
            known = f": known are {', '.join(_FORMATS)}"
            near = did_you_mean(name, _FORMATS, otherwise=known)
            raise UsageFault(f"--report: unknown format {name!r}{near} (write FORMAT=PATH)")
    for word, place in (("--propose", arguments.propose), ("--propose-patch", arguments.propose_patch)):
        if place and (why := find_way_out(Path(place))):
            raise UsageFault(f"{word}: {place!r} cannot be written: {why}")
    if arguments.propose:
        from harness.contract.contract import check_revision_name

        check_revision_name(Path(arguments.propose), "--propose")
        if Path(arguments.propose).exists():
            raise UsageFault(f"--propose: {arguments.propose!r} exists: name a new folder")


def _obtain(word: str, folder: Path) -> Package:
    """The package that --sdk names, downloaded into `folder` if it is not on this machine."""
    from harness.benches.packages import LATEST, download_npm, download_wheel, find_installed

    wanted = _split(word)
    if wanted is None:
        return _open_folder(Path(word))
    if wanted.name == TYPESCRIPT:
        return download_npm(TYPESCRIPT, wanted.version or LATEST, folder)
    installed = find_installed(PYTHON)
    if installed is not None and wanted.version in ("", installed.version):
        return installed
    say(f"downloading {wanted.name} {wanted.version or LATEST} …", to_errors=True)
    return download_wheel(PYTHON, wanted.version or LATEST, folder)


def _split(word: str) -> _Wanted | None:
    """The known SDK that a word names; None for a folder, whose author does not choose to be taken for one."""
    for name in (PYTHON, TYPESCRIPT):
        rest = word.removeprefix(name)
        if word.startswith(name) and (not rest or rest.startswith(("==", "@"))):
            version = rest.removeprefix("==").removeprefix("@")
            if rest and not version:
                raise UsageFault(f"--sdk {word!r} names no version: write {name}==VERSION or {name}@latest")
            return _Wanted(name, version)
    if Path(word).is_dir():
        return None
    raise UsageFault(
        f"--sdk {word!r} is neither a folder nor a known SDK: write {PYTHON}, {PYTHON}==VERSION, {TYPESCRIPT}, "
        f"{TYPESCRIPT}@VERSION, or the folder of an unpacked one"
    )


def _open_folder(folder: Path) -> Package:
    """An unpacked SDK: a folder with `google/genai`, or one with `dist/genai.d.ts`."""
    from harness.benches.packages import Package, read_npm_version
    from harness.drift.python_sdk import ROOT, read_python_version
    from harness.drift.typescript_sdk import DECLARATIONS

    for part in (DECLARATIONS.parent, ROOT.parent, Path("package.json")):
        if (folder / part).exists() and (why := find_link_out(folder / part)):
            raise UsageFault(f"--sdk: {str(folder / part)!r} {why}: delete the link")
    if (folder / DECLARATIONS).is_file():
        return Package(TYPESCRIPT, read_npm_version(folder), folder)
    if (folder / ROOT).is_dir():
        return Package(PYTHON, read_python_version(folder), folder)
    parts = f"{ROOT.as_posix()} nor {DECLARATIONS.as_posix()}"
    raise UsageFault(
        f"--sdk: {str(folder)!r} is not an unpacked SDK: it has neither {parts}; name the folder above them"
    )


def _read(package: Package) -> TypeModel:
    from harness.drift.python_sdk import read_python_sdk
    from harness.drift.typescript_sdk import read_typescript_sdk

    read = read_typescript_sdk if package.name == TYPESCRIPT else read_python_sdk
    try:
        model = read(package.folder, f"{package.name} {package.version}".strip())
    except (OSError, SyntaxError, RecursionError, MemoryError) as wrong:
        why = explain_unread(wrong) or f"{type(wrong).__name__}: it is nested too deeply"
    except (LookupError, ValueError, AttributeError, AssertionError) as wrong:  # a source that no SDK has
        why = f"it is not written like an SDK: {type(wrong).__name__} {wrong}".rstrip()
    else:
        return model
    raise UsageFault(
        f"the source of {package.name} in {str(package.folder)!r} cannot be read ({to_one_line(why)}): unpack it "
        "again, or name another version with --sdk"
    )


def _write_proposal(
    folder: str | None,
    patch: str | None,
    schemas: Schemas,
    older: TypeModel,
    newer: TypeModel,
    explained: Explained,
    package: Package,
) -> None:
    from harness.drift.comparison import describe
    from harness.drift.proposal import propose

    proposal = propose(schemas, older, newer, explained.unexplained)
    if folder:
        _write_revision(Path(folder), proposal, schemas.revision, f"{package.name} {package.version}")
    rules: tuple[str, ...] = ()
    if patch:
        text, rules = _format_patch(proposal, schemas, f"{package.name} {package.version}")
        _write_text(Path(patch), text)
    settled = format_count(len(proposal.settled), "difference")
    where = " and ".join(name for name in (folder, patch) if name)
    say(f"proposed in {where}: {settled}, in {format_count(len(proposal.documents), 'file')}", to_errors=True)
    for difference in proposal.left:
        say(f"left to you: {difference.where}: {describe(difference)}", to_errors=True)
    for rule in rules:
        say(f"left to you: {rule}: a judge and a mutant (CONTRIBUTING.md, Add a rule)", to_errors=True)


def _write_revision(folder: Path, proposal: Proposal, base: str, source: str) -> None:
    from harness.contract.schema.published_files import format_json
    from harness.drift.proposal import name_files

    files = {
        **name_files(proposal.documents, folder.resolve().name),
        "revision.json": {"base": base, "as_of": f"as of {source}"},
    }
    for name, document in files.items():
        _write_text(folder / name, format_json(document))


def _format_patch(proposal: Proposal, schemas: Schemas, sdk: str) -> tuple[str, tuple[str, ...]]:
    """A patch of schemas, rules and sentences, for `git apply` at the root of a checkout; and the new rules."""
    from harness.contract.schema.published_files import format_json
    from harness.drift.proposal import name_files, name_newest, propose_rules
    from harness.rules.tables import FOLDER as RULES

    tables = {path.stem: path.read_text("utf-8") for path in RULES.glob("*.yaml")}
    ledger = (RULES / "sentences" / "types.yaml").read_text("utf-8")
    rules = propose_rules(tables, ledger, proposal.settled, sdk)
    changes = [("harness/rules/sentences/types.yaml", ledger, rules.sentences)]
    changes.append(("harness/rules/sources.yaml", tables["sources"], name_newest(tables["sources"], sdk)))
    changes += [(f"harness/rules/{area}.yaml", tables[area], text) for area, text in sorted(rules.tables.items())]
    for name, document in name_files(proposal.documents, schemas.revision).items():
        there = schemas.path(name)
        before = there.read_text("utf-8") if there is not None else ""
        changes.append((f"schemas/{schemas.revision}/{name}", before, format_json(document)))
    changes.append(_date_revision(schemas, sdk))
    return format_patch(changes), rules.ids


def _date_revision(schemas: Schemas, sdk: str) -> tuple[str, str, str]:
    """The change of `revision.json`: messages name the newest SDK that the schemas were compared with."""
    from harness.contract.schema.schemas import REVISION_FILE

    there = schemas.path(REVISION_FILE)
    before = there.read_text("utf-8") if there is not None else "{}"
    known = str(json.loads(before).get("as_of", ""))
    is_newer = f"{sdk} " not in f"{known} "
    after = before.replace(json.dumps(known), json.dumps(f"as of {sdk}"), 1) if is_newer else before
    return f"schemas/{schemas.revision}/{REVISION_FILE}", before, after


def _write_text(path: Path, text: str) -> None:
    try:
        make_folder(path.parent)
        write_file(path, text)
    except OSError as wrong:
        raise UsageFault(f"{str(path)!r} cannot be written: {wrong.strerror}") from None
