"""`harness record`: record what passes through a tap in front of a server; with `-- CMD`, while CMD runs.

Layer 8.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.arguments import read_options, split_command
from harness.cli.commands.record_scenarios import SCENARIOS_ONLY, ScenarioOptions, run_scenarios
from harness.cli.common_options import ca_file_option
from harness.cli.guarding import HostOptions, access
from harness.cli.inspecting import new_inspector, open_option, serve_with_page
from harness.cli.masking import hear, mask_text, own_secrets, say_masked
from harness.cli.options import MEBIBYTES, PATH, URL, Page, Trust, flag, option
from harness.cli.output import say, write_json
from harness.cli.serving import BASE_URL_VARIABLES, ListenOptions, local_environment, port_to_take
from harness.outcome import Exit, UsageFault
from harness.outcome.words import format_count

if TYPE_CHECKING:
    from harness.benches.record import Recorder, Summary

_LIVE = "https://generativelanguage.googleapis.com"
_TOLD = 100
_SHOWN = 5
"""Most requests without an answer that are named: with a dead target they all look alike."""

_ONLY_PLAYS = "an existing file is only replayed: --record-mode new_episodes adds to it, all records it again"

CLIENTS_ONLY = ("cassette", "port", "host", "allow_host", "open", "record_mode", "accept_encoding", "no_redaction")
"""Options that only apply when clients are recorded; those in `SCENARIOS_ONLY` only apply to scenarios."""

MODES = ("none", "once", "new_episodes", "all")


@dataclass(kw_only=True)
class RecordArguments(ListenOptions, HostOptions, ScenarioOptions):
    """The options of `harness record`."""

    target: str | None = option("server to record: http[s]://host[:port]", URL, trust=Trust.SEND)
    cassette: str | None = option("file to record to (.yaml)", PATH, trust=Trust.CALL)
    open: bool = open_option()
    record_mode: str = option("same modes as vcrpy", default="once", choices=MODES)
    accept_encoding: str | None = option(
        "replace the clients' Accept-Encoding, e.g. with `identity`", metavar="CODINGS"
    )
    ca_file: str | None = ca_file_option()
    no_redaction: bool = flag("write secrets in plain text; never share such a file", trust=Trust.CALL)
    max_body: int = option("do not record bodies larger than this", MEBIBYTES, 256)
    max_cassette: int = option(
        "stop recording when all bodies together exceed this (kept in memory)", MEBIBYTES, 512
    )

    page = Page(
        "record",
        (
            f"harness record --target {_LIVE} \\\n    --cassette chat.yaml -- python my_client.py",
            f"harness record --target {_LIVE} \\\n    --scenario all --yes --max-requests 120",
        ),
        usage="--target URL --cassette FILE [options] [-- CMD …]\n"
        "       harness record --target URL --scenario NAME … [options]",
        groups=("scenarios",),
        notes="""\
scenarios: lifecycle, background, cancel, streaming, resume, chaining, tools, agent, errors, waiting, limits,
inputs; or all

exit codes: that of CMD if it failed, else 0 recorded · 1 incomplete, drift, or a rule is broken ·
2 usage · 3 nothing to record · 4 no response from the target · 130 interrupted""",
    )


OPTIONS = RecordArguments


def run(words: Sequence[str]) -> int:
    """Run the command. The exit code is CMD's if CMD failed.

    Else 1 if something is missing, 4 if the target answered nothing, 3 if nothing passed, 0 otherwise.
    """
    own, command = split_command(words, "record")
    arguments = read_options(RecordArguments, own)
    if arguments.scenario:
        if command is not None:
            raise UsageFault("--scenario sends its own requests: remove the command after `--`")
        arguments.refuse(CLIENTS_ONLY, "is for recorded clients: remove it with --scenario")
        return run_scenarios(arguments)
    arguments.refuse(SCENARIOS_ONLY, "has an effect only with --scenario")
    from harness.benches.record import Recorder, target_class
    from harness.interactions import INTERACTIONS

    granted = access(arguments.host, arguments.allow_host)
    target = _require_target(arguments)
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
        _require_cassette(arguments),
        INTERACTIONS,
        mode=arguments.record_mode,
        host=arguments.host,
        port=port_to_take(arguments, command),
        encoding=arguments.accept_encoding,
        ca_file=arguments.ca_file,
        redact=not arguments.no_redaction,
        most=arguments.max_body << 20,
        most_in_all=arguments.max_cassette << 20,
        secrets=own_secrets().values(),
        warn=_Telling("not recorded"),
        no_answer=_Telling("no response"),
        window=inspector,
        hear=hear,
    )

    code = serve_with_page(
        recorder,
        recorder,
        arguments,
        granted,
        command,
        welcome=lambda: _welcome(arguments, recorder),
        environment=lambda url: local_environment(url, os.environ),
    )
    summary = recorder.summary
    if arguments.json:
        write_json(summary_record(summary))
    else:
        _print(summary, code)
    return code or int(_exit(summary))


class _Telling:
    """Prints problems on standard error as they occur, each text once: a dead target is asked often."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._said: set[str] = set()

    def __call__(self, text: str) -> None:
        if text not in self._said and len(self._said) < _TOLD:
            self._said.add(text)
            say_masked(f"harness record: {self._what}: {text}", to_errors=True)


def _require_target(arguments: RecordArguments) -> str:
    if not arguments.target:
        raise UsageFault(f"name the server to record: --target {_LIVE}")
    return str(arguments.target)


def _require_cassette(arguments: RecordArguments) -> Path:
    if not arguments.cassette:
        raise UsageFault("name the file to record into: --cassette FILE")
    path = Path(arguments.cassette)
    if path.suffix not in (".yaml", ".yml"):
        raise UsageFault(f"--cassette {str(path)!r}: a cassette is YAML, name it {path.stem or 'chat'}.yaml")
    return path


def _welcome(arguments: RecordArguments, recorder: Recorder) -> str:
    if recorder.only_plays:
        return f"replaying {arguments.cassette} only ({_ONLY_PLAYS}); Ctrl-C ends it"
    return f"recording {arguments.target} into {arguments.cassette}; Ctrl-C ends it"


def _exit(summary: Summary) -> Exit:
    if summary.unrecorded or summary.misses:
        return Exit.FAILED
    if _unreachable(summary):
        return Exit.UNREACHABLE
    return Exit.OK if summary.passed else Exit.NOTHING_RAN


def _unreachable(summary: Summary) -> bool:
    return bool(summary.passed) and len(summary.unanswered) == summary.passed


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


def _print(summary: Summary, status: int) -> None:
    """Print what was recorded; `status` is that of the command that was run, 0 if none was."""
    _print_counts(summary, status)
    for what in summary.stopped:
        say_masked(f"recorded until the recorder was stopped: {what}")
    if summary.replaced and not summary.discarded:
        kinds = ", ".join(f"{kind} ({number})" for kind, number in sorted(summary.replaced.items()))
        say(f"replaced {format_count(sum(summary.replaced.values()), 'secret')}: {kinds}")
    remarks = [
        *(f"no response: {what}" for what in list(dict.fromkeys(summary.unanswered))[:_SHOWN]),
        *(f"not recorded: {reason}" for reason in summary.unrecorded),
        *summary.remarks,
        *(f"miss: {miss}" for miss in summary.misses),
    ]
    for remark in remarks:
        say_masked(remark)
    if summary.misses or (summary.mode == "once" and summary.played and not summary.recorded):
        say(f"nothing was recorded: {_ONLY_PLAYS}")
    if summary.discarded:
        say(f"nothing was recorded: the target responded to no request, and {summary.cassette} is unchanged")


def _print_counts(summary: Summary, status: int) -> None:
    """Print how many exchanges were recorded and replayed, or why there were none."""
    if summary.interrupted:
        say(f"recordings of an interrupted recorder are in {summary.interrupted}")
    if summary.passed > summary.discarded:
        exchanges = format_count(summary.recorded, "exchange")
        say(f"recorded {exchanges} to {summary.cassette}, replayed {summary.played} from it")
    elif not summary.discarded:
        state = "is unchanged" if Path(summary.cassette).exists() else "was not written"
        ended = (
            f"the command ended with status {status}"
            if status
            else f"does the client use {BASE_URL_VARIABLES[0]}?"
        )
        say(f"no request arrived: {summary.cassette} {state} ({ended})")
    if summary.hung_up:
        say(f"{summary.hung_up} of them ended because the client disconnected")
