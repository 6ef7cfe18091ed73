// Types of harness.mjs, written by `harness client js --types`.

/** The server refused a call, or could not be started. `status` is that of HTTP, 0 without an answer. */
export class HarnessError extends Error {
  readonly name: "HarnessError";
  readonly status: number;
}

export interface LaunchOptions {
  /** The program, or a program and its first arguments; `$HARNESS_COMMAND`, else `harness`. */
  command?: string | string[];
  /** How long to wait for its first line (30). */
  seconds?: number;
  /** Further arguments. */
  args?: string[];
}

export interface StartOptions extends LaunchOptions {
  /** A file of scripted answers. */
  scenario?: string;
  /** An incident to play from the start. */
  incident?: string;
  /** How much faster than the machine's its clock runs: 60, or "60x". */
  speed?: number | string;
  settings?: Settings;
}

/** Start `harness serve` on a free port. */
export function start(options?: StartOptions): Promise<Harness>;

export interface ReplayArguments extends LaunchOptions {
  /** strict: only what was recorded, in order; resume: also the rest of a stream from any event, after a drop. */
  mode?: "strict" | "resume";
}

/** Start `harness replay` of a recording on a free port: what was not recorded is an error that names the nearest. */
export function replay(cassette: string, options?: ReplayArguments): Promise<Harness>;

/** Use a server that runs already. */
export function connect(url: string, options?: { token?: string }): Promise<Harness>;

export type Status =
  | "completed" | "failed" | "cancelled" | "incomplete" | "budget_exceeded" | "requires_action"
  | "requires_continuation";

/** How the next create is answered; docs/emulator.md explains each key. */
export interface Script {
  text?: string;
  steps?: Array<{ type: string; [field: string]: unknown }>;
  deltas?: number | string[];
  thought?: boolean | string;
  status?: Status;
  created_status?: string;
  errors?: object[];
  usage?: object;
  refuse?: { status?: number; code?: string; message?: string; headers?: Record<string, string> };
  error_event?: { after?: number; code?: string; message?: string; id?: boolean; fatal?: boolean };
  queued?: number;
  ticks?: number;
  hold?: boolean | { after?: number };
  cancel_lag?: number;
  lasts?: number;
  hidden?: { polls?: number; seconds?: number; status?: number; code?: string; message?: string };
  extra?: Record<string, unknown>;
  fragments?: number;
  hops?: number;
  checkpoints?: boolean;
  mcp_steps?: "mcp_server_tool" | "tool_call";
  without_context?: boolean;
  continuation_token?: string;
  environment_id?: string;
  times?: number;
  match?: {
    model?: string;
    agent?: string;
    previous?: boolean;
    further?: boolean;
    input_contains?: string;
    tool?: string;
  };
}

/** Settings of the emulator; docs/emulator.md explains each. */
export interface Settings {
  platform?: "gemini" | "vertex" | "any";
  unknown?: "refuse" | "accept";
  event_ids?: "auto" | "all" | "deltas" | "some" | "sparse" | "none";
  resume?: "exclusive" | "inclusive";
  stream_refusals?: "http" | "event";
  compression?: "none" | "gzip" | "deflate";
  [name: string]: unknown;
}

export interface FailOptions {
  /** Which requests; all by default. */
  on?: "any" | "create" | "get" | "stream" | "resume" | "cancel" | "delete";
  /** How many, 0 for all (1). */
  times?: number;
  /** The header `Retry-After`, in seconds. */
  retryAfter?: number;
  /** A wait that only the body tells, such as "34.430985". */
  retryInfo?: string;
  /** Who seems to have written the error. */
  shape?: "service" | "front-end" | "list" | "sentence" | "html";
  /** A body of your own: a text, or a value that becomes JSON. */
  body?: unknown;
}

/**
 * A fault plan, and what it did: `fired` are those of the planned `faults` that took effect; `unmet` says why one of
 * the plan never did.
 */
export interface Faults {
  plan: string | null;
  unmet: string | null;
  connections: Array<{
    number: number; method: string; path: string; scope: string; faults: string[]; fired: string[];
  }>;
}

/** A request that the server received, with secrets masked; a JSON body is decoded. */
export interface SentRequest {
  method: string;
  target: string;
  headers: Record<string, string>;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  body: any;
}

/** An incident; `request` is the create that meets it. */
export interface Incident {
  name: string;
  title: string;
  wire: string;
  mistake: string;
  client: string;
  sources: string[];
  when: string;
  certainty: string;
  state: string;
  meet: "call" | "stream" | "background-stream" | "poll" | "turns" | "cancel" | "delete";
  follow: string | null;
  request: Record<string, unknown>;
  [field: string]: unknown;
}

/** What can be told to a server, or to one session of it. */
declare class Controls {
  /** The base URL for the client under test. */
  readonly url: string;
  /** The environment for a process that is to talk to this server. */
  readonly environment: Record<string, string>;
  /** Queue an answer: a text (and more of a script), a script, or a list of scripts. Resolves to the queue's length. */
  reply(text: string, script?: Script): Promise<number>;
  reply(script: Script | Script[]): Promise<number>;
  /** Refuse the next requests of a kind. */
  fail(status?: number, options?: FailOptions): Promise<Faults>;
  /** Apply a fault plan to streams (docs/faults.md), such as "event:5,rst". */
  drop(plan: string): Promise<Faults>;
  faults(): Promise<Faults>;
  /** Throw if an answer, a failure or a drop that is planned now never took effect. */
  assertAllMet(): Promise<void>;
  /** Remove failures and drops. */
  mend(): Promise<void>;
  /** Behave as in an incident that really happened. */
  incident(name: string): Promise<Incident>;
  /** Stop background runs where they are. */
  hold(): Promise<void>;
  /** Let one held run continue, or all; resolves to how many were held. */
  release(id?: string): Promise<number>;
  requests(): Promise<SentRequest[]>;
  /** The calls so far: "create", "create stream", "get", "get stream", "resume", "cancel", "delete". */
  calls(): Promise<string[]>;
  settings(changes?: Settings): Promise<Settings>;
  /** Forget runs, resources, scripts and requests; failures and drops stay. */
  reset(): Promise<void>;
  /** Any request of the control API; `path` begins after `/__harness__/`. */
  call<Answer = unknown>(method: string, path: string, body?: unknown): Promise<Answer>;
}

/** A running server. */
export class Harness extends Controls {
  /** Open a session: a separate emulator on the same port, for one test. */
  session(): Promise<Session>;
  /** Stop the server, if this program started it. */
  stop(): Promise<void>;
}

/** A separate emulator in a server; it shares nothing with other sessions. */
export class Session extends Controls {
  readonly id: string;
  /** End it. */
  end(): Promise<void>;
}
