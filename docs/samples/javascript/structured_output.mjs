// Structured output: the answer is JSON of a form that the program chooses.
import { GoogleGenAI } from "@google/genai";

const schema = {
  type: "object",
  properties: {
    name: { type: "string" },
    minutes: { type: "integer" },
    ingredients: { type: "array", items: { type: "string" } },
  },
  required: ["name", "minutes", "ingredients"],
};

const ai = new GoogleGenAI({});
const interaction = await ai.interactions.create({
  model: "gemini-3.8-flash",
  input: "A simple tomato soup.",
  response_format: { type: "text", mime_type: "application/json", schema },
});
const recipe = JSON.parse(interaction.output_text);
console.log(`${recipe.name}: ${recipe.minutes} minutes, ${recipe.ingredients.length} ingredients`);
