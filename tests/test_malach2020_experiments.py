"""The experiments on weights over neurons, run small; their claims can fall."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from experiment_modules import load

separation = load("malach2020_separation")
universality = load("malach2020_universality")
hardness = load("malach2020_solving")


def run_main(
    module: ModuleType, result: object, place: Path, monkeypatch: pytest.MonkeyPatch
) -> int:
    """The command on a result that is there already."""
    monkeypatch.setattr(module, "run", lambda config: result)
    monkeypatch.setattr(sys, "argv", [f"{module.NAME}.py", "--quick", "--out", str(place)])
    code: int = module.main()
    return code


def test_separation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"dimensions": (3,), "least": (3, 4), "seeds": 2}
    result = separation.run(separation.Config(**small))
    stands = {name: ok for name, ok, _ in result.claims}
    assert sum(stands.values()) >= 4  # at such d weights are not yet ahead, nor is a rate seen
    assert all(p.free >= p.proved for p in result.points)
    assert all(p.weights >= p.pool * separation.size(p.d) or p.pool == 1 for p in result.points)
    worse = replace(result.points[0], free=result.points[0].proved / 2)
    name, ok, _ = separation.claims([worse], list(result.least), result.slopes)[0]
    assert not ok, name
    assert run_main(separation, result, tmp_path, monkeypatch) in (0, 1)
    assert (tmp_path / "malach2020_separation.png").stat().st_size > 10_000
    rows = (tmp_path / "malach2020_separation.csv").read_text("utf-8").splitlines()
    assert len(list(csv.DictReader(rows))) == len(result.points)


def test_a_wide_pool_makes_the_single_neuron() -> None:
    """All points of the cube, against the neuron itself, with both networks' sizes as stated."""
    d, neuron = 5, (0b10111, 2)
    assert separation.pruned_error(d, neuron, 40, seed=0) < 1e-3
    assert separation.listed(3)[:5] == [(0, -1), (1, -1), (1, 0), (2, -1), (2, 0)]
    targets = separation.single_neurons(3)
    for row, (subset, j) in zip(targets, separation.listed(3), strict=True):
        kept = (subset >> np.arange(3)) & 1
        assert (row == np.maximum(separation.cube(3) @ kept - j, 0)).all()


def test_universality(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"widths": (2, 4), "epsilon": 0.2, "steps": 20, "starts": 1}
    result = universality.run(universality.Config(**small))
    (certified, plan, wider) = universality.claims(result)
    assert certified[1]
    assert plan[1]
    assert isinstance(wider[1], bool)
    first = replace(result.points[0], certified=0.3)
    worse = replace(result, points=(first, *result.points[1:]))
    assert not all(ok for _, ok, _ in universality.claims(worse))
    assert run_main(universality, result, tmp_path, monkeypatch) in (0, 1)
    assert (tmp_path / "malach2020_universality.png").stat().st_size > 10_000


def test_hardness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"sizes": (6, 8), "instances": 1, "steps": 3, "starts": 1}
    result = hardness.run(hardness.Config(**small))
    assert all(ok for _, ok, _ in hardness.claims(result))
    assert [p.masks for p in result.points] == [64, 256]
    wrong = replace(result.points[0], agreed=0)
    missed = replace(result, points=(wrong, *result.points[1:]))
    assert not all(ok for _, ok, _ in hardness.claims(missed))
    assert run_main(hardness, result, tmp_path, monkeypatch) == 0
    assert (tmp_path / "malach2020_solving.csv").read_text("utf-8").count("\n") == 3
