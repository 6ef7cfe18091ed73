// @google/genai: the events of its iterator, as its documentation shows it.
import { GoogleGenAI } from "@google/genai";
import { answerOf, answerTasks, CREATE, furtherOf, genaiAccess, LOOK, SETTLED } from "./tasks.mjs";

await answerTasks(async (task) => {
  const { interactions } = new GoogleGenAI(await genaiAccess(task.base_url));
  const background = task.mode === "background";
  if (task.mode === "poll") return poll(interactions, await interactions.create({ ...CREATE, background: true }));
  if (task.mode === "cancel") return cancel(interactions, task.interaction);
  if (task.mode === "chain" || task.mode === "tools") return answerOf(await takeTurns(interactions, task));
  if (task.mode === "follow") return answerOf(await read(await interactions.get(task.interaction, { stream: true })));
  return answerOf(await read(await interactions.create({ ...CREATE, stream: true, background })));
});

/** What a stream says: its text, its final status, its id and its calls. */
async function read(stream) {
  const found = { text: "", calls: [] };
  for await (const event of stream) {
    const { event_type: type, interaction, step, delta } = event;
    if (type === "error") throw new Error(`error event: ${JSON.stringify(event.error)}`);
    if (type === "interaction.created") found.id = interaction.id;
    if (type === "step.start" && step.type === "function_call") found.calls.push({ call_id: step.id, name: step.name });
    if (type === "step.delta" && delta.type === "text") found.text += delta.text;
    if (type === "interaction.completed") found.status = interaction.status;
  }
  return found;
}

/** Ask until it has ended. */
async function poll(interactions, found) {
  while (!SETTLED.includes(found.status)) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    found = await interactions.get(found.id);
  }
  const outputs = (found.steps ?? []).filter((step) => step.type === "model_output");
  const parts = outputs.flatMap((step) => step.content ?? []);
  return { text: parts.map((part) => part.text ?? "").join(""), status: found.status };
}

/** Read three events, cancel, and ask until it has ended. */
async function cancel(interactions, id) {
  let seen = 0;
  for await (const _ of await interactions.get(id, { stream: true })) if (++seen === 3) break;
  const { status } = await poll(interactions, await interactions.cancel(id));
  return { status };
}

/** Read a turn, then the one that continues it, or those that answer its calls. */
async function takeTurns(interactions, task) {
  const tools = task.mode === "tools" ? { tools: [LOOK] } : {};
  let last = await read(await interactions.create({ ...CREATE, ...tools, stream: true }));
  for (let further = furtherOf(last, task); further; further = task.mode === "tools" && furtherOf(last, task)) {
    last = await read(await interactions.create({ ...further, stream: true }));
  }
  return last;
}
