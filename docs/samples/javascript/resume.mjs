// Resume: a background run is streamed, and after a lost connection read on from the last event with an id.
import { setTimeout } from "node:timers/promises";
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({});
const input = "Tell the story of salt.";
const run = await ai.interactions.create({ model: "gemini-3.8-flash", input, background: true });
let [kept, text, cursor, status] = ["", "", undefined, undefined];
for (let attempt = 0; attempt < 6 && !status; attempt += 1) {
  if (attempt > 0) await setTimeout(Math.min(1000 * 2 ** attempt, 15_000));
  text = kept; // what came after the last id comes again; without any id, everything does
  try {
    const query = { stream: true, ...(cursor && { last_event_id: cursor }) };
    for await (const event of await ai.interactions.get(run.id, query)) {
      if (event.event_type === "step.delta" && event.delta.type === "text") text += event.delta.text;
      if (event.event_type === "interaction.completed") status = event.interaction.status;
      // the id of an error is no place in the stream
      if (event.event_id && event.event_type !== "error") [kept, cursor] = [text, event.event_id];
    }
  } catch (lost) {
    console.log(`(connection lost: ${lost.message})`);
  }
}
console.log(status ? text : "the answer never came to its end");
