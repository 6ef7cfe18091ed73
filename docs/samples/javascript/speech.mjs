// Speech: a sentence becomes a WAV file. The service sends bare samples, so the program adds the header.
import { writeFile } from "node:fs/promises";
import { GoogleGenAI } from "@google/genai";

function addHeader(samples, { sample_rate: rate, channels }) {
  const header = Buffer.alloc(44);
  header.write("RIFF");
  header.writeUInt32LE(36 + samples.length, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(rate * channels * 2, 28);
  header.writeUInt16LE(channels * 2, 32);
  header.writeUInt16LE(16, 34);
  header.write("data", 36);
  header.writeUInt32LE(samples.length, 40);
  return Buffer.concat([header, samples]);
}

const ai = new GoogleGenAI({});
const { output_audio: audio } = await ai.interactions.create({
  model: "gemini-3.1-flash-tts-preview",
  input: "Say cheerfully: the harness is ready.",
  response_format: { type: "audio" },
  generation_config: { speech_config: [{ voice: "Kore" }] },
});
const data = Buffer.from(audio.data, "base64");
await writeFile("speech.wav", audio.mime_type.startsWith("audio/l16") ? addHeader(data, audio) : data);
console.log(`speech.wav: ${data.length} bytes of ${audio.mime_type}`);
