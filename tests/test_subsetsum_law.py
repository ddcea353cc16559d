"""The law's curves at small size, against brute force and against figures found elsewhere."""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from strongticket import subsetsum
from strongticket.errors import InputError
from strongticket.subsetsum.regimes import UntilHit

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
sys.path.insert(0, str(EXPERIMENTS))  # an experiment may import its neighbours
try:
    import _law_bounds as bounds
    import _law_claims as claiming
    import _law_curves as curves_of
    import _law_draws as draws
    import _law_fits as fitting
    import _law_tables as tables
    import subsetsum_law as law
    from _law_curves import Cell, Curve
finally:
    sys.path.pop(0)

U, T = "U[-1,1]", "U[-1,1]"


def curve_of(cell: Cell, failures: list[int], trials: int) -> Curve:
    """A curve with these failures at n = 0, 1, ..."""
    return Curve(cell, -np.diff([trials, *failures, 0]).astype(np.int64))


def brute(x: list[float], t: float, epsilon: float, sizes: range | None = None) -> int:
    """The least prefix with a subset within epsilon, in rationals; len(x) + 1 for none."""
    exact = [Fraction(v) for v in x]
    for n in range(len(x) + 1):
        for mask in itertools.product((0, 1), repeat=n):
            size = sum(mask)
            if (n and not mask[-1]) or (sizes is not None and size not in sizes):
                continue
            total = sum((v for v, m in zip(exact, mask, strict=False) if m), Fraction(0))
            if abs(total - Fraction(t)) <= Fraction(epsilon):
                return n
    return len(x) + 1


# -- curves -----------------------------------------------------------------------------------


def test_intervals_are_clopper_and_pearsons() -> None:
    k = np.array([0, 1, 7, 49, 50])
    low, high = curves_of.clopper_pearson(k, 50)
    for i, failed in enumerate(k.tolist()):
        exact = binomtest(failed, 50).proportion_ci(0.95, "exact")
        assert (low[i], high[i]) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_a_curve_counts_what_the_first_hits_say() -> None:
    curve = curves_of.of_firsts(Cell("single", U, T, 0.1), np.array([0, 2, 2, 3, 5]), 4)
    assert curve.failures.tolist() == [4, 4, 2, 1, 1]
    assert (curve.trials, curve.most, curve.mean) == (5, 4, 12 / 5)
    assert curve.least(0.5)[0] == 2
    assert curve.least(0.2)[0] == 3
    assert curve.least(0.1)[0] is None
    assert curve.least(0.2)[1] <= 3
    assert curve.least(0.2)[2] is None


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = [
        curve_of(Cell("single", U, "|t| = 1", 1e-6), [9, 9, 9, 4, 1, 1], 9),
        curve_of(Cell("quantized", "{-M..M}", "z", 0.0, 8), [7, 7, 3, 0, 0], 8),
    ]
    path = tmp_path / "curves.csv"
    curves_of.write(path, written)
    for before, after in zip(written, curves_of.read(path), strict=True):
        assert after.cell == before.cell
        assert after.trials == before.trials
        stop = after.failures.size
        assert after.failures.tolist() == before.failures[:stop].tolist()
        assert not before.failures[stop:].any()
        assert after.mean == before.mean
        assert after.least(0.5) == before.least(0.5)


@pytest.mark.parametrize(
    ("old", "new"),
    [("epsilon", "accuracy"), (",9,4,", ",9,five,"), (",3,9,4,", ",4,9,4,"), (",9,4,", ",9,-4,")],
)
def test_a_damaged_file_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "curves.csv"
    curves_of.write(path, [curve_of(Cell("single", U, T, 0.01), [9, 9, 9, 4, 1, 0], 9)])
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(InputError):
        curves_of.read(path)


# -- draws ------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", [U, "U*U", "N(0,1)"])
def test_first_hits_are_those_of_all_subsets(of: str) -> None:
    cell = Cell("single", of, T, 0.05)
    found = draws._single(cell, 0, 60, 7, 3, 1)
    x = draws.candidates(cell, 0, 60, 7, 3)
    t = draws._targets(cell, 0, 60, 3, 1.0)
    assert found.tolist() == [brute(a, b, 0.05) for a, b in zip(x.tolist(), t, strict=True)]
    assert len(set(found.tolist())) > 4


def test_first_hits_are_what_until_hit_takes() -> None:
    cell = Cell("single", U, T, 1e-3)
    x, t = draws.candidates(cell, 0, 300, 13, 1), draws._targets(cell, 0, 300, 1, 1.0)
    taken = subsetsum.within(x, t, 1e-3, regime=UntilHit(), threads=1)
    expected = np.where(taken.found, taken.taken, 14)
    assert draws._single(cell, 0, 300, 13, 1, 1).tolist() == expected.tolist()
    assert not taken.found.all()


def test_first_hits_of_a_size_are_those_of_all_subsets() -> None:
    cell = Cell("size", U, "U[-sqrt k, sqrt k]", 0.3, 3)
    found = draws._size(cell, 0, 25, 8, 1, 1)
    x = draws.candidates(cell, 0, 25, 8, 1)
    t = draws._targets(cell, 0, 25, 1, 3**0.5)
    expected = [brute(a, b, 0.3, range(3, 4)) for a, b in zip(x.tolist(), t, strict=True)]
    assert found.tolist() == expected
    assert min(expected) == 3
    assert max(expected) > 5


@pytest.mark.parametrize("part", list(draws._KINDS))
def test_chunks_and_threads_change_nothing(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    quantized = part.startswith("quantized")
    targets = "all |z| <= 1/2" if part == "all" else T
    size = 6 if quantized else 3
    cell = Cell(part, U, targets, 0.0 if quantized else 0.1, size)
    whole = draws.measure(cell, 50, 14, 5, 1).first
    monkeypatch.setattr(draws, "CHUNK", 16)
    assert draws.measure(cell, 50, 14, 5, 2).first.tolist() == whole.tolist()
    assert draws.measure(cell, 50, 14, 6, 1).first.tolist() != whole.tolist()
    assert whole.sum() == 50


def test_a_gate_lets_half_of_the_neurons_through() -> None:
    cell = Cell("single", "gated U*U", T, 0.1)
    usable = np.repeat(np.arange(9), 500)
    neurons = draws._gates(cell, 0, usable, 60, 1)
    assert (neurons[usable == 0] == 0).all()
    assert (neurons >= usable).all()
    for k in range(1, 9):  # the k-th success of fair coins: mean 2k, variance 2k
        mean = neurons[usable == k].mean()
        assert abs(mean - 2 * k) < 5 * (2 * k / 500) ** 0.5


def test_an_interval_is_served_where_coverage_says_so() -> None:
    generator = np.random.default_rng(0)
    answers = set()
    for _ in range(200):
        x = generator.integers(-40, 41, 6)
        sums = np.array(sorted(sum(s) for s in itertools.product(*((0, v) for v in x.tolist()))))
        height, epsilon = int(generator.integers(0, 60)), int(generator.integers(0, 12))
        expected = bool(subsetsum.coverage(x[None], height, backend="numpy").epsilon[0] <= epsilon)
        assert draws.served(sums, epsilon, height) == expected
        answers.add(expected)
    assert answers == {True, False}
    assert draws.served(np.array([5]), 5, 0)
    assert not draws.served(np.array([6]), 5, 0)


def test_integers_are_complete_where_every_target_is_a_sum() -> None:
    generator = np.random.default_rng(1)
    found = set()
    for _ in range(50):
        x = generator.integers(-8, 9, 12)
        sums, expected = {0}, 13
        for n, v in enumerate(x.tolist(), start=1):
            sums |= {s + v for s in sums}
            if set(range(-4, 5)) <= sums:
                expected = n
                break
        assert draws.first_complete(x, 8) == expected
        found.add(expected)
    assert len(found) > 3


def test_integers_are_uniform() -> None:
    x = draws.integers(Cell("quantized", "{-M..M}", "z", 0.0, 2), 0, 9000, 2, 1)
    counts = np.bincount(x.ravel() + 4, minlength=9)
    assert counts.size == 9
    assert np.abs(counts - 2000).max() < 5 * 2000**0.5


# -- anchors ----------------------------------------------------------------------------------


def rate(cell: Cell, n: int, trials: int, seed: int = 11) -> tuple[float, float]:
    """Limits of the failure probability at n that are missed with probability 1e-6."""
    curve = draws.measure(cell, trials, n, seed, 1)
    low, high = curves_of.clopper_pearson(np.array([curve.first[n + 1 :].sum()]), trials, 1e-6)
    return float(low[0]), float(high[0])


@pytest.mark.parametrize(
    ("of", "targets", "n", "value", "width"),
    [
        (U, T, 15, 0.00404, 0.0003),
        (U, T, 8, 0.295, 0.01),
        (U, T, 12, 0.0226, 0.001),
        ("U*U", T, 15, 0.0345, 0.001),
        ("U*U", T, 10, 0.169, 0.005),
    ],
)
def test_failure_of_one_target(of: str, targets: str, n: int, value: float, width: float) -> None:
    low, high = rate(Cell("single", of, targets, 0.01), n, 8000)
    assert low <= value + width
    assert high >= value - width
    assert high < 3 * value + width


def test_median_best_error_of_21_candidates() -> None:
    cell = Cell("single", U, T, 1.0)
    x, t = draws.candidates(cell, 0, 4000, 21, 2), draws._targets(cell, 0, 4000, 2, 1.0)
    error = subsetsum.best(x, t, threads=1).error
    above = int((error > 8.8e-7).sum())
    assert binomtest(above, 4000).pvalue > 1e-6
    assert binomtest(int((error > 8.8e-7 * 1.3).sum()), 4000).pvalue < 1e-6


@pytest.mark.parametrize(
    ("of", "targets", "epsilon", "median"),
    [
        (U, "all |z| <= 1/2", 0.1, 6),
        (U, "all |z| <= 1/2", 0.01, 11),
        (U, "all |z| <= 1", 0.01, 12),
        ("N(0,1)", "all |z| <= 1", 0.02, 10),
        ("U*U", "all |z| <= 1/2", 0.05, 8),
    ],
)
def test_median_that_serves_all_targets(of: str, targets: str, epsilon: float, median: int) -> None:
    curve = draws.measure(Cell("all", of, targets, epsilon), 150, 16, 1, 1)
    assert [c.refuted for c in claiming._medians([curve])] == [False]
    shifted = replace(curve, first=np.append([0, 0, 0], curve.first))
    assert [c.refuted for c in claiming._medians([shifted])] == [True]
    assert curve.least(0.5)[0] in (median - 1, median, median + 1)


def test_quantized_failures_and_their_bound() -> None:
    curve = draws.measure(Cell("quantized all", "{-M..M}", "z", 0.0, 4), 1500, 30, 1, 1)
    for n, value in ((12, 0.021), (16, 0.002)):
        low, high = curves_of.clopper_pearson(np.array([curve.first[n + 1 :].sum()]), 1500, 1e-6)
        assert low[0] <= value <= high[0]
    assert bounds.r4(30, 16) == pytest.approx(0.046, abs=5e-4)
    assert bounds.r4(16, 16) > 1
    assert curve.failures[-1] == 0


def test_the_transition_lies_where_as_many_sums_as_targets_are() -> None:
    for bits in (8, 12):
        cell = Cell("quantized", "{-M..M}", "z", 0.0, bits)
        curve = draws.measure(cell, 400, 2 * bits, 1, 1)
        assert curve.rate[round(bits / 1.4)] > 0.85
        assert curve.rate[round(bits / 0.6) :].max(initial=0) < 0.12


# -- bounds -----------------------------------------------------------------------------------


def test_reach_has_its_known_values() -> None:
    for n, value in ((15, 1.9e-3), (18, 4.3e-4), (20, 1.55e-4), (21, 9.3e-5), (25, 1.2e-5)):
        assert bounds.reach(n, 1.0, 0.0) == pytest.approx(value, rel=0.05)
    assert bounds.reach(1, None, 0.0) == 1.0  # one candidate is always below t = 1
    assert bounds.reach(5, 0.1, 0.2) == 0.0


def test_reach_is_the_probability_that_it_says() -> None:
    generator = np.random.default_rng(3)
    x, t = generator.uniform(-1, 1, (200_000, 3)), generator.uniform(0, 0.5, 200_000)
    positive, negative = np.maximum(x, 0).sum(1), np.maximum(-x, 0).sum(1)
    short = positive < 0.9
    assert bounds.reach(3, None, 0.1) == pytest.approx(short.mean(), abs=0.005)
    assert bounds.reach_both(3, 0.9) == pytest.approx((short | (negative < 0.9)).mean(), abs=0.005)
    assert bounds.reach(3, 0.5, 0.1) == pytest.approx((positive < t - 0.1).mean(), abs=0.005)


def test_exponential_bounds_are_the_theorems() -> None:
    from strongticket.theorems import random_subset_sum as rss

    for theorem in (rss.R1, rss.R1PLUS_WHOLE, rss.PRODUCT):
        start, ratio = bounds.constants(theorem, 0.01)
        assert start * ratio**60 == pytest.approx(theorem.failure(60, 0.01), rel=1e-9)
    name, (a, b, c) = tables.proved(("single", U, "U[-.1,.1]"))
    assert name == "R1"
    assert (a, b, c) == pytest.approx((4.82, 2.41, 2.41), abs=0.005)


def test_pairs_are_bounded_as_the_page_says() -> None:
    from scipy.stats import binom

    k, epsilon = 500, 0.01
    m, count = np.arange(200, k)[:, None], np.arange(1, 200)
    cover = 2 / epsilon**2 * 0.875 ** (k - m)
    far = 2 * np.exp(-3 * count**2 / (8 * k))
    short = 2 * binom.cdf(count - 1, m, 5 / 32)
    assert bounds.r6(k, epsilon) == pytest.approx((cover + far + short).min(), rel=1e-3)
    assert bounds.r6(0, 0.1) == bounds.r6(40, 0.1) == 1
    assert 0 < bounds.r6(1200, 0.01) < bounds.r6(600, 0.01) < 1


@pytest.mark.parametrize(("k", "epsilon"), [(2, 0.1), (4, 1e-3), (16, 0.1), (16, 1e-6)])
def test_the_size_law_is_solved(k: int, epsilon: float) -> None:
    n = bounds.size_law(k, epsilon)
    assert n >= k
    assert bounds.information(n, k) == pytest.approx(np.log2(k / epsilon))


# -- claims and fits --------------------------------------------------------------------------


def test_claims_can_fall() -> None:
    cell = Cell("single", U, T, 0.01)
    true = draws.measure(cell, 3000, 26, 1, 1)
    assert not any(claim.refuted for claim in claiming.claims([true]))
    never = curve_of(cell, [0] * 60, 3000)
    always = curve_of(cell, [3000] * 60, 3000)
    fallen = {c.name for c in claiming.claims([never]) if c.refuted}
    assert {"counting bounds failure from below", "reach bounds failure from below"} <= fallen
    fallen = {c.name for c in claiming.claims([always]) if c.refuted}
    assert {"R1+ bounds failure from above", "n = 15, epsilon 0.01, U[-1,1]: 0.404% +- 0.03%"} <= (
        fallen
    )
    for part, size in (("quantized", 4), ("quantized all", 4), ("pairs", 0)):
        other = Cell(part, U, "all |z| <= 1/2", 0.0 if size else 0.1, size)
        stuck = curve_of(other, [300] * (100 if size else 1900), 300)
        assert any(claim.refuted for claim in claiming.claims([stuck]))


def test_a_fit_finds_the_constants_that_made_the_curves() -> None:
    generator = np.random.default_rng(5)
    made = []
    for k in range(2, 7):
        cell = Cell("single", U, T, 10.0**-k)
        n = np.arange(50)
        rate = np.minimum(1, 2.0 ** ((1.1 * -np.log2(cell.epsilon) + 2.5 - n) / 1.4))
        hits = -np.diff([1.0, *rate, 0.0])
        made.append(Curve(cell, generator.multinomial(100_000, hits)))
    fit = fitting.law("made", made, 0.1, 0)
    assert fit is not None
    for value, low, high, true in zip(fit.values, fit.low, fit.high, (1.1, 1.4, 2.5), strict=True):
        assert value == pytest.approx(true, abs=0.15)
        assert low - 0.05 <= true <= high + 0.05
        assert low < value < high
    assert fit.residual < 0.2
    assert fitting.law("too few", made[:1], 0.1, 0) is None


def test_half_is_interpolated() -> None:
    assert fitting.half(np.array([0, 25, 50, 25, 0])) == pytest.approx(1.5)
    assert fitting.half(np.array([10, 10, 80])) is None


# -- the command and the page -----------------------------------------------------------------

SMALL = [
    (Cell("single", U, T, 0.01), 300, 44),
    (Cell("all", U, "all |z| <= 1/2", 0.05), 30, 20),
    (Cell("quantized all", "{-M..M}", "all |z| <= M/2", 0.0, 4), 50, 60),
]


def test_a_stopped_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(law, "plan", lambda config: SMALL)
    measured: list[Cell] = []

    def some(cell: Cell, *rest: int) -> Curve:
        if len(measured) == 2:
            raise KeyboardInterrupt
        measured.append(cell)
        return draws.measure(cell, *rest)

    config = law.Config(out=tmp_path, threads=1)
    monkeypatch.setattr(law, "measure", some)
    with pytest.raises(KeyboardInterrupt):
        law.run(config)
    measured.clear()
    resumed = law.run(config)
    assert measured == [SMALL[2][0]]
    measured.clear()
    law.run(replace(config, threads=2))
    assert measured == []
    with pytest.raises(KeyboardInterrupt):
        law.run(replace(config, seed=2))  # other numbers: nothing is kept
    monkeypatch.setattr(law, "measure", draws.measure)
    whole = law.run(law.Config(out=tmp_path / "other", threads=1))
    for a, b in zip(resumed.curves, whole.curves, strict=True):
        assert a.first.tolist() == b.first.tolist()
    assert [c.text for c in resumed.claims] == [c.text for c in whole.claims]


def test_as_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(law, "plan", lambda config: SMALL)
    monkeypatch.setattr(law, "plot", lambda result, place: [])
    arguments = ["subsetsum_law.py", "--quick", "--out", str(tmp_path), "--threads", "1"]
    monkeypatch.setattr(sys, "argv", arguments)
    assert law.main() == 0
    printed = capsys.readouterr().out
    assert "R1+ bounds failure from above" in printed
    assert "REFUTED" not in printed
    stored = json.loads((tmp_path / "subsetsum_law.json").read_text("utf-8"))
    assert stored["holds"]
    assert stored["config"]["seed"] == 1
    monkeypatch.setattr(sys, "argv", ["subsetsum_law.py", "--quick", "--publish"])
    assert law.main() == 2
    assert "leave --quick" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", arguments)
    with monkeypatch.context() as stopped:
        stopped.setattr(law, "run", lambda config: (_ for _ in ()).throw(KeyboardInterrupt))
        assert law.main() == 130
        assert "goes on" in capsys.readouterr().err
    one = [claiming.Claim("true", "", False), claiming.Claim("false", "on purpose", True)]
    monkeypatch.setattr(law, "claims", lambda curves: one)
    assert law.main() == 1
    assert "REFUTED" in capsys.readouterr().out


def test_quick_is_the_same_cells_with_fewer_trials() -> None:
    config = law.Config()
    full, quick = law.plan(config), law.plan(replace(config, **law.QUICK))
    assert [(c, most) for c, _, most in full] == [(c, most) for c, _, most in quick]
    assert all(a > b for (_, a, _), (_, b, _) in zip(full, quick, strict=True))
    assert len({c.name for c, _, _ in full}) == len(full)


@pytest.fixture(scope="module")
def published() -> tuple[list[Curve], dict[str, object]]:
    stored = json.loads((law.RESULTS / "subsetsum_law.json").read_text("utf-8"))
    return curves_of.read(law.RESULTS / "subsetsum_law.csv"), stored


def test_the_published_results_are_complete(published: tuple[list[Curve], dict]) -> None:
    curves, stored = published
    assert stored["complete"]
    assert stored["config"] == law._stored(law.Config())
    assert [c.cell for c in curves] == [cell for cell, _, _ in law.plan(law.Config())]
    assert [c.trials for c in curves] == [trials for _, trials, _ in law.plan(law.Config())]
    for name in law._law_figures.FIGURES:
        assert (law.FIGURES / f"subsetsum_law_{name}.png").read_bytes()[1:4] == b"PNG"


@pytest.mark.parametrize(
    "cell",
    [
        Cell("single", U, "|t| = 1", 0.1),
        Cell("single", "gated U*U", "U[-.1,.1]", 0.1),
        Cell("all", "N(0,1)", "all |z| <= 1/2", 0.1),
        Cell("size", U, "U[-sqrt k, sqrt k]", 0.1, 3),
        Cell("pairs", U, "all |z| <= 1/2", 0.1),
        Cell("quantized all", "{-M..M}", "all |z| <= M/2", 0.0, 4),
    ],
    ids=lambda cell: cell.name,
)
def test_a_published_curve_is_drawn_again(cell: Cell, published: tuple[list[Curve], dict]) -> None:
    """The first trials again, by the code of today; whole curves where that is quick."""
    curve = next(c for c in published[0] if c.cell == cell)
    most = next(most for c, _, most in law.plan(law.Config()) if c == cell)
    trials = min(curve.trials, 20_000)
    again = draws.measure(cell, trials, most, 1, 1)
    if trials == curve.trials:
        assert again.first.tolist() == curve.first.tolist()
    longest = min(again.first.size, curve.first.size)
    share, whole = again.first[:longest] / trials, curve.first[:longest] / curve.trials
    assert np.abs(share - whole).max() < 5 * (0.25 / trials) ** 0.5


def test_the_published_results_hold(published: tuple[list[Curve], dict]) -> None:
    curves, stored = published
    found = claiming.claims(curves)
    assert [claim.name for claim in found] == [claim["name"] for claim in stored["claims"]]
    assert not any(claim.refuted for claim in found)
    assert len(found) > 50


def test_the_page_is_made_from_the_results(published: tuple[list[Curve], dict]) -> None:
    curves, stored = published
    fits = []
    for row in stored["fits"]:
        group = tuple(row.pop("group"))
        fits.append((group, fitting.Fit(**row)))
        row["group"] = group
    page = law.PAGE.read_text("utf-8")
    assert tables.filled(page, tables.blocks(curves, fits)) == page
    with pytest.raises(InputError, match="markers"):
        tables.filled(page.replace("<!-- end all -->", ""), tables.blocks(curves, fits))


def test_the_published_fits_are_those_of_the_results(
    published: tuple[list[Curve], dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    curves, stored = published
    monkeypatch.setattr(fitting, "DRAWS", 2)  # the intervals are NumPy's stream; the values not
    found = tables.fits(curves, 1)
    assert len(found) == len(stored["fits"])
    for (group, fit), row in zip(found, stored["fits"], strict=True):
        assert group == tuple(row["group"])
        assert fit.values == pytest.approx(tuple(row["values"]), rel=1e-6)
