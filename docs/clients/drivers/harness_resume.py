"""`harness.resume` with google-genai."""

from contextlib import suppress

from google import genai
from tasks import CREATE, LOOK, answer_tasks, further_of, genai_options, go_on

from harness.resume import RetryLimits, follow

PATIENCE = RetryLimits(delay=0.05, poll=0.05)


def read(task):
    """Do one task."""
    client = genai.Client(api_key="any", http_options=genai_options(task))
    match task["mode"]:
        case "follow":
            stream = follow(client, task["interaction"], patience=PATIENCE)
        case "cancel":
            return cancel(client, task["interaction"])
        case "chain" | "tools":
            return take_turns(client, task)
        case mode:
            stream = turn(client, **CREATE, background=mode == "background")
    return answer_of(stream)


def answer_of(stream):
    """The answer, once it is at its end."""
    return {"events": [dict(event) for event in stream], "status": stream.status}


def turn(client, **create):
    """What follows a create to its end."""
    return follow(client, create=create, patience=PATIENCE)


def cancel(client, given):
    """Cancel after three events, and read on: what became of it is in the stream."""
    stream = follow(client, given, patience=PATIENCE)
    for number, _ in enumerate(stream, 1):
        if number == 3:
            with suppress(Exception):
                client.interactions.cancel(given)
    return {"status": stream.status}


def take_turns(client, task):
    """Read a turn to its end, then the one that continues it, or those that answer its calls."""
    streams, said = [], []

    def read_turn(create):
        streams.append(turn(client, **create, background=True))
        return answer_of(streams[-1])

    answer = read_turn({**CREATE, "tools": [LOOK]} if task["mode"] == "tools" else CREATE)
    while task["mode"] == "tools" or len(streams) == 1:
        steps = streams[-1].interaction["steps"]
        calls = [step for step in steps if step["type"] == "function_call"]
        told = [{"call": {"call_id": call["id"], "name": call["name"]}} for call in calls]
        said += steps
        if not (further := further_of([{"id": streams[-1].id}, *told], task)):
            break
        answer = go_on(read_turn, further, said)
        said += further["input"] if told else []
    return answer


answer_tasks(read)
