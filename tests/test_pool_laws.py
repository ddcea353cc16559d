"""The experiment on pools for one weight, run small; its rules by brute force; claims can fall."""

from __future__ import annotations

import csv
import itertools
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from experiment_modules import load

from strongticket.laws import Uniform

pools = load("pool_laws")


def test_each_rule_reads_up_to_the_first_neuron_that_serves() -> None:
    for trial in range(6):
        w, eps = pools.weight(trial), 2.0**-4
        a, b = pools.drawn((Uniform(1.0), Uniform(1.0)), "near 4", trial, 0, 20_000)
        good = [w <= x <= w + eps and y >= 1 - eps for x, y in zip(a, b, strict=True)]
        assert pools.near(4, trial) == good.index(True) + 1
        a, b = pools.drawn((Uniform(2.0), Uniform(2.0)), "product 4", trial, 0, 20_000)
        good = [x > 0 and abs(x * y - w) <= eps for x, y in zip(a, b, strict=True)]
        assert pools.product(4, trial) == good.index(True) + 1


def test_subset_sums_are_those_of_all_subsets() -> None:
    for trial in range(4):
        w, eps = pools.weight(trial), 2.0**-4
        a, b = pools.drawn((Uniform(2.0), Uniform(2.0)), "sums 4", trial, 0, 128)
        n = pools.by_sums(4, trial)
        for size, serves in ((n, True), (n - 1, False)):
            c = (a * b)[:size][a[:size] > 0]
            sums = [sum(part) for m in range(c.size + 1) for part in itertools.combinations(c, m)]
            assert (min(abs(np.array(sums) - w)) <= eps) == serves


def test_experiment_runs_and_its_claims_can_fall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"near": (2, 3, 5), "product": (2, 4, 6), "greedy": (3, 5, 7), "sums": (3, 5, 7)}
    result = pools.run(pools.Config(**small, trials=20))
    assert len(result.claims) == 6
    assert all(p.low <= p.median <= p.high for p in result.points)
    worse = [replace(p, missed=p.trials) if p.rule == "greedy" else p for p in result.points]
    assert not pools.claims(worse, result.slopes)[0][1]
    flat = tuple(replace(s, slope=0.2, half=0.01) for s in result.slopes)
    assert [ok for _, ok, _ in pools.claims(list(result.points), flat)][1:3] == [False, False]
    monkeypatch.setattr(pools, "run", lambda config: result)
    monkeypatch.setattr(sys, "argv", ["pool_laws.py", "--quick", "--out", str(tmp_path)])
    assert pools.main() in (0, 1)
    assert (tmp_path / "pool_laws.png").stat().st_size > 10_000
    rows = (tmp_path / "pool_laws.csv").read_text("utf-8").splitlines()
    assert len(list(csv.DictReader(rows))) == len(result.points)
