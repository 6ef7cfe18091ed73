"""Resume: a background run is streamed, and after a lost connection read on from the last event with an id."""

import time

from google import genai

client = genai.Client()
run = client.interactions.create(model="gemini-3.8-flash", input="Tell the story of salt.", background=True)
kept, cursor, status = "", None, None
for attempt in range(6):
    text = kept  # what came after the last id comes again; without any id, everything does
    try:
        more = {"last_event_id": cursor} if cursor else {}
        for event in client.interactions.get(run.id, stream=True, **more):
            if event.event_type == "step.delta" and event.delta.type == "text":
                text += event.delta.text
            elif event.event_type == "interaction.completed":
                status = event.interaction.status
            if event.event_id and event.event_type != "error":  # the id of an error is no place in the stream
                kept, cursor = text, event.event_id
    except Exception as lost:  # the SDK has no public name for a connection that is lost
        print(f"(connection lost: {lost})")
    if status:
        break
    time.sleep(min(2**attempt, 15))
print(text if status else "the answer never came to its end")
