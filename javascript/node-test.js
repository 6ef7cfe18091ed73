// Fixtures for node:test: `import { test } from "interactions-harness/node-test"`, then `test("…", async ({ session }) => …)`.
//
// Each test has a session of its own, beside what node:test gives it. When it has passed, `assertAllMet` says what it left
// undone; when it has failed, what the code under test sent is in its diagnostics. One server serves a file.

import { after, before, test as base } from "node:test";
import { connect, start } from "./index.js";

let running;
let leftRunning = false;
const realSetTimeout = globalThis.setTimeout;
before(async () => {
  const harness = await (running ??= open());
  await (await harness.session()).end(); // what the server loads for its first session is no test's time
});
after(async () => {
  await (await running)?.stop();
  running = undefined;
  // A reader that never ends would keep this file from ever ending, whose tests are over.
  if (leftRunning) realSetTimeout(() => process.exit(1), 1000).unref();
});

function open() {
  const { INTERACTIONS_HARNESS_URL: url, HARNESS_CONTROL_TOKEN: token } = process.env;
  return url ? connect(url, { token }) : start();
}

function withSession(run, sessionOptions) {
  return async (context) => {
    const harness = await running;
    const session = await harness.session(sessionOptions);
    Object.assign(context, { harness, session });
    try {
      await Promise.race([run(context), session.stopped]);
      await session.assertAllMet();
    } catch (error) {
      for (const line of await session.describe()) context.diagnostic(line);
      throw error;
    } finally {
      leftRunning ||= session.leftRunning;
      await session.end();
    }
  };
}

function define(register) {
  return (name, ...rest) => {
    const run = rest.pop();
    const { session, ...options } = rest[0] ?? {};
    return register(name, options, withSession(run, session));
  };
}

export const test = Object.assign(define(base), {
  only: define(base.only),
  skip: define(base.skip),
  todo: (name, ...rest) => base.todo(name, ...rest),
});

export const it = test;
