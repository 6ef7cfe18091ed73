// Thoughts: how hard the model thinks, and a summary of it, apart from the answer.
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({});
const interaction = await ai.interactions.create({
  model: "gemini-3.8-flash",
  input: "Three friends share 17 apples fairly. How many are left over?",
  generation_config: { thinking_level: "high", thinking_summaries: "auto" },
});
for (const step of interaction.steps) {
  if (step.type !== "thought") continue;
  for (const part of step.summary ?? []) console.log(`[thought] ${part.text}`);
}
console.log(interaction.output_text);
console.log(`${interaction.usage.total_thought_tokens} tokens of thought`);
