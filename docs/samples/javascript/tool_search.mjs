// Tool search: of many functions the model sees only names at first, and loads what it needs.
import { GoogleGenAI } from "@google/genai";

const declare = (name, short) => ({
  type: "function",
  name,
  description: `${short} Give the name of the city as its inhabitants write it.`,
  short_description: short,
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  defer_loading: true,
});

const ai = new GoogleGenAI({});
const interaction = await ai.interactions.create({
  model: "gemini-3.8-flash",
  input: "What is the time in Kyoto now?",
  tools: [
    { type: "tool_search" },
    declare("get_weather", "Weather of a city."),
    declare("get_time", "Local time of a city."),
    declare("get_events", "Concerts in a city."),
  ],
});
for (const step of interaction.steps) {
  if (step.type === "tool_search_call") console.log("loaded:", step.arguments.function_names.join(", "));
  if (step.type === "function_call") console.log("called:", step.name, JSON.stringify(step.arguments));
}
