// A stream: text is printed as it comes. Without `interaction.completed` the answer is not whole.
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({});
const stream = await ai.interactions.create({
  model: "gemini-3.8-flash",
  input: "Write four lines on rain.",
  stream: true,
});
let status;
for await (const event of stream) {
  if (event.event_type === "step.delta" && event.delta.type === "text") process.stdout.write(event.delta.text);
  if (event.event_type === "error") throw new Error(`the stream broke: ${JSON.stringify(event.error)}`);
  if (event.event_type === "interaction.completed") status = event.interaction.status;
}
if (status === undefined) throw new Error("the stream ended before the answer did");
console.log(`\n(${status})`);
