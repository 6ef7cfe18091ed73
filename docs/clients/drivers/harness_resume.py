"""`harness.resume` with google-genai."""

from google import genai
from tasks import CREATE, SECONDS, answer_tasks

from harness.resume import RetryLimits, follow


def read(task):
    """Do one task."""
    options = {"base_url": task["base_url"], "timeout": int(SECONDS * 1000)}
    client = genai.Client(api_key="any", http_options=options)
    what = {"create": {**CREATE, "background": task["mode"] == "background"}}
    if task["mode"] == "follow":
        what = {"interaction_id": task["interaction"]}
    stream = follow(client, patience=RetryLimits(delay=0.05, poll=0.05), **what)
    events = [dict(event) for event in stream]
    return {"events": events, "status": stream.status}


answer_tasks(read)
