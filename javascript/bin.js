#!/usr/bin/env node
// `npx interactions-harness …` is the command `harness …`: the one that is installed, or the one that uvx or pipx fetch.
//
// It may run in a folder that somebody else wrote, so it starts no program of the folder: none of a `.venv` there that
// is not on PATH, and none of `node_modules/.bin` or of a relative folder, which npx and users have on PATH.

import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { findCommands } from "./index.js";

const words = process.argv.slice(2);
const named = process.env.HARNESS_COMMAND;
let candidates = (await findCommands(named, { folders: false })).flatMap((candidate) => {
  const program = named === undefined ? locate(candidate.words[0]) : candidate.words[0];
  return program === undefined ? [] : [{ ...candidate, words: [program, ...candidate.words.slice(1)] }];
});

function isOfFolder(folder) {
  return !isAbsolute(folder) || /[\\/]node_modules[\\/]\.bin[\\/]?$/.test(folder);
}

function locate(program) {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => !isOfFolder(folder));
  const name = process.platform === "win32" ? `${program}.exe` : program;
  return folders.map((folder) => join(folder, name)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

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
