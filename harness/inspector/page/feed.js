// Reads the feed, batch by batch, and opens it again when it breaks. An EventSource cannot send a token.
import { openFeed, Refused } from "./control.js";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 5000;
const SILENCE = 30000;

export async function follow({ onChanges, onConnected, onLost, onRefused }) {
  let wait = FIRST_WAIT;
  for (;;) {
    const abort = new AbortController();
    try {
      const body = await openFeed(abort.signal);
      onConnected();
      wait = FIRST_WAIT;
      await read(body, onChanges, abort);
    } catch (problem) {
      if (problem instanceof Refused && (problem.status === 401 || problem.status === 403)) {
        await onRefused(problem);
        continue;
      }
    }
    onLost();
    await new Promise((done) => setTimeout(done, wait));
    wait = Math.min(2 * wait, LONGEST_WAIT);
  }
}

async function read(body, onChanges, abort) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  let watch;
  const rearm = () => { clearTimeout(watch); watch = setTimeout(() => abort.abort(), SILENCE); };
  try {
    for (;;) {
      rearm();
      const { done, value } = await reader.read();
      if (done) return;
      waiting += value;
      const blocks = waiting.split("\n\n");
      waiting = blocks.pop();
      for (const block of blocks) {
        if (block.startsWith("data: ")) onChanges(JSON.parse(block.slice(6)));
      }
    }
  } finally {
    clearTimeout(watch);
  }
}
