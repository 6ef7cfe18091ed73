"""Speech: a sentence becomes a WAV file. The service sends bare samples, so the program adds the header."""

import base64
import wave
from pathlib import Path

from google import genai

client = genai.Client()
interaction = client.interactions.create(
    model="gemini-3.1-flash-tts-preview",
    input="Say cheerfully: the harness is ready.",
    response_format={"type": "audio"},
    generation_config={"speech_config": [{"voice": "Kore"}]},
)
audio = interaction.output_audio
samples = base64.b64decode(audio.data)
if audio.mime_type.startswith("audio/l16"):
    with wave.open("speech.wav", "wb") as file:
        file.setnchannels(audio.channels)
        file.setsampwidth(2)
        file.setframerate(audio.sample_rate)
        file.writeframes(samples)
else:
    Path("speech.wav").write_bytes(samples)
print(f"speech.wav: {len(samples)} bytes of {audio.mime_type}")
