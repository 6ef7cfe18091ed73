"""Structured output: the answer is JSON of a form that the program chooses."""

import json

from google import genai

RECIPE = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "minutes": {"type": "integer"},
        "ingredients": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name", "minutes", "ingredients"],
}

client = genai.Client()
interaction = client.interactions.create(
    model="gemini-3.8-flash",
    input="A simple tomato soup.",
    response_format={"type": "text", "mime_type": "application/json", "schema": RECIPE},
)
recipe = json.loads(interaction.output_text)
print(f"{recipe['name']}: {recipe['minutes']} minutes, {len(recipe['ingredients'])} ingredients")
