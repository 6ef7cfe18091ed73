// The JavaScript client of this project, ../follow.mjs.
import { follow } from "../follow.mjs";
import { answerTasks, CREATE, IDLE } from "./tasks.mjs";

await answerTasks(async (task) => {
  const create = { ...CREATE, background: task.mode === "background" };
  const what = task.mode === "follow" ? { id: task.interaction } : { create };
  const { text, status } = await follow({ baseUrl: task.base_url, key: "any", idle: IDLE, ...what });
  return { text, status };
});
