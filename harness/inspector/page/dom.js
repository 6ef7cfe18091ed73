// Making elements. What came over the wire enters the page as text here, and nowhere as markup.
export const find = (id) => document.getElementById(id);

// Characters that nobody sees, or that turn the direction of what follows, as escapes: a server must not choose how
// the text beside its own reads.
const UNSEEN = /\r(?!\n)|[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff]/g;

export function visible(text) {
  return text.replace(UNSEEN, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

export function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name === "title" || name === "aria-label") node.setAttribute(name, visible(value));
    else node.setAttribute(name, value === true ? "" : value);
  }
  const shown = children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false);
  node.append(...shown.map((child) => (typeof child === "string" ? visible(child) : child)));
  return node;
}

// A sentence: what stands between two backticks is code.
export function prose(text) {
  const parts = text.split("`");
  return parts.length % 2 ? parts.map((part, number) => (number % 2 ? make("code", {}, part) : part)) : text;
}

const SVG = "http://www.w3.org/2000/svg";

export function icon(name) {
  const image = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  image.setAttribute("class", "icon");
  image.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  image.append(use);
  return image;
}

let hiding;

// Shows a sentence for a moment, and has screen readers say it.
export function say(words) {
  const toast = find("toast");
  const text = visible(words);
  find("spoken").textContent = text;
  toast.textContent = text;
  toast.classList.add("on");
  clearTimeout(hiding);
  hiding = setTimeout(() => toast.classList.remove("on"), Math.max(2200, 70 * text.length));
}

// Copies a text; a button that is given says so for a moment, in the same width.
export async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    say("The browser refused: select the text and copy it");
    return;
  }
  say("Copied");
  if (!button) return;
  const label = button.textContent;
  button.style.minWidth = `${button.offsetWidth}px`;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = label; }, 1600);
}

// JSON with its kinds of values told apart.
export function json(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  if (typeof value === "string" || text.length > 200000) return make("pre", { tabindex: "0" }, text);
  const token = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\b\d[\d.eE+-]*\b|\btrue\b|\bfalse\b|\bnull\b)/g;
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(token)) {
    parts.push(text.slice(at, match.index));
    if (match[1]) parts.push(make("span", { class: match[2] ? "j-name" : "j-text" }, match[1]), match[2] || "");
    else parts.push(make("span", { class: "j-value" }, match[3]));
    at = match.index + match[0].length;
  }
  return make("pre", { tabindex: "0" }, parts, text.slice(at));
}
