"""Tool search: of many functions the model sees only names at first, and loads what it needs."""

from google import genai


def declare(name: str, short: str) -> dict:
    """A function whose declaration is loaded when the model asks for it."""
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    return {
        "type": "function",
        "name": name,
        "description": f"{short} Give the name of the city as its inhabitants write it.",
        "short_description": short,
        "parameters": parameters,
        "defer_loading": True,
    }


client = genai.Client()
interaction = client.interactions.create(
    model="gemini-3.8-flash",
    input="What is the time in Kyoto now?",
    tools=[
        {"type": "tool_search"},
        declare("get_weather", "Weather of a city."),
        declare("get_time", "Local time of a city."),
        declare("get_events", "Concerts in a city."),
    ],
)
for step in interaction.steps:
    if step.type == "tool_search_call":
        print("loaded:", ", ".join(step.arguments.function_names))
    elif step.type == "function_call":
        print("called:", step.name, step.arguments)
