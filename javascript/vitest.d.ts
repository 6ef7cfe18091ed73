import type { TestAPI } from "vitest";
import type { Harness, Session, SessionOptions } from "./index.js";

export interface Fixtures {
  /** What each session begins with: `test.extend({ sessionOptions: { settings: { event_ids: "sparse" } } })`. */
  sessionOptions: SessionOptions;
  /** The server of this file, or of all files. */
  harness: Harness;
  /** An emulator of this test's own. */
  session: Session;
}

export const test: TestAPI<Fixtures>;
export const it: TestAPI<Fixtures>;
