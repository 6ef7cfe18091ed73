"""The judges of the checks on environments, on hand-made exchanges."""

from __future__ import annotations

from harness.checks.areas.environments import FIRST, NOTE, NOTE_PATH, RULES, SECOND, pack
from tests.checks._play import EMPTY, MISSING, answer, case, interaction, page_cases, refusal

# --- environments, on hand-made exchanges


def place(found="env1", **fields):
    """An environment."""
    return answer(body={"id": found, "status": "active", "file_count": "1", "size_bytes": 14, **fields})


def page(*names, token=None):
    """One page of the list of environments."""
    listed = {"environments": [{"id": name} for name in names]}
    return answer(body={**listed, "next_page_token": token} if token else listed)


ONE = place()
LIFE = {"made": ONE, "fetched": ONE, "listed": page("env1"), "deleted": EMPTY, "unlisted": None, "gone": MISSING}

CASES = [
    case("env.crud", "met", "on a later page", **{**LIFE, "listed": page("other", token="p2")}),
    case("env.crud", "not_met", "not listed", **{**LIFE, "listed": EMPTY}),
    case("env.crud", "not_met", "another is read", **{**LIFE, "fetched": place("env2")}),
    case("env.crud", "not_met", "still there", **{**LIFE, "gone": ONE}),
    case("env.crud", "not_met", "a bare list", **{**LIFE, "listed": answer(body=[{"id": "env1"}])}),
    case("env.status", "met", "expired", made=ONE, fetched=place(status="expired")),
    case("env.status", "met", "unlisted", made=ONE, fetched=place(status="creating")),
    case("env.status", "not_met", "none", made=answer(body={"id": "env1"}), fetched=ONE),
    case("env.key-once", "not_met", "listed", made=place(environment_key="k"), fetched=ONE,
         listed=answer(body={"environments": [{"id": "env1", "environment_key": "k"}]})),
    case("env.mode", "met", "in its list", made=ONE, own=[page("env0", token="p2"), page("env1")], others=[EMPTY]),
    case("env.mode", "not_met", "in both lists", made=ONE, own=[page("env1")],
         others=[page("env0", token="p2"), page("env1")]),
    case("env.mode", "untestable", "no end", made=ONE, own=[page("env0", token="p2")] * 20, others=[EMPTY]),
    case("env.fork", "non_strict", "422", forked=refusal(422)),
    case("env.int64", "met", "absent", fetched=answer(body={"id": "env1"})),
    case("env.int64", "not_met", "a fraction", fetched=place(size_bytes=1.5)),
    *page_cases("page.token", "environments"),
    *page_cases("page.env-files", "files", "path", whole="listing"),
]  # fmt: skip


# --- files of environments, on hand-made exchanges


def files(*paths):
    """A listing of files."""
    return answer(body={"files": [{"name": path.rpartition("/")[2], "path": path} for path in paths]})


FILLED = answer(body={"id": "env2"})
DEEP, TOP = files("notes", NOTE_PATH), files("notes")
BYTES, OTHER_BYTES = (answer(body=data, label="text/plain") for data in (NOTE.encode(), SECOND))


def packed(name=NOTE_PATH, data=b"harness check\n"):
    """A tar of one file."""
    return answer(body=pack(name, data), label="application/x-tar")


CASES += [
    case("env.files", "met", "with a leading slash", listing=files(f"/{NOTE_PATH}")),
    case("env.files", "not_met", "refused", listing=MISSING),
    case("env.files", "not_met", "a bare list", listing=answer(body=[{"path": NOTE_PATH}])),
    case("env.file-content", "not_met", "its metadata", content=files(NOTE_PATH)),
    case("env.recursive", "not_met", "never", listing=TOP, top=TOP),
    case("env.recursive", "not_met", "refused", listing=DEEP, top=refusal(500)),
    case("env.tar", "met", "below a directory", packed=packed(f"./{NOTE_PATH}")),
    case("env.tar", "not_met", "a listing", packed=DEEP),
    case("env.tar", "not_met", "nothing in it", packed=packed("other.txt")),
    case("env.tar", "not_met", "refused", packed=refusal(400)),
    case("env.fork-files", "met", "copied", forked=FILLED, copied=BYTES, rewritten=DEEP, kept=BYTES),
    case("env.fork-files", "met", "no uploads", forked=FILLED, copied=BYTES, rewritten=MISSING, kept=BYTES),
    case("env.fork-files", "untestable", "refused", forked=MISSING,
         copied=MISSING, rewritten=MISSING, kept=MISSING),
    case("env.fork-files", "not_met", "empty", forked=FILLED, copied=MISSING, rewritten=MISSING, kept=BYTES),
    case("env.fork-files", "not_met", "shared", forked=FILLED, copied=BYTES, rewritten=DEEP, kept=OTHER_BYTES),
]  # fmt: skip


# --- uploads, on hand-made exchanges

WRITTEN = answer(body={"files": [{"path": "harness/upload.txt"}]})
TAKEN = refusal(409, "aborted")
OLD, NEW = (answer(body=data, label="text/plain") for data in (FIRST, SECOND))
LOCATED = answer(headers={"location": "/upload/v1beta/x?upload_id=1"})
NAMED = answer(headers={"x-goog-upload-url": "/upload/v1beta/x?upload_id=1"})

CASES += [
    case("env.upload", "not_met", "refused", written=MISSING, content=MISSING),
    case("env.upload", "not_met", "lost", written=WRITTEN, content=MISSING),
    case("env.upload", "not_met", "other bytes", written=WRITTEN, content=NEW),
    case("env.upload", "not_met", "a list", written=answer(body=[]), content=OLD),
    case("env.upload-exists", "non_strict", "400", written=WRITTEN, again=refusal(400), kept=OLD),
    case("env.upload-exists", "not_met", "replaced", written=WRITTEN, again=WRITTEN, kept=NEW),
    case("env.upload-overwrite", "untestable", "refused", written=WRITTEN, replaced=TAKEN, new_content=OLD),
    case("env.upload-overwrite", "not_met", "ignored", written=WRITTEN, replaced=WRITTEN, new_content=OLD),
    case(
        "env.upload-creates-parents", "not_met", "refused", written=WRITTEN, written_below=MISSING, below=MISSING
    ),
    case("env.upload-creates-parents", "not_met", "lost", written=WRITTEN, written_below=WRITTEN, below=MISSING),
    case("env.upload-resumable", "not_met", "refused", started=MISSING, finished=MISSING, resumed=MISSING),
    case("env.upload-resumable", "not_met", "refused there", started=LOCATED, finished=MISSING, resumed=MISSING),
    case("env.upload-resumable", "not_met", "other bytes", started=LOCATED, finished=WRITTEN, resumed=OLD),
    case("env.upload-x-goog", "not_met", "lost", commanded=NAMED, sent=WRITTEN, by_command=MISSING),
    case("env.upload-extract", "not_met", "kept as it is", extracted=WRITTEN, unpacked=MISSING),
    case("env.upload-extract", "not_met", "refused", extracted=refusal(400), unpacked=MISSING),
    case("env.extract-overwrite", "not_met", "refused", unpacked=OLD, renewed=TAKEN, new_below=OLD),
    case("env.extract-exists", "not_met", "replaced", unpacked=OLD, over=WRITTEN, kept_below=NEW),
]


# --- the sandboxes of runs, on hand-made exchanges

MADE = answer(body={"id": "based"})
FILE = answer(body=NOTE.encode(), label="text/plain")


def ran_in(environment):
    """A run that tells its sandbox."""
    return answer(body=interaction(environment_id=environment))


def ruled(network):
    """An environment with these rules."""
    return answer(body={"id": "e1", "network": network})


FORKS = {"base": "e0", "made": MADE, "ran": [ran_in("e1"), ran_in("e2")], "copied": [FILE, FILE]}
CHANGED = {"named": "e1", "before": ruled("disabled"), "ran": ran_in("e1"), "after": ruled(RULES), "kept": FILE}

CASES += [
    case("agent.base-fork", "met", "two copies", **FORKS),
    case("agent.base-fork", "untestable", "no agent", **{**FORKS, "made": refusal(403), "ran": [], "copied": []}),
    case("agent.base-fork", "untestable", "no ids", **{**FORKS, "ran": [ran_in("e1"), ran_in(None)]}),
    case("agent.base-fork", "not_met", "shared", **{**FORKS, "ran": [ran_in("e1")] * 2, "copied": [FILE]}),
    case("agent.base-fork", "not_met", "without the file", **{**FORKS, "copied": [FILE, MISSING]}),
    case("agent.base-fork", "not_met", "refused", **{**FORKS, "ran": [ran_in("e1"), MISSING], "copied": [FILE]}),
    case("env.update-network", "met", "shown in another form",
         **{**CHANGED, "before": ruled({"allowlist": []}), "after": ruled(RULES["allowlist"])}),
    case("env.update-network", "untestable", "not shown", **{**CHANGED, "before": ruled(None)}),
    case("env.update-network", "not_met", "refused", **{**CHANGED, "ran": refusal(400)}),
    case("env.update-network", "not_met", "open to all", **{**CHANGED, "after": ruled(None)}),
    case("env.update-network", "not_met", "its file is gone", **{**CHANGED, "kept": MISSING}),
]  # fmt: skip
