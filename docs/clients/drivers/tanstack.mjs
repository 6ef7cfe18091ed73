// TanStack AI with the Interactions adapter of its Gemini package.
import { chat, toolDefinition } from "@tanstack/ai";
import { createGeminiTextInteractions } from "@tanstack/ai-gemini/experimental";
import { answerTasks, IDLE, LOOK } from "./tasks.mjs";

const STATUSES = { stop: "completed", length: "incomplete", tool_calls: "requires_action" };
const look = toolDefinition({ name: "look", description: "Looks.", inputSchema: LOOK.parameters }).server(() => ({
  found: 1,
}));

await answerTasks(async (task) => {
  const httpOptions = { baseUrl: task.base_url, timeout: IDLE };
  const adapter = createGeminiTextInteractions("gemini-3.8-flash", "any", { httpOptions });
  const asked = (modelOptions) => ({ adapter, messages: [{ role: "user", content: "Go." }], modelOptions });
  if (task.mode === "tools") return read({ ...asked({}), tools: [look] });
  const { id, ...answer } = await read(asked(task.mode === "background" ? { background: true } : {}));
  return task.mode === "chain" ? read(asked({ previous_interaction_id: id })) : answer;
});

/** What a stream says, after the last call of a function. */
async function read(options) {
  let [text, status, id] = ["", undefined, undefined];
  for await (const chunk of chat(options)) {
    if (chunk.type === "RUN_ERROR") throw new Error(chunk.message);
    if (chunk.type === "TOOL_CALL_START") [text, status] = ["", undefined];
    if (chunk.type === "TEXT_MESSAGE_CONTENT") text += chunk.delta;
    if (chunk.type === "CUSTOM" && chunk.name === "gemini.interactionId") id = chunk.value.interactionId;
    if (chunk.type === "RUN_FINISHED") status = STATUSES[chunk.finishReason ?? chunk.metadata?.tanstack?.finishReason];
  }
  return { text, status, id };
}
