"""Foreign servers that decode long answers in hops: one that is odd but right, others with one defect each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Run

HOPS = ["Once there was", " a server ", "that hopped."]
LONG = ("--capability", "+long-decode")


class Hopping(ForeignService):
    """Odd, but right: a thought comes before each hop, and looks show the hops that are over."""

    def admit(self, body: Json) -> None:
        super().admit({name: value for name, value in body.items() if name != "generation_config"})

    def show(self, run: Run) -> Json:
        over = len(HOPS) if run.status == "completed" else int(run.age / run.lasts * len(HOPS))
        return {**super().show(run), "steps": self.stored(over)}

    def stored(self, over: int) -> list[Json]:
        """The steps of the hops that are over."""
        return [step for hop in HOPS[:over] for step in self.hop(hop)]

    def hop(self, text: str) -> list[Json]:
        """The steps of one hop."""
        return [
            {"type": "thought", "signature": "c2ln"},
            {"type": "model_output", "content": [{"type": "text", "text": text}]},
        ]

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        told = {"id": run.id, "object": "interaction", "model": run.body["model"]}
        events: list[Json] = [
            {"interaction": {**told, "status": "in_progress"}, "event_type": "interaction.created"}
        ]
        for index, text in enumerate(self.streamed()):
            delta = {"type": "text", "text": text}
            events += [
                {"index": index, "step": {"type": "model_output"}, "event_type": "step.start"},
                {"index": index, "delta": delta, "event_type": "step.delta"},
                {"index": index, "event_type": "step.stop"},
            ]
        for number, event in enumerate(events):
            yield run.lasts * number / len(events), {**event, "event_id": f"{run.id}-{number}"}
        yield run.lasts, self.last_event(run, told)

    def streamed(self) -> list[str]:
        """The texts of the hops, as they are streamed."""
        return HOPS


class ShowsLastHop(Hopping):
    """Wrong: a look shows the hop that was made last, as if it were the answer."""

    def stored(self, over: int) -> list[Json]:
        return self.hop(HOPS[over - 1]) if over else []


class LosesSpaces(Hopping):
    """Wrong: what is stored of each hop is stripped, so that words run into each other."""

    def stored(self, over: int) -> list[Json]:
        return [step for hop in HOPS[:over] for step in self.hop(hop.strip())]


class StreamsFirstHop(Hopping):
    """Wrong: the stream ends after the first hop, and says that the run is completed."""

    def streamed(self) -> list[str]:
        return HOPS[:1]


def test_odd_hops_are_right() -> None:
    """Thoughts between the hops and looks in the middle are no faults."""
    report = check(Hopping(), "long.*", words=LONG)
    assert report.verdicts == {"long.same-id": "pass", "long.join": "pass"}


@pytest.mark.parametrize(
    ("defect", "faults"),
    [(ShowsLastHop, ["long.same-id"]), (LosesSpaces, ["long.join"]), (StreamsFirstHop, ["long.join"])],
)
def test_each_defect_is_found_where_it_is(defect: type[Hopping], faults: list[str]) -> None:
    """Each defect is reported by the check of the promise that it breaks, and by no other."""
    assert [*check(defect(), "long.*", words=LONG).faults] == faults


def test_hops_that_nobody_declared_are_not_asked_for() -> None:
    """A server is not asked for a long answer unless that was declared."""
    assert check(ForeignService(), "long.*").faults == {}


class OneHop(Hopping):
    """Right: the answer was short enough for one hop."""

    def stored(self, over: int) -> list[Json]:
        return self.hop("".join(HOPS)) if over == len(HOPS) else []

    def streamed(self) -> list[str]:
        return ["".join(HOPS)]


def test_one_hop_is_no_proof() -> None:
    """An answer with one output breaks nothing, but a run that was to judge hops warns that it saw none."""
    report = check(OneHop(), "long.*", words=LONG)
    assert report.verdicts == {"long.same-id": "warn", "long.join": "warn"}
    assert report.codes == {"long.same-id": [], "long.join": []}
