// The interactions: a child stands under the one that it continues.
import { find, icon, make } from "./dom.js";
import { shortId, spaced } from "./words.js";

const ICONS = {
  completed: "pass", in_progress: "run", requires_action: "hand", cancelled: "stop", failed: "fail", held: "hold",
  incomplete: "warn", budget_exceeded: "warn", requires_continuation: "hand",
};

export class Chains {
  constructor(model, pick) {
    this.model = model;
    this.pick = pick;
    this.tree = find("tree");
    this.current = "";
  }

  draw() {
    const { runs } = this.model;
    const children = new Map();
    for (const run of runs.values()) {
      const parent = runs.has(run.parent) ? run.parent : "";
      if (!children.has(parent)) children.set(parent, []);
      children.get(parent).push(run);
    }
    const had = document.activeElement?.closest?.(".node")?.dataset.id;
    const roots = children.get("") || [];
    this.tree.replaceChildren(roots.length ? this.list(roots, children, 0) : make("p", { class: "quiet" }, "None yet."));
    if (had) this.tree.querySelector(`[data-id="${CSS.escape(had)}"]`)?.focus();
    find("run-count").textContent = runs.size;
  }

  // Indents at most eight deep: a longer chain goes on below itself.
  list(runs, children, depth) {
    const items = [];
    for (const run of runs) {
      const below = children.get(run.id) || [];
      if (depth < 8) items.push(make("li", {}, this.node(run), below.length ? this.list(below, children, depth + 1) : ""));
      else items.push(...this.flat(run, children));
    }
    return make("ul", {}, items);
  }

  flat(run, children) {
    const items = [];
    const waiting = [run];
    while (waiting.length) {
      const next = waiting.shift();
      items.push(make("li", {}, this.node(next)));
      waiting.unshift(...(children.get(next.id) || []));
    }
    return items;
  }

  node(run) {
    const status = this.model.statusOf(run);
    const look = `is-${status.replace(/[^a-z_]/g, "")}`; // a server chooses its words, and no other class
    const words = [run.background ? "background: " : "", run.words || ""].join("");
    return make("button", {
      type: "button", class: "node", "data-id": run.id, title: `${run.id}\n${spaced(status)}\n${words}`,
      "aria-current": run.id === this.current ? "true" : undefined, onclick: () => this.pick(run),
    }, make("span", { class: look }, icon(ICONS[status] || "wait")), make("span", { class: "id" }, shortId(run.id)),
    make("span", { class: `word ${look}` }, spaced(status)), make("span", { class: "input" }, words || " "));
  }

  select(id) {
    this.current = id || "";
    for (const node of this.tree.querySelectorAll(".node")) {
      if (node.dataset.id === this.current) {
        node.setAttribute("aria-current", "true");
        node.scrollIntoView({ block: "nearest" });
      }
      else node.removeAttribute("aria-current");
    }
  }
}
