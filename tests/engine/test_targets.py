"""Naming a target: the version is found in the URL, an empty target is refused, and secrets are known."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from harness.checks.catalogue import CATALOGUE
from harness.emulator import Emulator, Settings
from harness.engine.events import RunFinished
from harness.engine.run import RunOptions, check_target
from harness.engine.targets import TargetOptions, resolve_target, split_version
from harness.engine.traffic import deadline
from harness.interactions.servers import SERVERS
from harness.outcome import Accounted, Level, UsageFault
from harness.wire import Request, Response, Service
from tests.engine import toys


@pytest.mark.parametrize(
    ("url", "root", "version"),
    [
        ("http://h:1", "http://h:1", ""),
        ("http://h:1/", "http://h:1", ""),
        ("http://h:1/v1beta", "http://h:1", "v1beta"),
        ("http://h:1/gateway/v1beta1", "http://h:1/gateway", "v1beta1"),
        ("http://h:1/v1beta/interactions", "http://h:1", "v1beta"),
        ("https://h/v1beta1/projects/p/locations/l", "https://h", "v1beta1/projects/p/locations/l"),
        ("https://h/g/v1/projects/p/locations/l/interactions/", "https://h/g", "v1/projects/p/locations/l"),
        ("https://h/v1/projects/p", "https://h/v1/projects/p", ""),
    ],
)
def test_version_in_the_url(url: str, root: str, version: str) -> None:
    """A last path segment that looks like a version is the version; any other path belongs to the root.

    Project and location, as Vertex has them, belong to the version.
    """
    assert split_version(url, SERVERS.collection, SERVERS.scope) == (root, version)


@pytest.mark.parametrize("text", [None, "", "   "])
def test_no_target_names_the_embedded_one(text: str | None) -> None:
    """An empty target, as from an unset variable in CI, is a usage fault that suggests `emulator`."""
    with pytest.raises(UsageFault, match="write `emulator`"):
        resolve_target(SERVERS, text, TargetOptions())


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("emulater", "did you mean 'emulator'\\?$"),
        ("localhost:8000", "http://127.0.0.1:8000"),
        ("ftp://h", "neither a URL"),
        ("http://", "neither a URL"),
        ("http://h?key=1", "a query"),
        ("http://u:p@h", "user name"),
        ("http://h:99999", "no valid port"),
    ],
)
def test_what_cannot_be_a_target(text: str, hint: str) -> None:
    """Each kind of invalid target has a message that says what to write instead."""
    with pytest.raises(UsageFault, match=hint):
        resolve_target(SERVERS, text, TargetOptions())


def test_secrets_are_known_by_variable() -> None:
    """Keys and secret headers are listed with their placeholders; ordinary headers are not."""
    options = TargetOptions(
        api_key="k1",
        other_api_key="k2",
        headers=(("Authorization", "Bearer tok"), ("Api-Revision", "2026-05-20"), ("X-Corp-Token", "abc")),
    )
    assert resolve_target(SERVERS, "https://h", options).info.secrets == {
        "GEMINI_API_KEY": "k1",
        "OTHER_GEMINI_API_KEY": "k2",
        "AUTHORIZATION": "tok",
        "X_CORP_TOKEN": "abc",
    }


def test_the_embedded_target_is_thrown_away() -> None:
    """The embedded emulator has two keys of its own, never the user's, and needs no clean-up."""
    resolved = resolve_target(SERVERS, "emulator", TargetOptions(api_key="real"))
    assert resolved.throwaway
    assert "real" not in resolved.info.secrets.values()
    assert resolved.target.key != resolved.target.other_key != ""


# --- a target that takes a second for each answer, on a counted clock


DEADLINE = 120.0


@dataclass
class Clock:
    """A clock that moves by the seconds that each answer takes."""

    seconds: float
    now: float = 0.0

    def slow_down(self, service: Service) -> Service:
        """The service without a control API, each answer of which takes its time."""

        def answer(request: Request) -> Response:
            self.now += self.seconds
            if request.target.startswith("/__harness__"):
                return toys.answer({"error": {"code": "not_found", "message": "no such route"}}, 404)
            return service(request)

        return answer


def test_a_slow_target_is_judged_until_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a second an answer, some MUSTs are judged in two minutes, and the rest is accounted for."""
    clock = Clock(1.0)
    monkeypatch.setattr(deadline, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    target = toys.toy_target(clock.slow_down(Emulator(Settings())))
    *_, finished = check_target(target, CATALOGUE, RunOptions(deadline=DEADLINE, jobs=1))
    assert isinstance(finished, RunFinished)
    musts = [result for result in finished.results if result.rule.level is Level.MUST]
    judged = {result.id: result.outcome for result in musts if result.judged}
    assert len(judged) >= 8
    assert Accounted.FAILED not in judged.values()
    assert len(finished.results) == len(CATALOGUE)
    assert finished.halted
    assert clock.now < DEADLINE + 10, "what was created is deleted after the time limit"
