// Agent Development Kit for JavaScript: an agent whose model uses the Interactions API, streamed.
import { Gemini, FunctionTool, InMemoryRunner, LlmAgent, LogLevel, setLogLevel, StreamingMode } from "@google/adk";
import { answerTasks, LOOK } from "./tasks.mjs";

setLogLevel(LogLevel.ERROR);
const look = new FunctionTool({ ...LOOK, description: "Look.", execute: () => ({ found: 1 }) });

await answerTasks(async (task) => {
  process.env.GOOGLE_GEMINI_BASE_URL = task.base_url; // the model has no option for it
  const model = new Gemini({ model: "gemini-3.8-flash", apiKey: "any", useInteractionsApi: true });
  const tools = task.mode === "tools" ? [look] : [];
  const runner = new InMemoryRunner({ agent: new LlmAgent({ name: "reader", model, tools }), appName: "reader" });
  const { id } = await runner.sessionService.createSession({ appName: "reader", userId: "user" });
  const answer = await takeTurn(runner, id, "Go.");
  return task.mode === "chain" ? takeTurn(runner, id, "Go on.") : answer;
});

/** Say something, and read the answer. */
async function takeTurn(runner, sessionId, text) {
  let [pieces, whole, status] = ["", undefined, undefined];
  const newMessage = { role: "user", parts: [{ text }] };
  const runConfig = { streamingMode: StreamingMode.SSE };
  for await (const event of runner.runAsync({ userId: "user", sessionId, newMessage, runConfig })) {
    if (event.errorCode || event.errorMessage) throw new Error(`${event.errorCode}: ${event.errorMessage}`);
    const parts = event.content?.parts ?? [];
    if (parts.some((part) => part.functionResponse)) [pieces, whole, status] = ["", undefined, undefined];
    const said = parts.filter((part) => !part.thought).map((part) => part.text ?? "").join("");
    if (event.partial) pieces += said;
    else whole = said || whole;
    if (event.finishReason === "STOP") status = "completed";
  }
  return { text: whole ?? pieces, ...(status && { status }) };
}
