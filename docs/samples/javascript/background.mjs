// Background: a run that goes on without a connection, asked about until it has ended.
import { setTimeout } from "node:timers/promises";
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({});
let interaction = await ai.interactions.create({
  model: "gemini-3.8-flash",
  input: "Compare five kinds of bridges.",
  background: true,
});
let wait = 1000;
while (["queued", "in_progress"].includes(interaction.status)) {
  await setTimeout(wait);
  wait = Math.min(wait * 1.5, 15_000);
  interaction = await ai.interactions.get(interaction.id);
}
if (interaction.status !== "completed") throw new Error(`it ended as ${interaction.status}`);
console.log(interaction.output_text);
