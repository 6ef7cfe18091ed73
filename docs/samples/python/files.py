"""Files: upload a table, ask about it, delete it. Files expire by themselves after two days."""

import io
import time

from google import genai

client = genai.Client()
table = io.BytesIO(b"city,inhabitants\nKyoto,1460000\nTurin,840000\n")
file = client.files.upload(file=table, config={"mime_type": "text/csv", "display_name": "cities"})
try:
    while file.state.name == "PROCESSING":  # videos take a while
        time.sleep(1)
        file = client.files.get(name=file.name)
    interaction = client.interactions.create(
        model="gemini-3.8-flash",
        input=[
            {"type": "text", "text": "Which city is larger?"},
            {"type": "document", "uri": file.uri, "mime_type": file.mime_type},
        ],
    )
    print(interaction.output_text)
finally:
    client.files.delete(name=file.name)
