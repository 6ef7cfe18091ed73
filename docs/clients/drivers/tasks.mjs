// Answers the tasks of `harness torture --loop`: one line of JSON in, one line out.
import readline from "node:readline";

/** How many milliseconds a connection may be silent, for clients that can be told so. */
export const IDLE = 4000;
export const CREATE = { model: "gemini-3.8-flash", input: "Go." };
export const LOOK = { type: "function", name: "look", parameters: { type: "object", properties: {} } };
export const SETTLED = ["completed", "failed", "cancelled", "incomplete", "budget_exceeded", "requires_action"];

/** Whether the client uses Vertex. */
export const ON_VERTEX = process.argv.includes("vertex");

/** A token for Vertex that Google's clients take without a request. */
export async function tokenOf() {
  const { OAuth2Client } = await import("google-auth-library");
  const client = new OAuth2Client();
  client.setCredentials({ access_token: "any", expiry_date: Date.now() + 3_600_000 });
  return client;
}

/** What @google/genai is made with: a key for the Gemini API; a project and a token for Vertex. */
export async function genaiAccess(url) {
  if (!ON_VERTEX) return { apiKey: "any", httpOptions: { baseUrl: url, timeout: IDLE } };
  const { origin, pathname } = new URL(url); // on Vertex the SDK escapes what follows the path of a base URL
  const httpOptions = { baseUrl: origin, apiVersion: `${pathname.slice(1)}/v1beta1`, timeout: IDLE };
  const googleAuthOptions = { authClient: await tokenOf() };
  return { vertexai: true, project: "any", location: "global", googleAuthOptions, httpOptions };
}

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

/** What `read` makes of the further turn; of all that was said, if the turn that made `steps` is forgotten. */
export async function goOn(read, further, steps) {
  try {
    return await read(further);
  } catch (error) {
    if (![400, 404].includes(error.cause?.status)) throw error;
    console.error(`${error}: the conversation is sent again`);
  }
  const { input, previous_interaction_id, ...rest } = further;
  const answered = steps.filter((step) => step.type !== "user_input");
  const more = typeof input === "string" ? userSays(input) : input;
  return read({ ...rest, input: [...userSays(CREATE.input), ...answered, ...more] });
}

/** What the user says, as steps. */
const userSays = (text) => [{ type: "user_input", content: [{ type: "text", text }] }];

/** Put an event of a stream into the steps that it tells of. */
export function note(steps, { event_type, index, step, delta }) {
  if (event_type === "step.start") steps[index] = structuredClone(step);
  if (delta?.type === "thought_signature") steps[index].signature = delta.signature;
  if (delta?.type === "text") (steps[index].content ??= []).push({ type: "text", text: delta.text });
  if (delta?.type === "arguments_delta") steps[index].told = (steps[index].told ?? "") + delta.arguments;
  if (event_type === "step.stop" && steps[index].told) {
    const { told, ...rest } = steps[index];
    steps[index] = { ...rest, arguments: JSON.parse(told) };
  }
}
