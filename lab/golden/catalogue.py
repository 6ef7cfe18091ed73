"""The catalogue of items: which commands a recording runs.

Heavy items stand first, so that two of them run at once and short ones fill the end.
"""

from __future__ import annotations

from dataclasses import replace

from lab.golden.items import URL, Item, Step, serving, step, steps
from lab.golden.mask import mask
from lab.golden.usage import USAGE

SEEDS = range(5)
EXAMPLES = {"history": 30, "laws": 30, "schema": 4}
PROFILES = ("core", "streaming", "background", "chaining", "tools", "agents")
COMMANDS = (
    "check", "list", "explain", "serve", "torture", "gateway", "fuzz", "mutants", "record", "replay",
    "proxy", "diff", "verify",
)  # fmt: skip

SERVER_TIMES = mask(r"\b20(?:2[6-9]|[3-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", "<time>")
"""What the served emulator's clock says, which is the machine's."""

CASE_TIMES = mask(r"^([A-Z]+ +[^(\n]+)\(\d+\.\d\d s\)", r"\1(<seconds> s)")
"""How long a case of `torture -v` took."""

DATES = mask(r"\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", "<date>")
"""What a server's header says of the time."""

CASSETTE = (
    mask(r"(\d+)@[\d.e-]+", r"\1@<ms>"),
    mask(r"\n +after_us: \d+", ""),  # left out if the end came with the last piece
    mask(r"(sha256: )[0-9a-f]{64}", r"\1<digest>"),
    DATES,
    mask(r"(recorded: )'\d{4}-\d\d-\d\d'", r"\1<today>"),
    SERVER_TIMES,
)
"""What a cassette says of time: when pieces came, which day it was, and the digest of a body that holds times."""

AHEAD = (
    mask(r"(EVENTS \+= 1\)\) -lt )\d+", r"\1<n>"),
    mask(r"(\n +data: [^\n]*thought_signature[^\n]*\n)\n +event: step\.stop\n +data: [^\n]*\n", r"\1"),
    mask(r"pieces: [^\n]*(\n +unit: piece\n +)size: \d+(\n[^\n]*\n +end:\n.*\n +by: client)", r"<pieces>\1\2"),
)
"""How many events a client had received with the one after which it left."""

MADE_IDS = mask(r"\bv1_[\w-]{8,}…?", "<id>")
"""The ids of interactions, which count what was made before: polls, too, are a matter of time."""

POLLS = mask(r'("first_byte": "<seconds>",\s+"requests": )\d+', r'\1"<n>"')
"""How many requests an exercise took: one that polls takes as many as it has time for."""

SESSIONS = mask(r"(/sessions/)s\d+\b", r"\1<session>")
"""The session of a worker: of several, any may be the first to play something."""

STORIES = (
    mask(r"\b(\d+ requests?, )\d+(?:\.\d+)? m?s\b", r"\1<time>"),
    mask(r'"at": \d+,\s+(?="(?:hot|kind)")', ""),  # left out if it is 0
    mask(r'\{\s*"kind": "pause",\s*"lane": "\w+",\s*"text": "\d+ m?s"\s*\},?\s*', ""),
    mask(r'(<span class="at">)\d+<', r"\1<ms><"),
)
"""When the steps of a story happened, where nothing happened for long, and how long it took in all."""

PROGRESS = mask(r"^\[\d+/\d+\] [^\n]*\n", "")
"""Lines that are written now and then, while it takes long."""

DATED = mask(r"<time datetime=[^<]*</time>, [\d.]+ s", "<moment>, <seconds> s")
"""When the run of a page began, and how long it took."""

SERVED = (SERVER_TIMES, DATES, DATED, MADE_IDS, POLLS, PROGRESS, SESSIONS, *STORIES)
"""What a check of a served emulator says of time, of chance, and of the worker that played it."""

HUNG_UP = mask(r"stream of \d+ events, the last [^\n]*?(, ended: the client )", r"stream of <n> events\1")
"""How much of a stream had passed when its reader hung up: a gateway may read ahead of its client."""

LEFT = (
    mask(r'^ +"(?:answer": "200, |broke": "the client|events": ")[^\n]*\n', ""),
    mask(r"((?:<-|&lt;-) 200, )\d+ events.*$", r"\1<events>"),
    mask(r"^( +on the wire: .*→ )\d+ events.*$", r"\1<events>"),
    PROGRESS,
)
"""How much of a stream had been sent when its reader disconnected."""

TODAY = mask(r"(since: )'?\d{4}-\d\d-\d\d'?", r"\1<today>")
"""The day on which an entry of a baseline was made."""

ALL_REPORTS = ("json=r.json", "junit=r.xml", "markdown=r.md", "html=r.html", "badge=badge.json")
PLAIN_REPORTS = ("json=r.json", "junit=r.xml")


def reports(formats: tuple[str, ...]) -> str:
    """The options that write a report in each format."""
    return " ".join(f"--report {each}" for each in formats)


def written(formats: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the files that `reports` writes."""
    return tuple(each.partition("=")[2] for each in formats)


def _checks() -> list[Item]:
    lines = {
        "plain": "check emulator --json",
        "strict": "check emulator --json --strict",
        "parallel": "check emulator --json -j 4",
        "dry-run": "check emulator --json --dry-run",
        "dry-run-text": "check emulator --dry-run",
        "terminal": "check emulator",
        "verbose": "check emulator -v",
        "fail-fast": "check emulator --fail-fast",
        "must": "check emulator --json --level must",
        "without": "check emulator --json --capability -stream --capability -background",
        "selected": "check emulator --json -c get -c stream.* --exclude get.ok",
        **{f"profile-{name}": f"check emulator --json --profile {name}" for name in PROFILES},
    }
    untimed = {"parallel": "untimed"}
    made = [Item(f"check/{name}", steps(line), keep=untimed.get(name, "")) for name, line in lines.items()]
    words = f"check emulator {reports(ALL_REPORTS)}"
    return [*made, Item("check/reports", (step(words, *written(ALL_REPORTS)),))]


MUTANTS_SEEN_BY_CHECK = (
    "unknown-read-200", "usage-total-wrong", "delta-before-start", "completed-missing", "resume-skips-one",
    "chain-history-lost", "call-without-id", "json-cut-short", "agents-list-bare", "transition-impossible",
)  # fmt: skip
"""Mutants of many areas, for the reports of failures; none makes a check wait."""


def _served_checks() -> list[Item]:
    """The catalogue over a socket: on the emulator, and on mutants for what reports say of failures.

    One worker, so that two runs are in one order; `served-parallel` shows what several workers make of it.
    """
    made = [
        Item("check/served", (Step(serving(f"check {URL} --json -j 1")),), masks=SERVED),
        Item("check/served-terminal", (Step(serving(f"check {URL} -v -j 1")),), masks=SERVED),
        Item("check/served-parallel", (Step(serving(f"check {URL} --json -j 4")),), keep="outcomes"),
    ]
    for name in MUTANTS_SEEN_BY_CHECK:
        # Parallel creates take their ids in any order.
        words = serving(f"check {URL} -v -j 1 --exclude rob.concurrent {reports(ALL_REPORTS)}", "--mutant", name)
        made.append(Item(f"check/mutant-{name}", (Step(words, written(ALL_REPORTS)),), masks=SERVED))
    return made


def _baselines() -> list[Item]:
    """A baseline that is made, used, gone stale and pruned."""
    broken, select = ("--mutant", "unknown-read-200"), "-c get -c http -j 1 --baseline b.yaml"
    update = Step(serving(f"check {URL} {select} --baseline-update", *broken), ("b.yaml",))
    used = Step(serving(f"check {URL} {select} --json", *broken))
    stale = Step(serving(f"check {URL} {select}"))
    prune = Step(serving(f"check {URL} {select} --baseline-update"), ("b.yaml",))
    both = Step(serving(f"check {URL} {select} --baseline-update --json", *broken), ("b.yaml",))
    return [Item("check/baseline", (update, used, stale, prune, both), masks=(TODAY, *SERVED))]


def _proofs() -> list[Item]:
    return [
        Item("mutants/list", steps("mutants --list")),
        Item("mutants/some", steps("mutants 'delete-un*'", "mutants 'usage-*' --json", "mutants no-such-mutant")),
    ]


def gateway_words(kind: str, *options: str) -> tuple[str, ...]:
    """The words that start one of the project's gateways and judge it."""
    quick = ("--upstream-port", "0", "--watch", "0", "--idle", "0.5", "--patience", "1")
    started = ("--", "{python}", "{programs}/gateways.py", kind, "{port}")
    return ("gateway", "http://127.0.0.1:{port}", *quick, *options, *started)


RACING = (
    "live.buffered", "live.later", "live.behind", "resume.late", "resume.stutters", "hang-up.ignored", "two.mixed",
)  # fmt: skip
"""Gateways whose defect is a race on sockets: verdicts and messages are the same in every run, evidence is not."""

REPEATED = {"events.invented": "outcomes"}
"""Whether its event is moved or repeated depends on how much of a stream came before its client disconnected."""


def gateways(mutants: list[str]) -> list[Item]:
    """The faithful gateway and each mutant, in JSON."""
    names = {"faithful": "faithful", **{f"mutant-{name}": name for name in mutants}}
    return [
        Item(
            f"gateway/{name}",
            (Step(gateway_words(kind, "--json")),),
            masks=(HUNG_UP,),
            keep="verdicts" if kind in RACING else REPEATED.get(kind, ""),
        )
        for name, kind in names.items()
    ]


def _gateway_reports() -> list[Item]:
    files = tuple(word for each in PLAIN_REPORTS for word in ("--report", each))
    baseline = ("-c", "gw.once", "--baseline", "b.yaml")
    return [
        Item(
            "gateway/terminal",
            (Step(gateway_words("faithful", "-v", *files), written(PLAIN_REPORTS)),),
            masks=(HUNG_UP,),
        ),
        Item(
            "gateway/failing",
            (Step(gateway_words("once.lost", "-v", *files), written(PLAIN_REPORTS)),),
            masks=(HUNG_UP,),
        ),
        Item("gateway/strict", (Step(gateway_words("names.dropped", "--strict", "--json")),), masks=(HUNG_UP,)),
        Item(
            "gateway/baseline",
            (Step(gateway_words("once.lost", *baseline)), Step(gateway_words("faithful", *baseline))),
            given={"b.yaml": "- {id: gw.once, reason: issue 7}\n"},
        ),
    ]


def _recordings() -> list[Item]:
    ours = "cassettes/emulator"
    pairs = (
        ("stream", "background-stream"),
        ("chain", "chain-fork"),
        ("lifecycle", "cancelled"),
        ("stream", "stream"),
    )
    diffs = [f"diff {ours}/{a}.yaml {ours}/{b}.yaml{mode}" for a, b in pairs for mode in ("", " --json")]
    return [
        Item("verify/cassettes", steps("verify cassettes --json"), folders=("cassettes",)),
        Item(
            "verify/cassettes-text", steps("verify cassettes", "verify cassettes --strict"), folders=("cassettes",)
        ),
        Item("verify/corpus", steps("verify corpus --json"), folders=("corpus",)),
        Item("verify/corpus-text", steps("verify corpus", "verify corpus --strict"), folders=("corpus",)),
        Item("verify/secrets", steps("verify --secrets cassettes"), folders=("cassettes",)),
        Item("verify/secrets-corpus", steps("verify --secrets corpus --json"), folders=("corpus",)),
        Item(
            "diff/pairs",
            steps(*diffs, f"diff {ours} {ours}", f"diff {ours} {ours} --json"),
            folders=("cassettes",),
        ),
    ]


FUZZED = (
    "unknown-read-200", "usage-total-wrong", "delta-before-start", "completed-missing",
    "completed-twice", "created-missing", "resume-skips-one", "resume-inclusive", "resume-repeats-two",
    "chain-unknown-allowed", "chain-same-id", "create-crashes", "unknown-field-crashes", "call-without-id",
    "steps-interleaved", "text-dropped", "status-unknown", "cancel-unknown-200", "transition-impossible",
    "store-false-stored", "json-cut-short",
)  # fmt: skip
"""Mutants on which the search is compared."""


def _searches() -> list[Item]:
    made = [
        Item(
            f"fuzz/{engine}-{seed}", steps(f"fuzz emulator -e {engine} --seed {seed} --max-examples {most} --json")
        )
        for engine, most in EXAMPLES.items()
        for seed in SEEDS
    ]
    words = f"fuzz emulator -e history --max-examples 10 {reports(PLAIN_REPORTS)}"
    made.append(Item("fuzz/reports", (step(words, *written(PLAIN_REPORTS)),)))
    made += _stored()
    made += [
        Item(
            f"fuzz/mutant-{name}",
            (Step(serving(_search("history", "laws"), "--mutant", name)),),
            keep="broken-rules",
        )
        for name in FUZZED
    ]
    return made


def _stored() -> list[Item]:
    """A failure in full with what is written for it, and stored failures that are played again."""
    mutant = ("--mutant", "resume-inclusive")
    told = serving(_search("history", more="--no-store -v -o out"), *mutant)
    # The second --port holds: stored failures belong to one URL.
    again = serving(_search("history", more="--store kept --json"), *mutant, "--port", "{port}")
    healed = serving(_search("history", more="--store kept --json"), "--port", "{port}")
    return [
        Item("fuzz/failure", (Step(told, ("out/**/*.*",)),), masks=(*CASSETTE, *AHEAD, PROGRESS)),
        Item("fuzz/stored", (Step(again), Step(again), Step(healed), Step(healed)), keep="broken-rules"),
    ]


def _search(*engines: str, more: str = "--no-store --json") -> str:
    chosen = " ".join(f"-e {engine}" for engine in engines)
    return f"fuzz {URL} {chosen} --max-examples 12 --timeout 5 {more}"


def _tortures() -> list[Item]:
    # Of one kind, later cases are left out once enough have failed, which several cases at once decide.
    once = "-j 1 --enough 0"
    client, made = "{python} -I -S {programs}/torture_client.py", []
    for kind in ("resumes", "restarts", "believes", "gives-up", "events"):
        made.append(Item(f"torture/{kind}-loop", steps(f"torture --json {once} --loop -- {client} {kind} loop")))
        if kind != "events":
            made.append(Item(f"torture/{kind}", steps(f"torture --json {once} -- {client} {kind}")))
    loop, short = f"-- {client} restarts loop", """'{"text": "Hello."}'"""
    files = reports(PLAIN_REPORTS)
    made += [
        Item(
            "torture/ids",
            steps(f"torture --json {once} --event-ids sparse,none --resume inclusive --loop {loop}"),
        ),
        Item(
            "torture/bytes",
            steps(f"torture --json {once} --cuts every-byte --endings rst --script {short} --loop {loop}"),
        ),
        Item("torture/dry-run", steps(f"torture --dry-run {loop}", f"torture --dry-run --cuts structural {loop}")),
        Item(
            "torture/reports",
            (step(f"torture -v {once} --loop {files} {loop}", *written(PLAIN_REPORTS)),),
            masks=(CASE_TIMES,),
        ),
        Item("torture/allowed", steps(f"torture {once} --loop -- {client} gives-up loop")),
        Item(
            "torture/cassette",
            steps(f"torture --json {once} --cassette cassettes/emulator/background-stream.yaml --loop {loop}"),
            folders=("cassettes",),
        ),
    ]
    return [replace(item, masks=(*item.masks, *LEFT)) for item in made]


TALK = """\
["GET", "/__harness__/", null]
["POST", "/__harness__/scripts", {"text": "Hello there.", "deltas": ["Hello ", "there."]}]
["POST", "/v1beta/interactions", {"model": "gemini-3.8-flash", "input": "Hi"}]
["GET", "/v1beta/interactions/{id}", null]
["GET", "/v1beta/interactions/{id}?stream=true", null]
["POST", "/__harness__/scripts", {"txt": "Hello there."}]
["POST", "/__harness__/hold", {}]
["POST", "/v1beta/interactions", {"model": "gemini-3.8-flash", "input": "Hi", "background": true}]
["POST", "/__harness__/release", {}]
["POST", "/__harness__/settings", {"event_ids": "none"}]
["POST", "/__harness__/settings", {"evnt_ids": "none"}]
["POST", "/__harness__/faults", {"plan": "event:3,rst"}]
["POST", "/v1beta/interactions", {"model": "gemini-3.8-flash", "input": "Hi", "stream": true}]
["GET", "/__harness__/faults", null]
["DELETE", "/__harness__/faults", null]
["POST", "/v1beta/interactions", {"model": "gemini-3.8-flash", "input": 7, "strem": true}]
["POST", "/v1beta/interactions", {"model": "no-such-model", "input": "Hi"}]
["POST", "/v1beta/interactions", {"model": "gemini-3.8-flash", "input": "", "previous_interaction_id": "v1_no"}]
["GET", "/v1beta/interactions/v1_none", null]
["DELETE", "/v1beta/interactions/{id}", null]
["GET", "/v1beta/agents", null]
["GET", "/v1beta/webhooks", null]
["GET", "/__harness__/requests", null]
["POST", "/__harness__/sessions", null]
["POST", "/__harness__/sessions/s1/v1beta/interactions", {"model": "gemini-3.8-flash", "input": "Hi"}]
["DELETE", "/__harness__/sessions/s1", null]
["POST", "/__harness__/reset", null]
["PUT", "/v1beta/interactions", {}]
["GET", "/nowhere", null]
"""


STREAM = """\
["POST", "/v1/interactions", {"model": "gemini-3.8-flash", "input": "Count to three.", "stream": true}]
["POST", "/v1/interactions", {"model": "gemini-3.8-flash", "input": "Count to three.", "stream": true}]
"""


def _servers() -> list[Item]:
    """What answers on a port: the emulator with its control API, a replay, a proxy, a recorder."""
    talk = ("{python}", "{programs}/talk.py")
    played = "cassettes/emulator/lifecycle.yaml"
    streamed = "cassettes/emulator/stream.yaml"
    quick = ("--port", "0", "--json")
    record = f"record --target {URL} --cassette a.yaml --port 0 --json -- {{python}} {{programs}}/talk.py"
    scenarios = f"record --target {URL} --send all --max-requests 300 --cassette out --json"
    again = ("replay", "a.yaml", *quick, "--", *talk)
    return [
        Item(
            "serve/control",
            (Step(("serve", "--port", "0", "--", *talk, "talk.jsonl")),),
            given={"talk.jsonl": TALK},
            masks=(SERVER_TIMES,),
        ),
        Item("replay/miss", (Step(("replay", played, *quick, "--", *talk)),), folders=("cassettes",)),
        Item("record/replay", (Step(serving(record), ("a.yaml",)), Step(again)), masks=CASSETTE),
        Item(
            "replay/stream",
            (
                Step(("replay", streamed, "--port", "0", "--", *talk, "talk.jsonl")),
                Step(("replay", streamed, *quick, "--mode", "resume", "--", *talk, "talk.jsonl")),
                Step(
                    (
                        "replay",
                        streamed,
                        *quick,
                        "--assign-ids",
                        "--fault",
                        "event:4,fin",
                        "--",
                        *talk,
                        "talk.jsonl",
                    )
                ),
            ),
            given={"talk.jsonl": STREAM},
            folders=("cassettes",),
        ),
        Item("record/text", (Step(serving(record.replace(" --json", "")), ("a.yaml",)),), masks=CASSETTE),
        Item("record/scenarios", (Step(serving(scenarios), ("out/**/*.yaml",)),), masks=CASSETTE),
        Item(
            "proxy/fault",
            (Step(serving(f"proxy --target {URL} --fault event:3,rst {' '.join(quick)} -- {' '.join(talk)}")),),
            masks=(SERVER_TIMES,),
        ),
    ]


def _texts() -> list[Item]:
    return [
        Item("list/text", steps("list", "list 'get.*'")),
        Item("list/json", steps("list --json")),
        Item("explain/all", steps("explain '*'")),
        Item("explain/area", steps("explain get", "explain get.ok")),
        Item("help/all", steps("", "--help", "--version", *(f"{command} --help" for command in COMMANDS))),
        Item("smoke/served", (Step(serving(f"check {URL} --profile smoke")),), masks=(SERVER_TIMES,)),
        *_mistakes(),
    ]


def _mistakes() -> list[Item]:
    """The wrong command lines, an item for each command."""
    given = {"bad.yaml": "a: [\n", "bad.sse": "data: {\n\n"}
    names = (*COMMANDS, "other")
    words = {
        name: [line for line in USAGE if name == (line[0] if line[0] in COMMANDS else "other")] for name in names
    }
    return [Item(f"usage/{name}", tuple(map(Step, lines)), given) for name, lines in words.items() if lines]


def catalogue(gateway_mutants: list[str]) -> list[Item]:
    """All items, the heavy ones first."""
    heavy = [*_proofs(), *_searches(), *_served_checks(), *gateways(gateway_mutants), *_gateway_reports()]
    light = [*_tortures(), *_baselines(), *_checks(), *_recordings(), *_servers(), *_texts()]
    return [*heavy, *light]
