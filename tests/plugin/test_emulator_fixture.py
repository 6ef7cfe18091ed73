"""`interactions_emulator` and its clients in toy repositories."""

from __future__ import annotations

import pytest

from tests.plugin.toys import run

pytestmark = pytest.mark.filterwarnings("ignore")

WAYS = """
import httpx, httpx2, pytest

BODY = {"model": "gemini-3.8-flash", "input": "Hi"}

def test_socket(interactions_emulator):
    interactions_emulator.reply("From a script.")
    answer = httpx.post(
        interactions_emulator.base_url + "/v1beta/interactions", json=BODY, headers={"x-goog-api-key": "k"}
    ).json()
    assert answer["steps"][-1]["content"][0]["text"] == "From a script."
    interactions_emulator.requests.assert_created({"input": "Hi"})

def test_in_process(interactions_emulator):
    for library in (httpx, httpx2):
        for url in ("http://x.test", interactions_emulator.base_url):
            with library.Client(transport=interactions_emulator.transport, base_url=url) as client:
                answer = client.post("/v1beta/interactions", json=BODY, headers={"x-goog-api-key": "k"})
            assert answer.json()["status"] == "completed"
    interactions_emulator.requests.assert_calls("create", "create", "create", "create")
    assert {request.path for request in interactions_emulator.requests} == {"/v1beta/interactions"}

def test_clients(interactions_client, interactions_emulator):
    interactions_emulator.reply("Hello")
    assert interactions_client.interactions.create(**BODY).output_text == "Hello"

async def asked(client):
    return (await client.interactions.create(**BODY)).output_text

def test_async_client(interactions_async_client, interactions_emulator):
    import asyncio
    interactions_emulator.reply("Hello")
    assert asyncio.run(asked(interactions_async_client)) == "Hello"

old = []

def test_url_of_one(interactions_emulator):
    old.append(interactions_emulator.base_url)

def test_old_url(interactions_emulator):
    answer = httpx.get(old[0] + "/v1beta/interactions/v1_x", headers={"x-goog-api-key": "k"})
    assert answer.status_code == 400
    assert "this URL belonged to a finished test: build a new client in each test" in answer.text
    assert interactions_emulator.requests == []

def test_retried_failures(interactions_emulator, interactions_client, interactions_no_sleep):
    interactions_emulator.fail(429, times=2, on="create")
    assert interactions_client.interactions.create(**BODY).status == "completed"
    interactions_emulator.requests.assert_calls("create", "create", "create")
    interactions_no_sleep.assert_total(at_least=0.002, at_most=0.1)

def test_held(interactions_emulator, interactions_client):
    interactions_emulator.hold()
    get = interactions_client.interactions.get
    run = interactions_client.interactions.create(**BODY, background=True)
    assert {get(run.id).status for _ in range(9)} == {"in_progress"}
    interactions_emulator.release()
    assert [get(run.id).status for _ in range(4)][-1] == "completed"

def test_created_in_part(interactions_emulator):
    given = [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]
    with httpx.Client(transport=interactions_emulator.transport, base_url="http://x.test") as client:
        client.post("/v1beta/interactions", json={**BODY, "input": given}, headers={"x-goog-api-key": "k"})
    interactions_emulator.requests.assert_created({"input": [{"text": "One"}, {"text": "Two"}]})
    for wrong in ([{"text": "One"}], [{"text": "One"}, {"text": "2"}]):
        with pytest.raises(AssertionError, match="something else than expected"):
            interactions_emulator.requests.assert_created({"input": wrong})
"""


def test_every_way_in(pytester: pytest.Pytester) -> None:
    """The socket, both transports and both clients reach the emulator of their test, and no other."""
    pytester.makepyfile(WAYS)
    run(pytester).assert_outcomes(passed=9)


def test_assertions_show_a_diff(pytester: pytest.Pytester) -> None:
    """A failed assertion shows a diff of what was sent and what was expected."""
    pytester.makepyfile(
        """
        def test_it(interactions_emulator, interactions_client):
            interactions_client.interactions.create(model="gemini-3.8-flash", input="Hi")
            interactions_emulator.requests.assert_created({"model": "gemini-3.8-flash", "input": "Hello"})
        """
    )
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(['*-*"input": "Hello"*', '*+*"input": "Hi"*'])


def test_endless_client(pytester: pytest.Pytester) -> None:
    """A client that loops for ever is stopped, even if it catches every Exception."""
    pytester.makepyfile(
        """
        import httpx, pytest

        @pytest.mark.interactions_emulator(max_requests=20)
        @pytest.mark.parametrize("socket", [True, False])
        def test_it(interactions_emulator, socket):
            url = interactions_emulator.base_url if socket else None
            transport = None if url else interactions_emulator.transport
            with httpx.Client(base_url=url or "http://x.test", transport=transport, timeout=60) as client:
                while True:
                    try:
                        client.get("/v1beta/interactions/v1_x")
                    except Exception:
                        pass
        """
    )
    result = run(pytester)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*sent more than 20 requests*"] * 2)


SILENT = """
import httpx

def read_silence(emulator, client):
    run = emulator.create()["id"]
    emulator.drop("event:3,stall")
    try:
        if isinstance(client, httpx.Client):
            client.get(f"/v1beta/interactions/{run}?stream=true", headers={"x-goog-api-key": "k"})
        else:
            list(client.interactions.get(run, stream=True))
    except Exception:
        pass

def test_without(interactions_emulator):
    client = httpx.Client(transport=interactions_emulator.transport, base_url="http://x.test", timeout=None)
    read_silence(interactions_emulator, client)

def test_redirected(interactions_emulator):
    client = httpx.Client(base_url="https://generativelanguage.googleapis.com", timeout=None)
    read_silence(interactions_emulator, client)

def test_with(interactions_emulator):
    client = httpx.Client(transport=interactions_emulator.transport, base_url="http://x.test", timeout=60)
    read_silence(interactions_emulator, client)

def test_of_a_fixture(interactions_emulator, interactions_client):
    read_silence(interactions_emulator, interactions_client)
"""


def test_a_silence_without_a_timeout(pytester: pytest.Pytester) -> None:
    """A client of the test that would wait for ever fails it; one of a fixture, whose timeout is ours, warns."""
    pytester.makepyfile(SILENT)
    result = run(pytester, "-W", "default::harness.plugin.LeftBehindWarning")
    result.assert_outcomes(failed=2, passed=2, warnings=1)
    assert result.stdout.str().count("LeftBehindWarning: the code under test would wait for ever") == 1


def test_settings_and_seed(pytester: pytest.Pytester) -> None:
    """The marker sets the emulator's settings; ids depend on the seed option and nothing else."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.interactions_emulator(event_ids="none", ticks=0)
        def test_it(interactions_emulator):
            assert interactions_emulator.emulator.settings.event_ids == "none"
            print("ID", interactions_emulator.create()["id"])
        """
    )
    ids = [
        next(line for line in run(pytester, "-s", *seed).outlines if "ID " in line)
        for seed in (["--interactions-seed", "0"], [], ["--interactions-seed", "7"])
    ]
    assert ids[0] == ids[1] != ids[2]


BIG = """
import base64, random
import pytest

IMAGE = base64.b64encode(random.Random(1).randbytes(100_000)).decode()
MODEL = "gemini-3.8-flash"

def said(image):
    picture = {"type": "image", "mime_type": "image/png", "data": image}
    return [{"type": "user_input", "content": [{"type": "text", "text": "What is this?"}, picture]}]

def test_created(interactions_emulator, interactions_client):
    interactions_client.interactions.create(model=MODEL, input=said(IMAGE))
    interactions_emulator.requests.assert_calls("create")
    interactions_emulator.requests.assert_created({"model": MODEL, "input": said(IMAGE)})

def test_continued(interactions_chain, interactions_client):
    last = interactions_chain.build(2)
    interactions_client.interactions.create(model=MODEL, input=said(IMAGE), previous_interaction_id=last.id)
    assert interactions_chain.assert_continued()["input"] == said(IMAGE)

def test_another_image(interactions_emulator, interactions_client):
    interactions_client.interactions.create(model=MODEL, input=said(IMAGE))
    interactions_emulator.requests.assert_created({"model": MODEL, "input": said(IMAGE[:-8] + "AAAAAAAA")})
"""


def test_an_inline_image(pytester: pytest.Pytester) -> None:
    """A create with an image is compared whole, as any other; a diff distinguishes two images in one line."""
    pytester.makepyfile(BIG)
    result = run(pytester)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*- *133336 characters, sha256*", "*+ *133336 characters, sha256*"])
    assert max(map(len, result.outlines)) < 1000
