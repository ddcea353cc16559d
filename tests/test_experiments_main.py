"""What the experiments' commands share: folders, errors, and exit codes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from experiment_modules import EXPERIMENTS, load

from strongticket.errors import FileError, InputError, StrongticketError

shared = load("_main")

STANDS, FALLS = ("this one", True, "3 of 3"), ("that one", False, "1 of 3")


@dataclass(frozen=True)
class Config:
    out: Path
    publish: bool = False


def test_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert EXPERIMENTS.parent == shared.ROOT
    monkeypatch.setattr(shared, "ROOT", tmp_path / "repository")
    out = tmp_path / "new" / "out"
    assert shared.places(Config(out)) == (out, out)
    assert out.is_dir()
    assert not (tmp_path / "repository").exists()
    tables, figures = shared.places(Config(tmp_path / "unused", publish=True))
    assert tables == tmp_path / "repository" / "experiments" / "results"
    assert figures == tmp_path / "repository" / "docs" / "figures"
    assert tables.is_dir()
    assert figures.is_dir()
    assert not (tmp_path / "unused").exists()
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="cannot make the folder"):
        shared.places(Config(tmp_path / "file" / "out"))


@pytest.mark.parametrize(("kind", "code"), [(InputError, 2), (StrongticketError, 1)])
def test_refused(
    kind: type[StrongticketError], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shared.refused(kind("what to do")) == code
    assert capsys.readouterr() == ("", "error: what to do\n")


@pytest.mark.parametrize(
    ("claims", "code"), [((STANDS,), 0), ((STANDS, FALLS), 1), ((FALLS, STANDS), 1)]
)
def test_judged(
    claims: tuple[tuple[str, bool, str], ...], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shared.judged(claims) == code
    printed = capsys.readouterr().out
    for name, ok, text in claims:
        line = next(line for line in printed.splitlines() if name in line)
        assert ("stands" in line, "FALLS" in line) == (ok, not ok)
        assert text in line
