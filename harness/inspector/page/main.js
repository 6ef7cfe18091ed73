// The page: one model, four views of it, and the feed that keeps it up to date.
import { Acting } from "./acting.js";
import { Chains } from "./chains.js";
import { ask, takeTokenFromAddress, useToken } from "./control.js";
import { Details } from "./details.js";
import { copy, find, icon, make, say, visible } from "./dom.js";
import { follow } from "./feed.js";
import { broken, isFailed, Model, placeOf } from "./model.js";
import { Timeline } from "./timeline.js";
import { plural } from "./words.js";

const NARROW = 900;
const model = new Model();
let selected = { seen: null, event: null };

const timeline = new Timeline(model, pickByHand);
const chains = new Chains(model, (run) => {
  const seen = model.exchanges.get(run.n) || [...model.exchanges.values()].find((other) => other.run === run.id);
  if (!seen) return say("Its requests are not kept any more");
  pickByHand(seen, null);
  return timeline.reveal(seen);
});
const acting = new Acting(model);
const details = new Details(model, { pick: pickByHand, dropAt: (number) => acting.drop(String(number), find("drop-how").value),
  hold: (run, session) => acting.holdOne(run, session),
  release: (run, session) => acting.release(run, session),
  advance: (run, session) => acting.advance(run, session) });

function pick(seen, event) {
  selected = { seen, event };
  timeline.select(seen, event);
  chains.select(seen?.run);
  if (seen) details.show(seen, event);
  else details.clear();
}

function pickByHand(seen, event) {
  timeline.follow(false);
  if (innerWidth <= NARROW) show("details");
  pick(seen, event);
}

// The feed

let filling = false;
let drawing = false;

function take(changes) {
  let runsChanged = false;
  let touched = false;
  let found = null;
  for (const change of changes) {
    const before = selected.seen;
    const seen = model.take(change);
    if (change.is === "hello") begin();
    else if (change.is === "ready") ready();
    else if (change.is === "cleared") restart();
    else if (change.is === "dropped") timeline.drop(change.n);
    else if (change.is === "request") {
      timeline.add(seen);
      if (timeline.following && !filling) pick(seen, null);
    } else if (change.is === "run") {
      runsChanged = true;
      timeline.showLife(model.runs.get(change.id));
    } else if (seen) {
      timeline.update(seen, change);
      touched ||= seen === before && change.is !== "event";
      if (change.is === "findings" && !filling && broken(seen).length) found = seen;
    }
    runsChanged ||= change.is === "state";
  }
  if (found) {
    const [finding] = broken(found);
    say(`${finding.code}: ${finding.message}`);
    if (timeline.following) pick(found, placeOf(finding));
  } else if (touched && selected.event === null && !filling) {
    details.show(selected.seen, null);
  }
  if (runsChanged && !filling) chains.draw();
  schedule();
}

function schedule() {
  if (drawing || filling) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    timeline.refresh();
    if (find("query").value.trim() || find("kind").value) filter();
    if (find("query").value.trim()) lookIntoBodies(1000);
    details.recount?.();
    details.redrawRun?.();
    timeline.toEnd();
    count();
    acting.draw();
  });
}

function begin() {
  filling = timeline.filling = true;
  timeline.clear();
  if (model.isPast()) timeline.follow(false);
  document.body.classList.toggle("past", model.isPast());
  acting.setUp();
  const { hello } = model;
  find("command").textContent = hello.command;
  document.title = `harness ${hello.command} ${location.host}`;
  for (const [id, text] of [["mutant", hello.mutant && `mutant: ${hello.mutant}`], ["target", hello.target && `${hello.past ? "file:" : "in front of"} ${hello.target}`]]) {
    find(id).hidden = !text;
    find(id).textContent = find(id).title = visible(text || "");
  }
  find("safe-words").textContent = hello.token ? "Other machines can connect: token required" : "Loopback only, no token needed";
  find("safe").title = hello.token
    ? "Other machines can reach this server. Only clients with its token can read its traffic or control it."
    : "Only this machine can reach the page and its controls. Pages of other origins can neither read nor control them.";
  welcome();
}

function ready() {
  filling = timeline.filling = false;
  timeline.drawAll();
  const old = selected.seen && model.exchanges.get(selected.seen.n);
  const event = old && Number.isInteger(selected.event) && old.events[selected.event] ? selected.event : null;
  chains.draw();
  if (old) pick(old, event);
  else if (model.isPast()) pickFirst();
  else pick(timeline.following ? [...model.exchanges.values()].at(-1) || null : null, null);
}

// The requests of a file: begins at the first finding, if there is one.
function pickFirst() {
  const all = [...model.exchanges.values()];
  const seen = all.find(isFailed) || all.find((one) => broken(one).length) || all[0] || null;
  pick(seen, seen && broken(seen).length ? placeOf(broken(seen)[0]) : null);
  if (seen) timeline.reveal(seen);
}

function restart() {
  timeline.clear();
  timeline.follow(true);
  pick(null, null);
  chains.draw();
}

function count() {
  find("tally").textContent = `${plural(model.exchanges.size, "request")}, ${plural(model.events, "event")}`;
  find("request-count").textContent = model.exchanges.size;
  find("found").hidden = !model.findings;
  const failed = [...model.exchanges.values()].some(isFailed);
  find("found").classList.toggle("warn", !failed);
  find("found").replaceChildren(icon(failed ? "fail" : "warn"), plural(model.findings, "finding"));
  find("hello").hidden = model.exchanges.size > 0;
  find("hello-title").textContent = model.unseen
    ? "No request has arrived since this page was opened."
    : "No request has arrived yet.";
  const gaps = [
    model.unseen && `${plural(model.unseen, "request")} that arrived while no page was open`,
    model.dropped && `${plural(model.dropped, "older request")} that made room for new ones`,
  ].filter(Boolean);
  find("gap").hidden = !gaps.length;
  find("gap").textContent = gaps.length ? `Not shown: ${gaps.join("; ")}.` : "";
}

find("found").onclick = () => {
  const found = [...model.exchanges.values()].filter((seen) => broken(seen).length);
  const seen = found[(found.indexOf(selected.seen) + 1) % found.length];
  show("timeline");
  pickByHand(seen, placeOf(broken(seen)[0]));
  timeline.reveal(seen);
};

// The empty page

function welcome() {
  const { hello } = model;
  const base = location.origin;
  const post = (more) => `${base}/v1beta/interactions \\\n  -H 'x-goog-api-key: any' -H 'content-type: application/json' \\\n  -d '{"model":"gemini-3.8-flash","input":"Hi."${more}}'`;
  const program = `export GOOGLE_GEMINI_BASE_URL=${base}\n${hello.command === "serve" ? "export GEMINI_API_KEY=any\n" : ""}python your_app.py`;
  const commands = hello.command === "serve"
    ? [["One response", `curl ${post("")}`], ["A stream, to drop with “Drop it”", `curl -N ${post(',"stream":true')}`], ["Your own program", program]]
    : [["Your own program", program]];
  find("hello-words").textContent = visible(hello.words || "") || "Run one of these commands in another terminal; its requests appear here.";
  find("hello-commands").replaceChildren(...commands.map(([title, text]) => make("li", {}, make("h4", {}, title),
    make("div", { class: "code" }, make("button", { type: "button", class: "button small", onclick: (event) => copy(text, event.currentTarget) }, "Copy"), make("pre", {}, text)))));
}

// The filter

function filter() {
  const words = find("query").value;
  const kind = find("kind").value;
  const shown = timeline.filter(words, kind);
  const narrowed = words.trim() || kind;
  find("matches").textContent = narrowed ? `${shown} shown` : "";
  find("no-match").hidden = !narrowed || shown > 0 || !timeline.rows.size;
}

find("show-all").onclick = () => {
  find("query").value = find("kind").value = "";
  filter();
  find("query").focus();
};

// The page has no bodies: the server looks into them, after the last key, and again while requests arrive.
let looking = null;

function lookIntoBodies(wait) {
  looking ??= setTimeout(async () => {
    const words = find("query").value.trim();
    if (!words) return (looking = null);
    try {
      const { found } = await ask(`search?words=${encodeURIComponent(words)}`);
      timeline.inBodies = new Map(Object.entries(found));
      filter();
    } catch {
      // the list still shows what paths, statuses and events say
    }
    looking = null;
    return find("query").value.trim() === words ? null : lookIntoBodies(wait);
  }, wait);
}

find("filter").oninput = () => {
  filter();
  if (find("query").value.trim()) lookIntoBodies(200);
};
find("filter").onsubmit = (event) => event.preventDefault();
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select, dialog")) return;
  event.preventDefault();
  show("timeline");
  find("query").focus();
});

// The head, and the views of a narrow screen

find("base").textContent = location.origin;
find("copy-base").onclick = (event) => copy(location.origin, event.currentTarget);
const tabs = [...document.querySelectorAll(".views button")];

function show(view) {
  document.body.dataset.view = view;
  for (const tab of tabs) {
    const on = tab.dataset.view === view;
    tab.setAttribute("aria-selected", String(on));
    tab.tabIndex = on ? 0 : -1;
  }
  if (view === "timeline") {
    timeline.fit();
    timeline.toEnd();
  }
}

for (const tab of tabs) {
  tab.onclick = () => show(tab.dataset.view);
  tab.onkeydown = (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const next = tabs[(tabs.indexOf(tab) + by + tabs.length) % tabs.length];
    show(next.dataset.view);
    next.focus();
  };
}

// The connection

function connection(on, words) {
  acting.connected = on;
  find("live").className = on ? "live" : "live waiting";
  find("live").lastElementChild.textContent = words;
  acting.draw();
}

function askForToken(problem) {
  if (problem.status !== 401) {
    connection(false, "refused");
    say(problem.message);
    return new Promise((done) => setTimeout(done, 5000));
  }
  connection(false, "token required");
  const dialog = find("token-dialog");
  return new Promise((done) => {
    dialog.onclose = () => {
      if (dialog.returnValue === "ok") {
        useToken(find("token-text").value.trim());
        find("token-text").value = "";
        done();
      } else {
        find("live").onclick = () => dialog.showModal();
      }
    };
    if (!dialog.open) dialog.showModal();
  });
}

takeTokenFromAddress();
acting.draw();
follow({
  onChanges: take,
  onConnected: () => connection(true, "live"),
  onLost: () => connection(false, "connection lost, trying again"),
  onRefused: askForToken,
});
