"""google-genai, sync: the events of its iterator, as its documentation shows it."""

import time

from google import genai
from tasks import CREATE, SECONDS, SETTLED, answer_of, answer_tasks, event_of


def read(task):
    """Do one task."""
    options = {"base_url": task["base_url"], "timeout": int(SECONDS * 1000)}
    client = genai.Client(api_key="any", http_options=options)
    if task["mode"] == "poll":
        return poll(client.interactions)
    if task["mode"] == "follow":
        stream = client.interactions.get(task["interaction"], stream=True)
    else:
        stream = client.interactions.create(**CREATE, stream=True, background=task["mode"] == "background")
    return answer_of([event_of(event) for event in stream])


def poll(interactions):
    """Create in the background, and ask until it has ended."""
    found = interactions.create(**CREATE, background=True)
    while found.status not in SETTLED:
        time.sleep(0.01)
        found = interactions.get(found.id)
    return {"text": found.output_text or "", "status": found.status}


answer_tasks(read)
