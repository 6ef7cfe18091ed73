"""One emulator can be shared by several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.emulator.client import Api


def test_readers_in_many_threads(api):
    """Readers of one running run in several threads each get the whole stream."""
    found = api.created(background=True)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: Api(api.emulator).get(found, stream="true").data, range(6)))
    assert len(set(answers)) == 1
    assert answers[0].endswith(b"[DONE]\n\n")
