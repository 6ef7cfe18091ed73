"""One emulator can be shared by several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.emulator.client import Api


def test_creates_from_many_threads(api):
    """Concurrent creates each keep their own id and text."""

    def one(number: int) -> tuple[str, str]:
        found = api.created(f"number {number}")
        return found, api.get(found).json["steps"][0]["content"][0]["text"]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(one, range(200)))
    assert len({found for found, _ in results}) == 200
    assert [text for _, text in results] == [f"number {number}" for number in range(200)]


def test_readers_in_many_threads(api):
    """Readers of one running run in several threads each get the whole stream."""
    found = api.created(background=True)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: Api(api.emulator).get(found, stream="true").data, range(6)))
    assert len(set(answers)) == 1
    assert answers[0].endswith(b"[DONE]\n\n")
