// Calls to the server: the token that some servers want, and the control API.
const INSPECTOR = "/__harness__/inspector/";
let token = "";

// The token comes in the link, after the #, and must not stay in the address or in the history.
export function takeTokenFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    token = given;
    history.replaceState(null, "", location.pathname);
  }
}

export function useToken(text) {
  token = text;
}

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export async function call(method, path, body, signal) {
  const headers = {};
  if (token) headers["x-harness-token"] = token;
  if (body !== undefined) headers["content-type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal, cache: "no-store" });
  if (!answer.ok) throw new Refused(answer.status, await reason(answer));
  return answer;
}

async function reason(answer) {
  const text = await answer.text();
  try {
    return JSON.parse(text).error.message;
  } catch {
    return `The server returned ${answer.status}.`;
  }
}

// A control call, to the server itself or to one of its sessions.
export async function control(method, name, body, session = "") {
  const root = session ? `/__harness__/sessions/${session}` : "";
  return (await call(method, `${root}/__harness__/${name}`, body)).json();
}

export const ask = async (name, signal) => (await call("GET", INSPECTOR + name, undefined, signal)).json();
export const forget = () => call("POST", `${INSPECTOR}clear`);
export const cassette = async () => (await call("GET", `${INSPECTOR}cassette`)).blob();
export const openFeed = async (signal) => (await call("GET", `${INSPECTOR}feed`, undefined, signal)).body;
