"""The reconnect loop of the official documentation, with google-genai; its pause of 3 s is 0.05 s here.

For ever: ask for the stream after the last event id, remember the id of each event, print text, return at
`interaction.completed`. An exception is printed, and after a pause it asks again.
"""

import sys
import time

from google import genai
from tasks import answer_tasks, genai_options

PAUSE = 0.05


def read(task):
    """Do one task."""
    client = genai.Client(api_key="any", http_options=genai_options(task))
    text, cursor = "", None
    while True:
        try:
            after = {} if cursor is None else {"last_event_id": cursor}
            for event in client.interactions.get(task["interaction"], stream=True, **after):
                cursor = event.event_id or cursor
                if event.event_type == "step.delta" and event.delta.type == "text":
                    text += event.delta.text
                if event.event_type == "interaction.completed":
                    return {"text": text, "status": event.interaction.status}
        except Exception as error:
            print(f"{type(error).__name__}: {error}"[:200], file=sys.stderr)
            time.sleep(PAUSE)


answer_tasks(read)
