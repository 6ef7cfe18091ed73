"""`harness.resume` with google-genai."""

from contextlib import suppress

from google import genai
from tasks import CREATE, LOOK, answer_tasks, further_of, genai_options, go_on, parts_of

from harness.resume import RetryLimits, follow

PATIENCE = RetryLimits(delay=0.05, poll=0.05)


def read(task):
    """Do one task."""
    client, mode = genai.Client(api_key="any", http_options=genai_options(task)), task["mode"]
    match mode:
        case "follow":
            return answer_of(follow(client, task["interaction"], patience=PATIENCE))
        case "cancel":
            return cancel(client, task["interaction"])
        case "chain" | "tools":
            return take_turns(client, task)
    create = {**CREATE, "background": mode == "background"}
    return answer_of(follow(client, create=create, patience=PATIENCE))


def answer_of(stream):
    """The answer, once it is at its end."""
    return {"events": [dict(event) for event in stream], "status": stream.status}


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
        streams.append(follow(client, create={**create, "background": True}, patience=PATIENCE))
        return answer_of(streams[-1])

    answer = read_turn({**CREATE, "tools": [LOOK]} if task["mode"] == "tools" else CREATE)
    while further := further_of(parts_of(streams[-1].id, streams[-1].interaction["steps"]), task):
        said += streams[-1].interaction["steps"]
        answer = go_on(read_turn, further, said)
        if task["mode"] == "chain":
            break
        said += further["input"]
    return answer


answer_tasks(read)
