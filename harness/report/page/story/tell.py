"""The story of a result, whichever kind of evidence it has. Layer 6."""

from __future__ import annotations

from collections.abc import Sequence

from harness.engine.results import ClientRun, Result
from harness.faults.grammar import spell_out
from harness.kit.relay import RelayedExchange
from harness.outcome.words import format_count
from harness.report.evidence.display import Display
from harness.report.page.story.exchanges import MOST_EXCHANGES, tell_exchanges
from harness.report.page.story.steps import answer_step, request_step, shorten_path
from harness.report.page.story.story import Story, StoryStep
from harness.wire import Exchange


def tell_story(result: Result, display: Display) -> Story | None:
    """What happened, as the evidence of a result shows it; None if nothing was sent."""
    exchanges = [item for item in result.evidence if isinstance(item, Exchange)]
    relayed = [item for item in result.evidence if isinstance(item, RelayedExchange)]
    runs = [item for item in result.evidence if isinstance(item, ClientRun)]
    if exchanges:
        names = result.named or ("",) * len(result.evidence)
        named = {id(item): name for item, name in zip(result.evidence, names, strict=True)}
        return tell_exchanges(exchanges, named, result.observation.findings, display)
    if relayed:
        return _tell_relayed(relayed, {finding.where.exchange for finding in result.observation.findings}, display)
    return _tell_run(runs[0], display) if runs else None


def _tell_relayed(relayed: Sequence[RelayedExchange], accused: set[str], display: Display) -> Story:
    chosen = [item for item in relayed if item.name in accused] or list(relayed)
    steps: list[StoryStep] = []
    for item in chosen[:3]:
        steps.append(request_step(item.client.request, None, display))
        behind = (*item.upstream, *item.misrouted)
        for number, exchange in enumerate(behind):
            steps.append(request_step(exchange.request, None, display, lane="back", hot=number > 0))
            steps.append(answer_step(exchange, "back", display))
        if not behind:
            steps.append(StoryStep(kind="missing", text="nothing arrives upstream", lane="back", hot=True))
        steps.append(answer_step(item.client, "front", display, hot=item.name in accused))
    left = len(chosen) - 3
    if left > 0:
        steps.append(StoryStep(kind="pause", text=f"{format_count(left, 'more passage')}, below as text"))
    return Story(
        lanes=("client", "gateway", "upstream"),
        about=format_count(len(relayed), "passage"),
        steps=tuple(steps),
    )


def _tell_run(run: ClientRun, display: Display) -> Story:
    def show(text: str) -> str:
        return display.mask.show(text)

    steps: list[StoryStep] = []
    for moment in run.moments[:MOST_EXCHANGES]:
        method, _, rest = show(moment.request).partition(" ")
        path, *remarks = rest.split(" ", 1)
        at, remark = round(1000 * moment.at), "".join(remarks)
        steps.append(StoryStep(kind="request", text=method, quoted=shorten_path(path), detail=remark, at=at))
        steps.append(StoryStep(kind="answer", text=show(moment.answer)))
        if moment.fault:
            steps.append(StoryStep(kind="break", text=show(spell_out(moment.fault)), hot=True))
    if run.end:
        steps.append(StoryStep(kind="pause", text=f"the client {show(run.end)}"))
    return Story(lanes=("client", "server"), about=format_count(len(run.moments), "request"), steps=tuple(steps))
