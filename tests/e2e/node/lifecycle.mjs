// Plays the documentation page's lifecycle with the unmodified SDK; prints what it saw as one JSON object.
// Environment: GOOGLE_GEMINI_BASE_URL, GEMINI_API_KEY.
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({ apiKey: process.env.GEMINI_API_KEY });
const model = "gemini-3.8-flash";
const agent = "antigravity-preview-09-2026";

async function settled(id) {
  for (let turn = 0; turn < 50; turn += 1) {
    const interaction = await ai.interactions.get(id);
    if (!["in_progress", "queued"].includes(interaction.status)) return interaction;
  }
  throw new Error(`interaction ${id} never settled`);
}

async function collect(stream) {
  const types = [];
  let text = "";
  let cursor;
  let status;
  for await (const event of stream) {
    types.push(event.event_type);
    if (event.event_id) cursor = event.event_id;
    if (event.event_type === "step.delta" && event.delta.type === "text") text += event.delta.text;
    if (event.event_type === "interaction.completed") status = event.interaction.status;
  }
  return { types, text, cursor, status };
}

async function statusOf(promise) {
  try {
    await promise;
    return 200;
  } catch (error) {
    return error.status ?? error.statusCode ?? String(error);
  }
}

const seen = {};

const single = await ai.interactions.create({ model, input: "Say hi." });
seen.single = { id: single.id, status: single.status, text: single.output_text ?? null };

seen.stream = await collect(await ai.interactions.create({ model, input: "Count to three.", stream: true }));

const background = await ai.interactions.create({ model, input: "Think it over.", background: true });
seen.background = { first: background.status, last: (await settled(background.id)).status };

const streamed = await ai.interactions.create({ model, input: "Think aloud.", background: true });
const whole = await collect(await ai.interactions.get(streamed.id, { stream: true }));
const early = [];
let cursor;
for await (const event of await ai.interactions.get(streamed.id, { stream: true })) {
  early.push(event);
  if (event.event_id) cursor = event.event_id;
  if (early.length === 4) break;
}
const rest = await collect(await ai.interactions.get(streamed.id, { stream: true, last_event_id: cursor }));
seen.resume = { whole: whole.types, joined: [...early.map((event) => event.event_type), ...rest.types] };

const running = await ai.interactions.create({ model, input: "Take your time.", background: true });
await ai.interactions.cancel(running.id);
seen.cancelled = (await settled(running.id)).status;

const next = await ai.interactions.create({ model, input: "And then?", previous_interaction_id: single.id });
seen.chained = { id: next.id, previous: single.id, status: next.status };

const managed = await ai.interactions.create({ agent, input: "Make a file.", environment: "remote", background: true });
const worked = await settled(managed.id);
const followUp = await ai.interactions.create({
  agent,
  input: "Read it back.",
  environment: worked.environment_id,
  previous_interaction_id: worked.id,
  background: true,
});
seen.agent = { first: worked.status, environment: worked.environment_id, second: (await settled(followUp.id)).status };

const tools = [{ type: "function", name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] } }];
const asked = await ai.interactions.create({ model, input: "Weather in Oslo?", tools, generation_config: { tool_choice: "any" } });
const call = asked.steps.find((step) => step.type === "function_call");
const answered = await ai.interactions.create({
  model,
  tools,
  previous_interaction_id: asked.id,
  input: [{ type: "function_result", call_id: call.id, name: call.name, result: { sky: "clear" } }],
});
seen.tool = { first: asked.status, name: call.name, argumentsType: typeof call.arguments, last: answered.status };

await ai.interactions.delete(single.id);
seen.deleted = await statusOf(ai.interactions.get(single.id));

console.log(JSON.stringify(seen));
