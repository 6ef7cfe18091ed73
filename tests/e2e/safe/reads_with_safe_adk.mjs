// Reads tasks with the lines for the Agent Development Kit for JavaScript.
import { Gemini, InMemoryRunner, LlmAgent, LogLevel, setLogLevel, StreamingMode } from "@google/adk";
import { ask } from "./safe_adk.mjs";
import { answerTasks, IDLE } from "./tasks.mjs";

setLogLevel(LogLevel.ERROR);

await answerTasks(async (task) => {
  process.env.GOOGLE_GEMINI_BASE_URL = task.base_url;
  const model = new Gemini({ model: "gemini-3.8-flash", apiKey: "any", useInteractionsApi: true });
  const runner = new InMemoryRunner({ agent: new LlmAgent({ name: "reader", model }), appName: "reader" });
  const { id: sessionId } = await runner.sessionService.createSession({ appName: "reader", userId: "user" });
  const newMessage = { role: "user", parts: [{ text: "Go." }] };
  const run = { userId: "user", sessionId, newMessage, runConfig: { streamingMode: StreamingMode.SSE } };
  const get = async (id) => {
    const options = { headers: { "x-goog-api-key": "any" }, signal: AbortSignal.timeout(IDLE) };
    return (await fetch(`${task.base_url}/v1beta/interactions/${id}`, options)).json();
  };
  const found = await ask(runner, run, get);
  const outputs = (found.steps ?? []).filter((step) => step.type === "model_output");
  const parts = outputs.flatMap((step) => step.content ?? []);
  return { text: parts.map((part) => part.text ?? "").join(""), status: found.status };
});
