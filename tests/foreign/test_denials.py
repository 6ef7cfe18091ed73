"""Foreign servers that deny once, or in one mode, what they grant otherwise, and such that may."""

from __future__ import annotations

from typing import Any

import pytest

from tests.foreign.answering import Json, Refused
from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Run


class RefusesOneStream(ForeignService):
    """Refuses the first streamed create of a run as forbidden, and accepts the same one later."""

    refused = False

    def create(self, body: Json) -> Any:
        if body.get("stream") and not self.refused:
            self.refused = True
            raise Refused(403, "permission_denied", "You may not use this model.")
        return super().create(body)


class KeepsStreamed(ForeignService):
    """Finds no streamed interaction again when it is deleted, although GET shows it."""

    def delete(self, run: Run) -> Any:
        if run.body.get("stream"):
            raise Refused(404, "not_found", "There is no such interaction.")
        return super().delete(run)


class LosesStreamed(ForeignService):
    """Gives a streamed create an id under which nothing is ever found."""

    def create(self, body: Json) -> Any:
        answer = super().create(body)
        if body.get("stream"):
            self.runs.pop(f"i{self.made}", None)
        return answer


class AnswersOneStreamWhole(ForeignService):
    """Answers the first streamed create with JSON, as if `stream` were not there."""

    whole = False

    def create(self, body: Json) -> Any:
        if body.get("stream") and not self.whole:
            self.whole = True
            return super().create({name: value for name, value in body.items() if name != "stream"})
        return super().create(body)


class IsBusyOnce(ForeignService):
    """Correct, but odd: refuses the first streamed create because another request is under way."""

    refused = False

    def create(self, body: Json) -> Any:
        if body.get("stream") and not self.refused:
            self.refused = True
            raise Refused(409, "aborted", "Another request of this key is under way.")
        return super().create(body)


class NeverStreams(ForeignService):
    """Correct, but odd: offers no streams, and refuses each in the same way."""

    def create(self, body: Json) -> Any:
        if body.get("stream"):
            raise Refused(400, "invalid_request", "This server does not stream.")
        return super().create(body)


class NeverDeletes(ForeignService):
    """Correct, but odd: offers no deletes, and answers as if there were nothing to delete."""

    def delete(self, run: Run) -> Any:
        raise Refused(404, "not_found", "There is nothing under this path.")


class ReadsOnlyShortText(ForeignService):
    """Correct, but odd: refuses long inputs, and characters outside of the basic plane."""

    def admit(self, body: Json) -> None:
        given = str(body.get("input"))
        if len(given) > 2000 or max(given, default="") > "\uffff":
            raise Refused(400, "invalid_request", "This server does not read such a text.")
        super().admit(body)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("service", "globs", "code"),
    [
        (RefusesOneStream, ("create.ok", "stream.opens"), "create.ok/denied"),
        (KeepsStreamed, ("del.ok", "stream.opens"), "del.ok/denied"),
        (LosesStreamed, ("get.ok", "del.ok", "stream.opens"), "get.ok/denied"),
        (AnswersOneStreamWhole, ("http.ct-stream", "stream.opens"), "http.ct-stream"),
    ],
)
def test_a_denial_that_others_contradict_fails_the_run(
    service: type[ForeignService], globs: tuple[str, ...], code: str
) -> None:
    """The rule of the denied request is broken, and nothing else."""
    report = check(service(), *globs)
    assert report.faults == {code.partition("/")[0]: "fail"}
    assert code in report.codes[code.partition("/")[0]]
    assert report.exit == 1


@pytest.mark.slow
@pytest.mark.parametrize("service", [IsBusyOnce, NeverStreams, NeverDeletes])
def test_a_refusal_that_nothing_contradicts_is_none(service: type[ForeignService]) -> None:
    """What is refused each time, or may be refused for the moment, breaks no rule."""
    report = check(service(), "create.ok", "get.ok", "stream.opens")
    assert report.faults == {}


@pytest.mark.slow
def test_a_refusal_for_what_an_input_contains_is_none() -> None:
    """The rule about such an input alone is broken, and that one is a SHOULD."""
    report = check(ReadsOnlyShortText(), "create.*", "stream.*")
    assert (report.exit, report.faults) == (0, {"create.unicode": "warn"})
