"""A correct client on httpx, for `harness torture --loop`."""

import json
import sys
import time

import httpx
from heard import BrokenOff, Heard, Patience, check, silence_of

KEY = {"x-goog-api-key": "any"}


def follow(client, interaction):
    """Read an interaction to its end."""
    heard, patience = Heard(interaction), Patience()
    path = f"/v1beta/interactions/{interaction}"
    while True:
        before = heard.news
        try:
            if patience.failures or not patience.streams:
                heard.polled(get(client, path))
            if heard.final is None and patience.streams:
                stream(client, path, heard)
            problem = BrokenOff("the stream ended without interaction.completed")
        except httpx.HTTPError as error:
            problem = BrokenOff(f"{type(error).__name__}: {error}")
        except BrokenOff as error:
            problem = error
        if heard.final is not None:
            return heard
        time.sleep(patience.note(heard, before, problem))


def get(client, path):
    """The interaction as it is now."""
    answer = client.get(path)
    check(answer.status_code, answer.headers, answer.text, stream=False)
    return answer.json()


def stream(client, path, heard):
    """Read one connection."""
    query = {"stream": "true"}
    if heard.cursor is not None:
        query["last_event_id"] = heard.cursor
    with client.stream("GET", path, params=query) as answer:
        check(answer.status_code, answer.headers, "" if answer.status_code < 400 else answer.read(), stream=True)
        heard.connect()
        for data in answer.iter_bytes():
            if not heard.feed(data):
                return


def main():
    """Answer one task after another."""
    for line in sys.stdin:
        task = json.loads(line)
        try:
            timeout = silence_of(task)
            with httpx.Client(base_url=task["base_url"], headers=KEY, timeout=timeout, verify=False) as client:
                heard = follow(client, task["interaction"])
            answer = {"text": heard.text, "status": heard.final["status"]}
        except BrokenOff as error:
            answer = {"error": str(error)}
        print(json.dumps({"case": task["case"], **answer}), flush=True)


main()
