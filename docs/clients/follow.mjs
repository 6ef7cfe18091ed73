// Follows an interaction of the Gemini Interactions API to its end, through any drop of the connection.
//
//   import { follow } from "./follow.mjs";
//   const { text, status } = await follow({ baseUrl, key, id });                     // one that runs
//   const { text } = await follow({ baseUrl, key, create: { model, input, background: true } });  // a new one
//
// No dependencies: it needs `fetch`, as in Node 20, Deno, Bun and browsers. docs/resume.md explains the rules.

const SETTLED = new Set(["completed", "failed", "cancelled", "incomplete", "budget_exceeded", "requires_action",
  "requires_continuation"]);
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The service rejected the request permanently, or patience ran out. `id` and `cursor` let another process go on. */
export class GaveUp extends Error {}

/**
 * Resolve to `{id, status, text, interaction}` at the end; `onEvent` gets each new event, once and in order.
 * `idle` is how long a connection may be silent; `patience` limits all pauses together. Both are in milliseconds.
 */
export async function follow(options) {
  const { create, onEvent = () => {}, tries = 6, delay = 100, longest = 8000, patience = 3_600_000 } = options;
  const client = new Client(options);
  const heard = new Heard(options.id, onEvent);
  let failures = 0; // attempts in a row that brought nothing new
  let errors = 0; // those in which the service did not answer at all
  let waited = 0;
  let streams = true; // false once the service will not stream this interaction
  while (!heard.final) {
    const before = heard.news;
    let problem;
    try {
      if (heard.id === undefined) await client.read(await client.create(create), heard, null);
      else if (failures === 0 && streams) await client.read(await client.stream(heard.id, heard.cursor), heard, heard.cursor);
      else {
        heard.poll(await client.get(heard.id)); // it may have ended long ago
        errors = 0;
        if (!heard.final && streams) await client.read(await client.stream(heard.id, heard.cursor), heard, heard.cursor);
      }
      problem = new Error("the stream ended without interaction.completed");
    } catch (error) {
      problem = error;
    }
    if (heard.final) break;
    if (heard.id === undefined && ![429, 503].includes(problem.status)) {
      const refused = problem.status >= 400 && problem.status < 500;
      const why = refused ? "the create was refused" : "the create may have been lost, so it is not sent again";
      throw new GaveUp(`${why}: ${problem.message}`, { cause: problem });
    }
    if (problem instanceof OnlyPolls) streams = false;
    else if (problem.status >= 400 && problem.status < 500 && ![404, 408, 409, 429].includes(problem.status)) {
      if ([401, 402, 403].includes(problem.status) || !streams) throw new GaveUp(problem.message, { cause: problem });
      if (heard.cursor === null) streams = false;
      heard.cursor = null; // the cursor was refused: from the start, then, or by polling
    }
    [failures, errors] = heard.news > before ? [0, 0] : [failures + 1, errors + 1];
    const pause = failures && Math.min(problem.after ?? delay * 2 ** (failures - 1), longest);
    waited += pause;
    if (errors > tries) throw new GaveUp(`${errors} attempts failed: ${problem.message}`, { cause: problem });
    if (waited > patience) throw new GaveUp(`it did not end in ${patience} ms of waiting`, { cause: problem });
    await wait(pause);
  }
  return heard.result();
}

class OnlyPolls extends Error {}

class Client {
  constructor({ baseUrl, key, path = "/v1beta/interactions", idle = 60_000 }) {
    Object.assign(this, { url: `${baseUrl.replace(/\/$/, "")}${path}`, key, idle });
  }

  async send(method, url, body, accept) {
    const alarm = new AbortController();
    const timer = setTimeout(() => alarm.abort(new Error(`no answer for ${this.idle} ms`)), this.idle);
    try {
      const headers = { "x-goog-api-key": this.key, accept, ...(body && { "content-type": "application/json" }) };
      const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body), signal: alarm.signal });
      if (!answer.ok) throw refusal(answer, await answer.text());
      return accept === "application/json" ? await answer.json() : { answer, alarm };
    } finally {
      clearTimeout(timer);
    }
  }

  create(body) {
    return this.send("POST", this.url, { ...body, stream: true }, "text/event-stream");
  }

  get(id) {
    return this.send("GET", `${this.url}/${encodeURIComponent(id)}`, undefined, "application/json");
  }

  stream(id, cursor) {
    const after = cursor === null ? "" : `&last_event_id=${encodeURIComponent(cursor)}`;
    return this.send("GET", `${this.url}/${encodeURIComponent(id)}?stream=true${after}`, undefined, "text/event-stream");
  }

  /** Read one connection until it ends, dies, falls silent or the interaction is complete. */
  async read({ answer, alarm }, heard, cursor) {
    if (!(answer.headers.get("content-type") ?? "").startsWith("text/event-stream")) {
      await answer.body?.cancel();
      throw new OnlyPolls("the answer is no event stream");
    }
    heard.connect(cursor);
    const reader = answer.body.getReader();
    const frames = new Frames();
    let timer;
    try {
      for (;;) {
        timer = setTimeout(() => alarm.abort(new Error(`silent for ${this.idle} ms`)), this.idle);
        const { done, value } = await reader.read();
        clearTimeout(timer);
        if (done) return;
        for (const data of frames.feed(value)) {
          if (data === "[DONE]") return;
          heard.take(JSON.parse(data)); // broken JSON ends this connection: what it said is asked for again
          if (heard.final) return;
        }
      }
    } finally {
      clearTimeout(timer);
      reader.cancel().catch(() => {});
    }
  }
}

function refusal(answer, text) {
  const headers = answer.headers;
  const after = Number(headers.get("retry-after-ms") ?? NaN) || Number(headers.get("retry-after") ?? NaN) * 1000;
  return Object.assign(new Error(`${answer.status}: ${text.slice(0, 300)}`), {
    status: answer.status,
    after: after >= 0 ? after : undefined,
  });
}

/** Server-sent events: bytes in, the data of each whole frame out. */
class Frames {
  #decoder = new TextDecoder();
  #rest = "";
  #data = [];

  *feed(bytes) {
    this.#rest += this.#decoder.decode(bytes, { stream: true });
    for (;;) {
      const end = /\r\n|\n|\r(?!$)/.exec(this.#rest); // a CR at the very end may be half of a CR LF
      if (!end) return;
      const line = this.#rest.slice(0, end.index);
      this.#rest = this.#rest.slice(end.index + end[0].length);
      if (line.startsWith("data:")) this.#data.push(line.slice(5).replace(/^ /, ""));
      if (line === "" && this.#data.length) yield this.#data.splice(0).join("\n");
    }
  }
}

/** What has been received: each event once and in order, whatever comes again after a resume. */
class Heard {
  constructor(id, onEvent) {
    Object.assign(this, { id, onEvent, cursor: null, final: null, news: 0 });
    this.row = []; // the step events, as text without their ids
    this.places = new Map(); // event id -> how many step events there were up to it
    this.cursorAt = 0;
    this.at = 0; // how many step events of `row` this connection has reached
    this.text = "";
  }

  connect(cursor) {
    this.at = cursor === null ? 0 : this.cursorAt;
    this.first = true;
  }

  take(event) {
    const kind = event.event_type;
    if (kind === "error" || typeof kind !== "string") return; // its id is no cursor
    if (this.first && kind === "interaction.created") this.at = 0; // it began at the start, whatever was asked for
    this.first = false;
    this.id ??= event.interaction?.id ?? event.interaction_id;
    if (kind.startsWith("step.")) this.#step(event);
    if (event.event_id !== undefined && this.at >= this.cursorAt) {
      this.cursor = event.event_id;
      this.cursorAt = this.at;
    }
    if (kind === "interaction.completed") {
      this.final = event.interaction;
      this.news += 1;
      this.onEvent(event);
    }
  }

  #step(event) {
    const known = this.places.get(event.event_id);
    if (known !== undefined) {
      this.at = Math.max(this.at, known);
      return;
    }
    const mark = JSON.stringify([event.event_type, event.index, event.step, event.delta]);
    if (this.at === this.row.length) {
      this.row.push(mark);
      this.news += 1;
      this.#assemble(event);
      this.onEvent(event);
    } else if (this.row[this.at] !== mark) {
      throw new OnlyPolls("the service returns the interaction differently than before");
    }
    this.at += 1;
    if (event.event_id !== undefined) this.places.set(event.event_id, this.at);
  }

  #assemble({ event_type, delta }) {
    if (event_type === "step.delta" && delta.type === "text") this.text += delta.text;
  }

  /** A GET that shows a settled interaction has everything. */
  poll(interaction) {
    if (SETTLED.has(interaction.status)) this.final = interaction;
  }

  result() {
    const outputs = this.final.steps?.filter((step) => step.type === "model_output");
    const text = outputs?.flatMap((step) => step.content ?? []).map((part) => part.text ?? "").join("");
    return { id: this.id, status: this.final.status, text: text ?? this.text, interaction: this.final };
  }
}
