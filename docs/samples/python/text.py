"""A conversation: the second turn knows the first, because the service keeps it."""

from google import genai

client = genai.Client()
first = client.interactions.create(model="gemini-3.8-flash", input="My name is Ada. Suggest a name for my cat.")
print(first.output_text)

second = client.interactions.create(
    model="gemini-3.8-flash", input="And what was mine?", previous_interaction_id=first.id
)
print(second.output_text)
