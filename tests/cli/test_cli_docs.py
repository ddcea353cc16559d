"""docs/command-line.md is a session: its commands are run, and print what the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import tyro
from cli_runner import Outcome, Runner

from strongticket.cli._commands import Command

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "command-line.md").read_text("utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# minutes, or data that is not shipped; that they can be parsed is tested all the same
NOT_RUN = {
    "demo --out runs/demo",
    "check --all --workers 2 --resume checks.json",
    "check --all --false-width",
}


def blocks(text: str) -> list[str]:
    return re.findall(r"^```console\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def steps(block: str) -> list[tuple[str, str]]:
    """(command, what it prints) pairs of one block."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
    assert parts[0] == ""
    return list(zip(parts[1::2], parts[2::2], strict=True))


def fits(shown: str, printed: str) -> bool:
    """Equal up to the empty lines at the end; ``...`` stands for anything."""
    pattern = ".*?".join(re.escape(part) for part in shown.rstrip().split("..."))
    return re.fullmatch(pattern, printed.rstrip(), re.DOTALL) is not None


COMMANDS = [
    command.partition(" ")[2].partition("  #")[0]
    for page in PAGES
    if "_build" not in page.parts
    for block in blocks(page.read_text("utf-8"))
    for command in re.findall(r"^\$ (strongticket .*)$", block, re.MULTILINE)
]


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_every_command_of_the_pages_can_be_parsed(command: str) -> None:
    tyro.cli(Command, args=shlex.split(command), config=(tyro.conf.FlagCreatePairsOff,))


def test_every_command_of_the_program_is_on_the_page() -> None:
    named = {
        command.split()[0] for _, command in re.findall(r"^(\$ strongticket )(.*)$", PAGE, re.M)
    }
    known = "demo theorems check construct certify recheck search ticket doctor"
    assert named == set(known.split())


def test_the_page_runs_as_it_says(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for python in re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        exec(compile(python, "command-line.md", "exec"), {})
    ended, ran = Outcome(0, "", ""), 0
    for block in blocks(PAGE):
        for command, shown in steps(block):
            if command == "echo $?":
                assert shown.strip() == str(ended.code)
                continue
            program, _, arguments = command.partition(" ")
            assert program == "strongticket"
            if arguments in NOT_RUN or "/path/to/" in arguments:
                continue
            ended, ran = run(*shlex.split(arguments)), ran + 1
            assert fits(shown, ended.out), f"$ {command}\n{ended.out}{ended.err}"
    assert ran >= 12


def test_what_differs_is_seen() -> None:
    assert fits("bound 0.1 ... s\n", "bound 0.1 in 3.2 s\n\n")
    assert not fits("bound 0.1 ... s\n", "bound 0.2 in 3.2 s\n")
    assert not fits("", "something\n")
