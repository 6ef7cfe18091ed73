// The AI SDK with a provider of Google: `google.interactions(model)` in `streamText`, and polled in `generateText`.
import { generateText, isStepCount, jsonSchema, streamText, tool } from "ai";
import { answerTasks, IDLE, LOOK, ON_VERTEX, tokenOf } from "./tasks.mjs";

const STATUSES = { stop: "completed", length: "incomplete", "tool-calls": "requires_action", error: "failed" };
const look = tool({ inputSchema: jsonSchema(LOOK.parameters), execute: () => ({ found: 1 }) });

await answerTasks(async (task) => {
  const model = (await provider(task.base_url)).interactions("gemini-3.8-flash");
  const asked = (google) => ({ model, prompt: "Go.", providerOptions: { google } });
  if (task.mode === "poll") {
    const { text, finishReason } = await generateText(asked({ background: true }));
    return { text, status: STATUSES[finishReason] };
  }
  if (task.mode === "tools") return read({ ...asked({}), tools: { look }, stopWhen: isStepCount(9) });
  const { id, ...answer } = await read(asked({ background: task.mode === "background" }));
  return task.mode === "chain" ? read(asked({ previousInteractionId: id })) : answer;
});

/** The provider of the Gemini API, or that of Vertex. */
async function provider(url) {
  if (!ON_VERTEX) {
    const { createGoogleGenerativeAI } = await import("@ai-sdk/google");
    return createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey: "any" });
  }
  const { createVertex } = await import("@ai-sdk/google-vertex");
  const place = { project: "any", location: "global", googleAuthOptions: { authClient: await tokenOf() } };
  return createVertex({ ...place, baseURL: `${url}/v1beta1/projects/any/locations/global` });
}

/** What a stream says, to the last of its steps. */
async function read(options) {
  const result = streamText({ ...options, timeout: { chunkMs: IDLE }, onError: () => {} });
  let [text, reason, id] = ["", undefined, undefined];
  for await (const part of result.fullStream) {
    if (part.type === "error") throw part.error;
    if (part.type === "abort") throw new Error("aborted");
    if (part.type === "start-step") text = "";
    if (part.type === "text-delta") text += part.text;
    if (part.type === "finish-step") id = part.providerMetadata?.google?.interactionId;
    if (part.type === "finish") reason = part.finishReason;
  }
  return { text, status: STATUSES[reason], id };
}
