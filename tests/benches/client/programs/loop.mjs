// Answers the tasks of `harness torture --loop` with the client that users copy.
import { answerTasks, idleOf } from "./tasks.mjs";
import { follow } from "./follow.mjs";

await answerTasks((task) => follow({ baseUrl: task.base_url, key: "any", id: task.interaction, idle: idleOf(task) }));
