"""The files that a failure passes are found by a run of its own."""

from __future__ import annotations

import pytest

from lab.path import run


def test_the_path_has_what_judges_decides_and_writes(capsys: pytest.CaptureFixture[str]) -> None:
    """The reader of the response, the judge, the decision and a format are on it, and no service."""
    run([])
    *listed, total = capsys.readouterr().out.splitlines()
    files = [line.split()[0] for line in listed if line[0] != " "]
    assert total == f"{len(files)} files"
    steps = [
        "wire/message.py",
        "checks/areas/resume.py",
        "engine/decide.py",
        "report/json_report.py",
        "report/junit.py",
    ]
    assert [file for file in files if file in steps] == steps
    assert not any(file.startswith("emulator/") for file in files)
