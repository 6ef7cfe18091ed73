"""`harness redact FILE…`: remove the secrets from cassettes that already exist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cli.arguments import read_options
from harness.cli.common_options import json_option, own_api
from harness.cli.options import PATH, Options, Page, Trust, argument, option
from harness.cli.output import MISSING, mask_text, own_secrets, say, say_masked, say_places, telling, write_json
from harness.outcome import Exit, UsageFault
from harness.outcome.words import format_count


@dataclass(kw_only=True)
class RedactArguments(Options):
    """The options of `harness redact`; `cassette.own_words` reads the same keys of a file for all commands."""

    files: Sequence[str] = argument("cassette to redact", PATH, nargs="+", metavar="FILE", trust=Trust.CALL)
    hide: Sequence[str] | None = option(
        "name of a header, parameter or JSON field whose value is secret (repeatable)",
        metavar="NAME",
        repeats=True,
    )
    hide_pattern: Sequence[str] | None = option(
        "regular expression of a secret (repeatable)", metavar="REGEX", repeats=True
    )
    ignore: Sequence[str] | None = option(
        "names of parameters and JSON fields that replay and diff do not compare",
        repeats=True, only_in_file=True,
    )  # fmt: skip
    json: bool = json_option()

    page = Page(
        "redact",
        (
            "harness redact cassettes/*.yaml",
            "harness redact chat.yaml --hide X-Tenant --hide-pattern 'acct-[0-9]{6,}'",
        ),
        notes="The earlier file is kept as NAME.before-1.yaml. It still has the secrets: delete it.\n\n"
        "exit codes: 0 no secret is left · 1 a file could not be redacted, and stays as it was · 2 usage",
    )


OPTIONS = RedactArguments


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code: 0 no secret is left, 1 a file could not be redacted."""
    arguments = read_options(RedactArguments, words)
    from harness.cassette import CassetteError, redact_file
    from harness.cassette.own_words import add_words

    for file in arguments.files:
        if not Path(file).is_file():
            raise UsageFault(f"no file {file!r}: {MISSING}")
    own = own_api().load_protocol()  # the options add to what the file declares
    protocol = add_words(own, "--hide-pattern", arguments.hide or (), arguments.hide_pattern or ())
    code, total, records = Exit.OK, 0, []
    for file in arguments.files:
        try:
            with telling(f"redacting {file}"):
                hits, copy = redact_file(Path(file), protocol, secrets=own_secrets().values())
        except CassetteError as wrong:
            code = Exit.FAILED
            say_masked(f"not redacted: {wrong}", to_errors=True)
            continue
        total += len(hits)
        found = [{"kind": hit.kind, "place": mask_text(hit.place)} for hit in hits]
        records.append(
            {"file": mask_text(file), "replaced": found, "copy": mask_text(str(copy)) if copy else None}
        )
        if not arguments.json:
            say_places((file, f"replaced {hit.kind} at {hit.place}", "") for hit in hits)
            if copy is not None:
                say_masked(f"{file}: the earlier file is {copy}, which still has the secrets: delete it")
    if arguments.json:
        write_json({"files": records})
    else:
        say(f"replaced {format_count(total, 'secret')} in {format_count(len(arguments.files), 'file')}")
    return code
