"""`harness fuzz TARGET`: search a server for requests and histories that break its promises.

Layer 7.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.arguments import Parser, count, level_named, positive_seconds
from harness.cli.baseline_options import add_baseline_arguments, baseline_of, finish
from harness.cli.output import Listeners, add_output_arguments
from harness.cli.reproducing import CurlRuns
from harness.cli.target_options import add_target_arguments, parse_with_configuration, resolve, said_capabilities
from harness.cli.waiting import wait_for
from harness.engine.events import CheckFinished, RunEvent
from harness.engine.results import Result
from harness.engine.sharding.shards import parse_shard
from harness.engine.targets import ResolvedTarget
from harness.outcome import UsageFault
from harness.outcome.suggest import did_you_mean

if TYPE_CHECKING:
    from harness.engine.search.run import FuzzOptions

PROFILES = ("smoke", "ci", "nightly", "strict")
_EXTRA = ("hypothesis", "schemathesis")


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code: 0 no failure, 1 a promise is broken, 3 an engine proved nothing."""
    arguments = parse_with_configuration(_parser(), list(words))
    _need_the_extra()
    if arguments.shard and (arguments.baseline_update or arguments.baseline_prune):
        raise UsageFault("--shard sees only a part of the search: change the baseline with a whole one")
    from harness.engine.search.rules import list_rules
    from harness.engine.search.run import fuzz
    from harness.report.commands.fuzz import FuzzPresentation

    target = resolve(arguments)
    rules = list(list_rules(target.api))
    excluded = _list_excluded(arguments.exclude or (), rules)
    baseline = baseline_of(arguments, [*rules, *(f"{name}?" for name in rules)])
    if arguments.output and not Path(arguments.output).is_dir() and Path(arguments.output).exists():
        raise UsageFault(f"--output: {arguments.output!r} is a file: name a folder, old or new")
    options = replace(_read_options(arguments), baseline=baseline, excluded=excluded)
    presentation = FuzzPresentation(options.seed, excluded=excluded, baseline=baseline)
    listeners = Listeners(arguments, presentation, baseline)
    runs = CurlRuns(target, options.seconds)

    def repeat(event: RunEvent) -> None:
        if isinstance(event, CheckFinished) and event.result.observation.findings:
            if arguments.output:
                presentation.written[id(event.result)] = _write(event.result, target, Path(arguments.output))
            presentation.ran[id(event.result)] = runs.run(event.result)

    with listeners.reporting_faults_of(target.info):
        wait_for(target, arguments.wait)
        finished = listeners.follow(fuzz(target, options, listeners.handle), repeat)
    vacuous = any(phase.vacuous for phase in listeners.state.phases)
    return finish(arguments, baseline, finished, vacuous=vacuous)


def _list_excluded(words: Sequence[str], rules: Sequence[str]) -> tuple[str, ...]:
    """The rules and codes to leave out. Raises UsageFault for one that no finding has."""
    from harness.finding_codes import read_published

    known = [*rules, *read_published()[0]]
    names = [name.strip() for word in words for name in word.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise UsageFault(f"--exclude {name!r}: no finding has this code{did_you_mean(name, known)}")
    return tuple(names)


def _write(result: Result, target: ResolvedTarget, folder: Path) -> Sequence[Path]:
    """Write a failure in all forms that repeat it."""
    from harness.report.evidence.display import EMBEDDED_ROOT, Display
    from harness.report.evidence.reproduction import write_all

    display = Display(target.api, target.info.url or EMBEDDED_ROOT, target.make_mask())
    return write_all(result, target.info, display, folder)


def _parser() -> Parser:
    parser = Parser("fuzz", "Search a server for requests and histories that break its promises.", epilog=_EPILOG)
    add_target_arguments(parser)
    _add_search_arguments(parser)
    group = parser.add_argument_group("verdicts")
    group.add_argument(
        "--level", metavar="LEVEL", help="weakest level to judge: must, should or may (default: may)"
    )
    group.add_argument("--strict", action="store_true", default=None, help="broken SHOULDs fail, too")
    group.add_argument(
        "--exclude", action="append", metavar="CODE", help="a rule or a code of findings to leave out (repeatable)"
    )
    add_baseline_arguments(group)
    group = parser.add_argument_group("run")
    group.add_argument("--shard", metavar="K/N", help="search only part K of N; `harness merge` joins the reports")
    group = parser.add_argument_group("output")
    group.add_argument(
        "--store",
        metavar="DIR",
        default=".harness/fuzz",
        help="failures to replay first next time (default: .harness/fuzz)",
    )
    group.add_argument("--no-store", action="store_true", help="neither keep nor replay failures")
    group.add_argument(
        "-o", "--output", metavar="DIR", help="write each failure as a script, a test and a cassette"
    )
    add_output_arguments(group, verbose="explain warnings")
    return parser


def _add_search_arguments(parser: Parser) -> None:
    group = parser.add_argument_group("search")
    group.add_argument(
        "-e",
        "--engine",
        action="append",
        metavar="NAME",
        help="history, laws, schema or exhaustive (repeatable)",
    )
    group.add_argument(
        "--exhaustive", type=count, metavar="N", help="try every history of up to N operations (emulator only)"
    )
    group.add_argument(
        "--profile",
        metavar="NAME",
        default="smoke",
        help="smoke (default), ci or nightly; append `,strict` for stricter rules",
    )
    group.add_argument(
        "--max-examples",
        type=count,
        metavar="N",
        help="number of histories, of laws, and of examples per operation",
    )
    group.add_argument(
        "--time",
        "--deadline",
        type=positive_seconds,
        metavar="S",
        help="time budget for all engines together, in seconds; what was found by then is reported",
    )
    group.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the random generators (default: 0)"
    )
    group.add_argument(
        "--database", metavar="WHERE", help="where Hypothesis keeps examples: DIR, redis://… or github:OWNER/REPO"
    )


_EPILOG = """\
With --exhaustive and no --engine, only that engine runs. The profile `strict` adds rules that lenient services
break (such as refusing unknown fields) and makes broken SHOULDs fail. A live target is billed for what the
search creates."""


def _need_the_extra() -> None:
    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        verb = "are" if len(missing) > 1 else "is"
        raise UsageFault(f"{' and '.join(missing)} {verb} not installed: pip install 'interactions-harness[fuzz]'")


def _read_options(arguments: argparse.Namespace) -> FuzzOptions:
    from harness.engine.search.budget import BUDGETS, open_database
    from harness.engine.search.run import FuzzOptions

    profiles = [name.strip() for name in arguments.profile.split(",") if name.strip()]
    for name in profiles:
        if name not in PROFILES:
            raise UsageFault(f"unknown profile {name!r}{did_you_mean(name, PROFILES)}")
    strict = bool(arguments.strict) or "strict" in profiles
    sizes = [name for name in profiles if name != "strict"] or ["smoke"]
    if len(sizes) > 1:
        raise UsageFault(f"--profile {arguments.profile!r} names several sizes: keep one of {', '.join(sizes)}")
    return FuzzOptions(
        engines=_choose_engines(arguments),
        budget=BUDGETS[sizes[0]].with_limits(arguments.max_examples, None),
        depth=arguments.exhaustive or 3,
        seconds=arguments.time,
        seed=arguments.seed,
        level=level_named(arguments.level),
        strict=strict,
        said=said_capabilities(arguments),
        database=open_database(arguments.database),
        shard=parse_shard(arguments.shard) if arguments.shard else None,
        store=None if arguments.no_store else Path(arguments.store),
    )


def _choose_engines(arguments: argparse.Namespace) -> tuple[str, ...]:
    from harness.engine.search.run import ENGINES, EXHAUSTIVE, USUAL

    chosen = [name.strip() for word in arguments.engine or () for name in word.split(",")]
    for name in chosen:
        if name not in ENGINES:
            raise UsageFault(f"unknown engine {name!r}{did_you_mean(name, ENGINES)}")
    if arguments.exhaustive and EXHAUSTIVE not in chosen:
        chosen = [*chosen, EXHAUSTIVE]
    return tuple(name for name in ENGINES if name in chosen) or USUAL
