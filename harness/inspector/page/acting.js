// What the page does to the server: every action is a call of the control API.
import { cassette, control, forget, Refused } from "./control.js";
import { find, icon, make, say } from "./dom.js";
import { plural } from "./words.js";

export class Acting {
  constructor(model) {
    this.model = model;
    this.connected = false;
    this.shown = "";
    find("drop").onclick = () => this.drop(find("drop-at").value, find("drop-how").value);
    find("fail").onclick = () => this.fail(Number(find("fail-with").value));
    find("hold").onclick = () => this.hold();
    find("advance").onclick = () => this.act(() => control("POST", "advance", {}), ({ advanced }) => (advanced ? `${plural(advanced, "run")} advanced` : "No run is held"));
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
      ? "Runs, queued answers and requests of this server go; ids never repeat."
      : "The page forgets what it has seen. The server goes on as it is.";
  }

  async act(work, words) {
    try {
      say(words(await work()));
    } catch (problem) {
      say(problem instanceof Refused ? problem.message : "The server does not answer.");
    }
  }

  drop(at, how) {
    const number = Number(at);
    if (at === "" || !Number.isInteger(number) || number < 0) {
      say(`“${at}” is no number of events: write 0 or more`);
      return;
    }
    find("drop-at").value = number;
    this.act(() => control("POST", "faults", { plan: `event:${number},${how}` }), ({ plan }) => `Armed: ${plan}`);
  }

  fail(status) {
    if (this.model.hello.script) {
      this.act(() => control("POST", "scripts/next", { refuse: { status, message: "Refused from the inspector." } }), () => `Armed: the next create fails with ${status}`);
    } else {
      this.act(() => control("POST", "faults", { plan: `all=status:${status}` }), ({ plan }) => `Armed: ${plan}`);
    }
  }

  hold() {
    const holding = this.model.state.holding;
    this.act(() => control("POST", holding ? "release" : "hold", {}), () => (holding ? "Released" : "Background runs are held"));
  }

  queue() {
    const text = find("queue-text").value;
    const deltas = Math.max(1, Number(find("queue-deltas").value) || 1);
    this.act(() => control("POST", "scripts", { text, deltas }), ({ queued }) => `${plural(queued, "answer")} queued`);
  }

  reset() {
    this.act(async () => {
      if (this.model.hello.script) await control("POST", "reset", {});
      if (this.model.hello.drop) await control("DELETE", "faults");
      await forget();
    }, () => (this.model.hello.script ? "Reset" : "Cleared"));
  }

  save() {
    this.act(async () => {
      const link = make("a", { href: URL.createObjectURL(await cassette()), download: "session.yaml" });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    }, () => "Saved: session.yaml, without its secrets");
  }

  draw() {
    const { state, hello, exchanges } = this.model;
    const plan = hello?.drop ? this.model.planned() : "";
    const answers = (state.queued || 0) - (state.refusals || 0);
    const lines = [
      plan && [[`The next ${state.planned === 1 ? "connection follows" : "connections follow"} the fault plan `, make("code", {}, plan)], () => control("DELETE", "faults")],
      state.refusals && [[`The next ${state.refusals === 1 ? "create fails" : `${state.refusals} creates fail`}`], answers ? null : () => control("DELETE", "scripts")],
      answers > 0 && [[`${plural(answers, "answer")} queued`], () => control("DELETE", "scripts")],
    ].filter(Boolean);
    const shown = JSON.stringify([plan, state.refusals, answers, this.connected]);
    if (shown !== this.shown) {
      this.shown = shown;
      find("armed").replaceChildren(...lines.map(([words, off]) => make("div", { class: "armed" }, icon("cut"), make("span", {}, words),
        off && make("button", { type: "button", class: "button small", disabled: !this.connected, onclick: () => this.act(off, () => "Disarmed") }, "Disarm"))));
    }
    find("hold").setAttribute("aria-pressed", String(Boolean(state.holding)));
    find("hold").textContent = state.holding ? "Release" : "Hold";
    for (const button of find("act").querySelectorAll("button")) button.disabled = !this.connected;
    find("advance").disabled ||= !state.holding;
    find("save").disabled ||= !exchanges.size;
    find("reset").disabled ||= !exchanges.size && !hello?.script;
  }
}

function open(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
}
