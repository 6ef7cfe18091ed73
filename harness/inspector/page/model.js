// What the page knows: exchanges and runs, brought up to date by the changes that the feed brings.
const MOST_RUNS = 1000;

// Findings that count: a MAY rule that is not met is a note.
export const broken = (seen) => seen.findings.filter((finding) => finding.weight !== "note");
export const isFailed = (seen) => seen.findings.some((finding) => finding.weight === "fail");
// Where a finding stands: an event by its number, a column whose event is missing, or null.
export const placeOf = (finding) => (finding.missing === undefined ? finding.event : { missing: finding.missing });
const countOf = (seen) => broken(seen).length;

export class Model {
  constructor() {
    this.hello = null;
    this.state = {};
    this.clear();
  }

  clear() {
    this.exchanges = new Map();
    this.runs = new Map();
    this.events = 0;
    this.findings = 0;
    this.dropped = 0;
    this.unseen = 0;
  }

  // Takes one change and returns the exchange that it is about, if any.
  take(change) {
    const seen = this.exchanges.get(change.n);
    switch (change.is) {
      case "hello":
        this.clear();
        this.hello = change;
        this.dropped = change.dropped;
        this.unseen = change.unseen;
        return null;
      case "request": {
        const made = { ...change, events: [], status: null, stream: false, ended: null, findings: [], column: change.column || 0 };
        this.exchanges.set(change.n, made);
        return made;
      }
      case "run":
        this.runs.set(change.id, { ...this.runs.get(change.id), ...change });
        if (this.runs.size > MOST_RUNS) this.runs.delete(this.runs.keys().next().value);
        if (seen) seen.run = change.id;
        return seen || null;
      case "state":
        this.state = change;
        return null;
      case "cleared":
        this.clear();
        return null;
      case "dropped":
        this.dropped = change.total;
        this.events -= seen ? seen.events.length : 0;
        this.exchanges.delete(change.n);
        return null;
      default:
        if (seen) this.update(seen, change);
        return seen || null;
    }
  }

  update(seen, change) {
    if (change.is === "head") {
      seen.status = change.status;
      seen.stream = change.stream;
    } else if (change.is === "event") {
      seen.events.push(change);
      this.events += 1;
    } else if (change.is === "columns") {
      seen.column = change.column;
      change.columns.forEach((column, number) => { seen.events[number].c = column; });
    } else if (change.is === "end") {
      seen.ended = change;
    } else if (change.is === "findings") {
      const before = countOf(seen);
      seen.findings = change.findings;
      this.findings += countOf(seen) - before;
    }
  }

  // Whether the requests are from a file: their times are of the recording, where it has any.
  isPast() {
    return Boolean(this.hello?.past);
  }

  // Another response of the same run that has the event which a stream lacks; null if none has.
  findElsewhere(seen, column) {
    for (const other of this.exchanges.values()) {
      const number = other !== seen && seen.run && other.run === seen.run ? other.events.findIndex((event) => event.c === column) : -1;
      if (number >= 0) return { seen: other, number };
    }
    return null;
  }

  // The session that a run belongs to, "" for the server's own; its requests say it.
  sessionOf(run) {
    return this.exchanges.get(run.n)?.target.match(/^\/__harness__\/sessions\/([^/?]+)\//)?.[1] || "";
  }

  // What is in force in a session.
  stateOf(session) {
    return session ? this.state.sessions?.[session] || {} : this.state;
  }

  // Whether a run waits for a hold to end; what has settled waits for nothing.
  isHeld(run) {
    return run.background && (this.stateOf(this.sessionOf(run)).held || []).includes(run.id);
  }

  // The status of a run as it stands; a background run may be held.
  statusOf(run) {
    return this.isHeld(run) ? "held" : run.statuses.at(-1)[0];
  }

  planned(session) {
    const { plan = "", counted = 0, planned = 0 } = this.stateOf(session);
    return plan && (planned === null || counted < planned) ? plan : "";
  }
}
