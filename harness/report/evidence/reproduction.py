"""How to see a failure again, in words; `failure_files` has the files that a search writes."""

from __future__ import annotations

from collections.abc import Iterator

from harness.engine.events import Replays, Reproduction
from harness.report.screen import Line, Role
from harness.wire.message import escape_controls


def reproduction_lines(reproduction: Reproduction, *, noun: str = "") -> Iterator[Line]:
    """How to see it again; `noun` is what a command line is for."""
    if reproduction.steps:
        why = f" ({reproduction.unshrunk})" if reproduction.unshrunk else ""
        words = f"request sequence, not fully shrunk{why}" if why else "shortest request sequence"
        yield Line(f"{words}: {' > '.join(map(str, reproduction.steps))}")
    elif reproduction.unshrunk:
        yield Line(f"its requests are not fully shrunk: {reproduction.unshrunk}")
    if reproduction.consequences:
        yield Line(f"consequences: {escape_controls(', '.join(reproduction.consequences))}")
    if reproduction.command:
        yield Line(f"this {noun or 'one'} alone: {escape_controls(reproduction.command)}", Role.COMMAND)


def again_lines(reproduction: Reproduction, *, noun: str = "") -> Iterator[str]:
    """How to see it again, and what came of doing so before it was reported."""
    yield from reproduction_lines(reproduction, noun=noun)
    if reproduction.replays.played:
        yield replay_words(reproduction.replays)


def replay_words(replays: Replays) -> str:
    """The result of the repetitions."""
    if replays.lost:
        return f"flaky: did not reproduce, 0 of {replays.played}"
    if replays.played:
        return f"{'flaky: ' if replays.flaky else ''}reproduced {replays.shown} of {replays.played}"
    return f"not run again: {replays.why_not or 'not attempted'}"
