"""Images: one is drawn, then changed in a second turn."""

import base64
from pathlib import Path

from google import genai

client = genai.Client()
first = client.interactions.create(
    model="gemini-3.1-flash-image",
    input="A lighthouse in the fog, as a woodcut.",
    response_format={"type": "image", "aspect_ratio": "16:9"},
)
second = client.interactions.create(
    model="gemini-3.1-flash-image",
    input="Now at night.",
    previous_interaction_id=first.id,
    response_format={"type": "image", "aspect_ratio": "16:9"},
)
for number, interaction in enumerate((first, second), start=1):
    image = interaction.output_image
    Path(f"lighthouse-{number}.jpg").write_bytes(base64.b64decode(image.data))
    print(f"lighthouse-{number}.jpg: {image.mime_type}")
