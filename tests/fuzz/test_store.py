"""What was found is kept, played first, and forgotten when it does not fail any more."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from harness.runner.fuzz.failure import Failure
from harness.runner.fuzz.place import play
from harness.runner.fuzz.resend import resend, templates
from harness.runner.fuzz.store import Store
from harness.wire import Headers, Request
from tests.contract.exchanges import exchange
from tests.fuzz.places import history, mutant, reference


def failure_of(name: str, words: str) -> Failure:
    """The first failure of a history on a mutant."""
    return play(mutant(name), history(words), "history")[0]


def test_a_kept_failure_is_played_again_and_known(tmp_path: Path) -> None:
    """It fails again on the same target, and says that it is known."""
    store = Store(tmp_path, "emulator")
    kept = failure_of("delete-keeps", "create; delete; poll")
    assert store.keep(kept) is not None
    done = store.replay(mutant("delete-keeps"))
    assert [(failure.key, failure.known) for failure in done.failures] == [("del.gone", True)]
    assert done.failures[0].history == kept.history


def test_what_does_not_fail_any_more_is_forgotten(tmp_path: Path) -> None:
    """On a target that was mended the file goes, and the note says so."""
    store = Store(tmp_path, "emulator")
    path = store.keep(failure_of("delete-keeps", "create; delete; poll"))
    done = store.replay(reference())
    assert done.failures == ()
    assert "does not fail any more" in done.notes[0]
    assert path is not None
    assert not path.exists()


def test_targets_do_not_share_failures(tmp_path: Path) -> None:
    """Two URLs that read alike have folders of their own."""
    assert Store(tmp_path, "http://a:1").folder != Store(tmp_path, "http://a-1").folder


def test_a_damaged_file_is_told_and_passed_over(tmp_path: Path) -> None:
    """Nothing breaks over a file that somebody edited."""
    store = Store(tmp_path, "emulator")
    store.folder.mkdir(parents=True)
    for number, text in enumerate(("{", "[]", '{"key": "x", "history": [{"kind": "dance"}], "requests": []}')):
        (store.folder / f"{number}.json").write_text(text)
    done = store.replay(reference())
    assert len(done.notes) == 3
    assert done.counts["played"] == 0


def test_a_stored_failure_holds_no_key(tmp_path: Path) -> None:
    """Requests are kept without what authenticates them."""
    place = mutant("delete-twice-crashes")
    failure = play(place, history("create; delete; delete"), "schema")[0]
    bare = Failure(engine="schema", finding=failure.finding, trail=failure.trail)
    path = Store(tmp_path, "emulator").keep(bare)
    assert path is not None
    assert place.resolved.target.key not in path.read_text()
    assert json.loads(path.read_text())["requests"][1]["target"] == "/v1beta/interactions/HARNESS-ID-0"


def test_stored_requests_hold_no_header_that_is_a_secret() -> None:
    """Neither a cookie nor a proxy's credentials: the next run is told its own; other headers stay."""
    fields = [("Cookie", "a=b"), ("Proxy-Authorization", "Basic eDp5"), ("X-Session", "s"), ("api-revision", "1")]
    (template,) = templates([replace(exchange(), request=Request("GET", "/v1beta/x", Headers(fields)))])
    assert template.headers == [("api-revision", "1")]


def test_requests_are_sent_again_with_new_ids() -> None:
    """A trail fails again on a fresh service, whose ids are others."""
    failure = play(mutant("delete-twice-crashes"), history("create; create; delete 1; delete 1"), "schema")[0]
    again = resend(mutant("delete-twice-crashes"), templates(failure.trail), "schema")
    assert [found.key for found in again] == ["fuzz.no-5xx"]
    assert resend(reference(), templates(failure.trail), "schema") == []
