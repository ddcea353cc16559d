"""The experiment on the quantized phase transition, run small; its claims can fall."""

from __future__ import annotations

import csv
import itertools
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from experiment_modules import load

transition = load("quantized_transition")

SMALL = {"bits": (4, 8), "every": (2, 4), "trials": 1000, "work": 1e9}


def test_least_lengths_by_enumeration() -> None:
    sample = [3, -1, 4, 1, -5, 2, 7]
    sums = [
        {sum(c) for r in range(n + 1) for c in itertools.combinations(sample[:n], r)}
        for n in range(len(sample) + 1)
    ]
    for target, reach in ((6, 3), (-6, 4), (0, 5), (1, 1)):
        one = next((n for n, s in enumerate(sums) if target in s), None)
        every = next((n for n, s in enumerate(sums) if set(range(-reach, reach + 1)) <= s), None)
        found = transition.least_lengths(sample, target, reach)
        assert found[0] == one
        assert transition._one(sample, target) == one
        if one is not None and every is not None:
            assert found[1] == max(one, every)


def test_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = transition.run(transition.Config(**SMALL))
    assert all(ok for _, ok, _ in result.claims), result.claims
    assert {p.kind for p in result.points} == {"one", "every"}
    assert all(p.low <= p.rate <= p.high for p in result.points)
    bad = [
        replace(p, failed=p.trials) if p.kind == "every" and p.proved < 1e-2 else p
        for p in result.points
    ]
    assert not transition.claims(bad, list(result.decays))[0][1]
    bad = [replace(p, failed=0) for p in result.points]
    assert not transition.claims(bad, list(result.decays))[1][1]
    slow = [replace(d, slope=-0.1) for d in result.decays]
    assert not transition.claims(list(result.points), slow)[6][1]
    monkeypatch.setattr(transition, "run", lambda config: result)
    monkeypatch.setattr(sys, "argv", ["x", "--quick", "--out", str(tmp_path)])
    assert transition.main() == 0
    assert (tmp_path / "quantized_transition.png").stat().st_size > 10_000
    rows = (tmp_path / "quantized_transition.csv").read_text("utf-8").splitlines()
    assert len(list(csv.DictReader(rows))) == len(result.points)
