"""Child processes: one module starts them, and what it starts finds no key and runs nothing of the folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from harness import child_processes
from harness.benches.client.client_commands import Task
from harness.benches.client.ready import find_ready, install
from harness.cli.commands.gateway import gateway_environment
from harness.cli.commands.torture import environment_of, new_client
from harness.cli.main import main
from harness.cli.serving import command_environment
from tests.security.test_hostile_folder import KEY, plant

PACKAGE = Path(child_processes.__file__).parent
DOOR = PACKAGE / "child_processes.py"
STARTS = re.compile(
    r"^\s*(?:import|from) (?:subprocess|multiprocessing|webbrowser|pty|pdb)\b"
    r"|\bos\.(?:system|popen|posix_spawnp?|fork|forkpty|startfile|exec\w+|spawn\w+)\("
    r"|\b(?:ProcessPoolExecutor|create_subprocess_\w+|subprocess_exec)\b|\b__import__\(",
    re.MULTILINE,
)
"""What starts a process, or imports what does."""


def test_one_module_starts_processes() -> None:
    """No other module of the package imports or calls anything that starts a process."""
    starting = {path for path in PACKAGE.rglob("*.py") if STARTS.search(path.read_text("utf-8"))}
    assert starting == {DOOR}


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hostile current folder; what it runs leaves a file beside it."""
    folder = tmp_path / "repository"
    folder.mkdir()
    plant(folder, tmp_path / "ran")
    (folder / "multiprocessing").mkdir()
    shutil.copy(folder / "json.py", folder / "multiprocessing" / "__init__.py")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("PYTHONPATH", ".")
    return folder


def test_a_tool_has_no_key_and_another_folder(hostile: Path) -> None:
    """Our own Python gets no key, does not run in the current folder, and imports nothing from there."""
    code = "import json, os, sys; print(json.dumps([os.getcwd(), sys.path, dict(os.environ)]))"
    done = child_processes.run_tool([*child_processes.PYTHON, "-c", code])
    here, path, environment = json.loads(done.stdout)
    assert not Path(here).is_relative_to(hostile)
    assert not Path(here).exists()
    assert not {"", ".", str(hostile)} & set(path)
    assert KEY not in json.dumps(environment)
    assert not (hostile.parent / "ran").exists()


def test_a_program_of_the_folder_is_not_found(hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative entries of PATH lead to no program, and no tool gets them."""
    (hostile / "npm").write_text("#!/bin/sh\n", encoding="utf-8")
    (hostile / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join(("", ".", str(hostile.parent / "no"))))
    assert child_processes.find_program("npm") is None
    assert child_processes.tool_environment()["PATH"] == str(hostile.parent / "no")


def test_a_browser_sees_no_key(hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment, which other users may read, has none."""
    heard = hostile.parent / "heard.json"
    program = hostile.parent / "browser"
    program.write_text(
        f"#!{sys.executable} -I\nimport json, os, pathlib, sys\n"
        f"pathlib.Path({str(heard)!r}).write_text(json.dumps([sys.argv, dict(os.environ)]))\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{program} %s")
    child_processes.open_browser("http://127.0.0.1:8/")
    _, environment = json.loads(heard.read_text("utf-8"))
    assert KEY not in json.dumps(environment)


REAL = "AIza" + "Sy0123456789-abcdefghijklmnopqrstuv"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, KEY) for name in (
            "GEMINI_API_KEY", "GOOGLE_API_KEY", "OTHER_GEMINI_API_KEY", "google_genai_api_key", "GEMINI_KEY",
            "VITE_GEMINI_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY", "GEMINI_API_KEYS", "GEMINI_API_KEY_2",
            "GEMINI_API_KEY_PROD", "GOOGLE_GENAI_ACCESS_TOKEN", "PALM_API_KEY", "GoogleAI__ApiKey",
            "AI_STUDIO_KEY",
        )),
        *((name, REAL) for name in ("LLM_API_KEY", "GEMINI_API_KEY_EU", "MINE", "GEMINI_CREDENTIALS")),
        *(("LLM", value) for value in (
            f"{REAL},{REAL}", f'["{REAL}"]', f"https://h/?a=b&key={REAL}", f"Authorization: Bearer {REAL}",
            f"{REAL}\n",
        )),
    ],
)  # fmt: skip
def test_no_key_reaches_a_command(name: str, value: str) -> None:
    """A command after `--`, a client and a gateway get the stand-in: by any name, and in any other variable."""
    key = KEY if KEY in value else REAL
    given = {name: value, "UPSTREAM": f"https://x/?key={key}", "A": "b"}
    task = Task("http://127.0.0.1:1", "v1_x", "case", "follow")
    for made in (
        command_environment("http://127.0.0.1:1", given),
        command_environment("http://127.0.0.1:1", given, ["k1", "k2"]),
        gateway_environment("http://127.0.0.1:1", given),
        environment_of(task, given),
        child_processes.tool_environment(given),
    ):
        assert key not in json.dumps(made)
    made = command_environment("http://127.0.0.1:1", given)
    assert made["A"] == "b"
    assert made["GEMINI_API_KEY"] in made["UPSTREAM"]


def test_what_is_no_key_stays() -> None:
    """Other settings and the keys of other services are the user's own."""
    given = {
        "GEMINI_API_KEY_HEADER": "x-goog-api-key", "GEMINI_API_KEY_SECRET_NAME": "prod-gemini-api-key-v2",
        "API_KEY": "sk-0123456789Abcdefghijkl", "GEMINI_MAX_TOKENS": "1024", "GEMINI_MODEL": "m",
        "OPENAI_API_KEY": "other", "GEMINI_API_KEY_FILE": "/run/key", "SHLVL": "1", "GOOGLE_CLOUD_PROJECT": "p",
    }  # fmt: skip
    made = command_environment("http://127.0.0.1:1", {**given, "GEMINI_API_KEY": "1"})
    assert {name: made[name] for name in given} == given


def test_a_client_that_we_install_gets_no_variable_of_the_user(tmp_path: Path) -> None:
    """Packages of strangers run as a ready client: they get what a tool needs, in the folder of their driver."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
        code = (
            "import json, os, pathlib; pathlib.Path(os.environ['HARNESS_RESULT']).write_text("
            "json.dumps({'text': json.dumps({**os.environ, 'HERE': os.getcwd()})}))"
        )
        driver = tmp_path / "driver.py"
        driver.write_text(code, encoding="utf-8")
        client = new_client([*child_processes.PYTHON, str(driver)], loop=False, is_ready=True)()
        result = client.read(Task("http://127.0.0.1:1", "v1_x", "case", "follow"), 60)
    got = json.loads(result.collected)
    assert got["INTERACTION_ID"] == "v1_x"
    assert got["HERE"] == os.path.realpath(tmp_path)
    assert KEY not in result.collected


def test_npm_runs_no_script_of_a_client_that_we_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """npm installs a ready client with its scripts left out, in a folder of ours."""
    heard = tmp_path / "heard.json"
    for name in ("npm", "node"):
        program = tmp_path / name
        program.write_text(
            f"#!{sys.executable} -I\nimport json, os, sys\n"
            f"open({str(heard)!r}, 'w').write(json.dumps([sys.argv, os.getcwd(), dict(os.environ)]))\n",
            encoding="utf-8",
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HARNESS_CLIENTS", str(tmp_path / "clients"))
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    install(find_ready("@google/genai"))
    words, here, environment = json.loads(heard.read_text("utf-8"))
    assert "--ignore-scripts" in words
    assert Path(here).is_relative_to(tmp_path / "clients")
    assert KEY not in json.dumps(environment)


@pytest.mark.parametrize("named", ["clients", ".", "./clients", "~/clients"])
def test_a_relative_folder_of_clients_is_refused(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In `HARNESS_CLIENTS`, too: no client that the folder planted is started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CLIENTS", named)
    assert main(["torture", "--client", "curl"]) == 2
    assert f"HARNESS_CLIENTS is '{named}', which depends on the current folder" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
