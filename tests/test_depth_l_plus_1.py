"""The experiment on depth L + 1, run small; its claims can fall."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from experiment_modules import load

experiment = load("depth_l_plus_1")


def test_small_run_and_claims_that_fall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = experiment.Config(depths=(2, 3), width=2, candidates=10, accuracy=2.0**-6, seeds=1)
    result = experiment.run(config)
    assert len(result.built) == 2 * (1 + len(experiment.OBJECTIVES))
    assert all(
        b.layers == (2 * b.depth if b.how == "two layers" else b.depth + 1) for b in result.built
    )
    heavy = [replace(b, amplification=1e9) if b.how == "lightest" else b for b in result.built]
    stands = {name: ok for name, ok, _ in experiment.claims(heavy, list(result.asked))}
    assert not stands["the lightest subsets amplify less than the nearest in every pair"]
    missed = [replace(b, missed=1) for b in result.built]
    assert not experiment.claims(missed, list(result.asked))[0][1]
    monkeypatch.setattr(experiment, "run", lambda config: result)
    monkeypatch.setattr(sys, "argv", ["depth_l_plus_1.py", "--quick", "--out", str(tmp_path)])
    assert experiment.main() in (0, 1)
    assert (tmp_path / "depth_l_plus_1.png").stat().st_size > 10_000
    rows = (tmp_path / "depth_l_plus_1.csv").read_text("utf-8").splitlines()
    assert len(list(csv.DictReader(rows))) == len(result.built)


def test_bad_depths_are_an_error_and_not_a_table(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(
        sys, "argv", ["depth_l_plus_1.py", "--accuracy", "-1", "--out", str(tmp_path)]
    )
    assert experiment.main() == 2
    assert not list(tmp_path.glob("*.csv"))
