"""`harness fuzz TARGET`: search a server for requests and request sequences that break a rule."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.arguments import read_options
from harness.cli.common_options import deadline_option, level_option, selection
from harness.cli.options import COUNT, FLAG, FOLDER, SEED, URL, Page, Trust, flag, option
from harness.cli.output import say
from harness.cli.request_options import wait_for
from harness.cli.run_reports import EXIT_CODES, BaselineOptions, Listeners, baseline_of
from harness.cli.target_options import TargetArguments, resolve, said_capabilities
from harness.engine.events import CheckFinished, RunEvent
from harness.engine.targets import ServerTarget
from harness.interactions import INTERACTIONS
from harness.outcome import Accounted, Level, UsageFault
from harness.outcome.words import did_you_mean, format_count
from harness.report.commands.fuzz import write_all
from harness.report.evidence.curl import EMBEDDED_ROOT, Display
from harness.resources import cache_folder, read_published_codes
from harness.transport.client.origin import without_user_settings

if TYPE_CHECKING:
    from harness.engine.search.run import FuzzOptions

SIZES = ("smoke", "ci", "nightly")
_EXTRA = ("hypothesis", "schemathesis")
_STORE = ".harness/fuzz"


@dataclass(kw_only=True)
class FuzzArguments(TargetArguments, BaselineOptions):
    """The options of `harness fuzz`."""

    engine: Sequence[str] | None = option(
        "engine to run: history, laws or schema (repeatable)",
        flags=("-e", "--engine"), repeats=True, metavar="NAME", group="search",
    )  # fmt: skip
    size: str = option(
        "how much to search: smoke, ci or nightly",
        default="smoke", choices=SIZES, metavar="NAME", group="search", once="selects",
    )  # fmt: skip
    max_examples: int | None = option(
        "number of request sequences, of stream checks, and of examples per operation", COUNT, group="search"
    )
    deadline: float | None = deadline_option("that of the size", "search")
    seed: int = option("seed of the random generators", SEED, 0, group="search")
    database: str | None = option(
        "database of Hypothesis examples: DIR or redis://…",
        URL, metavar="WHERE", trust=Trust.WRITE, group="search",
    )  # fmt: skip
    level: Level = level_option()
    strict: bool = flag(
        "also fail on broken SHOULD rules, unless their source is only inferred, and report leniency, such as "
        "accepted unknown fields",
        group="verdicts",
    )
    store: str | None = option(
        "failures to replay first next time", FOLDER, trust=Trust.INSIDE, shown=_STORE, group="output"
    )
    no_store: bool = flag("neither keep nor replay failures", group="output")
    last_failed: bool = selection("only replay the stored failures", FLAG, False, trust=Trust.CALL)
    output: str | None = option(
        "folder for a script, a test and a cassette of each failure",
        FOLDER, flags=("-o", "--output"), trust=Trust.CALL, group="output",
    )  # fmt: skip

    page = Page(
        "fuzz",
        ("harness fuzz emulator --deadline 30", "harness fuzz http://127.0.0.1:8000 --size ci --output failures"),
        groups=("target", "search", "selection", "verdicts", "run", "output"),
        notes="""\
A live target bills the interactions of the search.

"""
        + EXIT_CODES.format("target unreachable, key rejected, or an engine tested too little"),
        shares=frozenset(
            {"api-version", "revision", "model", "agent", "capability", "wait", "timeout", "level", "strict",
             "baseline", "report"}
        ),
    )  # fmt: skip


OPTIONS = FuzzArguments


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code: 0 no failure, 1 a rule is broken, 3 an engine proved nothing."""
    arguments = read_options(FuzzArguments, words)
    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        verb = "are" if len(missing) > 1 else "is"
        raise UsageFault(f"{' and '.join(missing)} {verb} not installed: pip install 'interactions-harness[fuzz]'")
    from harness.engine.search.failure import list_rules
    from harness.engine.search.run import Store, fuzz
    from harness.interactions.search import load_search
    from harness.report.commands.fuzz import FuzzRun, key_of_failure

    target = resolve(arguments)
    model = load_search()
    rules = list(list_rules(model))
    given = arguments.selected(level=arguments.level)
    codes = (*rules, *read_published_codes()[0])
    chosen = given.over(codes, "rule or code", known=": copy a code from the findings of a run")
    baseline = baseline_of(arguments, [*rules, *(f"{name}?" for name in rules)])
    if arguments.output and not Path(arguments.output).is_dir() and Path(arguments.output).exists():
        raise UsageFault(f"--output: {arguments.output!r} is a file: name a folder, old or new")
    options = replace(_read_options(arguments, target), baseline=baseline, chosen=chosen)
    shown_run = FuzzRun(INTERACTIONS, seed=options.seed, selection=given, baseline=baseline)
    listeners = Listeners(arguments, shown_run, baseline)

    def write_files(event: RunEvent) -> None:
        if isinstance(event, CheckFinished) and event.result.observation.findings:
            key, shown = key_of_failure(event.result), event.result.reproduction
            folder = arguments.output
            is_told = event.result.outcome in (Accounted.FAILED, Accounted.WARNED)
            if is_told and not folder and options.store is not None and shown is not None and shown.unshrunk:
                folder = str(Store(options.store, target).folder)  # its script may be too long for a screen
            if folder:
                display = Display(target.api, target.info.url or EMBEDDED_ROOT, target.make_mask())
                with nullcontext() if arguments.output else suppress(OSError):
                    shown_run.written[key] = write_all(event.result, target.info, display, Path(folder))

    direct = without_user_settings(target.info.url)  # for schemathesis
    with listeners.reporting_faults_of(target.info), _keeping_notes_of_hypothesis(), direct:
        wait_for(target, arguments.wait)
        finished = listeners.follow(fuzz(target, model, options, listeners.handle), write_files)
    return finished.exit


@contextmanager
def _keeping_notes_of_hypothesis() -> Iterator[None]:
    """Keep the notes of Hypothesis in the user's cache, not in the current folder, unless a variable names one."""
    from hypothesis.configuration import set_hypothesis_home_dir

    named = os.environ.get("HYPOTHESIS_STORAGE_DIRECTORY")
    set_hypothesis_home_dir(named or cache_folder("hypothesis"))
    try:
        yield
    finally:
        set_hypothesis_home_dir(None)


def _read_options(arguments: FuzzArguments, target: ServerTarget) -> FuzzOptions:
    from harness.engine.search.budget import BUDGETS, open_database
    from harness.engine.search.run import ENGINES, FuzzOptions, Store

    chosen = [name.strip() for word in arguments.engine or () for name in word.split(",")]
    for name in chosen:
        if name not in ENGINES:
            raise UsageFault(f"unknown engine {name!r}{did_you_mean(name, ENGINES)}")
    store = _choose_store(arguments, target)
    replays_only = arguments.last_failed and store is not None and Store(store, target).list_stored()
    return FuzzOptions(
        engines=() if replays_only else tuple(name for name in ENGINES if name in chosen) or ENGINES,
        budget=BUDGETS[arguments.size].with_limits(arguments.max_examples, arguments.deadline),
        seed=arguments.seed,
        strict=arguments.strict,
        stated=said_capabilities(arguments),
        database=open_database(arguments.database),
        store=store,
    )


def _choose_store(arguments: FuzzArguments, target: ServerTarget) -> Path | None:
    """The folder of stored failures, None without one. Standard error names those that are replayed."""
    if arguments.last_failed:
        arguments.refuse(("no_store", "engine"), "and --last-failed exclude each other: use one of them")
    if arguments.no_store:
        return None
    store = Path(arguments.store or _STORE)
    real = Path(os.path.realpath(store))
    if arguments.store is None and not real.is_relative_to(os.path.realpath(Path.cwd())):
        raise UsageFault(f"{store} leads to {str(real)!r}: remove the link, or name the folder with --store")
    from harness.engine.search.run import Store

    kept = len(Store(store, target).list_stored())
    if arguments.last_failed:
        more = "" if kept else ", and none is stored, so all engines run"
        say(f"harness: replaying {format_count(kept, 'failure')} from {store}{more}", to_errors=True)
    elif kept:
        failures = f"{format_count(kept, 'earlier failure')} of this target"
        say(f"harness: replaying {failures} from {store} first (--no-store excludes them)", to_errors=True)
    return store
