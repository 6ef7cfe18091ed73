// One server for all test files: `globalSetup: "interactions-harness/vitest-setup"` in the configuration of vitest.

import { start } from "./index.js";

export default async function setup() {
  if (process.env.INTERACTIONS_HARNESS_URL) return undefined;
  const harness = await start();
  process.env.INTERACTIONS_HARNESS_URL = harness.url;
  return async () => {
    delete process.env.INTERACTIONS_HARNESS_URL;
    await harness.stop();
  };
}
