"""Installs third-party servers once, each complete and in an environment of its own, and runs them.

They are kept below `$HARNESS_PEERS`, by default `.harness/peers` in the checkout.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harness.errors import UsageFault

PEERS = Path(os.environ.get("HARNESS_PEERS", Path(__file__).resolve().parents[2] / ".harness" / "peers"))
LITELLM = ("litellm[proxy]==1.106.2", "prisma==0.15.0")
"""The proxy imports prisma to answer a refused key, with or without a database; its extra does not install it."""

ROSETTA = ("llm-rosetta[gateway]==0.13.0",)
AIMOCK = "@copilotkit/aimock@1.43.0"

KEY = "sk-harness-Rk7wQz9pLm42vT8x"
"""The master key of LiteLLM's proxy, which refuses weak keys."""

LITELLM_CONFIG = """
model_list:
  - model_name: "{model}"
    litellm_params: {{model: "gemini/{model}", api_key: upstream-key, api_base: "{upstream}"}}
general_settings: {{master_key: {key}}}
litellm_settings: {{num_retries: 0}}
"""
_USAGE = {"input_tokens": 4, "output_tokens": 7, "total_tokens": 11}
_EMOJI = "a 19 byte prefix:  😀😀😀😀"
"""An answer with emoji where aimock splits its pieces."""


def free_port() -> int:
    """A port that no server of this machine has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def litellm(folder: Path, upstream: str, model: str = "gemini-3.8-flash") -> Iterator[str]:
    """The base URL of a LiteLLM proxy in front of `upstream` (installed once, 800 MB); `*`: for any model."""
    command = _python_environment("litellm", LITELLM) / "litellm"
    config = folder / "config.yaml"
    config.write_text(LITELLM_CONFIG.format(model=model, upstream=upstream, key=KEY))
    environment = {
        **os.environ,
        "GEMINI_API_KEY": "upstream-key",
        "GEMINI_API_BASE": upstream,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "NO_PROXY": "127.0.0.1",
    }
    port = free_port()
    start = [str(command), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    with running(start, port, log=folder / "log", environment=environment) as url:
        yield url


@contextmanager
def rosetta(folder: Path, upstream: str, *, renamed: bool = False) -> Iterator[str]:
    """The base URL of an LLM-Rosetta gateway in front of `upstream`, open to everybody as its setting says.

    `renamed`: the provider has a name of its own beside its type, and the model names that of the upstream.
    """
    command, port = _python_environment("rosetta", ROSETTA) / "llm-rosetta-gateway", free_port()
    kind, behind = "google_interactions", {"api_key": "upstream-key", "base_url": upstream}
    config = {
        "providers": {"behind": {"type": kind, **behind}} if renamed else {kind: behind},
        "models": {
            "gemini-3.8-flash": {"provider": "behind", "upstream_model": "gemini-3.8-flash"} if renamed else kind
        },
        "server": {"host": "127.0.0.1", "port": port, "open_on_no_keys": True},
    }
    path = folder / "config.jsonc"
    path.write_text(json.dumps(config))
    start = [str(command), "--config", str(path), "--no-banner", "--data-dir", str(folder / "data")]
    environment = {**os.environ, "HOME": str(folder), "NO_PROXY": "127.0.0.1"}
    with running(start, port, log=folder / "log", environment=environment) as url:
        yield url


@contextmanager
def transparent(folder: Path, upstream: str) -> Iterator[str]:
    """The control: the project's own proxy, which changes nothing, in the place of a gateway."""
    port = free_port()
    start = [sys.executable, "-m", "harness", "proxy", "--target", upstream, "--port", str(port)]
    with running(start, port, log=folder / "log", environment=os.environ) as url:
        yield url


@contextmanager
def reference(folder: Path) -> Iterator[str]:
    """The base URL of the emulator, whose background runs last long enough to act on them through a gateway."""
    port = free_port()
    start = [
        sys.executable,
        "-m",
        "harness",
        "serve",
        "--port",
        str(port),
        "--set",
        "ticks=12",
        "--set",
        "platform=any",
    ]
    with running(start, port, log=folder / "log-of-upstream", environment=os.environ) as url:
        yield url


@contextmanager
def aimock(folder: Path, answer: str = _EMOJI) -> Iterator[str]:
    """The base URL of a new aimock that gives this answer to every request; it counts no tokens by itself."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise UsageFault("aimock needs node and npm: install them, or judge the others")
    home = PEERS / "aimock"
    script = home / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
    if not script.exists():
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text('{"private": true}')
        options = ["--no-package-lock", "--no-audit", "--no-fund", "--silent"]
        subprocess.run([npm, "install", *options, AIMOCK], cwd=home, check=True)
    fixtures = folder / "fixtures.json"
    fixture = {"match": {}, "response": {"content": answer, "usage": _USAGE}}
    fixtures.write_text(json.dumps({"fixtures": [fixture]}))
    port = free_port()
    start = [node, str(script), "-p", str(port), "-f", str(fixtures), "--log-level", "warn"]
    with running(start, port, log=folder / "log", environment=os.environ) as url:
        yield url


def _python_environment(name: str, requirements: tuple[str, ...]) -> Path:
    """The folder of programs of an environment that has these requirements and nothing else."""
    home = PEERS / name
    done = home / "installed.json"
    if not done.exists() or json.loads(done.read_text()) != list(requirements):
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements]
        subprocess.run(pip, check=True)
        done.write_text(json.dumps(requirements))
    return home / "bin"


@contextmanager
def running(
    command: list[str], port: int, *, log: Path, environment: Mapping[str, str], patience: float = 400
) -> Iterator[str]:
    """Start a server, wait until its port accepts connections, yield its base URL, and stop it at the end."""
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=dict(environment)) as process,
    ):
        try:
            until = time.monotonic() + patience
            while not _accepts(port):
                if process.poll() is not None or time.monotonic() > until:
                    printed = log.read_text(errors="replace")[-2000:]
                    raise UsageFault(f"{command[0]} did not start; its last words:\n{printed}")
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=20)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
