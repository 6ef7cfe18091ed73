"""Background: a run that goes on without a connection, asked about until it has ended."""

import time

from google import genai

client = genai.Client()
interaction = client.interactions.create(
    model="gemini-3.8-flash", input="Compare five kinds of bridges.", background=True
)
wait = 1.0
while interaction.status in ("queued", "in_progress"):
    time.sleep(wait)
    wait = min(wait * 1.5, 15)
    interaction = client.interactions.get(interaction.id)
if interaction.status != "completed":
    raise SystemExit(f"it ended as {interaction.status}: {interaction.errors}")
print(interaction.output_text)
