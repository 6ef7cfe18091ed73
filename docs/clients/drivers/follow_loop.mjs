// The JavaScript client of this project, ../follow.mjs.
import { follow } from "../follow.mjs";
import { answerOf, answerTasks, CREATE, furtherOf, goOn, IDLE, LOOK, note } from "./tasks.mjs";

await answerTasks(async (task) => {
  const read = (what) => follow({ baseUrl: task.base_url, key: "any", idle: IDLE, ...what });
  if (task.mode === "follow") return answerOf(await read({ id: task.interaction }));
  if (task.mode === "cancel") return cancel(task, read);
  if (task.mode === "chain" || task.mode === "tools") return takeTurns(task, read);
  return answerOf(await read({ create: { ...CREATE, background: task.mode === "background" } }));
});

/** Cancel after the first events, and read on: what became of it is in the stream. */
async function cancel(task, read) {
  let cancelled;
  const { status } = await read({ id: task.interaction, onEvent: () => (cancelled ??= sendCancel(task)) });
  await cancelled;
  return { status };
}

/** A cancel may be sent again: the second one does no harm. */
async function sendCancel({ base_url, interaction }, tries = 6) {
  const url = `${base_url}/v1beta/interactions/${interaction}/cancel`;
  for (let failures = 0; failures < tries; failures += 1) {
    const answer = await fetch(url, { method: "POST", headers: { "x-goog-api-key": "any" } }).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100 * 2 ** failures));
  }
}

/** Read a turn to its end, then the one that continues it, or those that answer its calls. What was polled has its steps. */
async function takeTurns(task, read) {
  const tools = task.mode === "tools" ? { tools: [LOOK] } : {};
  const said = [];
  let steps = [];
  const readTurn = async (create) => {
    const seen = [];
    const turn = await read({ create, onEvent: (event) => note(seen, event) });
    steps = turn.interaction.steps ?? seen;
    return turn;
  };
  let last = await readTurn({ ...CREATE, ...tools, background: true });
  for (let turns = 1; turns === 1 || task.mode === "tools"; turns += 1) {
    said.push(...steps);
    const calls = steps.filter((step) => step.type === "function_call").map(({ id, name }) => ({ call_id: id, name }));
    const further = furtherOf({ id: last.id, calls }, task);
    if (!further) break;
    last = await goOn(readTurn, { ...further, background: true }, said);
    if (calls.length > 0) said.push(...further.input);
  }
  return answerOf(last);
}
