"""MCP: the service itself calls the tools of a remote server and answers with what it found."""

from google import genai

client = genai.Client()
interaction = client.interactions.create(
    model="gemini-3.8-flash",
    input="Which command creates a virtual machine with the Azure CLI?",
    tools=[{"type": "mcp_server", "name": "microsoft_learn", "url": "https://learn.microsoft.com/api/mcp"}],
)
for step in interaction.steps:
    if step.type == "mcp_server_tool_call":
        print(f"[{step.server_name}] {step.name} {step.arguments}")
print(interaction.output_text)
