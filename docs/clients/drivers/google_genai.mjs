// @google/genai: the events of its iterator, as its documentation shows it.
import { GoogleGenAI } from "@google/genai";
import { answerTasks, CREATE, IDLE, SETTLED } from "./tasks.mjs";

await answerTasks(async (task) => {
  const { interactions } = new GoogleGenAI({ apiKey: "any", httpOptions: { baseUrl: task.base_url, timeout: IDLE } });
  if (task.mode === "poll") return poll(interactions);
  const stream =
    task.mode === "follow"
      ? await interactions.get(task.interaction, { stream: true })
      : await interactions.create({ ...CREATE, stream: true, background: task.mode === "background" });
  let text = "";
  let status;
  for await (const event of stream) {
    if (event.event_type === "error") throw new Error(`error event: ${JSON.stringify(event.error)}`);
    if (event.event_type === "step.delta" && event.delta.type === "text") text += event.delta.text;
    if (event.event_type === "interaction.completed") status = event.interaction.status;
  }
  return { text, status };
});

async function poll(interactions) {
  let found = await interactions.create({ ...CREATE, background: true });
  while (!SETTLED.includes(found.status)) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    found = await interactions.get(found.id);
  }
  const outputs = (found.steps ?? []).filter((step) => step.type === "model_output");
  const parts = outputs.flatMap((step) => step.content ?? []);
  return { text: parts.map((part) => part.text ?? "").join(""), status: found.status };
}
