"""The npm package, as it is packed: the recipes of its pages run unchanged with it, and so does `npx`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.resources import folder
from tests.e2e.packed import NODE, install_packed

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

ROOT = Path(__file__).resolve().parents[2]
PAGES = [(ROOT / "docs" / name).read_text("utf-8") for name in ("javascript.md", "javascript-reference.md")]
README = (ROOT / "javascript" / "README.md").read_text("utf-8")
_EXAMPLE = re.compile(r"^```(?:js|ts)\n// ([\w.]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = {name: source for page in (*PAGES, README) for name, source in _EXAMPLE.findall(page)}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with every example of the pages, the packed package, and a command `harness` of its own."""
    place = tmp_path_factory.mktemp("project")
    install_packed(place, tmp_path_factory)
    for name, source in EXAMPLES.items():
        (place / name).write_text(source, "utf-8")
    shutil.copy(ROOT / "docs" / "clients" / "follow.mjs", place)
    command = place / "harness-command"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m harness "$@"\n', "utf-8")
    command.chmod(0o755)
    return place


def run(project: Path, *words: str, code: int = 0) -> str:
    """Run a program of the project, and return all that it printed; it must end with this code."""
    environment = {
        **os.environ,
        "HARNESS_COMMAND": str(project / "harness-command"),
        "PYTHONPATH": str(ROOT),
        "CI": "1",
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        words, cwd=project, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_page_names_the_versions_that_are_tried() -> None:
    """The reference installs the versions that its recipes run with."""
    tried = json.loads((NODE / "package.json").read_text("utf-8"))["dependencies"]
    (line,) = re.findall(r"npm install --save-dev (@.*?)^```", PAGES[1], re.MULTILINE | re.DOTALL)
    assert line.replace("\\\n", " ").split() == [f"{name}@{version}" for name, version in sorted(tried.items())]


def test_node_test(project: Path) -> None:
    """The recipe for node:test passes, with @google/genai."""
    assert re.search(r"pass 4\b", run(project, "node", "--test", "chat.test.mjs"))


def test_the_page_of_the_package(project: Path) -> None:
    """The packed package has its page, whose example passes."""
    assert (project / "node_modules" / "interactions-harness" / "README.md").read_text("utf-8") == README
    assert re.search(r"pass 1\b", run(project, "node", "--test", "first.test.mjs"))


UNDONE = """
import { test } from "interactions-harness/vitest";

test("sends nothing", async ({ session }) => { await session.reply("x"); });
test("meets no drop", async ({ session }) => {
  await session.drop("event:3,rst");
  await fetch(`${session.url}/v1beta/interactions/v1_x`, { headers: { "x-goog-api-key": session.key } });
});
"""


def test_what_a_vitest_left_undone_is_beside_its_requests(project: Path) -> None:
    """A planned drop that never came fails a test, with the requests of its code; none are no heading."""
    (project / "undone.spec.mjs").write_text(UNDONE, "utf-8")
    printed = run(project, "node_modules/.bin/vitest", "run", "undone.spec.mjs", code=1)
    assert printed.count("what the code under test sent:\n  get → 404") == 1
    assert printed.count("what the code under test sent:") == 1


def test_cuts_and_torture(project: Path) -> None:
    """A client that follows a stream to its end survives every cut, and the quick set."""
    assert re.search(r"pass 2\b", run(project, "node", "--test", "cuts.test.mjs", "torture.test.mjs"))


def test_a_poller_in_the_time_of_its_timers(project: Path) -> None:
    """An hour of polls in each case of the mode `poll` passes with the fake timers of the test."""
    assert re.search(r"pass 1\b", run(project, "node", "--test", "polling.test.mjs"))


def test_time(project: Path) -> None:
    """Ten minutes of polls with vitest's fake timers are over at once."""
    assert "1 passed" in run(project, "node_modules/.bin/vitest", "run", "--testTimeout=120000", "poll.spec.mjs")


UNPAUSED = """
import { test } from "interactions-harness/node-test";

for (const late of [false, true]) test(`polls, ${late}`, async ({ session, mock }) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  await session.reply("At last.", { lasts: 600 });
  const headers = { "content-type": "application/json", "x-goog-api-key": "any" };
  const create = { model: "gemini-3.8-flash", input: "Think.", background: true };
  const poll = async () => {
    while (late && session.elapsed === 0) await new Promise((go) => setImmediate(go));  // such as for a file
    const url = `${session.url}/v1beta/interactions`;
    let run = await (await fetch(url, { method: "POST", headers, body: JSON.stringify(create) })).json();
    while (run.status === "in_progress") run = await (await fetch(`${url}/${run.id}`, { headers })).json();
  };
  await session.elapse(poll, { timers: mock.timers });
  await session.assertCount("get", { atLeast: 100 });
});
"""


def test_polls_without_a_pause(project: Path) -> None:
    """A wrong number of polls within `elapse` is explained if the code under test never waited."""
    (project / "unpaused.mjs").write_text(UNPAUSED, "utf-8")
    printed = run(project, "node", "--no-warnings", "--test", "--test-reporter=spec", "unpaused.mjs", code=1)
    assert printed.count("it never waited for a timer: its calls came without a pause") == 4, "twice each"


GIVEN_UP = """
import { afterEach, vi } from "vitest";
import { test } from "interactions-harness/vitest";

afterEach(() => { vi.useRealTimers(); });

test("is given up", { timeout: 300 }, async ({ session }) => {
  vi.useFakeTimers();
  const work = async () => { for (;;) await new Promise((resolve) => setTimeout(resolve, 10)); };
  await session.elapse(work, { timers: vi });
});
test("comes after it", { timeout: 60_000 }, async ({ session }) => {
  for (let turn = 0; turn < 400; turn += 1) await new Promise((resolve) => setTimeout(resolve, 1));
});
"""


def test_a_test_that_is_given_up_in_elapse(project: Path) -> None:
    """The tests after it have their own timers: `elapse` ends with its session, and puts nothing back."""
    (project / "given.spec.mjs").write_text(GIVEN_UP, "utf-8")
    printed = run(project, "node_modules/.bin/vitest", "run", "given.spec.mjs", code=1)
    assert "Test timed out in 300ms" in printed
    assert "1 failed | 1 passed" in printed


POLLS = """
const headers = { "content-type": "application/json", "x-goog-api-key": "any" };

async function create(session) {
  const body = JSON.stringify({ model: "gemini-3.8-flash", input: "Hi." });
  const made = await fetch(`${session.url}/v1beta/interactions`, { method: "POST", headers, body });
  return `${session.url}/v1beta/interactions/${(await made.json()).id}`;
}

async function read(url) {
  try { return (await (await fetch(url, { headers })).json()).status === "COMPLETED"; } catch { return false; }
}
"""

ENDLESS = """
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "interactions-harness/node-test";

const options = { session: { maxSettledReads: 30 } };

test("timers", options, async ({ session }) => {
  const url = await create(session);
  while (!(await read(url))) await new Promise((resolve) => setTimeout(resolve, 500));
});
test("promises", options, async ({ session }) => {
  const url = await create(session);
  while (!(await read(url))) await sleep(500);
});
test("comes after it", async () => { await sleep(1); await new Promise((resolve) => setTimeout(resolve, 1)); });
"""

ENDLESS_SPEC = """
import { test } from "interactions-harness/vitest";

test.extend({ sessionOptions: { maxSettledReads: 3 } })("reads", { timeout: 60_000 }, async ({ session }) => {
  const url = await create(session);
  const work = async () => { while (!(await read(url))) await new Promise((resolve) => setTimeout(resolve, 1)); };
  await Promise.race([work(), session.stopped]);
});
"""


def test_polls_for_ever(project: Path) -> None:
    """Code that really sleeps between polls, and swallows errors, is stopped; later tests have their timers."""
    (project / "endless.mjs").write_text(ENDLESS + POLLS, "utf-8")
    printed = run(project, "node", "--no-warnings", "--test", "--test-reporter=spec", "endless.mjs", code=1)
    assert "pass 1" in printed
    assert (
        len(re.findall(r"AssertionError.*in a row and slept [\d.]+ s in between .*'completed' each time", printed))
        >= 2
    )
    (project / "endless.spec.mjs").write_text(ENDLESS_SPEC + POLLS, "utf-8")
    printed = run(project, "node_modules/.bin/vitest", "run", "endless.spec.mjs", code=1)
    assert re.search(r"has settled (more than )?\d+ times in a row.*'completed' each time", printed)
    assert "timed out" not in printed


UNRESUMED = """
import assert from "node:assert/strict";
import { test } from "interactions-harness/node-test";
import { GoogleGenAI } from "@google/genai";

class StreamBroken extends Error {}

async function read(baseUrl, id) {
  const ai = new GoogleGenAI({ apiKey: "any", httpOptions: { baseUrl } });
  let text = "";
  try {
    for await (const event of await ai.interactions.get(id, { stream: true })) {
      if (event.delta?.type === "text") text += event.delta.text;
      if (event.event_type === "interaction.completed") return text;
    }
    throw new Error("no completion");
  } catch (error) {
    throw new StreamBroken("the answer broke off", { cause: error });
  }
}

test("the error ends the test", async ({ session }) => {
  for await (const cut of session.cuts({ cuts: ["event:5,rst"] })) {
    await cut.assertSeenOnce(await read(cut.url, cut.id));
  }
});
test("the error is passed over", async ({ session }) => {
  for await (const cut of session.cuts({ cuts: ["pass", "event:5,rst"] })) {
    const text = await read(cut.url, cut.id).catch(() => undefined);
    if (text !== undefined) await cut.assertSeenOnce(text);
  }
});
test("the error is shown to the user", async ({ session }) => {
  await session.drop("event:5,rst");
  const ai = new GoogleGenAI({ apiKey: "any", httpOptions: { baseUrl: session.url } });
  const run = await ai.interactions.create({ model: "gemini-3.8-flash", input: "Hi", background: true });
  const shown = await read(session.url, run.id).catch((error) => error.message);
  assert.match(shown, /broke off/);
  await session.assertResumed();
});
"""


def test_a_reader_that_throws_on_a_broken_stream(project: Path) -> None:
    """An error that the application makes of a broken stream does not hide that the stream was not resumed."""
    (project / "unresumed.mjs").write_text(UNRESUMED, "utf-8")
    printed = run(project, "node", "--test", "--test-reporter=spec", "unresumed.mjs", code=1)
    assert "fail 3" in printed
    first, passed_over, shown = re.split(r"^✖ ", printed.partition("failing tests:")[0], flags=re.MULTILINE)[1:4]
    broken = "the stream was dropped after event 5 (rst) and was not resumed"
    assert "dropped at event:5,rst, the client ended without a result that was judged" in first
    assert "1 cut of 2 began and had no result judged" in passed_over
    assert all(broken in one for one in (first, passed_over, shown))


LEFT_OPEN = """
import { test } from "interactions-harness/node-test";

async function peek(session, leave) {
  await session.reply("A long story of salt.", { hold: { after: 6 } });
  const headers = { "content-type": "application/json", "x-goog-api-key": "any" };
  const body = JSON.stringify({ model: "gemini-3.8-flash", input: "Tell.", stream: true });
  const response = await fetch(`${session.url}/v1beta/interactions`, { method: "POST", headers, body });
  const reader = response.body.getReader();
  await reader.read();
  await leave(reader);
  await session.assertClosed();
  return reader;
}
test("closed", ({ session }) => peek(session, (reader) => reader.cancel()));
test("left open", ({ session }) => peek(session, () => {}));
"""


def test_a_response_that_is_left_open(project: Path) -> None:
    """A stream that the code under test stops reading holds its connection until it is cancelled."""
    (project / "left_open.mjs").write_text(LEFT_OPEN, "utf-8")
    printed = run(project, "node", "--test", "--test-reporter=spec", "left_open.mjs", code=1)
    assert "✔ closed" in printed
    assert "✖ left open" in printed
    assert "the client left 1 response open: read each to its end, or cancel it" in printed


def test_recordings(project: Path) -> None:
    """The recipe for recordings passes, with a recording of a chain of turns."""
    shutil.copy(folder("cassettes") / "emulator" / "chain.yaml", project)
    assert re.search(r"pass 2\b", run(project, "node", "--test", "recorded.test.mjs"))


def test_vitest(project: Path) -> None:
    """The recipe for vitest passes, with the AI SDK."""
    assert "2 passed" in run(project, "node_modules/.bin/vitest", "run", "--testTimeout=120000", "answer.spec.mjs")


def test_playwright(project: Path) -> None:
    """The recipe for Playwright passes; it needs no browser."""
    assert "2 passed" in run(project, "node_modules/.bin/playwright", "test", "--reporter=line")


def test_types(project: Path) -> None:
    """The declarations fit a small program, in strict mode."""
    options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--skipLibCheck"]
    run(project, "node_modules/.bin/tsc", *options, "typed.ts")
