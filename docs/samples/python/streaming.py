"""A stream: text is printed as it comes. Without `interaction.completed` the answer is not whole."""

from google import genai

client = genai.Client()
status = None
for event in client.interactions.create(model="gemini-3.8-flash", input="Write four lines on rain.", stream=True):
    if event.event_type == "step.delta" and event.delta.type == "text":
        print(event.delta.text, end="", flush=True)
    elif event.event_type == "error":
        raise SystemExit(f"the stream broke: {event.error}")
    elif event.event_type == "interaction.completed":
        status = event.interaction.status
print()
if status is None:
    raise SystemExit("the stream ended before the answer did")
print(f"({status})")
