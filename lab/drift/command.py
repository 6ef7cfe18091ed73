"""`python -m lab drift`: how the types of an official SDK differ from the schemas of a revision."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.contract import CURRENT, load
from harness.contract.contract import check_revision_name, find_revision
from harness.contract.schema.schemas import REVISION_FILE, Schemas
from harness.errors import UsageFault
from harness.outcome import Exit
from harness.outcome.words import format_count
from harness.rules.tables import FOLDER as RULES
from lab.drift.comparison import compare, describe, explain, load_explanations
from lab.drift.drawn_requests import send_drawn
from lab.drift.notes import read_notes
from lab.drift.packages import LATEST, Package, download_npm, download_wheel, find_installed, read_npm_version
from lab.drift.proposal import Proposal, name_files, name_newest, propose, propose_rules
from lab.drift.python_sdk import ROOT, read_python_sdk, read_python_version
from lab.drift.report import drift_lines, drift_record, drift_totals, drift_verdict
from lab.drift.schema_types import read_schemas
from lab.drift.source_text import format_json
from lab.drift.typescript_sdk import DECLARATIONS, read_typescript_sdk
from lab.patches import format_patch

PYTHON, TYPESCRIPT = "google-genai", "@google/genai"


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab drift",
        description="Compare calls, fields, required fields, listed values and kinds. Nothing of the SDK runs.",
        epilog="exit codes: 0 no unexplained difference; 1 drift, or a rejected request; 2 usage, or no network",
    )
    about = f"{PYTHON} or {TYPESCRIPT}, with ==VERSION or @VERSION ({LATEST}: the newest), or an unpacked folder"
    parser.add_argument("--sdk", default=PYTHON, help=f"{about}; {PYTHON} alone is the installed one")
    parser.add_argument("--revision", default=CURRENT, help="revision of the API, or a folder with one")
    parser.add_argument("--strict", action="store_true", help="treat explained differences as drift")
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON")
    parser.add_argument("--propose", type=Path, metavar="DIR", help="write a revision that follows the SDK")
    parser.add_argument("--propose-patch", type=Path, metavar="FILE", help="write it as a patch of a checkout")
    notes = "also list what release notes name and no schema does, such as those of Google's CLI (may be repeated)"
    parser.add_argument("--notes", type=Path, action="append", default=[], metavar="FILE", help=notes)
    requests = "also send the emulator a create for each field, value and kind that the SDK declares"
    parser.add_argument("--requests", action="store_true", help=requests)
    parser.add_argument("-v", "--verbose", action="store_true", help="also list the explained differences")
    return parser


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code: 0 nothing unexplained, 1 drift."""
    options = _build_parser().parse_args(words)
    if options.propose is not None:
        check_revision_name(options.propose, "--propose")
        if options.propose.exists():
            raise UsageFault(f"--propose: {str(options.propose)!r} exists: name a new folder")
    contract = load(find_revision(options.revision, "--revision"))
    older = read_schemas(contract.schemas)
    with tempfile.TemporaryDirectory(prefix="lab-drift-") as folder:
        package = _obtain(options.sdk, Path(folder))
        read = read_typescript_sdk if package.name == TYPESCRIPT else read_python_sdk
        newer = read(package.folder, f"{package.name} {package.version}".strip())
    explained = explain(compare(older, newer), load_explanations(), package.name, package.version)
    out = sys.stderr if options.json else sys.stdout
    for notes in options.notes:
        for line in read_notes(notes, contract.schemas):
            print(line, file=out)
    if options.json:
        record = drift_record(older, newer, package.name, package.version, contract.schemas.revision, explained)
        sys.stdout.write(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    else:
        width = shutil.get_terminal_size().columns if out.isatty() else 100
        for line in drift_lines(explained, verbose=options.verbose, width=width):
            print(line)
        print(drift_totals(older, newer, explained))
    if options.propose is not None or options.propose_patch is not None:
        proposal = propose(contract.schemas, older, newer, explained.unexplained)
        _write_proposal(proposal, contract.schemas, f"{package.name} {package.version}", options)
    rejected = False
    if options.requests:
        taken = send_drawn(newer, contract)
        rejected = taken.failed
        for line in taken.lines():
            print(line, file=out)
    print(drift_verdict(explained, strict=options.strict, rejected=rejected), file=out)
    drift = explained.differences if options.strict else explained.unexplained
    return Exit.FAILED if drift or rejected else Exit.OK


def _obtain(word: str, folder: Path) -> Package:
    """The package that --sdk names, downloaded into `folder` if it is not on this machine."""
    for name in (PYTHON, TYPESCRIPT):
        rest = word.removeprefix(name)
        if word.startswith(name) and (not rest or rest.startswith(("==", "@"))):
            version = rest.removeprefix("==").removeprefix("@")
            if rest and not version:
                raise UsageFault(f"--sdk {word!r} names no version: write {name}==VERSION or {name}@latest")
            installed = find_installed(PYTHON) if name == PYTHON else None
            if installed is not None and version in ("", installed.version):
                return installed
            print(f"downloading {name} {version or LATEST} …", file=sys.stderr)
            return (download_wheel if name == PYTHON else download_npm)(name, version or LATEST, folder)
    unpacked = Path(word)
    if (unpacked / DECLARATIONS).is_file():
        return Package(TYPESCRIPT, read_npm_version(unpacked), unpacked)
    if (unpacked / ROOT).is_dir():
        return Package(PYTHON, read_python_version(unpacked), unpacked)
    raise UsageFault(
        f"--sdk {word!r} is neither a known SDK nor a folder with {ROOT.as_posix()} or {DECLARATIONS.as_posix()}: "
        f"write {PYTHON}, {PYTHON}==VERSION, {TYPESCRIPT}, {TYPESCRIPT}@VERSION, or the folder of an unpacked one"
    )


def _write_proposal(proposal: Proposal, schemas: Schemas, sdk: str, options: argparse.Namespace) -> None:
    """Write a revision, a patch or both, and list what is left to a person."""
    rules: tuple[str, ...] = ()
    if options.propose is not None:
        files = {
            **name_files(proposal.documents, options.propose.resolve().name),
            "revision.json": {"base": schemas.revision, "as_of": f"as of {sdk}"},
        }
        for name, document in files.items():
            path = options.propose / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(format_json(document), "utf-8")
    if options.propose_patch is not None:
        text, rules = _format_patch(proposal, schemas, sdk)
        options.propose_patch.write_text(text, "utf-8")
    settled = format_count(len(proposal.settled), "difference")
    where = " and ".join(str(path) for path in (options.propose, options.propose_patch) if path is not None)
    print(f"proposed in {where}: {settled}, in {format_count(len(proposal.documents), 'file')}", file=sys.stderr)
    for difference in proposal.left:
        print(f"left to you: {difference.where}: {describe(difference)}", file=sys.stderr)
    for rule in rules:
        print(f"left to you: {rule}: a judge and a mutant (CONTRIBUTING.md, Add a rule)", file=sys.stderr)


def _format_patch(proposal: Proposal, schemas: Schemas, sdk: str) -> tuple[str, tuple[str, ...]]:
    """A patch of schemas, rules and sentences, for `git apply` at the root of a checkout; and the new rules."""
    tables = {path.stem: path.read_text("utf-8") for path in RULES.glob("*.yaml")}
    sentences = (RULES / "sentences" / "types.yaml").read_text("utf-8")
    rules = propose_rules(tables, sentences, proposal.settled, sdk)
    changes = [("harness/rules/sentences/types.yaml", sentences, rules.sentences)]
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
    there = schemas.path(REVISION_FILE)
    before = there.read_text("utf-8") if there is not None else "{}"
    known = str(json.loads(before).get("as_of", ""))
    is_newer = f"{sdk} " not in f"{known} "
    after = before.replace(json.dumps(known), json.dumps(f"as of {sdk}"), 1) if is_newer else before
    return f"schemas/{schemas.revision}/{REVISION_FILE}", before, after
