// The requests, oldest first. New rows come only at the end, or under the stream that they resume.
import { find, make, visible } from "./dom.js";
import { Flow, Scale, setRoom } from "./flow.js";
import { broken, isFailed } from "./model.js";
import { bytes, plural, seconds, shortTarget, spaced, took } from "./words.js";

function isOdd(seen) {
  return broken(seen).length > 0 || (seen.ended !== null && !seen.ended.complete);
}

function setTime(element, seen, isPast) {
  element.setAttribute("datetime", `PT${seen.at.toFixed(3)}S`);
  element.title = isPast ? `request ${seen.n}` : `${seconds(seen.at)} s after the start`;
  element.textContent = isPast ? seen.n : seconds(seen.at);
  return element;
}

export class Timeline {
  constructor(model, pick) {
    this.model = model;
    this.pick = pick;
    this.list = find("rows");
    this.scroll = find("timeline-scroll");
    this.clear();
    this.follow(true);
    find("follow").onclick = () => this.follow(!this.following);
    this.scroll.addEventListener("wheel", (event) => { if (event.deltaY < 0) this.follow(false); }, { passive: true });
    this.scroll.addEventListener("keydown", (event) => {
      if (["ArrowUp", "PageUp", "Home"].includes(event.key) && event.target === this.scroll) this.follow(false);
    });
    addEventListener("resize", () => this.fit());
  }

  clear() {
    this.rows = new Map();
    this.last = null;
    this.wanted = { words: [], kind: "" };
    this.inBodies = new Map();
    this.creates = new Map();
    this.list.replaceChildren();
  }

  follow(on) {
    this.following = on;
    find("follow").setAttribute("aria-pressed", String(on));
    if (on) this.toEnd();
  }

  toEnd() {
    if (this.following && this.rows.size) this.scroll.scrollTop = this.scroll.scrollHeight;
  }

  measure(row) {
    const width = row.box.clientWidth;
    if (!width) return; // not in view
    this.measured = true;
    setRoom(width);
  }

  fit() {
    const some = this.rows.values().next().value;
    if (some) this.measure(some);
    for (const scale of new Set([...this.rows.values()].map((row) => row.scale).filter(Boolean))) scale.fit();
  }

  add(seen) {
    const row = this.folds(seen) ? this.fold(seen) : this.append(seen);
    this.rows.set(seen.n, row);
  }

  // A poll that asks the same as the row before it joins that row. How that one ended may be told later.
  folds(seen) {
    const last = this.last;
    return last && seen.method === "GET" && last.seen.method === "GET" && last.seen.target === seen.target
      && last.seen.status !== null && !last.seen.stream && !isOdd(last.seen) && !seen.target.includes("stream=true");
  }

  fold(seen) {
    const row = this.last;
    row.seen = seen;
    this.countTimes(row, row.times + 1);
    return row;
  }

  // A poll that joined a row and turns out to be odd gets a row of its own, above.
  unfold(row, seen) {
    const { last } = this;
    const own = this.append(seen);
    this.last = last;
    row.element.before(own.element);
    this.rows.set(seen.n, own);
    this.countTimes(row, row.times - 1);
    const first = [...this.rows].find(([, other]) => other === row)[0];
    row.element.dataset.n = first;
    setTime(row.element.querySelector("time"), this.model.exchanges.get(first), this.model.isPast());
    this.answered(own);
    return own;
  }

  countTimes(row, times) {
    row.times = times;
    row.timesNote.textContent = times > 1 ? `× ${times}` : "";
  }

  append(seen) {
    const row = { seen, times: 1, scale: null, flow: null };
    const target = shortTarget(seen.target).split(/(?=[&?])/).flatMap((part) => [part, make("wbr")]);
    row.button = make("button", { type: "button", class: "select", onclick: (event) => { event.stopPropagation(); this.pick(row.seen, null); } },
      make("b", {}, seen.method), " ", target);
    row.note = make("span", { class: "note" }, seen.words);
    row.timesNote = make("span", { class: "note" });
    row.status = make("span", { class: "status waiting" }, "…");
    row.end = make("span", { class: "end" });
    row.box = make("div", {}, make("div", { class: "line" }, make("span", {}, row.button, row.note, row.timesNote), row.end));
    row.element = make("li", { class: "request", "data-n": seen.n, onclick: () => this.pick(row.seen, null) },
      setTime(make("time", {}), seen, this.model.isPast()), row.status, row.box);
    const earlier = seen.after ? this.rows.get(seen.after) : null;
    if (earlier) {
      row.element.classList.add("resumed");
      row.scale = earlier.scale;
      (earlier.tail || earlier.element).after(row.element);
      for (let above = earlier; above; above = above.earlier) above.tail = row.element;
      row.earlier = earlier;
    } else {
      this.list.append(row.element);
      this.last = row;
    }
    return row;
  }

  // Brings the row of an exchange up to date after a change.
  update(seen, change) {
    let row = this.rows.get(seen.n);
    if (!row || this.filling) return;
    if (row.seen !== seen) {
      if (!isOdd(seen)) return;
      row = this.unfold(row, seen);
    }
    if (change.is === "head") this.answered(row);
    else if (change.is === "event") row.stale = true;
    else if (change.is === "columns") row.flow?.finish();
    else if (change.is === "end" || change.is === "findings") this.ended(row);
  }

  // Draws everything at once, for a page that comes late.
  drawAll() {
    for (const row of new Set(this.rows.values())) {
      if (row.seen.status !== null) this.answered(row);
      if (row.seen.ended || row.seen.findings.length) this.ended(row);
      else row.stale = true;
    }
  }

  answered(row) {
    const { seen } = row;
    row.status.textContent = seen.status;
    row.status.className = seen.status >= 400 ? "status bad" : "status";
    if (seen.stream && !row.flow) {
      row.element.classList.add("streams");
      row.scale ||= new Scale();
      row.flow = new Flow(seen, row.scale, this.pick);
      row.box.append(row.flow.element);
      if (!this.measured) this.measure(row);
      row.scale.fit();
    }
  }

  ended(row) {
    const { seen } = row;
    if (seen.status === null && seen.ended) {
      row.status.textContent = "–";
      row.status.className = "status bad";
      row.status.title = "no response";
    }
    if (seen.ended?.error) row.note.replaceChildren(visible(seen.words), " ", make("span", { class: "why" }, seen.ended.error));
    const parts = [];
    const found = broken(seen).length;
    if (found) parts.push(make("span", { class: isFailed(seen) ? "wrong" : "wrong warn" }, plural(found, "finding")));
    const count = seen.events.length + (seen.ended?.more || 0);
    if (seen.stream) parts.push(plural(count, "event"));
    if (seen.ended && seen.status !== null) {
      parts.push(bytes(seen.ended.size));
      if (seen.ended.seconds || !this.model.isPast()) parts.push(took(seen.ended.seconds));
    }
    if (seen.ended && !seen.stream && !seen.ended.complete) parts.push(seen.ended.words);
    else if (seen.ended && row.flow?.isCut()) parts.push("cut");
    row.end.replaceChildren(...parts.flatMap((part, at) => (at ? [", ", part] : [part])));
    row.stale = false;
    row.flow?.finish();
  }

  // Draws the streams that grew since the last frame.
  refresh() {
    for (const row of new Set(this.rows.values())) {
      if (!row.stale) continue;
      row.stale = false;
      row.flow?.update();
      row.end.textContent = plural(row.seen.events.length, "event");
    }
  }

  // The statuses of a background run, under the request that created it.
  showLife(run) {
    if (!run.background) return;
    const row = this.rows.get(run.n);
    if (!row) return;
    row.life ||= row.box.appendChild(make("div", { class: "life" }));
    const steps = run.statuses.flatMap(([status, at], number) => [
      number ? " → " : "", make("b", { class: `is-${status.replace(/[^a-z_]/g, "")}` }, spaced(status)), this.model.isPast() ? "" : ` at ${seconds(at)} s`,
    ]);
    row.life.replaceChildren("background ", ...steps);
  }

  drop(number) {
    const row = this.rows.get(number);
    this.rows.delete(number);
    if (row && ![...this.rows.values()].includes(row)) {
      row.element.remove();
      if (row.scale && row.flow) row.scale.flows = row.scale.flows.filter((flow) => flow !== row.flow);
    }
  }

  select(seen, event) {
    for (const old of this.list.querySelectorAll('[aria-current="true"]')) old.removeAttribute("aria-current");
    this.chosen?.flow?.choose(null);
    const row = seen && this.rows.get(seen.n);
    this.chosen = row || null;
    if (!row) return;
    row.element.setAttribute("aria-current", "true");
    row.flow?.choose(event);
  }

  // Shows only the requests that have all words, and are of the kind.
  filter(words, kind) {
    this.wanted = { words: words.toLowerCase().split(/\s+/).filter(Boolean), kind };
    let shown = 0;
    for (const row of new Set(this.rows.values())) shown += this.apply(row);
    return shown;
  }

  apply(row) {
    const { words, kind } = this.wanted;
    const { seen } = row;
    const kinds = { found: broken(seen).length > 0, error: seen.status >= 400 || (seen.ended !== null && !seen.ended.complete), stream: seen.stream };
    const text = () => `${seen.method} ${seen.target} ${seen.words} ${seen.status} ${seen.run} ${seen.events.map((event) => event.name).join(" ")}`.toLowerCase();
    row.element.hidden = Boolean(kind && !kinds[kind]) || (words.length > 0 && !words.every((word) => text().includes(word) || this.inBodies.get(word)?.includes(seen.n)));
    return row.element.hidden ? 0 : 1;
  }

  reveal(seen) {
    this.rows.get(seen.n)?.element.scrollIntoView({ block: "center" });
  }
}
