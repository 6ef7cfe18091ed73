// Genkit with its Google plugin: an agent of Deep Research, started in the background and checked until it is done.
import { googleAI } from "@genkit-ai/google-genai";
import { genkit } from "genkit";
import { logger } from "genkit/logging";
import { answerTasks } from "./tasks.mjs";

logger.setLogLevel("error");

await answerTasks(async (task) => {
  const ai = genkit({ plugins: [googleAI({ apiKey: "any", baseUrl: task.base_url })] });
  const model = googleAI.model("deep-research-preview-04-2026");
  let { operation } = await ai.generate({ model, prompt: "Go." });
  while (!operation.done) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    operation = await ai.checkOperation(operation);
  }
  if (operation.error) throw new Error(operation.error.message);
  const { finishReason, message } = operation.output;
  if (finishReason === "aborted") return { status: "cancelled" }; // its text is a remark of Genkit
  return { text: message.content.map((part) => part.text ?? "").join(""), status: "completed" };
});
