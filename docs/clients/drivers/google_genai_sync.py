"""google-genai, sync: the events of its iterator, as its documentation shows it."""

import time

from google import genai
from tasks import CREATE, LOOK, SETTLED, answer_of, answer_tasks, event_of, further_of, genai_access, genai_options


def read(task):
    """Do one task."""
    client = genai.Client(**genai_access(), http_options=genai_options(task))
    interactions = client.interactions
    match task["mode"]:
        case "poll":
            return poll(interactions, interactions.create(**CREATE, background=True))
        case "cancel":
            return cancel(interactions, task["interaction"])
        case "chain" | "tools":
            return take_turns(interactions, task)
        case "follow":
            stream = interactions.get(task["interaction"], stream=True)
        case mode:
            stream = interactions.create(**CREATE, stream=True, background=mode == "background")
    return answer_of([event_of(event) for event in stream])


def poll(interactions, found):
    """Ask until it has ended."""
    while found.status not in SETTLED:
        time.sleep(0.01)
        found = interactions.get(found.id)
    return {"text": found.output_text or "", "status": found.status}


def cancel(interactions, given):
    """Read three events, cancel, and ask until it has ended."""
    for number, _ in enumerate(interactions.get(given, stream=True), 1):
        if number == 3:
            break
    return {"status": poll(interactions, interactions.cancel(given))["status"]}


def take_turns(interactions, task):
    """Read a turn, then the one that continues it, or those that answer its calls."""
    first = {**CREATE, "tools": [LOOK]} if task["mode"] == "tools" else CREATE
    parts = [event_of(event) for event in interactions.create(**first, stream=True)]
    further = further_of(parts, task)
    while further:
        parts = [event_of(event) for event in interactions.create(**further, stream=True)]
        further = further_of(parts, task) if task["mode"] == "tools" else {}
    return answer_of(parts)


answer_tasks(read)
