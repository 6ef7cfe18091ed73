// A very long answer: it comes in several outputs under one id, which are joined.
import { setTimeout } from "node:timers/promises";
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({});
let interaction = await ai.interactions.create({
  model: "gemini-4-argon",
  input: "Write a textbook on knots.",
  background: true,
  generation_config: { max_output_tokens: 200_000 },
});
while (["queued", "in_progress"].includes(interaction.status)) {
  await setTimeout(5000);
  interaction = await ai.interactions.get(interaction.id);
}
const outputs = (interaction.steps ?? []).filter((step) => step.type === "model_output");
const parts = outputs.flatMap((step) => step.content).filter((part) => part.type === "text");
const text = parts.map((part) => part.text).join("");
console.log(`${outputs.length} outputs, ${text.length} characters, ${interaction.status}`);
console.log(text);
