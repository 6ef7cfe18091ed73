// One exchange or one event in full. The feed brings only outlines; the rest is asked for when it is looked at.
import { ask, Refused } from "./control.js";
import { copy, find, icon, json, make, prose, say } from "./dom.js";
import { bytes, plural, seconds, took } from "./words.js";

const ICONS = { fail: "fail", warn: "warn", note: "pass" };

export class Details {
  constructor(model, actions) {
    this.model = model;
    this.actions = actions;
    this.box = find("detail");
    this.clear();
  }

  clear() {
    this.abort?.abort();
    this.box.replaceChildren(make("p", { class: "quiet" }, "Choose a request or an event."));
  }

  show(seen, number) {
    this.recount = this.redrawRun = null;
    this.abort?.abort();
    this.abort = new AbortController();
    if (number !== null && number.missing !== undefined) return this.showMissing(seen, number.missing);
    return number === null ? this.showExchange(seen) : this.showEvent(seen, number);
  }

  // Puts the head in place at once, and the body when it has come, unless something else was chosen meanwhile.
  async fill(head, path, body) {
    const { abort } = this;
    this.box.replaceChildren(...head, make("p", { class: "quiet" }, "…"));
    let parts;
    try {
      parts = body(await ask(path, abort.signal));
    } catch (problem) {
      if (abort.signal.aborted) return;
      const text = problem instanceof Refused ? problem.message : "The server does not respond.";
      parts = [make("p", { class: "quiet" }, text)];
    }
    if (!abort.signal.aborted) this.box.replaceChildren(...head, ...parts.filter(Boolean));
  }

  showExchange(seen) {
    const head = [
      make("div", {}, make("h3", { class: "title" }, `${seen.method} ${seen.target}`),
        make("p", { class: "quiet" }, this.model.isPast() ? this.outcome(seen) : `at ${seconds(seen.at)} s, ${this.outcome(seen)}`)),
      this.runControls(seen),
      ...seen.findings.map((finding) => this.finding(seen, finding)),
      make("div", { class: "buttons" }, make("span", { class: "quiet" }, "Copy as"),
        ["curl", "pytest", "scenario"].map((form) => this.copier(seen, form))),
    ];
    return this.fill(head, `exchanges/${seen.n}`, ({ request, answer }) => [
      make("div", {}, make("h3", {}, "Request"), headers(request.headers)),
      request.body === null ? make("p", { class: "quiet" }, "no body") : json(request.body),
      answer && make("div", {}, make("h3", {}, "Response"), headers(answer.headers),
        seen.stream && this.counter(seen, answer.size)),
      answer && answer.body !== null && json(answer.body),
      answer && answer.cut && make("p", { class: "quiet" }, `the first part of ${bytes(answer.size)}`),
      answer && this.raw(seen),
    ]);
  }

  // The response as it came; asked for when it is opened.
  raw(seen) {
    const box = make("details", { class: "raw", ontoggle: async () => {
      if (!box.open || box.children.length > 1) return;
      try {
        const { text, cut } = await ask(`exchanges/${seen.n}/raw`);
        box.append(make("pre", { tabindex: "0" }, text), cut ? make("p", { class: "quiet" }, "the first part of it") : "");
      } catch (problem) {
        box.append(make("p", { class: "quiet" }, problem instanceof Refused ? problem.message : "The server does not respond."));
      }
    } }, make("summary", {}, seen.stream ? "Raw frames" : "Raw response"));
    return box;
  }

  // An event that this stream skipped, as another response has it.
  showMissing(seen, column) {
    const other = this.model.findElsewhere(seen, column);
    const head = [
      make("div", {}, make("h3", { class: "title" }, other ? `${column} ${other.seen.events[other.number].name}` : `Event ${column}`),
        make("p", { class: "quiet" }, `missing in ${seen.method} ${seen.target}`)),
      make("div", { class: "buttons" }, make("button", { type: "button", class: "button small", onclick: () => this.actions.pick(seen, null) }, "Request"),
        other && make("button", { type: "button", class: "button small", onclick: () => this.actions.pick(other.seen, other.number) }, `Received by request ${other.seen.n}`)),
      ...seen.findings.map((finding) => this.finding(seen, finding)),
      make("dl", {}, make("dt", {}, "arrived"), make("dd", {}, "never"), make("dt", {}, "size"), make("dd", {}, bytes(0))),
    ];
    if (!other) {
      this.box.replaceChildren(...head, make("p", { class: "quiet" }, "No other response contains it, so its content is not known."));
      return null;
    }
    return this.fill(head, `exchanges/${other.seen.n}/${other.number}`, ({ text, value }) => [
      make("div", {}, make("h3", {}, "Expected event"), json(value ?? text)),
    ]);
  }

  // Holds, advances and releases the run that a request is about, while it goes on.
  runControls(seen) {
    const box = make("div", { class: "buttons" });
    let shown = null;
    this.redrawRun = () => {
      const run = this.model.hello.script && seen.run ? this.model.runs.get(seen.run) : null;
      const goesOn = run?.background && ["in_progress", "queued"].includes(run.statuses.at(-1)[0]);
      const held = goesOn ? this.model.isHeld(run) : null;
      if (held === shown) return;
      shown = held;
      const button = (label, work) => make("button", { type: "button", class: "button small", onclick: () => work({ id: run.id }, this.model.sessionOf(run)) }, label);
      box.replaceChildren(...(held === null ? [] : [make("span", { class: "quiet" }, "This run"),
        ...(held ? [button("Release run", this.actions.release), button("Advance run", this.actions.advance)] : [button("Hold run", this.actions.hold)])]));
    };
    this.redrawRun();
    return box;
  }

  // Shows how many events have arrived; the number grows with the stream.
  counter(seen, size) {
    const line = make("p", {});
    this.recount = () => {
      const count = plural(seen.events.length + (seen.ended?.more || 0), "event");
      line.textContent = seen.ended ? `${count}, ${bytes(size)}` : `${count} so far`;
    };
    this.recount();
    return line;
  }

  outcome(seen) {
    if (seen.status === null) return seen.ended ? `no response: ${seen.ended.words}` : "waiting";
    if (!seen.ended) return `returned ${seen.status}, still streaming`;
    const planned = seen.ended.planned ? `, fault plan: ${seen.ended.planned}` : "";
    const time = this.model.isPast() && !seen.ended.seconds ? "" : ` in ${took(seen.ended.seconds)}`;
    return `returned ${seen.status}${time}, ${seen.ended.words}${planned}`;
  }

  showEvent(seen, number) {
    const event = seen.events[number];
    const inWhole = event.c;
    const before = number ? seen.events[number - 1] : null;
    const step = (by) => make("button", {
      type: "button", class: "button small", disabled: !seen.events[number + by], onclick: () => this.actions.pick(seen, number + by),
    }, by < 0 ? "Previous" : "Next");
    const findings = seen.findings.filter((finding) => finding.event === number);
    const pause = before && event.at - before.at >= 0.1 ? `, after ${seconds(event.at - before.at)} s of silence` : "";
    const head = [
      make("div", {}, make("h3", { class: "title" }, `${inWhole} ${event.name}`),
        make("p", { class: "quiet" }, `of ${seen.method} ${seen.target}`)),
      make("div", { class: "buttons" }, step(-1), step(1),
        make("button", { type: "button", class: "button small", onclick: () => this.actions.pick(seen, null) }, "Request")),
      ...findings.map((finding) => this.finding(seen, finding, number)),
      make("dl", {}, this.model.isPast() ? "" : [make("dt", {}, "arrived"), make("dd", {}, `${event.at.toFixed(2)} s${pause}`)],
        make("dt", {}, "size"), make("dd", {}, bytes(event.size)),
        make("dt", {}, "cursor"), make("dd", { class: "mono" }, event.cursor || "none"),
        seen.column ? [make("dt", {}, "since the resume"), make("dd", {}, `number ${number}`)] : ""),
    ];
    return this.fill(head, `exchanges/${seen.n}/${number}`, ({ text, value }) => [
      make("div", {}, make("h3", {}, "Data"), json(value ?? text)),
      make("details", { class: "raw" }, make("summary", {}, `Raw frame, ${bytes(event.size)}`), make("pre", { tabindex: "0" }, text)),
      make("div", { class: "buttons" },
        this.model.hello.drop && make("button", { type: "button", class: "button small", onclick: () => this.actions.dropAt(inWhole + 1) },
          `Drop the next stream after ${inWhole}`),
        make("button", { type: "button", class: "button small", onclick: (click) => copy(value ? JSON.stringify(value) : text, click.currentTarget) }, "Copy JSON")),
    ]);
  }

  finding(seen, finding, shown = null) {
    const compared = finding.expected || finding.actual;
    return make("div", { class: `finding ${finding.weight}` },
      make("b", {}, icon(ICONS[finding.weight]), `${finding.code} (${finding.level || "MUST"})`),
      finding.broken && !finding.message.includes(finding.broken) && make("span", { class: "rule" }, prose(finding.broken)),
      make("span", {}, prose(finding.message)),
      compared && make("dl", {}, make("dt", {}, "expected"), make("dd", {}, finding.expected || "–"),
        make("dt", {}, "actual"), make("dd", {}, finding.actual || "–")),
      finding.breaks && make("span", { class: "breaks" }, finding.breaks),
      finding.event !== shown && finding.missing === undefined && seen.events[finding.event] && make("button", { type: "button", class: "button small", onclick: () => this.actions.pick(seen, finding.event) }, `Event ${seen.events[finding.event].c}`),
      finding.shown_by && this.model.exchanges.has(finding.shown_by) && make("button", { type: "button", class: "button small", onclick: () => this.actions.pick(this.model.exchanges.get(finding.shown_by), null) }, `Shown by request ${finding.shown_by}`),
      source(finding));
  }

  copier(seen, form) {
    return make("button", {
      type: "button",
      class: "button small",
      onclick: async ({ currentTarget }) => {
        try {
          await copy((await ask(`exchanges/${seen.n}/${form}`)).text, currentTarget);
        } catch (problem) {
          say(problem instanceof Refused ? problem.message : "The server does not respond.");
        }
      },
    }, form);
  }
}

function headers(pairs) {
  return make("dl", { class: "mono" }, pairs.map(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function source(finding) {
  if (!finding.source) return "";
  if (!/^https?:\/\//.test(finding.url || "")) return make("span", { class: "breaks" }, finding.source);
  return make("a", { href: finding.url, rel: "noreferrer", target: "_blank" }, finding.source);
}
