#!/usr/bin/env node
// `npx interactions-harness …` is the command `harness …`: the one that is installed, or the one that uvx or pipx fetch.

import { spawn } from "node:child_process";
import { findCommands } from "./index.js";

const words = process.argv.slice(2);
let candidates = await findCommands();

function run() {
  const [candidate, ...others] = candidates;
  if (candidate === undefined) {
    console.error(
      "error: no harness was found.\nhelp: install it with `pip install interactions-harness` or `uv tool install " +
        "interactions-harness`, or name it in the environment variable HARNESS_COMMAND.",
    );
    process.exitCode = 127;
    return;
  }
  candidates = others;
  const [program, ...before] = candidate.words;
  const child = spawn(program, [...before, ...words], { stdio: "inherit" });
  child.once("error", (error) => {
    if (error.code === "ENOENT") run();
    else {
      console.error(`error: ${program} did not start: ${error.message}`);
      process.exitCode = 126;
    }
  });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
  child.once("exit", (code, signal) => {
    process.exitCode = code ?? (signal === "SIGINT" ? 130 : 143);
  });
}

run();
