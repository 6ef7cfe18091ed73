// Images: one is drawn, then changed in a second turn.
import { writeFile } from "node:fs/promises";
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({});
const model = "gemini-3.1-flash-image";
const response_format = { type: "image", aspect_ratio: "16:9" };
const input = "A lighthouse in the fog, as a woodcut.";
const first = await ai.interactions.create({ model, response_format, input });
const second = await ai.interactions.create({
  model,
  response_format,
  input: "Now at night.",
  previous_interaction_id: first.id,
});
for (const [number, interaction] of [first, second].entries()) {
  const name = `lighthouse-${number + 1}.jpg`;
  await writeFile(name, Buffer.from(interaction.output_image.data, "base64"));
  console.log(`${name}: ${interaction.output_image.mime_type}`);
}
