// The same, with an interaction of its own for each task.
import { answerTasks, idleOf } from "./tasks.mjs";
import { follow } from "./follow.mjs";

const create = { model: "gemini-3.8-flash", input: "Go.", background: true };
await answerTasks((task) => follow({ baseUrl: task.base_url, key: "any", create, idle: idleOf(task) }));
