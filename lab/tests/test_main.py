"""`python -m lab` finds its commands."""

from __future__ import annotations

import pytest

from lab.__main__ import COMMANDS, main


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"usage: python -m lab {name}" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "code"), [([], 2), (["drfit"], 2), (["--help"], 0)])
def test_other_words_list_the_commands(words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == code
    printed = capsys.readouterr()
    assert all(f"  {name}" in printed.out + printed.err for name in COMMANDS)
