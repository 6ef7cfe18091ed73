"""`harness record`: record what passes through a tap in front of a server; with `-- CMD`, while CMD runs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli import common_options
from harness.cli.arguments import read_options
from harness.cli.guarding import HostOptions, access, choose_pages, cors_option
from harness.cli.inspecting import new_inspector, open_option, serve_with_page
from harness.cli.options import PATH, URL, Page, Trust, flag, option
from harness.cli.output import hear, make_once_sayer, mask_text, own_secrets, say, say_masked, write_json
from harness.cli.serving import ListenOptions, ask_for_client, local_environment, port_to_take
from harness.interactions import INTERACTIONS
from harness.outcome import Exit, UsageFault
from harness.outcome.words import format_count

if TYPE_CHECKING:
    from harness.benches.record.recorder import Summary


_LIVE = "https://generativelanguage.googleapis.com"
_ONLY_PLAYS = "an existing file is only replayed: --record-mode new_episodes adds to it, all records it again"

MODES = ("none", "once", "new_episodes", "all")


@dataclass(kw_only=True)
class RecordArguments(ListenOptions, HostOptions):
    """The options of `harness record`."""

    target: str | None = option("server to record: http[s]://host[:port]", URL, trust=Trust.SEND)
    cassette: str | None = option("file to record to (.yaml)", PATH, trust=Trust.CALL)
    cors: bool = cors_option()
    open: bool = open_option()
    record_mode: str = option("same modes as vcrpy", default="once", choices=MODES)
    accept_encoding: str | None = option(
        "replace the clients' Accept-Encoding, e.g. with `identity`", metavar="CODINGS"
    )
    ca_file: str | None = common_options.ca_file_option()
    no_redaction: bool = flag("write secrets in plain text; never share such a file", trust=Trust.CALL)

    page = Page(
        "record",
        (
            f"harness record --target {_LIVE} \\\n    --cassette chat.yaml -- python my_client.py",
            f"harness record --target {_LIVE} \\\n    --cassette chat.yaml --record-mode new_episodes",
        ),
        usage="--target URL --cassette FILE [options] [-- CMD …]",
        notes="""\
exit codes: that of CMD if it failed, else 0 recorded · 1 incomplete · 2 usage ·
3 nothing to record · 4 no response from the target · 130 interrupted""",
    )


OPTIONS = RecordArguments


def run(words: Sequence[str]) -> int:
    """Run the command. The exit code is CMD's if CMD failed.

    Else 1 if something is missing, 4 if the target returned no response, 3 without an exchange, 0 otherwise.
    """
    arguments = read_options(RecordArguments, words)
    from harness.benches.record.provenance import target_class
    from harness.benches.record.recorder import Recorder

    granted = access(arguments.host, arguments.allow_host, pages=choose_pages(cors=arguments.cors))
    if not arguments.target:
        raise UsageFault(f"name the server to record: --target {_LIVE}")
    if not arguments.cassette:
        raise UsageFault("name the file to record into: --cassette FILE")
    path = Path(arguments.cassette)
    if path.suffix not in (".yaml", ".yml"):
        raise UsageFault(f"--cassette {str(path)!r}: a cassette is YAML, name it {path.stem or 'chat'}.yaml")
    target = arguments.target
    inspector = new_inspector(
        arguments,
        granted,
        INTERACTIONS.load_contract(""),
        command="record",
        target=lambda: target_class(target, INTERACTIONS, ca_file=arguments.ca_file),
        facts={"target": target},
    )
    recorder = Recorder(
        target,
        path,
        common_options.own_api(),
        mode=arguments.record_mode,
        host=arguments.host,
        port=port_to_take(arguments),
        encoding=arguments.accept_encoding,
        ca_file=arguments.ca_file,
        redact=not arguments.no_redaction,
        secrets=own_secrets().values(),
        warn=make_once_sayer("harness record: not recorded: "),
        no_answer=make_once_sayer("harness record: no response: "),
        window=inspector,
        hear=hear,
        tell=lambda progress: say_masked(f"harness record: {progress}", to_errors=True),
    )

    code = serve_with_page(
        recorder,
        arguments,
        granted,
        inspector,
        welcome=lambda url: (
            f"recording {target} into {arguments.cassette}; Ctrl-C ends it"
            if recorder.adds
            else f"replaying {arguments.cassette} only ({_ONLY_PLAYS}); Ctrl-C ends it"
        ),
        environment=lambda url: local_environment(url, os.environ),
    )
    summary = recorder.summary
    if arguments.json:
        write_json(summary_record(summary))
    else:
        ended = f"the command ended with status {code}; " if code else ""
        _print(summary, ended + ask_for_client(recorder.url, arguments))
    if code:
        return code
    if summary.unrecorded or summary.misses or summary.unsaved:
        return Exit.FAILED
    if summary.passed and len(summary.unanswered) == summary.passed:
        return Exit.INCOMPLETE
    return Exit.OK if summary.passed else Exit.NOTHING_RAN


def summary_record(summary: Summary) -> dict[str, Any]:
    """A summary as `schemas/output/record.schema.json` describes it."""
    texts = {
        name: [mask_text(text) for text in getattr(summary, name)]
        for name in ("unrecorded", "unanswered", "stopped", "misses", "remarks")
    }
    return {
        "cassette": summary.cassette,
        "mode": summary.mode,
        "recorded": summary.recorded,
        "played": summary.played,
        "hung_up": summary.hung_up,
        "replaced": dict(sorted(summary.replaced.items())),
        "interrupted": summary.interrupted or None,
        **texts,
    }


def _print(summary: Summary, silence: str) -> None:
    """Print what was recorded; `silence` is why there was no request, if there was none."""
    if summary.interrupted:
        say(f"recordings of an interrupted recorder are in {summary.interrupted}")
    state = "is unchanged" if Path(summary.cassette).exists() else "was not written"
    if summary.passed > summary.discarded:
        exchanges = format_count(summary.recorded, "exchange")
        place = f"{', but not' if summary.unsaved else ''} to {summary.cassette}"
        say(f"recorded {exchanges}{place}, replayed {summary.played} from it")
    elif not summary.discarded:
        say(f"no request arrived: {summary.cassette} {state} ({silence})")
    if summary.hung_up:
        say(f"{summary.hung_up} of them ended because the client disconnected")
    for what in summary.stopped:
        say_masked(f"recorded until the recorder was stopped: {what}")
    if summary.replaced and not summary.discarded:
        kinds = ", ".join(f"{kind} ({number})" for kind, number in sorted(summary.replaced.items()))
        say(f"replaced {format_count(sum(summary.replaced.values()), 'secret')}: {kinds}")
    for label, remarks in (
        ("no response: ", list(dict.fromkeys(summary.unanswered))[:5]),  # with a dead target they all look alike
        ("not recorded: ", summary.unrecorded),
        ("", summary.remarks),
        ("miss: ", summary.misses),
    ):
        for remark, times in Counter(remarks).items():  # on a full disk they all look alike
            say_masked(f"{label}{remark}" + (f" ({times} times)" if times > 1 else ""))
    if summary.misses or (summary.mode == "once" and summary.played and not summary.recorded):
        from harness.cassette.layout import mention_part

        say(f"nothing was recorded: {_ONLY_PLAYS}{mention_part(Path(summary.cassette))}")
    if summary.discarded:
        why = "the target responded to no request (check --target)"
        say(f"nothing was recorded: {why}, and {summary.cassette} {state}")
