"""Runs the items and writes one file for each: every command with its exit code, output, errors and files."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from lab.golden.items import Item, Step
from lab.golden.mask import mask_all
from lab.golden.reduce import REDUCE
from lab.golden.sections import Section, write_sections

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).resolve().parent / "programs"
LIMIT = 900.0
"""Seconds after which a command is ended."""
Say = Callable[[str], None]


class Skipped(Exception):
    """An item cannot be recorded here; the text says why."""


def gateway_mutants() -> list[str]:
    """The ids of the gateway mutants."""
    words = [sys.executable, str(PROGRAMS / "gateways.py")]
    done = subprocess.run(words, env=_environment(CHECKOUT), capture_output=True, text=True, check=True)
    return done.stdout.split()


def record_all(items: Sequence[Item], to: Path, jobs: int, say: Say) -> list[str]:
    """Record items, `jobs` at a time; return the names of those that were skipped."""
    to.mkdir(parents=True, exist_ok=True)
    skipped: list[str] = []

    def one(item: Item) -> None:
        start = time.monotonic()
        path = to / f"{item.name}.txt"
        try:
            text = write_sections(record_item(item))
        except Skipped as why:
            path.unlink(missing_ok=True)
            skipped.append(item.name)
            say(f"skipped {item.name}: {why}")
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        say(f"{time.monotonic() - start:6.1f} s  {item.name}")

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, items))
    return skipped


def record_item(item: Item) -> list[Section]:
    """Run the commands of one item in a folder of their own."""
    with tempfile.TemporaryDirectory(prefix="golden-") as name:
        # Two levels: what a command writes beside its folder is not lost.
        folder = Path(name).resolve() / "work"
        _furnish(folder, item)
        port = _free_port()
        return [section for step in item.steps for section in _run(step, item, folder, port)]


def _furnish(folder: Path, item: Item) -> None:
    folder.mkdir()
    for name, text in item.given.items():
        (folder / name).write_text(text, "utf-8")
    for name in item.folders:
        shutil.copytree(_source(name), folder / name)


def _source(name: str) -> Path:
    if name != "corpus":
        return CHECKOUT / name
    corpus = CHECKOUT / os.environ.get("HARNESS_CORPUS", "../shared/corpus")
    if not (corpus / "MANIFEST.jsonl").is_file():
        raise Skipped("no corpus: set HARNESS_CORPUS to a folder with MANIFEST.jsonl")
    return corpus / "files"


def _run(step: Step, item: Item, folder: Path, port: int) -> Iterable[Section]:
    filled = {"{python}": sys.executable, "{programs}": str(PROGRAMS), "{port}": str(port)}
    words = [_filled(word, filled) for word in step.words]
    code, out, err = _finish([sys.executable, "-m", "harness", *words], folder)

    def shown(text: str, kind: str = "") -> str:
        places = {str(folder): "<work>", str(CHECKOUT): "<checkout>", sys.executable: "<python>"}
        return mask_all(_tidy(text, kind), places, item.masks)

    yield Section("command", " ".join(step.words))
    yield Section("exit", str(code))
    yield Section("stderr", shown(err))
    yield Section("stdout", shown(_reduced(out, item.keep) if item.keep else out))
    for name in step.writes:
        for path in sorted(folder.glob(name)) or [folder / name]:
            text = path.read_text("utf-8") if path.exists() else "(not written)"
            title = mask_all(str(path.relative_to(folder)), {})
            yield Section(f"file {title}", shown(text, path.suffix))


def _filled(word: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(name, value)
    return word


def _reduced(text: str, keep: str) -> str:
    try:
        return _pretty(REDUCE[keep](text))
    except (ValueError, LookupError, TypeError):
        return text  # another form than expected: the comparison shows it whole


def _tidy(text: str, kind: str) -> str:
    """The text with one fact on a line: JSON is laid out with sorted keys, markup broken between tags."""
    if kind in (".html", ".xml"):
        return text.replace("><", ">\n<")
    if not text.startswith(("{", "[")):
        return text
    try:
        return _pretty(json.loads(text))
    except ValueError:
        return text


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _free_port() -> int:
    """A port for servers that no connection of another program takes before the gateway listens."""
    for port in random.sample(range(20_000, 30_000), 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise Skipped("no port is free")


def _environment(home: Path) -> dict[str, str]:
    """An environment without keys, colours or proxies, in which `harness` is this checkout's."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", ""),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "COLUMNS": "100",
    }


def _finish(words: list[str], folder: Path) -> tuple[int | str, str, str]:
    """Run a command to its end, or end it with all it started after the limit."""
    process = subprocess.Popen(
        words,
        cwd=folder,
        env=_environment(folder.parent),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="backslashreplace",
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=LIMIT)
        return process.returncode, out, err
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        return f"none after {LIMIT:.0f} s", out, err
