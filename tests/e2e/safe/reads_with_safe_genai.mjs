// Reads tasks with the lines for @google/genai.
import { GoogleGenAI } from "@google/genai";
import { ask } from "./safe_genai.mjs";
import { answerTasks, CREATE, genaiAccess } from "./tasks.mjs";

await answerTasks(async (task) => {
  const ai = new GoogleGenAI(await genaiAccess(task.base_url));
  const found = await ask(ai, CREATE);
  const outputs = (found.steps ?? []).filter((step) => step.type === "model_output");
  const parts = outputs.flatMap((step) => step.content ?? []);
  return { text: parts.map((part) => part.text ?? "").join(""), status: found.status };
});
