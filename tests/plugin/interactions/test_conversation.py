"""Each turn of a conversation is judged, whichever it is: each wrong client fails, each odd correct one passes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import httpx
import pytest

from harness.plugin import Chain, InteractionsEmulator, TurnWarning, no_sleep
from harness.plugin.environment_variables import PLACEHOLDER_KEY
from harness.plugin.interactions.conversation import find_mistakes
from harness.plugin.observed_service import RequestLimit
from tests.plugin.toys import run

LOOK = {"type": "function", "name": "look", "parameters": {"type": "object"}}
PLACES = {"a": "Lisbon", "b": "Madrid"}
CALLS = [
    {"type": "function_call", "id": call, "name": "look", "arguments": {"place": place}}
    for call, place in PLACES.items()
]


class Talk:
    """A client with a fresh emulator; `say` returns the interaction that a create made."""

    def __init__(self) -> None:
        self.emulator = InteractionsEmulator()
        self.chain = Chain(self.emulator)
        self.http = httpx.Client(
            transport=self.emulator.transport,
            base_url="http://any.test/v1beta",
            headers={"x-goog-api-key": PLACEHOLDER_KEY},
        )

    def say(self, given: Any, after: str = "", answer: dict[str, Any] | None = None, **fields: Any) -> Any:
        """Create an interaction, which is answered with the script `answer`."""
        self.emulator.reply(**(answer or {"text": "Fine."}))
        named = {"previous_interaction_id": after} if after else {}
        body = {"model": "gemini-3.8-flash", "input": given, **named, **fields}
        return self.http.post("/interactions", json=body).raise_for_status().json()

    def call(self) -> str:
        """A turn that ends with two calls in parallel."""
        return str(self.say("Look.", answer={"steps": CALLS}, tools=[LOOK])["id"])

    def give(self, after: str, texts: list[str], **fields: Any) -> str:
        """Return results for both calls."""
        results = [
            {"type": "function_result", "call_id": call, "name": "look", "result": text}
            for call, text in zip(PLACES, texts, strict=True)
        ]
        return str(self.say(results, after, **{"tools": [LOOK], **fields})["id"])


def _fail(talk: Talk, status: str, again: bool = False, **answer: Any) -> tuple[str, str, str]:
    """A turn with a result, one that ended without, and the same once more, if it is sent `again`."""
    good = talk.say("One.")["id"]
    bad = talk.say("Two.", good, {"status": status, **answer})["id"]
    return good, bad, talk.say("Two.", good)["id"] if again else ""


def _continue(status: str, again: bool = False, **answer: Any) -> Callable[[Talk], object]:
    return lambda talk: talk.say("Three.", _fail(talk, status, again, **answer)[1])


def _swap(talk: Talk) -> None:
    talk.say("And now?", talk.give(talk.call(), ["rain in Madrid", "sun in Lisbon"]))


def _forget_tools(talk: Talk) -> None:
    talk.say("And now?", talk.give(talk.call(), ["sun in Lisbon", "rain in Madrid"], tools=[]), tools=[LOOK])


def _retry(pause: float) -> Callable[[Talk], object]:
    """A create that is rejected for half a minute, and sent again after so many skipped seconds."""

    def work(talk: Talk) -> None:
        talk.emulator.fail(429, headers={"retry-after": "30"})
        with no_sleep() if pause else nullcontext(), talk.emulator.in_use():
            talk.http.post("/interactions", json={"model": "gemini-3.8-flash", "input": "One."})
            time.sleep(pause)
            talk.say("One.")

    return work


def _user(text: str) -> dict[str, Any]:
    return {"type": "user_input", "content": [{"type": "text", "text": text}]}


def _stateless(keep: Callable[[int, list[Any], list[Any]], list[Any]]) -> Callable[[Talk], object]:
    """Three turns without `store`; `keep` makes the earlier steps of the user's and the model's."""

    def talk_on(talk: Talk) -> None:
        steps: list[Any] = []
        for number, text in enumerate(("My name is Ada.", "Say it.", "Again.")):
            mine = [_user(text)]
            answer = {"text": f"Ada {number}.", "thought": f"Thought {number}."}
            made = talk.say([*steps, *mine], answer=answer, store=False)
            steps = keep(number, [*steps, *mine], made["steps"])

    return talk_on


def _ask_twice(talk: Talk) -> None:
    first = talk.say("One.")["id"]
    for text in ("Left?", "Right?"):
        talk.say(text, first)


WRONG: dict[str, tuple[Callable[[Talk], object], str]] = {
    "a failed turn, though one before was good": (
        _continue("failed"), "create 3 continues 'v1_.*', which ended as 'failed', although 'v1_.*' was at hand",
    ),
    "a cancelled turn, though one before was good": (
        _continue("cancelled"), "create 3 continues 'v1_.*', which ended as 'cancelled', although",
    ),
    "a failed turn, though it was sent again": (
        _continue("failed", again=True), "create 4 continues 'v1_.*', which ended as 'failed', although",
    ),
    "the user's own turns left out": (
        _stateless(lambda number, steps, made: [*(s for s in steps if s["type"] != "user_input"), *made]),
        r"create 2 repeats the steps of the response to create 1, without the user's input there \('My name",
    ),
}  # fmt: skip

DOUBTED: dict[str, tuple[Callable[[Talk], object], str]] = {
    "results for each other": (_swap, "create 2 returned the result of the call 'b' as that of 'a'"),
    "results without tools": (_forget_tools, "create 2 returned the results of function calls without `tools`"),
    "the first turn failed": (
        lambda talk: talk.say("Two.", talk.say("One.", answer={"status": "failed"})["id"]),
        "create 2 continues 'v1_.*', which ended as 'failed'",
    ),
    "the rest of a turn at its limit": (
        _continue("incomplete", text="Half of"), "create 3 continues 'v1_.*', which ended as 'incomplete'",
    ),
    "a pause of its own": (_retry(2), "create was sent again after 2.0 s, although its response requests .* 30 s"),
}  # fmt: skip

RIGHT: dict[str, Callable[[Talk], object]] = {
    "results in place": lambda talk: talk.give(talk.call(), ["sun in Lisbon", "rain in Madrid"]),
    "results that name the other place": lambda talk: talk.give(
        talk.call(), ["Lisbon is west of Madrid", "Madrid is east of Lisbon"]
    ),
    "the turn before the failed one": lambda talk: talk.say("Two.", _fail(talk, "failed")[0]),
    "the turn that was sent again": lambda talk: talk.say("Three.", _fail(talk, "failed", again=True)[2]),
    "two conversations": lambda talk: [talk.say("One."), talk.say("Uno.")],
    "a fork": _ask_twice,
    "a whole transcript": _stateless(lambda number, steps, made: [*steps, *made]),
    "a transcript without the first turn": _stateless(
        lambda number, steps, made: [*steps, *made] if number != 1 else [steps[-1], *made]
    ),
    "the pause that the response asked for": _retry(30),
    "a pause that nothing skips": _retry(0),
    "a transcript in short": _stateless(lambda number, steps, made: [_user("So far: her name is Ada.")]),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_turn_fails_its_test(case: str) -> None:
    """Also in an earlier round, without any assertion of the test; the emulator can be told that it is meant."""
    work, problem = WRONG[case]
    talk = Talk()
    work(talk)
    with pytest.raises(AssertionError, match=problem):
        talk.emulator.assert_all_met()
    talk.emulator.judge_turns = False
    talk.emulator.assert_all_met()


@pytest.mark.parametrize("case", DOUBTED)
def test_a_turn_that_may_be_meant_is_a_warning(case: str) -> None:
    """Nothing better was at hand, or the test alone knows."""
    work, problem = DOUBTED[case]
    talk = Talk()
    work(talk)
    talk.emulator.assert_all_met()
    (warning,) = talk.emulator.find_complaints()
    assert isinstance(warning, TurnWarning)
    assert re.search(problem, str(warning))


def test_a_revision_without_effect_is_named_after_a_failure() -> None:
    """A client that asks for the former revision looks for `outputs` in vain."""
    talk = Talk()
    for revision, words in (("2026-05-20", ""), ("2026-05-07", "Api-Revision '2026-05-07', which the service ig")):
        talk.http.headers["Api-Revision"] = revision
        talk.say("Hi.")
        assert ("Api-Revision" in (context := talk.emulator.format_context())) == bool(words)
        assert words in context


@pytest.mark.parametrize("case", RIGHT)
def test_an_odd_correct_client_passes(case: str) -> None:
    """Forks, short transcripts and turns sent again are no mistakes."""
    talk = Talk()
    RIGHT[case](talk)
    talk.emulator.assert_all_met()
    assert not list(talk.emulator.find_complaints())


@pytest.mark.parametrize(
    ("work", "option", "problem"),
    [
        (_swap, {"any_results": True}, r"create 2 returned the result.*assert_continued\(any_results=True\)"),
        (_forget_tools, {"without_tools": True}, r"create 2 returned.*assert_continued\(without_tools=True\)"),
        (_continue("failed"), {}, "create 3 continues .* was at hand"),
    ],
)
def test_the_assertion_judges_every_round(work: Any, option: dict[str, bool], problem: str) -> None:
    """`assert_continued` names an earlier round, and the option that allows what is wrong there."""
    talk = Talk()
    work(talk)
    with pytest.raises(AssertionError, match=problem):
        talk.chain.assert_continued()
    if option:
        talk.chain.assert_continued(**option)


@pytest.mark.parametrize(
    ("returned", "problem"),
    [
        (["sunny", "rain"], ""),
        (["rain", "sunny"], "the result of the call 'b' as that of 'a': match results with calls"),
        (["cold", "rain"], "returned \"cold\" for the call 'a': expected 'sunny' in it; take the `arguments`"),
    ],
)
def test_results_of_free_text(returned: list[str], problem: str) -> None:
    """The test alone knows them: for each call, also of an earlier round, the text that belongs to it."""
    talk = Talk()
    talk.say("Thanks.", talk.give(talk.call(), returned))
    talk.chain.assert_continued()
    with pytest.raises(AssertionError, match=problem) if problem else nullcontext():
        talk.chain.assert_continued(results={"a": "sunny", "b": "rain"})
    with pytest.raises(AssertionError, match="returned no result for the call 'c'"):
        talk.chain.assert_continued(results={"c": "fog"})


def _change_calls(changes: dict[str, Any]) -> Callable[[Talk], object]:
    """A round of two calls without `store`, of which the first is sent back with `changes`."""

    def talk_on(talk: Talk) -> None:
        steps = [{"type": "thought", "signature": "c2lnbg=="}, *CALLS]
        made = talk.say("Look.", answer={"steps": steps}, tools=[LOOK], store=False)["steps"]
        sent = [{**step, **changes} if step.get("id") == "a" else step for step in made]
        calls = [step["id"] for step in sent if step["type"] == "function_call"]
        results = [{"type": "function_result", "call_id": call, "name": "look", "result": "sun"} for call in calls]
        talk.say([_user("Look."), *sent, *results], tools=[LOOK], store=False)

    return talk_on


def _keep_all_but(kind: str, number: int) -> Callable[[Talk], object]:
    return _stateless(
        lambda place, steps, made: [
            *steps, *(step for step in made if place != number or step["type"] != kind)
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("work", "problem"),
    [
        (_stateless(lambda number, steps, made: [*steps, *made]), ""),
        (_keep_all_but("model_output", 0), "left out 1 of 2 model_output steps"),
        (_keep_all_but("thought", 1), "left out 1 of 2 thought steps"),
        (_change_calls({"arguments": {}}), r"sent the function_call 'a' back as look\(\{\}\), and the model made"),
        (_change_calls({"name": "find"}), r"'a' back as find\("),
        (_change_calls({"id": "call_of_its_own"}), ""),
        (WRONG["the user's own turns left out"][0], r"left out the user's input of an earlier turn \('My name"),
    ],
)  # fmt: skip
def test_a_stateless_client_repeats_everything(work: Callable[[Talk], object], problem: str) -> None:
    """The whole conversation, and not the last answer alone; the user's own turns, too."""
    talk = Talk()
    work(talk)
    if not problem:
        talk.chain.assert_replayed()
        return
    with pytest.raises(AssertionError, match=problem):
        talk.chain.assert_replayed()


@pytest.mark.parametrize(
    ("differs", "rounds"),
    [
        *((name, 50) for name in ("", "prompt", "words beside the results")),
        *((name, 120) for name in ("arguments", "result", "conversation", "words after the results")),
    ],
)
def test_equal_rounds_end_a_tool_loop(differs: str, rounds: int) -> None:
    """After 50 in one conversation, whatever comes between; one over many places, or many in parallel, go on."""
    talk = Talk()
    first = [""] * (120 if differs == "conversation" else 1)
    made = -len(first)

    def look(number: int, after: str) -> str:
        nonlocal made
        if differs == "prompt":
            talk.say("What next?")
        result = f"sun {number if differs == 'result' else 0}"
        given: list[Any] = [{"type": "function_result", "call_id": "a", "name": "look", "result": result}]
        call = {**CALLS[0], "arguments": {"place": f"Place {number if differs == 'arguments' else 0}"}}
        if differs == "words beside the results":
            given.append(_user("Look again."))
        if differs == "words after the results" and after:
            after, given = talk.say(given, after, tools=[LOOK])["id"], [_user("Look again.")]
        made_by = talk.say(given if after else "Look.", after, {"steps": [call]}, tools=[LOOK])
        made += 1
        return str(made_by["id"])

    def loop() -> None:
        ends = [look(0, "") for _ in first]
        for number in range(120):
            ends.append(look(number, ends.pop(0)))

    if rounds == 120:
        loop()
    else:
        with pytest.raises(RequestLimit, match=r"same calls and got the same results.*\(max_requests=…\)"):
            loop()
    assert made == rounds


TOY = """
import pytest, httpx

def talk(emulator):
    client = httpx.Client(transport=emulator.transport, headers={"x-goog-api-key": "k"})
    emulator.reply(status="failed").reply("Fine.")
    body = {"model": "gemini-3.8-flash", "input": "Hi."}
    made = client.post("http://any.test/v1beta/interactions", json=body).json()
    client.post("http://any.test/v1beta/interactions", json={**body, "previous_interaction_id": made["id"]})

def test_doubted(interactions_emulator):
    talk(interactions_emulator)

@pytest.mark.interactions_emulator(judge_turns=False)
def test_meant(interactions_emulator):
    talk(interactions_emulator)
"""


def test_the_warning_in_a_session(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn in doubt is a warning of its test, judged once; the marker that it names takes it away."""
    judged = list[int]()

    def judge(turns: Any, look: Any) -> Any:
        judged.append(len(turns))
        return find_mistakes(turns, look)

    monkeypatch.setattr("harness.plugin.interactions.emulator.find_mistakes", judge)
    pytester.makepyfile(TOY)
    result = run(pytester, "-W", "always")
    assert judged == [2]
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(
        ["*TurnWarning: create 2 continues 'v1_*', which ended as 'failed'. If it is meant*"]
    )
