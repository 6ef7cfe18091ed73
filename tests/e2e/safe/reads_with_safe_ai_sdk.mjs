// Reads tasks with the lines for the AI SDK.
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { ask } from "./safe_ai_sdk.mjs";
import { answerTasks, IDLE } from "./tasks.mjs";

await answerTasks(async (task) => {
  const baseURL = `${task.base_url}/v1beta`;
  const google = createGoogleGenerativeAI({ baseURL, apiKey: "any" });
  const get = async (id) => {
    const options = { headers: { "x-goog-api-key": "any" }, signal: AbortSignal.timeout(IDLE) };
    return (await fetch(`${baseURL}/interactions/${id}`, options)).json();
  };
  const found = await ask(google.interactions("gemini-3.8-flash"), "Go.", get);
  const outputs = (found.steps ?? []).filter((step) => step.type === "model_output");
  const parts = outputs.flatMap((step) => step.content ?? []);
  return { text: parts.map((part) => part.text ?? "").join(""), status: found.status };
});
