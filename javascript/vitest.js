// Fixtures for vitest: `import { test } from "interactions-harness/vitest"`, then `test("…", async ({ session }) => …)`.
//
// Each test has a session of its own. When it has passed, `assertAllMet` says what it left undone; when it or this has
// failed, what the code under test sent is printed. One server serves a file, or all files with `interactions-harness/vitest-setup`
// as `globalSetup`.

import { afterAll, beforeAll, test as base } from "vitest";
import { connect, start } from "./index.js";

let running;
beforeAll(async () => {
  const harness = await (running ??= open());
  await (await harness.session()).end(); // what the server loads for its first session is no test's time
}, 240_000);
afterAll(async () => {
  await (await running)?.stop();
  running = undefined;
});

function open() {
  const { INTERACTIONS_HARNESS_URL: url, HARNESS_CONTROL_TOKEN: token } = process.env;
  return url ? connect(url, { token }) : start();
}

async function show(session) {
  const sent = await session.describe();
  if (sent.length) console.log(["what the code under test sent:", ...sent].join("\n  "));
}

export const test = base.extend({
  sessionOptions: {},
  harness: async ({}, use) => {
    await use(await running);
  },
  session: async ({ harness, sessionOptions, task }, use) => {
    const session = await harness.session(sessionOptions);
    try {
      await use(session);
      if (task.result?.state === "fail") await show(session);
      else await session.assertAllMet().catch((error) => show(session).then(() => Promise.reject(error)));
    } finally {
      await session.end();
    }
  },
});

export const it = test;
