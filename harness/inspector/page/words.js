// Numbers, paths and ids as they are shown. Rows show short forms; details show the whole.
export const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

export const seconds = (value) => (value < 100 ? value.toFixed(1) : Math.round(value).toString());

export const took = (value) => (value < 1 ? `${Math.round(1000 * value)} ms` : `${value.toFixed(1)} s`);

export function bytes(size) {
  if (size < 10_000) return plural(size, "byte");
  return size < 10_000_000 ? `${Math.round(size / 1000).toLocaleString("en")} kB` : `${Math.round(size / 1_000_000)} MB`;
}

// Ids of one server often begin alike; what tells them apart is their end.
export function shortId(id) {
  return id.length <= 14 ? id : `${id.slice(0, 3)}…${id.slice(-6)}`;
}

const LONG = /[A-Za-z0-9_%+=-]{20,}/g;

export function shortTarget(target) {
  const [path, query] = target.split(/\?(.*)/s);
  const parts = path.split("/");
  const start = parts.length > 2 ? "…/" : "/";
  const shown = start + parts.slice(parts.length > 2 ? 2 : 1).join("/");
  const brief = (text) => text.replace(LONG, (long) => (long.includes("=") ? long : shortId(long)));
  return brief(shown) + (query ? `?${query.split("&").map(briefParameter).join("&")}` : "");
}

function briefParameter(parameter) {
  const [name, value = ""] = parameter.split(/=(.*)/s);
  return value.length > 14 ? `${name}=…${decoded(value).slice(-8)}` : parameter;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const spaced = (status) => status.replaceAll("_", " ");
