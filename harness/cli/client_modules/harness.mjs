// The client of the harness's control API for tests in JavaScript and TypeScript: a session for each test, replies,
// failures, drops, holds, requests and recordings. Written by `harness client js`; docs/javascript.md has recipes.
//
//   import { start } from "./harness.mjs";
//
//   const harness = await start();                       // once; needs the command `harness`
//   const session = await harness.session();             // for each test
//   await session.reply("Hello.");
//   await session.drop("event:5,rst");
//   const ai = new GoogleGenAI({ apiKey: "any", httpOptions: { baseUrl: session.url } });
//   …
//   await session.requests();
//   await harness.stop();
//
// No dependencies: it needs `fetch`. Only `start` and `replay` need Node (or Bun); `connect` runs anywhere, except in
// a web page of another origin, which no server lets call its control API.

/** The server refused a call, or could not be started. `status` is that of HTTP, 0 without an answer. */
export class HarnessError extends Error {
  constructor(message, { status = 0, cause } = {}) {
    super(message, { cause });
    this.name = "HarnessError";
    this.status = status;
  }
}

/** Start `harness serve` on a free port. */
export async function start(options = {}) {
  refuseUnknown("start", options, ["scenario", "incident", "speed", "settings", ...LAUNCH_OPTIONS]);
  const { scenario, incident, speed, settings = {}, args = [], ...rest } = options;
  const words = ["serve", "--port", "0", "--json"];
  if (scenario !== undefined) words.push("--scenario", scenario);
  if (incident !== undefined) words.push("--incident", incident);
  if (speed !== undefined) words.push("--speed", String(speed));
  for (const [name, value] of Object.entries(settings)) words.push("--set", `${name}=${JSON.stringify(value)}`);
  return launch([...words, ...args], rest);
}

/** Start `harness replay` of a recording on a free port: what was not recorded is an error that names the nearest. */
export async function replay(cassette, options = {}) {
  refuseUnknown("replay", options, ["mode", ...LAUNCH_OPTIONS]);
  const { mode, args = [], ...rest } = options;
  const words = mode === undefined ? [] : ["--mode", mode];
  return launch(["replay", cassette, "--port", "0", "--json", ...words, ...args], rest);
}

/** Use a server that runs already. */
export async function connect(url, options = {}) {
  refuseUnknown("connect", options, ["token"]);
  const harness = new Harness(url, { token: options.token });
  await harness.faults();
  return harness;
}

/** What can be told to a server, or to one session of it. */
class Controls {
  #parts = new Map();
  #excused = new Set();
  #token;

  constructor(url, token) {
    /** The base URL for the client under test. */
    this.url = url.replace(/\/+$/, "");
    this.#token = token;
  }

  /** Queue an answer: a text, a script (docs/emulator.md), or a list of scripts. Resolves to the queue's length. */
  async reply(answer, script = {}) {
    const body = typeof answer === "string" ? { text: answer, ...script } : answer;
    return (await this.call("POST", "scripts", body)).queued;
  }

  /**
   * Refuse the next requests of a kind. `shape` says who seems to have written the error, `body` is one of your own.
   */
  async fail(status = 503, options = {}) {
    refuseUnknown("fail", options, ["on", "times", "retryAfter", "retryInfo", "shape", "body"]);
    const { on = "any", times = 1, retryAfter, retryInfo, shape, body } = options;
    const scope = SCOPES[on];
    if (scope === undefined) throw new HarnessError(`on: ${on} is none of ${Object.keys(SCOPES).join(", ")}`);
    const words = [`status:${status}`];
    if (retryAfter !== undefined) words.push(`retry-after:${retryAfter}`);
    if (shape !== undefined) words.push(`shape:${shape}`);
    if (retryInfo !== undefined) words.push(`retry-info:${retryInfo}`);
    if (body !== undefined) words.push(`body:${encodeURIComponent(typeof body === "string" ? body : JSON.stringify(body))}`);
    if (times !== 1) words.push(`times:${times === 0 ? "all" : times}`);
    return this.#plan(scope, words.join(","));
  }

  /** Apply a fault plan to streams (docs/faults.md), such as "event:5,rst/resumes=status:404,times:all". */
  async drop(plan) {
    return this.#plan("streams", plan);
  }

  async #plan(scope, connections) {
    const before = new Map(this.#parts);
    if (/^\s*[a-z]+\s*=/.test(connections)) this.#parts.set(connections.split("=")[0].trim(), connections);
    else this.#parts.set(scope, scope === "streams" ? connections : `${scope}=${connections}`);
    const { streams, ...others } = Object.fromEntries(this.#parts); // what names no scope comes first
    const parts = [...(streams === undefined ? [] : [streams]), ...Object.values(others)];
    // The other parts go on counting: what they refused or dropped already does not come again.
    const renewed = connections.split("/").map((part) => /^\s*([a-z]+)\s*=/.exec(part)?.[1] ?? scope);
    try {
      return await this.call("POST", "faults", { plan: parts.join("/"), renewed });
    } catch (error) {
      this.#parts = before;
      throw error;
    }
  }

  /** The fault plan, and what it did to which connection. */
  async faults() {
    return this.call("GET", "faults");
  }

  /**
   * Throw if an answer, a failure or a drop that is planned now never took effect: such a test has tested nothing.
   * What an incident plans is left out: few clients meet all of it.
   */
  async assertAllMet() {
    const unmet = (await this.#findUnmet()).filter(({ what }) => !this.#excused.has(what));
    if (unmet.length > 0) throw new HarnessError(unmet.map(({ what, why }) => `${what} ${why}`).join("\n"));
  }

  async #findUnmet() {
    const { plan, unmet } = await this.faults();
    const found = unmet ? [{ what: `the plan "${plan}"`, why: `never took effect: ${unmet}` }] : [];
    try {
      const { unmet: answers } = await this.call("GET", "scripts");
      return [...found, ...answers.map((what) => ({ what, why: "was never given: no create took it" }))];
    } catch (error) {
      if (error.status === 404) return found; // a recording, or a proxy: there is nothing to script
      throw error;
    }
  }

  /** Remove failures and drops. */
  async mend() {
    this.#parts.clear();
    await this.call("DELETE", "faults");
  }

  /** Behave as in an incident that really happened (docs/incidents.md); resolves to all that is known of it. */
  async incident(name) {
    const incident = await this.call("POST", "incidents", { name });
    this.#excused = new Set((await this.#findUnmet()).map(({ what }) => what));
    return incident;
  }

  /** Stop background runs where they are. */
  async hold() {
    await this.call("POST", "hold", {});
  }

  /** Let one held run continue, or all; resolves to how many were held. */
  async release(id) {
    return (await this.call("POST", "release", id === undefined ? {} : { id })).released;
  }

  /** The requests so far, oldest first, with secrets masked. */
  async requests() {
    return (await this.call("GET", "requests")).requests;
  }

  /** The calls so far in a word or two each: "create", "create stream", "get", "get stream", "resume", "cancel", "delete". */
  async calls() {
    return (await this.requests()).map(nameCall);
  }

  /** Change settings (docs/emulator.md); resolves to all of them. */
  async settings(changes) {
    return changes === undefined ? this.call("GET", "settings") : this.call("POST", "settings", changes);
  }

  /** Forget runs, resources, scripts and requests; failures and drops stay. */
  async reset() {
    await this.call("POST", "reset", {});
  }

  /** The environment for a process that is to talk to this server. */
  get environment() {
    return { INTERACTIONS_BASE_URL: this.url, GOOGLE_GEMINI_BASE_URL: this.url, GEMINI_API_KEY: "harness-dummy-key" };
  }

  /** Any request of the control API (docs/control.md); `path` begins after `/__harness__/`. */
  async call(method, path, body) {
    const headers = { ...(body === undefined ? {} : { "content-type": "application/json" }) };
    if (this.#token !== undefined) headers["x-harness-token"] = this.#token;
    const target = `${this.url}/__harness__/${path}`;
    let response;
    try {
      response = await fetch(target, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    } catch (error) {
      throw new HarnessError(`no harness answers at ${this.url}: ${error.cause?.message ?? error.message}`, { cause: error });
    }
    const text = await response.text();
    if (!response.ok) throw new HarnessError(messageIn(text), { status: response.status });
    return JSON.parse(text);
  }
}

/** A running server. */
export class Harness extends Controls {
  #token;
  #stop;

  constructor(url, { token, stop = async () => {} } = {}) {
    super(url, token);
    this.#token = token;
    this.#stop = stop;
  }

  /** Open a session: a separate emulator on the same port, for one test. */
  async session() {
    const { id, base_url_path: path } = await this.call("POST", "sessions", {});
    return new Session(this, id, this.url + path, this.#token);
  }

  /** Stop the server, if this program started it. */
  async stop() {
    await this.#stop();
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.stop();
  }
}

/** A separate emulator in a server; it shares nothing with other sessions. */
export class Session extends Controls {
  #harness;

  constructor(harness, id, url, token) {
    super(url, token);
    this.#harness = harness;
    this.id = id;
  }

  /** End it. */
  async end() {
    await this.#harness.call("DELETE", `sessions/${this.id}`);
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.end();
  }
}

const LAUNCH_OPTIONS = ["command", "seconds", "args"];

function refuseUnknown(call, options, known) {
  const wrong = Object.keys(options).filter((name) => !known.includes(name));
  if (wrong.length === 0) return;
  throw new HarnessError(`${call}() has no option ${wrong.join(", ")}: it takes ${known.join(", ")}`);
}

const SCOPES = {
  any: "all", create: "creates", get: "gets", stream: "streams", resume: "resumes", cancel: "cancels", delete: "deletes",
};

function nameCall({ method, target, body }) {
  const { pathname, searchParams } = new URL(target, "http://any.test");
  const at = pathname.replace(/\/+$/, "").split("/interactions")[1];
  if (at === undefined) return `${method} ${pathname}`;
  if (method === "POST" && at === "") return body?.stream === true ? "create stream" : "create";
  if (method === "POST" && at.endsWith("/cancel")) return "cancel";
  if (method === "DELETE") return "delete";
  if (method !== "GET") return `${method} ${pathname}`;
  if (searchParams.get("stream") !== "true") return "get";
  return searchParams.has("last_event_id") ? "resume" : "get stream";
}

function messageIn(text) {
  try {
    const { error } = JSON.parse(text);
    return error.message;
  } catch {
    return text.slice(0, 500);
  }
}

async function launch(words, { command = process.env.HARNESS_COMMAND ?? "harness", seconds = 30 } = {}) {
  const { spawn } = await import("node:child_process");
  const [program, ...before] = Array.isArray(command) ? command : [command];
  const child = spawn(program, [...before, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  const kill = () => child.kill("SIGKILL");
  const holds = [child, child.stdout, child.stderr];
  process.once("exit", kill); // a test runner that ends early must not leave a server behind
  const ended = new Promise((resolve) => child.once("close", resolve));
  const stop = async () => {
    process.off("exit", kill);
    for (const held of holds) held.ref?.(); // what is awaited must not end the program
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    await ended;
  };
  try {
    const { base_url: url, control_token: token } = await firstLine(child, program, seconds);
    for (const held of holds) held.unref?.(); // a test that fails before stop() must not keep its runner alive
    return new Harness(url, { token, stop });
  } catch (error) {
    await stop();
    throw error;
  }
}

function firstLine(child, program, seconds) {
  return new Promise((resolve, reject) => {
    let out = "";
    let errors = "";
    const fail = (why, cause) => {
      clearTimeout(timer);
      reject(new HarnessError(`${program} did not start: ${why}${errors && `\n${errors.trim()}`}`, { cause }));
    };
    const timer = setTimeout(() => fail(`it said nothing for ${seconds} s (option seconds: give it more)`), seconds * 1000);
    child.stderr.setEncoding("utf8").on("data", (text) => { errors += text; });
    child.stdout.setEncoding("utf8").on("data", (text) => {
      out += text;
      const end = out.indexOf("\n");
      if (end < 0) return;
      clearTimeout(timer);
      try {
        resolve(JSON.parse(out.slice(0, end)));
      } catch (error) {
        fail(`its first line is no JSON: ${out.slice(0, end)}`, error);
      }
    });
    child.once("error", (error) => {
      const hint = error.code === "ENOENT" ? "it is not installed: pip install interactions-harness" : error.message;
      fail(hint, error);
      child.emit("close");
    });
    child.once("close", (code) => fail(`it ended with exit code ${code}`));
  });
}
