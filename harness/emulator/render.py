"""Interactions as JSON bodies.

Layer 2. Source: recordings for the fields and their order; MIG and the overview for GET's full timeline with the
user's input in front, POST's output steps only; recordings for the missing id of what is not stored. Seams: one
method a group of fields.
"""

from __future__ import annotations

from typing import Any

import msgspec

from harness.emulator.run import Run

Json = dict[str, Any]

_ECHOED = ("previous_interaction_id", "labels", "webhook_config", "agent_config")
_encode = msgspec.json.Encoder().encode


class Bodies:
    """Renders a run as POST (`timeline=False`), GET or cancel answers show it."""

    def rendered(self, run: Run, *, timeline: bool, include_input: bool = False) -> bytes:
        """The body as bytes; a settled run's timeline is kept, for it is polled and read again."""
        if not timeline:
            return _encode(self.interaction(run, timeline=False, include_input=include_input))
        final = self.final(run)
        kept = run.bodies.get(include_input) if final else None
        if kept is None:
            kept = _encode(self.interaction(run, timeline=True, include_input=include_input))
            if final:
                run.bodies[include_input] = kept
        return kept

    def final(self, run: Run) -> bool:
        """Whether the run has settled and polls may see it."""
        return run.settled and run.visible_status == run.status

    def interaction(self, run: Run, *, timeline: bool, include_input: bool = False) -> Json:
        """The interaction; in progress it has no usage yet, and on create no steps."""
        settled = self.final(run)
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
        """The token counts of a settled run."""
        return run.usage

    def author(self, run: Run) -> Json:
        """The model or the agent."""
        return run.author

    def steps(self, run: Run, *, timeline: bool) -> list[Json]:
        """Output steps, with the input in front when the whole timeline is asked for."""
        done = run.finished_steps()
        return [*run.given, *done] if timeline else done

    def extras(self, run: Run, body: Json, settled: bool) -> None:
        """Fields that only some interactions have."""
        asked = run.body
        for name in _ECHOED:
            if name in asked:
                body[name] = asked[name]
        if run.environment_id is not None:
            body["environment_id"] = run.environment_id
        if settled and run.token is not None:
            body["continuation_token"] = run.token
        if settled and run.errors:
            body["errors"] = run.errors
