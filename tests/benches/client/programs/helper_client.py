"""`harness.resume` as a client for `harness torture --loop`."""

import json
import sys

import httpx
from heard import silence_of

from harness.resume import GaveUp, RetryLimits, follow

for line in sys.stdin:
    task = json.loads(line)
    try:
        with httpx.Client(
            base_url=task["base_url"], headers={"x-goog-api-key": "any"}, timeout=silence_of(task), verify=False
        ) as client:
            stream = follow(client, task["interaction"], patience=RetryLimits(delay=0.05, poll=0.05))
            events = [dict(event) for event in stream]
        answer = {"events": events, "status": stream.status}
    except GaveUp as error:
        answer = {"error": str(error)}
    print(json.dumps({"case": task["case"], **answer}), flush=True)
