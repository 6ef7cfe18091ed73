// Calls every operation of the SDK's resources and prints, by operation, "ok" or what went wrong, as one JSON object.
// Environment: GOOGLE_GEMINI_BASE_URL, GEMINI_API_KEY.
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GoogleGenAI } from "@google/genai";
import { GoogleAuth, OAuth2Client } from "google-auth-library";

const ai = new GoogleGenAI({ apiKey: process.env.GEMINI_API_KEY });
const model = "gemini-3.8-flash";
const agent = "antigravity-preview-09-2026";
const seen = {};

// A call that must be refused: its HTTP status.
async function statusOf(promise) {
  try {
    await promise;
    return 200;
  } catch (error) {
    return error.status ?? error.statusCode ?? String(error);
  }
}

async function all(pager) {
  const items = [];
  for await (const item of await pager) items.push(item);
  return items;
}

// A story calls tell(operation, whether the result is the expected one) after each operation.
async function story(name, play) {
  try {
    await play((operation, fits) => {
      seen[`${name}.${operation}`] = fits ? "ok" : "another answer";
    });
  } catch (error) {
    seen[`${name} (rest)`] = String(error?.stack ?? error).slice(0, 400);
  }
}

const has = (name) => ai[name] !== undefined;

await story("interactions", async (tell) => {
  const made = await ai.interactions.create({ model, input: "Hi." });
  tell("create", made.status === "completed");
  tell("get", (await ai.interactions.get(made.id)).id === made.id);
  const run = await ai.interactions.create({ model, input: "Long.", background: true });
  tell("cancel", (await ai.interactions.cancel(run.id)).status === "cancelled");
  await ai.interactions.delete(made.id);
  tell("delete", (await statusOf(ai.interactions.get(made.id))) === 404);
});

if (has("agents"))
  await story("agents", async (tell) => {
    const made = await ai.agents.create({ id: "helper", base_agent: agent });
    tell("create", made.id === "helper");
    tell("get", (await ai.agents.get("helper")).base_agent === agent);
    tell("list", (await ai.agents.list()).agents.length === 1);
    await ai.agents.delete("helper");
    tell("delete", (await statusOf(ai.agents.get("helper"))) === 404);
  });

if (has("environments"))
  await story("environments", async (tell) => {
    const made = await ai.environments.create({});
    tell("create", made.status === "active");
    tell("get", (await ai.environments.get(made.id)).id === made.id);
    tell("list", (await ai.environments.list()).environments.some((one) => one.id === made.id));
    const file = new Blob(["print()\n"], { type: "text/x-python" });
    const sent = await ai.environments.files.upload({ environment: made.id, path: "src/a.py", file });
    tell("files.upload", sent.files[0].path === "src/a.py");
    const data = await ai.environments.files.download({ environment: made.id, path: "src/a.py" });
    tell("files.download", Buffer.from(data).toString() === "print()\n");
    const listed = await ai.environments.files.list({ environment: made.id, path: "src" });
    tell("files.list", listed.files[0].name === "a.py");
    await ai.environments.delete(made.id);
    tell("delete", (await statusOf(ai.environments.get(made.id))) === 404);
  });

await story("files", async (tell) => {
  const config = { mimeType: "text/plain", displayName: "Notes", name: "notes" };
  const made = await ai.files.upload({ file: new Blob(["hello"]), config });
  const large = await ai.files.upload({ file: new Blob([new Uint8Array(17 * 2 ** 20)]), config: { mimeType: "application/pdf" } });
  tell("upload", made.name === "files/notes" && large.sizeBytes === String(17 * 2 ** 20));
  tell("get", (await ai.files.get({ name: made.name })).state === "ACTIVE");
  if (ai.files.registerFiles) {
    const auth = new GoogleAuth({ authClient: new OAuth2Client({ credentials: { access_token: "granted" } }) });
    const registered = (await ai.files.registerFiles({ auth, uris: ["gs://bucket/a.pdf"] })).files[0];
    tell("registerFiles", registered.source === "REGISTERED" && registered.uri === "gs://bucket/a.pdf");
    await ai.files.delete({ name: registered.name });
  }
  const names = (await all(ai.files.list({ config: { pageSize: 1 } }))).map((file) => file.name);
  tell("list", names.join() === [made.name, large.name].join());
  const read = await ai.interactions.create({ model, input: [{ type: "document", uri: made.uri }] });
  tell("use in a create", read.status === "completed");
  const form = { type: "video", delivery: "uri" };
  const video = await ai.interactions.create({ model: "gemini-omni-flash-preview", input: "A cat.", response_format: form });
  const path = join(await mkdtemp(join(tmpdir(), "harness-")), "cat.mp4");
  await ai.files.download({ file: video.steps.at(-1).content[0].uri, downloadPath: path });
  tell("download", (await readFile(path)).subarray(4, 8).toString() === "ftyp");
  await ai.files.delete({ name: made.name });
  tell("delete", (await statusOf(ai.files.get({ name: made.name }))) === 403);
});

await story("fileSearchStores", async (tell) => {
  const made = await ai.fileSearchStores.create({ config: { displayName: "My store" } });
  tell("create", made.name.startsWith("fileSearchStores/mystore-"));
  const config = { displayName: "Plan", mimeType: "text/markdown", customMetadata: [{ key: "year", numericValue: 2026 }] };
  const upload = await ai.fileSearchStores.uploadToFileSearchStore({ fileSearchStoreName: made.name, file: new Blob(["# Plan"]), config });
  tell("uploadToFileSearchStore", upload.name.startsWith(`${made.name}/upload/operations/`));
  const file = await ai.files.upload({ file: new Blob(["notes"]), config: { mimeType: "text/plain" } });
  const imported = await ai.fileSearchStores.importFile({ fileSearchStoreName: made.name, fileName: file.name });
  tell("importFile", imported.name.startsWith(`${made.name}/operations/`));
  tell("operations.get", (await ai.operations.get({ operation: upload })).done && (await ai.operations.get({ operation: imported })).done);
  tell("get", (await ai.fileSearchStores.get({ name: made.name })).activeDocumentsCount === "2");
  tell("list", (await all(ai.fileSearchStores.list())).length === 1);
  const documents = await all(ai.fileSearchStores.documents.list({ parent: made.name }));
  tell("documents.list", documents[0].displayName === "Plan");
  const name = documents[0].name;
  tell("documents.get", (await ai.fileSearchStores.documents.get({ name })).customMetadata[0].numericValue === 2026);
  if (ai.fileSearchStores.downloadMedia) {
    const data = await ai.fileSearchStores.downloadMedia(name.replace("/documents/", "/media/"));
    tell("downloadMedia", Buffer.from(data).toString() === "# Plan");
  }
  await ai.fileSearchStores.documents.delete({ name, config: { force: true } });
  tell("documents.delete", (await statusOf(ai.fileSearchStores.documents.get({ name }))) === 404);
  await ai.fileSearchStores.delete({ name: made.name, config: { force: true } });
  tell("delete", (await statusOf(ai.fileSearchStores.get({ name: made.name }))) === 403);
});

if (has("webhooks"))
  await story("webhooks", async (tell) => {
    const made = await ai.webhooks.create({ uri: "https://hooks.example/x", subscribed_events: ["interaction.completed"] });
    tell("create", Boolean(made.new_signing_secret));
    tell("get", (await ai.webhooks.get(made.id)).uri === "https://hooks.example/x");
    tell("list", (await ai.webhooks.list()).webhooks.length === 1);
    tell("update", (await ai.webhooks.update(made.id, { state: "disabled" })).state === "disabled");
    await ai.webhooks.ping(made.id);
    tell("ping", true);
    tell("rotateSigningSecret", Boolean((await ai.webhooks.rotateSigningSecret(made.id)).secret));
    await ai.webhooks.delete(made.id);
    tell("delete", (await statusOf(ai.webhooks.get(made.id))) === 404);
  });

if (has("triggers"))
  await story("triggers", async (tell) => {
    const interaction = { agent, input: "Go.", environment: "remote" };
    const made = await ai.triggers.create({ schedule: "0 9 * * *", time_zone: "UTC", interaction });
    tell("create", made.status === "active");
    tell("get", (await ai.triggers.get(made.id)).schedule === "0 9 * * *");
    tell("list", (await ai.triggers.list()).triggers.length === 1);
    const run = await ai.triggers.run(made.id);
    tell("run", Boolean(run.interaction_id));
    tell("listExecutions", (await ai.triggers.listExecutions(made.id)).trigger_executions[0].id === run.id);
    tell("update", (await ai.triggers.update(made.id, { status: "paused" })).status === "paused");
    await ai.triggers.delete(made.id);
    tell("delete", (await statusOf(ai.triggers.get(made.id))) === 404);
  });

if (has("credentials"))
  await story("credentials", async (tell) => {
    const made = await ai.credentials.create({ id: "key", type: "bearer_token", token: "t" });
    tell("create", made.id === "key");
    tell("get", (await ai.credentials.get("key")).type === "bearer_token");
    tell("list", (await ai.credentials.list()).credentials.length === 1);
    tell("update", (await ai.credentials.update("key", { type: "bearer_token", token: "u" })).id === "key");
    await ai.credentials.delete("key");
    tell("delete", (await statusOf(ai.credentials.get("key"))) === 404);
  });

if (has("voices"))
  await story("voices", async (tell) => {
    const made = await ai.voices.create({ voice: { type: "prompted", prompted: { input: "Deep." } }, store: true });
    tell("create", made.id.startsWith("voice_"));
    tell("get", (await ai.voices.get(made.id)).prompted.input === "Deep.");
    tell("list", (await ai.voices.list({ page_size: 2 })).voices[0].id === made.id);
    await ai.voices.delete(made.id);
    tell("delete", (await statusOf(ai.voices.get(made.id))) === 404);
  });

console.log(JSON.stringify(seen));
