"""What a correct client has to remember: which events it has, where it goes on, and what they add up to."""

import json

SETTLED = {
    "completed",
    "failed",
    "cancelled",
    "incomplete",
    "budget_exceeded",
    "requires_action",
    "requires_continuation",
}


def silence_of(task):
    """How long a connection may be silent: on a busy machine a second means nothing if the case has no stall."""
    return 2 if "stall" in task["case"] else 60


class BrokenOff(Exception):
    """A connection ended, died or cannot be used; `only_polls`: the service does not stream this interaction."""

    def __init__(self, why, status=0, after=None, only_polls=False):
        super().__init__(why)
        self.status, self.after, self.only_polls = status, after, only_polls


class Heard:
    """Each event once and in order, whatever comes again after a resume."""

    def __init__(self, interaction):
        self.id = interaction
        self.cursor, self.cursor_at = None, 0
        self.row, self.places, self.at = [], {}, 0
        self.first, self.news, self.text, self.final = True, 0, "", None

    def connect(self):
        """A stream begins, after the cursor or from the start."""
        self.at = 0 if self.cursor is None else self.cursor_at
        self.first = True
        self.buffer = b""
        self.data = []

    def feed(self, data):
        """Take bytes of a stream; return whether to go on reading. The CR of a CR LF may come before its LF."""
        self.buffer += data
        *lines, self.buffer = self.buffer.replace(b"\r\n", b"\n").split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self.data.append(line[5:].removeprefix(b" "))
            if line == b"" and self.data:
                payload = b"\n".join(self.data)
                self.data = []
                if payload == b"[DONE]":
                    return False
                self.take(self.decode(payload))
            if self.final is not None:
                return False
        return True

    def decode(self, payload):
        """The event in a frame."""
        try:
            return json.loads(payload)
        except ValueError:
            raise BrokenOff("a frame contains broken JSON") from None

    def take(self, event):
        """Take one event."""
        kind = event.get("event_type")
        if kind == "error" or not isinstance(kind, str):
            return  # the id of an error event is no cursor
        if self.first and kind == "interaction.created":
            self.at = 0  # it began at the start, whatever was asked for
        self.first = False
        self.id = self.id or (event.get("interaction") or {}).get("id") or event.get("interaction_id")
        if kind.startswith("step."):
            self.step(event)
        if event.get("event_id") is not None and self.at >= self.cursor_at:
            self.cursor, self.cursor_at = event["event_id"], self.at
        if kind == "interaction.completed":
            self.final = event["interaction"]
            self.news += 1

    def step(self, event):
        """Take an event of a step, unless it is known."""
        known = self.places.get(event.get("event_id"))
        if known is not None:
            self.at = max(self.at, known)
            return
        if self.at == len(self.row):
            self.row.append(self.mark(event))
            self.news += 1
            delta = event.get("delta") or {}
            if delta.get("type") == "text":
                self.text += delta["text"]
        elif self.row[self.at] != self.mark(event):
            raise BrokenOff("the interaction is told differently than before", only_polls=True)
        self.at += 1
        if event.get("event_id") is not None:
            self.places[event["event_id"]] = self.at

    def mark(self, event):
        """What tells a step event from others, without its id."""
        return json.dumps([event.get(name) for name in ("event_type", "index", "step", "delta")], sort_keys=True)

    def polled(self, interaction):
        """Take the response to a GET."""
        if interaction["status"] in SETTLED:
            self.final = interaction
            steps = [step for step in interaction["steps"] if step["type"] == "model_output"]
            self.text = "".join(part.get("text", "") for step in steps for part in step.get("content", ()))


class Patience:
    """How often and how long a client tries."""

    def __init__(self, tries=6, delay=0.05, longest=8.0):
        self.tries, self.delay, self.longest = tries, delay, longest
        self.failures, self.streams = 0, True

    def note(self, heard, before, problem):
        """Note a connection that did not end the interaction; return the seconds to wait. Raises `problem`."""
        if heard.id is None and problem.status not in (429, 503):
            raise problem  # the create may have been lost: it is not sent again
        if problem.only_polls:
            self.streams = False
        elif 400 <= problem.status < 500 and problem.status not in (404, 408, 409, 429):
            if problem.status in (401, 402, 403) or not self.streams:
                raise problem
            if heard.cursor is None:
                self.streams = False
            heard.cursor = None  # the cursor was refused: from the start, then
        self.failures = 0 if heard.news > before else self.failures + 1
        if self.failures > self.tries:
            raise problem
        if not self.failures:
            return 0.0
        wanted = problem.after if problem.after is not None else self.delay * 2 ** (self.failures - 1)
        return min(wanted, self.longest)


def check(status, headers, text, *, stream):
    """Raise BrokenOff unless an answer is of use."""
    if status >= 400:
        raise BrokenOff(f"{status}: {text}", status, wait_of(headers))
    if stream and not headers.get("content-type", "").startswith("text/event-stream"):
        raise BrokenOff("the answer is no event stream", only_polls=True)


def wait_of(headers):
    """The seconds that a refusal asks for."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if name in headers:
            return float(headers[name]) * unit
    return None
