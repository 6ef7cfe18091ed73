// Reads tasks with the lines for @google/genai.
import { GoogleGenAI } from "@google/genai";
import { ask } from "./safe_genai.mjs";
import { answerTasks, CREATE, IDLE } from "./tasks.mjs";

await answerTasks(async (task) => {
  const ai = new GoogleGenAI({ apiKey: "any", httpOptions: { baseUrl: task.base_url, timeout: IDLE } });
  const found = await ask(ai, CREATE);
  const outputs = (found.steps ?? []).filter((step) => step.type === "model_output");
  const parts = outputs.flatMap((step) => step.content ?? []);
  return { text: parts.map((part) => part.text ?? "").join(""), status: found.status };
});
