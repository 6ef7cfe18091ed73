"""Mutants: creating an interaction, and the response to it."""

from __future__ import annotations

from harness.emulator.engine import Engine
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json, altered, plain_error
from harness.emulator.reply.replies import Replies
from harness.emulator.run.interaction_body import Bodies
from harness.emulator.run.run import Run
from harness.emulator.script.scripts import Script
from harness.emulator.values.call import Call, Refusal
from harness.emulator.values.create_request import Order
from harness.emulator.values.ids import Ids
from harness.wire import Response

CREATE = Area("create")


class _Answer(Bodies):
    """Every rendered interaction passes through `change`."""

    def interaction(self, run: Run, *, timeline: bool, include_input: bool = False) -> Json:
        body = super().interaction(run, timeline=timeline, include_input=include_input)
        self.change(run, body, timeline)
        return body

    def change(self, run: Run, body: Json, timeline: bool) -> None:
        """The defect."""


@CREATE.mutant("create-crashes")
class _CreateCrashes(Engine):
    """Every create is answered with 500."""

    def create(self, call: Call) -> Response:
        return plain_error(500)


@CREATE.mutant("create-202")
class _Create202(Engine):
    """A create is answered with 202."""

    def create(self, call: Call) -> Response:
        response = super().create(call)
        response.status = 202
        return response


@CREATE.mutant("create-wrapped")
class _CreateWrapped(Engine):
    """The created interaction is wrapped in another object."""

    def create(self, call: Call) -> Response:
        return altered(super().create(call), lambda value: {"interaction": value})


@CREATE.mutant("create-list")
class _CreateList(Engine):
    """The created interaction is the only item of a list."""

    def create(self, call: Call) -> Response:
        return altered(super().create(call), lambda value: [value])


@CREATE.mutant("status-missing")
class _StatusMissing(_Answer):
    """Interactions have no status."""

    def change(self, run: Run, body: Json, timeline: bool) -> None:
        del body["status"]


@CREATE.mutant("status-number")
class _StatusNumber(_Answer):
    """The status is a number."""

    def change(self, run: Run, body: Json, timeline: bool) -> None:
        body["status"] = 2


@CREATE.mutant("status-upper")
class _StatusUpper(Bodies):
    """The status is in capitals."""

    def status(self, run: Run) -> str:
        return super().status(run).upper()


@CREATE.mutant("steps-object")
class _StepsObject(_Answer):
    """Steps are an object by index, not a list."""

    def change(self, run: Run, body: Json, timeline: bool) -> None:
        body["steps"] = {str(index): step for index, step in enumerate(body.get("steps", ()))}


@CREATE.mutant("outputs-not-steps")
class _OutputsNotSteps(_Answer):
    """Responses have `outputs` instead of steps, as in the old generation of the API."""

    def change(self, run: Run, body: Json, timeline: bool) -> None:
        body["outputs"] = [part for step in body.pop("steps", ()) for part in step.get("content", ())]


@CREATE.mutant("never-final")
class _NeverFinal(Engine):
    """A foreground create is answered with the status in_progress, as if it ran in the background."""

    def create(self, call: Call) -> Response:
        def change(body: Json) -> None:
            body["status"] = "in_progress"

        return altered(super().create(call), change)


@CREATE.mutant("id-missing")
class _IdMissing(_Answer):
    """Stored interactions have no id."""

    def change(self, run: Run, body: Json, timeline: bool) -> None:
        body.pop("id", None)


@CREATE.mutant("id-empty")
class _IdEmpty(_Answer):
    """Stored interactions have an empty id."""

    def change(self, run: Run, body: Json, timeline: bool) -> None:
        body["id"] = ""


@CREATE.mutant("id-number")
class _IdNumber(_Answer):
    """Ids are numbers."""

    def change(self, run: Run, body: Json, timeline: bool) -> None:
        body["id"] = run.number >> 12


@CREATE.mutant("id-repeats")
class _IdRepeats(Engine):
    """Every interaction gets the same id."""

    def interaction_id(self, number: int) -> str:
        return "v1_0"


@CREATE.mutant("object-missing")
class _ObjectMissing(_Answer):
    """Interactions lack the field `object`."""

    def change(self, run: Run, body: Json, timeline: bool) -> None:
        del body["object"]


@CREATE.mutant("object-wrong")
class _ObjectWrong(_Answer):
    """Interactions have the `object` of another API, `response`."""

    def change(self, run: Run, body: Json, timeline: bool) -> None:
        body["object"] = "response"


@CREATE.mutant("times-not-rfc3339")
class _TimesNotRfc3339(_Answer):
    """Times are written as day.month.year."""

    def change(self, run: Run, body: Json, timeline: bool) -> None:
        body["created"] = body["updated"] = "09.06.2026 00:00"


@CREATE.mutant("times-missing")
class _TimesMissing(_Answer):
    """Interactions have no times."""

    def change(self, run: Run, body: Json, timeline: bool) -> None:
        del body["created"], body["updated"]


@CREATE.mutant("updated-before-created")
class _UpdatedBeforeCreated(_Answer):
    """The time of the last update is before the creation."""

    def change(self, run: Run, body: Json, timeline: bool) -> None:
        body["updated"] = "2026-06-08T23:59:59Z"


@CREATE.mutant("model-not-told")
class _ModelNotTold(Bodies):
    """Interactions do not name the model."""

    def author(self, run: Run) -> Json:
        return {}


@CREATE.mutant("steps-repeat-input")
class _StepsRepeatInput(Bodies):
    """The response to a create begins with the user's input."""

    def steps(self, run: Run, *, timeline: bool) -> list[Json]:
        return super().steps(run, timeline=True)


@CREATE.mutant("completed-empty")
class _CompletedEmpty(Replies):
    """Completed interactions have a thought but no output."""

    def steps(self, order: Order, script: Script) -> tuple[list[Json], bool]:
        steps, cut = super().steps(order, script)
        return [step for step in steps if step["type"] != "model_output"], cut


@CREATE.mutant("streams-unasked")
class _StreamsUnasked(Engine):
    """A create that does not mention `stream` is answered with a stream."""

    def answer(self, opened: tuple[Run, Order]) -> Response:
        run, order = opened
        order.stream = order.body.get("stream") is not False
        return super().answer((run, order))


@CREATE.mutant("stream-false-streams")
class _StreamFalseStreams(Engine):
    """A create with `stream: false` is answered with a stream."""

    def answer(self, opened: tuple[Run, Order]) -> Response:
        run, order = opened
        order.stream = "stream" in order.body
        return super().answer((run, order))


@CREATE.mutant("format-ignored")
class _FormatIgnored(Replies):
    """A create with a JSON response format returns prose."""

    def formatted(self, order: Order, wanted: Json) -> Json:
        return self.text_content(order, self.words(order))


@CREATE.mutant("format-fenced")
class _FormatFenced(Replies):
    """A create with a JSON response format returns JSON inside a Markdown code fence."""

    def formatted(self, order: Order, wanted: Json) -> Json:
        content = super().formatted(order, wanted)
        if "text" in content:
            content["text"] = f"```json\n{content['text']}\n```"
        return content


@CREATE.mutant("tiny-limit-crashes")
class _TinyLimitCrashes(Replies):
    """A create with a tiny max_output_tokens is answered with 500."""

    def within_limit(self, order: Order, steps: list[Json]) -> tuple[list[Json], bool]:
        kept, cut = super().within_limit(order, steps)
        if cut:
            raise Refusal(500, "api_error", "Internal error.")
        return kept, cut


@CREATE.mutant("tiny-limit-fails")
class _TinyLimitFails(Replies):
    """A run whose output was cut by max_output_tokens has the status failed."""

    def status(self, steps: list[Json], script: Script, cut: bool) -> str:
        return "failed" if cut else super().status(steps, script, cut)


@CREATE.mutant("ids-restart")
class _IdsRestart(Ids):
    """Ids are repeated after a few interactions."""

    def number(self) -> int:
        self._count %= 2
        return super().number()


@CREATE.mutant("store-flag-inverted")
class _StoreFlagInverted(Engine):
    """Interactions are stored only with an explicit `store: true`."""

    def open(self, order: Order) -> tuple[Run, Order]:
        order.store = order.body.get("store") is True
        return super().open(order)


@CREATE.mutant("answers-somebody-else")
class _AnswersSomebodyElse(Engine):
    """A create is answered with the interaction of the previous create."""

    _earlier: Run | None = None

    def open(self, order: Order) -> tuple[Run, Order]:
        run, order = super().open(order)
        shown, self._earlier = self._earlier or run, run
        return shown, order
