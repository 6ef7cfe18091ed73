"""One run against a gateway: see that a plain request comes through, play the exercises, judge what passed.

Knows the order of things; must not know how anything is printed. `run_command` is for a gateway that the run
starts itself: its command, its output, and its end, child processes included.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import IO, Any, NamedTuple

from msgspec import structs

from harness.benches.gateway.bench import GatewayBench
from harness.child_processes import DEVNULL, STDOUT, Child, TimeoutExpired, explain_not_started, start
from harness.engine import events
from harness.engine.decide import Baseline, Policy, decide, exit_of
from harness.engine.events import Reproduction, Result
from harness.engine.execute import error, find_blockers, name_mechanisms, resolve
from harness.engine.selection import Selection
from harness.engine.traffic.deadline import INTERRUPTED, TimeUp, describe_end, hold_all
from harness.kit.check import Check, Exercise
from harness.kit.relay import RelayAside, RelayCatalogue, RelayedExchange
from harness.kit.wrong_call import explain_wrong_call
from harness.outcome import (
    Because,
    Exit,
    NotApplicable,
    NotWanted,
    Observation,
    Outcome,
    TargetFault,
    Unmet,
    UsageFault,
)
from harness.outcome.words import format_count, quote_body
from harness.wire import Exchange, How

PATIENCE = 10.0
"""Seconds that it has to end after it is asked to."""


class Started:
    """A command that was started; its output is kept in a file."""

    def __init__(self, child: Child, output: IO[bytes], name: str) -> None:
        self._child = child
        self._output = output
        self._name = name

    @property
    def words(self) -> str:
        """The end of its output so far."""
        size = os.fstat(self._output.fileno()).st_size
        data = os.pread(self._output.fileno(), 2000, max(0, size - 2000))
        return data.decode("utf-8", "replace").strip()

    def find_end(self, within: float = 0.0) -> str:
        """Wait at most `within` seconds; return how it ended, or `""` if it still runs."""
        try:
            code = self._child.wait(within)
        except TimeoutExpired:
            return ""
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        return f"the gateway, {self._name!r}, has ended ({how})"

    def wait_for_end(self, within: float = 0.0) -> str:
        """Wait as `find_end` does; return how the gateway ended, with its last output."""
        ended = self.find_end(within)
        return f"{ended}\n{self.words or 'It printed nothing: run the command alone to see why'}" if ended else ""


@contextmanager
def run_command(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Started]:
    """Run a command in its own process group until the block ends. Raises UsageFault if it cannot be run."""
    with tempfile.TemporaryFile() as output:
        child: Child | None = None
        try:
            try:
                with hold_all():
                    child = start(
                        command, environment, stdin=DEVNULL, stdout=output, stderr=STDOUT, start_new_session=True
                    )
            except OSError as wrong:
                raise UsageFault(explain_not_started(command, wrong)) from None
            yield Started(child, output, command[0])
        finally:
            if child is not None:
                # Ask the whole group to end, then kill it; ending only a shell would leave its gateway running.
                _signal(child, signal.SIGTERM)
                with contextlib.suppress(TimeoutExpired):
                    child.wait(PATIENCE)
                _signal(child, signal.SIGKILL)
                child.wait()


def _signal(child: Child, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """The selection of rules, the strictness, and the gateway.

    `declared` are codes of findings that contradict the declaration of the gateway: they fail at any level.
    `repeat` writes the command line of this run with these words in place of its selection.
    """

    selection: Selection = field(default_factory=Selection)
    strict: bool = False
    gateway: events.TargetInfo = field(default_factory=lambda: events.TargetInfo(name="gateway"))
    baseline: Baseline = field(default_factory=Baseline)
    declared: tuple[str, ...] = ()
    repeat: Callable[..., str] = lambda *narrowed: shlex.join(("harness", "gateway", *narrowed))


def judge_gateway(
    bench: GatewayBench, catalogue: RelayCatalogue, options: GatewayOptions
) -> Generator[events.RunEvent, None, None]:
    """Judge the gateway that the bench's requests go through.

    Raises UsageFault for a glob that selects nothing, TargetFault when no request comes through at all.
    """
    checks = select_rules(catalogue, options.selection)
    needed = {exercise.name for check in checks for exercise in parts_of(check)}
    exercises = [exercise for exercise in catalogue.exercises if exercise.name in needed]
    begun = time.monotonic()
    yield events.RunStarted(options.gateway)
    try:
        reach(bench)
    except TimeUp as up:
        raise TargetFault(f"{describe_end(up)}: nothing was judged; give the run more time") from None
    yield events.Planned(len(checks), len(exercises))
    runner = ExerciseRunner(bench)
    yield from runner.play(exercises)
    sharing = Counter(exercise.name for check in checks for exercise in parts_of(check))
    results: list[Result] = []
    for check in checks:
        seconds = sum(runner.seconds[exercise.name] / sharing[exercise.name] for exercise in parts_of(check))
        results.append(structs.replace(_judge_rule(check, runner, options, results, catalogue), seconds=seconds))
        yield events.CheckFinished(results[-1])
    code = Exit.INTERRUPTED if runner.halted == INTERRUPTED else exit_of(results)
    linked = tuple(name_mechanisms(checks, results))
    yield events.RunFinished(linked, time.monotonic() - begun, code, halted=runner.halted)


_ALL_RULES = ": `harness list 'gw.*'` shows all ids"


def select_rules(catalogue: RelayCatalogue, selection: Selection) -> list[Check]:
    """The checks that are selected. Raises UsageFault if a pattern names none."""
    chosen = selection.over([check.id for check in catalogue.checks], "rule", known=_ALL_RULES)
    return [check for check in catalogue.checks if not chosen.explain_exclusion(check.id, check.rule.level)]


_OTHER_KEY = "pass one that it accepts with --api-key KEY"


def reach(bench: GatewayBench) -> None:
    """Send a plain request through the gateway. Raises TargetFault that names where it stopped."""
    relayed = bench.send(bench.client.knock("reach.first"))
    if relayed.client.status is not None and not relayed.upstream:
        relayed = bench.send(bench.client.create("reach.create"))
    status = relayed.client.status
    if relayed.stayed and (refused := bench.find_refused()):
        came = _describe_answer(relayed.client) if status else relayed.client.ending.words
        raise TargetFault(f"the gateway sent no whole request upstream: {refused} (the client received {came})")
    if status is None:
        ending = relayed.client.ending
        if ending.unresolved:
            raise TargetFault(f"{ending.detail}: check the spelling of the URL and the name service (DNS)")
        why = "start it, check the URL, or wait for it with --wait S"
        if ending.how is not How.REFUSED and ending.detail:
            why = ending.detail
        if ending.how is How.TIMEOUT:
            why += ": read the log of the gateway"
        raise TargetFault(f"the gateway returned no response ({ending.words}): {why}")
    if relayed.upstream or relayed.misrouted:
        return
    if why := explain_wrong_call(relayed.client):
        raise TargetFault(f"the gateway returned {_describe_answer(relayed.client)}: {why}")
    if status in (401, 403):
        raise TargetFault(f"the gateway rejects the key: {_describe_answer(relayed.client)}: {_OTHER_KEY}")
    configure = "configure the gateway to send its requests to the printed upstream"
    if bench.client.rejects_key(relayed.client):  # the gateway may still send its requests to the service
        raise TargetFault(
            f"the key was rejected (status {status}), and no request arrived upstream: {configure}, "
            f"or {_OTHER_KEY}"
        )
    raise TargetFault(
        "a create returned a response, but no request arrived upstream: "
        f"{_describe_answer(relayed.client)}\nhelp: {configure}"
    )


def _describe_answer(exchange: Exchange) -> str:
    """Status and the beginning of the body, in one line."""
    return f"{exchange.status} {quote_body(exchange.body, 120)}".rstrip()


def _judge_rule(
    check: Check,
    runner: ExerciseRunner,
    options: GatewayOptions,
    earlier: Sequence[Result],
    catalogue: RelayCatalogue,
) -> Result:
    """The result of one rule; its evidence is what the findings name. Earlier ones may stand in its way."""
    observation = runner.observe(check)
    blockers = find_blockers(check, observation, check.rested_on)
    observation = resolve(check, observation, [result for result in earlier if result.id in blockers])
    strict = options.strict or any(each.stable_code in options.declared for each in observation.findings)
    made: dict[str, RelayedExchange] = runner.results
    named = tuple(dict.fromkeys(_with_begun((one.where.exchange for one in observation.findings), made)))
    # What the rule only overhears in the exercise of another rule is seen again only if that rule runs, too.
    begun_by = {
        exercise.name: one.id for one in (*reversed(catalogue.checks), check) for exercise in parts_of(one)
    }
    worst = (each.where.exchange.partition(".")[0] for each in observation.findings[:1])
    others = tuple(begun_by[name] for name in worst if begun_by.get(name, check.id) != check.id)
    again = (word for name in (check.id, *others) for word in ("-c", name))
    return decide(
        check.rule,
        observation,
        Policy(strict=strict, baseline=options.baseline),
        show=lambda _: tuple(made[name] for name in named),
        named=named,
        reproduction=Reproduction(command=options.repeat(*again)),
        accepts=check.accepts,
        shown_by=others,
    )


def _with_begun(named: Iterable[str], made: Mapping[str, RelayedExchange]) -> Iterator[str]:
    """The names, each after that of the first stream of what it reads again: a picture begins with that one."""
    for name in named:
        if made[name].client.is_stream and made[name].client.request.method == "GET":
            exercise, path = name.partition(".")[0], made[name].client.request.path
            alike = (
                other
                for other, relayed in made.items()
                if other.partition(".")[0] == exercise
                and relayed.client.is_stream
                and relayed.client.request.path == path
            )
            yield next(alike)
        yield name


# Plays the exercises of a run, and notices when the gateway has stopped answering.
# A gateway that stops responding costs the whole timeout for each remaining request, and none of these proves
# anything about a rule. So after a few exchanges without a response, the gateway gets a plain request that
# succeeded before. If it responds, the run goes on, and the missing responses are its defects. If it does not,
# the run stops, and only the exchanges before that are judged. Must not know which responses are right.


SILENT = 3
"""Number of exchanges in a row without an answer after which a plain request checks that the gateway is there."""


class _Silence(NamedTuple):
    """The number of the first exchange without an answer, and the exercises that were finished before it."""

    start: int
    finished: frozenset[str]


class _Running:
    """An exercise that has begun, and the result of its last action, which it has not seen yet."""

    def __init__(self, exercise: Exercise, client: Any) -> None:
        self.name = exercise.name
        self.steps: Generator[Any, Any, Any] = exercise.run(client)
        self.answer: Any = None


class ExerciseRunner:
    """Runs exercises; keeps the exchanges by name, and why an exercise or the whole run stopped early.

    `stopped`: the gateway stopped responding. `halted`: the time limit or an interrupt ended the run, `""` if not.
    """

    def __init__(self, bench: GatewayBench) -> None:
        self._bench = bench
        self._names: tuple[str, ...] = ()
        self._finished: set[str] = set()
        self._stops: dict[str, Observation] = {}
        self._silence: _Silence | None = None
        self._trail: list[RelayedExchange] = []
        self.seconds = defaultdict[str, float](float)
        """What each exercise took, without what ran while it waited."""
        self._unfinished: tuple[str, ...] = ()
        self.stopped: events.RunStopped | None = None
        self.halted = ""

    @property
    def results(self) -> dict[str, RelayedExchange]:
        """The exchanges so far, by name, in order."""
        return {relayed.name: relayed for relayed in self._trail}

    def play(self, exercises: Sequence[Exercise]) -> Iterator[events.ExerciseStarted | events.RunStopped]:
        """Play them; those that span the others begin first and end last. It ends early where time is up."""
        self._names = tuple(exercise.name for exercise in exercises)
        try:
            yield from self._play(exercises)
        except TimeUp as up:
            self.halted = describe_end(up)
        except KeyboardInterrupt:
            self.halted = INTERRUPTED
        if self.halted:
            self._unfinished = tuple(name for name in self._names if name not in self._finished)

    def _play(self, exercises: Sequence[Exercise]) -> Iterator[events.ExerciseStarted | events.RunStopped]:
        spanning = [_Running(exercise, self._bench.client) for exercise in exercises if exercise.spans]
        for running in spanning:
            yield events.ExerciseStarted(running.name)
            self._advance(running)
        for exercise in exercises:
            if not exercise.spans and self.stopped is None:
                yield events.ExerciseStarted(exercise.name)
                self._exhaust(_Running(exercise, self._bench.client))
        if self._silence is not None:  # too few to ask until now: did the gateway skip these, or stop answering?
            self._ask(self._silence)
        if self.stopped is not None:
            yield self.stopped
            return
        for running in spanning:
            yield events.ExerciseStarted(running.name)
            self._exhaust(running)

    def _exhaust(self, running: _Running) -> None:
        while self.stopped is None and self._advance(running):
            pass

    def _advance(self, running: _Running) -> bool:
        """Perform the actions of an exercise until one brings exchanges, now or later; False once it has ended."""
        begun = time.monotonic()
        try:
            while True:
                action = running.steps.send(running.answer)
                running.answer = self._bench.perform(action)
                exchanges = running.answer if isinstance(running.answer, list) else [running.answer]
                relayed = [each for each in exchanges if isinstance(each, RelayedExchange)]
                for each in relayed:
                    self._trail.append(each)
                    self._hear(each)
                if relayed or isinstance(action, RelayAside):
                    return True
        except StopIteration:
            pass
        except NotApplicable as missing:
            self._stops[running.name] = Observation(
                Outcome.NOT_APPLICABLE, reason=str(missing), because=Because.REFUSED
            )
        except NotWanted as left:
            self._stops[running.name] = Observation(Outcome.EXCLUDED, reason=str(left), because=Because.LEFT_OUT)
        except Unmet as unmet:
            self._stops[running.name] = Observation.untestable(unmet.reason, remedy=unmet.remedy)
        except Exception:
            self._stops[running.name] = error(f"the exercise {running.name} raised")
        finally:
            self.seconds[running.name] += time.monotonic() - begun
        self._finished.add(running.name)
        return False

    def _hear(self, relayed: RelayedExchange) -> None:
        if relayed.answered:
            self._silence = None
            return
        if self._silence is None:
            self._silence = _Silence(len(self._trail) - 1, frozenset(self._finished))
        if len(self._trail) - self._silence.start >= SILENT:
            self._ask(self._silence)

    def _ask(self, silence: _Silence) -> None:
        """See whether the gateway still answers; if not, stop and drop the exchanges that it could not answer."""
        self._silence = None
        if self._bench.send(self._bench.client.create("alive.create")).answered:
            return
        silent = self._trail[silence.start :]
        del self._trail[silence.start :]
        self._finished = set(silence.finished)
        self._stops = {name: stop for name, stop in self._stops.items() if name in silence.finished}
        self._unfinished = tuple(name for name in self._names if name not in silence.finished)
        first, ended = silent[0], self._end
        exchange, how = first.client, first.client.ending.words
        left = f"{len(self._unfinished)} of {format_count(len(self._names), 'exercise')} not run, or not completed"
        came = "no response" if exchange.status is None else f"a response ({exchange.status}) without an end"
        came, advice = f"the gateway gave {came} ({how})", "if it is only slow, raise --timeout"
        if exchange.complete:
            came = f"the gateway itself returned {exchange.status}"
            advice = "if it limits the requests, or pauses after errors of the upstream, lift that for this run"
        also = f", to the next {len(silent) - 1}" if len(silent) > 1 else ""
        why = (
            f"{came} to the exchange {first.name}{also} and to a plain create, which it accepted before; {left}. "
            f"Read the log of the gateway; {advice}"
        )
        self.stopped = events.RunStopped(
            reason=f"{ended}: the exchange {first.name} was its last ({how}); {left}" if ended else why,
            unfinished=self._unfinished,
            silent=len(silent),
            evidence=silent[0],
        )

    @cached_property
    def _end(self) -> str:
        """How the process of the gateway ended. To find out takes a moment, which no rule needs to repeat."""
        return self._bench.find_end()

    def observe(self, check: Check) -> Observation:
        """The observation of a check, or why it has none."""
        results = self.results
        observation = self._judge(check, results)
        if observation.outcome in (Outcome.NOT_MET, Outcome.ERROR):
            return observation
        # An exchange that the check wants may not have been made because the run stopped.
        wanted = [glob for glob in check.globs if glob.partition(".")[0] in self._unfinished]
        if any("*" in glob or glob not in results for glob in wanted):
            again = "when the gateway no longer ends by itself; its log has the reason" if self._end else ""
            because = Because.INTERRUPTED if self.halted == INTERRUPTED else Because.NOT_TRIED
            return Observation.untestable("not tried", because, "not tried", again)
        silent = not all(relayed.answered for relayed in check.select(results))
        if observation.outcome is Outcome.UNTESTABLE and silent:
            return Observation.untestable(observation.reason, Because.NO_ANSWER, "no response", observation.remedy)
        return observation

    def _judge(self, check: Check, results: dict[str, RelayedExchange]) -> Observation:
        needed = [exercise.name for exercise in parts_of(check)]
        stop = next((self._stops[name] for name in sorted(needed) if name in self._stops), None)
        if stop is not None and (stop.outcome is Outcome.ERROR or not check.select(results)):
            return stop
        # Its own exercises come first, so that a finding names an exchange that the check alone shows, too.
        results = dict(sorted(results.items(), key=lambda item: item[0].partition(".")[0] not in needed))
        try:
            observation = check.observe(results)
        except Exception:
            return error(f"the judge of {check.id} raised")
        return stop if stop is not None and observation.outcome is Outcome.UNTESTABLE else observation


def parts_of(check: Check) -> tuple[Exercise, ...]:
    """The exercises that a check needs, each of which runs once."""
    return check.exercise.parts or (check.exercise,)
