"""A very long answer: it comes in several outputs under one id, which are joined."""

import time

from google import genai

client = genai.Client()
interaction = client.interactions.create(
    model="gemini-4-argon",
    input="Write a textbook on knots.",
    background=True,
    generation_config={"max_output_tokens": 200_000},
)
while interaction.status in ("queued", "in_progress"):
    time.sleep(5)
    interaction = client.interactions.get(interaction.id)
outputs = [step for step in interaction.steps or [] if step.type == "model_output"]
text = "".join(part.text for step in outputs for part in step.content if part.type == "text")
print(f"{len(outputs)} outputs, {len(text)} characters, {interaction.status}")
print(text)
