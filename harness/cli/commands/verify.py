"""`harness verify PATH…`: judge recorded traffic offline; nothing is sent."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cli.arguments import read_options
from harness.cli.common_options import contract_of, level_option, own_api, revision_option, verbose_option
from harness.cli.options import PATH, Page, Trust, argument, flag
from harness.cli.output import MISSING, mask_text, own_secrets, say, say_places, telling, write_json
from harness.cli.run_reports import EXIT_CODES, BaselineOptions, Listeners, baseline_of
from harness.interactions import INTERACTIONS
from harness.outcome import FIRST_WORDS, Exit, Level, UsageFault
from harness.outcome.words import format_count, list_some


@dataclass(kw_only=True)
class VerifyArguments(BaselineOptions):
    """The options of `harness verify`."""

    paths: Sequence[str] = argument(
        "file or folder of recordings", PATH, nargs="+", metavar="PATH", trust=Trust.CALL
    )
    secrets: bool = flag(
        "only search for secrets (exit code 1 if any is found)", trust=Trust.CALL
    )  # a file of the folder that set it would switch off the judgment, also that of a hook
    open: bool = flag("show a cassette in the inspector", trust=Trust.CALL)
    empty_ok: bool = flag("exit with 0 if the paths hold no recording (for hooks that pass any changed file)")
    revision: str | None = revision_option()
    level: Level = level_option()
    verbose: int = verbose_option("list every judged rule")

    page = Page(
        "verify",
        ("harness verify cassettes/", "harness verify session.yaml --open"),
        groups=("selection", "verdicts", "output"),
        notes="Recordings are cassettes (.yaml), .har, .sse, .events.jsonl and .json files.\n\n"
        + EXIT_CODES.format("a body could not be judged"),
        shares=frozenset({"revision", "strict"}),
    )


OPTIONS = VerifyArguments


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code: 0 clean, 1 a broken MUST or file (--strict: SHOULD, too), 3 nothing to judge."""
    arguments = read_options(VerifyArguments, words)
    paths = [Path(path) for path in arguments.paths]
    for path in paths:
        if not path.exists():
            raise UsageFault(f"no file or folder {str(path)!r}: {MISSING}")
    if arguments.open:
        arguments.refuse((*_JUDGING, "secrets"), "applies to judged recordings: remove it or --open")
        if len(paths) > 1:
            raise UsageFault(f"--open shows one file: leave {str(paths[1])!r} out")
        return _show(paths[0], arguments)
    if arguments.secrets:
        arguments.refuse((*_JUDGING, "revision"), "applies to judged recordings: remove it or --secrets")
        return _look_for_secrets(paths, arguments)
    return _judge(paths, arguments)


_JUDGING = ("strict", "baseline", "baseline_update", "report", "only", "exclude", "level")


def _show(path: Path, arguments: VerifyArguments) -> int:
    """Serve the inspector with a cassette, on a free port of this machine, until the user stops it."""
    from harness.cassette import CassetteError, load
    from harness.cli.guarding import access
    from harness.cli.inspecting import new_inspector, serve_with_page
    from harness.contract import PROTOCOL
    from harness.transport import ServerThread
    from harness.wire import Request, Response

    try:
        with telling(f"reading {path}"):
            recordings = load(path).recordings
    except CassetteError as wrong:
        report = ". Of a run, --report html=FILE writes a page" if path.suffix.lower() == ".json" else ""
        raise UsageFault(f"{wrong}{report}") from None
    if not recordings:
        raise UsageFault(f"{path} contains no recordings to show: name a cassette of `harness record`")
    granted = access("127.0.0.1", cors=True)
    inspector = new_inspector(
        arguments, granted, contract_of(arguments.revision), command="verify", target=None,
        facts={"words": f"These are requests of {path}; nothing is sent.", "target": path.name, "past": True},
    )  # fmt: skip
    inspector.traffic.is_open = True
    # A stream of a million events takes longer than a person waits for the page, which grows meanwhile.
    exchanges = [recording.exchange() for recording in recordings]
    reading = threading.Thread(target=inspector.show, args=(exchanges,), daemon=True)
    reading.start()
    if sum(len(exchange.body) for exchange in exchanges) <= 16 * 2**20:  # no machine reads more in a second
        reading.join(timeout=1.0)  # so that the page begins at the first finding

    def refuse(request: Request) -> Response:
        message = f"harness verify shows {path.name} and serves nothing else: run harness replay for that."
        return Response.json(404, PROTOCOL.error_body(404, "not_found", message))

    return serve_with_page(
        ServerThread(inspector.around(granted.guard.around(refuse))),
        arguments,
        granted,
        inspector,
        welcome=lambda url: f"showing {format_count(len(recordings), 'request')} of {path}",
        environment=lambda url: {},  # no command runs beside it
    )


def _judge(paths: Sequence[Path], arguments: VerifyArguments) -> Exit:
    from harness.benches.record.verify import judge_recordings
    from harness.engine.decide import Policy
    from harness.engine.events import TargetInfo
    from harness.interactions.recordings import RECORDINGS
    from harness.report.commands.verify import VerifyRun

    rules = RECORDINGS.load_rules()
    baseline = baseline_of(arguments, rules)
    chosen = arguments.selected(level=arguments.level).over(rules, "rule")
    policy = Policy(strict=arguments.strict, baseline=baseline, chosen=chosen)
    recordings = TargetInfo(name=", ".join(map(str, paths)), secrets=own_secrets())
    listeners = Listeners(arguments, VerifyRun(INTERACTIONS), baseline)
    try:
        finished = listeners.follow(
            judge_recordings(paths, policy, recordings, contract_of(arguments.revision), RECORDINGS)
        )
    except OSError as wrong:
        if wrong.filename is None:  # what was being written
            raise
        raise _refuse_unread(wrong) from None
    return Exit.OK if finished.exit is Exit.NOTHING_RAN and arguments.empty_ok else finished.exit


def _refuse_unread(wrong: OSError) -> UsageFault:
    from harness.files import explain_unread

    return UsageFault(f"{wrong.filename} cannot be read: {explain_unread(wrong)}")


def _look_for_secrets(paths: Sequence[Path], arguments: VerifyArguments) -> Exit:
    """Look for secrets, as a gate before recordings are shared. Exit code: 0 clean, 1 a hit, 3 no file."""
    from harness.benches.record.verify import secrets_in

    try:
        with telling("looking for secrets"):
            scanned, secrets, left_out = secrets_in(
                paths, own_api().load_protocol(), secrets=own_secrets().values()
            )
    except OSError as wrong:
        raise _refuse_unread(wrong) from None
    nothing = not scanned and not arguments.empty_ok
    code = Exit.FAILED if secrets else Exit.NOTHING_RAN if nothing else Exit.OK
    if arguments.json:
        found = [
            {"file": mask_text(file), "kind": hit.kind, "place": mask_text(hit.place)} for file, hit in secrets
        ]
        write_json({"scanned": scanned, "secrets": found, "left_out": [str(path) for path in left_out]})
    else:
        say_places((file, f"{hit.kind} at {hit.place}", hit.shown) for file, hit in secrets)
        links = [str(path) for path in left_out if path.is_symlink()]
        filled = [str(path) for path in left_out if not path.is_symlink()]
        for why, names in (("git or another tool fills them", filled), ("they are links to elsewhere", links)):
            if names:
                say(f"left out, as {why}: {list_some(names, 5)} (name one to search it)")
        hits = format_count(len(secrets), "possible secret") if secrets else "no possible secret"
        what = f"{hits} in {format_count(scanned, 'file')}" if scanned else "the paths contain no file to search"
        if left_out:
            what += f", with {len(left_out)} left out"
        if secrets:
            what += ": before you share the files, `harness redact FILE` replaces them in cassettes"
        say(f"{FIRST_WORDS[code]}: {what}.")
    return code
