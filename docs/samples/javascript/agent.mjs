// An agent with a sandbox, whose files are listed; a second turn works in the same one.
import { setTimeout } from "node:timers/promises";
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({});

async function run(request) {
  let found = await ai.interactions.create({ agent: "antigravity-preview-09-2026", background: true, ...request });
  while (["queued", "in_progress"].includes(found.status)) {
    await setTimeout(2000);
    found = await ai.interactions.get(found.id);
  }
  return found;
}

const first = await run({ input: "Write a Python script that prints 6 * 7, and run it.", environment: "remote" });
console.log(first.output_text);
try {
  const { files } = await ai.environments.files.list({ environment: first.environment_id, path: "" });
  for (const file of files ?? []) console.log("file:", file.path);
  const second = await run({
    input: "Now let it print 7 * 8.",
    previous_interaction_id: first.id,
    environment: first.environment_id, // the conversation and the sandbox are chosen apart
  });
  console.log(second.output_text);
} finally {
  await ai.environments.delete(first.environment_id);
}
