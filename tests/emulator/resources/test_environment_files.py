"""Reading files: metadata, listings, contents, archives."""

from __future__ import annotations

import io
import tarfile

import pytest

from tests.emulator.resources.api import NOON, Answer, Api


@pytest.fixture
def base(api: Api) -> str:
    """The path to the files of an environment that holds a.txt, src/b.py and src/deep/c.bin."""
    texts = {"a.txt": "one", "src/b.py": "two", "src/deep/c.bin": "three"}
    sources = [{"type": "inline", "target": path, "content": text} for path, text in texts.items()]
    return f"/v1beta/environments/{api.environment(sources=sources)}/files"


def members(answer: Answer) -> dict[str, bytes | None]:
    """Map each name in a tar to its bytes, or to None for a directory."""
    with tarfile.open(fileobj=io.BytesIO(answer.data), mode="r:") as archive:
        found = {}
        for member in archive:
            reader = archive.extractfile(member)
            found[member.name] = None if reader is None else reader.read()
    return found


@pytest.mark.parametrize(
    ("path", "listed"),
    [
        ("", ["a.txt", "src"]),
        ("/", ["a.txt", "src"]),
        ("?recursive=true", ["a.txt", "src", "src/b.py", "src/deep", "src/deep/c.bin"]),
        ("/src", ["src/b.py", "src/deep"]),
        ("/src/", ["src/b.py", "src/deep"]),
        ("/src/deep", ["src/deep/c.bin"]),
        ("/src%2Fdeep", ["src/deep/c.bin"]),
        ("/src?recursive=true", ["src/b.py", "src/deep", "src/deep/c.bin"]),
        ("/src/b.py", ["src/b.py"]),
    ],
)
def test_a_directory_lists_its_children(api: Api, base: str, path: str, listed: list[str]) -> None:
    """A directory lists its children, or all descendants if recursive; a file lists itself; `%2F` is a slash."""
    assert [entry["path"] for entry in api.ok("GET", base + path)["files"]] == listed


def test_entries_say_what_they_are(api: Api, base: str) -> None:
    """A file has its size as a string of digits, a media type and times; a directory has neither size nor type."""
    assert api.ok("GET", base)["files"] == [
        {
            "name": "a.txt",
            "path": "a.txt",
            "type": "FILE",
            "size_bytes": "3",
            "mime_type": "text/plain",
            "created": NOON,
            "modified": NOON,
        },
        {"name": "src", "path": "src", "type": "DIRECTORY", "created": NOON},
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("?alt=media", {"a.txt": b"one"}),
        ("/src?alt=media", {"b.py": b"two"}),
        ("/src?alt=media&recursive=true", {"b.py": b"two", "deep": None, "deep/c.bin": b"three"}),
    ],
)
def test_media_of_a_directory_is_a_tar(api: Api, base: str, path: str, expected: dict[str, bytes | None]) -> None:
    """The media of a directory is an uncompressed, reproducible tar of its files, or of all descendants."""
    answer = api.send("GET", base + path)
    assert (answer.headers.get("content-type"), members(answer)) == ("application/x-tar", expected)
    assert answer.data == api.send("GET", base + path).data


def test_the_older_download_gives_everything(api: Api, base: str) -> None:
    """`files/environment-{id}:download` is a tar of the whole environment; other names are uploaded files."""
    environment = base.split("/")[3]
    answer = api.send("GET", f"/v1beta/files/environment-{environment}:download?alt=media")
    assert members(answer)["src/deep/c.bin"] == b"three"
    assert api.refused("GET", "/v1beta/files/environment-nope:download?alt=media") == (404, "not_found")
    assert api.send("GET", "/v1beta/files/abc").status == 403
