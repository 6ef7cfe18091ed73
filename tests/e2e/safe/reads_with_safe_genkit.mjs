// Reads tasks with the lines for Genkit.
import { googleAI } from "@genkit-ai/google-genai";
import { genkit } from "genkit";
import { logger } from "genkit/logging";
import { ask } from "./safe_genkit.mjs";
import { answerTasks, IDLE } from "./tasks.mjs";

logger.setLogLevel("error");

await answerTasks(async (task) => {
  const ai = genkit({ plugins: [googleAI({ apiKey: "any", baseUrl: task.base_url })] });
  const model = googleAI.model("deep-research-preview-04-2026");
  const get = async (id) => {
    const options = { headers: { "x-goog-api-key": "any" }, signal: AbortSignal.timeout(IDLE) };
    const response = await fetch(`${task.base_url}/v1beta/interactions/${id}`, options);
    if (!response.ok) throw new Error(`refused: ${response.status}`);
    return response.json();
  };
  const found = await ask(ai, { model, prompt: "Go." }, get);
  const outputs = (found.steps ?? []).filter((step) => step.type === "model_output");
  const parts = outputs.flatMap((step) => step.content ?? []);
  return { text: parts.map((part) => part.text ?? "").join(""), status: found.status };
});
