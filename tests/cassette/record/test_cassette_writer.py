"""Recording into a cassette follows vcrpy's modes, loses no older recording and decodes each entry once."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from urllib.parse import quote

import pytest

from harness.cassette import (
    CassetteError,
    CassetteFile,
    Pieces,
    Provenance,
    Recording,
    Target,
    journal,
    load,
    save,
    writer,
)
from harness.cassette.journal import alone
from harness.cassette.secret_scan import scan
from harness.cassette.stored_bytes import Spool
from harness.contract import PROTOCOL
from harness.wire import By, Ending, Headers, How, Request, UntilClose
from tests.cassette.samples import (
    DROPPED,
    HELLO,
    PROVENANCE,
    URL,
    answered,
    comparable,
    get,
    names,
    post,
    streamed,
    text_delta,
)  # fmt: skip


def test_poll_is_not_played_from_what_was_just_recorded(tmp_path: Path) -> None:
    """With new_episodes, a repeated request goes to the target again and is not answered from this session."""
    path = tmp_path / "a.yaml"
    save(path, [HELLO])
    poll = answered(get(f"{URL}/v1_a"), {"id": "v1_a", "status": "in_progress"})
    with CassetteFile(path, PROTOCOL, mode="new_episodes") as cassette:
        for _ in range(2):
            assert cassette.play(poll.request) is None
            cassette.add(poll)
    assert len(load(path).recordings) == 3


@pytest.mark.parametrize("named", ["in the body", "in the path"])
@pytest.mark.parametrize(("live", "kept"), [(False, 1), (True, 3)])
def test_what_a_service_denies_of_another_session(tmp_path: Path, named: str, live: bool, kept: int) -> None:
    """A 404 for an id that was only replayed is no recording; for one that the service knew it is."""
    path, look = tmp_path / "a.yaml", answered(get(f"{URL}/v1_a"), {"id": "v1_a"})
    first = answered(post({"model": "m", "input": "Hi."}), {"id": "v1_a"})
    chained = post({"model": "m", "input": "More.", "previous_interaction_id": "v1_a"})
    denied = answered(chained if named == "in the body" else look.request, {"error": {}}, 404)
    save(path, [first])
    with CassetteFile(path, PROTOCOL, mode="new_episodes") as cassette:
        assert cassette.play(first.request) is not None
        if live:
            cassette.add(look)
        assert (cassette.add(denied) is not None) is live
    assert len(load(path).recordings) == kept
    assert ["rewrite" in remark for remark in cassette.remarks] == [True] * (not live)


MODES = (  # mode, whether there is a file, whether it is played, whether recordings may be added
    ("none", True, True, False),
    ("none", False, False, False),
    ("once", True, True, False),
    ("once", False, False, True),
    ("new_episodes", True, True, True),
    ("new_episodes", False, False, True),
    ("all", True, False, True),
    ("all", False, False, True),
)


@pytest.mark.parametrize(("mode", "there", "plays", "records"), MODES)
def test_record_modes(tmp_path: Path, mode: str, there: bool, plays: bool, records: bool) -> None:
    """The record modes play and record as vcrpy's do."""
    path = tmp_path / "a.yaml"
    if there:
        save(path, [HELLO], PROVENANCE)
    with CassetteFile(path, PROTOCOL, mode=mode, provenance=PROVENANCE) as cassette:
        played = cassette.play(HELLO.request)
        assert (played is not None) == plays
        assert cassette.play(HELLO.request) is None, "played as often as it was recorded"
        assert cassette.may_record == records
        if records:
            cassette.add(DROPPED)
        else:
            with pytest.raises(CassetteError, match="adds nothing"):
                cassette.add(DROPPED)
    if records:
        held = load(path)
        assert [r.request.body for r in held.recordings][-1] == DROPPED.request.body
        assert len(held.recordings) == (2 if there else 1)
        assert held.provenance == PROVENANCE
    assert names(tmp_path) == (["a.yaml"] if there or records else [])


def test_all_replaces_what_it_records_again(tmp_path: Path) -> None:
    """In mode `all`, a new recording replaces the old one of the same request."""
    path = tmp_path / "a.yaml"
    save(path, [HELLO, DROPPED])
    with CassetteFile(path, PROTOCOL, mode="all") as cassette:
        cassette.add(answered(HELLO.request, {"id": "v1_b"}))
    bodies = [recording.body for recording in load(path).recordings]
    assert bodies == [DROPPED.body, b'{"id": "v1_b"}']


REFUSED = replace(
    HELLO,
    status=None,
    headers=Headers(),
    body=b"",
    pieces=Pieces(),
    framing=UntilClose(),
    ending=Ending(how=How.REFUSED),
)
DENIED = answered(HELLO.request, {"error": {"code": "denied"}}, 401)
LEFT = replace(HELLO, ending=Ending(how=How.FIN, by=By.CLIENT))  # as Ctrl-C ends it
ANEW = (  # recordings before, new ones, recordings after, whether a copy is kept, what is reported
    ([HELLO, DROPPED], [HELLO], [DROPPED, HELLO], False, ""),
    ([HELLO, DROPPED], [REFUSED], [HELLO, DROPPED], False, "had no response (connection refused)"),
    ([HELLO], [REFUSED, HELLO], [HELLO], False, "had no response (connection refused)"),
    ([REFUSED], [REFUSED], [REFUSED], False, ""),
    ([HELLO, DROPPED], [DENIED], [DROPPED, DENIED], True, "a.before-1.yaml"),
    ([HELLO, HELLO], [HELLO], [HELLO], True, "a.before-1.yaml"),
    ([HELLO], [LEFT, LEFT], [LEFT, LEFT], True, "a.before-1.yaml"),
    ([LEFT], [HELLO], [HELLO], False, ""),
)


@pytest.mark.parametrize(("held", "came", "kept", "copied", "said"), ANEW)
def test_what_becomes_of_older_recordings(
    tmp_path: Path, held: list[Recording], came: list[Recording], kept: list[Recording], copied: bool, said: str
) -> None:
    """A failure never replaces a response, less replaces more only after a copy is kept, and both are reported."""
    path = tmp_path / "a.yaml"
    save(path, held)
    before = path.read_bytes()
    with CassetteFile(path, PROTOCOL, mode="all", redact=False) as cassette:
        for recording in came:
            cassette.add(recording)
    assert list(map(comparable, load(path).recordings)) == list(map(comparable, kept))
    assert names(tmp_path) == (["a.before-1.yaml", "a.yaml"] if copied else ["a.yaml"])
    assert not copied or (tmp_path / "a.before-1.yaml").read_bytes() == before
    assert said in " ".join(cassette.remarks)
    assert bool(cassette.remarks) == bool(said)


@pytest.mark.parametrize("mode", ["new_episodes", "all"])
def test_recordings_of_another_class_are_not_added(tmp_path: Path, mode: str) -> None:
    """Recordings of an emulator cannot be added to a cassette of live recordings, whatever the mode."""
    path = tmp_path / "a.yaml"
    save(path, [HELLO], replace(PROVENANCE, target=Target.LIVE))
    before = path.read_bytes()
    with (
        pytest.raises(CassetteError, match="recorded from live, and this is emulator"),
        CassetteFile(path, PROTOCOL, mode=mode, provenance=PROVENANCE),
    ):
        pass
    assert path.read_bytes() == before
    assert names(tmp_path) == ["a.yaml"]


@pytest.mark.parametrize("held", [None, replace(PROVENANCE, recorded="2026-01-01")])
def test_added_recordings_make_no_older_ones_new(tmp_path: Path, held: Provenance | None) -> None:
    """Adding to a cassette with older recordings leaves its provenance unchanged."""
    path = tmp_path / "a.yaml"
    save(path, [HELLO], held)
    with CassetteFile(path, PROTOCOL, mode="new_episodes", provenance=PROVENANCE) as cassette:
        cassette.add(DROPPED)
    assert load(path).provenance == held


def test_recorder_and_player_match_alike(tmp_path: Path) -> None:
    """An id from outside the cassette may differ while recording, just as while playing."""
    path = tmp_path / "a.yaml"
    recorded = answered(post({"input": "x", "previous_interaction_id": "old"}), {"id": "v1_b"})
    save(path, [recorded])
    asked = post({"input": "x", "previous_interaction_id": "new"})
    with CassetteFile(path, PROTOCOL, mode="new_episodes") as cassette:
        assert cassette.play(asked) == load(path).recordings[0]


def test_a_second_recorder_is_refused_at_its_start(tmp_path: Path) -> None:
    """A second recorder for the same file is refused before it sends anything; later it is allowed."""
    pytest.importorskip("fcntl")
    path = tmp_path / "a.yaml"
    with (
        CassetteFile(path, PROTOCOL),
        pytest.raises(CassetteError, match="another recorder"),
        CassetteFile(path, PROTOCOL),
    ):
        pass
    with CassetteFile(path, PROTOCOL) as later:
        later.add(HELLO)
    assert names(tmp_path) == ["a.yaml"]


def test_a_recorder_waits_for_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits for the file begins with what the one before has written."""
    pytest.importorskip("fcntl")
    path, second, waits = tmp_path / "a.yaml", answered(post({"input": "second"}), {}), Event()
    monkeypatch.setattr(journal, "select", SimpleNamespace(select=lambda *_: waits.set()))

    def record_second() -> None:
        with CassetteFile(path, PROTOCOL, mode="new_episodes", wait=1e6) as cassette:
            assert cassette.play(HELLO.request) is not None
            cassette.add(second)

    with ThreadPoolExecutor(1) as pool:
        with CassetteFile(path, PROTOCOL) as cassette:
            later = pool.submit(record_second)
            assert waits.wait(60)
            cassette.add(HELLO)
        later.result(60)
    assert [recording.request for recording in load(path).recordings] == [HELLO.request, second.request]


@pytest.mark.parametrize("mode", ["new_episodes", "all", "rewrite"])
def test_no_other_recorder_writes_after_a_file_was_read(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each recorder starts from what the one before has written, so that it keeps that."""
    pytest.importorskip("fcntl")
    path, read = tmp_path / "a.yaml", writer.read_document

    def try_to_write(path: Path) -> object:
        with pytest.raises(CassetteError, match="another recorder"), alone(path):
            pass
        return read(path)

    monkeypatch.setattr(writer, "read_document", try_to_write)
    with CassetteFile(path, PROTOCOL, mode=mode) as cassette:
        cassette.add(HELLO)


def test_recording_redacts_unless_told(tmp_path: Path) -> None:
    """An API key is redacted in the cassette and its journal by default, and kept with redact=False."""
    key = "AIza" + "b" * 35
    recording = answered(post({"input": "x"}, x_goog_api_key=key), {"error": {"message": f"{key} is bad"}})
    for redact, there in ((True, False), (False, True)):
        path = tmp_path / f"{there}.yaml"
        with CassetteFile(path, PROTOCOL, redact=redact) as cassette:
            cassette.add(recording)
            assert (key in (tmp_path / f"{there}.part.yaml").read_text()) == there
        assert (key in path.read_text()) == there


LATE = "zq7/late+canary0123456789ab"
EARLY = [
    answered(post({"input": f"use {LATE}"}), {"text": f"not {LATE}"}),
    streamed(post({}), [text_delta(LATE[:9]), text_delta(LATE[9:])]),
    answered(get(f"{URL}?next={quote(quote(LATE, safe=''))}"), {}),
]


@pytest.mark.parametrize("in_file", [False, True])
@pytest.mark.parametrize("early", EARLY, ids=["a body", "a stream, split", "a URL in a URL"])
def test_what_is_learned_late_is_removed_from_what_was_written_early(
    early: Recording, in_file: bool, tmp_path: Path
) -> None:
    """A key that was quoted before a header named it is not in the file, and the others are as they were."""
    path = tmp_path / "a.yaml"
    if in_file:
        spool = Spool(tmp_path)
        spool.write(early.body)
        early = replace(early, body=spool.getvalue())
    with CassetteFile(path, PROTOCOL) as cassette:
        cassette.add(HELLO)
        cassette.add(early)
        cassette.add(answered(Request("GET", f"{URL}/v1_b", Headers([("x-goog-api-key", LATE)])), {}))
    kept = load(path).recordings
    assert kept[0].body == HELLO.body
    assert kept[1] != early
    assert scan(kept[1], PROTOCOL, secrets=[LATE]) == []
    assert not any(spelled in path.read_text("utf-8") for spelled in (LATE, quote(LATE, safe=""), LATE[:9]))


def test_a_cassette_is_bounded_by_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies beyond the bound are refused with the request's name; smaller ones that still fit are kept."""
    path = tmp_path / "a.yaml"
    monkeypatch.setattr("harness.cassette.writer.MOST_BYTES", 3000)
    with CassetteFile(path, PROTOCOL) as cassette:
        cassette.add(answered(get("/v1beta/interactions/1"), "x" * 2500))
        with pytest.raises(CassetteError, match="GET /v1beta/interactions/2 is left out"):
            cassette.add(answered(get("/v1beta/interactions/2"), "x" * 600))
        cassette.add(answered(get("/v1beta/interactions/3"), "x" * 400))
    assert [recording.request.target[-1] for recording in load(path).recordings] == ["1", "3"]
    grown = CassetteFile(path, PROTOCOL, mode="new_episodes")
    with grown, pytest.raises(CassetteError, match="is left out"):  # what was loaded counts
        grown.add(answered(get("/v1beta/interactions/4"), "x" * 400))


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
@pytest.mark.slow
def test_a_full_disk_loses_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    """Each exchange that was not kept is named, what was kept is in the part file, and nothing else is raised."""
    code = FULL.format(path=str(tmp_path / "a.yaml"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    refused, remark, refused_again, ending = done.stdout.splitlines()
    part = tmp_path / "a.part.yaml"
    for said, number in ((refused, 2), (refused_again, 6)):
        assert said == f"GET /v1beta/interactions/{number} cannot be written to {part}: File too large"
    assert "it cannot be rewritten: File too large" in remark
    assert f"{tmp_path / 'a.yaml'} cannot be written: File too large" in ending
    assert f"is in {part}" in ending
    for name, numbers in (("a.yaml", (0, 1, 3)), ("a.part.yaml", (4, 5, 7))):
        kept = load(tmp_path / name).recordings
        assert [recording.request.target for recording in kept] == [f"/v1beta/interactions/{n}" for n in numbers]
    assert names(tmp_path) == ["a.part.yaml", "a.yaml"]


ROOT = Path(__file__).resolve().parents[3]
FULL = """
import resource
from harness.cassette import CassetteError, CassetteFile
from harness.contract import PROTOCOL
from tests.cassette.samples import answered, get

first = 0
try:
    for _ in range(2):  # into a new file, then into one that exists
        resource.setrlimit(resource.RLIMIT_FSIZE, (64_000, 64_000))
        with CassetteFile({path!r}, PROTOCOL, mode="new_episodes") as cassette:
            for number, size in enumerate((30_000, 25_000, 9_000, 100), first):
                try:
                    cassette.add(answered(get(f"/v1beta/interactions/{{number}}"), {{"text": "x" * size}}))
                except CassetteError as wrong:
                    print(wrong)
            resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 64_000))
        print(*cassette.remarks)
        first = 4
except CassetteError as wrong:
    print(wrong)
"""


LARGE = """
import sys
from harness.cassette import CassetteFile, Recording, Unit
from harness.cassette.framing import Pieces
from harness.contract import PROTOCOL
from harness.wire import Headers, Request

event = 'data: {"event_type":"step.delta","delta":{"type":"text","text":"' + "w" * 400 + '"}}'
media, part = {
    "stream": ("text/event-stream", event + "\\n\\n"),
    "text": ("application/json", "wörd 🦊 "), "bytes": ("application/octet-stream", "\\udcff\\0"),
}[sys.argv[2]]
data = part.encode("utf-8", "surrogateescape")
count, size = map(int, sys.argv[3:])


def make(number, size=size):
    body = (b'{"text":"' if media.endswith("json") else b"") + data * ((size << 20) // len(data))
    fields = Headers([("content-type", media)])
    return Recording(Request("GET", f"/{number}"), 200, fields, body, Pieces([len(body)], [0]))


def find_peak():  # not ru_maxrss, which is at least that of the process that started this one
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


with CassetteFile(sys.argv[1] + ".first", PROTOCOL, secrets=["some-secret-value"]) as tape:
    tape.add(make(0, 2))  # the imports and buffers of the first recording are no growth, and neither is one body
make(0)
before = find_peak()
with CassetteFile(sys.argv[1], PROTOCOL, secrets=["some-secret-value"]) as tape:
    for number in range(count):
        tape.add(make(number))
print((find_peak() - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc")
@pytest.mark.parametrize("kind", ["stream", "text", "bytes"])
@pytest.mark.parametrize(("count", "size", "most"), [(1, 16, 16), (6, 1, 3)])
def test_memory_holds_one_body_at_a_time(count: int, size: int, most: int, kind: str, tmp_path: Path) -> None:
    """To redact, encode and write 16 MiB takes less than another copy; of 6 MiB in parts, none is kept."""
    path = tmp_path / "a.yaml"
    arguments = [sys.executable, "-c", LARGE, str(path), kind, str(count), str(size)]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, check=True)
    assert int(done.stdout) < most, done.stdout
    assert len(load(path).recordings) == count
