// What the page does to the server: every action is a call of the control API.
import { cassette, control, forget, Refused } from "./control.js";
import { find, icon, make, say } from "./dom.js";
import { plural } from "./words.js";

export class Acting {
  constructor(model) {
    this.model = model;
    this.connected = false;
    this.session = "";
    this.shown = this.sessions = this.armed = "";
    find("session").onchange = () => { this.session = find("session").value; this.draw(); };
    find("drop").onclick = () => this.drop(find("drop-at").value, find("drop-how").value);
    find("fail").onclick = () => this.fail(Number(find("fail-with").value));
    find("hold").onclick = () => this.hold();
    find("advance").onclick = () => this.advance({});
    find("queue").onclick = () => open(find("queue-dialog"));
    find("reset").onclick = () => open(find("reset-dialog"));
    find("save").onclick = () => this.save();
    find("act").onsubmit = (event) => event.preventDefault();
    find("queue-dialog").onclose = () => { if (find("queue-dialog").returnValue === "ok") this.queue(); };
    find("reset-dialog").onclose = () => { if (find("reset-dialog").returnValue === "ok") this.reset(); };
  }

  // Shows the controls that the server behind the page has.
  setUp() {
    const { hello } = this.model;
    find("act-drop").hidden = find("act-fail").hidden = !hello.drop;
    find("act-hold").hidden = find("act-queue").hidden = !hello.script;
    find("fail-title").textContent = hello.script ? "Next create" : "Next request";
    find("save").hidden = !hello.save;
    find("reset").textContent = hello.script ? "Reset" : "Clear";
    find("reset-words").textContent = hello.script
      ? "The server deletes its interactions, its queued responses and the requests on this page. Ids never repeat."
      : "The page deletes the requests that it shows. The server keeps its state.";
  }

  async act(work, words) {
    try {
      say(words(await work()));
    } catch (problem) {
      say(problem instanceof Refused ? problem.message : "The server does not respond.");
    }
  }

  drop(at, how) {
    const number = Number(at);
    if (at === "" || !Number.isInteger(number) || number < 0) {
      say(`“${at}” is not a number of events: write 0 or more`);
      return;
    }
    find("drop-at").value = number;
    this.act(() => this.call("POST", "faults", { plan: `event:${number},${how}` }), () => `The next stream drops after ${plural(number, "event")} (${how})`);
  }

  // A control call to the session that is chosen, or to another one.
  call(method, name, body, session = this.session) {
    return control(method, name, body, session);
  }

  fail(status) {
    if (this.model.hello.script) {
      this.act(() => this.call("POST", "scripts/next", { refuse: { status, message: "Refused from the inspector." } }), () => `The next create fails with ${status}`);
    } else {
      this.act(() => this.call("POST", "faults", { plan: `all=status:${status}` }), () => `The next request fails with ${status}`);
    }
  }

  hold() {
    if (this.model.stateOf(this.session).holding) this.release({});
    else this.act(() => this.call("POST", "hold", {}), () => "Background runs are held, including new ones");
  }

  // These three take {} for all runs of the session, or {id} for one run, which may be of another session.
  holdOne(body, session) {
    this.act(() => this.call("POST", "hold", body, session), ({ held }) => (held ? "This run is held" : "This run has ended"));
  }

  release(body, session) {
    this.act(() => this.call("POST", "release", body, session), ({ released }) => (released ? `${plural(released, "run")} released` : "No run was held"));
  }

  advance(body, session) {
    this.act(() => this.call("POST", "advance", body, session), ({ advanced }) => (advanced ? `${plural(advanced, "run")} advanced by one event` : "No run is held"));
  }

  queue() {
    const text = find("queue-text").value;
    const deltas = Math.max(1, Number(find("queue-deltas").value) || 1);
    this.act(() => this.call("POST", "scripts", { text, deltas }), ({ queued }) => (queued === 1 ? "The next create returns this response" : `Queued as number ${queued}`));
  }

  reset() {
    this.act(async () => {
      if (this.model.hello.script) await this.call("POST", "reset", {});
      if (this.model.hello.drop) await this.call("DELETE", "faults");
      if (!this.session) await forget();
    }, () => (this.session ? `Session ${this.session} is reset` : this.model.hello.script ? "The server is reset" : "The page is empty"));
  }

  save() {
    this.act(async () => {
      const link = make("a", { href: URL.createObjectURL(await cassette()), download: "session.yaml" });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    }, () => "Saved: session.yaml, without its secrets");
  }

  // Offers the sessions of the server, if it has any; one that has ended is left for the server itself.
  drawSessions() {
    const names = Object.keys(this.model.state.sessions || {});
    if (!names.includes(this.session)) this.session = "";
    const shown = names.join();
    find("act-session").hidden = !names.length;
    if (shown !== this.sessions) {
      this.sessions = shown;
      find("session").replaceChildren(...["", ...names].map((name) => make("option", { value: name }, name || "the server's own")));
    }
    find("session").value = this.session;
  }

  draw() {
    const { hello, exchanges } = this.model;
    this.drawSessions();
    const { session } = this;
    const state = this.model.stateOf(session);
    const plan = hello?.drop ? this.model.planned(session) : "";
    const answers = (state.queued || 0) - (state.refusals || 0);
    const lines = [
      plan && [[`The next ${state.planned === 1 ? "connection follows" : "connections follow"} the fault plan `, make("code", {}, plan)], () => this.call("DELETE", "faults")],
      state.refusals && [[`The next ${state.refusals === 1 ? "create fails" : `${state.refusals} creates fail`}`], () => this.call("DELETE", "scripts/refusals")],
      answers > 0 && [[`${plural(answers, "response")} queued`], () => this.call("DELETE", "scripts/answers")],
    ].filter(Boolean);
    const shown = JSON.stringify([session, plan, state.refusals, answers, this.connected]);
    if (shown !== this.shown) {
      this.shown = shown;
      if (!plan && state.plan && this.armed === `${session} ${state.plan}`) say(`The fault plan ${state.plan} applies to this stream`);
      this.armed = plan && `${session} ${plan}`;
      find("armed").replaceChildren(...lines.map(([words, off]) => make("div", { class: "armed" }, icon("cut"), make("span", {}, words),
        make("button", { type: "button", class: "button small", disabled: !this.connected, onclick: () => this.act(off, () => "Disarmed") }, "Disarm"))));
    }
    find("hold").setAttribute("aria-pressed", String(Boolean(state.holding)));
    find("hold").textContent = state.holding ? "Release" : "Hold";
    for (const button of find("act").querySelectorAll("button")) button.disabled = !this.connected;
    find("advance").disabled ||= !state.holding && !state.held?.length;
    find("save").disabled ||= !exchanges.size;
    find("reset").disabled ||= !exchanges.size && !hello?.script;
  }
}

function open(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
}
