/// <reference types="node" />
import type { TestContext, TestOptions } from "node:test";
import type { Harness, Session, SessionOptions } from "./index.js";

/** What node:test gives a test, a session of its own, and the server behind it. */
export type HarnessContext = TestContext & { session: Session; harness: Harness };
export type HarnessTest = (context: HarnessContext) => void | Promise<void>;
/** The options of node:test, and those of the session. */
export type HarnessTestOptions = TestOptions & { session?: SessionOptions };

interface Define {
  (name: string, run: HarnessTest): Promise<void>;
  (name: string, options: HarnessTestOptions, run: HarnessTest): Promise<void>;
}

export const test: Define & { only: Define; skip: Define; todo: Define };
export const it: typeof test;
