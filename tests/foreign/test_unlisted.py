"""Foreign servers that say more than the published schemas name: that is told once, and is no fault."""

from __future__ import annotations

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Run


class Newer(ForeignService):
    """Correct, and of a newer API: a further step, a further event and a further field."""

    def show(self, run: Run) -> Json:
        body = super().show(run)
        if "steps" in body:
            body["steps"] = [{"type": "daydream", "of": "sheep"}, *body["steps"]]
        return {**body, "mood": "fine"}

    def encode(self, event: Json) -> bytes:
        frame = super().encode(event)
        if event["event_type"] == "interaction.created":
            return frame + super().encode({"event_type": "interaction.yawned", "interaction_id": "x"})
        return frame


def test_what_is_new_is_told_once_with_a_count() -> None:
    """One finding for each kind, however many answers hold it; nothing else is accused."""
    report = check(Newer(), "http.unlisted", "create.*", "get.*", "stream.opens", "stream.schema")
    assert report.faults == {}
    assert report.verdicts["http.unlisted"] == "info"
    messages = report.messages["http.unlisted"]
    told = sorted(message.partition(", in this response and ")[::2] for message in messages)
    assert [what for what, _ in told] == [
        "the event `interaction.yawned` is in no published schema",
        "the field `mood` is in no published schema",
        "the step `daydream` is in no published schema",
    ]
    assert all(int(more.removesuffix(" more")) > 0 for _, more in told)


def test_what_is_listed_is_not_told() -> None:
    """A server that sends what the schemas name passes."""
    assert check(ForeignService(), "http.unlisted").verdicts == {"http.unlisted": "pass"}
