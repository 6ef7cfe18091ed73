// Answers the tasks of `harness torture --loop` with `follow`: one line of JSON in, one line out.
import readline from "node:readline";
import { follow } from "./follow.mjs";

for await (const line of readline.createInterface({ input: process.stdin })) {
  const task = JSON.parse(line);
  let answer;
  try {
    const { text, status } = await follow({ baseUrl: task.base_url, key: "any", id: task.interaction });
    answer = { text, status };
  } catch (error) {
    answer = { error: String(error) };
  }
  console.log(JSON.stringify({ case: task.case, ...answer }));
}
