"""Thoughts: how hard the model thinks, and a summary of it, apart from the answer."""

from google import genai

client = genai.Client()
interaction = client.interactions.create(
    model="gemini-3.8-flash",
    input="Three friends share 17 apples fairly. How many are left over?",
    generation_config={"thinking_level": "high", "thinking_summaries": "auto"},
)
for step in interaction.steps:
    if step.type == "thought":
        for part in step.summary or []:
            print(f"[thought] {part.text}")
print(interaction.output_text)
print(f"{interaction.usage.total_thought_tokens} tokens of thought")
