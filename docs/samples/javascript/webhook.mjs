// A webhook: the service tells when a background run has ended; the program checks who sent it.
// WEBHOOK_URL is where the service reaches this program, such as the address of a tunnel to its PORT.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({});
const port = Number(process.env.PORT ?? 8099);
const hook = await ai.webhooks.create({
  uri: process.env.WEBHOOK_URL ?? `http://127.0.0.1:${port}/`,
  subscribed_events: ["interaction.completed", "interaction.failed"],
});
const key = Buffer.from(hook.new_signing_secret.replace("whsec_", ""), "base64");

function isGenuine(headers, body) {
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  const digest = Buffer.from(`v1,${createHmac("sha256", key).update(signed).digest("base64")}`);
  const sent = headers["webhook-signature"].split(" ").map((one) => Buffer.from(one));
  const fresh = Math.abs(Date.now() / 1000 - Number(headers["webhook-timestamp"])) < 300;
  return fresh && sent.some((one) => one.length === digest.length && timingSafeEqual(one, digest));
}

const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const genuine = isGenuine(request.headers, body);
  response.writeHead(genuine ? 204 : 401).end();
  console.log(genuine ? JSON.parse(body).type : "forged");
  await ai.webhooks.delete(hook.id);
  server.close();
});
server.listen(port, "127.0.0.1");
await ai.interactions.create({ model: "gemini-3.8-flash", input: "Think it over.", background: true });
