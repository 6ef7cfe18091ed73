"""Foreign servers whose streams end, or say, something else than they should; and such that are odd but right."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Handler, Json, Run

STREAMS = ("stream.*", "create.status*", "resume.foreground")

BARE = b"""[{
  "error": {
    "code": 503,
    "message": "The service is currently unavailable.",
    "status": "UNAVAILABLE"
  }
}]
"""


class NeverCompletes(ForeignService):
    """Ends its streams with the last step and [DONE]."""

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        yield from list(super().events(run))[:-1]


class OldNames(ForeignService):
    """Ends its streams with the event of the time before May 2026."""

    def last_event(self, run: Run, told: Json) -> Json:
        return {**super().last_event(run, told), "event_type": "interaction.complete"}


class OldGeneration(ForeignService):
    """Names all events as before May 2026."""

    def encode(self, event: Json) -> bytes:
        old = event["event_type"].replace("step.", "content.")
        old = old.replace("created", "start").replace("completed", "complete")
        return super().encode({**event, "event_type": old})


class MalformedEnd(ForeignService):
    """Its interaction.completed lacks the status."""

    def last_event(self, run: Run, told: Json) -> Json:
        return {"interaction": told, "event_type": "interaction.completed"}


class BrokenEnd(ForeignService):
    """The JSON of its interaction.completed is cut."""

    def encode(self, event: Json) -> bytes:
        whole = super().encode(event)
        return whole[:-3] + b"\n\n" if event["event_type"] == "interaction.completed" else whole


class LosesText(ForeignService):
    """The third delta of every stream is lost."""

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        yield from (pair for pair in super().events(run) if not str(pair[1]["event_id"]).endswith("-5"))


class MixesText(ForeignService):
    """The third delta of every second stream is of another stream, as from a buffer that they share."""

    streams = 0

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        self.streams += 1
        is_mixed = self.streams % 2 == 0
        for age, event in super().events(run):
            is_third = is_mixed and str(event["event_id"]).endswith("-5")
            yield age, {**event, "delta": {"type": "text", "text": "another"}} if is_third else event


class OwnStatus(ForeignService):
    """Calls a completed interaction `success`."""

    def show(self, run: Run) -> Json:
        body = super().show(run)
        return {**body, "status": "success" if body["status"] == "completed" else body["status"]}


class Lingering(Handler):
    """Sends the last event, and waits until the client disconnects."""

    def chunk(self, data: bytes) -> None:
        if data:
            super().chunk(data)
        else:
            self.rfile.read(1)
            self.close_connection = True


class StaysOpen(ForeignService):
    """Ends no stream: after [DONE] the connection stays open."""

    handler = Lingering


class NeverEnds(StaysOpen):
    """Its streams are right up to interaction.completed; then comes nothing, not even [DONE]."""

    def closing(self) -> bytes:
        return b""


class LateHandler(Handler):
    """Ends its first stream two seconds after the last event, and the other ones at once."""

    late = False

    def encode_due(self, events: Iterator[tuple[float, Json]]) -> Iterator[bytes]:
        for frame in super().encode_due(events):
            if frame == self.service.closing():
                self.closed.wait(0 if self.late else 2)
                type(self).late = True
            yield frame


class EndsLate(ForeignService):
    """Correct, but odd: tidies up between interaction.completed and [DONE]."""

    handler = LateHandler


class DiesBare(ForeignService):
    """Correct, but odd: a background stream fails in the middle, and says so in bare JSON as recorded live."""

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        events = list(super().events(run))
        yield from events[:5] if run.body.get("background") else events

    def encode(self, event: Json) -> bytes:
        self.last = event
        return super().encode(event)

    def closing(self) -> bytes:
        return super().closing() if self.last["event_type"] == "interaction.completed" else BARE


class OtherWords(ForeignService):
    """Correct, but odd: one delta for each letter, an event nobody knows, data without event lines."""

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        for due, event in super().events(run):
            text = event.get("delta", {}).get("text", "")
            for letter in text or " ":
                delta = {"delta": {"type": "text", "text": letter}} if text else {}
                yield due, {**event, **delta, "event_id": f"{event['event_id']}-{letter}"}
                event = {**event, "event_id": f"{event['event_id']}x"}
            if event["event_type"] == "step.stop":
                yield due, {"event_type": "interaction.weather", "sky": "blue"}

    def encode(self, event: Json) -> bytes:
        return b"data: %s\n\n" % json.dumps(event).encode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("service", "faults", "codes"),
    [
        (NeverCompletes(), {"stream.terminal": "fail"}, ["stream.terminal"]),
        (OldNames(), {"stream.legacy-names": "fail"}, ["stream.legacy-names/event"]),
        (MalformedEnd(), {"stream.schema": "fail"}, ["stream.schema/required"]),
        (BrokenEnd(), {"stream.json": "fail"}, ["stream.json/syntax"]),
        (LosesText(), {"stream.text": "fail"}, ["stream.text"]),
        (StaysOpen(), {"stream.closes": "warn"}, ["stream.closes"]),
        (NeverEnds(), {"stream.closes": "warn"}, ["stream.closes/hangs"]),
        (EndsLate(), {}, []),
        (OwnStatus(), {"create.status": "fail"}, ["create.status/unknown-end"]),
        (DiesBare(), {}, []),
        (OtherWords(), {}, []),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ForeignService) else "",
)
def test_each_defect_is_found_once_and_nothing_else(
    service: ForeignService, faults: dict[str, str], codes: list[str]
) -> None:
    """A server with one defect has the findings that name it, and an odd one has none."""
    report = check(service, *STREAMS)
    assert report.faults == faults
    assert [code for name in faults for code in dict.fromkeys(report.codes[name])] == codes


def test_each_old_name_is_told_once_with_the_new_one() -> None:
    """A stream of the old generation has one finding for each name, which tells the name of today."""
    report = check(OldGeneration(), "stream.legacy-names")
    told = [message.partition(", in this answer")[0] for message in report.messages["stream.legacy-names"]]
    assert "content.delta is the name before May 2026 of step.delta" in told
    assert "interaction.complete is the name before May 2026 of interaction.completed" in told


def test_bare_json_at_the_end_is_information() -> None:
    """What ended the stream is noted with its code and message; no completion and no [DONE] are missed."""
    report = check(DiesBare(), "stream.bare-error", "stream.done", "stream.terminal")
    assert report.verdicts == {"stream.bare-error": "info", "stream.done": "pass", "stream.terminal": "pass"}
    assert report.exit == 0


def test_a_defect_of_every_stream_is_not_one_of_resumes() -> None:
    """Where plain streams have a wrong text already, what a resume adds to the whole stream follows from it."""
    faults = check(MixesText(), "stream.text", "resume.*", words=("-j", "1")).faults
    assert faults["stream.text"] == "fail"
    assert not {"resume.exclusive", "resume.from-create", "resume.no-gap"} & set(faults)
