"""Sample clients for `harness torture`, on the standard library alone so that they start fast.

The first argument is the kind: `resumes` is right; `restarts` asks for the stream from the start and keeps what it
had; `believes` takes any end for the end of the answer; `gives-up` reports a drop; `events` returns events, and
repeats the one of its cursor. A second argument `loop` reads tasks from standard input.
"""

import json
import os
import sys
import urllib.parse
import urllib.request

KEY = {"x-goog-api-key": "key"}


def connection(base_url, interaction, cursor):
    """Yield the events of one connection."""
    url = f"{base_url}/v1beta/interactions/{interaction}?stream=true"
    if cursor:
        url += "&last_event_id=" + urllib.parse.quote(cursor, "")
    with urllib.request.urlopen(urllib.request.Request(url, headers=KEY)) as answer:
        for line in answer:
            if line.startswith(b"data: {"):
                yield json.loads(line[6:])


def read(kind, base_url, interaction):
    """Return the events this kind of client ends up with; raise EOFError if it gives up."""
    events, cursor = [], ""
    for _ in range(5):
        try:
            for event in connection(base_url, interaction, cursor):
                events.append(event)
                cursor = event.get("event_id") or cursor
                if event["event_type"] == "interaction.completed":
                    return events
        except Exception as error:
            print("dropped:", type(error).__name__, file=sys.stderr)
        if kind == "gives-up":
            break
        if kind == "believes":
            return events
        if kind == "restarts":
            cursor = ""
        if kind == "events":
            events += events[-1:]
    raise EOFError("gave up")


def text_of(events):
    """Return the text of all text deltas."""
    deltas = (event.get("delta") or {} for event in events)
    return "".join(delta.get("text", "") for delta in deltas if delta.get("type") == "text")


def answer(kind, base_url, interaction):
    """Return the answer to one task in the form of `--loop`."""
    try:
        events = read(kind, base_url, interaction)
    except EOFError as error:
        return {"error": str(error)}
    return {"events": events} if kind == "events" else {"text": text_of(events)}


def main(kind, *mode):
    """Run as a client for one case, or for all."""
    if mode == ("loop",):
        for line in sys.stdin:
            task = json.loads(line)
            print(json.dumps(answer(kind, task["base_url"], task["interaction"])), flush=True)
        return
    try:
        print(text_of(read(kind, os.environ["INTERACTIONS_BASE_URL"], os.environ["INTERACTION_ID"])))
    except EOFError as error:
        raise SystemExit(str(error)) from None


main(*sys.argv[1:])
