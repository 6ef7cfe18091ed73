"""Interactions as JSON bodies.

Sources: recordings for the fields and their order, and for the missing id of an interaction that is not stored;
the migration guide and the overview for the steps (GET returns the full timeline, beginning with the user's input,
POST only output steps). Mutants override one method per group of fields.
"""

from __future__ import annotations

from typing import Any

import msgspec

from harness.emulator.run.run import Run

Json = dict[str, Any]

_encode = msgspec.json.Encoder().encode


class Bodies:
    """Renders a run for the response to a POST (`timeline=False`), a GET or a cancel."""

    def render(self, run: Run, *, timeline: bool, include_input: bool = False) -> bytes:
        if run.coded is None or timeline:
            return _encode(self.interaction(run, timeline=timeline, include_input=include_input))
        coded, run.coded = run.coded, None  # hot: what the other methods come to
        return _encode(
            {
                "id": run.id, "status": "completed", "usage": run.find_usage()[1], "created": run.created,
                "updated": run.updated, "service_tier": "standard", "steps": coded, "object": "interaction",
                "model": run.model,
            }
        )  # fmt: skip

    def interaction(self, run: Run, *, timeline: bool, include_input: bool = False) -> Json:
        """Return the interaction. In progress it has no usage, and until its first step is complete no steps."""
        settled = run.concluded
        body: Json = {"id": run.id} if run.stored else {}
        body["status"] = self.status(run)
        if settled:
            body["usage"] = self.usage(run)
        body["created"] = run.created
        body["updated"] = run.updated
        body["service_tier"] = run.service_tier
        steps = self.steps(run, timeline=timeline)
        if steps:
            body["steps"] = steps
        body["object"] = "interaction"
        body.update(self.author(run))
        self.extras(run, body, settled)
        if include_input:
            body["input"] = run.body.get("input", [])
        return body

    def status(self, run: Run) -> str:
        """The status as polls see it."""
        return run.visible_status

    def usage(self, run: Run) -> Json:
        return run.usage

    def author(self, run: Run) -> Json:
        """The model or the agent, as a field."""
        return run.author

    def steps(self, run: Run, *, timeline: bool) -> list[Json]:
        """Return the finished output steps, with the input before them if the whole timeline is requested."""
        done = run.steps if run.settled else run.finished_steps()
        if not timeline:
            return done
        made = [{"type": "provision_sandbox"}] if run.platform.vertex and run.environment_id else []
        return [*made, *run.given, *done]

    def extras(self, run: Run, body: Json, settled: bool) -> None:
        """Add the fields that only some interactions have."""
        asked, echoes = run.body, run.platform.echoes
        if not asked.keys().isdisjoint(echoes):  # hot: nearly every create has none
            body.update((name, asked[name]) for name in echoes if name in asked)
        if run.environment_id is not None:
            body["environment_id"] = run.environment_id
        if settled and run.token is not None:
            body["continuation_token"] = run.token
        if settled and run.errors:
            body["errors"] = run.errors
        if run.script.extra:
            body.update(run.script.extra)
