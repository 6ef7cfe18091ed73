// A stream as a row of cells. A column is a number in the whole stream, so a resume begins under the cut; an event
// that the stream skipped is a dashed cell in its column, and one that came again stands in a second line.
import { make, visible } from "./dom.js";
import { broken, placeOf } from "./model.js";
import { plural, seconds } from "./words.js";

const WIDTHS = [20, 14, 9, 5, 2];
const LONG_PAUSE = 0.6;
const MOST_MARKS = 4;
const RANK = ["done", "delta", "step", "edge", "odd", "error", "twice", "missing", "poor", "bad"];
const lookOf = (finding) => finding && (finding.weight === "fail" ? "bad" : "poor");
const gapOf = (width) => (width < 5 ? 1 : 2);

// The width of a row of cells, the same for all; measured once, because measuring makes the browser lay out the page.
let room = 0;

export function setRoom(width) {
  room = width;
}

// The rows of one stream share their scale, so that their columns stay aligned.
export class Scale {
  constructor() {
    this.flows = [];
    this.total = 1;
    this.width = WIDTHS[0];
    this.each = 1;
  }

  grow(columns) {
    if (columns <= this.total) return;
    this.total = columns;
    this.fit(false);
  }

  fit(again = true) {
    if (!room) return;
    const width = WIDTHS.find((size) => this.total * (size + gapOf(size)) <= room) || WIDTHS.at(-1);
    const each = Math.max(1, Math.ceil((this.total * (width + gapOf(width))) / room));
    const steps = each === 1 ? 1 : 2 ** Math.ceil(Math.log2(each));
    if (!again && width === this.width && steps === this.each) return;
    this.width = width;
    this.each = steps;
    for (const flow of this.flows) flow.draw();
  }
}

export class Flow {
  constructor(seen, scale, pick) {
    this.seen = seen;
    this.scale = scale;
    this.pick = pick;
    this.chosen = null;
    this.drawn = 0;
    this.marks = [];
    this.cells = make("div", { class: "cells" });
    this.element = make("div", {
      class: "flow", role: "slider", tabindex: "0", "aria-label": `Events of request ${seen.n}`, "aria-valuemin": 0,
      "aria-valuemax": 0, "aria-valuenow": 0, "aria-valuetext": "no event yet",
      onkeydown: (event) => this.onKey(event), onclick: (event) => this.onClick(event),
    }, this.cells);
    scale.flows.push(this);
    scale.grow(seen.column + 1);
  }

  columnOf(column) {
    return Math.floor(column / this.scale.each);
  }

  // Draws everything again, in the scale as it is now.
  draw() {
    const { width, each } = this.scale;
    const style = this.element.style;
    style.setProperty("--w", `${width}px`);
    style.setProperty("--g", `${gapOf(width)}px`);
    this.element.classList.toggle("wide", width >= 9);
    this.cells.replaceChildren();
    this.marks = this.marks.filter((mark) => mark.kind); // pauses are found again
    this.byColumn = new Map();
    this.gaps = new Map();
    this.came = new Set();
    this.next = this.seen.column;
    this.drawn = 0;
    this.waiting = this.cutCell = null;
    for (let column = 0; column < this.columnOf(this.seen.column); column += 1) this.place("had", column, "received before");
    this.update(false);
    this.drawMarks();
  }

  // An event as it is called: by its number in the whole stream, and its kind.
  nameOf(number) {
    return `${this.seen.events[number].c} ${this.seen.events[number].name}`;
  }

  place(look, column, title) {
    const cell = make("i", { class: `cell ${look}`, title });
    cell.style.gridColumn = column + 1;
    this.cells.append(cell);
    return cell;
  }

  // Draws what has come since.
  update(fresh = true) {
    const { seen } = this;
    if (!this.byColumn) this.draw();
    this.scale.grow(this.end() + (seen.ended ? 0 : 1));
    for (; this.drawn < seen.events.length; this.drawn += 1) this.drawEvent(this.drawn, fresh);
    this.waiting?.remove();
    this.waiting = null;
    const after = this.columnOf(this.next);
    if (!seen.ended) {
      this.waiting = this.byColumn.has(after) ? null : this.place("next", after, "waiting for the next event");
    } else if (this.isCut() && !this.cutCell) {
      this.cutCell = this.place("cut", this.byColumn.has(after) ? after + 1 : after, seen.ended.words);
    }
    this.element.setAttribute("aria-valuemax", Math.max(0, seen.events.length - 1));
  }

  // The column after its last event.
  end() {
    return this.seen.events.reduce((last, event) => Math.max(last, event.c + 1), this.seen.column);
  }

  isCut() {
    const { ended, events } = this.seen;
    return !ended.complete || (ended.planned && !events.some((event) => event.look === "done"));
  }

  drawEvent(number, fresh) {
    const event = this.seen.events[number];
    const column = this.columnOf(event.c);
    const again = this.came.has(event.c) || event.c < this.seen.column;
    const look = lookOf(this.findingAt(number)) || (again ? "twice" : event.look);
    for (; this.next < event.c; this.next += 1) this.drawGap(this.next);
    this.next = Math.max(this.next, event.c + 1);
    this.came.add(event.c);
    if (this.gaps.has(event.c)) {
      this.gaps.get(event.c).remove();
      this.gaps.delete(event.c);
    }
    const old = this.byColumn.get(column);
    if (again && this.scale.each === 1) {
      const cell = this.place(look, column, `${this.nameOf(number)}: received again`);
      if (old) cell.style.gridRow = 2;
      if (!old) this.byColumn.set(column, { cell, look, first: number, last: number });
    } else if (old) {
      old.last = number;
      if (RANK.indexOf(look) > RANK.indexOf(old.look)) {
        old.look = look;
        old.cell.className = `cell ${look}`;
      }
      old.cell.title = `events ${this.seen.events[old.first].c} to ${event.c}`;
    } else {
      const cell = this.place(look, column, this.nameOf(number));
      if (fresh) cell.classList.add("new");
      this.byColumn.set(column, { cell, look, first: number, last: number });
    }
    const before = number ? this.seen.events[number - 1] : null;
    if (before && event.at - before.at >= LONG_PAUSE && this.marks.length < MOST_MARKS) {
      this.mark(event.c, `${seconds(event.at - before.at)} s`, "");
    }
  }

  // An event that this stream skipped.
  drawGap(column) {
    if (this.byColumn.has(this.columnOf(column))) return;
    const found = broken(this.seen).find((finding) => finding.missing === column);
    const cell = this.place(found ? `missing ${lookOf(found)}` : "missing", this.columnOf(column), `${column} never came`);
    cell.dataset.missing = column;
    this.gaps.set(column, cell);
  }

  findingAt(number) {
    return broken(this.seen).find((finding) => placeOf(finding) === number);
  }

  // Findings and the ending are known only at the end.
  finish() {
    const { seen } = this;
    this.marks = [];
    if (seen.ended && this.isCut()) {
      const how = seen.ended.complete ? seen.ended.planned.split(",").at(-1) : seen.ended.words;
      this.marks.push({ column: this.end(), text: `${how} after ${plural(seen.events.length, "event")}`, kind: "cut" });
    }
    this.draw();
    const gaps = [...this.gaps.keys()];
    const ofGap = broken(seen).find((finding) => gaps.includes(finding.missing));
    if (gaps.length) {
      const what = `${gaps.length > 1 ? plural(gaps.length, "event") : gaps[0]} never came`;
      this.marks.push({ column: gaps[0], text: ofGap ? `${what}: ${ofGap.rule}` : what, kind: "bad" });
    }
    for (const finding of broken(seen).slice(0, MOST_MARKS)) {
      const event = finding.event === null ? null : seen.events[finding.event];
      if (finding === ofGap) continue;
      if (event) this.count(event.c, `${event.c} ${finding.rule}`, lookOf(finding));
      else if (seen.stream) this.count(seen.column, finding.rule, lookOf(finding));
    }
    this.drawMarks();
  }

  // equal findings of one place are one mark with their number
  count(column, said, kind) {
    const same = this.marks.find((mark) => mark.said === said && mark.column === column && mark.kind === kind);
    if (!same) return this.marks.push({ column, said, text: said, kind, number: 1 });
    same.number += 1;
    same.text = `${said} × ${same.number}`;
  }

  mark(column, text, kind) {
    this.marks.push({ column, text, kind });
    this.drawMarks();
  }

  drawMarks() {
    for (const old of this.element.querySelectorAll(".mark")) old.remove();
    for (const { column, text, kind } of this.marks) {
      const place = this.columnOf(column);
      const left = place * (this.scale.width + gapOf(this.scale.width)) > room / 2 ? " left" : "";
      const mark = make("span", { class: `mark ${kind}${left}` }, text);
      mark.style.setProperty("--c", place);
      this.element.append(mark);
    }
  }

  choose(number) {
    this.chosenCell?.classList.remove("on");
    this.chosenCell = null;
    if (number === null) return;
    if (number.missing !== undefined) {
      this.chosenCell = this.gaps?.get(number.missing) || null;
      this.chosenCell?.classList.add("on");
      return;
    }
    this.chosenCell = this.byColumn?.get(this.columnOf(this.seen.events[number].c))?.cell || null;
    this.chosenCell?.classList.add("on");
    this.element.setAttribute("aria-valuenow", number);
    this.element.setAttribute("aria-valuetext", visible(this.nameOf(number)));
    this.chosen = number;
  }

  onClick(event) {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    if (cell.dataset.missing) {
      event.stopPropagation();
      this.pick(this.seen, { missing: Number(cell.dataset.missing) });
      return;
    }
    for (const place of this.byColumn.values()) {
      if (place.cell === cell) {
        event.stopPropagation();
        const found = broken(this.seen).map(placeOf).find((at) => Number.isInteger(at) && at >= place.first && at <= place.last);
        this.pick(this.seen, found ?? place.first);
        return;
      }
    }
  }

  onKey(event) {
    const last = this.seen.events.length - 1;
    const now = this.chosen ?? -1;
    const next = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: last }[event.key];
    if (next === undefined || last < 0) return;
    event.preventDefault();
    this.pick(this.seen, Math.max(0, Math.min(last, next)));
  }
}
