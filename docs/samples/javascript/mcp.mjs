// MCP: the service itself calls the tools of a remote server and answers with what it found.
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({});
const interaction = await ai.interactions.create({
  model: "gemini-3.8-flash",
  input: "Which command creates a virtual machine with the Azure CLI?",
  tools: [{ type: "mcp_server", name: "microsoft_learn", url: "https://learn.microsoft.com/api/mcp" }],
});
for (const step of interaction.steps) {
  if (step.type !== "mcp_server_tool_call") continue;
  console.log(`[${step.server_name}] ${step.name} ${JSON.stringify(step.arguments)}`);
}
console.log(interaction.output_text);
