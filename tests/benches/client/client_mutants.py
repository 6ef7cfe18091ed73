"""One-line defects of correct clients: each is a row of file, what is replaced, by what, and what notices it."""

from __future__ import annotations

from typing import NamedTuple

DONE = '{"status": "completed"}'


class ClientMutant(NamedTuple):
    """One defect; `kind` is a kind of cases that notices it, in the set `standard` unless `set_name` is another."""

    name: str
    program: str
    file: str
    old: str
    new: str
    kind: str
    set_name: str = "standard"


def _python() -> list[ClientMutant]:
    """Defects of the client in Python: of the loop, and of what it has heard."""
    heard = (
        ("no-dedupe-by-id", "if known is not None:", "if known is not None and False:", "twice"),
        ("no-dedupe-by-position", "if self.at == len(self.row):", "if self.at <= len(self.row):", "no-ids"),
        (
            "resumes-are-new",
            "self.at = 0 if self.cursor is None else self.cursor_at",
            "self.at = len(self.row)",
            "few-ids",
        ),
        (
            "done-is-completion",
            'if payload == b"[DONE]":',
            f'if payload == b"[DONE]":\n                    self.final = self.final or {DONE}',
            "broken",
        ),
        (
            "broken-json-is-skipped",
            'raise BrokenOff("a frame contains broken JSON") from None',
            "return {}",
            "broken",
        ),
        ("no-crlf", '.replace(b"\\r\\n", b"\\n")', "", "noise"),
        ("ends-lines-at-u2028", "self.buffer += data\n", 'self.buffer += data.replace("\\u2028".encode(), b"\\n")\n', "parts"),
        ("needs-a-space", 'if line.startswith(b"data:")', 'if line.startswith(b"data: ")', "noise"),
        ("forgets-half-lines", "self.buffer += data\n", "self.buffer = data\n", "noise"),
        (
            "decodes-each-piece",
            "self.buffer += data\n",
            'self.buffer += data.decode(errors="ignore").encode()\n',
            "noise",
        ),
        ("drops-equal-deltas", "if self.at == len(self.row):", _EQUAL, "parts"),
        ("one-try", "if self.failures > self.tries:", "if self.failures > 0:", "reset"),
        (
            "refused-cursor-is-final",
            "if problem.status in (401, 402, 403) or not self.streams:",
            "if problem.status:",
            "statuses",
        ),
        ("no-retry-of-503", "if problem.only_polls:", "if problem.status >= 429:\n            raise problem\n        if problem.only_polls:", "statuses"),
        ("polls-until-completed", 'if interaction["status"] in SETTLED:', 'if interaction["status"] == "completed":', "ends"),
        ("poll-adds-text", 'self.text = "".join(', 'self.text += "".join(', "statuses"),
        ("thoughts-are-text", _TEXT, _ALL_TEXT, "parts"),
    )  # fmt: skip
    rows = [("heard.py", *row) for row in heard] + [("sync_client.py", *row) for row in _LOOP]
    return [
        ClientMutant(name, "sync_client.py", file, old, new, kind, "thorough" if kind == "stalls" else "standard")
        for file, name, old, new, kind in rows
    ]


_EQUAL = """if self.row and self.row[-1] == self.mark(event):
            return
        if self.at == len(self.row):"""
_TEXT = """            if delta.get("type") == "text":
                self.text += delta["text"]"""
_ALL_TEXT = """            if delta.get("type") in ("text", "thought_summary"):
                self.text += delta.get("text") or delta["content"]["text"]"""

_FINAL = f'problem = BrokenOff("")\n            heard.final = heard.final or {DONE}'
_LOOP = (
    (
        "clean-end-is-the-end",
        'problem = BrokenOff("the stream ended without interaction.completed")',
        _FINAL,
        "clean-end",
    ),
    ("an-error-is-the-end", 'problem = BrokenOff(f"{type(error).__name__}: {error}")', _FINAL, "reset"),
    ("never-polls", "if patience.failures or not patience.streams:", "if False:", "statuses"),
    ("always-completed", '"status": heard.final["status"]}', '"status": "completed"}', "ends"),
    ("no-status", ', "status": heard.final["status"]}', "}", "ends"),
    ("waits-for-ever", "timeout = silence_of(task)", "timeout = None", "stalls"),
)


def _javascript() -> list[ClientMutant]:
    """Defects of the client that users copy."""
    final = 'heard.final ??= { status: "completed" };'
    rows = (
        ("no-dedupe-by-id", "if (known !== undefined) {", "if (known === null) {", "twice"),
        ("no-dedupe-by-position", "if (this.at === this.row.length) {", "if (this.at <= this.row.length) {", "no-ids"),
        ("resumes-are-new", "this.at = cursor === null ? 0 : this.cursorAt;", "this.at = this.row.length;", "few-ids"),
        ("clean-end-is-the-end", "if (done) return;", f"if (done) {{ {final} return; }}", "clean-end"),
        ("done-is-completion", 'if (data === "[DONE]") return;', f'if (data === "[DONE]") {{ {final} return; }}', "broken"),
        ("an-error-is-the-end", "problem = error;", f"problem = error; {final}", "reset"),
        ("broken-json-is-skipped", "heard.take(JSON.parse(data));", "try { heard.take(JSON.parse(data)); } catch {}", "broken"),
        ("no-crlf", r"/\r\n|\n|\r(?!$)/", r"/\n/", "noise"),
        ("needs-a-space", 'line.startsWith("data:")', 'line.startsWith("data: ")', "noise"),
        ("forgets-half-lines", "this.#rest += this", "this.#rest = this", "noise"),
        ("cursor-is-not-encoded", "encodeURIComponent(cursor)", "cursor", "odd-ids"),
        ("decodes-each-piece", "this.#decoder.decode(bytes, { stream: true })", "new TextDecoder().decode(bytes)", "noise"),
        ("always-completed", "status: this.final.status, text", 'status: "completed", text', "ends"),
        ("refused-cursor-is-final", "if ([401, 402, 403].includes(problem.status) || !streams) throw", "if (true) throw", "statuses"),
        ("gives-up-at-once", "if (errors > tries)", "if (errors > 0)", "statuses"),
        ("never-polls", "heard.poll(await client.get(heard.id));", "await client.get(heard.id);", "statuses"),
        ("polls-until-completed", "if (SETTLED.has(interaction.status))", 'if (interaction.status === "completed")', "ends"),
        ("drops-equal-deltas", "if (this.at === this.row.length) {", "if (this.row.at(-1) === mark) return;\n    if (this.at === this.row.length) {", "parts"),
        ("creates-again", "if (heard.id === undefined && ![429, 503].includes(problem.status)) {", "if (false) {", "heads"),
        ("waits-for-ever", "timer = setTimeout(() => alarm.abort(new Error(`silent", "timer = 0, void (() => alarm.abort(new Error(`silent", "stalls"),
    )  # fmt: skip
    return [
        ClientMutant(
            name, "creates.mjs" if name == "creates-again" else "loop.mjs", "follow.mjs", old, new, kind,
            {"stalls": "thorough", "odd-ids": "quick"}.get(kind, "standard"),
        )
        for name, old, new, kind in rows
    ]  # fmt: skip


MUTANTS = (*_python(), *_javascript())
