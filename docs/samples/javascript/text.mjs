// A conversation: the second turn knows the first, because the service keeps it.
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({});
const first = await ai.interactions.create({
  model: "gemini-3.8-flash",
  input: "My name is Ada. Suggest a name for my cat.",
});
console.log(first.output_text);

const second = await ai.interactions.create({
  model: "gemini-3.8-flash",
  input: "And what was mine?",
  previous_interaction_id: first.id,
});
console.log(second.output_text);
