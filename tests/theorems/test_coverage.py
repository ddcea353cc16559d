"""Coverage of all targets at once, against brute force on a fine grid of targets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from strongticket.theorems import _coverage
from strongticket.theorems._coverage import doubled_radius, least_prefix, subset_sums

SAMPLES = st.lists(st.integers(-12, 12), max_size=7)
ENDS = st.tuples(st.integers(-15, 15), st.integers(-15, 15)).map(sorted)


def brute(samples: list[int], low: int, high: int) -> int:
    """Twice the radius, over every quarter: the farthest target is a multiple of one half."""
    sums = {0}
    for x in samples:
        sums |= {s + x for s in sums}
    quarters = range(4 * low, 4 * high + 1)
    return max(min(abs(z - 4 * s) for s in sums) for z in quarters) // 2


@given(SAMPLES, ENDS)
def test_doubled_radius_is_that_of_brute_force(samples: list[int], ends: list[int]) -> None:
    low, high = ends
    sums = subset_sums(np.array(samples, np.int64))
    assert doubled_radius(sums, low, high) == brute(samples, low, high)


@given(SAMPLES, st.integers(0, 6), ENDS)
def test_least_prefix_is_the_first_that_is_good(
    samples: list[int], eta: int, ends: list[int]
) -> None:
    low, high = ends
    good = [n for n in range(len(samples) + 1) if brute(samples[:n], low, high) <= 2 * eta]
    found = least_prefix(np.array(samples, np.int64), eta, low, high)
    assert found == (good[0] if good else None, True)


def test_a_good_sample_stays_good_with_more_weights_and_more_tolerance() -> None:
    rng = np.random.default_rng(0)
    sample = rng.integers(-(1 << 20), 1 << 20, 14)
    radii = [doubled_radius(subset_sums(sample[:n]), -(1 << 19), 1 << 19) for n in range(15)]
    assert radii == sorted(radii, reverse=True)
    assert doubled_radius(subset_sums(sample), -1000, 1000) <= radii[-1]


def test_thinning_is_said_and_never_calls_a_bad_sample_good(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(1)
    samples = rng.integers(-(1 << 20), 1 << 20, (20, 16))
    exact = [least_prefix(s, 2000, -(1 << 19), 1 << 19) for s in samples]
    monkeypatch.setattr(_coverage, "EXACT_SUMS", 256)
    for (n, sure), sample in zip(exact, samples, strict=True):
        assert sure
        thinned, certain = least_prefix(sample, 2000, -(1 << 19), 1 << 19)
        if thinned is not None:
            assert n is not None
            assert thinned >= n
        assert certain == (thinned is not None and thinned <= 8)
