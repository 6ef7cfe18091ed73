// Files: upload a table, ask about it, delete it. Files expire by themselves after two days.
import { setTimeout } from "node:timers/promises";
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({});
const table = new Blob(["city,inhabitants\nKyoto,1460000\nTurin,840000\n"]);
let file = await ai.files.upload({ file: table, config: { mimeType: "text/csv", displayName: "cities" } });
try {
  while (file.state === "PROCESSING") {
    await setTimeout(1000); // videos take a while
    file = await ai.files.get({ name: file.name });
  }
  const interaction = await ai.interactions.create({
    model: "gemini-3.8-flash",
    input: [
      { type: "text", text: "Which city is larger?" },
      { type: "document", uri: file.uri, mime_type: file.mimeType },
    ],
  });
  console.log(interaction.output_text);
} finally {
  await ai.files.delete({ name: file.name });
}
