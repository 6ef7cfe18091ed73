"""What remains of a run that is stopped in the middle.

Layer 2. An open model_output step ends where it is; any other open step is completed, because half a signature or
half of the arguments would be invalid. Inferred: no source says what a cancelled run keeps. Pure.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Json = dict[str, Any]


class CancelRemainder(NamedTuple):
    """The events kept, the steps they add up to, and the index of the output step that still needs a step.stop."""

    events: list[Json]
    steps: list[Json]
    unstopped: int | None


def cut(events: list[Json], shown: int, steps: list[Json]) -> CancelRemainder:
    """Stop a run after `shown` of its `events`; all of them would have added up to `steps`."""
    happened = events[:shown]
    stops = count_complete_steps(happened)
    starts = sum(event["event_type"] == "step.start" for event in happened)
    if starts <= stops:
        return CancelRemainder(happened, steps[:stops], None)
    if steps[stops]["type"] == "model_output":
        partial = {"content": _assemble_contents(happened, stops), "type": "model_output"}
        return CancelRemainder(happened, [*steps[:stops], partial], stops)
    end = next(i for i in range(shown, len(events)) if events[i]["event_type"] == "step.stop")
    return CancelRemainder(events[: end + 1], steps[: stops + 1], None)


def count_complete_steps(events: list[Json]) -> int:
    """Return how many steps are complete."""
    return sum(event["event_type"] == "step.stop" for event in events)


def _assemble_contents(events: list[Json], index: int) -> list[Json]:
    """Assemble the contents of step `index` from its deltas so far."""
    contents: list[Json] = []
    for event in events:
        if event["event_type"] != "step.delta" or event["index"] != index:
            continue
        delta = event["delta"]
        last = contents[-1] if contents else {}
        if delta["type"] == "text_annotation_delta":
            last["annotations"] = delta["annotations"]
        elif delta["type"] == "text" and last.get("type") == "text" and "annotations" not in last:
            last["text"] += delta["text"]
        else:
            contents.append(dict(delta))
    return contents
