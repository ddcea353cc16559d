"""The experiments on fixed sizes and random sources, run small; their claims can fall."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from experiment_modules import EXPERIMENTS, load

sizes = load("fixed_size_density")
sources = load("random_sources")


def run_main(
    module: ModuleType, result: object, place: Path, monkeypatch: pytest.MonkeyPatch
) -> int:
    """The command on a result that is there already."""
    monkeypatch.setattr(module, "run", lambda config: result)
    monkeypatch.setattr(sys, "argv", [f"{module.NAME}.py", "--quick", "--out", str(place)])
    code: int = module.main()
    return code


def test_fixed_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = sizes.Config(epsilons=(0.02,), sizes=(3, 5), trials=60, most=16)
    result = sizes.run(config)
    assert all(ok for _, ok, _ in sizes.claims(result))
    assert all(p.least >= p.counted - 1 for p in result.points)
    fewer = replace(result.points[0], least=result.points[0].counted - 2)
    assert not sizes.claims(sizes.Result((fewer, result.points[1])))[0][1]
    far = replace(result.points[0], constant=9 * result.points[1].constant)
    assert not sizes.claims(sizes.Result((far, result.points[1])))[1][1]
    assert run_main(sizes, result, tmp_path, monkeypatch) == 0
    assert (tmp_path / "fixed_size_density.png").stat().st_size > 10_000
    rows = (tmp_path / "fixed_size_density.csv").read_text("utf-8").splitlines()
    assert len(list(csv.DictReader(rows))) == len(result.points)


def test_a_size_that_needs_more_candidates_is_left_out() -> None:
    point = sizes.measure(2, 1e-4, sizes.Config(trials=20, most=8))
    assert point.least == 0
    assert point.counted > 8


def test_random_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = sources.Config(densities=(1.0, 0.5), locked=(0.0, 0.25), etas=(0.2,), trials=60)
    result = sources.run(config)
    assert all(ok for _, ok, _ in sources.claims(result))
    whole, half, locked = result.points
    assert whole.least < half.least
    assert whole.least < locked.least
    assert locked.proved == 0
    more = replace(half, least=2 * half.least)
    assert not sources.claims(replace(result, points=(whole, more)))[0][1]
    beyond = replace(half, least=half.proved + 1)
    assert not sources.claims(replace(result, points=(whole, beyond)))[2][1]
    short = replace(result.realised[0], realised=0.0, bound=0.9)
    assert not sources.claims(replace(result, realised=(short,)))[3][1]
    assert run_main(sources, result, tmp_path, monkeypatch) == 0
    assert (tmp_path / "random_sources.png").stat().st_size > 10_000
    rows = (tmp_path / "random_sources_copies.csv").read_text("utf-8").splitlines()
    assert len(list(csv.DictReader(rows))) == 1


def test_the_stored_tables_hold_their_claims() -> None:
    folder = EXPERIMENTS / "results"
    with (folder / "fixed_size_density.csv").open(encoding="utf-8") as file:
        stored = [row for row in csv.DictReader(file) if int(row["least"])]
    assert len(stored) >= 20
    assert all(int(row["least"]) >= int(row["counted"]) - 1 for row in stored)
    with (folder / "random_sources.csv").open(encoding="utf-8") as file:
        pruned = [row for row in csv.DictReader(file) if float(row["locked"]) == 0]
    assert all(int(row["least"]) <= int(row["proved"]) for row in pruned)
    assert all(float(row["copies"]) <= int(row["least"]) for row in pruned)
