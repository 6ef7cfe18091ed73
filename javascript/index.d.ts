/// <reference lib="esnext.disposable" />
// Types of index.js.

/** The server refused a call, or could not be started. `status` is that of HTTP, 0 without an answer. */
export class HarnessError extends Error {
  readonly name: "HarnessError";
  readonly status: number;
}

/** The judge found something wrong with what the code under test did; `summary` is that of `torture`. */
export class HarnessAssertionError extends Error {
  readonly name: "AssertionError";
  readonly code: "ERR_ASSERTION";
  readonly summary?: TortureSummary;
}

export interface LaunchOptions {
  /**
   * The program, or a program and its first arguments. Without it: `$HARNESS_COMMAND`, else `harness` on PATH or in a `.venv`
   * above this folder, else `uvx` or `pipx`, which fetch it.
   */
  command?: string | string[];
  /** How long to wait for its first line (30, and 180 where it is fetched first). */
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

/** The response to the next create; docs/emulator.md explains each key. */
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
  /** A wait that only the body states, such as "34.430985". */
  retryInfo?: string;
  /** Who seems to have written the error. */
  shape?: "service" | "front-end" | "list" | "sentence" | "html";
  /** A body of your own: a text, or a value that becomes JSON. */
  body?: unknown;
  /** The test may pass although no such request comes. */
  optional?: boolean;
}

export interface ReplyOptions extends Script {
  /** The test may pass although no create takes the answer. */
  optional?: boolean;
  /** Let through steps that the schemas do not know, and calls of functions that the create does not declare. */
  unchecked?: boolean;
}

/**
 * A fault plan, and what it did: `fired` are those of the planned `faults` that took effect; `unmet` names why one of
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

/** The kinds of calls; "stream" reads an interaction, "stream after …" resumes it from any cursor. */
export type CallName = "create" | "create stream" | "get" | "stream" | "stream after …" | "cancel" | "delete";

/** An interaction, or its id. */
export type InteractionRef = string | { id: string };

/** An earlier turn of a conversation. */
export interface Turn {
  readonly id: string;
  readonly input: string;
  readonly text: string;
  readonly environmentId: string | null;
  /** The function calls that need a result. */
  readonly calls: Array<{ id: string; name: string; [field: string]: unknown }>;
  readonly steps: Array<{ type: string; [field: string]: unknown }>;
}

export interface TurnOptions {
  /** The turn to follow (the last one). */
  after?: InteractionRef;
  /** A turn by an agent, with an environment. */
  agent?: boolean;
  /** A turn that waits for the result of a function. */
  functionCall?: boolean;
  /** A turn that is still in progress. */
  running?: boolean;
  /** A turn that has been deleted. */
  deleted?: boolean;
}

/** A route that a background run takes; docs/pytest.md describes each. */
export type RouteName =
  | "completed" | "failed" | "cancelled" | "cancelled_early" | "cancelled_late" | "requires_action" | "function_result"
  | "incomplete" | "queued" | "deleted" | "missing_at_first" | "requires_continuation";

/** All routes, and those that every client that waits should survive. */
export const ROUTES: readonly RouteName[];
export const COMMON_ROUTES: readonly RouteName[];

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type ErrorClass = (abstract new (...args: any[]) => Error) | string;

export interface SessionOptions {
  settings?: Settings;
  /** Requests after which the code under test is refused everything (1000). */
  maxRequests?: number;
  /** Equal reads in a row of an interaction that has settled, after which the same applies (50). */
  maxSettledReads?: number;
  /** Whether what was planned and never happened fails the test (true). */
  assertAllUsed?: boolean;
  /** Whether a wrong turn of the conversation fails the test (true). */
  judgeTurns?: boolean;
  /** How much faster than the machine's the pauses of streams are (1). */
  speed?: number;
}

/** What moves a test's fake timers: vitest's `vi`, node:test's `mock.timers`, a clock of sinon, or jest. */
export type FakeTimers =
  | { advanceTimersByTimeAsync(ms: number): Promise<unknown> }
  | { advanceTimersByTime(ms: number): unknown }
  | { tickAsync(ms: number): Promise<unknown> }
  | { tick(ms: number): unknown };

export interface ElapseOptions {
  timers: FakeTimers;
  /** How long the code may take by its own clock, in seconds (a day). */
  most?: number;
}

export type EventIds = "all" | "deltas" | "sparse" | "none" | "odd";

export interface CutOptions {
  /** Where to cut; a list has whole fault plans. Default: "every-event". */
  cuts?: "every-event" | "structural" | "every-byte" | "outage" | string[];
  /** How the connection ends at each cut (["rst", "end"]); not used with a list of plans. */
  endings?: Array<"rst" | "end" | "fin" | "stall" | "short-length" | "bad-chunk">;
  /** Leave out the cuts before this event. */
  first?: number;
  /** What the stream contains. */
  script?: Script;
  /** The response to a further turn. */
  further?: Script;
  /** Which events carry an id ("all"); "odd" ids contain +, / and =. */
  eventIds?: EventIds | EventIds[];
  /** Whether a resumed stream repeats the event of its cursor ("exclusive"). */
  resume?: "exclusive" | "inclusive";
  /** What the reader is asked to do ("follow"). */
  mode?: Mode;
}

/** What a reader can be asked to do; docs/torture.md describes each. */
export type Mode = "follow" | "create" | "background" | "poll" | "chain" | "tools" | "cancel";

export interface TortureOptions extends CutOptions {
  /** A set of cases instead of cuts; by default that of the mode. */
  set?: "quick" | "standard" | "thorough" | "polling" | "turns" | "cancelling" | (string & {});
  /** Only these kinds of a set. */
  only?: string[];
  /** Not these kinds of a set. */
  exclude?: string[];
  /** Codes of findings that are not failures: "client.recovers", or "client.recovers/reported". */
  allow?: string[];
  /** How long the reader may take for a case (30). */
  seconds?: number;
  /** The fake timers of the test: a case waits for nothing but them, as in `elapse`, and the cases run one by one. */
  timers?: FakeTimers;
  /** With `timers`: how long the reader may take for a case by its own clock, in seconds (a day). */
  most?: number;
  /** How many cases run side by side (8). */
  jobs?: number;
  /** Failures of a kind after which its other cases are left out (5); 0 plays all. */
  enough?: number;
}

/** What a reader has to do. */
export interface Task {
  /** The base URL. */
  readonly url: string;
  /** The interaction to read, unless the mode lets the reader make its own. */
  readonly id: string;
  readonly mode: Mode;
  readonly case: string;
  readonly plan: string;
  /** The body of a create that fits the mode. */
  readonly create: { model: string; input: string; stream?: boolean; background?: boolean; tools?: object[] };
  /** Aborted when the time of the case is up. */
  readonly signal: AbortSignal;
}

/** What a reader ends with: the text, in pieces or whole, the events, the interaction, or an object with a status. */
export type Result =
  | string
  | string[]
  | object[]
  | { text: string; status?: string }
  | { events: object[]; status?: string }
  | { steps: object[]; status?: string; [field: string]: unknown }
  | { status: string };

export type Reader = (task: Task) => Result | Promise<Result>;

export interface TortureSummary {
  readonly cases: number;
  readonly failed: number;
  readonly reasons: Array<{ code: string; problem: string; cases: string[]; options: TortureOptions }>;
  readonly text: string;
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

/** The settings of a server, or of one session of it. */
declare class Controls {
  /** The base URL for the client under test. */
  readonly url: string;
  /** The environment for a process that is to talk to this server. */
  readonly environment: Record<string, string>;
  /** Queue an answer: a text (and more of a script), a script, or a list of scripts. Resolves to the queue's length. */
  reply(text: string, script?: ReplyOptions): Promise<number>;
  reply(script: Script | Script[], options?: Pick<ReplyOptions, "optional" | "unchecked">): Promise<number>;
  /** Refuse the next requests of a kind. */
  fail(status?: number, options?: FailOptions): Promise<Faults>;
  /** Apply a fault plan to streams (docs/faults.md), such as "event:5,rst". */
  drop(plan: string, options?: { optional?: boolean }): Promise<Faults>;
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
  /** The calls so far: the kinds of `CallName`, else method and path. */
  calls(): Promise<string[]>;
  settings(changes?: Settings): Promise<Settings>;
  /** Forget runs, resources, scripts and requests; failures and drops stay. */
  reset(): Promise<void>;
  /** Any request of the control API; `path` begins after `/__harness__/`. */
  call<Answer = unknown>(method: string, path: string, body?: unknown): Promise<Answer>;
}

/** A running server. */
export class Harness extends Controls implements AsyncDisposable {
  /** Open a session: a separate emulator on the same port, for one test. */
  session(options?: SessionOptions): Promise<Session>;
  /** Stop the server, if this program started it. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A separate emulator in a server, with a judge; it shares nothing with other sessions. */
export class Session extends Controls implements AsyncDisposable {
  readonly id: string;
  /** A key that the emulator accepts. */
  readonly key: string;
  /** Whether a reader was still running when its time was up. */
  readonly leftRunning: boolean;
  /** Rejects, with the reason, if the code under test polls without an end. */
  readonly stopped: Promise<never>;
  /** How many seconds `elapse` let pass so far: what the code under test waited for. */
  readonly elapsed: number;
  /** What the code under test sent, and what it got, a line each. */
  describe(): Promise<string[]>;
  /** Assert that exactly these calls were made, in this order; an unusual one is its method and path. */
  assertCalls(...calls: Array<CallName | (string & {})>): Promise<void>;
  /** Assert as many creates as given, each with at least these fields, at any depth. */
  assertCreated(...bodies: object[]): Promise<void>;
  /** Assert how many calls of a kind were made. */
  assertCount(
    call: CallName | (string & {}),
    bounds: { exactly: number } | { atLeast: number; atMost?: number } | { atMost: number },
  ): Promise<void>;
  /** Assert that the code under test continued each dropped stream: it resumed, or requested the interaction. */
  assertResumed(): Promise<void>;
  /** Add an earlier turn of a conversation. */
  turn(text?: string, options?: TurnOptions): Promise<Turn>;
  /** Add so many turns one after the other; resolves to the last. */
  build(length: number, options?: Pick<TurnOptions, "agent">): Promise<Turn>;
  /** Assert that the last create continues a turn correctly; without one the last turn before it. */
  assertContinued(
    after?: InteractionRef | null,
    options?: {
      /** Texts by the ids of calls, of any round: the result of each has to contain its text. */
      results?: Record<string, string>;
      newEnvironment?: boolean;
      anyResults?: boolean;
      withoutTools?: boolean;
    },
  ): Promise<void>;
  /** Assert that the code under test has read or closed every response: one left open keeps its connection. */
  assertClosed(): Promise<void>;
  /** Assert that the last create sends these steps back, those of this interaction, or those of the answer before it. */
  assertReplayed(steps?: object[] | InteractionRef): Promise<void>;
  /** Assert the texts of a conversation up to an interaction: inputs and outputs in order. */
  assertHistory(interaction: InteractionRef, ...texts: string[]): Promise<void>;
  /** An interaction as it is now; null if there is none. */
  look(interaction: InteractionRef): Promise<{ id: string; status: Status | "in_progress" | "queued"; [field: string]: unknown } | null>;
  /** Begin a background run that takes a route. */
  route(name: RouteName): Promise<{ id: string; story: string; tools: object[] }>;
  /** Assert what the code under test ended with on the route: a result, or the error that it threw. */
  assertOutcome(
    result: unknown,
    options?: { raised?: ErrorClass | ErrorClass[] | { [status in Status | "deleted"]?: ErrorClass | ErrorClass[] } },
  ): Promise<void>;
  /** Let time pass for the emulator; resolves to the seconds since the session began. */
  passTime(seconds: number): Promise<number>;
  /** Run code whose timers are fake: its time and the emulator's move on together. */
  elapse<T>(work: (() => T | Promise<T>) | Promise<T>, options: ElapseOptions): Promise<T>;
  /** The cuts of a stream, one after the other. */
  cuts(options?: CutOptions): AsyncGenerator<Cut, void, void>;
  /** See `torture`. */
  torture(read: Reader, options?: TortureOptions): Promise<TortureSummary>;
  /** End it. */
  end(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A stream that is cut somewhere: the code under test reads interaction `id` at `url`. */
export class Cut {
  readonly url: string;
  readonly id: string;
  readonly case: string;
  readonly plan: string;
  readonly mode: Mode;
  /** Assert that a result is the whole stream, once and in order. */
  assertSeenOnce(result: unknown): Promise<void>;
}

/**
 * Put a reader through many cases, each with its own faults, and throw an AssertionError that lists each reason for a
 * failure once, with one case and the line that repeats it.
 */
export function torture(session: Session, read: Reader, options?: TortureOptions): Promise<TortureSummary>;

/** The commands that may start the harness, the best first. */
export function findCommands(command?: string | string[], options?: { folders?: boolean }): Promise<Array<{ words: string[]; seconds: number; given?: boolean }>>;
