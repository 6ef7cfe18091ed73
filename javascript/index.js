// The harness for tests in JavaScript and TypeScript: an emulator of the Gemini Interactions API for each test, faults,
// and the judge of what the code under test did. docs/javascript.md lists the calls, docs/tutorials/javascript.md
// teaches them. The judge and its words are those of the fixtures for pytest: it runs in the server, behind the control
// API, and this module only shows what it says.
//
// No dependencies: it needs `fetch`. `start` and `replay` need Node or Bun; `connect` runs anywhere, except in a web page
// of another origin, which no server lets call its control API.

// What is used here has to be real while a test's fake timers are on.
const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setImmediate: globalThis.setImmediate ?? ((call) => globalThis.setTimeout(call, 0)),
  now: globalThis.performance.now.bind(globalThis.performance),
};
const turn = () => new Promise((resolve) => real.setImmediate(resolve));
const pause = (ms) => new Promise((resolve) => real.setTimeout(resolve, ms));

const letterCode = (letter) => `\\u${letter.codePointAt(0).toString(16).padStart(4, "0")}`;

const withoutLastSlashes = (text) => text.replace(/(?<!\/)\/+$/, ""); // else each slash of many begins a look to its end

/** So many characters of an error of a server are shown. */
const MOST_SHOWN = 10_000;

/** A text that neither a terminal nor a runner of a CI system obeys: code under test and servers wrote parts of it. */
const harmless = (text) =>
  text
    .replace(/[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\p{Bidi_Control}]/gu, letterCode)
    .replace(/(#{2}[^\s[]{0,60})\[/g, (_, before) => before + letterCode("["))
    .replace(/^([^\S\n]*):(?=:)/gm, (_, before) => before + letterCode(":"));

/** The cause of an error, as test runners print it beside the message: one may quote what a server sent. */
const withoutControls = (cause) =>
  cause instanceof Error && harmless(cause.message) !== cause.message
    ? Object.assign(new Error(harmless(cause.message)), { name: cause.name, code: cause.code })
    : cause;

/** The server refused a call, or could not be started. `status` is that of HTTP, 0 without an answer. */
export class HarnessError extends Error {
  constructor(message, { status = 0, cause } = {}) {
    super(harmless(message), { cause: withoutControls(cause) });
    this.name = "HarnessError";
    this.status = status;
  }
}

/** The judge found something wrong with what the code under test did; `summary` is that of `torture`. */
export class HarnessAssertionError extends Error {
  constructor(message, { summary, ...options } = {}) {
    super(harmless(message), options);
    if (summary) Object.defineProperty(this, "summary", { value: summary }); // not shown beside the message
  }
}
// What test runners call it; on the prototype, so that no report lists it.
Object.assign(HarnessAssertionError.prototype, { name: "AssertionError", code: "ERR_ASSERTION" });

/** The routes that a background run takes without being told which (`session.route`), and all of them. */
export const COMMON_ROUTES = Object.freeze(["completed", "failed", "cancelled", "requires_action", "incomplete", "queued"]);
export const ROUTES = Object.freeze([
  "completed", "failed", "cancelled", "cancelled_early", "cancelled_late", "requires_action", "function_result",
  "incomplete", "queued", "deleted", "missing_at_first", "requires_continuation",
]);

/** Start `harness serve` on a free port. */
export async function start(options = {}) {
  refuseUnknown("start", options, ["scenario", "incident", "speed", "settings", ...LAUNCH_OPTIONS]);
  const { scenario, incident, speed, settings = {}, args = [], ...rest } = options;
  const words = ["serve", "--port", "0", "--json"];
  if (scenario !== undefined) words.push("--scenario", scenario);
  if (incident !== undefined) words.push("--incident", incident);
  if (speed !== undefined) words.push("--speed", String(speed));
  for (const [name, value] of Object.entries(settings)) words.push("--setting", `${name}=${JSON.stringify(value)}`);
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
  #optional = new Set();
  #token;

  constructor(url, token) {
    /** The base URL for the client under test. */
    this.url = withoutLastSlashes(url);
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
    refuseUnknown("fail", options, ["on", "times", "retryAfter", "retryInfo", "shape", "body", "optional"]);
    const { on = "any", times = 1, retryAfter, retryInfo, shape, body, optional = false } = options;
    const scope = SCOPES[on];
    if (scope === undefined) throw new HarnessError(`on: ${on} is not one of ${Object.keys(SCOPES).join(", ")}`);
    const words = [`status:${status}`];
    const isPlain = [retryAfter, retryInfo, shape, body].every((value) => value === undefined);
    if (isPlain && (status >= 500 || [408, 409, 429].includes(status))) words.push("retry-after-ms:1"); // or SDKs wait long
    if (retryAfter !== undefined) words.push(`retry-after:${retryAfter}`);
    if (shape !== undefined) words.push(`shape:${shape}`);
    if (retryInfo !== undefined) words.push(`retry-info:${retryInfo}`);
    if (body !== undefined) words.push(`body:${encodeURIComponent(typeof body === "string" ? body : JSON.stringify(body))}`);
    if (times !== 1) words.push(`times:${times === 0 ? "all" : times}`);
    return this.#plan(scope, words.join(","), optional);
  }

  /** Apply a fault plan to streams (docs/faults.md), such as "event:5,rst/resumes=status:404,times:all". */
  async drop(plan, options = {}) {
    refuseUnknown("drop", options, ["optional"]);
    return this.#plan("streams", plan, options.optional ?? false);
  }

  async #plan(scope, connections, optional) {
    if (optional && this.excuse === undefined) throw new HarnessError("optional: only a session knows what is optional");
    const before = new Map(this.#parts);
    if (/^\s*[a-z]+\s*=/.test(connections)) this.#parts.set(connections.split("=")[0].trim(), connections);
    else this.#parts.set(scope, scope === "streams" ? connections : `${scope}=${connections}`);
    const { streams, ...others } = Object.fromEntries(this.#parts); // what names no scope comes first
    const parts = [...(streams === undefined ? [] : [streams]), ...Object.values(others)];
    // The other parts go on counting: what they refused or dropped already does not come again.
    const renewed = connections.split("/").map((part) => /^\s*([a-z]+)\s*=/.exec(part)?.[1] ?? scope);
    try {
      const planned = await this.call("POST", "faults", { plan: parts.join("/"), renewed });
      for (const one of renewed) this.#optional[optional ? "add" : "delete"](one);
      await this.excuse?.([...this.#optional]);
      return planned;
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

  /** The calls so far in a word or two each: "create", "create stream", "get", "stream", "stream after …", "cancel", "delete". */
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
      const sent = body === undefined ? undefined : JSON.stringify(body);
      response = await fetch(target, { method, headers, body: sent, redirect: "error" }); // the token is for this server
    } catch (error) {
      throw new HarnessError(`no harness answers at ${this.url}: ${error.cause?.message ?? error.message}`, { cause: error });
    }
    const text = await response.text();
    if (!response.ok) throw new HarnessError(messageIn(text), { status: response.status });
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new HarnessError(`what answers at ${this.url} is not a harness: it sent no JSON: ${text.slice(0, 500)}`, { cause: error });
    }
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

  /**
   * Open a session: a separate emulator on the same port, for one test, with a clock of its own and a judge.
   * `settings` are those of docs/emulator.md; `maxRequests` stops code that asks for ever (1000),
   * `maxSettledReads` code that goes on to read an interaction that has settled (50).
   */
  async session(options = {}) {
    refuseUnknown("session", options, ["settings", "maxRequests", "maxSettledReads", "assertAllUsed", "judgeTurns", "speed"]);
    let opened;
    try {
      opened = await this.call("POST", "sessions", { judged: true, ...toSnake(options) });
    } catch (error) {
      if (error.status !== 404) throw error;
      throw new HarnessError(
        `${this.url} has no sessions with a judge (${error.message}): it needs \`harness serve\` of the same version as this package`,
        { status: 404, cause: error },
      );
    }
    return new Session(this, opened.id, this.url + opened.base_url_path, this.#token);
  }

  /** Stop the server, if this program started it. */
  async stop() {
    await this.#stop();
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.stop();
  }
}

/** A separate emulator in a server, with a judge; it shares nothing with other sessions. */
export class Session extends Controls {
  #harness;
  #traffic;
  #elapsing = false;
  /** The timers of the code under test, from the first `elapse` on. */
  #planned;
  #over = false;
  #sleeps;
  #stop;

  constructor(harness, id, url, token) {
    super(url, token);
    this.#harness = harness;
    this.id = id;
    /** A key that the emulator accepts; any other will do, too, unless its settings say which. */
    this.key = "harness-dummy-key";
    /** Whether a reader was still running when its time was up: what it awaits may keep the process alive. */
    this.leftRunning = false;
    /** How many seconds `elapse` let pass so far: what the code under test waited for. */
    this.elapsed = 0;
    let stop;
    /** Rejects if the code under test polls without an end: what it waits for never comes. */
    this.stopped = new Promise((_, reject) => { stop = reject; });
    this.stopped.catch(() => {});
    this.#stop = (words) => {
      this.leftRunning = true;
      this.#sleeps?.stop();
      stop(new HarnessAssertionError(speak(words)));
    };
    this.#traffic = watchTraffic(url, (polled) => this.#look(polled).catch(() => {}));
  }

  /** The code under test polls what does not change any more, or was refused for that: how long did it sleep? */
  async #look(polled) {
    if (this.#elapsing || this.#over) return;
    this.#sleeps ??= await watchSleeps();
    const seconds = this.#sleeps.take();
    const { runaway } = await this.#judge("slept", { seconds: polled ? seconds : 0 });
    if (runaway) this.#stop(runaway);
  }

  /** Queue an answer: a text, a script (docs/emulator.md), or a list of scripts. Resolves to the queue's length. */
  async reply(answer, { optional = false, unchecked = false, ...script } = {}) {
    const body = typeof answer === "string" ? { text: answer, ...script } : answer;
    return (await this.#judge("reply", { script: body, optional, unchecked })).queued;
  }

  /**
   * Throw what the test has left undone (an answer, a failure or a drop that never took effect, a result unchecked) and each
   * turn of its conversation that is wrong. A turn that may be meant is a warning of the process.
   */
  async assertAllMet() {
    const { complaints, warnings = [] } = await this.call("GET", "judge");
    for (const warning of warnings) process.emitWarning(speak(warning), "HarnessTurnWarning");
    if (complaints.length > 0) throw new HarnessAssertionError(complaints.map(speak).join("\n"));
  }

  /** The scopes of the fault plan that may stay without effect. */
  async excuse(scopes) {
    await this.#judge("excuse", { scopes });
  }

  /** What the code under test sent, and what it got, a line each: for the report of a test that fails. */
  async describe() {
    return (await this.call("GET", "judge")).context.map(harmless);
  }

  /** Assert that exactly these calls were made, in this order; "stream after …" stands for any cursor. */
  async assertCalls(...calls) {
    await this.#assert("assert_calls", { expected: calls });
  }

  /** Assert as many creates as given, each with at least these fields, at any depth. */
  async assertCreated(...bodies) {
    await this.#assert("assert_created", { expected: bodies });
  }

  /** Assert that the code under test continued each dropped stream: it resumed, or requested the interaction. */
  async assertResumed() {
    await this.#assert("assert_resumed", {});
  }

  /** Assert how many calls of a kind were made: `exactly` so many, or from `atLeast` to `atMost`. */
  async assertCount(call, bounds) {
    const { problem } = await this.#judge("assert_count", { call, ...toSnake(bounds ?? {}) });
    if (problem) throw this.#explain(problem);
  }

  /** The error, with the reason if the code under test got no time: it never waited. */
  #explain(problem) {
    const unpaused = this.#planned?.seen === 0 ? "\n  in elapse() it never waited for a timer: its calls came without a pause" : "";
    return new HarnessAssertionError(speak(problem) + unpaused);
  }

  /** Add an earlier turn of a conversation, made by nobody's code; resolves to it, with its `id`. */
  async turn(text, options = {}) {
    const { after, ...rest } = toSnake(options);
    const made = await this.#judge("turn", { text: text ?? null, ...rest, ...(after && { after: idOf(after) }) });
    return { ...made, environmentId: made.environment_id };
  }

  /** Add `length` turns one after the other; resolves to the last. */
  async build(length, options = {}) {
    let last;
    for (let number = 0; number < length; number += 1) last = await this.turn(undefined, options);
    return last;
  }

  /**
   * Assert that the last create continues a turn correctly, and was accepted. `after` is the turn or its id; without it
   * the last one that `turn` or `build` made, else the one that the code under test made before.
   */
  async assertContinued(after, options = {}) {
    await this.#assert("assert_continued", { ...(after && { after: idOf(after) }), ...toSnake(options) });
  }

  /**
   * Assert that the last create sends steps back, as a client without `store` must: these, those of an interaction, or
   * those that the create before it was answered with.
   */
  async assertReplayed(steps) {
    const named = steps === undefined ? {} : Array.isArray(steps) ? { steps } : { id: idOf(steps) };
    await this.#assert("assert_replayed", named);
  }

  /**
   * Assert that the code under test has read or closed every response. It waits a moment for what is being closed. What
   * came to its end unread holds no connection, and is not seen.
   */
  async assertClosed() {
    const left = await this.#traffic.countOpen("");
    if (left === 0) return;
    throw new HarnessAssertionError(
      `the client left ${left === 1 ? "1 response" : `${left} responses`} open: read each to its end, or cancel it, such as by leaving \`for await\` with break`,
    );
  }

  /** Assert the texts of a conversation up to an interaction: inputs and outputs in order. */
  async assertHistory(interaction, ...texts) {
    await this.#assert("assert_history", { id: idOf(interaction), expected: texts });
  }

  /** An interaction as it is now, null if there is none. Unlike a poll, this does not move it on. */
  async look(interaction) {
    return (await this.#judge("look", { id: idOf(interaction) })).interaction;
  }

  /** Begin a background run that takes a route (one of ROUTES); the code under test gets its `id`. */
  async route(name) {
    return this.#judge("route", { name });
  }

  /**
   * Assert what the code under test ended with on the route: a status, an interaction, a text, or the error it threw.
   * `raised` is the class of the application's own errors, several, or one for each status.
   */
  async assertOutcome(result, { raised } = {}) {
    await this.#assert("assert_outcome", { ...encode(result), ...(raised !== undefined && { raised: nameClasses(raised) }) });
  }

  /** Let time pass for the emulator, in seconds, as if the code under test had slept. */
  async passTime(seconds) {
    return (await this.#judge("time", { seconds })).now;
  }

  /**
   * Run code whose timers are fake: whenever it waits for nothing but them, its time and the emulator's move on together.
   * `timers` are vitest's `vi` after `vi.useFakeTimers()`, the `mock.timers` of node:test after `enable()`, or any clock of
   * sinon or jest. It may last `most` seconds of its own time (a day). Resolves to what the code resolves to.
   */
  async elapse(work, { timers, most = 86_400 } = {}) {
    const advance = findAdvance(timers);
    this.#elapsing = true;
    const planned = this.#planned = watchTimers();
    let ended = false;
    let runaway = "";
    let passed = 0;
    let idle = 0;
    const pass = async (ms) => { ({ runaway } = await this.#judge("time", { seconds: ms / 1000 })); };
    const look = async () => {
      for (await pause(500); !ended && !runaway && !this.#over; await pause(500)) await pass(0); // code that never waits for a timer
    };
    try {
      const running = (async () => (typeof work === "function" ? work() : work))().finally(() => { ended = true; });
      running.catch(() => {});
      look().catch(() => {});
      while (!ended) {
        await this.#traffic.quiet(() => ended || runaway || this.#over);
        if (ended) break;
        if (this.#over) throw new HarnessError("elapse(): its test and the session have ended: await elapse(), and give a long test more time");
        if (runaway) throw this.#explain(runaway);
        const next = planned.next(passed);
        if (next === undefined && planned.seen > 0 && (idle += 1) > 2000) {
          throw new HarnessError("elapse(): the code under test waits for something that is neither a timer nor a request");
        }
        const step = Math.max(1, next === undefined ? 1000 : Math.ceil(next - passed));
        if (next !== undefined) idle = 0;
        if (passed + step > most * 1000) {
          const [waits] = (await this.describe()).slice(-1);
          throw new HarnessAssertionError(
            `the code under test still waits after ${most} s of its own time${waits ? `; the last it sent: ${waits}` : ""}`,
          );
        }
        await pass(step); // first the emulator: what a timer sends must find it in time
        passed += step;
        this.elapsed += step / 1000;
        planned.moveTo(passed);
        await advance(step);
      }
      return await running;
    } finally {
      this.leftRunning ||= !ended;
      ended = true;
      planned.stop();
    }
  }

  /**
   * The cuts of a stream, one after the other: `for await (const cut of session.cuts({ cuts: "every-event" }))`. Give
   * `cut.url` and `cut.id` to the code under test, and what it ends with to `cut.assertSeenOnce(result)`.
   */
  async *cuts(options = {}) {
    refuseUnknown("cuts", options, CUT_OPTIONS);
    const { cases } = await this.#judge("plan_cases", { cuts: "every-event", ...toSnake(options), judged_one_by_one: true });
    for (let number = 1; number <= cases.length; number += 1) yield this.#begin(number);
  }

  async #begin(number) {
    const begun = await this.#judge("begin_case", { number });
    return new Cut(this.url, begun, (ended) => this.#judge("end_case", { number: begun.place, ...ended }));
  }

  /** What `torture` calls; see there. */
  async torture(read, options = {}) {
    refuseUnknown("torture", options, TORTURE_OPTIONS);
    const { seconds = 30, timers, most = 86_400, jobs = 8, enough = 5, ...chosen } = options;
    const { cases } = await this.#judge("plan_cases", toSnake(chosen));
    const limits = { seconds, timers, most };
    const undisturbed = await this.#play(read, 0, limits);
    if (undisturbed.problem) {
      const [first, ...rest] = speak(undisturbed.problem).split("\n");
      throw new HarnessAssertionError(
        [`already ${first}`, ...rest.slice(0, -1), ...(undisturbed.expected ? [`  it has to end with: ${undisturbed.expected}`] : [])].join("\n"),
      );
    }
    const failures = new Map(); // of a kind and a code
    const givenUp = new Set();
    let skipped = 0;
    let next = 1;
    const work = async () => {
      while (next <= cases.length) {
        const number = next++;
        const { kind } = cases[number - 1];
        if (givenUp.has(kind)) {
          skipped += 1;
          continue;
        }
        const { problem, code } = await this.#play(read, number, limits);
        if (!problem || !kind) continue;
        const equal = (failures.get(`${kind} ${code}`) ?? 0) + 1;
        failures.set(`${kind} ${code}`, equal);
        if (enough > 0 && equal >= enough) givenUp.add(kind);
      }
    };
    const parallel = timers === undefined ? Math.max(1, Math.min(jobs, cases.length)) : 1; // fake timers are those of all
    await Promise.all(Array.from({ length: parallel }, work));
    const summary = await this.#judge("sum_up", {});
    const left = skipped ? `\n  ${skipped} more cases were not played after ${enough} equal failures of their kind (enough: 0 plays all)` : "";
    if (summary.failed > 0) throw new HarnessAssertionError(speak(summary.text) + left, { summary });
    return summary;
  }

  async #play(read, number, { seconds, timers, most }) {
    const cut = await this.#begin(number);
    const controller = new AbortController();
    let timer;
    const late = new Promise((resolve) => {
      timer = real.setTimeout(() => resolve({ stopped: `did not end within ${seconds} s` }), seconds * 1000);
    });
    const create = {
      model: "gemini-3.8-flash",
      input: "Go.",
      ...(cut.mode !== "poll" && { stream: true }),
      ...(cut.mode !== "create" && { background: true }),
      ...(cut.mode === "tools" && { tools: [LOOK] }),
    };
    const task = { url: cut.url, id: cut.id, mode: cut.mode, case: cut.case, plan: cut.plan, create, signal: controller.signal };
    const attempt = async () => {
      try {
        return encode(await read(task));
      } catch (error) {
        return encode(asError(error));
      }
    };
    const waited = (error) => {
      if (!(error instanceof HarnessAssertionError)) throw error;
      return { stopped: `did not end within ${most} s of its own time` };
    };
    const run = timers === undefined ? attempt() : this.elapse(attempt, { timers, most }).catch(waited);
    const answer = await Promise.race([run, late]);
    real.clearTimeout(timer);
    if (answer.stopped) this.leftRunning = true;
    const left = answer.stopped ? 0 : await this.#traffic.countOpen(`${new URL(cut.url).pathname}/`);
    controller.abort();
    return cut.end({ ...answer, left_open: left });
  }

  async #judge(name, body) {
    return this.call("POST", `judge/${name}`, body);
  }

  async #assert(name, body) {
    const { problem } = await this.#judge(name, body);
    if (problem) throw new HarnessAssertionError(speak(problem));
  }

  /** End it. */
  async end() {
    this.#over = true;
    this.#traffic.stop();
    this.#sleeps?.restore();
    await this.#harness.call("DELETE", `sessions/${this.id}`);
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.end();
  }
}

/** A stream that is cut somewhere: the code under test reads interaction `id` at `url`. */
export class Cut {
  #end;

  constructor(url, begun, end) {
    this.url = url + begun.path;
    this.id = begun.id;
    this.case = begun.case;
    this.plan = begun.plan;
    this.mode = begun.mode;
    this.#end = end;
  }

  /** Assert that a result (the text, the events, the interaction) is the whole stream, once and in order. */
  async assertSeenOnce(result) {
    const { problem } = await this.end(encode(result));
    if (problem) throw new HarnessAssertionError(speak(problem));
  }

  /** What the judge says of how it ended, without throwing. */
  async end(ended) {
    return this.#end(ended);
  }
}

/**
 * Put a reader through many cases, each with its own faults, and throw an AssertionError that lists each reason for a
 * failure once. `read({ url, id, mode, create, signal })` reads the interaction `id` at the base URL `url`, or makes its own
 * if the mode says so, and resolves to the text, the events, the interaction, or `{ text, status }`.
 */
export async function torture(session, read, options = {}) {
  return session.torture(read, options);
}

/** What a reader declares in the mode "tools". */
const LOOK = {
  type: "function",
  name: "look",
  description: "Look at a place.",
  parameters: { type: "object", properties: { place: { type: "string" } }, required: ["place"] },
};
const CUT_OPTIONS = ["cuts", "endings", "first", "script", "further", "eventIds", "resume", "mode"];
const TORTURE_OPTIONS = [...CUT_OPTIONS, "set", "only", "exclude", "allow", "seconds", "timers", "most", "jobs", "enough"];

// The judge speaks Python; here its names are those of this module.
function speak(words) {
  return words
    .replace(/\bassert_[a-z_]+/g, (name) => toCamel(name))
    .replace(/\(new_environment=True\)/g, "(turn, { newEnvironment: true })")
    .replace(/\(any_results=True\)/g, "(turn, { anyResults: true })")
    .replace(/\(without_tools=True\)/g, "(turn, { withoutTools: true })")
    .replace(/\bunchecked=True\b/g, "{ unchecked: true }")
    .replace(/\boptional=True\b/g, "{ optional: true }")
    .replace(/\(error, raised=([^()]*)\)/g, "(error, { raised: $1 })");
}

const toCamel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());

/** An object with the names of its members as the control API has them; what they hold stays as it is. */
function toSnake(options) {
  const named = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(named.map(([name, value]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]));
}

const idOf = (interaction) => (typeof interaction === "string" ? interaction : interaction.id);
const asError = (thrown) => (thrown instanceof Error ? thrown : new Error(String(thrown)));

/** What code ended with, as the judge reads it: an error it threw, or a result. */
function encode(result) {
  if (!(result instanceof Error)) return { result: result ?? null };
  const kinds = [];
  for (let kind = result.constructor; kind && kind !== Object && kind.name; kind = Object.getPrototypeOf(kind)) kinds.unshift(kind.name);
  const { status } = result;
  const code = typeof status === "number" ? status : result.statusCode ?? result.code;
  const told = { name: result.constructor?.name || result.name, message: result.message, kinds };
  if (typeof status === "string") told.status = status;
  if (typeof code === "number") told.status_code = code;
  return { error: told };
}

function nameClasses(raised) {
  if (typeof raised === "function") return raised.name;
  if (Array.isArray(raised)) return raised.map(nameClasses);
  if (typeof raised === "string") return raised;
  return Object.fromEntries(Object.entries(raised).map(([status, kind]) => [status, nameClasses(kind)]));
}

/** How these fake timers are moved. */
function findAdvance(timers) {
  for (const name of ["advanceTimersByTimeAsync", "tickAsync", "advanceTimersByTime", "tick"]) {
    if (typeof timers?.[name] === "function") return async (ms) => { await timers[name](ms); };
  }
  throw new HarnessError("elapse() needs the fake timers of the test: { timers: vi } of vitest, or { timers: t.mock.timers } of node:test");
}

/** Notes when the timers are due that are set meanwhile, in the milliseconds that passed. */
function watchTimers() {
  const due = new Map();
  const watched = { passed: 0, seen: 0 };
  const originals = {};
  const ours = {};
  for (const [set, clear] of [["setTimeout", "clearTimeout"], ["setInterval", "clearInterval"]]) {
    originals[set] = globalThis[set];
    originals[clear] = globalThis[clear];
    globalThis[set] = Object.assign((call, ms, ...rest) => {
      const timer = originals[set](call, ms, ...rest);
      watched.seen += 1;
      due.set(timer, { at: watched.passed + Math.max(1, Number(ms) || 1), every: set === "setInterval" ? Math.max(1, Number(ms) || 1) : 0 });
      return timer;
    }, originals[set]);
    globalThis[clear] = (timer) => {
      due.delete(timer);
      return originals[clear](timer);
    };
    Object.assign(ours, { [set]: globalThis[set], [clear]: globalThis[clear] });
  }
  return {
    get seen() { return watched.seen; },
    next: () => {
      const moments = [...due.values()].map(({ at }) => at);
      return moments.length > 0 ? Math.min(...moments) : undefined;
    },
    moveTo: (passed) => {
      watched.passed = passed;
      for (const [timer, one] of due) {
        if (one.at > passed) continue;
        if (one.every === 0) due.delete(timer);
        else while (one.at <= passed) one.at += one.every;
      }
    },
    // A runner that has given a test up has its real timers back by now: ours, and the fake ones below them, are gone.
    stop: () => {
      for (const name in ours) if (globalThis[name] === ours[name]) globalThis[name] = originals[name];
    },
  };
}

/**
 * Notes the timers that fire from now on. It begins when code polls in vain, and sees whoever sets a timer by name. Timers
 * that are fake are left alone: a test moves those itself.
 */
async function watchSleeps() {
  let longest = 0;
  let stopped = false;
  const undo = [];
  const note = (ms) => { longest = Math.max(longest, (Number(ms) || 0) / 1000); };
  const replace = (owner, name, ours) => {
    const original = owner[name];
    owner[name] = Object.setPrototypeOf(ours(original), original); // which keeps what `promisify` looks for
    undo.push(() => { if (Object.getPrototypeOf(owner[name]) === original) owner[name] = original; });
  };
  if (globalThis.setTimeout === real.setTimeout) {
    for (const name of ["setTimeout", "setInterval"]) {
      replace(globalThis, name, (original) => (call, ms, ...rest) => original((...given) => {
        if (stopped) return; // the test is over: a loop that nothing ends must not go on behind the next one
        note(ms);
        call(...given);
      }, ms, ...rest));
    }
  }
  const [promises, modules] = await Promise.all(["node:timers/promises", "node:module"].map((name) => import(name).catch(() => ({}))));
  if (promises.default && modules.syncBuiltinESMExports) {
    replace(promises.default, "setTimeout", (original) => async (ms, ...rest) => {
      const value = await original(ms, ...rest);
      note(ms);
      return stopped ? new Promise(() => {}) : value;
    });
    modules.syncBuiltinESMExports();
    undo.push(() => modules.syncBuiltinESMExports());
  }
  return {
    /** The longest since the last call, in seconds: others may run beside it. */
    take: () => {
      const taken = longest;
      longest = 0;
      return taken;
    },
    stop: () => { stopped = true; },
    restore: () => undo.forEach((one) => one()),
  };
}

// Which requests are under way, as Node's `fetch` publishes it, whoever calls it and by whichever reference. Other ways
// to send are not seen: then only real time says that code waits for its timers.
const channels = await import("node:diagnostics_channel").catch(() => undefined);

function watchTraffic(url, look) {
  const open = new Map();
  const began = new URL(url);
  let moved = real.now();
  const isOurs = ({ origin, path }) => String(origin) === began.origin && path.startsWith(`${began.pathname}/`);
  const isControl = ({ path }) => path.includes("/__harness__/", began.pathname.length);
  const note = (change) => ({ request }) => {
    if (!isOurs(request) || isControl(request)) return;
    change(request);
    moved = real.now();
  };
  const listeners = {
    "undici:request:create": note((request) => open.set(request, request.path)),
    "undici:request:headers": ({ request, response }) => {
      note(() => {})({ request });
      if (!isOurs(request) || isControl(request)) return;
      const names = response.headers.map((one) => String(one).toLowerCase());
      if (names.includes("x-harness-stopped")) look(false);
      else if (names.includes("x-harness-polled")) look(true);
    },
    "undici:request:trailers": note((request) => open.delete(request)),
    "undici:request:error": note((request) => open.delete(request)),
  };
  for (const [name, listener] of Object.entries(listeners)) channels?.subscribe(name, listener);
  const count = (prefix) => [...open.values()].filter((path) => path.startsWith(prefix)).length;
  return {
    /** Wait until no request is under way, or one has been silent for a second: then the code waits for a timer. */
    async quiet(isOver) {
      let turns = 0;
      const began = real.now();
      while (turns < 20 && !isOver()) {
        await turn();
        if (open.size === 0) turns += 1;
        else if (real.now() - Math.max(moved, began) > 1000) return;
        else {
          turns = 0;
          await pause(1);
        }
      }
    },
    /** How many responses are left open below a path, after a moment in which they may be closed. */
    async countOpen(prefix) {
      for (let waited = 0; waited < 30 && count(prefix) > 0; waited += 1) await pause(10);
      return count(prefix);
    },
    stop() {
      for (const [name, listener] of Object.entries(listeners)) channels?.unsubscribe(name, listener);
    },
  };
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
  const [pathname, query] = target.split(/\?(.*)/s);
  const searchParams = new URLSearchParams(query);
  const at = withoutLastSlashes(pathname).split("/interactions")[1];
  if (at === undefined) return `${method} ${pathname}`;
  if (method === "POST" && at === "") return body?.stream === true ? "create stream" : "create";
  if (method === "POST" && at.endsWith("/cancel")) return "cancel";
  if (method === "DELETE") return "delete";
  if (method !== "GET") return `${method} ${pathname}`;
  if (searchParams.get("stream") !== "true") return "get";
  return searchParams.has("last_event_id") ? "stream after …" : "stream";
}

function messageIn(text) {
  try {
    const { message } = JSON.parse(text).error;
    if (typeof message === "string") return message.slice(0, MOST_SHOWN);
  } catch {} // no error of this kind
  return text.slice(0, 500);
}

/**
 * The commands that may start the harness, the best first: the one that is asked for, else `harness` on PATH or in a
 * virtual environment above this folder, else `uvx` and `pipx`, which fetch it. `-m` in front of nothing is left out.
 */
export async function findCommands(command = process.env.HARNESS_COMMAND, { folders = true } = {}) {
  if (command !== undefined) return [{ words: Array.isArray(command) ? command : [command], seconds: 30, given: true }];
  const [{ existsSync, statSync }, { join, dirname }] = await Promise.all([import("node:fs"), import("node:path")]);
  const found = [{ words: ["harness"], seconds: 30 }];
  const inside = process.platform === "win32" ? ["Scripts", "harness.exe"] : ["bin", "harness"];
  for (let folder = process.cwd(); folders; folder = dirname(folder)) {
    const program = join(folder, ".venv", ...inside);
    // Another user may have put it into a folder above ours, such as /tmp.
    const isOurs = (path) => [0, process.getuid?.() ?? 0].includes(statSync(path).uid);
    if (existsSync(program) && [join(folder, ".venv"), program].every(isOurs)) found.push({ words: [program], seconds: 30 });
    if (dirname(folder) === folder) break;
  }
  found.push({ words: ["uvx", "--from", PYTHON_PACKAGE, "harness"], seconds: 180 });
  // pipx prefers a program of the folder, in `__pypackages__`, to the one that it would fetch.
  if (folders || !existsSync("__pypackages__")) {
    found.push({ words: ["pipx", "run", "--spec", PYTHON_PACKAGE, "harness"], seconds: 180 });
  }
  return found;
}

const PYTHON_PACKAGE = "interactions-harness";
const NOT_FOUND = (tried) =>
  `no harness was found: tried ${tried.map((words) => `\`${words.slice(0, 1).join(" ")}\``).join(", ")}. Install it with ` +
  `\`pip install ${PYTHON_PACKAGE}\` or \`uv tool install ${PYTHON_PACKAGE}\`, or say where it is: start({ command }), or the ` +
  "environment variable HARNESS_COMMAND";

async function launch(words, { command, seconds } = {}) {
  const tried = [];
  for (const candidate of await findCommands(command)) {
    try {
      return await launchOne([...candidate.words, ...words], seconds ?? candidate.seconds);
    } catch (error) {
      if (error.cause?.code !== "ENOENT") throw error;
      tried.push(candidate.words);
      if (candidate.given) {
        const name = candidate.words[0];
        throw new HarnessError(`${name} did not start: it is not installed: pip install ${PYTHON_PACKAGE}`, { cause: error.cause });
      }
    }
  }
  throw new HarnessError(NOT_FOUND(tried));
}

async function launchOne([program, ...words], seconds) {
  const { spawn } = await import("node:child_process");
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"] });
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
      real.clearTimeout(timer);
      reject(new HarnessError(`${program} did not start: ${why}${errors && `\n${errors.trim()}`}`, { cause }));
    };
    const timer = real.setTimeout(() => fail(`it said nothing for ${seconds} s (option seconds: give it more)`), seconds * 1000);
    child.stderr.setEncoding("utf8").on("data", (text) => { errors += text; });
    child.stdout.setEncoding("utf8").on("data", (text) => {
      out += text;
      const end = out.indexOf("\n");
      if (end < 0) return;
      real.clearTimeout(timer);
      try {
        resolve(JSON.parse(out.slice(0, end)));
      } catch (error) {
        fail(`its first line is not JSON: ${out.slice(0, end)}`, error);
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
