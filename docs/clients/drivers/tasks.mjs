// Answers the tasks of `harness torture --loop`: one line of JSON in, one line out.
import readline from "node:readline";

/** How many milliseconds a connection may be silent, for clients that can be told so. */
export const IDLE = 4000;
export const CREATE = { model: "gemini-3.5-flash", input: "Go." };
export const LOOK = { type: "function", name: "look", parameters: { type: "object", properties: {} } };
export const SETTLED = ["completed", "failed", "cancelled", "incomplete", "budget_exceeded", "requires_action"];

/** Answer each task with what `read` resolves to, or with the error that it throws. */
export async function answerTasks(read) {
  const print = console.log;
  console.log = console.error; // what a library prints is no answer
  process.on("unhandledRejection", (error) => console.error("unhandled:", String(error)));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const task = JSON.parse(line);
    const answer = await read(task).catch((error) => ({ error: String(error).slice(0, 500) }));
    print(JSON.stringify({ case: task.case, ...answer }));
  }
}

/** What is reported of what was read. */
export const answerOf = ({ text, status }) => ({ text, status });

/** The create of the turn after one that was read: the results of its calls, or further words; none without calls. */
export function furtherOf({ id, calls }, task) {
  const more = { ...CREATE, previous_interaction_id: id };
  if (task.mode === "chain") return { ...more, input: "Go on." };
  const results = calls.map((call) => ({ type: "function_result", ...call, result: { found: 1 } }));
  return results.length ? { ...more, input: results, tools: [LOOK] } : undefined;
}
