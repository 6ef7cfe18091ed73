"""Failures are stored, replayed first in the next run, and removed once they no longer fail."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import replace
from pathlib import Path

from harness.engine.search.failure import Failure
from harness.engine.search.run import Store
from harness.engine.search.search_target import play
from harness.engine.search.shrink import resend, templates
from harness.engine.targets import TargetOptions, resolve_target
from harness.interactions import INTERACTIONS
from harness.wire import Headers, Request
from harness.wire.secret_texts import cores, spellings
from tests.contract.exchanges import exchange
from tests.engine.search.places import history, mutant, reference


def failure_of(name: str, words: str) -> Failure:
    """The first failure that a history shows on a mutant."""
    return play(mutant(name), history(words), "history")[0]


def test_a_kept_failure_is_played_again_and_known(tmp_path: Path) -> None:
    store = Store(tmp_path, reference().resolved)
    kept = failure_of("delete-keeps", "create; delete; poll")
    assert store.keep(kept) is not None
    done = store.replay(mutant("delete-keeps"))
    assert [(failure.defect.name, failure.known) for failure in done.failures] == [("del.gone", True)]
    assert done.failures[0].history == kept.history


def test_what_does_not_fail_any_more_is_forgotten(tmp_path: Path) -> None:
    """If a stored failure no longer fails, its file is removed and a note says so."""
    store = Store(tmp_path, reference().resolved)
    path = store.keep(failure_of("delete-keeps", "create; delete; poll"))
    done = store.replay(reference())
    assert done.failures == ()
    assert "no longer fails" in done.notes[0]
    assert path is not None
    assert not path.exists()


def test_targets_do_not_share_failures(tmp_path: Path) -> None:
    """Two similar URLs store their failures in separate folders."""
    one, other = (resolve_target(INTERACTIONS, url, TargetOptions()) for url in ("http://a:1", "http://a-1"))
    assert Store(tmp_path, one).folder != Store(tmp_path, other).folder


def test_a_damaged_file_is_told_and_passed_over(tmp_path: Path) -> None:
    store = Store(tmp_path, reference().resolved)
    store.folder.mkdir(parents=True)
    for number, text in enumerate(("{", "[]", '{"key": "x", "history": [{"kind": "dance"}], "requests": []}')):
        (store.folder / f"{number}.json").write_text(text)
    done = store.replay(reference())
    assert len(done.notes) == 3
    assert done.counts["played"] == 0


def test_a_stored_failure_holds_no_key(tmp_path: Path) -> None:
    place = mutant("delete-twice-crashes")
    failure = play(place, history("create; delete; delete"), "schema")[0]
    bare = Failure(engine="schema", defect=failure.defect, trail=failure.trail)
    path = Store(tmp_path, reference().resolved).keep(bare)
    assert path is not None
    assert place.resolved.target.key not in path.read_text()
    assert json.loads(path.read_text())["requests"][1]["target"] == "/v1beta/interactions/HARNESS-0-id-0-"


def test_a_stored_failure_quotes_no_key(tmp_path: Path) -> None:
    """A key that the target repeated is in neither message, name, path nor body; the failure is still known."""
    place = mutant("delete-twice-crashes")
    key = place.resolved.target.key
    failure = play(place, history("create; delete; delete"), "schema")[0]
    finding = replace(failure.finding, message=f"the status {f'quota of {key}'!r} {b64encode(key.encode())!r}")
    sent = Request("POST", f"/v1beta/x/{key}?a={key}", Headers([("a", key)]), json.dumps({"a": key}).encode())
    trail = (replace(exchange(), request=sent), *failure.trail)
    bare = Failure(engine="schema", defect=replace(failure.defect, finding=finding), trail=trail)
    store = Store(tmp_path, place.resolved)
    assert store.keep(bare) is not None
    (path,) = store.folder.iterdir()
    said = path.read_text()
    unpacked = [b64decode(request["body"]).decode() for request in json.loads(said)["requests"]]
    assert "'quota of ***' " in said
    assert unpacked[0] == '{"a": "***"}'
    assert [form for form in (*spellings(key), *cores(key)) if form in said + "".join(unpacked)] == []
    assert [failure.known for failure in store.replay(place).failures] == [True]


def test_stored_requests_hold_no_header_that_is_a_secret() -> None:
    fields = [("Cookie", "a=b"), ("Proxy-Authorization", "Basic eDp5"), ("X-Session", "s"), ("api-revision", "1")]
    (template,) = templates(
        [replace(exchange(), request=Request("GET", "/v1beta/x", Headers(fields)))], INTERACTIONS
    )
    assert template.headers == [("api-revision", "1")]


def test_requests_are_sent_again_with_new_ids() -> None:
    """A stored trail fails again on a fresh service, where ids are replaced by the new ones."""
    failure = play(mutant("delete-twice-crashes"), history("create; create; delete 1; delete 1"), "schema")[0]
    again = resend(mutant("delete-twice-crashes"), templates(failure.trail, INTERACTIONS), "schema")
    assert [found.defect.name for found in again] == ["fuzz.no-5xx"]
    assert resend(reference(), templates(failure.trail, INTERACTIONS), "schema") == []
