"""Functions: the model asks for calls, the program makes them, and the model goes on with their results."""

from google import genai

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells the weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def get_weather(city: str) -> dict:
    """Look the weather up; here it is always the same."""
    return {"city": city, "sky": "clear", "degrees": 21}


client = genai.Client()
interaction = client.interactions.create(
    model="gemini-3.8-flash", input="How is the weather in Turin?", tools=[WEATHER]
)
while interaction.status == "requires_action":
    results = [
        {"type": "function_result", "call_id": call.id, "name": call.name, "result": get_weather(**call.arguments)}
        for call in interaction.steps
        if call.type == "function_call"
    ]
    interaction = client.interactions.create(
        model="gemini-3.8-flash",
        previous_interaction_id=interaction.id,
        input=results,
        tools=[WEATHER],  # tools are not inherited
    )
print(interaction.output_text)
