"""The `Api` value of this API: cheap to import, complete, and fit to be sent to another process."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from harness.interactions import INTERACTIONS
from harness.interactions.clients import CLIENTS
from harness.interactions.recordings import RECORDINGS
from harness.interactions.servers import SERVERS
from harness.interactions.targets import TARGETS
from harness.kit.api import PRIMARY_KEY, Api, LateCall, _has_entry_points
from harness.wire import Headers, Request
from tests.in_one_test import in_one_test

LOADERS = [
    (value, name)
    for value in (RECORDINGS, SERVERS, CLIENTS)
    for name in value.__struct_fields__
    if (name.startswith("load_") and name != "load_extensions") or isinstance(getattr(value, name), LateCall)
]


@pytest.mark.parametrize(
    ("imported", "unloaded"),
    [
        (
            "harness.interactions.servers, harness.interactions.clients",
            [
                "harness." + name
                for name in ("contract", "checks", "emulator", "strategies", "transport", "engine")
            ],
        ),
        ("harness.transport", ["asyncio", "ssl", "httpx", "uvloop"]),
    ],
)
def test_an_import_is_cheap(imported: str, unloaded: list[str]) -> None:
    """A command that names a value or a carrier pays only for the parts that it uses."""
    code = f"import sys, {imported}; print({set(unloaded)!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_worker_process_gets_the_same_value() -> None:
    """The value can be pickled, which is how the processes of the kill matrix receive it."""
    assert pickle.loads(pickle.dumps(SERVERS)) == SERVERS


@in_one_test(LOADERS)
def test_each_part_is_there(value: Api, name: str) -> None:
    """Each late function or value is there, each loader returns something; "" is the current revision."""
    load = getattr(value, name)
    if isinstance(load, LateCall):
        assert getattr(importlib.import_module(load.module), load.name)
    else:
        assert load("") if name == "load_contract" else load()


def test_an_unknown_revision_is_refused() -> None:
    """A revision that nobody knows is a LookupError, whoever asks."""
    with pytest.raises(LookupError):
        INTERACTIONS.load_contract("1999-01-01")


def test_the_origin_is_where_printed_code_finds_it() -> None:
    """The dotted names lead to the value, and to the function that loads a search."""
    module, _, name = INTERACTIONS.server_origin.rpartition(".")
    assert getattr(sys.modules[module], name) is SERVERS
    module, _, name = INTERACTIONS.search_origin.rpartition(".")
    assert "chain.running" in getattr(importlib.import_module(module), name)().rules


def test_a_reference_service_can_be_made() -> None:
    """A fresh service accepts the primary key."""
    contract = INTERACTIONS.load_contract("")
    listing = Request("GET", "/v1beta/agents", Headers([(INTERACTIONS.key_header, PRIMARY_KEY)]))
    assert SERVERS.new_service(contract)(listing).status == 200


@pytest.mark.parametrize(
    ("path", "stopped"),
    [("/v1beta/interactions/v1%2Fa", "/v1beta/interactions/v1%2Fa/cancel"), ("/v1beta/webhooks/w1", None)],
)
def test_only_interactions_can_be_stopped(path: str, stopped: str | None) -> None:
    """What runs is cancelled before it is deleted, under its own path; other resources have nothing to cancel."""
    request = TARGETS.new_stop_request(Request("DELETE", path).segments, Headers())
    assert (request.target if request is not None else None) == stopped


@pytest.mark.parametrize(
    ("brings", "place", "text"),
    [
        (True, "own_checks-1.dist-info/entry_points.txt", "[harness.extensions]\nown = own_checks\n"),
        (False, "other-1.dist-info/entry_points.txt", "[pytest11]\nother = other\n"),
    ],
)
def test_the_metadata_of_packages_is_read_only_if_one_names_the_group(
    brings: bool, place: str, text: str, tmp_path: Path
) -> None:
    """`importlib.metadata` is asked if the entry points of a package, or an archive, may hold an extension."""
    file = tmp_path / place
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    path = str(file if place.endswith(".zip") else tmp_path)
    assert _has_entry_points((str(tmp_path / "missing"), path)) is brings
