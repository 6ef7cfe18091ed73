"""Uploads: the plain form, both resumable forms, archives; a refused upload never writes anything."""

import gzip
import io
import tarfile
from typing import Any

import pytest

from harness.emulator.resources import uploads
from harness.emulator.values.call import route
from tests.emulator.resources.api import Answer, Api

GOOG = "x-goog-upload-"
SPARSE = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "x", "GNU.sparse.realsize": "4096"}


@pytest.fixture
def base(api: Api) -> str:
    """The upload path of a new, empty environment."""
    return f"/upload/v1beta/environments/{api.environment()}/files"


def read(api: Api, base: str, path: str = "") -> bytes:
    """The bytes of a file."""
    return api.send("GET", f"{base.removeprefix('/upload')}/{path}?alt=media").data


def paths(api: Api, base: str) -> list[str]:
    """Every path in the environment."""
    listed = api.ok("GET", f"{base.removeprefix('/upload')}?recursive=true")
    return [entry["path"] for entry in listed.get("files", [])]


def tar(files: dict[str, bytes | None], **attributes: Any) -> bytes:
    """Make a tar from names and bytes, None for a directory; `attributes` are set on every member."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.type, member.size = (tarfile.DIRTYPE, 0) if data is None else (tarfile.REGTYPE, len(data))
            for attribute, value in attributes.items():
                setattr(member, attribute, value)
            archive.addfile(member, io.BytesIO(data or b""))
    return target.getvalue()


def test_a_plain_put_writes_and_makes_parents(api: Api, base: str) -> None:
    """A plain PUT creates parent directories, keeps bytes and media type, and lists the file without times."""
    answer = api.ok("PUT", f"{base}/a/b.txt", b"hi", headers={"content-type": "text/x-own"})
    file = {"name": "b.txt", "path": "a/b.txt", "type": "FILE", "size_bytes": "2", "mime_type": "text/x-own"}
    assert answer == {"files": [file]}
    assert (paths(api, base), read(api, base, "a/b.txt")) == (["a", "a/b.txt"], b"hi")


@pytest.mark.parametrize("packed", [tar, lambda files: gzip.compress(tar(files))])
def test_an_archive_is_unpacked_into_its_path(api: Api, base: str, packed: Any) -> None:
    """A tar, also a compressed one, is unpacked: directories are created and every file written is listed."""
    answer = api.ok("PUT", f"{base}/in?extract=true", packed({"x.txt": b"1", "e": None, "d/y.txt": b"2"}))
    assert [entry["path"] for entry in answer["files"]] == ["in/d/y.txt", "in/x.txt"]
    assert paths(api, base) == ["in", "in/d", "in/d/y.txt", "in/e", "in/x.txt"]
    assert read(api, base, "in/d/y.txt") == b"2"


def test_an_archive_is_all_or_nothing(api: Api, base: str) -> None:
    """If one file of an archive exists, none is written; with overwrite=true all are."""
    api.ok("PUT", f"{base}/b", b"old")
    data = tar({"a": b"1", "b": b"2", "c": b"3"})
    assert api.refused("PUT", f"{base}?extract=true", data) == (409, "aborted")
    assert (paths(api, base), read(api, base, "b")) == (["b"], b"old")
    assert len(api.ok("PUT", f"{base}?extract=true&overwrite=true", data)["files"]) == 3
    assert read(api, base, "b") == b"2"


@pytest.mark.parametrize(
    "data",
    [
        b"not a tar",
        tar({"a": b"123"})[:600],
        b"\x1f\x8bnot gzip",
        gzip.compress(tar({"a": b"1"}))[:-9],
        tar({"../up": b"1"}),
        tar({"x": b"0\n" + bytes(510)}, pax_headers=SPARSE),
        tar({"link": b""}, type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        tar({"device": b""}, type=tarfile.CHRTYPE),
        tar({"a": b"1", "a/b": b"2"}),
    ],
    ids=["text", "cut tar", "not gzip", "cut gzip", "climbs", "sparse", "link", "device", "file as folder"],
)
def test_a_bad_archive_is_400_and_writes_nothing(api: Api, base: str, data: bytes) -> None:
    """Broken archives, links, devices, sparse files and paths that lead out are refused as a whole."""
    status, code = api.refused("PUT", f"{base}/x?extract=true", data)
    assert (status, code in ("invalid_request", "failed_precondition")) == (400, True)
    assert paths(api, base) == []


def start(api: Api, target: str, **headers: str) -> str:
    """Begin a resumable upload and return the address for its other requests."""
    joiner = "&" if "?" in target else "?"
    sent = {"host": "127.0.0.1:9", **{name.replace("_", "-"): value for name, value in headers.items()}}
    answer = api.send("PUT", f"{target}{joiner}uploadType=resumable", b"", headers=sent)
    assert answer.status == 200, answer.data
    return answer.headers.get("location").removeprefix("http://127.0.0.1:9")


def piece(api: Api, address: str, span: str, data: bytes = b"") -> Answer:
    """Send one part of a resumable upload, its span such as `0-2/6`."""
    return api.send("PUT", address, data, headers={"content-range": f"bytes {span}"})


def test_a_resumable_upload_goes_piece_by_piece(api: Api, base: str) -> None:
    """Each part gets 308 with what has arrived; the last gets the file, with the media type from the start."""
    address = start(api, f"{base}/a.bin", x_upload_content_type="x/own", x_upload_content_length="6")
    first, asked = piece(api, address, "0-2/6", b"abc"), piece(api, address, "*/6")
    assert [(one.status, one.headers.get("range")) for one in (first, asked)] == [(308, "bytes=0-2")] * 2
    assert paths(api, base) == []
    last = piece(api, address, "3-5/6", b"def")
    assert (last.status, last.json["files"][0]["mime_type"]) == (200, "x/own")
    assert read(api, base, "a.bin") == b"abcdef"
    assert piece(api, address, "*/6").status == 404


def test_the_first_request_decides(api: Api, base: str) -> None:
    """The first request decides on overwrite and extract; a conflict shows at the end and writes nothing."""
    api.ok("PUT", f"{base}/x", b"old")
    address = start(api, f"{base}/x")
    assert (api.refused("PUT", address, b"new"), read(api, base, "x")) == ((409, "aborted"), b"old")
    api.ok("PUT", start(api, f"{base}/x?overwrite=true"), b"new")
    api.ok("PUT", start(api, f"{base}?extract=true"), tar({"y": b"1"}))
    assert (read(api, base, "x"), read(api, base, "y")) == (b"new", b"1")


@pytest.mark.parametrize(
    ("span", "data", "status"),
    [
        ("3-5/6", b"def", 416),
        ("0-1/6", b"abc", 400),
        ("0-6/6", b"abcdefg", 400),
        ("0-2/7", b"abc", 400),
        ("0-2", b"abc", 400),
        ("0-/6", b"abc", 400),
    ],
)
def test_a_piece_that_does_not_fit_is_refused(api: Api, base: str, span: str, data: bytes, status: int) -> None:
    """A part that leaves a gap, has the wrong length or another total is refused; the upload can still go on."""
    address = start(api, f"{base}/a", x_upload_content_length="6")
    assert piece(api, address, span, data).status == status
    assert piece(api, address, "0-5/6", b"abcdef").status == 200


def goog(api: Api, address: str, command: str, data: bytes = b"", **headers: str) -> Answer:
    """Send a command in the header form of resumable uploads."""
    sent = {GOOG + "command": command} | {GOOG + name: value for name, value in headers.items()}
    return api.send("POST", address, data, headers=sent)


def test_an_upload_address_is_its_own_permission(api: Api, base: str) -> None:
    """The address works without a key during the upload, and writes to the project that began the upload."""
    address = start(api, f"{base}/a")
    assert api.resources.keyless(route(address))
    assert not api.resources.keyless(route(f"{base}/a?upload_id=guess"))
    assert not api.resources.keyless(route(f"{base}/a"))
    query = address.partition("?")[2]
    assert not api.resources.keyless(route(f"/v1beta/interactions/x?{query}"))
    api.project = "somebody else"
    assert api.send("PUT", address, b"x").status == 200
    assert not api.resources.keyless(route(address))


def test_memory_is_bounded(api: Api, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads that are too large get 429; the oldest unfinished upload makes room for a new one."""
    monkeypatch.setattr(uploads, "UPLOAD_BYTES", 4)
    monkeypatch.setattr(uploads, "MOST_PENDING", 2)
    assert api.refused("PUT", f"{base}/a", b"12345") == (429, "quota_exceeded")
    first, _ = start(api, f"{base}/a"), start(api, f"{base}/b")
    assert piece(api, first, "0-4/*", b"12345").status == 429
    assert piece(api, first, "0-3/*", b"1234").status == 308
    start(api, f"{base}/c")
    assert piece(api, first, "*/*").status == 404
