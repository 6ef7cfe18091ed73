// TanStack AI with the Interactions adapter of its Gemini package.
import { chat } from "@tanstack/ai";
import { createGeminiTextInteractions } from "@tanstack/ai-gemini/experimental";
import { answerTasks, IDLE } from "./tasks.mjs";

const STATUSES = { stop: "completed", length: "incomplete", tool_calls: "requires_action" };

await answerTasks(async (task) => {
  const httpOptions = { baseUrl: task.base_url, timeout: IDLE };
  const adapter = createGeminiTextInteractions("gemini-3.5-flash", "any", { httpOptions });
  let text = "";
  let status;
  for await (const chunk of chat({ adapter, messages: [{ role: "user", content: "Go." }] })) {
    if (chunk.type === "RUN_ERROR") throw new Error(chunk.message);
    if (chunk.type === "TEXT_MESSAGE_CONTENT") text += chunk.delta;
    if (chunk.type === "RUN_FINISHED") status = STATUSES[chunk.finishReason ?? chunk.metadata?.tanstack?.finishReason];
  }
  return { text, status };
});
