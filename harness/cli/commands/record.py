"""`harness record`: record what passes through a tap in front of a server; with `-- CMD`, while CMD runs."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from harness.cli import common_options
from harness.cli.arguments import read_options
from harness.cli.guarding import HostOptions, access, cors_option
from harness.cli.inspecting import new_inspector, open_option, serve_with_page
from harness.cli.options import COUNT, PATH, POSITIVE_SECONDS, URL, Options, Page, Trust, flag, option
from harness.cli.output import hear, make_once_sayer, mask_text, own_secrets, say, say_masked, write_json
from harness.cli.serving import DUMMY_KEY, ListenOptions, ask_for_client, local_environment, port_to_take
from harness.interactions import INTERACTIONS
from harness.outcome import Exit, UsageFault
from harness.outcome.words import format_count
from harness.report.screen import wants_colour

if TYPE_CHECKING:
    from harness.benches.record.recorder import Summary
    from harness.benches.record.session import Recorded, RecordingSession
    from harness.engine.targets import ResolvedTarget
    from harness.kit.check import Scenario


# `harness record --send NAME…`: the harness itself runs scenarios and keeps the recordings.


DEFAULT_TIMEOUT = 120.0

SCENARIOS_ONLY = (
    "api_key", "model", "agent", "header", "timeout", "max_requests", "plain_http",
)  # fmt: skip

_AMPLE = 10
"""Factor from the estimate to the budget of requests if no bound was given: long runs are polled often."""


@dataclass(kw_only=True)
class ScenarioOptions(Options):
    """The options that only apply together with `--send`."""

    target: str | None
    ca_file: str | None
    json: bool
    send: Sequence[str] | None = option(
        "send these scenarios (or all), wait for no client", nargs="+", metavar="NAME", group="scenarios"
    )
    cassette: str | None
    api_key: str | None = common_options.api_key_option("scenarios")
    model: str | None = option("model to request", group="scenarios")
    agent: str | None = option("agent to request", group="scenarios")
    header: Sequence[tuple[str, str]] | None = common_options.header_option("scenarios")
    plain_http: bool = common_options.plain_http_option("scenarios")
    timeout: float = option(
        "limit in seconds for one interaction to settle", POSITIVE_SECONDS, DEFAULT_TIMEOUT, group="scenarios"
    )
    max_requests: int | None = option(
        "send at most N requests, and do not ask for confirmation", COUNT, trust=Trust.CALL, group="scenarios"
    )


def run_scenarios(arguments: ScenarioOptions) -> int:
    """Run the command. Exit code: 0 recorded without drift; 1 structural drift, findings, or something missing.

    3 the target supports none of the scenarios; 4 it could not be used from the first request on; 130 interrupted.
    """
    from harness.benches.record.session import RecordingSession, ScenarioState
    from harness.checks.scenarios import select_scenarios
    from harness.interactions.recordings import RECORDINGS
    from harness.report.recordings import RecordingReport, session_record

    if Path(arguments.cassette or "").suffix in (".yaml", ".yml"):
        raise UsageFault(f"--cassette {arguments.cassette!r}: --send writes several files: name a folder")
    scenarios = select_scenarios(list(arguments.send or ()))
    session = RecordingSession(
        _resolve(arguments), RECORDINGS, Path(), arguments.max_requests or 0, ca_file=arguments.ca_file
    )
    if session.provenance.target == "emulator" and not session.target.info.secrets:
        arguments.api_key = DUMMY_KEY
        session.target = _resolve(arguments)
    session.folder = Path(arguments.cassette or Path("cassettes") / session.provenance.target)
    _confirm(arguments, session, scenarios)
    mask = session.target.make_mask()
    out = sys.stderr if arguments.json else sys.stdout
    report = RecordingReport(out, mask, colour=wants_colour(out, os.environ))
    session.begin, session.wait = report.begin, report.wait
    results: list[Recorded] = []

    def report_end(code: Exit) -> Exit:
        report.end(session, results, [scenario.name for scenario in scenarios])
        if arguments.json:
            write_json(session_record(session, results, mask))
        report.conclude(results, len(scenarios), code)
        return code

    try:
        for result in session.run(scenarios):
            results.append(result)
            report.result(result)
    except KeyboardInterrupt:
        if results and results[-1].state is ScenarioState.RECORDED and results[-1].name not in session.done:
            results.pop()  # it was shown, but its file is not in place
        return report_end(Exit.INTERRUPTED)
    if any(result.is_news for result in results):
        first = results[0]
        is_gone = first.state is ScenarioState.STOPPED and bool(first.exchanges)
        return report_end(Exit.INCOMPLETE if is_gone else Exit.FAILED)
    there = any(result.state is ScenarioState.RECORDED for result in results)
    return report_end(Exit.OK if there else Exit.NOTHING_RAN)


def _resolve(arguments: ScenarioOptions) -> ResolvedTarget:
    from harness.cli.request_options import resolve_server  # late: a recorder alone judges nothing
    from harness.engine.targets import EMULATOR

    if not arguments.target:
        raise UsageFault("name the server to record: --target https://generativelanguage.googleapis.com")
    if arguments.target == EMULATOR:
        raise UsageFault("recordings need real sockets: start `harness serve` and name its URL")
    is_dummy = arguments.api_key == DUMMY_KEY and not arguments.header  # which is no secret
    resolved = resolve_server(arguments, arguments.timeout, **({"plain_http": True} if is_dummy else {}))
    api = structs.replace(resolved.api, load_protocol=common_options.own_api().load_protocol)
    return structs.replace(resolved, api=api)


def _confirm(arguments: ScenarioOptions, session: RecordingSession, scenarios: Sequence[Scenario]) -> None:
    """Print the cost and ask for confirmation; sets the session's budget. Raises UsageFault without a yes."""
    if session.provenance.target == "live" and not session.target.info.secrets:
        raise UsageFault(
            f"the live service requires a key: set {INTERACTIONS.key_variable}, or name one with --api-key"
        )
    estimate = sum(scenario.exercise.requests for scenario in scenarios)
    session.budget = session.budget or estimate * _AMPLE
    creates = sum(scenario.exercise.interactions for scenario in scenarios)
    what, total = format_count(len(scenarios), "scenario"), format_count(estimate, "request")
    cost = f"{what}: about {total}, {format_count(creates, 'interaction')}"
    cost += f", at most {format_count(session.budget, 'request')}"
    lines = [f"  {scenario.name:<10} {scenario.shows}" for scenario in scenarios]
    lines.append(f"{cost}; target {session.target.info.url} ({session.provenance.target})")
    if not session.target.info.secrets:
        lines.append("no key is sent: GEMINI_API_KEY is not set and --api-key is missing")
    if session.budget < estimate:
        lines.append("this limit is too low: the session will stop early")
    for line in lines:
        say(line, to_errors=arguments.json)
    if arguments.max_requests:
        return
    if not sys.stdin.isatty():
        enough = f"--max-requests {session.budget} is sufficient"
        raise UsageFault(f"no terminal to confirm on: use --max-requests N for an unattended run; {enough}")
    say("Continue? [y/N]", to_errors=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageFault("not confirmed: nothing was sent")


_LIVE = "https://generativelanguage.googleapis.com"
_ONLY_PLAYS = "an existing file is only replayed: --record-mode new_episodes adds to it, all records it again"

CLIENTS_ONLY = (
    "port", "host", "allow_host", "cors", "open", "record_mode", "accept_encoding", "no_redaction",
)  # fmt: skip
"""Options that only apply when clients are recorded; those in `SCENARIOS_ONLY` only apply to scenarios."""

MODES = ("none", "once", "new_episodes", "all")


@dataclass(kw_only=True)
class RecordArguments(ListenOptions, HostOptions, ScenarioOptions):
    """The options of `harness record`."""

    target: str | None = option("server to record: http[s]://host[:port]", URL, trust=Trust.SEND)
    cassette: str | None = option("file to record to (.yaml); with --send a folder", PATH, trust=Trust.CALL)
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
            f"harness record --target {_LIVE} \\\n    --send all --max-requests 120",
        ),
        usage="--target URL --cassette FILE [options] [-- CMD …]\n"
        "       harness record --target URL --send NAME … [options]",
        groups=("scenarios",),
        notes="""\
scenarios: lifecycle, background, cancel, streaming, resume, chaining, tools, agent, errors, waiting, limits,
inputs; or all. Without --cassette, they go to cassettes/live, cassettes/emulator or cassettes/other.

exit codes: that of CMD if it failed, else 0 recorded · 1 incomplete, drift, or a rule is broken ·
2 usage · 3 nothing to record · 4 no response from the target · 130 interrupted""",
    )


OPTIONS = RecordArguments


def run(words: Sequence[str]) -> int:
    """Run the command. The exit code is CMD's if CMD failed.

    Else 1 if something is missing, 4 if the target returned no response, 3 without an exchange, 0 otherwise.
    """
    arguments = read_options(RecordArguments, words)
    if arguments.send:
        if arguments.child is not None:
            raise UsageFault("--send sends its own requests: remove the command after `--`")
        arguments.refuse(CLIENTS_ONLY, "is for recorded clients: remove it with --send")
        return run_scenarios(arguments)
    arguments.refuse(SCENARIOS_ONLY, "has an effect only with --send")
    from harness.benches.record.provenance import target_class
    from harness.benches.record.recorder import Recorder
    from harness.interactions import INTERACTIONS

    granted = access(arguments.host, arguments.allow_host, cors=arguments.cors)
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
