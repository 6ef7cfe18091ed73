"""The module for JavaScript serves recordings: `replay`, in Node, without any package."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.cassette import load
from harness.resources import folder

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="no node on PATH")

CHAIN = folder("cassettes") / "emulator" / "chain.yaml"
PROGRAM = """
import { HarnessError, connect, replay, start } from "./index.js";

const [python, cassette] = process.argv.slice(2);
const command = [python, "-m", "harness"];
const said = {};
const isOurs = (error) => error instanceof HarnessError || error.code === "ERR_ASSERTION";
const told = (error) => [isOurs(error), error.status, error.message];

const harness = await replay(cassette, { command });
const ask = async (input) => {
  const body = JSON.stringify({ model: "gemini-3.8-flash", input });
  const options = { method: "POST", headers: { "content-type": "application/json" }, body };
  const response = await fetch(`${harness.url}/v1/interactions`, options);
  return [response.status, await response.text()];
};
said.recorded = await ask("My name is Ada.");
said.unrecorded = await ask("My name is Bob.");
said.options = {
  start: await start({ command, scenerio: "x.yaml" }).catch(told),
  replay: await replay(cassette, { command, second: 3 }).catch(told),
  connect: await connect(harness.url, { tokn: "x" }).catch(told),
  fail: await harness.fail(503, { on: "create", time: 3, retryafter: 0 }).catch(told),
};
said.typo = await harness.drop("evnt:5,rst").catch(told);
await harness.fail(503, { on: "create" });
said.failed = (await ask("My name is Ada."))[0];
said.fired = (await harness.faults()).connections.map(({ fired }) => fired);
said.met = await harness.assertAllMet().then(() => null, told);
await harness.drop("event:500,rst");
said.unmet = await harness.assertAllMet().catch(told);
await harness.mend();
said.plan = (await harness.faults()).plan;
said.reply = await harness.reply("Hello.").catch(told);
await harness.stop();
said.stopped = await fetch(harness.url).catch((error) => error.cause.code);
said.missing = await replay("nowhere.yaml", { command }).catch(told);
said.absent = await replay(cassette, { command: "no-such-command" }).catch(told);

const emulator = await start({ command });
const session = await emulator.session();
const create = async () => {
  const body = JSON.stringify({ model: "gemini-3.8-flash", input: "Hi" });
  const headers = { "content-type": "application/json", "x-goog-api-key": "any" };
  return (await fetch(`${session.url}/v1beta/interactions`, { method: "POST", headers, body })).status;
};
await session.reply("One.", { times: 0 });
await session.reply("Two.", { match: { input_contains: "weather" } });
await session.reply({ refuse: { status: 429 }, match: { input_contains: "more" } });
await create();
said.answers = await session.assertAllMet().catch(told);
await session.reset();
await session.fail(503, { on: "create" });
said.again = [await create()];
await session.drop("event:5,rst");
said.again.push(await create());
await session.fail(503, { on: "create" });
said.again.push(await create());
await session.mend();
await session.incident("stream-cut-at-600s");
said.incident = await session.assertAllMet().then(() => null, told);
await session.reply("Three.");
said.besides = await session.assertAllMet().catch(told);
await emulator.stop();
console.log(JSON.stringify(said));
"""


FAILS = """
import { test } from "node:test";
import { start } from "./index.js";

test("a test that fails before it stops its server", async () => {
  const { url } = await start({ command: [process.env.PYTHON, "-m", "harness"] });
  throw new Error(`gone: ${url}`);
});
"""


@pytest.mark.slow
def test_a_failing_test_ends_its_runner_and_the_server(tmp_path: Path) -> None:
    """Who never comes to `stop()` keeps neither the test runner alive nor the server."""
    shutil.copytree(folder("javascript"), tmp_path, dirs_exist_ok=True)
    (tmp_path / "fails.test.mjs").write_text(FAILS, "utf-8")
    done = subprocess.run(
        ["node", "--test", "fails.test.mjs"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    gone = re.search(r"gone: (http://[^\s']+)", done.stdout)
    assert gone, done.stdout
    with pytest.raises(httpx.ConnectError):
        httpx.get(gone[1])


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a program in Node heard from a replayed recording."""
    place = tmp_path_factory.mktemp("node")
    shutil.copytree(folder("javascript"), place, dirs_exist_ok=True)
    (place / "program.mjs").write_text(PROGRAM, "utf-8")
    done = subprocess.run(
        ["node", "program.mjs", sys.executable, str(CHAIN)],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    heard: dict[str, Any] = json.loads(done.stdout)
    return heard


@pytest.mark.slow
def test_a_recorded_answer_comes_byte_for_byte(said: dict[str, Any]) -> None:
    """The answer is that of the file."""
    first = load(CHAIN).recordings[0]
    assert said["recorded"] == [200, first.body.decode()]


@pytest.mark.slow
def test_faults_are_applied_to_recordings(said: dict[str, Any]) -> None:
    """`fail` refuses a recorded create, `faults` says so, and `mend` ends it."""
    assert said["failed"] == 503
    assert ["status:503,retry-after-ms:1"] in said["fired"]
    assert said["plan"] is None


@pytest.mark.slow
def test_an_answer_that_no_create_took_is_an_error(said: dict[str, Any]) -> None:
    """An answer for all creates is met by the first; others are named. What an incident plans is left out."""
    is_ours, _, message = said["answers"]
    assert is_ours
    unused = "was never used: 1 create came, and none took it. If that is meant, pass { optional: true } there"
    assert [line.partition(", or open")[0] for line in message.splitlines()] == [
        f"reply('Two.') {unused}",
        f"reply(…) {unused}",
    ]
    assert said["incident"] is None
    assert said["besides"][2].startswith("reply('Three.') was never used: ")


def test_a_drop_that_nothing_met_is_an_error(said: dict[str, Any]) -> None:
    """`assertAllMet` is silent after the refusal took effect, and says why the drop never did."""
    assert said["met"] is None
    is_ours, _, message = said["unmet"]
    assert is_ours
    assert message.startswith('the plan "event:500,rst/creates=status:503,retry-after-ms:1" never took effect: ')
    assert "create" not in message.rpartition(": ")[2]
    assert "it is for stream 1, and 0 streams came" in message


@pytest.mark.parametrize(
    ("call", "wrong", "right"),
    [
        ("start", "scenerio", "scenario"),
        ("replay", "second", "seconds"),
        ("connect", "tokn", "token"),
        ("fail", "time, retryafter", "on, times, retryAfter"),
    ],
)
def test_an_unknown_option_is_refused_with_the_known_ones(
    said: dict[str, Any], call: str, wrong: str, right: str
) -> None:
    """A misspelt option would arm something else, or nothing: it is an error that lists what there is."""
    is_ours, _, message = said["options"][call]
    assert is_ours
    assert message.startswith(f"{call}() has no option {wrong}: it takes ")
    assert right in message


def test_what_a_recording_cannot_do_is_refused_in_words(said: dict[str, Any]) -> None:
    """There is nothing to script in a recording."""
    is_ours, status, message = said["reply"]
    assert (is_ours, status) == (True, 404)
    assert "/__harness__/faults" in message


def test_a_server_that_does_not_start_says_why(said: dict[str, Any]) -> None:
    """A cassette that is not there, and a command that is not there."""
    assert said["missing"][0] is said["absent"][0] is True
    assert "nowhere.yaml does not exist" in said["missing"][2]
    assert "no-such-command did not start: it is not installed" in said["absent"][2]
