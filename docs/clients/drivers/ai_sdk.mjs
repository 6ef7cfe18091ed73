// The AI SDK with its Google provider: `google.interactions(model)` in `streamText`.
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { streamText } from "ai";
import { answerTasks, IDLE } from "./tasks.mjs";

const STATUSES = { stop: "completed", length: "incomplete", "tool-calls": "requires_action", error: "failed" };

await answerTasks(async (task) => {
  const google = createGoogleGenerativeAI({ baseURL: `${task.base_url}/v1beta`, apiKey: "any" });
  const result = streamText({
    model: google.interactions("gemini-3.5-flash"),
    prompt: "Go.",
    timeout: { chunkMs: IDLE },
    providerOptions: { google: { background: task.mode === "background" } },
    onError: () => {},
  });
  let text = "";
  let reason;
  for await (const part of result.fullStream) {
    if (part.type === "error") throw part.error;
    if (part.type === "abort") throw new Error("aborted");
    if (part.type === "text-delta") text += part.text;
    if (part.type === "finish") reason = part.finishReason;
  }
  return { text, status: STATUSES[reason] };
});
