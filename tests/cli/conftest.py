"""The command line run in this process, and one small target with its ticket and certificate."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runner import Made, Outcome, Runner, make


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Runner:
    """`run("check", "--all")`: the exit code and what was printed."""

    def call(*arguments: str | Path) -> Outcome:
        from strongticket.cli import main

        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        code = ended.value.code
        return Outcome(0 if code is None else int(code), printed.out, printed.err)

    return call


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A target 4-5-3 with biases, its ticket at the theorem's width, and the certificate."""
    return make(tmp_path_factory.mktemp("made"))
