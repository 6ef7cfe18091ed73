// Functions: the model asks for calls, the program makes them, and the model goes on with their results.
import { GoogleGenAI } from "@google/genai";

const weather = {
  type: "function",
  name: "get_weather",
  description: "Tells the weather of a city.",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const getWeather = ({ city }) => ({ city, sky: "clear", degrees: 21 });

const ai = new GoogleGenAI({});
const model = "gemini-3.8-flash";
const tools = [weather]; // they are not inherited: send them with every turn
let interaction = await ai.interactions.create({ model, input: "How is the weather in Turin?", tools });
while (interaction.status === "requires_action") {
  const calls = interaction.steps.filter((step) => step.type === "function_call");
  const results = calls.map((call) => ({
    type: "function_result",
    call_id: call.id,
    name: call.name,
    result: getWeather(call.arguments),
  }));
  interaction = await ai.interactions.create({
    model,
    previous_interaction_id: interaction.id,
    input: results,
    tools,
  });
}
console.log(interaction.output_text);
