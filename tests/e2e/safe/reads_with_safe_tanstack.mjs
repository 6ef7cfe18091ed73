// Reads tasks with the lines for TanStack AI.
import { createGeminiTextInteractions } from "@tanstack/ai-gemini/experimental";
import { ask, createOnce } from "./safe_tanstack.mjs";
import { answerTasks, IDLE } from "./tasks.mjs";

await answerTasks(async (task) => {
  const httpOptions = { baseUrl: task.base_url, timeout: IDLE, fetch: createOnce };
  const adapter = createGeminiTextInteractions("gemini-3.8-flash", "any", { httpOptions });
  const get = async (id) => {
    const options = { headers: { "x-goog-api-key": "any" }, signal: AbortSignal.timeout(IDLE) };
    return (await fetch(`${task.base_url}/v1beta/interactions/${id}`, options)).json();
  };
  const found = await ask(adapter, [{ role: "user", content: "Go." }], get);
  const outputs = (found.steps ?? []).filter((step) => step.type === "model_output");
  const parts = outputs.flatMap((step) => step.content ?? []);
  return { text: parts.map((part) => part.text ?? "").join(""), status: found.status };
});
